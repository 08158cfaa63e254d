//! What a request of an API key has to fit into before it may be sent: how many run at a time, rates, budgets.
//!
//! One request is admitted, renewed while it runs, and settled once. What it may cost is reserved in between, so that
//! requests that run at the same time cannot spend the same money. A request that falls silent, because its data
//! plane died, ends with its lease, and what it reserved counts as spent until it is settled after all.

use std::sync::Arc;
use std::time::Duration;

/// After a lease ended, a settlement is taken for this long and corrects what was assumed.
pub const LAPSED_REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// What was spent in a period is forgotten this long after its end.
pub const PERIOD_REMEMBERED: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// One request of an API key, with everything that it has to fit into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    pub key: Arc<str>,
    /// Names the request. Asking again under the same name changes nothing.
    pub request: Arc<str>,
    /// How long it counts as running without being renewed.
    pub lease: Duration,
    /// Requests that may run at the same time.
    pub concurrency: Option<u32>,
    pub rates: Vec<Rate>,
    pub budgets: Vec<Budget>,
    /// Reserved in every budget until the request is settled.
    pub cost_nano: u64,
}

/// A bucket of `limit` units that fills up evenly in `window`. More than a full bucket is given only when it is full,
/// and then leaves a debt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    pub name: Arc<str>,
    /// At least 1.
    pub limit: u64,
    /// At least a microsecond for each unit.
    pub window: Duration,
    /// What the request takes.
    pub units: u64,
}

/// What may be spent in one period of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Names the period, not only its kind.
    pub period: Arc<str>,
    pub limit_nano: u64,
    /// Unix time.
    pub ends_at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    pub verdict: Verdict,
    /// Requests of the key that run now, this one included if it is admitted.
    pub running: u32,
    /// After the verdict, in the order of the request's.
    pub rates: Vec<RateStanding>,
    pub budgets: Vec<BudgetStanding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Admitted,
    /// It was admitted before and still runs; nothing was taken again.
    Repeated,
    /// Nothing was taken or reserved.
    Denied {
        by: Limit,
        /// `None`: not before the period ends.
        retry_after: Option<Duration>,
    },
}

/// What a request did not fit into; rates and budgets by their position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Concurrency,
    Budget(usize),
    Rate(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateStanding {
    pub remaining: u64,
    /// Until the bucket is full.
    pub reset: Duration,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetStanding {
    pub spent_nano: u64,
    /// By requests that run.
    pub reserved_nano: u64,
}

/// How an admitted request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    pub key: Arc<str>,
    pub request: Arc<str>,
    /// Spent in the budgets that it was admitted under.
    pub cost_nano: u64,
    pub refunds: Vec<Refund>,
}

/// The difference between what a request took from a bucket and what it used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub rate: Arc<str>,
    /// As when it was admitted.
    pub limit: u64,
    pub window: Duration,
    /// Negative for what it used beyond what it took.
    pub units: i64,
}

/// What a settlement met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Running,
    /// Its lease had ended; what was assumed then is corrected.
    Lapsed,
    /// It was settled before, or never admitted here. Nothing changed.
    Unknown,
}

/// A request that still runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    pub key: Arc<str>,
    pub request: Arc<str>,
}

/// What a key is known to have spent in a period, from a source that forgets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending {
    pub key: Arc<str>,
    pub period: Arc<str>,
    pub ends_at_ms: i64,
    pub spent_nano: u64,
}

// === impl Rate ===

impl Rate {
    pub(crate) fn us_per_unit(&self) -> f64 {
        us_per_unit(self.limit, self.window)
    }
}

// === impl Refund ===

impl Refund {
    pub(crate) fn us_per_unit(&self) -> f64 {
        us_per_unit(self.limit, self.window)
    }
}

// === impl Limit ===

impl Limit {
    /// From the number that scripts answer: budgets come before rates, after concurrency.
    pub(crate) fn numbered(number: usize, budgets: usize) -> Self {
        match number {
            0 => Self::Concurrency,
            number if number <= budgets => Self::Budget(number - 1),
            number => Self::Rate(number - budgets - 1),
        }
    }
}

/// A fraction of a microsecond matters: a million tokens a minute are 60 of them each.
fn us_per_unit(limit: u64, window: Duration) -> f64 {
    window.as_micros() as f64 / limit.max(1) as f64
}
