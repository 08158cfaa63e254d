use super::*;
use bytes::Bytes;
use futures::future::join_all;
use runtime::crypto::SealKey;
use state::{MemoryStore, RedisStore};
use std::sync::atomic::{AtomicUsize, Ordering};

const WINDOW: Duration = Duration::from_secs(5);

fn data_plane(store: &Arc<dyn StateStore>) -> Arc<Idempotency> {
    let vault = Vault::new(SealKey::derive("tests", "a secret of these tests, long enough"));
    Idempotency::new(store.clone(), vault, WINDOW)
}

fn fleet() -> [Arc<Idempotency>; 2] {
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
    [data_plane(&store), data_plane(&store)]
}

fn key(byte: u8) -> EntryKey {
    EntryKey {
        generation: 1,
        tenant: "t".to_owned(),
        hash: [byte; 32],
    }
}

fn answer(text: &str) -> StoredAnswer {
    StoredAnswer {
        body: Bytes::copy_from_slice(text.as_bytes()),
        ..StoredAnswer::default()
    }
}

async fn turn(data_plane: &Arc<Idempotency>, byte: u8) -> Turn {
    match data_plane.begin(key(byte)).await {
        Begun::Turn(turn) => turn,
        Begun::Wait(wait) => wait.turn().await,
    }
}

async fn granted(data_plane: &Arc<Idempotency>, byte: u8) -> Claim {
    match turn(data_plane, byte).await {
        Turn::Run(claim) => claim,
        Turn::Replay(answer) => panic!("answered before: {answer:?}"),
    }
}

async fn replayed(data_plane: &Arc<Idempotency>, byte: u8) -> Bytes {
    match turn(data_plane, byte).await {
        Turn::Run(_) => panic!("not answered before"),
        Turn::Replay(answer) => answer.body.clone(),
    }
}

/// Fifty duplicates over all data planes, of which the first `failures` that are carried out fail.
async fn storm(data_planes: &[Arc<Idempotency>], failures: usize) -> (usize, Vec<Bytes>) {
    let (runs, running) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let duplicate = |n: usize| {
        let (runs, running) = (&runs, &running);
        async move {
            let claim = match turn(&data_planes[n % data_planes.len()], 1).await {
                Turn::Replay(answer) => return Some(answer.body.clone()),
                Turn::Run(claim) => claim,
            };
            assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
            sleep(Duration::from_millis(700)).await;
            let run = runs.fetch_add(1, Ordering::SeqCst);
            running.fetch_sub(1, Ordering::SeqCst);
            if run < failures {
                return None;
            }
            let body = format!("answer {run}");
            claim.answer(answer(&body)).await;
            Some(Bytes::from(body))
        }
    };
    let bodies = join_all((0..50).map(duplicate)).await;
    (
        runs.load(Ordering::SeqCst),
        bodies.into_iter().flatten().collect(),
    )
}

#[tokio::test(start_paused = true)]
async fn duplicates_on_two_data_planes_are_carried_out_once_and_all_get_the_answer() {
    let (runs, bodies) = storm(&fleet(), 0).await;
    assert_eq!(runs, 1);
    assert_eq!(bodies, vec![Bytes::from("answer 0"); 50]);
}

#[tokio::test(start_paused = true)]
async fn each_failure_lets_exactly_one_of_those_that_wait_try() {
    let (runs, bodies) = storm(&fleet(), 3).await;
    assert_eq!(runs, 4);
    assert_eq!(bodies, vec![Bytes::from("answer 3"); 47]);
}

#[tokio::test(start_paused = true)]
async fn other_requests_do_not_wait() {
    let [one, other] = fleet();
    let _first = granted(&one, 1).await;
    let _second = granted(&one, 2).await;
    let _third = granted(&other, 3).await;
}

