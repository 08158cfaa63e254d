//! Whether the store is to be asked: counts how calls end, and says stop when too many of them fail.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Of so much time the share of failed calls is looked at. So long after the last failure, too, a store that is
/// still asked counts as failing.
const WINDOW: Duration = Duration::from_secs(1);
/// A store is away when more calls of a window fail than one in so many…
const TOLERATED: u32 = 20;
/// …but one failure alone says nothing.
const MIN_FAILURES: u32 = 2;
/// Or when so many fail one after another: gone, rather than overloaded.
const IN_A_ROW: u32 = 3;

const FIRST_REST: Duration = Duration::from_secs(1);
/// With the time a probe takes, a store that is back is asked again within ten seconds.
const LONGEST_REST: Duration = Duration::from_secs(8);
/// A store that held out so long starts with a short rest again.
const FORGIVEN: Duration = Duration::from_secs(10);

/// How the store is doing, as its callers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Well,
    /// It is asked, and did not always answer within the last second.
    Failing,
    /// It is not asked.
    Away,
}

#[derive(Debug)]
pub(super) struct Breaker {
    started: Instant,
    away: AtomicBool,
    /// Milliseconds since `started`; zero for never.
    last_failure: AtomicU64,
    counts: Mutex<Counts>,
    /// Something failed: whoever watches the store looks at once.
    pub failed: Notify,
}

#[derive(Debug)]
struct Counts {
    since: Instant,
    calls: u32,
    failures: u32,
    in_a_row: u32,
    rest: Duration,
    back_since: Option<Instant>,
}

// === impl Breaker ===

impl Default for Breaker {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            away: AtomicBool::new(false),
            last_failure: AtomicU64::new(0),
            counts: Mutex::new(Counts {
                since: now,
                calls: 0,
                failures: 0,
                in_a_row: 0,
                rest: FIRST_REST,
                back_since: None,
            }),
            failed: Notify::new(),
        }
    }
}

impl Breaker {
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    pub fn condition(&self) -> Condition {
        if self.is_away() {
            return Condition::Away;
        }
        // the clock is read only for those who have known trouble
        match self.last_failure.load(Ordering::Relaxed) {
            0 => Condition::Well,
            at if self.started.elapsed() < WINDOW + Duration::from_millis(at) => Condition::Failing,
            _ => Condition::Well,
        }
    }

    pub fn succeeded(&self) {
        let mut counts = self.counts.lock();
        counts.begin(Instant::now());
        counts.in_a_row = 0;
    }

    pub fn failed(&self) {
        let now = Instant::now();
        let at = u64::try_from((now - self.started).as_millis()).unwrap_or(u64::MAX);
        self.last_failure.store(at.max(1), Ordering::Relaxed);
        let mut counts = self.counts.lock();
        counts.begin(now);
        counts.failures += 1;
        counts.in_a_row += 1;
        if counts.are_too_bad() {
            self.away.store(true, Ordering::Relaxed);
        }
        drop(counts);
        self.failed.notify_one();
    }

    /// How long to leave the store alone before it is probed, longer each time until it holds out.
    pub fn rest(&self) -> Duration {
        let mut counts = self.counts.lock();
        if counts.back_since.is_some_and(|back| back.elapsed() >= FORGIVEN) {
            counts.rest = FIRST_REST;
        }
        counts.back_since = None;
        let rest = counts.rest;
        counts.rest = (rest * 2).min(LONGEST_REST);
        rest
    }

    pub fn close(&self) {
        let now = Instant::now();
        let mut counts = self.counts.lock();
        *counts = Counts {
            since: now,
            calls: 0,
            failures: 0,
            in_a_row: 0,
            rest: counts.rest,
            back_since: Some(now),
        };
        self.away.store(false, Ordering::Relaxed);
    }
}

// === impl Counts ===

impl Counts {
    /// Counts a call, in a new window when the last one is over.
    fn begin(&mut self, now: Instant) {
        if now - self.since >= WINDOW {
            (self.since, self.calls, self.failures) = (now, 0, 0);
        }
        self.calls += 1;
    }

    fn are_too_bad(&self) -> bool {
        let share = self.failures >= MIN_FAILURES && self.failures * TOLERATED > self.calls;
        share || self.in_a_row >= IN_A_ROW
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn one_call_in_twenty_may_fail_and_no_more() {
        let breaker = Breaker::default();
        assert_eq!(breaker.condition(), Condition::Well);
        for _ in 0..5 {
            for _ in 0..19 {
                breaker.succeeded();
            }
            breaker.failed();
        }
        assert_eq!(breaker.condition(), Condition::Failing);
        breaker.succeeded();
        breaker.failed();
        assert_eq!(breaker.condition(), Condition::Away);
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_failure_is_told_for_a_second_and_then_forgotten() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            breaker.failed();
            breaker.succeeded();
            assert_eq!(breaker.condition(), Condition::Failing);
            advance(WINDOW + Duration::from_millis(1)).await;
            assert_eq!(breaker.condition(), Condition::Well);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_in_a_row_are_enough_however_much_went_well_before() {
        let breaker = Breaker::default();
        for _ in 0..10_000 {
            breaker.succeeded();
        }
        breaker.failed();
        breaker.failed();
        assert!(!breaker.is_away());
        breaker.failed();
        assert!(breaker.is_away());
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_keeps_leaving_rests_longer_until_it_holds_out() {
        let breaker = Breaker::default();
        let rests: Vec<_> = (0..6).map(|_| breaker.rest().as_secs()).collect();
        assert_eq!(rests, [1, 2, 4, 8, 8, 8]);
        breaker.close();
        advance(FORGIVEN - Duration::from_millis(1)).await;
        assert_eq!(breaker.rest().as_secs(), 8);
        breaker.close();
        advance(FORGIVEN).await;
        assert_eq!(breaker.rest().as_secs(), 1);
    }
}
