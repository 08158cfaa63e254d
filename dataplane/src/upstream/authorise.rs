//! What only the request itself can bring: a signature over it, or a token that ends.

use super::send::unusable_proxy;
use chrono::{DateTime, Utc};
use llm::sigv4::{Outgoing, Signer};
use llm::{ErrorKind, UpstreamError};
use runtime::egress::{Egress, Proxy};
use runtime::service_account::{Bearer, Grant, GrantError, Way};
use url::Url;

/// How the provider is called, and so whoever gives out tokens for it.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    pub allow_private: bool,
    /// What the call goes through, if that was chosen; `Some(None)` where it was and cannot be used.
    pub proxy: Option<Option<&'a Proxy>>,
}

// === functions ===

/// Over the address and the body as they go out.
pub fn signature(signer: &Signer, url: &Url, body: &[u8], now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let outgoing = Outgoing::to("POST", url.as_str(), body);
    signer.headers(outgoing, u64::try_from(now.timestamp()).unwrap_or_default())
}

/// A token of the account; another one than `refused`, if the provider has just refused that.
pub async fn bearer(
    egress: &Egress,
    grant: &Grant,
    path: Path<'_>,
    refused: Option<&Bearer>,
) -> Result<Bearer, UpstreamError> {
    let proxy = match path.proxy {
        Some(None) => return Err(unusable_proxy()),
        chosen => chosen.flatten(),
    };
    let way = Way {
        egress,
        allow_private: path.allow_private,
        proxy,
    };
    let bearer = match refused {
        Some(refused) => grant.another(refused, way).await,
        None => grant.bearer(way).await,
    };
    bearer.map_err(|error| explain(&error))
}

/// A refused account rests as if the provider had refused it; an endpoint that is down is a provider that is down.
fn explain(error: &GrantError) -> UpstreamError {
    tracing::debug!(%error, "no token for a provider call");
    let kind = match error {
        GrantError::Timeout => ErrorKind::Timeout,
        error if error.blames_account() => ErrorKind::UpstreamAuth,
        _ => ErrorKind::Upstream5xx,
    };
    UpstreamError::new(kind, error.to_string())
}
