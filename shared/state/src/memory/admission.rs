//! Admission in a single process. Step for step what the scripts of the Redis backend do.

use super::clock::Clock;
use crate::admission::{
    Admission, BudgetStanding, LAPSED_REMEMBERED, Limit, PERIOD_REMEMBERED, Rate, RateStanding, Renewal,
    Ruling, Settled, Settlement, Spending, Verdict,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const FIRST_SWEEP: usize = 1024;
/// When a place among the running may be free again is anybody's guess.
const CONCURRENCY_RETRY: Duration = Duration::from_millis(250);
/// It fits as soon as others turn out to cost less than they might.
const RESERVED_RETRY: Duration = Duration::from_secs(1);
/// Of a unit, for what rounding to microseconds adds up to.
const TOLERANCE: f64 = 0.01;

/// Admission that nobody shares: what [`super::MemoryStore`] decides by, and a data plane that is on its own.
#[derive(Debug, Default)]
pub struct LocalAdmissions {
    clock: Clock,
    keys: Mutex<Keys>,
}

#[derive(Debug)]
struct Keys {
    by_id: HashMap<Arc<str>, Key>,
    sweep_at: usize,
}

/// What is known of one API key. Times are in microseconds.
#[derive(Debug, Default)]
struct Key {
    running: HashMap<Arc<str>, Running>,
    /// Requests whose lease ended, and when that was noticed.
    lapsed: HashMap<Arc<str>, (u64, Reservation)>,
    /// When each bucket will be full.
    rates: HashMap<Arc<str>, f64>,
    budgets: HashMap<Arc<str>, Period>,
}

#[derive(Debug)]
struct Running {
    lease_ends: u64,
    reservation: Reservation,
}

#[derive(Debug, Clone)]
struct Reservation {
    amount_nano: u64,
    periods: Vec<Arc<str>>,
}

#[derive(Debug, Default)]
struct Period {
    ends_at_ms: i64,
    spent_nano: u64,
    reserved_nano: u64,
}

// === impl LocalAdmissions ===

/// As the operations of [`crate::StateStore`].
impl LocalAdmissions {
    pub fn admit(&self, asked: &Admission) -> Ruling {
        let (now, mut keys) = (self.clock.now_us(), self.keys.lock());
        keys.sweep(now);
        let key = keys.by_id.entry(asked.key.clone()).or_default();
        key.lapse(now);
        let verdict = key.decide(asked, now);
        if verdict == Verdict::Admitted {
            key.take(asked, now);
        }
        Ruling {
            verdict,
            running: u32::try_from(key.running.len()).unwrap_or(u32::MAX),
            rates: asked.rates.iter().map(|rate| key.rate(rate, now)).collect(),
            budgets: asked
                .budgets
                .iter()
                .map(|budget| key.budget(&budget.period))
                .collect(),
        }
    }

    pub fn settle(&self, settlements: &[Settlement]) -> Vec<Settled> {
        let (now, mut keys) = (self.clock.now_us(), self.keys.lock());
        let settle = |settlement: &Settlement| match keys.by_id.get_mut(&settlement.key) {
            Some(key) => key.settle(settlement, now),
            None => Settled::Unknown,
        };
        settlements.iter().map(settle).collect()
    }

    pub fn renew(&self, renewals: &[Renewal], lease: Duration) {
        let (ends, mut keys) = (self.clock.now_us() + micros(lease), self.keys.lock());
        for Renewal { key, request } in renewals {
            let running = keys
                .by_id
                .get_mut(key)
                .and_then(|key| key.running.get_mut(request));
            if let Some(running) = running {
                running.lease_ends = running.lease_ends.max(ends);
            }
        }
    }

    pub fn end_leases(&self, requests: &[Renewal]) {
        let (now, mut keys) = (self.clock.now_us(), self.keys.lock());
        for Renewal { key, request } in requests {
            let running = keys
                .by_id
                .get_mut(key)
                .and_then(|key| key.running.get_mut(request));
            if let Some(running) = running {
                running.lease_ends = running.lease_ends.min(now);
            }
        }
    }

    pub fn raise_spending(&self, known: &[Spending]) {
        let (now, mut keys) = (self.clock.now_us(), self.keys.lock());
        for spending in known {
            let key = keys.by_id.entry(spending.key.clone()).or_default();
            key.lapse(now);
            let BudgetStanding {
                spent_nano,
                reserved_nano,
            } = key.budget(&spending.period);
            if spent_nano + reserved_nano < spending.spent_nano {
                key.open_period(&spending.period, spending.ends_at_ms, now)
                    .spent_nano = spending.spent_nano - reserved_nano;
            }
        }
    }

    pub fn spending(&self, key: &str, periods: &[&str]) -> Vec<BudgetStanding> {
        let (now, mut keys) = (self.clock.now_us(), self.keys.lock());
        let Some(key) = keys.by_id.get_mut(key) else {
            return vec![BudgetStanding::default(); periods.len()];
        };
        key.lapse(now);
        periods.iter().map(|period| key.budget(period)).collect()
    }

    pub fn forget(&self, key: &str) {
        self.keys.lock().by_id.remove(key);
    }
}

// === impl Keys ===

impl Default for Keys {
    fn default() -> Self {
        Self {
            by_id: HashMap::new(),
            sweep_at: FIRST_SWEEP,
        }
    }
}

impl Keys {
    fn sweep(&mut self, now: u64) {
        if self.by_id.len() < self.sweep_at {
            return;
        }
        self.by_id.retain(|_, key| {
            key.lapse(now);
            key.rates.retain(|_, full_at| *full_at > now as f64);
            key.budgets.retain(|_, period| !period.is_forgotten(now));
            !key.is_idle()
        });
        self.sweep_at = (self.by_id.len() * 2).max(FIRST_SWEEP);
    }
}

// === impl Key ===

impl Key {
    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.lapsed.is_empty() && self.rates.is_empty() && self.budgets.is_empty()
    }

    fn decide(&self, asked: &Admission, now: u64) -> Verdict {
        if self.running.contains_key(&asked.request) {
            return Verdict::Repeated;
        }
        let denied = |by, retry_after| Verdict::Denied { by, retry_after };
        if asked
            .concurrency
            .is_some_and(|most| self.running.len() >= most as usize)
        {
            return denied(Limit::Concurrency, Some(CONCURRENCY_RETRY));
        }
        for (number, budget) in asked.budgets.iter().enumerate() {
            let held = self.budget(&budget.period);
            let spent = held.spent_nano;
            if spent >= budget.limit_nano || spent + asked.cost_nano > budget.limit_nano {
                return denied(Limit::Budget(number), None);
            }
            if spent + held.reserved_nano + asked.cost_nano > budget.limit_nano {
                return denied(Limit::Budget(number), Some(RESERVED_RETRY));
            }
        }
        for (number, rate) in asked.rates.iter().enumerate() {
            if let Some(wait_us) = self.wait(rate, now) {
                let wait = Duration::from_millis((wait_us / 1000.0).ceil() as u64);
                return denied(Limit::Rate(number), Some(wait));
            }
        }
        Verdict::Admitted
    }

    /// How long until a bucket has what is asked of it, if it has not.
    fn wait(&self, rate: &Rate, now: u64) -> Option<f64> {
        let (now, full_at, unit) = (now as f64, self.full_at(&rate.name, now), rate.us_per_unit());
        if rate.units > rate.limit {
            return (full_at > now + unit * TOLERANCE).then_some(full_at - now);
        }
        let (after, most) = (full_at + rate.units as f64 * unit, now + rate.limit as f64 * unit);
        (after > most + unit * TOLERANCE).then_some(after - most)
    }

    fn take(&mut self, asked: &Admission, now: u64) {
        // one that lapsed and comes again is a new one
        self.lapsed.remove(&asked.request);
        for budget in &asked.budgets {
            let period = self.open_period(&budget.period, budget.ends_at_ms, now);
            period.reserved_nano += asked.cost_nano;
        }
        for rate in &asked.rates {
            let after = self.full_at(&rate.name, now) + rate.units as f64 * rate.us_per_unit();
            self.set_full_at(&rate.name, after, now);
        }
        let running = Running {
            lease_ends: now + micros(asked.lease),
            reservation: Reservation {
                amount_nano: asked.cost_nano,
                periods: asked.budgets.iter().map(|budget| budget.period.clone()).collect(),
            },
        };
        self.running.insert(asked.request.clone(), running);
    }

    fn settle(&mut self, settlement: &Settlement, now: u64) -> Settled {
        let running = self
            .running
            .remove(&settlement.request)
            .map(|running| running.reservation);
        let lapsed = self
            .lapsed
            .remove(&settlement.request)
            .map(|(_, reservation)| reservation);
        let (settled, reservation) = match (running, lapsed) {
            (Some(reservation), _) => (Settled::Running, reservation),
            (None, Some(reservation)) => (Settled::Lapsed, reservation),
            (None, None) => return Settled::Unknown,
        };
        for period in &reservation.periods {
            let period = self.budgets.entry(period.clone()).or_default();
            period.spent_nano += settlement.cost_nano;
            let released = match settled {
                Settled::Running => &mut period.reserved_nano,
                Settled::Lapsed | Settled::Unknown => &mut period.spent_nano,
            };
            *released = released.saturating_sub(reservation.amount_nano);
        }
        for refund in &settlement.refunds {
            let full_at = self.full_at(&refund.rate, now) - refund.units as f64 * refund.us_per_unit();
            self.set_full_at(&refund.rate, full_at, now);
        }
        settled
    }

    /// A request whose data plane fell silent may have cost what it reserved: that counts as spent until it is
    /// settled.
    fn lapse(&mut self, now: u64) {
        let silent =
            |(request, running): (&Arc<str>, &Running)| (running.lease_ends <= now).then(|| request.clone());
        let silent: Vec<_> = self.running.iter().filter_map(silent).collect();
        for request in silent {
            let Some(Running { reservation, .. }) = self.running.remove(&request) else {
                continue;
            };
            for period in &reservation.periods {
                let period = self.budgets.entry(period.clone()).or_default();
                period.spent_nano += reservation.amount_nano;
                period.reserved_nano = period.reserved_nano.saturating_sub(reservation.amount_nano);
            }
            self.lapsed.insert(request, (now, reservation));
        }
        self.lapsed
            .retain(|_, (noticed, _)| *noticed + micros(LAPSED_REMEMBERED) > now);
    }

    /// The first use of a period is the time to forget old ones.
    fn open_period(&mut self, period: &Arc<str>, ends_at_ms: i64, now: u64) -> &mut Period {
        if !self.budgets.contains_key(period) {
            self.budgets.retain(|_, period| !period.is_forgotten(now));
        }
        let period = self.budgets.entry(period.clone()).or_default();
        period.ends_at_ms = ends_at_ms;
        period
    }

    fn budget(&self, period: &str) -> BudgetStanding {
        let period = self.budgets.get(period);
        period.map_or_else(BudgetStanding::default, |period| BudgetStanding {
            spent_nano: period.spent_nano,
            reserved_nano: period.reserved_nano,
        })
    }

    fn rate(&self, rate: &Rate, now: u64) -> RateStanding {
        let (used, unit) = (self.full_at(&rate.name, now) - now as f64, rate.us_per_unit());
        let remaining = ((rate.limit as f64 * unit - used) / unit + TOLERANCE).floor();
        RateStanding {
            remaining: remaining.max(0.0) as u64,
            reset: Duration::from_millis((used / 1000.0).ceil() as u64),
        }
    }

    fn full_at(&self, rate: &str, now: u64) -> f64 {
        self.rates.get(rate).copied().unwrap_or(0.0).max(now as f64)
    }

    /// A bucket that is full needs no memory.
    fn set_full_at(&mut self, rate: &Arc<str>, full_at: f64, now: u64) {
        if full_at <= now as f64 {
            self.rates.remove(rate);
        } else {
            self.rates.insert(rate.clone(), full_at.round());
        }
    }
}

// === impl Period ===

impl Period {
    fn is_forgotten(&self, now: u64) -> bool {
        let remembered = i64::try_from(PERIOD_REMEMBERED.as_millis()).unwrap_or(i64::MAX);
        self.ends_at_ms.saturating_add(remembered) < i64::try_from(now / 1000).unwrap_or(i64::MAX)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
