//! A second attempt beside one that takes unusually long: the answer that comes first is the client's, the other call
//! is cancelled and accounted for.
//!
//! Only for whole answers without tools, where two attempts are worth no more than one, and only after the time that
//! nineteen of twenty answers of the same model took. Two bounds keep it from making trouble worse: the extra calls
//! are at most a share of all requests, in any stretch of them, and when many requests are slow nothing is hedged,
//! because then it is not the one account that is slow.

use crate::routing::{Hedging, Route};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Answers that a quantile is taken of.
const SAMPLES: usize = 128;
/// Fewer tell nothing about the slowest.
const ENOUGH: usize = 20;
/// Clients choose model names, so there has to be an end.
const MAX_ROUTES: usize = 1024;
/// Requests that are looked back on to see whether slowness is common.
const RECENT: u32 = 100;
/// Of those, so many slow ones are common.
const COMMON: u32 = 10;
/// In thousandths: one hedge.
const ONE: u32 = 1000;

/// What a data plane knows about hedging.
#[derive(Debug, Default)]
pub struct Hedges(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How long answers took, by provider and model.
    took: HashMap<(Arc<str>, Arc<str>), Samples>,
    /// Thousandths of a hedge that may be spent: every request adds its share, and nothing is saved up beyond one, so
    /// any stretch of N requests has at most its share of N, and one.
    allowance: u32,
    /// Requests and slow ones among them, of this stretch and the one before.
    recent: [Stretch; 2],
}

#[derive(Debug, Default, Clone, Copy)]
struct Stretch {
    requests: u32,
    slow: u32,
}

/// The last answers of one route, in milliseconds.
#[derive(Debug, Default)]
struct Samples {
    ring: Vec<u32>,
    next: usize,
}

// === impl Hedges ===

impl Hedges {
    /// A request that might be hedged begins: how long to wait before it is. `None`: not this one.
    pub fn patience(&self, hedging: &Hedging, route: &Route) -> Option<Duration> {
        let mut state = self.0.lock();
        state.allowance = (state.allowance + hedging.max_share_permille).min(ONE);
        state.begin();
        let samples = state
            .took
            .get(&(route.provider.id.clone(), route.model.clone()))?;
        samples.slow().map(|slow| slow.max(hedging.min_delay))
    }

    /// The wait is over and there is no answer: whether to send a second call now.
    pub fn spend(&self) -> bool {
        let mut state = self.0.lock();
        state.recent[0].slow += 1;
        if state.is_common() || state.allowance < ONE {
            return false;
        }
        state.allowance -= ONE;
        true
    }

    /// A whole answer came.
    pub fn answered(&self, route: &Route, took: Duration) {
        let mut state = self.0.lock();
        let key = (route.provider.id.clone(), route.model.clone());
        if state.took.len() >= MAX_ROUTES && !state.took.contains_key(&key) {
            return;
        }
        let millis = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        state.took.entry(key).or_default().push(millis);
    }
}

// === impl State ===

impl State {
    fn begin(&mut self) {
        if self.recent[0].requests == RECENT {
            self.recent = [Stretch::default(), self.recent[0]];
        }
        self.recent[0].requests += 1;
    }

    fn is_common(&self) -> bool {
        self.recent.iter().any(|stretch| stretch.slow > COMMON)
    }
}

// === impl Samples ===

impl Samples {
    fn push(&mut self, millis: u32) {
        if self.ring.len() < SAMPLES {
            self.ring.push(millis);
        } else {
            self.ring[self.next] = millis;
        }
        self.next = (self.next + 1) % SAMPLES;
    }

    /// What nineteen of twenty answers took at most.
    fn slow(&self) -> Option<Duration> {
        if self.ring.len() < ENOUGH {
            return None;
        }
        let mut sorted = self.ring.clone();
        let rank = (sorted.len() * 19 / 20).min(sorted.len() - 1);
        let (_, slow, _) = sorted.select_nth_unstable(rank);
        Some(Duration::from_millis(u64::from(*slow)))
    }
}
