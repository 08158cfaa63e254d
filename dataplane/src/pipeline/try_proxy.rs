//! Whether the way out through a configured proxy works from where this data plane is.

use super::Gateway;
use proto::v1::{TriedProxy, TryProxy};
use std::time::Duration;
use tokio::time::Instant;

/// When the operator does not say how long to wait.
const PATIENCE_MS: u32 = 10_000;

pub async fn try_proxy(gateway: &Gateway, asked: TryProxy) -> TriedProxy {
    let began = Instant::now();
    let ms = if asked.timeout_ms == 0 {
        PATIENCE_MS
    } else {
        asked.timeout_ms
    };
    let limit = Duration::from_millis(ms.into());
    let outcome = match gateway.routing.load() {
        None => Err("this data plane has no configuration yet".to_owned()),
        Some(table) => match table.outlet(&asked.id).map(|outlet| outlet.proxy()) {
            None => Err("this data plane does not have this proxy yet".to_owned()),
            Some(None) => Err("the proxy cannot be used: GET /api/dataplanes says why".to_owned()),
            Some(Some(proxy)) => gateway.egress.echo(&asked.echo_url, proxy, limit).await,
        },
    };
    TriedProxy {
        latency_ms: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX),
        public_ip: outcome.as_ref().map(ToString::to_string).unwrap_or_default(),
        error: outcome.err().unwrap_or_default(),
    }
}
