//! The one service account that is known here, and the tokens it gets. Statements are verified from what arrived; it
//! shares no code with who makes them.

use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::Sha256;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the account may call.
pub const PROJECT: &str = "demo-project";
/// The private key of somebody else.
const OTHER_KEY: &str = include_str!("other-key.pem");

const ACCOUNT: &str = include_str!("service-account.json");
const PUBLIC_KEY: &[u8] = include_bytes!("public-key.der");
const EMAIL: &str = "demo@demo-project.iam.gserviceaccount.com";
const KEY_ID: &str = "demo-key-1";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long a token is good, and the longest that a statement may be.
const LIFETIME: u64 = 3600;
/// How far a statement's clock may be off.
const SKEW: u64 = 300;
/// Under which tokens are told from inventions.
const SEAL: &[u8] = b"the tokens of the demo provider";

/// Tells tokens of one second apart.
static GIVEN: AtomicU64 = AtomicU64::new(0);

/// An OAuth error: its code and its description.
type Refusal = (&'static str, &'static str);

/// The JSON key of the account, whose tokens are asked for at `token_url`.
pub fn service_account(token_url: &str) -> String {
    ACCOUNT.replace("TOKEN_URI", token_url)
}

/// The same account with a key that is not its own.
pub fn other_service_account(token_url: &str) -> String {
    let mut account: Value = serde_json::from_str(&service_account(token_url)).expect("the account is JSON");
    account["private_key"] = json!(OTHER_KEY);
    account.to_string()
}

pub fn give(parts: &Parts, body: &[u8]) -> Response {
    match read(parts, body, now()) {
        Ok(()) => {
            let token = json!({
                "access_token": token(now() + LIFETIME, GIVEN.fetch_add(1, Ordering::Relaxed)),
                "expires_in": LIFETIME - 1, "token_type": "Bearer",
            });
            axum::Json(token).into_response()
        }
        Err((error, description)) => {
            let body = json!({ "error": error, "error_description": description });
            (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
        }
    }
}

/// Whether it was given here and has not ended.
pub fn is_good(bearer: &str) -> bool {
    let mut parts = bearer.split('-').skip(1);
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    match (number(parts.next()), number(parts.next())) {
        (Some(end), Some(place)) => end > now() && token(end, place) == bearer,
        _ => false,
    }
}

fn token(end: u64, number: u64) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SEAL).expect("HMAC takes keys of any length");
    mac.update(format!("{end} {number}").as_bytes());
    let seal = BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("ya29.demo-{end}-{number}-{seal}")
}

fn read(parts: &Parts, body: &[u8], now: u64) -> Result<(), Refusal> {
    let form = std::str::from_utf8(body).unwrap_or_default();
    let field = |name: &str| {
        let found = form
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let text = percent_decode_str(found?).decode_utf8().ok()?;
        Some(text.into_owned())
    };
    let media_type = parts.headers.get(header::CONTENT_TYPE);
    if media_type.is_none_or(|value| value != "application/x-www-form-urlencoded") {
        return Err(("invalid_request", "The request body must be a form."));
    }
    if field("grant_type").as_deref() != Some(GRANT) {
        return Err(("unsupported_grant_type", "Invalid grant_type"));
    }
    let assertion = field("assertion").ok_or(("invalid_request", "Missing parameter: assertion"))?;
    let parts_of: Vec<&str> = assertion.split('.').collect();
    let [head, claims, signature] = parts_of[..] else {
        return Err(("invalid_grant", "Bad Request"));
    };
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
    let json = |part: &str| serde_json::from_slice::<Value>(&decode(part)?).ok();
    let malformed = ("invalid_grant", "Invalid JWT: Failed to parse");
    let (header, claims_read) = (json(head).ok_or(malformed)?, json(claims).ok_or(malformed)?);
    if header["alg"] != "RS256" || header["kid"] != KEY_ID || claims_read["iss"] != EMAIL {
        return Err(("invalid_grant", "Invalid grant: account not found"));
    }
    let signature = decode(signature).ok_or(malformed)?;
    let said = format!("{head}.{claims}");
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC_KEY)
        .verify(said.as_bytes(), &signature)
        .map_err(|_| ("invalid_grant", "Invalid JWT Signature."))?;
    let host = parts
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let audience = format!("http://{}{}", host.unwrap_or_default(), parts.uri.path());
    if claims_read["aud"] != audience {
        return Err(("invalid_grant", "Invalid JWT: Failed audience check."));
    }
    let time = |name: &str| claims_read[name].as_u64().unwrap_or_default();
    let (from, until) = (time("iat"), time("exp"));
    if from > now + SKEW || from + SKEW < now || until <= now || until < from || until - from > LIFETIME {
        return Err((
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
        ));
    }
    let scopes = claims_read["scope"].as_str().unwrap_or_default();
    match scopes.split(' ').any(|scope| scope == SCOPE) {
        true => Ok(()),
        false => Err((
            "invalid_scope",
            "Invalid OAuth scope or ID token audience provided.",
        )),
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_that_was_given_and_has_not_ended_is_good() {
        assert!(is_good(&token(now() + 60, 7)));
        assert!(!is_good(&token(now() - 1, 7)));
        let other = token(now() + 60, 7).replace("ya29.demo-", "ya29.demo-9");
        assert!(!is_good(&other) && !is_good("ya29.invented") && !is_good(""));
    }
}
