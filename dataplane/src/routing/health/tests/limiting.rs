use super::*;
use crate::routing::health::{Full, Limiter, Limits, Permit};
use http::{HeaderMap, HeaderName, StatusCode};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::task::yield_now;

const OPEN: Limits = Limits {
    concurrent: u32::MAX,
    gap: Duration::ZERO,
    per_minute: None,
};
const LONG: Duration = Duration::from_secs(3600);

fn limiter() -> Arc<Limiter> {
    account(&Health::default()).limiter().clone()
}

async fn acquire(limiter: &Arc<Limiter>, limits: Limits) -> Result<Permit, Full> {
    limiter.acquire(&limits, Instant::now() + LONG).await
}

fn waiting(limiter: &Arc<Limiter>, limits: Limits) -> JoinHandle<Result<Permit, Full>> {
    let limiter = limiter.clone();
    tokio::spawn(async move { acquire(&limiter, limits).await })
}

/// Lets everything run that can without the clock moving.
async fn settle() {
    for _ in 0..1000 {
        yield_now().await;
    }
}

fn observe(limiter: &Limiter, status: u16, headers: &[(&'static str, &str)]) {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .collect();
    limiter.observe(StatusCode::from_u16(status).unwrap(), &headers);
}

/// How many calls start at once now, each kept running.
async fn burst(limiter: &Arc<Limiter>, limits: Limits) -> usize {
    let mut started = Vec::new();
    while let Ok(permit) = limiter.acquire(&limits, Instant::now()).await {
        started.push(permit);
        assert!(started.len() < 1000, "no limit");
    }
    started.len()
}

#[tokio::test(start_paused = true)]
async fn so_many_run_at_a_time_and_a_permit_counts_until_it_is_dropped() {
    let limits = Limits {
        concurrent: 2,
        ..OPEN
    };
    let limiter = limiter();
    let first = acquire(&limiter, limits).await.unwrap();
    let _second = acquire(&limiter, limits).await.unwrap();
    let third = waiting(&limiter, limits);
    advance(Duration::from_secs(29)).await;
    settle().await;
    assert!(!third.is_finished(), "the stream of the first still runs");
    let load = limiter.load();
    assert_eq!((load.queued, load.running, load.done), (1, 2, 0));
    drop(first);
    drop(third.await.unwrap().unwrap());
    let load = limiter.load();
    assert_eq!((load.queued, load.running, load.done), (0, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn who_came_first_is_served_first() {
    let limits = Limits {
        concurrent: 1,
        ..OPEN
    };
    let limiter = limiter();
    let running = acquire(&limiter, limits).await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut callers = Vec::new();
    for n in 0..20 {
        let (limiter, order) = (limiter.clone(), order.clone());
        callers.push(tokio::spawn(async move {
            let permit = acquire(&limiter, limits).await;
            order.lock().push(n);
            drop(permit);
        }));
        settle().await;
    }
    // one that gives up in the middle holds up nobody
    callers.remove(7).abort();
    drop(running);
    for caller in callers {
        caller.await.unwrap();
    }
    let expected: Vec<i32> = (0..20).filter(|n| *n != 7).collect();
    assert_eq!(*order.lock(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_full_at_a_hundred() {
    let limits = Limits {
        concurrent: 1,
        ..OPEN
    };
    let limiter = limiter();
    let _running = acquire(&limiter, limits).await.unwrap();
    let callers: Vec<_> = (0..100).map(|_| waiting(&limiter, limits)).collect();
    settle().await;
    assert_eq!(limiter.load().queued, 100);
    let before = Instant::now();
    let full = acquire(&limiter, limits).await.err().unwrap();
    assert_eq!(full.retry_after, Duration::from_secs(1));
    assert_eq!(Instant::now(), before, "one too many is told at once");
    callers[0].abort();
    settle().await;
    assert_eq!(limiter.load().queued, 99);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_half_a_minute_or_the_deadline() {
    let limits = Limits {
        concurrent: 1,
        ..OPEN
    };
    let limiter = limiter();
    let _running = acquire(&limiter, limits).await.unwrap();
    for (deadline, waits) in [(LONG, 30), (Duration::from_secs(3), 3)] {
        let before = Instant::now();
        assert!(limiter.acquire(&limits, before + deadline).await.is_err());
        assert_eq!(before.elapsed(), Duration::from_secs(waits));
    }
    assert_eq!(limiter.load().queued, 0);
}

#[tokio::test(start_paused = true)]
async fn starts_keep_their_distance() {
    let limits = Limits {
        gap: Duration::from_millis(200),
        ..OPEN
    };
    let limiter = limiter();
    let before = Instant::now();
    for n in 0..5 {
        drop(acquire(&limiter, limits).await.unwrap());
        assert_eq!(before.elapsed().as_millis(), n * 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_filled_once_a_minute() {
    let limits = Limits {
        per_minute: Some(5),
        ..OPEN
    };
    let limiter = limiter();
    assert_eq!(burst(&limiter, limits).await, 5);
    advance(Duration::from_secs(20)).await;
    let full = acquire(&limiter, limits).await.err().unwrap();
    assert_eq!(
        full.retry_after,
        Duration::from_secs(40),
        "longer than anybody waits"
    );
    advance(Duration::from_secs(40)).await;
    assert_eq!(burst(&limiter, limits).await, 5);
}

#[tokio::test(start_paused = true)]
async fn data_planes_share_what_an_account_bears() {
    let health = Health::default();
    health.set_data_planes(3);
    let limiter = account(&health).limiter().clone();
    let limits = Limits {
        concurrent: 10,
        ..OPEN
    };
    assert_eq!(burst(&limiter, limits).await, 3);
    let limits = Limits {
        per_minute: Some(2),
        ..OPEN
    };
    assert_eq!(burst(&limiter, limits).await, 1, "one is the least");
    health.set_data_planes(0);
    let limits = Limits {
        concurrent: 10,
        ..OPEN
    };
    let limiter = health.account("openai", "b").limiter().clone();
    assert_eq!(burst(&limiter, limits).await, 10, "this one is always there");
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_tells_replaces_what_was_configured() {
    let configured = Limits {
        per_minute: Some(100),
        ..OPEN
    };
    // few left: only those, and a gap
    let few = limiter();
    observe(
        &few,
        200,
        &[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "3"),
            ("x-ratelimit-reset-requests", "20s"),
        ],
    );
    let before = Instant::now();
    for n in 0..3 {
        drop(acquire(&few, configured).await.unwrap());
        assert_eq!(before.elapsed().as_millis(), n * 990);
    }
    drop(acquire(&few, configured).await.unwrap());
    assert_eq!(
        before.elapsed(),
        Duration::from_secs(20),
        "the reset it was told of"
    );
    let load = few.load();
    assert_eq!((load.limit, load.remaining), (Some(60), Some(3)));

    // plenty left: no limits
    let plenty = limiter();
    observe(
        &plenty,
        200,
        &[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
        ],
    );
    let before = Instant::now();
    for _ in 0..200 {
        drop(acquire(&plenty, configured).await.unwrap());
    }
    assert_eq!(before.elapsed(), Duration::ZERO);

    // over its limit, it says
    let over = limiter();
    observe(&over, 200, &[("x-ratelimit-over-limit", "yes")]);
    let before = Instant::now();
    drop(acquire(&over, configured).await.unwrap());
    drop(acquire(&over, configured).await.unwrap());
    assert_eq!(before.elapsed(), Duration::from_millis(200));
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_nothing_starts_until_the_provider_allows_it() {
    let limiter = limiter();
    observe(&limiter, 429, &[("retry-after", "12")]);
    let before = Instant::now();
    drop(acquire(&limiter, OPEN).await.unwrap());
    assert_eq!(before.elapsed(), Duration::from_secs(12));
    assert_eq!(
        burst(&limiter, OPEN).await,
        59,
        "sixty a minute from a provider that never told"
    );

    observe(&limiter, 429, &[]);
    let full = acquire(&limiter, OPEN).await.err().unwrap();
    assert_eq!(full.retry_after, Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_hear_that_there_are_no_limits_any_more() {
    let limits = Limits {
        gap: Duration::from_secs(20),
        ..OPEN
    };
    let limiter = limiter();
    drop(acquire(&limiter, limits).await.unwrap());
    let before = Instant::now();
    let next = waiting(&limiter, limits);
    settle().await;
    observe(
        &limiter,
        200,
        &[
            ("x-ratelimit-limit-requests", "1000"),
            ("x-ratelimit-remaining-requests", "900"),
        ],
    );
    assert!(next.await.unwrap().is_ok());
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn headers_that_make_no_sense_are_not_learnt_from() {
    let limiter = limiter();
    for limit in ["0", "-1", "1e99", "99999999999999999999", "", "many"] {
        observe(
            &limiter,
            200,
            &[
                ("x-ratelimit-limit-requests", limit),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "1e300"),
            ],
        );
    }
    let endless = [
        ("x-ratelimit-limit-requests", "10"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "18446744073709551615"),
        ("retry-after", "18446744073709551615"),
    ];
    let other = self::limiter();
    observe(&other, 429, &endless);
    assert!(acquire(&other, OPEN).await.is_err());
    let before = Instant::now();
    for _ in 0..50 {
        drop(acquire(&limiter, OPEN).await.unwrap());
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
}
