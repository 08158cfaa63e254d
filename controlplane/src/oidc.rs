//! Login by OpenID Connect: authorization code with PKCE, against the provider that the configuration names.
//!
//! [`begin`] sends somebody to the identity provider and gives the caller a [`Flow`] to keep for them; [`finish`]
//! takes that flow and what came back, and says who it is. What the provider says of itself is read anew for each of
//! the two: a login is rare, and keys that were rotated meanwhile are nobody's problem.
//!
//! Rules from OpenID Connect Core 1.0 and Discovery 1.0, by their sections. Tokens are verified by `jsonwebtoken`.

mod token;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use jsonwebtoken::jwk::JwkSet;
use runtime::{crypto, egress::Egress, secret::Secret};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use thiserror::Error;
use url::{Url, form_urlencoded};

pub use self::token::TokenError;
use crate::{
    account::Role,
    config::OidcConfig,
    oauth::pkce,
    probe::{self, ProbeError},
};

/// 43 letters and digits have 256 bits.
const RANDOM_LENGTH: usize = 43;
const FORM: &str = "application/x-www-form-urlencoded";

/// What a login remembers between leaving and coming back. Secret: whoever has it and the code is logged in.
#[derive(Debug, Serialize, Deserialize)]
pub struct Flow {
    pub state: String,
    nonce: String,
    verifier: String,
}

/// Who came back.
#[derive(Debug)]
pub struct Identity {
    /// `{issuer} {subject}`: what never changes of somebody.
    pub subject: String,
    /// What they might be called here, the best first.
    pub names: Vec<String>,
    pub email: Option<String>,
    /// None: nothing here is for them.
    pub role: Option<Role>,
}

