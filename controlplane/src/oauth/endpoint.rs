//! The provider's side of a flow: its token endpoint, its device endpoint, and who it says has signed in.
//!
//! Calls go out through the egress client, by the proxy that calls to the provider go through. The addresses are
//! built in or come from the boot settings, so a private one is the operator's own sign-in.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use runtime::{
    egress::{Egress, Proxy},
    secret::Secret,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::{
    client::ClientAuth,
    error::OAuthError,
    provider::{Encoding, Provider},
    tokens::Tokens,
};
use crate::{
    error::ApiError,
    probe::{self, Answer},
};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Of what a provider says about a refusal.
const MAX_DESCRIPTION: usize = 300;

pub struct Endpoint<'a> {
    pub provider: &'a Provider,
    pub egress: &'a Egress,
    pub proxy: Option<Proxy>,
}

/// The answer of a device endpoint, RFC 8628 section 3.2.
#[derive(Debug, Deserialize)]
pub struct Device {
    pub device_code: Secret<String>,
    pub user_code: String,
    /// `verification_url` at Google, who was first.
    #[serde(alias = "verification_url")]
    pub verification_uri: String,
    pub verification_uri_complete: Option<String>,
    pub expires_in: i64,
    pub interval: Option<i32>,
}

#[derive(Debug)]
pub enum Polled {
    Granted(Tokens),
    /// Nobody has decided yet.
    Pending,
    /// The same, and it was asked too soon.
    SlowDown,
}

// === impl Endpoint ===

impl Endpoint<'_> {
    pub async fn exchange(&self, code: &str, verifier: &str, redirect_uri: &str) -> Result<Tokens, ApiError> {
        self.grant(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ])
        .await
    }

    pub async fn refresh(&self, refresh_token: &Secret<String>) -> Result<Tokens, ApiError> {
        self.grant(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ])
        .await
    }

    pub async fn start_device(&self, challenge: Option<&str>) -> Result<Device, ApiError> {
        let url = self.provider.device_url.as_ref().ok_or_else(odd)?;
        let mut fields = Vec::new();
        if !self.provider.scopes.is_empty() {
            fields.push(("scope", self.provider.scopes.as_str()));
        }
        if let Some(challenge) = challenge {
            fields.extend([("code_challenge", challenge), ("code_challenge_method", "S256")]);
        }
        let fields = self.authenticated(&fields);
        let answer = self.post(url, &fields, Encoding::Form).await?;
        serde_json::from_value(Value::Object(answer)).map_err(|_| odd())
    }

    pub async fn poll(&self, device_code: &str, verifier: Option<&str>) -> Result<Polled, ApiError> {
        let mut fields = vec![("grant_type", DEVICE_GRANT), ("device_code", device_code)];
        fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        match self.grant(&fields).await {
            Ok(tokens) => Ok(Polled::Granted(tokens)),
            Err(ApiError::OAuth(OAuthError::Refused { error, .. })) if error == "authorization_pending" => {
                Ok(Polled::Pending)
            }
            Err(ApiError::OAuth(OAuthError::Refused { error, .. })) if error == "slow_down" => {
                Ok(Polled::SlowDown)
            }
            Err(error) => Err(error),
        }
    }

    /// What the provider says about whoever the token is of.
    pub async fn userinfo(&self, access_token: &Secret<String>) -> Result<Option<Value>, ApiError> {
        let Some(url) = &self.provider.userinfo_url else {
            return Ok(None);
        };
        let request = Request::builder()
            .method(Method::GET)
            .header(header::AUTHORIZATION, format!("Bearer {}", access_token.expose()));
        let answer = self.send(request, url, String::new()).await?;
        if !answer.status.is_success() {
            return Err(unexpected(answer.status));
        }
        serde_json::from_slice(&answer.body).map(Some).map_err(|_| odd())
    }

    /// RFC 7009, where the provider has it.
    pub async fn revoke(&self, token: &Secret<String>) -> Result<(), ApiError> {
        let Some(url) = &self.provider.revoke_url else {
            return Ok(());
        };
        let body = form(&self.authenticated(&[("token", token.expose())]));
        let request = self.authorized(
            Request::builder()
                .method(Method::POST)
                .header(header::CONTENT_TYPE, FORM),
        );
        let answer = self.send(request, url, body).await?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(unexpected(answer.status)),
        }
    }

    async fn grant(&self, fields: &[(&str, &str)]) -> Result<Tokens, ApiError> {
        let fields = self.authenticated(fields);
        let answer = self
            .post(&self.provider.token_url, &fields, self.provider.encoding)
            .await?;
        let tokens: Tokens = serde_json::from_value(Value::Object(answer)).map_err(|_| odd())?;
        match tokens.is_usable() {
            true => Ok(tokens),
            false => Err(odd()),
        }
    }

    async fn post(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        encoding: Encoding,
    ) -> Result<Map<String, Value>, ApiError> {
        let (media, body) = match encoding {
            Encoding::Form => (FORM, form(fields)),
            Encoding::Json => ("application/json", json(fields)),
        };
        let request = Request::builder()
            .method(Method::POST)
            .header(header::CONTENT_TYPE, media);
        let answer = self.send(self.authorized(request), url, body).await?;
        read(&answer)
    }

    async fn send(
        &self,
        request: http::request::Builder,
        url: &Url,
        body: String,
    ) -> Result<Answer, ApiError> {
        let request = request
            .uri(url.as_str())
            // some write forms unless they are told
            .header(header::ACCEPT, "application/json")
            .header(
                header::USER_AGENT,
                concat!("omniroute/", env!("CARGO_PKG_VERSION")),
            )
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| odd())?;
        let answer = probe::exchange(self.egress, request, url, true, self.proxy.as_ref()).await;
        answer.map_err(ApiError::from)
    }

    fn authenticated<'f>(&'f self, fields: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
        let mut fields = fields.to_vec();
        match (&self.provider.client_secret, self.provider.client_auth) {
            (Some(_), ClientAuth::Basic) => {}
            (Some(secret), ClientAuth::Post) => fields.extend([
                ("client_id", self.provider.client_id.as_str()),
                ("client_secret", secret.expose()),
            ]),
            (None, _) => fields.push(("client_id", &self.provider.client_id)),
        }
        fields
    }

    fn authorized(&self, request: http::request::Builder) -> http::request::Builder {
        match (&self.provider.client_secret, self.provider.client_auth) {
            (Some(secret), ClientAuth::Basic) => {
                let encode =
                    |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encode(&self.provider.client_id), encode(secret.expose()));
                request.header(
                    header::AUTHORIZATION,
                    format!("Basic {}", BASE64_STANDARD.encode(pair)),
                )
            }
            _ => request,
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn json(fields: &[(&str, &str)]) -> String {
    let object: Map<String, Value> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    Value::Object(object).to_string()
}

/// A refusal is one by its body: some send it with 200.
fn read(answer: &Answer) -> Result<Map<String, Value>, ApiError> {
    let body: Option<Map<String, Value>> = serde_json::from_slice(&answer.body).ok();
    let refusal = body.as_ref().and_then(|body| {
        // RFC 6749 has a text here, and some have an object with one inside
        let error = body.get("error")?;
        let inside = || ["code", "type"].iter().find_map(|name| error.get(name)?.as_str());
        let error = error.as_str().or_else(inside)?;
        let description = body
            .get("error_description")
            .or_else(|| body.get("error")?.get("message"));
        Some(OAuthError::Refused {
            error: clean(error),
            description: description.and_then(Value::as_str).map(clean),
        })
    });
    match (refusal, body) {
        (Some(refusal), _) => Err(refusal.into()),
        (None, Some(body)) if answer.status.is_success() => Ok(body),
        (None, _) => Err(unexpected(answer.status)),
    }
}

/// Short, and without anything that could end a line of a log.
fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_DESCRIPTION)
        .collect()
}

