//! The outermost layer: request id, draining, the management rate limit, and the error envelope.
//!
//! An error travels here as a value inside the response ([`ApiError`]'s `IntoResponse`); this is the one place that
//! renders and logs it.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    api::Ctx,
    error::{ApiError, Violation},
    http::{Client, limit::Class},
    oauth::OAuthError,
};

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What this answer did without, because a dependency did not answer.
pub const X_DEGRADED: HeaderName = HeaderName::from_static("x-omniroute-degraded");

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The id of this request, in the request's extensions.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Headers that an extractor wants on the answer, whatever the handler answers.
#[derive(Clone, Debug, Default)]
pub struct AnswerHeaders(Arc<Mutex<HeaderMap>>);

/// What every endpoint answers when it does not do what it was asked to.
#[derive(Serialize, ToSchema)]
#[schema(as = Refusal)]
#[serde(rename_all = "camelCase")]
pub struct Refusal<'a> {
    error: Envelope<'a>,
    /// True while the installation has no password yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    needs_setup: bool,
    /// What a provider answered, when it is the provider that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_status: Option<u16>,
    /// What a provider refused a sign-in with, in the words of RFC 6749.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    provider_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    error_description: Option<&'a str>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RefusalReason)]
struct Envelope<'a> {
    /// Stable, for programs.
    #[schema(value_type = String)]
    code: &'static str,
    /// For people.
    message: String,
    #[schema(value_type = String)]
    r#type: &'static str,
    /// Each rule that the request breaks.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<Violation>, required = false)]
    details: &'a [Violation],
    /// Finds the request in the log and the audit trail.
    #[schema(value_type = String)]
    correlation_id: &'a str,
}

// === impl AnswerHeaders ===

impl AnswerHeaders {
    pub fn add(&self, name: HeaderName, value: HeaderValue) {
        self.0.lock().append(name, value);
    }
}

/// Middleware around every `/api` route.
pub async fn edge(State(ctx): State<Ctx>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let headers = AnswerHeaders::default();
    let client = Client::of(
        request.extensions(),
        request.headers(),
        &ctx.config.trusted_proxies,
    );
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());

    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    request.extensions_mut().insert(headers.clone());
    request.extensions_mut().insert(client);

    let admitted = admit(&ctx, client, &path).and_then(|()| no_nul(request.uri()));
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    if let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() {
        log(&error, &id, &method, &path);
        response = render(&error, &id, response);
    }

    let out = response.headers_mut();
    out.extend(
        headers
            .0
            .lock()
            .drain()
            .filter_map(|(name, value)| Some((name?, value))),
    );
    if let Ok(value) = HeaderValue::from_str(&id) {
        out.insert(X_REQUEST_ID, value);
    }
    out.insert(header::CACHE_CONTROL, NO_STORE);
    if out
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == "application/json")
    {
        out.insert(header::CONTENT_TYPE, JSON);
    }
    response
}

/// The answer to a panic inside a handler, for `tower_http::catch_panic`.
pub fn caught_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    ApiError::internal(text).into_response()
}

pub async fn unknown_path() -> ApiError {
    ApiError::UnknownPath
}

pub async fn unknown_method() -> ApiError {
    ApiError::Method
}

fn admit(ctx: &Ctx, client: Client, path: &str) -> Result<(), ApiError> {
    if ctx.drain.is_cancelled() && path != "/api/monitoring/health" {
        return Err(ApiError::Draining);
    }
    ctx.gate.admit(client)?;
    ctx.limiter
        .admit(client.ip, Class::of(path))
        .map_err(|retry_after| ApiError::RateLimited { retry_after })
}

/// A well-formed id of the client's is kept, so that its logs and ours meet.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (8..=128).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        });
    given.map_or_else(|| Uuid::now_v7().to_string().into(), Into::into)
}

fn log(error: &ApiError, id: &str, method: &axum::http::Method, path: &str) {
    let kind = error.kind();
    let code = kind.code;
    if kind.status.is_server_error() {
        let source = std::error::Error::source(error).map(chain);
        tracing::error!(request_id = id, %method, path, code, source, "{error}");
    } else {
        tracing::debug!(request_id = id, %method, path, code, "{error}");
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// No text of Postgres holds U+0000, so nothing that is looked for or kept may.
fn no_nul(uri: &Uri) -> Result<(), ApiError> {
    let address = uri.path_and_query().map_or("", |address| address.as_str());
    match address.contains("%00") {
        true => Err(ApiError::invalid("", "the address holds the character U+0000")),
        false => Ok(()),
    }
}

/// Fills the body in and keeps the headers that the route set, such as `Allow`.
fn render(error: &ApiError, id: &str, response: Response) -> Response {
    let kind = error.kind();
    let envelope = Envelope {
        code: kind.code,
        message: error.message(),
        r#type: kind.r#type,
        details: error.details(),
        correlation_id: id,
    };
    let upstream_status = match error {
        ApiError::Upstream { status, .. } => *status,
        _ => None,
    };
    let (provider_error, error_description) = match error {
        ApiError::OAuth(OAuthError::Refused { error, description }) => {
            (Some(error.as_str()), description.as_deref())
        }
        _ => (None, None),
    };
    let refusal = Refusal {
        error: envelope,
        needs_setup: matches!(error, ApiError::SetupNeeded),
        upstream_status,
        provider_error,
        error_description,
    };

    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, JSON);
    if let Some(wait) = error.retry_after() {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        parts.headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)),
        );
    }
    let body = serde_json::to_string(&refusal).expect("a refusal is texts and numbers");
    Response::from_parts(parts, Body::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(given: &str) -> String {
        let headers = HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_str(given).unwrap())]);
        request_id(&headers).to_string()
    }

    #[test]
    fn a_well_formed_request_id_is_kept_and_any_other_replaced() {
        assert_eq!(id_for("build-42.step_7"), "build-42.step_7");
        for bad in ["short", "has space inside", "semi;colon;inside", &"x".repeat(129)] {
            let minted = id_for(bad);
            assert_ne!(minted, bad);
            assert!(Uuid::parse_str(&minted).is_ok(), "{minted}");
        }
    }
}
