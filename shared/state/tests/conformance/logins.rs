//! Revoked sessions of the management API and failed logins to it.

use crate::{SHORT, Scenario, WINDOW, eventually, passed};
use futures::future::{FutureExt, join_all};
use state::LoginStanding;
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
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

fn assert_locked(standing: LoginStanding) {
    assert!(
        matches!(standing, LoginStanding::Locked { until_in } if until_in <= WINDOW),
        "{standing:?}"
    );
}
