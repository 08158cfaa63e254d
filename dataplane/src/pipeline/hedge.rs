//! A second attempt beside one that takes unusually long: the answer that comes first is the client's, the other call
//! is cancelled and accounted for.
//!
//! Only for whole answers without tools, where two attempts are worth no more than one, and only after the time that
//! nineteen of twenty answers of the same model took. Three bounds keep it from making trouble worse: the extra calls
//! are at most a share of all requests, in any stretch of them; when many requests are slow nothing is hedged, because
//! then it is not the one account that is slow; and after one extra call there is no other before something answered.

use crate::routing::{Hedging, Route};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
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
/// Requests of which the extra calls are a share. Slow answers come in bursts: a shorter stretch would leave many of
/// them alone although the share is not used up.
const WINDOW: u64 = 200;

/// What a data plane knows about hedging.
#[derive(Debug, Default)]
pub struct Hedges(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How long answers took, by provider and model.
    took: HashMap<(Arc<str>, Arc<str>), Samples>,
    /// In thousandths, as it was last configured.
    share: u32,
    /// So many began.
    requests: u64,
    /// How many requests there were when each of the latest extra calls was sent.
    sent: VecDeque<u64>,
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
    /// An extra call was sent, and since then nothing answered.
    doubtful: bool,
}

// === impl Hedges ===

impl Hedges {
    /// A request that might be hedged begins: how long to wait before it is. `None`: not this one.
    pub fn patience(&self, hedging: &Hedging, route: &Route) -> Option<Duration> {
        let mut state = self.0.lock();
        state.share = hedging.max_share_permille;
        state.begin();
        let samples = state.took.get(&key(route))?;
        samples.slow().map(|slow| slow.max(hedging.min_delay))
    }

    /// The wait is over and there is no answer: whether to send a second call now.
    pub fn spend(&self, route: &Route) -> bool {
        let mut state = self.0.lock();
        state.recent[0].slow += 1;
        if state.is_common() || !state.has_share_left() {
            return false;
        }
        let Some(samples) = state.took.get_mut(&key(route)) else {
            return false;
        };
        if std::mem::replace(&mut samples.doubtful, true) {
            return false;
        }
        let now = state.requests;
        state.sent.push_back(now);
        true
    }

    /// A request whose first call went to `route` got its answer after so long, from that call or from the extra one.
    /// In the second case the first call took longer still. It must not drop out of what is known for that: the bound
    /// would sink until ordinary answers were above it.
    pub fn answered(&self, route: &Route, took: Duration) {
        let mut state = self.0.lock();
        let key = key(route);
        if state.took.len() >= MAX_ROUTES && !state.took.contains_key(&key) {
            return;
        }
        let millis = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        let samples = state.took.entry(key).or_default();
        samples.push(millis);
        samples.doubtful = false;
    }
}

// === impl State ===

impl State {
    fn begin(&mut self) {
        if self.recent[0].requests == RECENT {
            self.recent = [Stretch::default(), self.recent[0]];
        }
        self.recent[0].requests += 1;
        self.requests += 1;
    }

    fn has_share_left(&mut self) -> bool {
        let share = u64::from(self.share);
        if share == 0 {
            return false;
        }
        // at least as long as it takes to have a share in one call
        let window = WINDOW.max(1000_u64.div_ceil(share));
        while self
            .sent
            .front()
            .is_some_and(|sent| sent + window <= self.requests)
        {
            self.sent.pop_front();
        }
        (self.sent.len() as u64 + 1) * 1000 <= window * share
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
        let rank = (sorted.len() * 19).div_ceil(20);
        let (_, slow, _) = sorted.select_nth_unstable(rank - 1);
        Some(Duration::from_millis(u64::from(*slow)))
    }
}

fn key(route: &Route) -> (Arc<str>, Arc<str>) {
    (route.provider.id.clone(), route.model.clone())
}
