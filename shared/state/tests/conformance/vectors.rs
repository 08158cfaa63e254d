//! Vectors beside cached answers.

use crate::{SHORT, Scenario, WINDOW, bytes, passed};
use ::bytes::Bytes;
use futures::FutureExt;
use futures::future::join_all;
use state::{AddedVector, EntryKey, MAX_VECTORS, StateStore, VECTORS_AT_ONCE, VectorMark};
use std::sync::Arc;

pub const SCENARIOS: &[Scenario] = &[
    ("a partition without vectors has none, from any mark", |store| {
        async move {
            let none = store
                .vectors_since(&partition("t", 1), VectorMark::default())
                .await
                .unwrap();
            assert_eq!((none.mark, none.added), (VectorMark::default(), Vec::new()));
        }
        .boxed()
    }),
    ("vectors are told in the order they were added", |store| {
        async move {
            let here = partition("t", 1);
            for n in [3, 1, 2] {
                add(&store, &here, n).await;
            }
            assert_eq!(read(&store, &here).await, [3, 1, 2]);
        }
        .boxed()
    }),
    (
        "whoever knows a mark hears of what is newer, and of it once",
        |store| {
            async move {
                let here = partition("t", 1);
                add(&store, &here, 1).await;
                let first = store.vectors_since(&here, VectorMark::default()).await.unwrap();
                assert!(first.mark > VectorMark::default());
                let again = store.vectors_since(&here, first.mark).await.unwrap();
                assert_eq!((again.mark, again.added), (first.mark, Vec::new()));
                add(&store, &here, 2).await;
                add(&store, &here, 3).await;
                let newer = store.vectors_since(&here, first.mark).await.unwrap();
                assert_eq!(numbers(&newer.added), [2, 3]);
                assert!(newer.mark > first.mark);
                // somebody else begins at the beginning all the same
                assert_eq!(read(&store, &here).await, [1, 2, 3]);
            }
            .boxed()
        },
    ),
    ("a vector is any bytes, and may be added again", |store| {
        async move {
            let here = EntryKey {
                tenant: "with:}{all\nsorts".to_owned(),
                ..partition("t", 1)
            };
            let raw = Bytes::from((0..=255).cycle().take(6 << 10).collect::<Vec<u8>>());
            for sealed in [bytes("old"), raw.clone()] {
                store.add_vector(&here, &entry(7), sealed, WINDOW).await.unwrap();
            }
            let all = store.vectors_since(&here, VectorMark::default()).await.unwrap();
            let expected = [bytes("old"), raw].map(|sealed| AddedVector {
                entry: entry(7),
                sealed,
            });
            assert_eq!(all.added, expected);
        }
        .boxed()
    }),
    ("partitions are apart by hash, tenant and generation", |store| {
        async move {
            let here = partition("t", 1);
            let later = EntryKey {
                generation: 2,
                ..here.clone()
            };
            let apart = [
                partition("t", 2),
                partition("another", 1),
                partition("", 1),
                later,
            ];
            add(&store, &here, 1).await;
            for other in &apart {
                assert!(read(&store, other).await.is_empty(), "{other:?}");
            }
            for (other, n) in apart.iter().zip(2..) {
                add(&store, other, n).await;
            }
            assert_eq!(read(&store, &here).await, [1]);
            for (other, n) in apart.iter().zip(2..) {
                assert_eq!(read(&store, other).await, [n], "{other:?}");
            }
        }
        .boxed()
    }),
    (
        "a partition is bounded: the oldest go first, and all are told in several steps",
        |store| {
            async move {
                let here = partition("t", 1);
                let all: Vec<_> = (0..MAX_VECTORS + 30).collect();
                for batch in all.chunks(100) {
                    join_all(batch.iter().map(|n| add(&store, &here, *n))).await;
                }
                let mut mark = VectorMark::default();
                let mut told = Vec::new();
                loop {
                    let changes = store.vectors_since(&here, mark).await.unwrap();
                    assert!(changes.added.len() <= VECTORS_AT_ONCE);
                    if changes.added.is_empty() {
                        break;
                    }
                    assert!(changes.mark > mark);
                    mark = changes.mark;
                    told.extend(numbers(&changes.added));
                }
                assert_eq!(told.len(), MAX_VECTORS);
                told.sort_unstable();
                told.dedup();
                assert_eq!(told.len(), MAX_VECTORS, "each is told once");
                assert!(told.contains(&(MAX_VECTORS + 29)));
            }
            .boxed()
        },
    ),
    ("a partition ends with the last of its vectors", |store| {
        async move {
            let here = partition("t", 1);
            store
                .add_vector(&here, &entry(1), bytes("v"), SHORT)
                .await
                .unwrap();
            let before = store.vectors_since(&here, VectorMark::default()).await.unwrap();
            assert_eq!(numbers(&before.added), [1]);
            passed(&store, 2 * SHORT).await;
            assert!(read(&store, &here).await.is_empty());
            // and a mark from before still leads to what comes after
            add(&store, &here, 2).await;
            let after = store.vectors_since(&here, before.mark).await.unwrap();
            assert_eq!(numbers(&after.added), [2]);
        }
        .boxed()
    }),
    ("a short life does not shorten another's", |store| {
        async move {
            let here = partition("t", 1);
            add(&store, &here, 1).await;
            store
                .add_vector(&here, &entry(2), bytes("v"), SHORT)
                .await
                .unwrap();
            passed(&store, 2 * SHORT).await;
            assert_eq!(read(&store, &here).await[0], 1);
        }
        .boxed()
    }),
];

async fn add(store: &Arc<dyn StateStore>, partition: &EntryKey, n: usize) {
    store
        .add_vector(partition, &entry(n), bytes("vector"), WINDOW)
        .await
        .unwrap();
}

async fn read(store: &Arc<dyn StateStore>, partition: &EntryKey) -> Vec<usize> {
    let changes = store.vectors_since(partition, VectorMark::default()).await;
    numbers(&changes.unwrap().added)
}

fn numbers(added: &[AddedVector]) -> Vec<usize> {
    let number = |added: &AddedVector| usize::from_be_bytes(added.entry[..8].try_into().unwrap());
    added.iter().map(number).collect()
}

fn entry(n: usize) -> [u8; 32] {
    let mut entry = [0; 32];
    entry[..8].copy_from_slice(&n.to_be_bytes());
    entry
}

fn partition(tenant: &str, byte: u8) -> EntryKey {
    EntryKey {
        generation: 1,
        tenant: tenant.to_owned(),
        hash: [byte; 32],
    }
}
