//! One file from an address that a client wrote.
//!
//! Whoever has a key may name any address, so nothing is trusted: where it leads, how long it takes, how much
//! comes, and what it says it is. What a provider's address may do is an administrator's decision and says nothing
//! about these, so the caller hands in an [`Egress`] of its own.

use super::send::cause;
use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, USER_AGENT,
};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use llm::remote::{MediaKind, Medium, MediumError};
use runtime::egress::{CallError, Egress, EgressError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;
use url::Url;

/// Several hosts of pictures refuse a client that does not say who it is.
const AGENT: &str = concat!("OmniRoute/", env!("CARGO_PKG_VERSION"));

/// How much one file may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub time: Duration,
    pub bytes: usize,
}

/// Why there is no file, in words that reveal nothing about the network behind the gateway.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error("it is not a valid address")]
    Address,
    #[error("its host may not be called")]
    Host,
    #[error("only http and https addresses without a user name can be fetched")]
    Scheme,
    #[error("it redirects, which is not followed; send the address it redirects to")]
    Redirect,
    #[error("its server answered with status {}", .0.as_u16())]
    Status(StatusCode),
    #[error("its server could not be reached")]
    Unreachable,
    #[error("it did not arrive in time")]
    Timeout,
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the files of this request are too large together")]
    TooMuch,
    #[error("its server sends it compressed")]
    Compressed,
    #[error(transparent)]
    Medium(#[from] MediumError),
}

// === functions ===

/// `left` is what may still be read for the request that the file belongs to.
pub async fn fetch(
    egress: &Egress,
    url: &str,
    kind: MediaKind,
    bounds: Bounds,
    left: &AtomicUsize,
) -> Result<Medium, FetchError> {
    let mut url = Url::parse(url).map_err(|_| FetchError::Address)?;
    url.set_fragment(None);
    egress.check(&url, false).map_err(|error| forbidden(&error))?;
    match timeout(bounds.time, get(egress, &url, kind, bounds.bytes, left)).await {
        Ok(found) => found,
        Err(_) => Err(FetchError::Timeout),
    }
}

async fn get(
    egress: &Egress,
    url: &Url,
    kind: MediaKind,
    limit: usize,
    left: &AtomicUsize,
) -> Result<Medium, FetchError> {
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = Uri::try_from(url.as_str()).map_err(|_| FetchError::Address)?;
    let accepted = match kind {
        MediaKind::Image => "image/png, image/jpeg, image/gif, image/webp",
        MediaKind::Document => "application/pdf, text/plain, text/*",
    };
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static(accepted));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    let response = egress.call(request, false, None).await;
    let (head, mut body) = response.map_err(|error| explain(&error))?.into_parts();
    if head.status.is_redirection() {
        return Err(FetchError::Redirect);
    }
    if head.status != StatusCode::OK {
        return Err(FetchError::Status(head.status));
    }
    if text(&head.headers, CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(FetchError::Compressed);
    }
    let content_type = text(&head.headers, CONTENT_TYPE);
    kind.may_be(content_type)?;
    let announced = text(&head.headers, CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(FetchError::TooLarge(limit));
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| FetchError::Unreachable)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Err(FetchError::TooLarge(limit));
        }
        let take = |left: usize| left.checked_sub(data.len());
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .map_err(|_| FetchError::TooMuch)?;
        bytes.extend_from_slice(&data);
    }
    Ok(Medium::read(kind, content_type, &bytes)?)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn explain(error: &CallError) -> FetchError {
    cause::<EgressError>(error).map_or(FetchError::Unreachable, forbidden)
}

fn forbidden(error: &EgressError) -> FetchError {
    match error {
        EgressError::Scheme | EgressError::UserInfo => FetchError::Scheme,
        EgressError::Host => FetchError::Address,
        EgressError::Private | EgressError::Forbidden => FetchError::Host,
    }
}
