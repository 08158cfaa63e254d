//! Rates of API keys: requests and tokens for each span of time.

use crate::admission::{Store, admitted, asked, denied, refunding, settle, short};
use crate::{SHORT, Scenario, eventually, passed};
use futures::future::{FutureExt, join_all};
use state::{Admission, Limit, Rate, RateStanding, Refund, Settled, Verdict};
use std::time::Duration;

/// So long that nothing is filled up again while a scenario runs.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub const SCENARIOS: &[Scenario] = &[
    ("a bucket gives what it holds and no more", |store| {
        async move {
            for remaining in (0..3).rev() {
                let ruling = admitted(&store, &one_of("k", &format!("r{remaining}"), 3)).await;
                assert_eq!(ruling.rates[0].remaining, remaining);
            }
            denied(&store, &one_of("k", "r", 3), Limit::Rate(0)).await;
        }
        .boxed()
    }),
    ("a request that ended does not fill a bucket", |store| {
        async move {
            admitted(&store, &one_of("k", "r1", 1)).await;
            assert_eq!(settle(&store, "k", "r1").await, Settled::Running);
            denied(&store, &one_of("k", "r2", 1), Limit::Rate(0)).await;
        }
        .boxed()
    }),
    ("time fills a bucket, evenly", |store| {
        async move {
            let request = |name: &str| with("k", name, [rate("rpm", 4, 4 * SHORT, 1)]);
            for name in ["r1", "r2", "r3", "r4"] {
                admitted(&store, &request(name)).await;
            }
            let retry = denied(&store, &request("r5"), Limit::Rate(0)).await.unwrap();
            assert!(retry <= SHORT, "{retry:?}");
            passed(&store, retry + Duration::from_millis(1)).await;
            admitted(&store, &request("r5")).await;
        }
        .boxed()
    }),
    (
        "a bucket holds no more than its limit, however long nobody asks",
        |store| {
            async move {
                let request = |name: &str| with("k", name, [rate("rpm", 2, SHORT, 1)]);
                admitted(&store, &request("r0")).await;
                passed(&store, 4 * SHORT).await;
                let slow = |name: &str| with("k", name, [rate("rpm", 2, DAY, 1)]);
                assert_eq!(admitted(&store, &slow("r1")).await.rates[0].remaining, 1);
                admitted(&store, &slow("r2")).await;
                denied(&store, &slow("r3"), Limit::Rate(0)).await;
            }
            .boxed()
        },
    ),
    ("a bucket says when it will be full", |store| {
        async move {
            let ruling = admitted(&store, &one_of("k", "r1", 4)).await;
            let RateStanding { remaining, reset } = ruling.rates[0];
            assert_eq!(remaining, 3);
            assert!(
                reset <= DAY / 4 && reset > DAY / 4 - Duration::from_secs(60),
                "{reset:?}"
            );
        }
        .boxed()
    }),
    ("one that does not fit is told when it will", |store| {
        async move {
            admitted(&store, &tokens("k", "r1", 100, 90)).await;
            let retry = denied(&store, &tokens("k", "r2", 100, 20), Limit::Rate(0))
                .await
                .unwrap();
            assert!(retry <= DAY / 10 && retry > DAY / 11, "{retry:?}");
            admitted(&store, &tokens("k", "r3", 100, 10)).await;
        }
        .boxed()
    }),
    ("what is denied takes nothing", |store| {
        async move {
            admitted(&store, &tokens("k", "r1", 100, 90)).await;
            for _ in 0..5 {
                denied(&store, &tokens("k", "r2", 100, 11), Limit::Rate(0)).await;
            }
            assert_eq!(
                admitted(&store, &tokens("k", "r3", 100, 10)).await.rates[0].remaining,
                0
            );
        }
        .boxed()
    }),
    ("asking again takes nothing", |store| {
        async move {
            admitted(&store, &tokens("k", "r1", 100, 60)).await;
            let again = store.admit(&tokens("k", "r1", 100, 60)).await.unwrap();
            assert_eq!((again.verdict, again.rates[0].remaining), (Verdict::Repeated, 40));
        }
        .boxed()
    }),
    ("of several buckets all have to give", |store| {
        async move {
            let request = |name: &str| with("k", name, [rate("rpm", 2, DAY, 1), rate("tpm", 100, DAY, 40)]);
            let ruling = admitted(&store, &request("r1")).await;
            assert_eq!(
                ruling.rates.iter().map(|rate| rate.remaining).collect::<Vec<_>>(),
                [1, 60]
            );
            admitted(&store, &request("r2")).await;
            denied(&store, &request("r3"), Limit::Rate(0)).await;
            let ruling = store.admit(&request("r3")).await.unwrap();
            assert_eq!(
                ruling.rates.iter().map(|rate| rate.remaining).collect::<Vec<_>>(),
                [0, 20]
            );
        }
        .boxed()
    }),
    (
        "the bucket that is empty is named, and the others keep what they have",
        |store| {
            async move {
                let request = |name: &str, units| {
                    with("k", name, [rate("rpm", 9, DAY, 1), rate("tpm", 100, DAY, units)])
                };
                admitted(&store, &request("r1", 80)).await;
                denied(&store, &request("r2", 40), Limit::Rate(1)).await;
                let ruling = admitted(&store, &request("r3", 20)).await;
                assert_eq!(
                    ruling.rates.iter().map(|rate| rate.remaining).collect::<Vec<_>>(),
                    [7, 0]
                );
            }
            .boxed()
        },
    ),
    (
        "the order of buckets does not matter to what they hold",
        |store| {
            async move {
                let (rpm, tpm) = (rate("rpm", 9, DAY, 1), rate("tpm", 100, DAY, 10));
                admitted(&store, &with("k", "r1", [rpm.clone(), tpm.clone()])).await;
                let ruling = admitted(&store, &with("k", "r2", [tpm, rpm])).await;
                assert_eq!(
                    ruling.rates.iter().map(|rate| rate.remaining).collect::<Vec<_>>(),
                    [80, 7]
                );
            }
            .boxed()
        },
    ),
    ("concurrency is looked at before rates", |store| {
        async move {
            let request = |name: &str| Admission {
                concurrency: Some(1),
                ..one_of("k", name, 1)
            };
            admitted(&store, &request("r1")).await;
            denied(&store, &request("r2"), Limit::Concurrency).await;
            settle(&store, "k", "r1").await;
            denied(&store, &request("r2"), Limit::Rate(0)).await;
        }
        .boxed()
    }),
    ("one key takes nothing from another's bucket", |store| {
        async move {
            admitted(&store, &one_of("a", "r1", 1)).await;
            admitted(&store, &one_of("b", "r1", 1)).await;
            denied(&store, &one_of("a", "r2", 1), Limit::Rate(0)).await;
        }
        .boxed()
    }),
    ("what was not used is given back", |store| {
        async move {
            admitted(&store, &tokens("k", "r1", 100, 90)).await;
            back(&store, "r1", 80).await;
            let ruling = admitted(&store, &tokens("k", "r2", 100, 50)).await;
            assert_eq!(ruling.rates[0].remaining, 40);
        }
        .boxed()
    }),
    ("what is given back twice is given back once", |store| {
        async move {
            admitted(&store, &tokens("k", "r1", 100, 90)).await;
            back(&store, "r1", 50).await;
            let again = store.settle(&[refunding("k", "r1", refund(50))]).await.unwrap();
            assert_eq!(again, [Settled::Unknown]);
            assert_eq!(
                admitted(&store, &tokens("k", "r2", 100, 10)).await.rates[0].remaining,
                50
            );
        }
        .boxed()
    }),
    ("a bucket does not overflow by what is given back", |store| {
        async move {
            admitted(&store, &tokens("k", "r1", 100, 50)).await;
            back(&store, "r1", 5000).await;
            assert_eq!(
                admitted(&store, &tokens("k", "r2", 100, 1)).await.rates[0].remaining,
                99
            );
        }
        .boxed()
    }),
    ("what was used beyond is a debt", |store| {
        async move {
            admitted(&store, &tokens("k", "r1", 100, 10)).await;
            back(&store, "r1", -140).await;
            let retry = denied(&store, &tokens("k", "r2", 100, 10), Limit::Rate(0))
                .await
                .unwrap();
            assert!(retry > DAY / 2 && retry <= DAY * 6 / 10, "{retry:?}");
        }
        .boxed()
    }),
    ("a debt counts from now when the bucket is full", |store| {
        async move {
            admitted(&store, &asked("k", "r1")).await;
            back(&store, "r1", -30).await;
            assert_eq!(
                admitted(&store, &tokens("k", "r2", 100, 10)).await.rates[0].remaining,
                60
            );
        }
        .boxed()
    }),
    (
        "one that asks for more than a bucket holds gets it when the bucket is full, and owes the rest",
        |store| {
            async move {
                let ruling = admitted(&store, &tokens("k", "r1", 100, 250)).await;
                assert_eq!(ruling.rates[0].remaining, 0);
                let retry = denied(&store, &tokens("k", "r2", 100, 1), Limit::Rate(0))
                    .await
                    .unwrap();
                assert!(retry > DAY, "{retry:?}");
            }
            .boxed()
        },
    ),
    (
        "one that asks for more than a bucket holds waits until it is full",
        |store| {
            async move {
                admitted(&store, &tokens("k", "r1", 100, 1)).await;
                let retry = denied(&store, &tokens("k", "r2", 100, 101), Limit::Rate(0))
                    .await
                    .unwrap();
                assert!(retry <= DAY / 100, "{retry:?}");
                back(&store, "r1", 1).await;
                admitted(&store, &tokens("k", "r2", 100, 101)).await;
            }
            .boxed()
        },
    ),
    ("asking for nothing is always possible without a debt", |store| {
        async move {
            admitted(&store, &tokens("k", "r1", 100, 100)).await;
            assert_eq!(
                admitted(&store, &tokens("k", "r2", 100, 0)).await.rates[0].remaining,
                0
            );
        }
        .boxed()
    }),
    (
        "a limit that does not divide its window is given whole",
        |store| {
            async move {
                for limit in [3, 7, 11, 13, 999, 7_000_003] {
                    let key = format!("k{limit}");
                    let all = with(&key, "r1", [rate("tpm", limit, DAY, limit - 1)]);
                    assert_eq!(admitted(&store, &all).await.rates[0].remaining, 1, "{limit}");
                    let last = with(&key, "r2", [rate("tpm", limit, DAY, 1)]);
                    assert_eq!(admitted(&store, &last).await.rates[0].remaining, 0, "{limit}");
                    denied(
                        &store,
                        &with(&key, "r3", [rate("tpm", limit, DAY, 1)]),
                        Limit::Rate(0),
                    )
                    .await;
                }
            }
            .boxed()
        },
    ),
    ("seven a minute are seven, one after the other", |store| {
        async move {
            let minute = Duration::from_secs(60);
            for n in 0..7 {
                admitted(&store, &with("k", &format!("r{n}"), [rate("rpm", 7, minute, 1)])).await;
            }
            denied(
                &store,
                &with("k", "r7", [rate("rpm", 7, minute, 1)]),
                Limit::Rate(0),
            )
            .await;
        }
        .boxed()
    }),
    ("a window may be as long as can be written", |store| {
        async move {
            let longest = Duration::from_secs(u32::MAX.into());
            let request = |name: &str| with("k", name, [rate("w", 2, longest, 1)]);
            admitted(&store, &request("r1")).await;
            admitted(&store, &request("r2")).await;
            let retry = denied(&store, &request("r3"), Limit::Rate(0)).await.unwrap();
            assert!(retry > longest / 3 && retry <= longest / 2, "{retry:?}");
        }
        .boxed()
    }),
    ("requests whose lease ended have taken what they took", |store| {
        async move {
            admitted(&store, &short(tokens("k", "r1", 100, 60))).await;
            passed(&store, 2 * SHORT).await;
            assert_eq!(
                admitted(&store, &tokens("k", "r2", 100, 10)).await.rates[0].remaining,
                30
            );
            let late = store.settle(&[refunding("k", "r1", refund(60))]).await.unwrap();
            assert_eq!(late, [Settled::Lapsed]);
            assert_eq!(
                admitted(&store, &tokens("k", "r3", 100, 10)).await.rates[0].remaining,
                80
            );
        }
        .boxed()
    }),
    (
        "of requests that come at once as many are admitted as fit",
        |store| {
            async move {
                let requests: Vec<_> = (0..50).map(|n| tokens("k", &format!("r{n}"), 100, 9)).collect();
                let rulings = join_all(requests.iter().map(|request| store.admit(request))).await;
                let verdicts = rulings.into_iter().map(|ruling| ruling.unwrap().verdict);
                assert_eq!(
                    verdicts.filter(|verdict| *verdict == Verdict::Admitted).count(),
                    11
                );
            }
            .boxed()
        },
    ),
    ("a bucket that is full is forgotten", |store| {
        async move {
            let quick = |name: &str| with("k", name, [rate("rpm", 1, SHORT, 1)]);
            admitted(&store, &quick("r1")).await;
            let admits = || async { store.admit(&quick("r2")).await.unwrap().verdict != Verdict::Repeated };
            assert!(admits().await);
            eventually(|| async { store.admit(&quick("r2")).await.unwrap().verdict == Verdict::Repeated })
                .await;
        }
        .boxed()
    }),
];

pub fn rate(name: &str, limit: u64, window: Duration, units: u64) -> Rate {
    Rate {
        name: name.into(),
        limit,
        window,
        units,
    }
}

pub fn with<const N: usize>(key: &str, request: &str, rates: [Rate; N]) -> Admission {
    Admission {
        rates: rates.to_vec(),
        ..asked(key, request)
    }
}

/// One request of so many a day.
fn one_of(key: &str, request: &str, limit: u64) -> Admission {
    with(key, request, [rate("rpm", limit, DAY, 1)])
}

fn tokens(key: &str, request: &str, limit: u64, units: u64) -> Admission {
    with(key, request, [rate("tpm", limit, DAY, units)])
}

fn refund(units: i64) -> Refund {
    Refund {
        rate: "tpm".into(),
        limit: 100,
        window: DAY,
        units,
    }
}

async fn back(store: &Store, request: &str, units: i64) {
    let settled = store
        .settle(&[refunding("k", request, refund(units))])
        .await
        .unwrap();
    assert_eq!(settled, [Settled::Running]);
}
