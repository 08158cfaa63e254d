//! One list of scenarios, both backends. A difference in what a caller can observe fails here.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy takes what surrounds a test function for production code"
)]

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, join_all};
use state::{LoginStanding, MemoryStore, RedisStore, StateStore};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

type Scenario = (&'static str, fn(Arc<dyn StateStore>) -> BoxFuture<'static, ()>);

const WINDOW: Duration = Duration::from_secs(60);
/// Short enough to wait for, long enough not to pass by accident.
const SHORT: Duration = Duration::from_millis(60);

const SCENARIOS: &[Scenario] = &[
    ("an empty store has no snapshot", |store| {
        async move { assert_eq!(store.load_snapshot().await.unwrap(), None) }.boxed()
    }),
    ("the first snapshot is stored and read back", |store| {
        async move {
            assert!(store.store_snapshot("a", 1, bytes("one")).await.unwrap());
            assert_eq!(store.load_snapshot().await.unwrap(), Some(bytes("one")));
        }
        .boxed()
    }),
    ("a newer revision replaces", |store| {
        async move {
            store.store_snapshot("a", 9, bytes("nine")).await.unwrap();
            // as numbers, not as text
            assert!(store.store_snapshot("a", 10, bytes("ten")).await.unwrap());
            assert_eq!(store.load_snapshot().await.unwrap(), Some(bytes("ten")));
        }
        .boxed()
    }),
    ("an older revision does not replace", |store| {
        async move {
            store.store_snapshot("a", 10, bytes("ten")).await.unwrap();
            assert!(!store.store_snapshot("a", 9, bytes("nine")).await.unwrap());
            assert_eq!(store.load_snapshot().await.unwrap(), Some(bytes("ten")));
        }
        .boxed()
    }),
    ("the same revision does not replace", |store| {
        async move {
            store.store_snapshot("a", 10, bytes("ten")).await.unwrap();
            assert!(!store.store_snapshot("a", 10, bytes("other")).await.unwrap());
            assert_eq!(store.load_snapshot().await.unwrap(), Some(bytes("ten")));
        }
        .boxed()
    }),
    ("another epoch replaces whatever its revision", |store| {
        async move {
            store.store_snapshot("a", 10, bytes("ten")).await.unwrap();
            assert!(store.store_snapshot("b", 1, bytes("restored")).await.unwrap());
            assert_eq!(store.load_snapshot().await.unwrap(), Some(bytes("restored")));
        }
        .boxed()
    }),
    ("a snapshot may be any bytes", |store| {
        async move {
            let raw = Bytes::from((0..=255).cycle().take(3 << 20).collect::<Vec<u8>>());
            store.store_snapshot("a", 1, raw.clone()).await.unwrap();
            assert_eq!(store.load_snapshot().await.unwrap(), Some(raw));
        }
        .boxed()
    }),
    ("of concurrent stores the newest wins", |store| {
        async move {
            join_all((1..=64).map(|revision| {
                let store = store.clone();
                async move {
                    store
                        .store_snapshot("a", revision, bytes(&revision.to_string()))
                        .await
                        .unwrap()
                }
            }))
            .await;
            assert_eq!(store.load_snapshot().await.unwrap(), Some(bytes("64")));
        }
        .boxed()
    }),
    (
        "of concurrent stores of one revision exactly one is written",
        |store| {
            async move {
                let written = join_all((0..64).map(|n: u32| {
                    let store = store.clone();
                    async move {
                        store
                            .store_snapshot("a", 7, bytes(&n.to_string()))
                            .await
                            .unwrap()
                            .then_some(n)
                    }
                }))
                .await;
                let winners: Vec<_> = written.into_iter().flatten().collect();
                let [winner] = winners[..] else {
                    panic!("{winners:?}")
                };
                assert_eq!(
                    store.load_snapshot().await.unwrap(),
                    Some(bytes(&winner.to_string()))
                );
            }
            .boxed()
        },
    ),
    ("a session is valid until it is revoked", |store| {
        async move {
            assert!(!store.session_revoked("s1").await.unwrap());
            store.revoke_session("s1", WINDOW).await.unwrap();
            assert!(store.session_revoked("s1").await.unwrap());
            assert!(!store.session_revoked("s2").await.unwrap());
        }
        .boxed()
    }),
    ("a revocation ends with the session's life", |store| {
        async move {
            store.revoke_session("s1", SHORT).await.unwrap();
            eventually(|| async { !store.session_revoked("s1").await.unwrap() }).await;
        }
        .boxed()
    }),
    ("a session without life left can be revoked", |store| {
        async move {
            store.revoke_session("s1", Duration::ZERO).await.unwrap();
            eventually(|| async { !store.session_revoked("s1").await.unwrap() }).await;
        }
        .boxed()
    }),
    ("nobody is locked at first", |store| {
        async move {
            assert_eq!(
                store.login_standing("ip").await.unwrap(),
                LoginStanding::Open { failures: 0 }
            )
        }
        .boxed()
    }),
    ("failures count up to the lock", |store| {
        async move {
            for failures in 1..5 {
                let standing = store.login_failure("ip", WINDOW, 5).await.unwrap();
                assert_eq!(standing, LoginStanding::Open { failures });
                assert_eq!(store.login_standing("ip").await.unwrap(), standing);
            }
            assert_locked(store.login_failure("ip", WINDOW, 5).await.unwrap());
            assert_locked(store.login_standing("ip").await.unwrap());
        }
        .boxed()
    }),
    ("one identity does not lock another", |store| {
        async move {
            assert_locked(store.login_failure("a", WINDOW, 1).await.unwrap());
            assert_eq!(
                store.login_standing("b").await.unwrap(),
                LoginStanding::Open { failures: 0 }
            );
        }
        .boxed()
    }),
    ("a success clears failures and lock", |store| {
        async move {
            store.login_failure("ip", WINDOW, 1).await.unwrap();
            store.login_clear("ip").await.unwrap();
            assert_eq!(
                store.login_standing("ip").await.unwrap(),
                LoginStanding::Open { failures: 0 }
            );
            assert_eq!(
                store.login_failure("ip", WINDOW, 2).await.unwrap(),
                LoginStanding::Open { failures: 1 }
            );
        }
        .boxed()
    }),
    ("a lock ends and the count starts anew", |store| {
        async move {
            assert_locked(store.login_failure("ip", SHORT, 1).await.unwrap());
            let open = LoginStanding::Open { failures: 0 };
            eventually(|| async { store.login_standing("ip").await.unwrap() == open }).await;
            assert_eq!(
                store.login_failure("ip", WINDOW, 2).await.unwrap(),
                LoginStanding::Open { failures: 1 }
            );
        }
        .boxed()
    }),
    ("failures outside the window are forgotten", |store| {
        async move {
            store.login_failure("ip", SHORT, 2).await.unwrap();
            let open = LoginStanding::Open { failures: 0 };
            eventually(|| async { store.login_standing("ip").await.unwrap() == open }).await;
            assert_eq!(
                store.login_failure("ip", SHORT, 2).await.unwrap(),
                LoginStanding::Open { failures: 1 }
            );
        }
        .boxed()
    }),
    ("concurrent failures are all counted", |store| {
        async move {
            join_all((0..32).map(|_| store.login_failure("ip", WINDOW, 100))).await;
            assert_eq!(
                store.login_standing("ip").await.unwrap(),
                LoginStanding::Open { failures: 32 }
            );
        }
        .boxed()
    }),
    ("of concurrent failures exactly one locks", |store| {
        async move {
            let standings = join_all((0..32).map(|_| store.login_failure("ip", WINDOW, 32))).await;
            let locked = |s: &&Result<_, _>| matches!(s, Ok(LoginStanding::Locked { .. }));
            assert_eq!(standings.iter().filter(locked).count(), 1, "{standings:?}");
            assert_locked(store.login_standing("ip").await.unwrap());
        }
        .boxed()
    }),
    ("a failure while locked is counted and does not unlock", |store| {
        async move {
            assert_locked(store.login_failure("ip", WINDOW, 1).await.unwrap());
            assert_locked(store.login_failure("ip", WINDOW, 5).await.unwrap());
            assert_locked(store.login_standing("ip").await.unwrap());
        }
        .boxed()
    }),
    ("each failure is remembered for its own window", |store| {
        async move {
            for (first, second) in [(SHORT, WINDOW), (WINDOW, SHORT)] {
                store.login_failure("ip", first, 10).await.unwrap();
                store.login_failure("ip", second, 10).await.unwrap();
                let one_left = LoginStanding::Open { failures: 1 };
                eventually(|| async { store.login_standing("ip").await.unwrap() == one_left }).await;
                // the other one is not next to go
                passed(&store, 2 * SHORT).await;
                assert_eq!(store.login_standing("ip").await.unwrap(), one_left);
                store.login_clear("ip").await.unwrap();
            }
        }
        .boxed()
    }),
    ("a shorter lock does not end a longer one", |store| {
        async move {
            assert_locked(store.login_failure("ip", WINDOW, 1).await.unwrap());
            assert_locked(store.login_failure("ip", SHORT, 1).await.unwrap());
            passed(&store, 2 * SHORT).await;
            assert_locked(store.login_standing("ip").await.unwrap());
        }
        .boxed()
    }),
    ("clearing what is not there is no error", |store| {
        async move { store.login_clear("nobody").await.unwrap() }.boxed()
    }),
    ("a store that is there answers a ping", |store| {
        async move { assert!(store.ping().await.unwrap() < Duration::from_secs(2)) }.boxed()
    }),
];

