use super::*;
use crate::routing::health::exchange::Exchange;
use crate::routing::health::{Standing, exchange};
use futures::future::join_all;
use state::{MemoryStore, RedisStore, StateStore, Subject, Transition};
use tokio_util::sync::CancellationToken;

const PROFILE: Profile = Profile::API_KEY;

/// How long it may take until another data plane knows.
const SOON: Duration = Duration::from_millis(250);

/// What a data plane has of it, running until the token is cancelled.
fn data_plane(store: &Arc<MemoryStore>, id: &str) -> (Arc<Health>, CancellationToken) {
    let (health, stop) = (Arc::new(Health::default()), CancellationToken::new());
    let store: Arc<dyn StateStore> = store.clone();
    tokio::spawn(exchange(health.clone(), store, id.to_owned(), stop.clone()));
    (health, stop)
}

#[tokio::test(start_paused = true)]
async fn a_rest_and_its_end_reach_the_others() {
    let store = Arc::new(MemoryStore::new());
    let ((here, _stop), (there, _other)) = (data_plane(&store, "here"), data_plane(&store, "there"));
    let (a, b) = (account(&here), account(&there));
    punish(&a, &rate_limit(), &Profile::OAUTH);
    assert!(within(SOON, || b.cooling("m").is_some()).await);
    assert_eq!(b.cooling("other"), None);
    let (left, told) = (seconds_left(&a, "m").unwrap(), seconds_left(&b, "m").unwrap());
    assert!((left - told).abs() < 0.01, "{left} {told}");
    let cooling = b.cooling("m").unwrap();
    assert_eq!((cooling.limited, cooling.reason), (true, "rate_limit_exceeded"));

    a.forgive("m", Instant::now());
    assert!(within(SOON, || b.cooling("m").is_none()).await);
    assert_eq!(a.cooling("m"), None, "one's own news must not come back");
}

#[tokio::test(start_paused = true)]
async fn a_level_that_rose_there_counts_here() {
    let store = Arc::new(MemoryStore::new());
    let ((here, _stop), (there, _other)) = (data_plane(&store, "here"), data_plane(&store, "there"));
    let (a, b) = (account(&here), account(&there));
    punish(&a, &rate_limit(), &PROFILE);
    assert!(within(SOON, || b.cooling("m").is_some()).await);
    assert!(within(Duration::from_secs(2), || b.cooling("m").is_none()).await);
    punish(&b, &rate_limit(), &PROFILE);
    let left = seconds_left(&b, "m").unwrap();
    assert!((1.8..=2.2).contains(&left), "{left}");
}