#[derive(Debug, Error)]
pub enum OidcError {
    #[error("OIDC_ISSUER and OIDC_REDIRECT_URL have to be addresses")]
    Address,
    #[error("the {what} of the identity provider cannot be asked at {url}")]
    Call {
        what: &'static str,
        url: String,
        source: ProbeError,
    },
    #[error("the {what} of the identity provider answers with status {status}")]
    Status { what: &'static str, status: StatusCode },
    #[error("the {what} of the identity provider answers in a way that no standard describes")]
    Form {
        what: &'static str,
        source: serde_json::Error,
    },
    #[error("the identity provider calls itself `{0}`: OIDC_ISSUER has to be exactly that")]
    Issuer(String),
    #[error("the identity provider gives no token: {0}")]
    Refused(String),
    #[error("what the identity provider says of somebody cannot be believed")]
    Token(#[from] TokenError),
    #[error("the userinfo endpoint speaks of somebody else")]
    Subject,
}

/// What a provider says of itself, Discovery section 3.
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    /// None means the basic one alone.
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// The token endpoint's answer, Core section 3.1.3.3 and RFC 6749 section 5.2.
#[derive(Deserialize)]
#[serde(untagged)]
enum Granted {
    Tokens {
        id_token: Secret<String>,
        access_token: Secret<String>,
    },
    Refused {
        error: String,
        #[serde(default)]
        error_description: String,
    },
}

/// Where to send somebody, and what to remember meanwhile.
pub async fn begin(egress: &Egress, config: &OidcConfig) -> Result<(Url, Flow), OidcError> {
    let metadata = discover(egress, config).await?;
    let (verifier, challenge) = pkce();
    let flow = Flow {
        state: crypto::random_token(RANDOM_LENGTH),
        nonce: crypto::random_token(RANDOM_LENGTH),
        verifier,
    };
    let scopes = ["openid"]
        .into_iter()
        .chain(config.scopes.iter().map(String::as_str));
    let mut url = metadata.authorization_endpoint;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &config.client_id)
        .append_pair("redirect_uri", redirect_url(config)?)
        .append_pair("scope", &Vec::from_iter(scopes).join(" "))
        .append_pair("state", &flow.state)
        .append_pair("nonce", &flow.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    Ok((url, flow))
}

/// Who the code is about. The caller has compared the state.
pub async fn finish(
    egress: &Egress,
    config: &OidcConfig,
    flow: &Flow,
    code: &str,
) -> Result<Identity, OidcError> {
    let metadata = discover(egress, config).await?;
    let request = token_request(config, &metadata, flow, code)?;
    let (id_token, access_token) =
        match read("token endpoint", &call(egress, "token endpoint", request).await?)? {
            (
                _,
                Granted::Refused {
                    error,
                    error_description,
                },
            ) => {
                return Err(OidcError::Refused(clean(&format!("{error} {error_description}"))));
            }
            (status, Granted::Tokens { .. }) if !status.is_success() => {
                return Err(OidcError::Status {
                    what: "token endpoint",
                    status,
                });
            }
            (
                _,
                Granted::Tokens {
                    id_token,
                    access_token,
                },
            ) => (id_token, access_token),
        };
    let keys: JwkSet = get(egress, "key set", &metadata.jwks_uri, None).await?;
    let expected = token::Expected {
        issuer: &metadata.issuer,
        client_id: &config.client_id,
        nonce: &flow.nonce,
    };
    let mut known = token::verify(id_token.expose(), &keys, &expected)?;
    let subject = token::text(&known, "sub").unwrap_or_default();

    // many providers keep all but the subject for a second question
    if let Some(url) = &metadata.userinfo_endpoint {
        let told: Map<String, Value> = get(egress, "userinfo endpoint", url, Some(&access_token)).await?;
        // Core section 5.3.2
        if token::text(&told, "sub").as_ref() != Some(&subject) {
            return Err(OidcError::Subject);
        }
        known.extend(told);
    }
    let names = ["preferred_username", "email", "sub"];
    Ok(Identity {
        subject: format!("{} {subject}", metadata.issuer),
        names: names
            .iter()
            .filter_map(|name| token::text(&known, name))
            .collect(),
        email: token::text(&known, "email"),
        role: role(config, known.get(&config.role_claim)),
    })
}

async fn discover(egress: &Egress, config: &OidcConfig) -> Result<Metadata, OidcError> {
    let issuer = config.issuer.as_deref().unwrap_or_default();
    let url = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    let url = Url::parse(&url).map_err(|_| OidcError::Address)?;
    let metadata: Metadata = get(egress, "discovery document", &url, None).await?;
    // Discovery section 4.3: else one provider could speak for another
    match metadata.issuer == issuer {
        true => Ok(metadata),
        false => Err(OidcError::Issuer(clean(&metadata.issuer))),
    }
}

/// A client with a secret shows it in the header unless the provider takes it in the body alone, Core section 9.
fn token_request(
    config: &OidcConfig,
    metadata: &Metadata,
    flow: &Flow,
    code: &str,
) -> Result<Request<Full<Bytes>>, OidcError> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", redirect_url(config)?)
        .append_pair("code_verifier", &flow.verifier);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(metadata.token_endpoint.as_str())
        .header(header::CONTENT_TYPE, FORM);
    let takes = |method: &str| {
        let methods = metadata.token_endpoint_auth_methods_supported.as_ref();
        methods.map(|methods| methods.iter().any(|one| one == method))
    };
    let in_body = takes("client_secret_post") == Some(true) && takes("client_secret_basic") == Some(false);
    match &config.client_secret {
        Some(secret) if !in_body => {
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encode(&config.client_id), encode(secret.expose()));
            let basic = format!("Basic {}", BASE64_STANDARD.encode(pair));
            request = request.header(header::AUTHORIZATION, basic);
        }
        secret => {
            form.append_pair("client_id", &config.client_id);
            form.extend_pairs(secret.iter().map(|secret| ("client_secret", secret.expose())));
        }
    }
    let body = Full::new(Bytes::from(form.finish()));
    request.body(body).map_err(|_| OidcError::Address)
}

async fn get<T: DeserializeOwned>(
    egress: &Egress,
    what: &'static str,
    url: &Url,
    access_token: Option<&Secret<String>>,
) -> Result<T, OidcError> {
    let mut request = Request::builder().method(Method::GET).uri(url.as_str());
    if let Some(token) = access_token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    let request = request
        .body(Full::new(Bytes::new()))
        .map_err(|_| OidcError::Address)?;
    let answer = call(egress, what, request).await?;
    if !answer.status.is_success() {
        let status = answer.status;
        return Err(OidcError::Status { what, status });
    }
    Ok(read(what, &answer)?.1)
}

