//! One attempt at a provider, as the request log keeps it in its column `attempts`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub connection_id: String,
    pub provider: String,
    pub model: String,
    /// 0 = no answer.
    pub http_status: u16,
    /// `ok`, `rate_limited`, `auth`, `server_error`, `timeout`, `connect`, `client_error`, `cancelled` or
    /// `stream_error`
    pub outcome: String,
    pub duration_ms: u32,
    /// The request's arrival.
    pub started_after_ms: u32,
    /// Sent beside another attempt that took too long.
    #[serde(default)]
    pub hedge: bool,
    /// Absent when no proxy is configured for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyHop>,
}

/// The proxy that it went through.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AttemptProxy)]
pub struct ProxyHop {
    /// `global`, `provider`, `combo` or `connection`
    pub level: String,
    /// Whose proxy it is at that level.
    pub target: String,
    /// `type://host:port`; empty when the one that is configured cannot be used.
    pub url: String,
    /// What was called through it.
    pub upstream: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_there_were_hedges_and_proxies_is_read() {
        let old = serde_json::json!({
            "connectionId": "c", "provider": "p", "model": "m", "httpStatus": 200, "outcome": "ok", "durationMs": 1,
            "startedAfterMs": 0,
        });
        let attempt: Attempt = serde_json::from_value(old).unwrap();
        assert!(!attempt.hedge && attempt.proxy.is_none());
    }
}
