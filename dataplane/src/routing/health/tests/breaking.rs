use super::*;
use crate::routing::health::{Breaker, PROBE_LEASE, Probe, Standing};
use state::{MemoryStore, RedisStore};

const PROFILE: Profile = Profile::API_KEY;

fn opened(health: &Health) -> Arc<Breaker> {
    let breaker = health.breaker("openai");
    for _ in 0..PROFILE.breaker_threshold {
        breaker.failed(&PROFILE, Instant::now());
    }
    breaker
}

async fn half_opened(health: &Health) -> Arc<Breaker> {
    let breaker = opened(health);
    advance(PROFILE.breaker_reset).await;
    assert_eq!(breaker.standing(), Standing::HalfOpen);
    breaker
}

async fn probe(breaker: &Arc<Breaker>, store: &MemoryStore) -> Option<Probe> {
    breaker.claim_probe(store).await
}

#[tokio::test(start_paused = true)]
async fn it_opens_at_the_threshold_of_failures_in_a_row() {
    for profile in [Profile::API_KEY, Profile::OAUTH] {
        let health = Health::default();
        let breaker = health.breaker("openai");
        for _ in 1..profile.breaker_threshold {
            breaker.failed(&profile, Instant::now());
        }
        breaker.succeeded(Instant::now());
        assert_eq!(breaker.failures(), 0, "a success begins the count anew");
        for _ in 1..profile.breaker_threshold {
            breaker.failed(&profile, Instant::now());
            assert_eq!(breaker.standing(), Standing::Closed);
        }
        breaker.failed(&profile, Instant::now());
        let until = Instant::now() + profile.breaker_reset;
        assert_eq!(breaker.standing(), Standing::Open { until });
    }
}

#[tokio::test(start_paused = true)]
async fn the_threshold_of_the_moment_counts() {
    let health = Health::default();
    let breaker = health.breaker("openai");
    breaker.failed(&PROFILE, Instant::now());
    let nervous = Profile {
        breaker_threshold: 2,
        ..PROFILE
    };
    breaker.failed(&nervous, Instant::now());
    assert!(matches!(breaker.standing(), Standing::Open { .. }));
}

#[tokio::test(start_paused = true)]
async fn it_is_half_open_exactly_when_the_reset_time_is_over() {
    let health = Health::default();
    let breaker = opened(&health);
    advance(PROFILE.breaker_reset - Duration::from_millis(1)).await;
    assert!(matches!(breaker.standing(), Standing::Open { .. }));
    assert!(probe(&breaker, &MemoryStore::new()).await.is_none());
    advance(Duration::from_millis(1)).await;
    assert_eq!(breaker.standing(), Standing::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn what_began_before_it_opened_changes_nothing() {
    let health = Health::default();
    let before = Instant::now();
    advance(Duration::from_secs(1)).await;
    let breaker = opened(&health);
    let standing = breaker.standing();
    breaker.succeeded(before);
    breaker.failed(&PROFILE, before);
    assert_eq!(breaker.standing(), standing);
    advance(PROFILE.breaker_reset).await;
    breaker.succeeded(before);
    breaker.failed(&PROFILE, before);
    assert_eq!(breaker.standing(), Standing::HalfOpen, "nobody has probed");
    breaker.succeeded(Instant::now());
    for _ in 0..100 {
        breaker.failed(&PROFILE, before);
    }
    assert_eq!(
        breaker.standing(),
        Standing::Closed,
        "what hung until now is old news"
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_answers_closes_it() {
    let (health, store) = (Health::default(), MemoryStore::new());
    let breaker = half_opened(&health).await;
    let held = probe(&breaker, &store).await.unwrap();
    breaker.succeeded(Instant::now());
    drop(held);
    assert_eq!((breaker.standing(), breaker.failures()), (Standing::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_opens_it_for_another_reset_time() {
    let (health, store) = (Health::default(), MemoryStore::new());
    let breaker = half_opened(&health).await;
    let held = probe(&breaker, &store).await.unwrap();
    breaker.failed(&PROFILE, Instant::now());
    drop(held);
    let until = Instant::now() + PROFILE.breaker_reset;
    assert_eq!(breaker.standing(), Standing::Open { until });
    assert_eq!(breaker.failures(), PROFILE.breaker_threshold + 1);
}

#[tokio::test(start_paused = true)]
async fn only_one_may_probe_until_it_is_done_or_forgotten() {
    // the state store is not there: one for this data plane
    let store = RedisStore::connect("redis://127.0.0.1:1", "test").await.unwrap();
    let health = Health::default();
    let breaker = half_opened(&health).await;
    let held = breaker.claim_probe(&store).await;
    assert!(held.is_some());
    assert!(breaker.claim_probe(&store).await.is_none());

    drop(held);
    let held = breaker.claim_probe(&store).await;
    assert!(held.is_some(), "without a verdict, the next one may");

    advance(PROBE_LEASE).await;
    assert!(breaker.claim_probe(&store).await.is_some(), "a lease ends");
}
