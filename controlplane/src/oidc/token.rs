//! Whether an id_token is to be believed: OpenID Connect Core 1.0 section 3.1.3.7.
//!
//! Only signatures that need the provider's private key count. A key set may hold shared secrets, and a token may say
//! `none`; both are refused.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse},
};
use serde_json::{Map, Value};
use thiserror::Error;

const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// RFC 8032 §5.1.5.
const ED25519_BYTES: usize = 32;

pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
}

#[derive(Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    #[error("the id_token is not valid")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    #[error("the id_token is signed with {0:?}, which is not taken")]
    Algorithm(Algorithm),
    #[error("the id_token is signed with a key that the provider does not publish")]
    Key,
    #[error("the id_token is of another login")]
    Nonce,
    #[error("the id_token was made for another client")]
    AuthorizedParty,
}

/// The claims of a token that the provider signed, for this client and for this login.
pub fn verify(token: &str, keys: &JwkSet, expected: &Expected<'_>) -> Result<Map<String, Value>, TokenError> {
    let header = jsonwebtoken::decode_header(token)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(TokenError::Algorithm(header.alg));
    }
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp", "iat"]);
    validation.validate_nbf = true;

    let of_token = |key: &&Jwk| {
        let named = header.kid.is_none() || header.kid == key.common.key_id;
        named && key.common.public_key_use != Some(PublicKeyUse::Encryption)
    };
    let mut error = TokenError::Key;
    for key in keys.keys.iter().filter(of_token).filter(|key| is_whole(key)) {
        let decoded = DecodingKey::from_jwk(key)
            .and_then(|key| jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation));
        match decoded {
            Ok(decoded) => return check(decoded.claims, expected),
            Err(invalid) => error = invalid.into(),
        }
    }
    Err(error)
}

/// The verifier would panic over a shorter one.
fn is_whole(key: &Jwk) -> bool {
    let AlgorithmParameters::OctetKeyPair(pair) = &key.algorithm else {
        return true;
    };
    BASE64
        .decode(&pair.x)
        .is_ok_and(|bytes| bytes.len() == ED25519_BYTES)
}

pub fn text(claims: &Map<String, Value>, name: &str) -> Option<String> {
    claims.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn check(claims: Map<String, Value>, expected: &Expected<'_>) -> Result<Map<String, Value>, TokenError> {
    let is = |name: &str, value: &str| claims.get(name).and_then(Value::as_str) == Some(value);
    if !is("nonce", expected.nonce) {
        return Err(TokenError::Nonce);
    }
    let several = claims
        .get("aud")
        .and_then(Value::as_array)
        .is_some_and(|audience| audience.len() > 1);
    if (several || claims.contains_key("azp")) && !is("azp", expected.client_id) {
        return Err(TokenError::AuthorizedParty);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use jsonwebtoken::{EncodingKey, Header, errors::ErrorKind};
    use serde_json::json;

    use super::*;

    /// The key of RFC 8037 appendix A.
    const PRIVATE: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    /// What stands before such a key in PKCS #8.
    const PREFIX: [u8; 16] = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];

    fn header() -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some("one".to_owned());
        header
    }

    fn signed(header: &Header, change: Value) -> String {
        let der = [&PREFIX[..], &BASE64.decode(PRIVATE).unwrap()].concat();
        let now = Utc::now().timestamp();
        let mut claims = json!({
            "iss": "https://id.example", "sub": "anna", "aud": "gateway", "nonce": "n", "iat": now, "exp": now + 60,
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        jsonwebtoken::encode(header, &claims, &EncodingKey::from_ed_der(&der)).unwrap()
    }

    fn keys() -> JwkSet {
        let keys = json!({ "keys": [
            { "kty": "what-comes-next", "kid": "one", "use": "enc" },
            { "kty": "oct", "kid": "shared", "k": BASE64.encode("secret") },
            { "kty": "OKP", "crv": "Ed25519", "kid": "one", "use": "sig", "x": PUBLIC },
        ] });
        serde_json::from_value(keys).unwrap()
    }

    fn verified(token: &str) -> Result<Map<String, Value>, TokenError> {
        let expected = Expected {
            issuer: "https://id.example",
            client_id: "gateway",
            nonce: "n",
        };
        verify(token, &keys(), &expected)
    }

    #[test]
    fn what_the_provider_signed_for_this_login_is_believed() {
        for change in [
            json!({}),
            json!({ "aud": ["gateway"] }),
            json!({ "aud": ["gateway", "other"], "azp": "gateway" }),
        ] {
            let claims = verified(&signed(&header(), change)).unwrap();
            assert_eq!(text(&claims, "sub").as_deref(), Some("anna"));
        }
        let unnamed = Header::new(Algorithm::EdDSA);
        assert!(verified(&signed(&unnamed, json!({}))).is_ok());
    }

    #[test]
    fn anything_else_is_not() {
        let past = Utc::now().timestamp() - 120;
        let invalid = |kind: ErrorKind| TokenError::Invalid(kind.into());
        for (change, expected) in [
            (
                json!({ "iss": "https://evil.example" }),
                invalid(ErrorKind::InvalidIssuer),
            ),
            (json!({ "aud": "other" }), invalid(ErrorKind::InvalidAudience)),
            (json!({ "exp": past }), invalid(ErrorKind::ExpiredSignature)),
            (json!({ "nonce": "m" }), TokenError::Nonce),
            (json!({ "nonce": null }), TokenError::Nonce),
            (
                json!({ "aud": ["gateway", "other"] }),
                TokenError::AuthorizedParty,
            ),
            (json!({ "azp": "other" }), TokenError::AuthorizedParty),
        ] {
            assert_eq!(
                verified(&signed(&header(), change.clone())),
                Err(expected),
                "{change}"
            );
        }
    }

    #[test]
    fn a_key_that_is_cut_short_verifies_nothing() {
        let cut = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "one", "x": &PUBLIC[..8] }] });
        let expected = Expected {
            issuer: "https://id.example",
            client_id: "gateway",
            nonce: "n",
        };
        let cut = serde_json::from_value(cut).unwrap();
        let verified = verify(&signed(&header(), json!({})), &cut, &expected);
        assert_eq!(verified, Err(TokenError::Key));
    }

    #[test]
    fn a_signature_needs_the_providers_own_key() {
        let mut other = header();
        other.kid = Some("two".to_owned());
        assert_eq!(verified(&signed(&other, json!({}))), Err(TokenError::Key));

        let token = signed(&header(), json!({}));
        let (rest, signature) = token.rsplit_once('.').unwrap();
        let forged = format!("{rest}.{}", signature.chars().rev().collect::<String>());
        assert!(verified(&forged).is_err());

        let mut shared = Header::new(Algorithm::HS256);
        shared.kid = Some("shared".to_owned());
        let claims = json!({ "iss": "https://id.example", "sub": "anna", "aud": "gateway", "nonce": "n" });
        let token = jsonwebtoken::encode(&shared, &claims, &EncodingKey::from_secret(b"secret")).unwrap();
        assert_eq!(verified(&token), Err(TokenError::Algorithm(Algorithm::HS256)));

        let none = format!(
            "{}.{}.",
            BASE64.encode(r#"{"alg":"none"}"#),
            BASE64.encode(claims.to_string())
        );
        assert!(verified(&none).is_err());
    }
}
