//! What an API key may send and spend.

use proto::v1;
use runtime::period::Calendar;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// At least one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Requests at a time.
    pub concurrency: Option<u32>,
    pub rates: Vec<KeyRate>,
    pub budgets: Vec<KeyBudget>,
    /// The part of a budget from which on its clients are warned.
    pub warning_permille: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRate {
    /// Of all rates of a key, the only one of this name.
    pub name: Arc<str>,
    pub counted: Counted,
    pub limit: u64,
    pub window: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyBudget {
    pub calendar: Calendar,
    pub limit_nano: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Requests,
    /// Input and output.
    Tokens,
}

// === impl Limits ===

impl Limits {
    /// `None` for a key that may do what it likes: it is never asked about.
    pub(super) fn of(key: &v1::ApiKey) -> Option<Self> {
        let minute = |name: &str, counted, limit: u64| KeyRate {
            name: name.into(),
            counted,
            limit,
            window: MINUTE,
        };
        let rpm = (key.rpm > 0).then(|| minute("rpm", Counted::Requests, key.rpm.into()));
        let tpm = (key.tpm > 0).then(|| minute("tpm", Counted::Tokens, key.tpm));
        let others = key.rate_limits.iter().map(|rate| KeyRate {
            // two with the same window are one bucket of the smaller size
            name: format!("requests:{}", rate.window_s).into(),
            counted: Counted::Requests,
            limit: rate.limit.into(),
            window: Duration::from_secs(rate.window_s.into()),
        });
        let budget = key.budget.unwrap_or_default();
        let budgets = [
            (Calendar::Daily, budget.daily_limit_nano),
            (Calendar::Weekly, budget.weekly_limit_nano),
            (Calendar::Monthly, budget.monthly_limit_nano),
        ];
        let mut rates: Vec<KeyRate> = rpm.into_iter().chain(tpm).collect();
        for other in others {
            match rates.iter_mut().find(|rate| rate.name == other.name) {
                Some(same) => same.limit = same.limit.min(other.limit),
                None => rates.push(other),
            }
        }
        let limits = Self {
            concurrency: (key.concurrency > 0).then_some(key.concurrency),
            rates,
            budgets: budgets
                .into_iter()
                .filter(|(_, limit_nano)| *limit_nano > 0)
                .map(|(calendar, limit_nano)| KeyBudget { calendar, limit_nano })
                .collect(),
            warning_permille: budget.warning_permille,
        };
        let any = limits.concurrency.is_some() || !limits.rates.is_empty() || !limits.budgets.is_empty();
        any.then_some(limits)
    }

    pub fn counted(&self, rate: &str) -> Option<Counted> {
        let named = self.rates.iter().find(|known| &*known.name == rate);
        named.map(|rate| rate.counted)
    }
}
