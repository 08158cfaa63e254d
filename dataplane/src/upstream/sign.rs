//! What a request brings instead of a secret, where its account signs.

use chrono::{DateTime, Utc};
use llm::sigv4::{Outgoing, Signer};
use url::{Position, Url};

/// Over the address and the body as they go out.
pub fn signature(signer: &Signer, url: &Url, body: &[u8], now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let outgoing = Outgoing {
        method: "POST",
        host: &url[Position::BeforeHost..Position::AfterPort],
        path: url.path(),
        query: url.query().unwrap_or_default(),
        body,
    };
    signer.headers(outgoing, u64::try_from(now.timestamp()).unwrap_or_default())
}
