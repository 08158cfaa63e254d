//! A Redis Cluster that loses a primary.

use state::{Condition, GuardedStore, RedisStore, StateStore};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::service::RedisCluster;
use testkit::wait_until;

const LIFE: Duration = Duration::from_secs(60);
/// Generous: test machines are busy.
const SOON: Duration = Duration::from_secs(5);
/// What is promised.
const RECOVERED: Duration = Duration::from_secs(10);
/// Enough to be on every primary.
const SESSIONS: usize = 50;

#[tokio::test]
async fn a_cluster_that_fails_over_is_whole_again_within_ten_seconds_and_has_forgotten_nothing() {
    let mut cluster = RedisCluster::start_with_replica().await;
    let redis = RedisStore::connect(&cluster.url(), "test").await.unwrap();
    let redis = redis.with_deadline(Duration::from_millis(200));
    let store = Arc::new(GuardedStore::new(Arc::new(redis)));
    let watched = store.clone();
    let watching = tokio::spawn(async move { watched.watch(|_| {}).await });
    let sessions: Vec<_> = (0..SESSIONS).map(|n| n.to_string()).collect();
    for session in &sessions {
        let revoked = async || store.revoke_session(session, LIFE).await.ok();
        wait_until("a session to be revoked", SOON, revoked).await;
    }
    cluster.copied().await;

    cluster.primaries()[0].kill();
    let died = Instant::now();
    let remembers = async || {
        for session in &sessions {
            store.session_revoked(session).await.ok()?.then_some(())?;
        }
        (store.condition() == Condition::Well).then_some(())
    };
    wait_until("every session to be known again", RECOVERED, remembers).await;
    eprintln!("well again {:?} after the primary died", died.elapsed());
    watching.abort();
}
