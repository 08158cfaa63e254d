//! Who is calling. Decided before a byte of the body is read.

use crate::routing::{ApiKey, Table};
use chrono::Utc;
use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use llm::ErrorKind;
use std::borrow::Cow;
use std::sync::Arc;
use thiserror::Error;
use url::form_urlencoded;

/// An authenticated caller; without a key it is anonymous, which only local mode allows.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    pub key: Option<Arc<ApiKey>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AuthError {
    #[error("Missing API key")]
    Missing,
    /// Where a list is not public, in the words its clients know.
    #[error("Authentication required")]
    Required,
    #[error("Invalid API key")]
    Invalid,
    #[error("API key is disabled")]
    Disabled,
    #[error("API key has expired")]
    Expired,
    #[error("API key lacks the scope `inference`")]
    Scope,
}

// === impl Caller ===

impl Caller {
    /// Unless its key says that nobody is to read about its requests.
    pub fn may_be_logged(&self) -> bool {
        self.key.as_ref().is_none_or(|key| !key.no_log)
    }
}

// === impl AuthError ===

impl AuthError {
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::Scope => ErrorKind::Permission,
            _ => ErrorKind::ClientAuth,
        }
    }
}

/// The caller of a request. Without `required`, a missing or unknown key is nobody in particular; a known one
/// keeps its limits, and one that was switched off stays off.
pub fn caller(table: &Table, parts: &Parts, required: bool) -> Result<Caller, AuthError> {
    let Some(credential) = credential(parts) else {
        return if required {
            Err(AuthError::Missing)
        } else {
            Ok(Caller::default())
        };
    };
    let Some(key) = table.key(&credential) else {
        return if required {
            Err(AuthError::Invalid)
        } else {
            Ok(Caller::default())
        };
    };
    if !key.enabled {
        return Err(AuthError::Disabled);
    }
    if key.is_expired(Utc::now().timestamp_millis()) {
        return Err(AuthError::Expired);
    }
    if !key.scopes.inference {
        return Err(AuthError::Scope);
    }
    Ok(Caller {
        key: Some(key.clone()),
    })
}

/// The key a client sent, wherever its SDK puts one: OpenAI and new Anthropic SDKs a bearer token, older Anthropic
/// SDKs `x-api-key`, Gemini SDKs `x-goog-api-key` or `?key=`.
fn credential(parts: &Parts) -> Option<Cow<'_, str>> {
    let header = bearer(&parts.headers).or_else(|| named(&parts.headers, "x-api-key"));
    let header = header.or_else(|| named(&parts.headers, "x-goog-api-key"));
    header.map(Cow::Borrowed).or_else(|| {
        let mut pairs = form_urlencoded::parse(parts.uri.query()?.as_bytes());
        pairs
            .find(|(name, value)| name == "key" && !value.is_empty())
            .map(|(_, value)| value)
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let (scheme, token) = text.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)?
        .to_str()
        .ok()
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'a str>);

    fn found(uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        credential(&parts).map(Cow::into_owned)
    }

    #[test]
    fn a_key_is_found_wherever_sdks_put_it() {
        let table: &[Case<'_>] = &[
            ("/", &[("authorization", "Bearer k")], Some("k")),
            ("/", &[("authorization", "bearer k")], Some("k")),
            ("/", &[("authorization", "BEARER   k  ")], Some("k")),
            ("/", &[("authorization", "Basic k")], None),
            ("/", &[("authorization", "Bearer ")], None),
            ("/", &[("x-api-key", " k ")], Some("k")),
            ("/", &[("x-api-key", "")], None),
            ("/", &[("x-goog-api-key", "k")], Some("k")),
            ("/?alt=sse&key=k%2B1", &[], Some("k+1")),
            ("/?key=", &[], None),
            (
                "/",
                &[("authorization", "Basic b"), ("x-api-key", "k")],
                Some("k"),
            ),
            (
                "/?key=q",
                &[("authorization", "Bearer b"), ("x-api-key", "x")],
                Some("b"),
            ),
            ("/", &[], None),
        ];
        for (uri, headers, expected) in table {
            assert_eq!(found(uri, headers).as_deref(), *expected, "{uri} {headers:?}");
        }
    }
}
