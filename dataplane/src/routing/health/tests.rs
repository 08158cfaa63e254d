//! What is known while running, by a clock that stands still unless a test moves it.

mod breaking;
mod limiting;
mod penalties;
mod sharing;

use super::{Account, Health};
use crate::routing::penalty::Penalty;
use crate::routing::resilience::Profile;
use llm::{ErrorKind, UpstreamError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, advance};

fn account(health: &Health) -> Arc<Account> {
    health.account("openai", "a")
}

fn error(kind: ErrorKind, status: Option<u16>, message: &str) -> UpstreamError {
    UpstreamError {
        status,
        ..UpstreamError::new(kind, message)
    }
}

fn punish(account: &Account, error: &UpstreamError, profile: &Profile) {
    account.punish("m", Penalty::of(error, profile), error);
}

fn rate_limit() -> UpstreamError {
    error(ErrorKind::RateLimit, Some(429), "slow down")
}

fn bad_key() -> UpstreamError {
    error(ErrorKind::UpstreamAuth, Some(401), "bad key")
}

fn seconds_left(account: &Account, model: &str) -> Option<f64> {
    account.cooling(model).map(|cooling| cooling.left().as_secs_f64())
}

/// Whether something becomes true in this time.
async fn within(time: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    loop {
        if is_true() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        advance(Duration::from_millis(1)).await;
    }
}

#[test]
fn an_account_outlives_tables_for_as_long_as_anybody_holds_it() {
    let health = Health::default();
    let held = account(&health);
    drop(health.account("openai", "b").begin(&"m".into()));
    let running = health.account("openai", "c").begin(&"m".into());
    health.tidy();
    assert!(Arc::ptr_eq(&held, &account(&health)));
    assert_eq!(
        health.account("openai", "b").facts().last_used_ms,
        0,
        "nobody held it"
    );
    assert_eq!(health.account("openai", "c").facts().in_flight, 1);
    drop(running);
}
