//! Admission as a machine: whatever happens in whatever order, a store answers as a simple model of it does.
//!
//! The model knows nothing of arrival times. A bucket is a number of units in use that flows away; money is what was
//! spent and a list of who runs.

use crate::{new_prefix, redis_store, redis_url};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::aio::MultiplexedConnection;
use state::{
    Admission, Budget, Limit, MemoryStore, Rate, Refund, Renewal, Settled, Settlement, Spending, StateStore,
    Verdict,
};
use std::collections::BTreeMap;
use std::time::Duration;

const KEY: &str = "k";
const LEASE: Duration = Duration::from_secs(90);
const MINUTE: Duration = Duration::from_secs(60);
/// So long that a bucket stands still while a test runs.
const AGE: Duration = Duration::from_secs(10_000 * 24 * 60 * 60);
/// Of a unit: how far the model's arithmetic may be from the store's before they must agree.
const CLOSE: f64 = 0.05;

#[derive(Debug, Clone)]
enum Step {
    Admit {
        request: u8,
        concurrency: Option<u32>,
        limit: u64,
        units: u64,
        budget: u64,
        cost: u64,
        period: u8,
    },
    Settle {
        request: u8,
        cost: u64,
        used: u64,
    },
    Renew(u8),
    Raise {
        period: u8,
        known: u64,
    },
    /// Milliseconds.
    Wait(u64),
    /// Every lease ends.
    Silence,
}

struct Model {
    /// In which a bucket fills up.
    window: Duration,
    now_ms: u64,
    running: BTreeMap<u8, Held>,
    lapsed: BTreeMap<u8, Held>,
    spent: BTreeMap<u8, u64>,
    /// Units of the bucket in use, as a part of its limit, and when that was so.
    used: f64,
    used_at_ms: u64,
}

#[derive(Clone)]
struct Held {
    lease_ends_ms: u64,
    period: u8,
    cost: u64,
    limit: u64,
    units: u64,
}

// === impl Model ===