#[tokio::test(start_paused = true)]
async fn when_its_data_plane_dies_another_goes_on_after_the_lease() {
    let [one, other] = fleet();
    let mut claim = granted(&one, 1).await;
    // as after kill -9: nothing is released, nothing renewed
    claim.lease.take().unwrap().stop();
    let began = Instant::now();
    let _claim = granted(&other, 1).await;
    assert!(began.elapsed() > LEASE - LAST_POLL && began.elapsed() < LEASE + 2 * LAST_POLL);
}

#[tokio::test(start_paused = true)]
async fn a_request_may_take_longer_than_a_lease() {
    let [one, other] = fleet();
    let claim = granted(&one, 1).await;
    let waiting = tokio::spawn(async move { replayed(&other, 1).await });
    sleep(10 * LEASE).await;
    claim.answer(answer("late")).await;
    assert_eq!(waiting.await.unwrap(), "late");
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_right_after_the_answer_gets_it_on_either_data_plane() {
    let [one, other] = fleet();
    granted(&one, 1).await.answer(answer("a")).await;
    assert_eq!(replayed(&one, 1).await, "a");
    assert_eq!(replayed(&other, 1).await, "a");
    assert_eq!(one.len(), 1);
}

#[tokio::test]
async fn an_answer_is_forgotten_after_its_window() {
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
    let vault = Vault::new(SealKey::derive("tests", "a secret of these tests, long enough"));
    let window = Duration::from_millis(50);
    let data_plane = Idempotency::new(store, vault, window);
    granted(&data_plane, 1).await.answer(answer("a")).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Turn::Replay(_) = turn(&data_plane, 1).await {
        assert!(Instant::now() < deadline, "still remembered");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_to_remember_still_goes_to_those_that_wait_here() {
    let [one, other] = fleet();
    let claim = granted(&one, 1).await;
    let waiting = {
        let one = one.clone();
        tokio::spawn(async move { replayed(&one, 1).await.len() })
    };
    tokio::task::yield_now().await;
    claim.answer(answer(&"x".repeat(MAX_REPLAY_BYTES + 1))).await;
    assert_eq!(waiting.await.unwrap(), MAX_REPLAY_BYTES + 1);
    let _claim = granted(&other, 1).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_store_duplicates_of_this_data_plane_are_carried_out_once() {
    // nobody listens there
    let gone = RedisStore::connect("redis://127.0.0.1:1", "test").await.unwrap();
    let store: Arc<dyn StateStore> = Arc::new(gone);
    let (runs, bodies) = storm(&[data_plane(&store)], 1).await;
    assert_eq!(runs, 2);
    assert_eq!(bodies, vec![Bytes::from("answer 1"); 49]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_client_that_leaves_hands_its_place_to_the_next() {
    let [one, other] = fleet();
    let claim = granted(&one, 1).await;
    let wait = || {
        let other = other.clone();
        tokio::spawn(async move { replayed(&other, 1).await })
    };
    let (first, second) = (wait(), wait());
    sleep(Duration::from_millis(10)).await;
    first.abort();
    sleep(Duration::from_secs(1)).await;
    claim.answer(answer("a")).await;
    assert_eq!(second.await.unwrap(), "a");
}

#[tokio::test(start_paused = true)]
async fn the_first_look_waits_for_nobody() {
    let [one, other] = fleet();
    let _claim = granted(&one, 1).await;
    let began = Instant::now();
    assert!(matches!(one.begin(key(1)).await, Begun::Wait(Wait::Here { .. })));
    assert!(matches!(
        other.begin(key(1)).await,
        Begun::Wait(Wait::Elsewhere(_))
    ));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_go_on_after_the_first_look_leaves_nothing_behind() {
    let [one, other] = fleet();
    // refused by its limits, and its client gone, while a duplicate elsewhere waits
    let refused = granted(&one, 1).await;
    let waiting = other.begin(key(1)).await;
    drop(waiting);
    drop(refused);
    sleep(Duration::from_millis(1)).await;
    let began = Instant::now();
    let _claim = granted(&other, 1).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}
