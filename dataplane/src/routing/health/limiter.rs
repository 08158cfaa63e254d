//! Calls to one account wait for their turn: so many at a time, so far apart, so many a minute.
//!
//! First come, first served. The queue is bounded in length and in time, because a caller has other accounts to
//! ask. What the provider's replies tell of its own limits replaces what was configured.

mod learning;

use parking_lot::Mutex;
use proto::v1;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Calls that may wait for one account.
const MAX_QUEUED: u32 = 100;

/// The longest that a call waits, whatever its deadline is.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What a bucket counts by.
const MINUTE: Duration = Duration::from_secs(60);

/// What to tell a caller when nobody knows when a running call will end.
const A_MOMENT: Duration = Duration::from_secs(1);

/// What one account is asked to bear, by all data planes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub concurrent: u32,
    /// Between the starts of two calls.
    pub gap: Duration,
    pub per_minute: Option<u32>,
}

pub struct Limiter {
    /// How many data planes share the limits.
    sharers: Arc<AtomicU32>,
    state: Mutex<State>,
    /// Held by the one whose turn is next; the others wait for it in order.
    head: tokio::sync::Mutex<()>,
    /// A call ended, or the limits changed.
    changed: Notify,
}

/// The right to call, until dropped. Hold it for as long as the call's stream runs.
pub struct Permit(Arc<Limiter>);

/// No turn within the time there is: ask another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many requests wait for this account already")]
pub struct Full {
    pub retry_after: Duration,
}

/// How busy an account is, and what its provider said about it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    pub queued: u32,
    pub running: u32,
    /// Calls that ended since the process started.
    pub done: u64,
    pub limit: Option<u32>,
    pub remaining: Option<u32>,
    pub reset_at: Option<Instant>,
}

#[derive(Default)]
struct State {
    queued: u32,
    running: u32,
    done: u64,
    started_at: Option<Instant>,
    bucket: Option<Bucket>,
    learned: learning::Learned,
}

/// Starts that are left until it is filled again.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u32,
    refill_at: Instant,
}

/// Whether a call may start.
enum Turn {
    Now,
    At(Instant),
    /// When another one ends.
    Later,
}

/// Counts as waiting until dropped.
struct Queued<'a>(&'a Limiter);

// === impl Limits ===

impl Limits {
    /// One data plane's share.
    fn shared(self, by: u32) -> Self {
        Self {
            concurrent: (self.concurrent / by).max(1),
            gap: self.gap * by,
            per_minute: self.per_minute.map(|requests| (requests / by).max(1)),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent: 10,
            gap: Duration::from_millis(200),
            per_minute: Some(100),
        }
    }
}

impl From<&v1::resilience::RateDefaults> for Limits {
    fn from(defaults: &v1::resilience::RateDefaults) -> Self {
        Self {
            concurrent: defaults.concurrent_requests,
            gap: Duration::from_millis(defaults.min_gap_ms.into()),
            per_minute: Some(defaults.requests_per_minute),
        }
    }
}

// === impl Limiter ===

impl Limiter {
    pub(super) fn new(sharers: Arc<AtomicU32>) -> Self {
        Self {
            sharers,
            state: Mutex::default(),
            head: tokio::sync::Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Waits for a turn, but not in vain: when it cannot come before the deadline, that is known at once.
    pub async fn acquire(self: &Arc<Self>, limits: &Limits, deadline: Instant) -> Result<Permit, Full> {
        let limits = limits.shared(self.sharers.load(Ordering::Relaxed).max(1));
        let deadline = deadline.min(Instant::now() + MAX_WAIT);
        let _queued = self.queue(&limits, deadline)?;
        match timeout_at(deadline, self.turn(&limits, deadline)).await {
            Ok(permit) => permit,
            Err(_) => Err(self.full(&limits)),
        }
    }

    pub fn load(&self) -> Load {
        let state = self.state.lock();
        Load {
            queued: state.queued,
            running: state.running,
            done: state.done,
            limit: state.learned.limit,
            remaining: state.learned.remaining,
            reset_at: state.learned.reset_at,
        }
    }

    fn queue(&self, limits: &Limits, deadline: Instant) -> Result<Queued<'_>, Full> {
        let mut state = self.state.lock();
        let hopeless = matches!(state.turn(limits, Instant::now()), Turn::At(at) if at > deadline);
        if state.queued >= MAX_QUEUED || hopeless {
            drop(state);
            return Err(self.full(limits));
        }
        state.queued += 1;
        Ok(Queued(self))
    }

    async fn turn(self: &Arc<Self>, limits: &Limits, deadline: Instant) -> Result<Permit, Full> {
        let _head = self.head.lock().await;
        loop {
            let turn = self.start(limits);
            match turn {
                Turn::Now => return Ok(Permit(self.clone())),
                Turn::At(at) if at > deadline => return Err(self.full(limits)),
                Turn::At(at) => drop(timeout_at(at, self.changed.notified()).await),
                Turn::Later => self.changed.notified().await,
            }
        }
    }

    fn start(&self, limits: &Limits) -> Turn {
        let now = Instant::now();
        let mut state = self.state.lock();
        let turn = state.turn(limits, now);
        if matches!(turn, Turn::Now) {
            state.start(limits, now);
        }
        turn
    }

    fn full(&self, limits: &Limits) -> Full {
        let now = Instant::now();
        let left = match self.state.lock().turn(limits, now) {
            Turn::At(at) => at - now,
            Turn::Now | Turn::Later => A_MOMENT,
        };
        Full {
            retry_after: left.max(A_MOMENT),
        }
    }
}

// === impl State ===

impl State {
    fn turn(&self, limits: &Limits, now: Instant) -> Turn {
        if self.running >= limits.concurrent {
            return Turn::Later;
        }
        let empty = self
            .bucket
            .filter(|bucket| bucket.left == 0 && bucket.refill_at > now)
            .map(|bucket| bucket.refill_at);
        let gap = self.learned.gap.unwrap_or(limits.gap);
        match empty.max(self.started_at.map(|at| at + gap)) {
            Some(at) if at > now => Turn::At(at),
            _ => Turn::Now,
        }
    }

    fn start(&mut self, limits: &Limits, now: Instant) {
        self.running += 1;
        self.started_at = Some(now);
        let standing = self.bucket.filter(|bucket| bucket.refill_at > now);
        let filled = || {
            let left = self.learned.size.of(limits.per_minute)?;
            Some(Bucket {
                left,
                refill_at: now + MINUTE,
            })
        };
        self.bucket = standing.or_else(filled).map(|bucket| Bucket {
            left: bucket.left.saturating_sub(1),
            ..bucket
        });
    }
}

// === impl Permit ===

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.running -= 1;
        state.done += 1;
        drop(state);
        self.0.changed.notify_one();
    }
}

// === impl Queued ===

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.state.lock().queued -= 1;
    }
}