impl Model {
    fn new(window: Duration) -> Self {
        Self {
            window,
            now_ms: 0,
            running: BTreeMap::new(),
            lapsed: BTreeMap::new(),
            spent: BTreeMap::new(),
            used: 0.0,
            used_at_ms: 0,
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.flow();
    }

    fn flow(&mut self) {
        let passed = (self.now_ms - self.used_at_ms) as f64 / self.window.as_millis() as f64;
        self.used = (self.used - passed).max(0.0);
        self.used_at_ms = self.now_ms;
    }

    fn lapse(&mut self) {
        let now = self.now_ms;
        let ended = |held: &Held| held.lease_ends_ms <= now;
        let silent: Vec<u8> = self
            .running
            .iter()
            .filter(|(_, held)| ended(held))
            .map(|(name, _)| *name)
            .collect();
        for request in silent {
            let held = self.running.remove(&request).unwrap();
            *self.spent.entry(held.period).or_default() += held.cost;
            self.lapsed.insert(request, held);
        }
    }

    fn reserved(&self, period: u8) -> u64 {
        let of = self.running.values().filter(|held| held.period == period);
        of.map(|held| held.cost).sum()
    }

    fn spent(&self, period: u8) -> u64 {
        self.spent.get(&period).copied().unwrap_or(0)
    }

    /// `None` where rounding decides.
    fn fits(&self, limit: u64, units: u64) -> Option<bool> {
        let used = self.used * limit as f64;
        let over = if units > limit {
            used
        } else {
            used + units as f64 - limit as f64
        };
        (over.abs() > CLOSE || self.used == 0.0).then_some(over <= CLOSE)
    }

    fn settle(&mut self, request: u8, cost: u64, used: u64) -> Settled {
        let (settled, held) = match (self.running.remove(&request), self.lapsed.remove(&request)) {
            (Some(held), _) => (Settled::Running, held),
            (None, Some(held)) => (Settled::Lapsed, held),
            (None, None) => return Settled::Unknown,
        };
        let spent = self.spent.entry(held.period).or_default();
        *spent += cost;
        if settled == Settled::Lapsed {
            *spent = spent.saturating_sub(held.cost);
        }
        let back = held.units as f64 - used as f64;
        self.used = (self.used - back / held.limit as f64).max(0.0);
        settled
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let request = 0..6_u8;
    let admit = (
        request.clone(),
        prop_oneof![Just(None), (1..4_u32).prop_map(Some)],
        prop_oneof![Just(10_u64), Just(60), Just(7), Just(60_000)],
        prop_oneof![0..12_u64, Just(61), Just(20_000)],
        0..3_u8,
        50..200_u64,
        0..60_u64,
    );
    let admit = admit.prop_map(
        |(request, concurrency, limit, units, period, budget, cost)| Step::Admit {
            request,
            concurrency,
            limit,
            units,
            budget,
            cost,
            period,
        },
    );
    let settle = (request.clone(), 0..60_u64, 0..30_u64);
    let step = prop_oneof![
        6 => admit,
        4 => settle.prop_map(|(request, cost, used)| Step::Settle { request, cost, used }),
        1 => request.prop_map(Step::Renew),
        1 => (0..3_u8, 0..200_u64).prop_map(|(period, known)| Step::Raise { period, known }),
        1 => (1..100_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Silence),
    ];
    vec(step, 1..40)
}

/// One step, at the store and at the model.
async fn take(store: &dyn StateStore, model: &mut Model, step: &Step) {
    match step {
        Step::Admit {
            request,
            concurrency,
            limit,
            units,
            budget,
            cost,
            period,
        } => {
            let asked = Admission {
                key: KEY.into(),
                request: request.to_string().into(),
                lease: LEASE,
                concurrency: *concurrency,
                rates: vec![Rate {
                    // buckets of one name are one bucket, whatever its limit
                    name: "rate".into(),
                    limit: *limit,
                    window: model.window,
                    units: *units,
                }],
                budgets: vec![Budget {
                    period: period.to_string().into(),
                    limit_nano: *budget,
                    ends_at_ms: i64::MAX / 2,
                }],
                cost_nano: *cost,
            };
            model.lapse();
            let ruling = store.admit(&asked).await.unwrap();
            let verdict = judge(model, &asked, *request, *period, ruling.verdict);
            assert_eq!(kind(ruling.verdict), kind(verdict), "{step:?}");
            if verdict == Verdict::Admitted {
                model.used += *units as f64 / *limit as f64;
                let held = Held {
                    lease_ends_ms: model.now_ms + LEASE.as_millis() as u64,
                    period: *period,
                    cost: *cost,
                    limit: *limit,
                    units: *units,
                };
                model.lapsed.remove(request);
                model.running.insert(*request, held);
            }
            assert_eq!(ruling.running as usize, model.running.len(), "{step:?}");
            assert_eq!(ruling.budgets[0].spent_nano, model.spent(*period), "{step:?}");
            assert_eq!(
                ruling.budgets[0].reserved_nano,
                model.reserved(*period),
                "{step:?}"
            );
            let remaining = ((1.0 - model.used) * *limit as f64).max(0.0);
            let said = ruling.rates[0].remaining as f64;
            assert!(
                (remaining - said).abs() <= 1.0 + CLOSE,
                "{step:?}: {said} for {remaining}"
            );
        }
        Step::Settle { request, cost, used } => {
            let held = model.running.get(request).or(model.lapsed.get(request)).cloned();
            let (limit, units) = held.map_or((1, 0), |held| (held.limit, held.units));
            let settlement = Settlement {
                key: KEY.into(),
                request: request.to_string().into(),
                cost_nano: *cost,
                refunds: vec![Refund {
                    rate: "rate".into(),
                    limit,
                    window: model.window,
                    units: units.cast_signed() - used.cast_signed(),
                }],
            };
            let settled = store.settle(&[settlement]).await.unwrap();
            assert_eq!(settled, [model.settle(*request, *cost, *used)], "{step:?}");
        }
        Step::Renew(request) => {
            let renewal = Renewal {
                key: KEY.into(),
                request: request.to_string().into(),
            };
            store.renew(&[renewal], LEASE).await.unwrap();
            if let Some(held) = model.running.get_mut(request) {
                held.lease_ends_ms = model.now_ms + LEASE.as_millis() as u64;
            }
        }
        Step::Raise { period, known } => {
            let spending = Spending {
                key: KEY.into(),
                period: period.to_string().into(),
                ends_at_ms: i64::MAX / 2,
                spent_nano: *known,
            };
            model.lapse();
            store.raise_spending(&[spending]).await.unwrap();
            let least = known.saturating_sub(model.reserved(*period));
            let spent = model.spent.entry(*period).or_default();
            *spent = least.max(*spent);
        }
        Step::Wait(_) | Step::Silence => {}
    }
}

/// What the model says; where only rounding could tell, what the store said.
fn judge(model: &Model, asked: &Admission, request: u8, period: u8, said: Verdict) -> Verdict {
    let denied = |by| Verdict::Denied {
        by,
        retry_after: None,
    };
    let (spent, reserved) = (model.spent(period), model.reserved(period));
    let limit = asked.budgets[0].limit_nano;
    if model.running.contains_key(&request) {
        Verdict::Repeated
    } else if asked
        .concurrency
        .is_some_and(|most| model.running.len() >= most as usize)
    {
        denied(Limit::Concurrency)
    } else if spent >= limit || spent + reserved + asked.cost_nano > limit {
        denied(Limit::Budget(0))
    } else {
        match model.fits(asked.rates[0].limit, asked.rates[0].units) {
            Some(true) => Verdict::Admitted,
            Some(false) => denied(Limit::Rate(0)),
            None => said,
        }
    }
}

/// A case that fails is printed whole, and needs no file to be remembered in.
fn config(cases: u32) -> Config {
    Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    }
}

fn kind(verdict: Verdict) -> (u8, Option<Limit>) {
    match verdict {
        Verdict::Admitted => (1, None),
        Verdict::Repeated => (2, None),
        Verdict::Denied { by, .. } => (0, Some(by)),
    }
}

#[test]
fn the_memory_store_is_the_model_at_any_time() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let mut runner = TestRunner::new(config(700));
    let outcome = runner.run(&steps(), |steps| {
        runtime.block_on(async {
            let (store, mut model) = (MemoryStore::new(), Model::new(MINUTE));
            for step in &steps {
                let wait = match step {
                    Step::Wait(ms) => *ms,
                    Step::Silence => LEASE.as_millis() as u64,
                    _ => 0,
                };
                tokio::time::advance(Duration::from_millis(wait)).await;
                model.pass(wait);
                take(&store, &mut model, step).await;
            }
        });
        Ok(())
    });
    outcome.unwrap();
}

