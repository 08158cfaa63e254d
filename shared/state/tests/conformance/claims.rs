//! Requests that are carried out once.

use crate::{SHORT, Scenario, WINDOW, bytes, eventually, passed};
use ::bytes::Bytes;
use futures::future::{FutureExt, join_all};
use state::{Claim, EntryKey};
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    ("of concurrent claims exactly one is granted", |store| {
        async move {
            let claims = join_all((0..64).map(|n| {
                let store = store.clone();
                async move {
                    store
                        .claim_request(&key(1), &n.to_string(), WINDOW)
                        .await
                        .unwrap()
                }
            }))
            .await;
            let granted = claims.iter().filter(|claim| **claim == Claim::Granted).count();
            assert_eq!(granted, 1);
            let held = claims.iter().filter(|claim| matches!(claim, Claim::Held { .. }));
            assert_eq!(held.count(), 63);
        }
        .boxed()
    }),
    ("whoever waits learns when the lease ends", |store| {
        async move {
            store.claim_request(&key(1), "a", WINDOW).await.unwrap();
            let Claim::Held { lease_left } = store.claim_request(&key(1), "b", SHORT).await.unwrap() else {
                panic!("the claim was not held");
            };
            assert!(
                lease_left > WINDOW - Duration::from_secs(10) && lease_left <= WINDOW,
                "{lease_left:?}"
            );
        }
        .boxed()
    }),
    ("the holder may ask again", |store| {
        async move {
            for _ in 0..3 {
                let claim = store.claim_request(&key(1), "a", WINDOW).await.unwrap();
                assert_eq!(claim, Claim::Granted);
            }
        }
        .boxed()
    }),
    ("a claim is of one hash, one tenant and one generation", |store| {
        async move {
            let keys = [
                key(1),
                key(2),
                EntryKey {
                    tenant: "another".to_owned(),
                    ..key(1)
                },
                EntryKey {
                    tenant: "tenant:}{with all sorts of:things".to_owned(),
                    ..key(1)
                },
                EntryKey {
                    generation: 2,
                    ..key(1)
                },
            ];
            for (n, key) in keys.iter().enumerate() {
                let claim = store.claim_request(key, &n.to_string(), WINDOW).await.unwrap();
                assert_eq!(claim, Claim::Granted, "{key:?}");
            }
            for (n, key) in keys.iter().enumerate() {
                let answer = bytes(&n.to_string());
                let answered = store.answer_claim(key, &n.to_string(), answer, WINDOW).await;
                assert!(answered.unwrap(), "{key:?}");
            }
            for (n, key) in keys.iter().enumerate() {
                let claim = store.claim_request(key, "late", WINDOW).await.unwrap();
                assert_eq!(claim, Claim::Answered(bytes(&n.to_string())), "{key:?}");
            }
        }
        .boxed()
    }),
    ("everybody gets the answer, the holder too", |store| {
        async move {
            let raw = Bytes::from((0..=255).cycle().take(1 << 20).collect::<Vec<u8>>());
            store.claim_request(&key(1), "a", WINDOW).await.unwrap();
            assert!(
                store
                    .answer_claim(&key(1), "a", raw.clone(), WINDOW)
                    .await
                    .unwrap()
            );
            for holder in ["a", "b", "c"] {
                let claim = store.claim_request(&key(1), holder, WINDOW).await.unwrap();
                assert_eq!(claim, Claim::Answered(raw.clone()));
            }
        }
        .boxed()
    }),
    ("an answer may be empty", |store| {
        async move {
            store.claim_request(&key(1), "a", WINDOW).await.unwrap();
            let answered = store.answer_claim(&key(1), "a", Bytes::new(), WINDOW).await;
            assert!(answered.unwrap());
            let claim = store.claim_request(&key(1), "b", WINDOW).await.unwrap();
            assert_eq!(claim, Claim::Answered(Bytes::new()));
        }
        .boxed()
    }),
    (
        "an answer is forgotten after its window, whatever the lease was",
        |store| {
            async move {
                store.claim_request(&key(1), "a", WINDOW).await.unwrap();
                store
                    .answer_claim(&key(1), "a", bytes("answer"), SHORT)
                    .await
                    .unwrap();
                passed(&store, 2 * SHORT).await;
                let claim = store.claim_request(&key(1), "b", WINDOW).await.unwrap();
                assert_eq!(claim, Claim::Granted);
            }
            .boxed()
        },
    ),
    ("an answer outlives the lease it was made under", |store| {
        async move {
            store.claim_request(&key(1), "a", 4 * SHORT).await.unwrap();
            store
                .answer_claim(&key(1), "a", bytes("answer"), WINDOW)
                .await
                .unwrap();
            passed(&store, 5 * SHORT).await;
            let claim = store.claim_request(&key(1), "b", WINDOW).await.unwrap();
            assert_eq!(claim, Claim::Answered(bytes("answer")));
        }
        .boxed()
    }),
    (
        "after a release exactly one of those that wait is granted the claim",
        |store| {
            async move {
                store.claim_request(&key(1), "a", WINDOW).await.unwrap();
                assert!(store.release_claim(&key(1), "a").await.unwrap());
                let claims = join_all((0..32).map(|n| {
                    let store = store.clone();
                    async move {
                        store
                            .claim_request(&key(1), &n.to_string(), WINDOW)
                            .await
                            .unwrap()
                    }
                }))
                .await;
                let granted = claims.iter().filter(|claim| **claim == Claim::Granted).count();
                assert_eq!(granted, 1);
            }
            .boxed()
        },
    ),
    ("only its holder ends or renews a claim", |store| {
        async move {
            store.claim_request(&key(1), "a", WINDOW).await.unwrap();
            assert!(!store.release_claim(&key(1), "b").await.unwrap());
            assert!(!store.renew_claim(&key(1), "b", WINDOW).await.unwrap());
            let answered = store.answer_claim(&key(1), "b", bytes("of b"), WINDOW).await;
            assert!(!answered.unwrap());
            let claim = store.claim_request(&key(1), "c", WINDOW).await.unwrap();
            assert!(matches!(claim, Claim::Held { .. }), "{claim:?}");
        }
        .boxed()
    }),
    ("nobody ends or renews a claim that does not exist", |store| {
        async move {
            assert!(!store.release_claim(&key(1), "a").await.unwrap());
            assert!(!store.renew_claim(&key(1), "a", WINDOW).await.unwrap());
            let answered = store.answer_claim(&key(1), "a", bytes("answer"), WINDOW).await;
            assert!(!answered.unwrap());
            let claim = store.claim_request(&key(1), "b", WINDOW).await.unwrap();
            assert_eq!(claim, Claim::Granted);
        }
        .boxed()
    }),
    ("what is answered stays answered", |store| {
        async move {
            store.claim_request(&key(1), "a", WINDOW).await.unwrap();
            store
                .answer_claim(&key(1), "a", bytes("first"), WINDOW)
                .await
                .unwrap();
            assert!(!store.release_claim(&key(1), "a").await.unwrap());
            assert!(!store.renew_claim(&key(1), "a", SHORT).await.unwrap());
            let again = store.answer_claim(&key(1), "a", bytes("second"), WINDOW).await;
            assert!(!again.unwrap());
            let claim = store.claim_request(&key(1), "b", WINDOW).await.unwrap();
            assert_eq!(claim, Claim::Answered(bytes("first")));
        }
        .boxed()
    }),
    ("a claim whose holder vanished ends with its lease", |store| {
        async move {
            store.claim_request(&key(1), "a", SHORT).await.unwrap();
            eventually(|| async {
                store.claim_request(&key(1), "b", WINDOW).await.unwrap() == Claim::Granted
            })
            .await;
            // the late end of the one that lost it
            let answered = store.answer_claim(&key(1), "a", bytes("of a"), WINDOW).await;
            assert!(!answered.unwrap());
            assert!(!store.release_claim(&key(1), "a").await.unwrap());
            let claim = store.claim_request(&key(1), "c", WINDOW).await.unwrap();
            assert!(matches!(claim, Claim::Held { .. }), "{claim:?}");
        }
        .boxed()
    }),
    ("a renewed claim stays beyond its first lease", |store| {
        async move {
            store.claim_request(&key(1), "a", 4 * SHORT).await.unwrap();
            assert!(store.renew_claim(&key(1), "a", WINDOW).await.unwrap());
            passed(&store, 5 * SHORT).await;
            let claim = store.claim_request(&key(1), "b", WINDOW).await.unwrap();
            assert!(matches!(claim, Claim::Held { .. }), "{claim:?}");
        }
        .boxed()
    }),
];

fn key(hash: u8) -> EntryKey {
    EntryKey {
        generation: 1,
        tenant: "tenant".to_owned(),
        hash: [hash; 32],
    }
}
