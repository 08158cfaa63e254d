//! Settlements on their way to the state store: a few at a time, in the background, until it has them.

use parking_lot::Mutex;
use runtime::backoff::Backoff;
use state::{Settlement, StateStore};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long a settlement waits for others to share its way.
const LINGER: Duration = Duration::from_millis(20);
const BATCH: usize = 64;
/// After this long the ledger has corrected what a settlement would have.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// An outage under load.
const MAX_WAITING: usize = 200_000;
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// When the process ends: what is not settled then, its next life settles.
const LAST_ATTEMPTS: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Mutex<VecDeque<(Instant, Settlement)>>,
    pushed: Notify,
}

// === impl Outbox ===

impl Outbox {
    pub(super) fn push(&self, settlement: Settlement) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MAX_WAITING {
            waiting.pop_front();
        }
        waiting.push_back((Instant::now(), settlement));
        // the first begins the wait, and a full batch ends it
        if matches!(waiting.len(), 1 | BATCH) {
            self.pushed.notify_one();
        }
    }

    /// Runs until `stop` and until everything is settled, or cannot be.
    pub(super) async fn settle(&self, store: &dyn StateStore, stop: &CancellationToken) {
        let mut backoff = Backoff::full_jitter(BACKOFF_MIN, BACKOFF_MAX);
        let mut attempts_left = LAST_ATTEMPTS;
        loop {
            let stopping = self.gathered(stop).await;
            let batch = self.take();
            if batch.is_empty() {
                if stopping {
                    return;
                }
                continue;
            }
            let settlements: Vec<_> = batch.iter().map(|(_, settlement)| settlement.clone()).collect();
            match store.settle(&settlements).await {
                Ok(_) => backoff.reset(),
                Err(error) => {
                    tracing::debug!(%error, "settlements wait for the state store");
                    self.put_back(batch);
                    if stopping {
                        attempts_left -= 1;
                        if attempts_left == 0 {
                            let left = self.waiting.lock().len();
                            tracing::warn!(left, "requests are settled at the next start");
                            return;
                        }
                    }
                    sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    /// Whether the process ends.
    async fn gathered(&self, stop: &CancellationToken) -> bool {
        while self.waiting.lock().is_empty() {
            tokio::select! {
                biased;
                () = self.pushed.notified() => {}
                () = stop.cancelled() => return true,
            }
        }
        let full = async {
            while self.waiting.lock().len() < BATCH {
                self.pushed.notified().await;
            }
        };
        tokio::select! {
            () = full => {}
            () = sleep(LINGER) => {}
            () = stop.cancelled() => {}
        }
        stop.is_cancelled()
    }

    fn take(&self) -> Vec<(Instant, Settlement)> {
        let mut waiting = self.waiting.lock();
        let now = Instant::now();
        while waiting
            .front()
            .is_some_and(|(since, _)| *since + REMEMBERED < now)
        {
            waiting.pop_front();
        }
        let most = waiting.len().min(BATCH);
        waiting.drain(..most).collect()
    }

    fn put_back(&self, batch: Vec<(Instant, Settlement)>) {
        let mut waiting = self.waiting.lock();
        for item in batch.into_iter().rev() {
            waiting.push_front(item);
        }
    }
}
