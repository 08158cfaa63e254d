//! Login by OpenID Connect: authorization code with PKCE, by the specification's own words, through the egress client.
//!
//! [`begin`] sends somebody to the identity provider and gives the caller a [`Flow`] to keep for them; [`finish`]
//! takes that flow and what came back, and says who it is. What the provider says of itself is read anew for each of
//! the two: a login is rare, and keys that were rotated meanwhile are nobody's problem.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret,
    CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse, UserInfoClaims,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
        CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use runtime::egress::Egress;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use crate::{account::Role, config::OidcConfig};

/// A discovery document or a key set is a few kilobytes.
const MAX_ANSWER: usize = 1 << 20;

/// What a login remembers between leaving and coming back. Secret: whoever has it and the code is logged in.
#[derive(Debug, Serialize, Deserialize)]
pub struct Flow {
    pub state: String,
    nonce: String,
    verifier: String,
    redirect_url: String,
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
    #[error("OIDC_ISSUER or OIDC_REDIRECT_URL is no address")]
    Address(#[from] url::ParseError),
    #[error("the identity provider cannot be asked: {0}")]
    Discovery(String),
    #[error("the identity provider does not give a token: {0}")]
    Token(String),
    #[error("what the identity provider says of somebody cannot be believed: {0}")]
    Claims(String),
}

#[derive(Debug, Error)]
enum CallError {
    #[error("{0}")]
    Call(String),
    #[error("its answer is too long or ended early")]
    Body,
    #[error("its answer is none of HTTP")]
    Head(#[from] http::Error),
}

/// Every claim there is, for the one that says what somebody may do.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims(Map<String, Value>);

type Client = openidconnect::Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<
        IdTokenFields<
            Claims,
            EmptyExtraTokenFields,
            CoreGenderClaim,
            CoreJweContentEncryptionAlgorithm,
            CoreJwsSigningAlgorithm,
        >,
        CoreTokenType,
    >,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

type Answering = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send>>;

impl AdditionalClaims for Claims {}

/// Where to send somebody, and what to remember meanwhile. `callback` is where they come back to, unless the
/// configuration says otherwise.
pub async fn begin(
    egress: &Arc<Egress>,
    config: &OidcConfig,
    callback: &str,
) -> Result<(Url, Flow), OidcError> {
    let redirect_url = config.redirect_url.clone().unwrap_or_else(|| callback.to_owned());
    let client = discover(egress, config, &redirect_url).await?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(
            AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_scopes(config.scopes.iter().cloned().map(Scope::new))
        .set_pkce_challenge(challenge)
        .url();
    let flow = Flow {
        state: state.into_secret(),
        nonce: nonce.secret().clone(),
        verifier: verifier.into_secret(),
        redirect_url,
    };
    Ok((url, flow))
}

/// Who the code is about. The caller has compared the state.
pub async fn finish(
    egress: &Arc<Egress>,
    config: &OidcConfig,
    flow: Flow,
    code: String,
) -> Result<Identity, OidcError> {
    let client = discover(egress, config, &flow.redirect_url).await?;
    let http = caller(egress);
    let exchange = client
        .exchange_code(AuthorizationCode::new(code))
        .map_err(|error| OidcError::Token(error.to_string()))?;
    let tokens = exchange
        .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier))
        .request_async(&http)
        .await
        .map_err(|error| OidcError::Token(error.to_string()))?;

    let unbelievable = |why: String| OidcError::Claims(why);
    let id_token = tokens
        .id_token()
        .ok_or_else(|| unbelievable("there is no id_token".to_owned()))?;
    let verifier = client.id_token_verifier();
    let claims = id_token
        .claims(&verifier, &Nonce::new(flow.nonce))
        .map_err(|error| unbelievable(error.to_string()))?;
    if let Some(expected) = claims.access_token_hash() {
        let algorithm = id_token
            .signing_alg()
            .map_err(|error| unbelievable(error.to_string()))?;
        let key = id_token
            .signing_key(&verifier)
            .map_err(|error| unbelievable(error.to_string()))?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)
            .map_err(|error| unbelievable(error.to_string()))?;
        if actual != *expected {
            return Err(unbelievable("the access token is another one's".to_owned()));
        }
    }

    // many providers keep all but the subject for the second question
    let mut known = claims.additional_claims().0.clone();
    let standard = serde_json::to_value(claims).map_err(|error| unbelievable(error.to_string()))?;
    known.extend(standard.as_object().cloned().unwrap_or_default());
    if let Ok(question) = client.user_info(tokens.access_token().clone(), Some(claims.subject().clone())) {
        let told: UserInfoClaims<Claims, CoreGenderClaim> = question
            .request_async(&http)
            .await
            .map_err(|error| unbelievable(error.to_string()))?;
        let told = serde_json::to_value(told).map_err(|error| unbelievable(error.to_string()))?;
        known.extend(told.as_object().cloned().unwrap_or_default());
    }
    let text = |name: &str| known.get(name).and_then(Value::as_str).map(str::to_owned);
    let names = ["preferred_username", "email", "sub"]
        .into_iter()
        .filter_map(text);
    Ok(Identity {
        subject: format!("{} {}", claims.issuer().as_str(), claims.subject().as_str()),
        names: names.collect(),
        email: text("email"),
        role: role(config, known.get(&config.role_claim)),
    })
}

async fn discover(
    egress: &Arc<Egress>,
    config: &OidcConfig,
    redirect_url: &str,
) -> Result<Client, OidcError> {
    let issuer = IssuerUrl::new(config.issuer.clone().unwrap_or_default())?;
    let redirect_url = RedirectUrl::new(redirect_url.to_owned())?;
    let metadata = CoreProviderMetadata::discover_async(issuer, &caller(egress))
        .await
        .map_err(|error| OidcError::Discovery(with_causes(&error)))?;
    let id = ClientId::new(config.client_id.clone());
    let secret = config
        .client_secret
        .as_ref()
        .map(|secret| ClientSecret::new(secret.expose().clone()));
    Ok(Client::from_provider_metadata(metadata, id, secret).set_redirect_uri(redirect_url))
}

/// The library's HTTP client. The issuer is a boot setting, so it may be on a private network; it is never redirected.
fn caller(egress: &Arc<Egress>) -> impl Fn(HttpRequest) -> Answering + use<> {
    let egress = Arc::clone(egress);
    move |request| {
        let egress = Arc::clone(&egress);
        Box::pin(async move {
            let request = request.map(|body| Full::new(Bytes::from(body)));
            let (head, body) = egress
                .call(request, true, None)
                .await
                .map_err(|error| CallError::Call(with_causes(&error)))?
                .into_parts();
            let body = Limited::new(body, MAX_ANSWER)
                .collect()
                .await
                .map_err(|_| CallError::Body)?;
            let mut response = http::Response::builder()
                .status(head.status)
                .body(body.to_bytes().to_vec())?;
            *response.headers_mut() = head.headers;
            Ok(response)
        })
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    Vec::from_iter(causes.map(ToString::to_string)).join(": ")
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
}
