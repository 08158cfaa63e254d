//! Counts of combos.

use crate::Scenario;
use futures::future::{FutureExt, join_all};
use state::ComboCount;

pub const SCENARIOS: &[Scenario] = &[
    ("counts add up, for each model and for the combo", |store| {
        async move {
            let whole = count("smart", "", 10, true);
            let model = count("smart", "claude/opus", 10, true);
            store
                .add_combo_counts(&[model.clone(), whole.clone()])
                .await
                .unwrap();
            store
                .add_combo_counts(std::slice::from_ref(&whole))
                .await
                .unwrap();
            let twice = ComboCount {
                requests: 2 * whole.requests,
                successes: 2 * whole.successes,
                failures: 2 * whole.failures,
                fallbacks: 2 * whole.fallbacks,
                latency_ms: 2 * whole.latency_ms,
                ..whole
            };
            assert_eq!(store.combo_counts(None).await.unwrap(), [twice, model]);
        }
        .boxed()
    }),
    ("one combo's counts can be had alone, ordered by model", |store| {
        async move {
            let counts = ["b", "", "a"].map(|model| count("smart", model, 1, true));
            store.add_combo_counts(&counts).await.unwrap();
            store
                .add_combo_counts(&[count("smarter", "a", 1, true), count("", "smart", 1, true)])
                .await
                .unwrap();
            let [b, whole, a] = counts;
            assert_eq!(store.combo_counts(Some("smart")).await.unwrap(), [whole, a, b]);
            assert_eq!(store.combo_counts(None).await.unwrap().len(), 5);
            assert_eq!(store.combo_counts(Some("nobody")).await.unwrap(), []);
        }
        .boxed()
    }),
    ("names that join to the same text are two", |store| {
        async move {
            let counts = [count("a", "bc", 1, true), count("ab", "c", 1, true)];
            store.add_combo_counts(&counts).await.unwrap();
            assert_eq!(store.combo_counts(None).await.unwrap(), counts);
        }
        .boxed()
    }),
    (
        "the latest use says how it went, whatever arrives last",
        |store| {
            async move {
                for (used, ok) in [(10, true), (30, false), (20, true)] {
                    store
                        .add_combo_counts(&[count("smart", "", used, ok)])
                        .await
                        .unwrap();
                }
                let counts = store.combo_counts(Some("smart")).await.unwrap();
                assert_eq!((counts[0].last_used_ms, counts[0].last_ok), (30, false));
            }
            .boxed()
        },
    ),
    ("concurrent counts are all added", |store| {
        async move {
            join_all((0..64).map(|n| {
                let store = store.clone();
                async move {
                    store
                        .add_combo_counts(&[count("smart", "", n, true)])
                        .await
                        .unwrap()
                }
            }))
            .await;
            let counts = store.combo_counts(None).await.unwrap();
            assert_eq!(counts.len(), 1);
            assert_eq!((counts[0].requests, counts[0].last_used_ms), (64 * 7, 63));
        }
        .boxed()
    }),
    ("counts of years fit", |store| {
        async move {
            let years = 1 << 50;
            let long = ComboCount {
                combo: "smart".to_owned(),
                latency_ms: years,
                last_used_ms: 1_800_000_000_123,
                ..ComboCount::default()
            };
            store
                .add_combo_counts(&[long.clone(), count("smart", "", 1, false)])
                .await
                .unwrap();
            let counts = store.combo_counts(None).await.unwrap();
            assert_eq!(counts[0].latency_ms, years + 900);
            assert_eq!(counts[0].last_used_ms, 1_800_000_000_123);
        }
        .boxed()
    }),
    (
        "a count beyond all bounds does not make the others unreadable",
        |store| {
            async move {
                let mut absurd = count("smart", "", 1, true);
                absurd.requests = u64::MAX;
                for _ in 0..2 {
                    store
                        .add_combo_counts(&[absurd.clone(), count("b", "", 1, true)])
                        .await
                        .unwrap();
                }
                let counts = store.combo_counts(None).await.unwrap();
                assert!(counts[1].requests >= 1 << 53);
                assert_eq!(counts[0].requests, 14);
            }
            .boxed()
        },
    ),
    ("one combo can be cleared, or all", |store| {
        async move {
            let counts = [
                count("a", "", 1, true),
                count("a", "x", 1, true),
                count("b", "", 1, true),
                count("c", "", 1, true),
            ];
            store.add_combo_counts(&counts).await.unwrap();
            store.clear_combo_counts(Some("a")).await.unwrap();
            assert_eq!(store.combo_counts(None).await.unwrap(), counts[2..]);
            store.clear_combo_counts(None).await.unwrap();
            assert_eq!(store.combo_counts(None).await.unwrap(), []);
        }
        .boxed()
    }),
    ("counting or clearing nothing is no error", |store| {
        async move {
            store.add_combo_counts(&[]).await.unwrap();
            store.clear_combo_counts(Some("nobody")).await.unwrap();
            store.clear_combo_counts(None).await.unwrap();
            assert_eq!(store.combo_counts(None).await.unwrap(), []);
        }
        .boxed()
    }),
];

fn count(combo: &str, model: &str, last_used_ms: i64, last_ok: bool) -> ComboCount {
    ComboCount {
        combo: combo.to_owned(),
        model: model.to_owned(),
        requests: 7,
        successes: 4,
        failures: 3,
        fallbacks: 2,
        latency_ms: 900,
        last_used_ms,
        last_ok,
    }
}
