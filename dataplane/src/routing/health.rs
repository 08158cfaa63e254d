//! Which accounts rest, and until when. In memory and per process; read for every candidate, so the common case
//! (nothing rests) costs one atomic load.

use super::penalty::{Penalty, Rest, Scope};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Rests end up to this fraction earlier or later, so that a fleet does not come back all at once.
const JITTER: f64 = 0.1;

/// The memory of failures, by connection id.
#[derive(Default)]
pub struct Health {
    accounts: RwLock<HashMap<String, Account>>,
    /// `accounts.len()`, readable without the lock.
    known: AtomicUsize,
}

/// An account, or one model of it, that must not be used yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooling {
    pub until: Instant,
    /// A limit of the provider, as opposed to a failure.
    pub limited: bool,
}

#[derive(Default)]
struct Account {
    whole: Standing,
    models: HashMap<String, Standing>,
}

#[derive(Default, Clone, Copy)]
struct Standing {
    cooling: Option<Cooling>,
    level: u32,
    punished_at: Option<Instant>,
}

// === impl Health ===

impl Health {
    /// Why this account may not be used for this model now, if so.
    pub fn cooling(&self, connection: &str, model: &str) -> Option<Cooling> {
        if self.known.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let accounts = self.accounts.read();
        let account = accounts.get(connection)?;
        let now = Instant::now();
        let whole = account.whole.cooling.filter(|cooling| cooling.until > now);
        let model = account
            .models
            .get(model)
            .and_then(|standing| standing.cooling)
            .filter(|c| c.until > now);
        match (whole, model) {
            (Some(a), Some(b)) => Some(if a.until >= b.until { a } else { b }),
            (whole, model) => whole.or(model),
        }
    }

    /// Applies a penalty. One that already rests is left alone: twenty requests that fail together are one
    /// failure.
    pub fn punish(
        &self,
        connection: &str,
        model: &str,
        penalty: Penalty,
        limited: bool,
        hint: Option<Duration>,
    ) {
        let Penalty::Rest { scope, rest } = penalty else {
            return;
        };
        let now = Instant::now();
        let mut accounts = self.accounts.write();
        let account = accounts.entry(connection.to_owned()).or_default();
        let standing = match scope {
            Scope::Account => &mut account.whole,
            Scope::Model => account.models.entry(model.to_owned()).or_default(),
        };
        standing.punish(now, rest, limited, hint);
        self.known.store(accounts.len(), Ordering::Relaxed);
    }

    /// An attempt that began at `started` went well: what was held against the account before that is forgotten.
    pub fn forgive(&self, connection: &str, model: &str, started: Instant) {
        if self.known.load(Ordering::Relaxed) == 0 || !self.accounts.read().contains_key(connection) {
            return;
        }
        let mut accounts = self.accounts.write();
        let Some(account) = accounts.get_mut(connection) else {
            return;
        };
        if account.whole.is_before(started) {
            account.whole = Standing::default();
        }
        if account
            .models
            .get(model)
            .is_some_and(|standing| standing.is_before(started))
        {
            account.models.remove(model);
        }
        if account.models.is_empty() && account.whole.punished_at.is_none() {
            accounts.remove(connection);
        }
        self.known.store(accounts.len(), Ordering::Relaxed);
    }

    /// An operator's command: forget one connection, or all of them.
    pub fn clear(&self, connection: Option<&str>) {
        let mut accounts = self.accounts.write();
        match connection {
            Some(connection) => drop(accounts.remove(connection)),
            None => accounts.clear(),
        }
        self.known.store(accounts.len(), Ordering::Relaxed);
    }

    /// Forgets connections that left the configuration, so that the memory follows it.
    pub fn retain(&self, exists: impl Fn(&str) -> bool) {
        let mut accounts = self.accounts.write();
        accounts.retain(|connection, _| exists(connection));
        self.known.store(accounts.len(), Ordering::Relaxed);
    }
}

// === impl Standing ===

impl Standing {
    fn punish(&mut self, now: Instant, rest: Rest, limited: bool, hint: Option<Duration>) {
        if self.cooling.is_some_and(|cooling| cooling.until > now) {
            return;
        }
        let jitter = rand::random_range(1.0 - JITTER..=1.0 + JITTER);
        let until = now + rest.duration(self.level, hint).mul_f64(jitter);
        *self = Self {
            cooling: Some(Cooling { until, limited }),
            level: rest.raise(self.level),
            punished_at: Some(now),
        };
    }

    fn is_before(&self, instant: Instant) -> bool {
        self.punished_at.is_some_and(|at| at <= instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm::{ErrorKind, UpstreamError};

    fn rate_limited() -> Penalty {
        Penalty::of(&UpstreamError::new(ErrorKind::RateLimit, "slow down"), false)
    }

    fn unauthorised() -> Penalty {
        Penalty::of(&UpstreamError::new(ErrorKind::UpstreamAuth, "bad key"), false)
    }

    fn seconds_left(health: &Health, model: &str) -> Option<f64> {
        health
            .cooling("a", model)
            .map(|cooling| (cooling.until - Instant::now()).as_secs_f64())
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_limit_rests_one_model_and_a_bad_credential_the_account() {
        let health = Health::default();
        health.punish("a", "m", rate_limited(), true, None);
        assert!(health.cooling("a", "m").is_some_and(|cooling| cooling.limited));
        assert_eq!(health.cooling("a", "other"), None);
        assert_eq!(health.cooling("b", "m"), None);

        health.punish("a", "m", unauthorised(), false, None);
        assert!(
            health
                .cooling("a", "other")
                .is_some_and(|cooling| !cooling.limited)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_ends_within_its_jitter() {
        let health = Health::default();
        health.punish("a", "m", unauthorised(), false, None);
        let left = seconds_left(&health, "m").unwrap();
        assert!((108.0..=132.0).contains(&left), "{left}");
        tokio::time::advance(Duration::from_secs(133)).await;
        assert_eq!(health.cooling("a", "m"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_failures_at_once_raise_the_level_by_one() {
        let health = Health::default();
        for _ in 0..20 {
            health.punish("a", "m", rate_limited(), true, None);
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        health.punish("a", "m", rate_limited(), true, None);
        let left = seconds_left(&health, "m").unwrap();
        assert!((1.8..=2.2).contains(&left), "{left}");
    }

    #[tokio::test(start_paused = true)]
    async fn success_forgets_only_what_happened_before_it_began() {
        let health = Health::default();
        let before = Instant::now();
        tokio::time::advance(Duration::from_millis(1)).await;
        health.punish("a", "m", unauthorised(), false, None);
        health.forgive("a", "m", before);
        assert!(
            health.cooling("a", "m").is_some(),
            "a slow success must not undo a later failure"
        );
        tokio::time::advance(Duration::from_millis(1)).await;
        health.forgive("a", "m", Instant::now());
        assert_eq!(health.cooling("a", "m"), None);
        assert_eq!(health.known.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_can_clear_one_or_all() {
        let health = Health::default();
        health.punish("a", "m", unauthorised(), false, None);
        health.punish("b", "m", unauthorised(), false, None);
        health.clear(Some("a"));
        assert_eq!(health.cooling("a", "m"), None);
        assert!(health.cooling("b", "m").is_some());
        health.clear(None);
        assert_eq!(health.cooling("b", "m"), None);
    }
}
