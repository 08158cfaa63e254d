//! The last good snapshot.

use crate::{Scenario, bytes};
use ::bytes::Bytes;
use futures::future::{FutureExt, join_all};

pub const SCENARIOS: &[Scenario] = &[
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
];
