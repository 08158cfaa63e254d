//! Sending. Address and fixed headers come prepared; only what differs per request is added here.

use super::read::Incoming;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response};
use llm::{ErrorKind, UpstreamError};
use runtime::egress::{Egress, EgressError};
use std::error::Error;
use url::Url;

/// A request on its way out.
pub struct Outgoing<'a> {
    pub url: &'a Url,
    /// Prepared with the configuration: authorization and the provider's fixed headers.
    pub headers: &'a HeaderMap,
    /// What the dialect adds for this request.
    pub dialect_headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    pub allow_private: bool,
}

/// Returns when the response's head is there. Dropping the future, or the body it returned, closes the exchange.
pub async fn send(egress: &Egress, outgoing: Outgoing<'_>) -> Result<Response<Incoming>, UpstreamError> {
    egress
        .check(outgoing.url, outgoing.allow_private)
        .map_err(|error| forbidden(&error))?;
    let mut request = reqwest::Request::new(Method::POST, outgoing.url.clone());
    let mut headers = outgoing.headers.clone();
    for (name, value) in outgoing.dialect_headers {
        // what a client sent and no header can carry is not worth a failure
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    *request.headers_mut() = headers;
    *request.body_mut() = Some(outgoing.body.into());
    let response = egress
        .client(outgoing.allow_private)
        .execute(request)
        .await
        .map_err(|error| explain(&error))?;
    Ok(response.into())
}

/// The transport's words name hosts; these do not.
fn explain(error: &reqwest::Error) -> UpstreamError {
    tracing::debug!(error = error as &dyn Error, "provider call failed");
    if let Some(error) = refusal(error) {
        return forbidden(error);
    }
    if error.is_timeout() {
        return UpstreamError::new(ErrorKind::Timeout, "could not connect to the provider in time");
    }
    if error.is_connect() {
        return UpstreamError::new(ErrorKind::Upstream5xx, "could not connect to the provider");
    }
    UpstreamError::new(ErrorKind::Upstream5xx, "the connection to the provider broke")
}

/// The resolver refuses addresses from deep inside the transport.
fn refusal(error: &reqwest::Error) -> Option<&EgressError> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(refusal) = error.downcast_ref() {
            return Some(refusal);
        }
        source = error.source();
    }
    None
}

fn forbidden(error: &EgressError) -> UpstreamError {
    UpstreamError::new(
        ErrorKind::Unavailable,
        format!("the provider cannot be called: {error}"),
    )
}
