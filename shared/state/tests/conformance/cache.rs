//! Answers that are given again.

use crate::{SHORT, Scenario, WINDOW, bytes, passed};
use ::bytes::Bytes;
use futures::FutureExt;
use futures::future::join_all;
use state::{CacheCounts, CacheHoldings, CacheReport, CacheStats, EntryKey, MAX_CACHED_ANSWERS, StateStore};
use std::sync::Arc;
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    ("an answer is found by its tenant, and by no other", |store| {
        async move {
            let other = EntryKey {
                tenant: "another".to_owned(),
                ..key(1, 1)
            };
            store
                .cache_answer(&key(1, 1), bytes("mine"), WINDOW)
                .await
                .unwrap();
            assert_eq!(found(&store, &key(1, 1)).await, Some(bytes("mine")));
            assert_eq!(found(&store, &other).await, None);
            store.cache_answer(&other, bytes("theirs"), WINDOW).await.unwrap();
            assert_eq!(found(&store, &key(1, 1)).await, Some(bytes("mine")));
            assert_eq!(found(&store, &other).await, Some(bytes("theirs")));
        }
        .boxed()
    }),
    ("nothing is found under another hash", |store| {
        async move {
            store
                .cache_answer(&key(1, 1), bytes("answer"), WINDOW)
                .await
                .unwrap();
            assert_eq!(found(&store, &key(1, 2)).await, None);
        }
        .boxed()
    }),
    (
        "another generation finds nothing of the one before, and not the other way round",
        |store| {
            async move {
                store
                    .cache_answer(&key(1, 1), bytes("old"), WINDOW)
                    .await
                    .unwrap();
                assert_eq!(found(&store, &key(2, 1)).await, None);
                store
                    .cache_answer(&key(2, 1), bytes("new"), WINDOW)
                    .await
                    .unwrap();
                assert_eq!(found(&store, &key(2, 1)).await, Some(bytes("new")));
                assert_eq!(found(&store, &key(1, 1)).await, Some(bytes("old")));
            }
            .boxed()
        },
    ),
    ("an answer may be any bytes, and the last one counts", |store| {
        async move {
            let raw = Bytes::from((0..=255).cycle().take(1 << 18).collect::<Vec<u8>>());
            let awkward = EntryKey {
                tenant: "with:}{all\nsorts".to_owned(),
                ..key(1, 1)
            };
            store.cache_answer(&awkward, bytes("old"), WINDOW).await.unwrap();
            store.cache_answer(&awkward, raw.clone(), WINDOW).await.unwrap();
            assert_eq!(found(&store, &awkward).await, Some(raw));
        }
        .boxed()
    }),
    ("an answer is forgotten when its time is over", |store| {
        async move {
            store
                .cache_answer(&key(1, 1), bytes("answer"), SHORT)
                .await
                .unwrap();
            passed(&store, 2 * SHORT).await;
            assert_eq!(found(&store, &key(1, 1)).await, None);
            assert_eq!(store.cache_stats(1).await.unwrap().stored, 0);
        }
        .boxed()
    }),
    (
        "whoever finds an answer learns how long it lasts, and it lasts no longer for it",
        |store| {
            async move {
                store
                    .cache_answer(&key(1, 1), bytes("answer"), WINDOW)
                    .await
                    .unwrap();
                let first = store.cached_answer(&key(1, 1)).await.unwrap().unwrap().left;
                assert!(
                    first > WINDOW - Duration::from_secs(10) && first <= WINDOW,
                    "{first:?}"
                );
                passed(&store, SHORT).await;
                let second = store.cached_answer(&key(1, 1)).await.unwrap().unwrap().left;
                assert!(second < first, "{second:?} of {first:?}");
            }
            .boxed()
        },
    ),
    ("answers are counted, each once, by generation", |store| {
        async move {
            for hash in [1, 2, 3, 3] {
                store
                    .cache_answer(&key(1, hash), bytes("answer"), WINDOW)
                    .await
                    .unwrap();
            }
            assert_eq!(store.cache_stats(1).await.unwrap().stored, 3);
            assert_eq!(store.cache_stats(2).await.unwrap().stored, 0);
            store
                .cache_answer(&key(2, 1), bytes("answer"), WINDOW)
                .await
                .unwrap();
            assert_eq!(store.cache_stats(1).await.unwrap().stored, 0);
            assert_eq!(store.cache_stats(2).await.unwrap().stored, 1);
        }
        .boxed()
    }),
    (
        "answers are bounded in number, and what ends the soonest goes first",
        |store| {
            async move {
                let most = u32::try_from(MAX_CACHED_ANSWERS).unwrap();
                let insert = |n: u32| {
                    let (store, key) = (store.clone(), numbered(n));
                    async move {
                        let ttl = WINDOW + Duration::from_secs(n.into());
                        store.cache_answer(&key, bytes("answer"), ttl).await.unwrap();
                    }
                };
                for batch in (0..most + 10).collect::<Vec<_>>().chunks(500) {
                    join_all(batch.iter().map(|n| insert(*n))).await;
                }
                let stored = store.cache_stats(1).await.unwrap().stored;
                assert!(stored <= most.into() && stored > 0, "{stored}");
                assert_eq!(found(&store, &numbered(0)).await, None);
                assert_eq!(found(&store, &numbered(most + 9)).await, Some(bytes("answer")));
            }
            .boxed()
        },
    ),
    ("counts of all data planes add up", |store| {
        async move {
            assert_eq!(store.cache_stats(1).await.unwrap(), CacheStats::default());
            store.report_cache("d1", &report(1, 3)).await.unwrap();
            store.report_cache("d2", &report(1, 4)).await.unwrap();
            store.report_cache("d1", &report(1, 5)).await.unwrap();
            let counts = store.cache_stats(1).await.unwrap().counts;
            assert_eq!(counts, report(1, 12).counts);
        }
        .boxed()
    }),
    (
        "what data planes hold is summed over their last reports",
        |store| {
            async move {
                store.report_cache("d1", &report(1, 3)).await.unwrap();
                store.report_cache("d2", &report(1, 4)).await.unwrap();
                store.report_cache("d1", &report(1, 5)).await.unwrap();
                let holdings = store.cache_stats(1).await.unwrap().holdings;
                assert_eq!(
                    holdings,
                    CacheHoldings {
                        entries: 9,
                        max_entries: 1000,
                        idempotency_keys: 18,
                        idempotency_window_ms: 5000,
                    }
                );
            }
            .boxed()
        },
    ),
    (
        "a newer generation counts from zero, and an older one counts no more",
        |store| {
            async move {
                store.report_cache("d1", &report(1, 3)).await.unwrap();
                store.report_cache("d1", &report(2, 4)).await.unwrap();
                assert_eq!(store.cache_stats(2).await.unwrap().counts, report(2, 4).counts);
                store.report_cache("d2", &report(1, 5)).await.unwrap();
                assert_eq!(store.cache_stats(2).await.unwrap().counts, report(2, 4).counts);
                assert_eq!(store.cache_stats(1).await.unwrap().counts, CacheCounts::default());
                // whoever is late with its configuration holds something all the same
                assert_eq!(store.cache_stats(2).await.unwrap().holdings.entries, 9);
            }
            .boxed()
        },
    ),
    ("generations are as large as numbers get", |store| {
        async move {
            let generation = (1 << 53) - 1;
            store
                .report_cache("d1", &report(generation - 1, 1))
                .await
                .unwrap();
            store.report_cache("d1", &report(generation, 2)).await.unwrap();
            let counts = store.cache_stats(generation).await.unwrap().counts;
            assert_eq!(counts, report(generation, 2).counts);
        }
        .boxed()
    }),
];

async fn found(store: &Arc<dyn StateStore>, key: &EntryKey) -> Option<Bytes> {
    let found = store.cached_answer(key).await.unwrap();
    found.map(|answer| answer.sealed)
}

fn key(generation: u64, hash: u8) -> EntryKey {
    EntryKey {
        generation,
        tenant: "tenant".to_owned(),
        hash: [hash; 32],
    }
}

fn numbered(n: u32) -> EntryKey {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&n.to_be_bytes());
    EntryKey { hash, ..key(1, 0) }
}

fn report(generation: u64, n: u64) -> CacheReport {
    CacheReport {
        generation,
        counts: CacheCounts {
            hits: n,
            similar_hits: 5 * n,
            misses: 2 * n,
            evictions: 3 * n,
            tokens_saved: 1_000_000_000_000 * n,
        },
        holdings: CacheHoldings {
            entries: n,
            max_entries: 500,
            idempotency_keys: 2 * n,
            idempotency_window_ms: 1000 * n,
        },
    }
}
