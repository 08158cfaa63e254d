//! Unix time that never goes back, and that tests can pause.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    unix: Duration,
}

// === impl Clock ===

impl Default for Clock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }
}

impl Clock {
    pub(super) fn started_us(&self) -> u64 {
        u64::try_from(self.unix.as_micros()).unwrap_or(u64::MAX)
    }

    pub(super) fn now_us(&self) -> u64 {
        u64::try_from((self.unix + self.started.elapsed()).as_micros()).unwrap_or(u64::MAX)
    }

    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.now_us() / 1000).unwrap_or(i64::MAX)
    }
}
