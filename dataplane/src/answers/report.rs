//! What operators read about the cache, put into the state store now and then; a request never waits for it.

use super::{Cache, Idempotency};
use state::StateStore;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);

/// Runs until `stop`, and reports what is left then. `generation` says which one the running configuration has.
pub async fn report(
    cache: &Cache,
    idempotency: &Idempotency,
    data_plane: &str,
    store: &dyn StateStore,
    generation: impl Fn() -> u64,
    stop: CancellationToken,
) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut current = generation();
    loop {
        let last = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.cancelled() => true,
        };
        let newest = generation();
        if newest != current {
            cache.forget();
            current = newest;
        }
        let mut report = cache.take_report(current);
        report.holdings.idempotency_keys = idempotency.len() as u64;
        report.holdings.idempotency_window_ms =
            u64::try_from(idempotency.window().as_millis()).unwrap_or(u64::MAX);
        if let Err(error) = store.report_cache(data_plane, &report).await {
            tracing::debug!(%error, "counts of the cache wait for the state store");
            cache.put_back(&report);
        }
        if last {
            return;
        }
    }
}
