//! A guarded store over a real Redis that is paused, slowed, killed and flushed.

#![expect(
    clippy::unwrap_used,
    reason = "clippy takes what surrounds a test function for production code"
)]

use state::{Condition, GuardedStore, RedisStore, StateStore, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::service::RedisServer;
use testkit::{Fault, FaultProxy, wait_until};
use tokio::task::JoinHandle;

/// Generous: test machines are busy, and the store's own deadline is 50 ms.
const SOON: Duration = Duration::from_secs(5);
/// What is promised.
const RECOVERED: Duration = Duration::from_secs(10);

struct Guarded {
    store: Arc<GuardedStore>,
    redis: RedisServer,
    way: FaultProxy,
    watching: JoinHandle<()>,
}

// === impl Guarded ===

impl Guarded {
    async fn start() -> Self {
        let redis = RedisServer::start().await;
        let way = FaultProxy::to(redis.address()).await;
        let url = format!("redis://{}", way.address());
        let store = RedisStore::connect(&url, "test").await.unwrap();
        let store = Arc::new(GuardedStore::new(Arc::new(store)));
        let watched = store.clone();
        let guarded = Self {
            watching: tokio::spawn(async move { watched.watch(|_| {}).await }),
            store,
            redis,
            way,
        };
        guarded.is_well().await;
        guarded
    }

    async fn is_well(&self) {
        let answers = async || {
            let asked = self.store.session_revoked("s").await;
            (asked.is_ok() && self.store.condition() == Condition::Well).then_some(())
        };
        wait_until("the store to be well", RECOVERED, answers).await;
    }

    /// Without being asked.
    async fn becomes(&self, condition: Condition, within: Duration) {
        let is = || std::future::ready((self.store.condition() == condition).then_some(()));
        wait_until(&format!("the store to be {condition:?}"), within, is).await;
    }

    /// Until calls fail without being made.
    async fn is_away(&self) {
        let away = async || match self.store.session_revoked("s").await {
            Err(StoreError::Away) => Some(()),
            _ => None,
        };
        wait_until("the store to be away", SOON, away).await;
        assert_eq!(self.store.condition(), Condition::Away);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

#[tokio::test]
async fn a_store_that_hangs_costs_the_first_callers_their_deadline_and_the_others_nothing() {
    let guarded = Guarded::start().await;
    guarded.redis.pause();
    guarded.is_away().await;
    let asked = Instant::now();
    for _ in 0..1000 {
        guarded.store.session_revoked("s").await.unwrap_err();
    }
    let waited = asked.elapsed();
    assert!(waited < Duration::from_millis(50), "{waited:?}");
    guarded.redis.resume();
    guarded.is_well().await;
}

#[tokio::test]
async fn a_store_is_found_to_be_away_and_back_though_nobody_asks_it() {
    let mut guarded = Guarded::start().await;
    guarded.redis.kill();
    guarded.becomes(Condition::Away, SOON).await;
    guarded.redis.restart().await;
    guarded.becomes(Condition::Well, RECOVERED).await;
    guarded.is_well().await;
}

#[tokio::test]
async fn a_slow_store_is_not_asked_and_still_told_what_nobody_waits_for() {
    let guarded = Guarded::start().await;
    guarded.way.set(Fault::Delay(Duration::from_millis(100)));
    guarded.is_away().await;
    guarded.store.health_since(0).await.unwrap();
    guarded.way.set(Fault::None);
    guarded.is_well().await;
}

#[tokio::test]
async fn a_store_that_forgot_everything_is_well() {
    let guarded = Guarded::start().await;
    let store = &guarded.store;
    store.revoke_session("s", Duration::from_secs(60)).await.unwrap();
    guarded.redis.flush().unwrap();
    assert!(!store.session_revoked("s").await.unwrap());
    store
        .login_failure("ip", Duration::from_secs(60), 3)
        .await
        .unwrap();
    assert_eq!(store.condition(), Condition::Well);
}
