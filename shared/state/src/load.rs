//! How busy connections are, each data plane reporting its share.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a report counts. A data plane that stopped reporting has stopped.
pub const LOAD_TTL: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionLoad {
    pub connection: String,
    pub provider: String,
    pub queued: u32,
    pub running: u32,
    pub done: u64,
    /// What the provider said about the account, as the next two.
    pub limit: Option<u32>,
    pub remaining: Option<u32>,
    pub reset_at_ms: Option<i64>,
}

/// One load for each connection. Gauges are summed. What the provider said is about the account as a whole, so it
/// is not: the report of the newest window counts, and within one window the one with the least remaining.
pub(crate) fn sum(reports: impl IntoIterator<Item = ConnectionLoad>) -> Vec<ConnectionLoad> {
    let mut loads = BTreeMap::<(String, String), ConnectionLoad>::new();
    for report in reports {
        let key = (report.provider.clone(), report.connection.clone());
        match loads.get_mut(&key) {
            Some(load) => load.add(report),
            None => {
                loads.insert(key, report);
            }
        }
    }
    loads.into_values().collect()
}

// === impl ConnectionLoad ===

impl ConnectionLoad {
    fn add(&mut self, other: Self) {
        self.queued = self.queued.saturating_add(other.queued);
        self.running = self.running.saturating_add(other.running);
        self.done = self.done.saturating_add(other.done);
        if other.news() > self.news() {
            self.limit = other.limit;
            self.remaining = other.remaining;
            self.reset_at_ms = other.reset_at_ms;
        }
    }

    fn news(&self) -> impl Ord + use<> {
        let known = self.remaining.is_some();
        (self.reset_at_ms, known, Reverse(self.remaining), self.limit)
    }
}