#[tokio::test(start_paused = true)]
async fn what_is_configured_later_begins_as_the_others_know_it() {
    let store = Arc::new(MemoryStore::new());
    let (here, _stop) = data_plane(&store, "here");
    punish(&account(&here), &bad_key(), &PROFILE);
    punish(
        &account(&here),
        &error(ErrorKind::ModelNotFound, Some(404), ""),
        &PROFILE,
    );
    for _ in 0..PROFILE.breaker_threshold {
        here.breaker("openai").failed(&PROFILE, Instant::now());
    }
    assert!(!within(SOON, || false).await);
    let (there, _other) = data_plane(&store, "there");
    assert!(!within(SOON, || false).await);
    assert!(account(&there).cooling("other").is_some());
    assert!(
        account(&there)
            .cooling("m")
            .is_some_and(|cooling| cooling.reason == "model_not_found")
    );
    assert_eq!(there.account("openai", "b").cooling("m"), None);
    assert!(matches!(
        there.breaker("openai").standing(),
        Standing::Open { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn an_operators_reset_reaches_everybody() {
    let store = Arc::new(MemoryStore::new());
    let ((here, _stop), (there, _other)) = (data_plane(&store, "here"), data_plane(&store, "there"));
    punish(&account(&here), &bad_key(), &PROFILE);
    for _ in 0..PROFILE.breaker_threshold {
        here.breaker("openai").failed(&PROFILE, Instant::now());
    }
    assert!(within(SOON, || account(&there).cooling("m").is_some()).await);
    let fine = |subject| Transition::new(subject, state::Standing::Fine);
    let connection = Subject::Connection {
        provider: "openai".to_owned(),
        connection: "a".to_owned(),
    };
    let provider = Subject::Provider {
        provider: "openai".to_owned(),
    };
    store
        .note_health(&[fine(connection), fine(provider)])
        .await
        .unwrap();
    let all_fine = || {
        [&here, &there].iter().all(|health| {
            account(health).cooling("m").is_none() && health.breaker("openai").standing() == Standing::Closed
        })
    };
    assert!(within(SOON, all_fine).await);
}

#[tokio::test(start_paused = true)]
async fn one_request_of_the_fleet_probes_and_its_verdict_is_everybodys() {
    let store = Arc::new(MemoryStore::new());
    let ((here, _stop), (there, _other)) = (data_plane(&store, "here"), data_plane(&store, "there"));
    let (a, b) = (here.breaker("openai"), there.breaker("openai"));
    for _ in 0..PROFILE.breaker_threshold {
        a.failed(&PROFILE, Instant::now());
    }
    assert!(within(SOON, || matches!(b.standing(), Standing::Open { .. })).await);
    advance(PROFILE.breaker_reset).await;
    assert_eq!(
        (a.standing(), b.standing()),
        (Standing::HalfOpen, Standing::HalfOpen)
    );

    let claims = (0..100).map(|n| if n % 2 == 0 { &a } else { &b }.claim_probe(&*store));
    let probes: Vec<_> = join_all(claims).await.into_iter().flatten().collect();
    assert_eq!(probes.len(), 1);
    a.failed(&PROFILE, Instant::now());
    b.failed(&PROFILE, Instant::now());
    drop(probes);
    assert!(within(SOON, || matches!(b.standing(), Standing::Open { .. })).await);

    advance(PROFILE.breaker_reset + Duration::from_secs(1)).await;
    assert_eq!(b.standing(), Standing::HalfOpen);
    let probe = b.claim_probe(&*store).await;
    assert!(probe.is_some(), "the one before was released");
    assert!(a.claim_probe(&*store).await.is_none());
    b.succeeded(Instant::now());
    assert!(within(SOON, || a.standing() == Standing::Closed).await);
    assert_eq!(b.standing(), Standing::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_probe_without_a_verdict_is_free_for_another_data_plane() {
    let store = Arc::new(MemoryStore::new());
    let ((here, _stop), (there, _other)) = (data_plane(&store, "here"), data_plane(&store, "there"));
    let (a, b) = (here.breaker("openai"), there.breaker("openai"));
    for _ in 0..PROFILE.breaker_threshold {
        a.failed(&PROFILE, Instant::now());
    }
    assert!(within(SOON, || matches!(b.standing(), Standing::Open { .. })).await);
    advance(PROFILE.breaker_reset).await;
    let probe = a.claim_probe(&*store).await;
    assert!(b.claim_probe(&*store).await.is_none());
    drop(probe);
    assert!(!within(Duration::from_secs(1), || false).await);
    assert!(b.claim_probe(&*store).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_last_news_is_told_before_the_end() {
    let store = Arc::new(MemoryStore::new());
    let (here, stop) = data_plane(&store, "here");
    assert!(!within(SOON, || false).await);
    stop.cancel();
    punish(&account(&here), &bad_key(), &PROFILE);
    assert!(!within(SOON, || false).await);
    assert_eq!(store.health_since(0).await.unwrap().transitions.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lost_its_memory_is_told_again() {
    let health = Arc::new(Health::default());
    let mut exchange = Exchange::new(health.clone(), Arc::new(MemoryStore::new()), "here".to_owned());
    punish(&account(&health), &bad_key(), &PROFILE);
    for _ in 0..PROFILE.breaker_threshold {
        health.breaker("openai").failed(&PROFILE, Instant::now());
    }
    exchange.tell().await;
    exchange.ask().await;

    let anew = Arc::new(MemoryStore::new());
    exchange.store = anew.clone();
    exchange.ask().await;
    assert!(
        account(&health).cooling("m").is_some(),
        "what was found here stays"
    );
    assert!(matches!(
        health.breaker("openai").standing(),
        Standing::Open { .. }
    ));
    exchange.tell().await;
    assert_eq!(anew.health_since(0).await.unwrap().transitions.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_fleet_has_forgotten_is_forgotten_here() {
    let health = Arc::new(Health::default());
    let store = Arc::new(MemoryStore::new());
    let mut exchange = Exchange::new(health.clone(), store.clone(), "here".to_owned());
    punish(&account(&health), &bad_key(), &PROFILE);
    health.breaker("openai").failed(
        &Profile {
            breaker_threshold: 1,
            ..PROFILE
        },
        Instant::now(),
    );
    exchange.tell().await;
    let told = store.health_since(0).await.unwrap();
    let fine: Vec<_> = told
        .transitions
        .into_iter()
        .map(|transition| Transition::new(transition.subject, state::Standing::Fine))
        .collect();
    store.note_health(&fine).await.unwrap();
    // found since, and not told yet
    punish(&health.account("openai", "b"), &bad_key(), &PROFILE);
    exchange.ask().await;
    assert_eq!(account(&health).cooling("m"), None);
    assert_eq!(health.breaker("openai").standing(), Standing::Closed);
    assert!(health.account("openai", "b").cooling("m").is_some());
}

#[tokio::test(start_paused = true)]
async fn without_the_store_news_waits_and_only_the_latest_of_it() {
    let health = Arc::new(Health::default());
    let gone = RedisStore::connect("redis://127.0.0.1:1", "test").await.unwrap();
    let mut exchange = Exchange::new(health.clone(), Arc::new(gone), "here".to_owned());
    let account = account(&health);
    punish(&account, &bad_key(), &PROFILE);
    exchange.tell().await;
    exchange.ask().await;
    assert!(
        account.cooling("m").is_some(),
        "going on with what was found here"
    );
    account.forgive("m", Instant::now());
    punish(&health.account("openai", "b"), &bad_key(), &PROFILE);
    exchange.tell().await;

    let back = Arc::new(MemoryStore::new());
    exchange.store = back.clone();
    exchange.tell().await;
    let told = back.health_since(0).await.unwrap().transitions;
    assert_eq!(told.len(), 1, "the first was forgiven meanwhile: {told:?}");
    exchange.ask().await;
    assert!(health.account("openai", "b").cooling("m").is_some());
}

#[tokio::test(start_paused = true)]
async fn operators_see_how_busy_protected_accounts_are() {
    let store = Arc::new(MemoryStore::new());
    let ((here, _stop), (there, _other)) = (data_plane(&store, "here"), data_plane(&store, "there"));
    let limits = Default::default();
    let deadline = Instant::now() + SOON;
    let _a = account(&here).limiter().acquire(&limits, deadline).await.unwrap();
    drop(
        account(&there)
            .limiter()
            .acquire(&limits, deadline)
            .await
            .unwrap(),
    );
    let _idle = here.account("openai", "b");
    assert!(!within(Duration::from_secs(6), || false).await);
    let loads = store.loads().await.unwrap();
    assert_eq!(loads.len(), 1);
    let load = &loads[0];
    assert_eq!(
        (load.provider.as_str(), load.connection.as_str()),
        ("openai", "a")
    );
    assert_eq!((load.running, load.queued, load.done), (1, 0, 1));
}