fn odd() -> ApiError {
    ApiError::Upstream {
        status: None,
        message: "the provider's sign-in answered with something that no standard describes".to_owned(),
    }
}

fn unexpected(status: StatusCode) -> ApiError {
    ApiError::Upstream {
        status: Some(status.as_u16()),
        message: format!("the provider's sign-in answered with status {}", status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Map<String, Value>, ApiError> {
        read(&Answer {
            status: StatusCode::from_u16(status).unwrap(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        })
    }

    #[test]
    fn a_refusal_is_read_whatever_its_status_and_shape() {
        for (status, body) in [
            (400, r#"{"error":"invalid_grant","error_description":"gone\n"}"#),
            (200, r#"{"error":"invalid_grant","error_description":"gone"}"#),
            (401, r#"{"error":{"type":"invalid_grant","message":"gone"}}"#),
            (
                401,
                r#"{"error":{"code":"invalid_grant","type":"invalid_request_error","message":"gone"}}"#,
            ),
        ] {
            let ApiError::OAuth(error) = answer(status, body).unwrap_err() else {
                panic!("{body}");
            };
            let expected = OAuthError::Refused {
                error: "invalid_grant".to_owned(),
                description: Some("gone".to_owned()),
            };
            assert_eq!(error, expected);
        }
        for (status, body) in [(500, "oops"), (403, "{}"), (200, "[]")] {
            assert!(
                matches!(answer(status, body), Err(ApiError::Upstream { .. })),
                "{body}"
            );
        }
        assert!(answer(200, r#"{"access_token":"a"}"#).is_ok());
    }
}
