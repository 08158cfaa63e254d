//! What one data plane admits by itself while the state store is away.

use parking_lot::Mutex;
use state::{Admission, Budget, LocalAdmissions, Rate, Renewal, Ruling, Settlement};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Requests do not come to all data planes evenly.
const GENEROSITY: (u64, u64) = (5, 4);
/// Of what was left of a budget when the store was last heard.
const BUDGET_PERMILLE: u64 = 20;

#[derive(Debug, Default)]
pub(super) struct Share {
    admissions: LocalAdmissions,
    /// By key.
    left: Mutex<HashMap<Arc<str>, Left>>,
}

/// What the store said when it was last heard.
#[derive(Debug, Default)]
struct Left {
    /// How often it was heard. What may be spent without it, may be spent once after each time.
    heard: u64,
    /// Of each period.
    budgets: Vec<(Arc<str>, u64)>,
}

// === impl Share ===

impl Share {
    /// The store is there and said how budgets stand.
    pub(super) fn note(&self, asked: &Admission, ruling: &Ruling) {
        if asked.budgets.is_empty() {
            return;
        }
        let budgets = asked
            .budgets
            .iter()
            .zip(&ruling.budgets)
            .map(|(budget, standing)| {
                let gone = standing.spent_nano.saturating_add(standing.reserved_nano);
                (budget.period.clone(), budget.limit_nano.saturating_sub(gone))
            });
        let mut left = self.left.lock();
        let left = left.entry(asked.key.clone()).or_default();
        left.heard += 1;
        left.budgets = budgets.collect();
    }

    pub(super) fn admit(&self, asked: &Admission, data_planes: u32) -> Ruling {
        self.admissions.admit(&self.of(asked, data_planes.max(1).into()))
    }

    /// Of a request that was not admitted here it changes nothing.
    pub(super) fn settle(&self, settlement: &Settlement) {
        self.admissions.settle(std::slice::from_ref(settlement));
    }

    pub(super) fn renew(&self, renewals: &[Renewal], lease: Duration) {
        self.admissions.renew(renewals, lease);
    }

    pub(super) fn end_leases(&self, requests: &[Renewal]) {
        self.admissions.end_leases(requests);
    }

    fn of(&self, asked: &Admission, data_planes: u64) -> Admission {
        let known = self.left.lock();
        let known = known.get(&asked.key);
        let heard = known.map_or(0, |known| known.heard);
        let budget = |budget: &Budget| {
            let mut budgets = known.into_iter().flat_map(|known| &known.budgets);
            let of_period = budgets.find(|(period, _)| *period == budget.period);
            let left = of_period.map_or(budget.limit_nano, |(_, left)| *left);
            Budget {
                period: format!("{}#{heard}", budget.period).into(),
                limit_nano: left / 1000 * BUDGET_PERMILLE / data_planes,
                ends_at_ms: budget.ends_at_ms,
            }
        };
        Admission {
            concurrency: asked
                .concurrency
                .map(|most| u32::try_from(part(most.into(), data_planes)).unwrap_or(u32::MAX)),
            rates: asked
                .rates
                .iter()
                .map(|rate| Rate {
                    limit: part(rate.limit, data_planes),
                    ..rate.clone()
                })
                .collect(),
            budgets: asked.budgets.iter().map(budget).collect(),
            ..asked.clone()
        }
    }
}

fn part(limit: u64, data_planes: u64) -> u64 {
    let (more, than) = GENEROSITY;
    (limit.saturating_mul(more) / (than * data_planes)).max(1)
}