/// The issuer is a boot setting, so it may be on a private network; it is never redirected.
async fn call(
    egress: &Egress,
    what: &'static str,
    mut request: Request<Full<Bytes>>,
) -> Result<probe::Answer, OidcError> {
    let json = header::HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::ACCEPT, json);
    let url = Url::parse(&request.uri().to_string()).map_err(|_| OidcError::Address)?;
    let answer = probe::exchange(egress, request, &url, true, None).await;
    answer.map_err(|source| OidcError::Call {
        what,
        url: url.into(),
        source,
    })
}

fn read<T: DeserializeOwned>(
    what: &'static str,
    answer: &probe::Answer,
) -> Result<(StatusCode, T), OidcError> {
    let read = serde_json::from_slice(&answer.body);
    read.map(|read| (answer.status, read))
        .map_err(|source| OidcError::Form { what, source })
}

fn redirect_url(config: &OidcConfig) -> Result<&str, OidcError> {
    config
        .redirect_url
        .as_ref()
        .map(Url::as_str)
        .ok_or(OidcError::Address)
}

/// Short, and without anything that could end a line of a log.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// The highest role that a value of the claim gives.
fn role(config: &OidcConfig, claim: Option<&Value>) -> Option<Role> {
    let values: Vec<&str> = match claim {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let given = config
        .roles
        .iter()
        .filter(|one| values.contains(&one.value.as_str()));
    given.map(|one| one.role).max().or(config.default_role)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_highest_role_of_the_claims_values_counts_and_else_the_default() {
        let mut config = OidcConfig {
            roles: ["staff=viewer", "cn=gateway,dc=example=admin"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
            ..OidcConfig::default()
        };
        let both = json!(["staff", "cn=gateway,dc=example", "other"]);
        assert_eq!(role(&config, Some(&both)), Some(Role::Admin));
        assert_eq!(role(&config, Some(&json!("staff"))), Some(Role::Viewer));
        for nothing in [
            None,
            Some(&json!([])),
            Some(&json!(["other"])),
            Some(&json!({ "staff": true })),
        ] {
            assert_eq!(role(&config, nothing), None);
        }
        config.default_role = Some(Role::Viewer);
        assert_eq!(role(&config, None), Some(Role::Viewer));
    }

    #[test]
    fn a_role_is_written_as_value_and_name() {
        use crate::config::RoleOf;
        for wrong in ["staff", "staff=king", ""] {
            assert!(wrong.parse::<RoleOf>().is_err(), "{wrong}");
        }
    }

    /// Core section 9.
    #[tokio::test]
    async fn a_secret_goes_where_the_provider_takes_it() {
        let secret = Some("s:1 &");
        let basic = Some("Basic aWQ6cyUzQTErJTI2");
        for (secret, methods, header_value, in_body) in [
            (secret, None, basic, ""),
            (
                secret,
                Some(vec!["client_secret_basic", "client_secret_post"]),
                basic,
                "",
            ),
            (secret, Some(vec!["private_key_jwt"]), basic, ""),
            (
                secret,
                Some(vec!["client_secret_post"]),
                None,
                "&client_id=id&client_secret=s%3A1+%26",
            ),
            (None, Some(vec!["client_secret_post"]), None, "&client_id=id"),
        ] {
            let config = OidcConfig {
                client_id: "id".to_owned(),
                client_secret: secret.map(|secret| Secret::new(secret.to_owned())),
                redirect_url: Some("https://here.example/back".parse().unwrap()),
                ..OidcConfig::default()
            };
            let endpoint = "https://id.example/x";
            let metadata = json!({
                "issuer": "https://id.example", "authorization_endpoint": endpoint, "token_endpoint": endpoint,
                "jwks_uri": endpoint, "token_endpoint_auth_methods_supported": methods,
            });
            let metadata: Metadata = serde_json::from_value(metadata).unwrap();
            let flow = Flow {
                state: String::new(),
                nonce: String::new(),
                verifier: "v".to_owned(),
            };
            let request = token_request(&config, &metadata, &flow, "c").unwrap();
            let authorization = request.headers().get(header::AUTHORIZATION);
            assert_eq!(authorization.map(|value| value.to_str().unwrap()), header_value);
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let always = "grant_type=authorization_code&code=c&redirect_uri=https%3A%2F%2Fhere.example%2Fback&code_verifier=v";
            assert_eq!(body, format!("{always}{in_body}"), "{methods:?}");
        }
    }
}
