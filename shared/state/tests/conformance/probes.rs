//! Who may try a provider whose breaker is open.

use crate::{SHORT, Scenario, WINDOW, eventually};
use futures::future::{FutureExt, join_all};
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    ("of concurrent claims exactly one is granted", |store| {
        async move {
            let claims = join_all((0..64).map(|n| {
                let store = store.clone();
                async move {
                    let holder = n.to_string();
                    store.claim_probe("openai", &holder, WINDOW).await.unwrap()
                }
            }))
            .await;
            assert_eq!(claims.into_iter().filter(|granted| *granted).count(), 1);
        }
        .boxed()
    }),
    ("the holder is refused a second probe too", |store| {
        async move {
            assert!(store.claim_probe("openai", "d1", WINDOW).await.unwrap());
            assert!(!store.claim_probe("openai", "d1", WINDOW).await.unwrap());
        }
        .boxed()
    }),
    ("a probe of one provider is none of another", |store| {
        async move {
            assert!(store.claim_probe("openai", "d1", WINDOW).await.unwrap());
            assert!(store.claim_probe("claude", "d1", WINDOW).await.unwrap());
        }
        .boxed()
    }),
    ("a released probe is free for others", |store| {
        async move {
            assert!(store.claim_probe("openai", "d1", WINDOW).await.unwrap());
            store.release_probe("openai", "d1").await.unwrap();
            assert!(store.claim_probe("openai", "d2", WINDOW).await.unwrap());
        }
        .boxed()
    }),
    ("only its holder releases a probe", |store| {
        async move {
            store.release_probe("openai", "d2").await.unwrap();
            assert!(store.claim_probe("openai", "d1", WINDOW).await.unwrap());
            store.release_probe("openai", "d2").await.unwrap();
            assert!(!store.claim_probe("openai", "d2", WINDOW).await.unwrap());
        }
        .boxed()
    }),
    ("a probe whose holder vanished ends with its lease", |store| {
        async move {
            assert!(store.claim_probe("openai", "d1", SHORT).await.unwrap());
            eventually(|| async { store.claim_probe("openai", "d2", WINDOW).await.unwrap() }).await;
            // the late release of the one that lost it
            store.release_probe("openai", "d1").await.unwrap();
            assert!(!store.claim_probe("openai", "d3", WINDOW).await.unwrap());
        }
        .boxed()
    }),
    ("a lease without length ends", |store| {
        async move {
            store.claim_probe("openai", "d1", Duration::ZERO).await.unwrap();
            eventually(|| async { store.claim_probe("openai", "d2", WINDOW).await.unwrap() }).await;
        }
        .boxed()
    }),
];
