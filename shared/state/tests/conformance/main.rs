//! One list of scenarios, every backend: memory, one Redis, a Redis Cluster. A difference in what a caller can
//! observe fails here, and so does a script whose keys are not in one slot, which a cluster refuses.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy takes what surrounds a test function for production code"
)]

mod admission;
mod bans;
mod budgets;
mod cache;
mod claims;
mod cluster;
mod combos;
mod health;
mod loads;
mod logins;
mod model;
mod probes;
mod rates;
mod sessions;
mod snapshots;
mod turns;
mod vectors;

use bytes::Bytes;
use futures::future::BoxFuture;
use state::{CacheReport, ComboCount, EntryKey, MemoryStore, RedisStore, SessionUse, StateStore, VectorMark};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::service::RedisCluster;
use uuid::Uuid;

type Scenario = (&'static str, fn(Arc<dyn StateStore>) -> BoxFuture<'static, ()>);

const WINDOW: Duration = Duration::from_secs(60);
/// Short enough to wait for, long enough not to pass by accident.
const SHORT: Duration = Duration::from_millis(60);

const SCENARIOS: &[&[Scenario]] = &[
    snapshots::SCENARIOS,
    logins::SCENARIOS,
    health::SCENARIOS,
    probes::SCENARIOS,
    combos::SCENARIOS,
    sessions::SCENARIOS,
    loads::SCENARIOS,
    turns::SCENARIOS,
    claims::SCENARIOS,
    cache::SCENARIOS,
    vectors::SCENARIOS,
    admission::SCENARIOS,
    rates::SCENARIOS,
    budgets::SCENARIOS,
    bans::SCENARIOS,
];

#[tokio::test]
async fn the_memory_store_conforms() {
    for (name, scenario) in SCENARIOS.iter().copied().flatten() {
        eprintln!("{name}");
        scenario(Arc::new(MemoryStore::new())).await;
    }
}

#[tokio::test]
async fn the_redis_store_conforms() {
    for (name, scenario) in SCENARIOS.iter().copied().flatten() {
        eprintln!("{name}");
        scenario(Arc::new(redis_store(&new_prefix()).await)).await;
    }
}

#[tokio::test]
async fn the_redis_store_conforms_on_a_cluster() {
    let mut cluster = RedisCluster::start().await;
    for (name, scenario) in SCENARIOS.iter().copied().flatten() {
        eprintln!("{name}");
        scenario(Arc::new(store_at(&cluster.url(), &new_prefix()).await)).await;
    }
    for primary in cluster.primaries() {
        let mut primary = primary.connect().unwrap();
        let keys: usize = redis::cmd("DBSIZE").query(&mut primary).unwrap();
        assert!(keys > 0, "every primary has its share of the keys");
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_fails_within_its_deadline() {
    let store = RedisStore::connect("redis://127.0.0.1:1", "test").await.unwrap();
    let asked = Instant::now();
    store.session_revoked("s1").await.unwrap_err();
    store.admit(&admission::asked("k", "r1")).await.unwrap_err();
    store
        .claim_probe("openai", "d1", Duration::from_secs(60))
        .await
        .unwrap_err();
    let (key, answer) = (entry_key(), bytes("answer"));
    store.claim_request(&key, "d1", WINDOW).await.unwrap_err();
    store.answer_claim(&key, "d1", answer, WINDOW).await.unwrap_err();
    store.cached_answer(&key).await.unwrap_err();
    let mark = VectorMark::default();
    store.vectors_since(&key, mark).await.unwrap_err();
    assert!(
        asked.elapsed() < Duration::from_millis(500),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn what_no_request_waits_for_fails_soon_too() {
    let store = RedisStore::connect("redis://127.0.0.1:1", "test").await.unwrap();
    let asked = Instant::now();
    let transitions = [health::open("openai", WINDOW, 1)];
    let (counts, uses) = ([ComboCount::default()], [SessionUse::default()]);
    let (key, report) = (entry_key(), CacheReport::default());
    let failed = tokio::join!(
        store.note_health(&transitions),
        store.health_since(0),
        store.release_probe("openai", "d1"),
        store.add_combo_counts(&counts),
        store.combo_counts(None),
        store.clear_combo_counts(None),
        store.touch_sessions(&uses),
        store.sessions(),
        store.report_loads("d1", &[]),
        store.loads(),
        store.renew_claim(&key, "d1", WINDOW),
        store.release_claim(&key, "d1"),
        store.cache_answer(&key, bytes("answer"), WINDOW),
        store.report_cache("d1", &report),
        store.cache_stats(1),
        store.add_vector(&key, &key.hash, bytes("vector"), WINDOW),
    );
    let waited = asked.elapsed();
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    failed.0.unwrap_err();
    failed.1.unwrap_err();
    failed.2.unwrap_err();
    failed.3.unwrap_err();
    failed.4.unwrap_err();
    failed.5.unwrap_err();
    failed.6.unwrap_err();
    failed.7.unwrap_err();
    failed.8.unwrap_err();
    failed.9.unwrap_err();
    failed.10.unwrap_err();
    failed.11.unwrap_err();
    failed.12.unwrap_err();
    failed.13.unwrap_err();
    failed.14.unwrap_err();
    failed.15.unwrap_err();
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_refused_without_repeating_it() {
    let error = RedisStore::connect("mysql://user:hunter2@host", "test")
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("REDIS_URL") && !error.contains("hunter2"),
        "{error}"
    );
}

async fn redis_store(prefix: &str) -> RedisStore {
    store_at(&redis_url(), prefix).await
}

async fn store_at(url: &str, prefix: &str) -> RedisStore {
    let store = RedisStore::connect(url, prefix).await.unwrap();
    store.with_deadline(Duration::from_secs(5))
}

fn redis_url() -> String {
    std::env::var("REDIS_URL").expect("REDIS_URL is not set: run this by `make test`")
}

fn new_prefix() -> String {
    format!("test:{}", Uuid::now_v7())
}

fn entry_key() -> EntryKey {
    EntryKey {
        generation: 1,
        tenant: "tenant".to_owned(),
        hash: [1; 32],
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Until the store's own clock says that this much time has passed.
async fn passed(store: &Arc<dyn StateStore>, time: Duration) {
    let marker = Uuid::now_v7().to_string();
    store.revoke_session(&marker, time).await.unwrap();
    eventually(|| async { !store.session_revoked(&marker).await.unwrap() }).await;
}

/// Both backends run on real time here: Redis has no clock that could be paused.
async fn eventually<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition().await {
        assert!(Instant::now() < deadline, "still not so after 10 s");
        tokio::task::yield_now().await;
    }
}