/// Its clock cannot be moved: leases are made to end by hand, and buckets stand still for as long as this takes.
#[test]
fn the_redis_store_is_the_model_of_one_moment() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(config(60));
    let outcome = runner.run(&steps(), |steps| {
        runtime.block_on(async {
            let prefix = new_prefix();
            let (store, mut model) = (redis_store(&prefix).await, Model::new(AGE));
            let client = redis::Client::open(redis_url()).unwrap();
            let mut redis = client.get_multiplexed_async_connection().await.unwrap();
            for step in steps.iter().filter(|step| !matches!(step, Step::Wait(_))) {
                if matches!(step, Step::Silence) {
                    end_leases(&mut redis, &format!("{prefix}:{{k:{KEY}}}:leases")).await;
                    model.running.values_mut().for_each(|held| held.lease_ends_ms = 0);
                }
                take(&store, &mut model, step).await;
            }
        });
        Ok(())
    });
    outcome.unwrap();
}

async fn end_leases(redis: &mut MultiplexedConnection, leases: &str) {
    let running: Vec<String> = redis::cmd("ZRANGE")
        .arg(leases)
        .arg(0)
        .arg(-1)
        .query_async(redis)
        .await
        .unwrap();
    for request in running {
        let _: () = redis::cmd("ZADD")
            .arg(leases)
            .arg(1)
            .arg(request)
            .query_async(redis)
            .await
            .unwrap();
    }
}
