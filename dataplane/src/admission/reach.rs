//! Whether the state store is asked at all. One question that it does not answer in time is enough to stop asking;
//! from then on nobody waits for it until it has answered somebody who had time.

use state::{StateStore, StoreError};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const PROBE: Duration = Duration::from_millis(250);

/// Outages are numbered; an odd number is one that lasts.
#[derive(Debug, Default)]
pub(super) struct Reach {
    changes: AtomicU32,
    lost: Notify,
}

// === impl Reach ===

impl Reach {
    pub(super) fn is_there(&self) -> bool {
        self.changes.load(Ordering::Relaxed).is_multiple_of(2)
    }

    /// The number of the outage that lasts, or of the last one.
    pub(super) fn outage(&self) -> u32 {
        self.changes.load(Ordering::Relaxed).div_ceil(2)
    }

    /// Logged once per outage.
    pub(super) fn lost(&self, error: &StoreError) {
        let lost = self
            .changes
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |changes| {
                changes.is_multiple_of(2).then(|| changes.wrapping_add(1))
            });
        if lost.is_ok() {
            tracing::warn!(%error, "limits of API keys are kept by this data plane alone");
            self.lost.notify_one();
        }
    }

    pub(super) async fn watch(&self, store: &dyn StateStore, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = self.lost.notified() => {}
                () = stop.cancelled() => return,
            }
            while store.ping().await.is_err() {
                tokio::select! {
                    () = tokio::time::sleep(PROBE) => {}
                    () = stop.cancelled() => return,
                }
            }
            self.changes.fetch_add(1, Ordering::Relaxed);
            tracing::info!("limits of API keys are kept by the state store again");
        }
    }
}
