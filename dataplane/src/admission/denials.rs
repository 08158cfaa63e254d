//! What the state store denied a moment ago, it need not be asked again: a client in a loop costs nothing.

use parking_lot::Mutex;
use state::{Admission, Limit, Ruling, Verdict};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A denial may be over before its time, when others use less than they took or a limit is raised.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Keys that are denied at the same time.
const MAX_KEYS: usize = 10_000;

/// By API key.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<HashMap<Arc<str>, Denial>>);

#[derive(Debug)]
struct Denial {
    asked: Admission,
    ruling: Ruling,
    by: Limit,
    noted_at: Instant,
    until: Instant,
}

// === impl Denials ===

impl Denials {
    pub(super) fn note(&self, asked: &Admission, ruling: &Ruling, now: Instant) {
        let Verdict::Denied { by, retry_after } = ruling.verdict else {
            return;
        };
        let remembered = match by {
            // a place may be free at any time
            Limit::Concurrency => return,
            // one that others have reserved may be free at any time too
            Limit::Budget(_) if retry_after.is_some() => return,
            Limit::Budget(_) => REMEMBERED,
            Limit::Rate(_) => retry_after.unwrap_or_default().min(REMEMBERED),
        };
        let denial = Denial {
            asked: asked.clone(),
            ruling: ruling.clone(),
            by,
            noted_at: now,
            until: now + remembered,
        };
        let mut denials = self.0.lock();
        if denials.len() >= MAX_KEYS {
            denials.retain(|_, denial| denial.until > now);
        }
        if denials.len() < MAX_KEYS {
            denials.insert(asked.key.clone(), denial);
        }
    }

    /// The denial that this request would get too.
    pub(super) fn recall(&self, asked: &Admission, now: Instant) -> Option<Ruling> {
        let mut denials = self.0.lock();
        let denial = denials.get(&asked.key)?;
        if denial.until <= now {
            denials.remove(&asked.key);
            return None;
        }
        denial.covers(asked).then(|| denial.ruling_at(now))
    }
}

// === impl Denial ===

impl Denial {
    /// A smaller request may fit where this one did not, and so may one under another configuration.
    fn covers(&self, asked: &Admission) -> bool {
        match self.by {
            Limit::Concurrency => false,
            Limit::Budget(position) => {
                self.asked.budgets.get(position) == asked.budgets.get(position)
                    && asked.cost_nano >= self.asked.cost_nano
            }
            Limit::Rate(position) => {
                let (held, rate) = (self.asked.rates.get(position), asked.rates.get(position));
                held.zip(rate).is_some_and(|(held, rate)| {
                    (&held.name, held.limit, held.window) == (&rate.name, rate.limit, rate.window)
                        && rate.units >= held.units
                })
            }
        }
    }

    fn ruling_at(&self, now: Instant) -> Ruling {
        let mut ruling = self.ruling.clone();
        let passed = now.saturating_duration_since(self.noted_at);
        if let Verdict::Denied { retry_after, .. } = &mut ruling.verdict {
            *retry_after = retry_after.map(|after| after.saturating_sub(passed));
        }
        for rate in &mut ruling.rates {
            rate.reset = rate.reset.saturating_sub(passed);
        }
        ruling
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use state::{Budget, Rate};

    const MINUTE: Duration = Duration::from_secs(60);

    fn asked(units: u64, cost_nano: u64) -> Admission {
        Admission {
            key: "k".into(),
            request: "r".into(),
            lease: MINUTE,
            concurrency: None,
            rates: vec![Rate {
                name: "tpm".into(),
                limit: 100,
                window: MINUTE,
                units,
            }],
            budgets: vec![Budget {
                period: "d".into(),
                limit_nano: 100,
                ends_at_ms: 0,
            }],
            cost_nano,
        }
    }

    fn denied(by: Limit, retry_after: Option<Duration>) -> Ruling {
        Ruling {
            verdict: Verdict::Denied { by, retry_after },
            running: 0,
            rates: Vec::new(),
            budgets: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_denial_holds_for_what_asks_as_much_until_it_may_fit() {
        let (denials, now) = (Denials::default(), Instant::now());
        let retry = Duration::from_millis(300);
        denials.note(&asked(10, 0), &denied(Limit::Rate(0), Some(retry)), now);
        assert!(denials.recall(&asked(9, 0), now).is_none());
        let later = now + Duration::from_millis(100);
        let again = denials.recall(&asked(11, 0), later).unwrap();
        assert_eq!(again, denied(Limit::Rate(0), Some(Duration::from_millis(200))));
        assert!(denials.recall(&asked(11, 0), now + retry).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_that_is_spent_stays_so_for_a_while_unless_its_limit_changes() {
        let (denials, now) = (Denials::default(), Instant::now());
        denials.note(&asked(1, 5), &denied(Limit::Budget(0), None), now);
        assert!(denials.recall(&asked(1, 5), now).is_some());
        assert!(denials.recall(&asked(1, 4), now).is_none());
        let mut raised = asked(1, 5);
        raised.budgets[0].limit_nano = 200;
        assert!(denials.recall(&raised, now).is_none());
        assert!(denials.recall(&asked(1, 5), now + REMEMBERED).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_free_at_any_time_is_asked_for_each_time() {
        let (denials, now) = (Denials::default(), Instant::now());
        let soon = Some(Duration::from_millis(250));
        for by in [Limit::Concurrency, Limit::Budget(0)] {
            denials.note(&asked(1, 1), &denied(by, soon), now);
            assert!(denials.recall(&asked(1, 1), now).is_none());
        }
    }
}
