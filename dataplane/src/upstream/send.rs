//! Sending. Address and fixed headers come prepared; only what differs per request is added here.

use super::read::Incoming;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use llm::{ErrorKind, UpstreamError};
use runtime::egress::{CallError, ConnectTimeout, Egress, EgressError, Payload, Proxy, ProxyFailed};
use runtime::service_account::Bearer;
use std::error::Error;
use url::Url;

/// The one header that providers and clients both have something to say in.
const LIST: &str = "anthropic-beta";

/// A request on its way out.
pub struct Outgoing<'a> {
    pub method: Method,
    pub url: &'a Url,
    /// Prepared with the configuration: authorization and the provider's fixed headers.
    pub headers: &'a HeaderMap,
    /// What the dialect adds for this request.
    pub dialect_headers: Vec<(&'static str, String)>,
    /// A token that was asked for, of an account that has no authorization of its own.
    pub bearer: Option<&'a Bearer>,
    pub body: Payload,
    pub allow_private: bool,
    /// What the call goes through, if that was chosen; `Some(None)` where it was and cannot be used.
    pub proxy: Option<Option<&'a Proxy>>,
}

/// Returns when the response's head is there. Dropping the future, or the body it returned, closes the exchange.
pub async fn send(egress: &Egress, outgoing: Outgoing<'_>) -> Result<Response<Incoming>, UpstreamError> {
    egress
        .check(outgoing.url, outgoing.allow_private)
        .map_err(|error| forbidden(&error))?;
    let proxy = match outgoing.proxy {
        Some(None) => return Err(unusable_proxy()),
        chosen => chosen.flatten(),
    };
    let uri = Uri::try_from(outgoing.url.as_str()).map_err(|_| forbidden(&EgressError::Host))?;
    let mut request = Request::new(outgoing.body);
    *request.method_mut() = outgoing.method;
    *request.uri_mut() = uri;
    let mut headers = outgoing.headers.clone();
    for (name, value) in outgoing.dialect_headers {
        // what a client sent and no header can carry is not worth a failure
        if let Ok(value) = HeaderValue::from_str(&value) {
            add(&mut headers, name, value);
        }
    }
    if let Some(bearer) = outgoing.bearer {
        headers.insert(AUTHORIZATION, bearer.header().clone());
    }
    *request.headers_mut() = headers;
    let sent = egress.call(request, outgoing.allow_private, proxy).await;
    sent.map_err(|error| explain(&error))
}

/// What a request says comes before what the provider is always told; of a list neither may be missing.
fn add(headers: &mut HeaderMap, name: &'static str, value: HeaderValue) {
    let before = headers.get(name).filter(|_| name == LIST);
    let joined = before.and_then(|before| joined(before.to_str().ok()?, value.to_str().ok()?));
    headers.insert(name, joined.unwrap_or(value));
}

fn joined(one: &str, other: &str) -> Option<HeaderValue> {
    let mut words: Vec<&str> = Vec::new();
    for word in one.split(',').chain(other.split(',')).map(str::trim) {
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    HeaderValue::from_str(&words.join(",")).ok()
}

/// The transport's words name hosts; these do not.
fn explain(error: &CallError) -> UpstreamError {
    tracing::debug!(error = error as &dyn Error, "provider call failed");
    if let Some(error) = cause::<EgressError>(error) {
        return forbidden(error);
    }
    if cause::<ConnectTimeout>(error).is_some() {
        return UpstreamError::new(ErrorKind::Timeout, "could not connect to the provider in time");
    }
    if cause::<ProxyFailed>(error).is_some() {
        let text = "could not connect to the provider through its proxy";
        return UpstreamError::new(ErrorKind::Upstream5xx, text);
    }
    if error.is_connect() {
        return UpstreamError::new(ErrorKind::Upstream5xx, "could not connect to the provider");
    }
    UpstreamError::new(ErrorKind::Upstream5xx, "the connection to the provider broke")
}

/// The resolver refuses addresses, and the connector gives up, deep inside the transport.
pub(super) fn cause<E: Error + 'static>(error: &CallError) -> Option<&E> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(cause) = error.downcast_ref() {
            return Some(cause);
        }
        source = error.source();
    }
    None
}

/// Never directly instead: that may be what the proxy is there to prevent.
pub(super) fn unusable_proxy() -> UpstreamError {
    UpstreamError::new(
        ErrorKind::Unavailable,
        "the provider cannot be called: the proxy that is configured for it cannot be used",
    )
}

fn forbidden(error: &EgressError) -> UpstreamError {
    UpstreamError::new(
        ErrorKind::Unavailable,
        format!("the provider cannot be called: {error}"),
    )
}