#[tokio::test]
async fn the_memory_store_conforms() {
    for (name, scenario) in SCENARIOS {
        eprintln!("{name}");
        scenario(Arc::new(MemoryStore::new())).await;
    }
}

#[tokio::test]
async fn the_redis_store_conforms() {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL is not set: run this by `make test`");
    for (name, scenario) in SCENARIOS {
        eprintln!("{name}");
        let prefix = format!("test:{}", Uuid::now_v7());
        let store = RedisStore::connect(&url, &prefix)
            .await
            .unwrap()
            .with_deadline(Duration::from_secs(5));
        scenario(Arc::new(store)).await;
    }
}

#[tokio::test]
async fn deployments_that_share_a_redis_do_not_see_each_other() {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL is not set: run this by `make test`");
    let store = async |name: &str| {
        let prefix = format!("test:{}:{name}", Uuid::now_v7());
        let store = RedisStore::connect(&url, &prefix).await.unwrap();
        store.with_deadline(Duration::from_secs(5))
    };
    let (one, other) = (store("one").await, store("other").await);
    one.store_snapshot("a", 1, bytes("one")).await.unwrap();
    one.revoke_session("s1", WINDOW).await.unwrap();
    one.login_failure("ip", WINDOW, 1).await.unwrap();
    assert_eq!(other.load_snapshot().await.unwrap(), None);
    assert!(!other.session_revoked("s1").await.unwrap());
    assert_eq!(
        other.login_standing("ip").await.unwrap(),
        LoginStanding::Open { failures: 0 }
    );
}

#[tokio::test]
async fn a_store_that_is_not_there_fails_within_its_deadline() {
    let store = RedisStore::connect("redis://127.0.0.1:1", "test").await.unwrap();
    let asked = Instant::now();
    store.session_revoked("s1").await.unwrap_err();
    assert!(
        asked.elapsed() < Duration::from_millis(500),
        "{:?}",
        asked.elapsed()
    );
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

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn assert_locked(standing: LoginStanding) {
    assert!(
        matches!(standing, LoginStanding::Locked { until_in } if until_in <= WINDOW),
        "{standing:?}"
    );
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
