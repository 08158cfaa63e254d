//! Requests of an API key: who is let in, who runs, and how one ends.

use crate::{SHORT, Scenario, WINDOW, passed};
use futures::future::{FutureExt, join_all};
use state::{Admission, Limit, Refund, Renewal, Ruling, Settled, Settlement, StateStore, Verdict};
use std::sync::Arc;
use std::time::Duration;

pub const SCENARIOS: &[Scenario] = &[
    ("a request without limits is admitted", |store| {
        async move {
            let ruling = store.admit(&asked("k", "r1")).await.unwrap();
            assert_eq!(ruling.verdict, Verdict::Admitted);
            assert_eq!(ruling.running, 1);
            assert_eq!((ruling.rates, ruling.budgets), (vec![], vec![]));
        }
        .boxed()
    }),
    ("as many run at a time as may", |store| {
        async move {
            for (number, request) in (1..).zip(["r1", "r2", "r3"]) {
                assert_eq!(admitted(&store, &parallel("k", request, 3)).await.running, number);
            }
            denied(&store, &parallel("k", "r4", 3), Limit::Concurrency).await;
            assert_eq!(settle(&store, "k", "r2").await, Settled::Running);
            admitted(&store, &parallel("k", "r4", 3)).await;
            denied(&store, &parallel("k", "r5", 3), Limit::Concurrency).await;
        }
        .boxed()
    }),
    ("one that finds no place may come again soon", |store| {
        async move {
            admitted(&store, &parallel("k", "r1", 1)).await;
            let retry = denied(&store, &parallel("k", "r2", 1), Limit::Concurrency).await;
            assert_eq!(retry, Some(Duration::from_millis(250)));
        }
        .boxed()
    }),
    ("one key takes no place from another", |store| {
        async move {
            admitted(&store, &parallel("a", "r1", 1)).await;
            admitted(&store, &parallel("b", "r1", 1)).await;
            assert_eq!(settle(&store, "b", "r1").await, Settled::Running);
            denied(&store, &parallel("a", "r2", 1), Limit::Concurrency).await;
        }
        .boxed()
    }),
    ("a key may have any name", |store| {
        async move {
            for key in ["", "}", "{", "a:b", "a b", "é"] {
                admitted(&store, &parallel(key, "r1", 1)).await;
                denied(&store, &parallel(key, "r2", 1), Limit::Concurrency).await;
            }
        }
        .boxed()
    }),
    ("a lower limit counts at once and a higher one too", |store| {
        async move {
            admitted(&store, &parallel("k", "r1", 3)).await;
            admitted(&store, &parallel("k", "r2", 3)).await;
            denied(&store, &parallel("k", "r3", 1), Limit::Concurrency).await;
            admitted(&store, &parallel("k", "r3", 3)).await;
            admitted(&store, &asked("k", "r4")).await;
        }
        .boxed()
    }),
    ("requests without a limit count for those with one", |store| {
        async move {
            admitted(&store, &asked("k", "r1")).await;
            denied(&store, &parallel("k", "r2", 1), Limit::Concurrency).await;
        }
        .boxed()
    }),
    ("asking again changes nothing", |store| {
        async move {
            admitted(&store, &parallel("k", "r1", 1)).await;
            for _ in 0..3 {
                let ruling = store.admit(&parallel("k", "r1", 1)).await.unwrap();
                assert_eq!((ruling.verdict, ruling.running), (Verdict::Repeated, 1));
            }
            assert_eq!(settle(&store, "k", "r1").await, Settled::Running);
            admitted(&store, &parallel("k", "r2", 1)).await;
        }
        .boxed()
    }),
    ("a name that was settled may be admitted anew", |store| {
        async move {
            admitted(&store, &parallel("k", "r1", 1)).await;
            assert_eq!(settle(&store, "k", "r1").await, Settled::Running);
            assert_eq!(admitted(&store, &parallel("k", "r1", 1)).await.running, 1);
        }
        .boxed()
    }),
    ("a request is settled once", |store| {
        async move {
            admitted(&store, &asked("k", "r1")).await;
            assert_eq!(settle(&store, "k", "r1").await, Settled::Running);
            assert_eq!(settle(&store, "k", "r1").await, Settled::Unknown);
            assert_eq!(settle(&store, "k", "r2").await, Settled::Unknown);
            assert_eq!(settle(&store, "nobody", "r1").await, Settled::Unknown);
        }
        .boxed()
    }),
    ("what was denied is not running", |store| {
        async move {
            admitted(&store, &parallel("k", "r1", 1)).await;
            denied(&store, &parallel("k", "r2", 1), Limit::Concurrency).await;
            assert_eq!(settle(&store, "k", "r2").await, Settled::Unknown);
        }
        .boxed()
    }),
    (
        "settlements are answered in their order, whatever their keys",
        |store| {
            async move {
                admitted(&store, &asked("b", "r1")).await;
                admitted(&store, &asked("a", "r2")).await;
                admitted(&store, &asked("b", "r3")).await;
                let ends = [("b", "r3"), ("a", "r1"), ("b", "r1"), ("b", "r3"), ("a", "r2")];
                let settlements = ends.map(|(key, request)| end(key, request, 0));
                let settled = store.settle(&settlements).await.unwrap();
                let (running, unknown) = (Settled::Running, Settled::Unknown);
                assert_eq!(settled, [running, unknown, running, unknown, running]);
            }
            .boxed()
        },
    ),
    ("nothing to settle or to renew is nothing", |store| {
        async move {
            assert_eq!(store.settle(&[]).await.unwrap(), []);
            store.renew(&[], WINDOW).await.unwrap();
            store.end_leases(&[]).await.unwrap();
            store.raise_spending(&[]).await.unwrap();
            assert_eq!(store.spending("k", &[]).await.unwrap(), []);
            store.forget_key("k").await.unwrap();
        }
        .boxed()
    }),
    (
        "a place is free again when the lease of its holder ends",
        |store| {
            async move {
                admitted(&store, &short(parallel("k", "r1", 1))).await;
                passed(&store, 2 * SHORT).await;
                assert_eq!(admitted(&store, &parallel("k", "r2", 1)).await.running, 1);
            }
            .boxed()
        },
    ),
    ("a lease that ended is known as such, once", |store| {
        async move {
            admitted(&store, &short(asked("k", "r1"))).await;
            passed(&store, 2 * SHORT).await;
            admitted(&store, &asked("k", "r2")).await;
            assert_eq!(settle(&store, "k", "r1").await, Settled::Lapsed);
            assert_eq!(settle(&store, "k", "r1").await, Settled::Unknown);
        }
        .boxed()
    }),
    ("one whose lease ended unnoticed still runs", |store| {
        async move {
            admitted(&store, &short(asked("k", "r1"))).await;
            passed(&store, 2 * SHORT).await;
            assert_eq!(settle(&store, "k", "r1").await, Settled::Running);
        }
        .boxed()
    }),
    ("a lease that is renewed does not end", |store| {
        async move {
            admitted(&store, &short(parallel("k", "r1", 1))).await;
            store.renew(&[renewal("k", "r1")], WINDOW).await.unwrap();
            passed(&store, 2 * SHORT).await;
            denied(&store, &parallel("k", "r2", 1), Limit::Concurrency).await;
        }
        .boxed()
    }),
    ("a renewal never shortens a lease", |store| {
        async move {
            admitted(&store, &parallel("k", "r1", 1)).await;
            store.renew(&[renewal("k", "r1")], SHORT).await.unwrap();
            passed(&store, 2 * SHORT).await;
            denied(&store, &parallel("k", "r2", 1), Limit::Concurrency).await;
        }
        .boxed()
    }),
    ("what does not run cannot be renewed", |store| {
        async move {
            store
                .renew(&[renewal("k", "r1"), renewal("k", "r2")], WINDOW)
                .await
                .unwrap();
            assert_eq!(settle(&store, "k", "r1").await, Settled::Unknown);
            assert_eq!(admitted(&store, &parallel("k", "r3", 1)).await.running, 1);
        }
        .boxed()
    }),
    (
        "a lease that its holder ends gives its place away, and is settled all the same",
        |store| {
            async move {
                admitted(&store, &parallel("k", "r1", 1)).await;
                store.end_leases(&[renewal("k", "r1")]).await.unwrap();
                admitted(&store, &parallel("k", "r2", 1)).await;
                denied(&store, &parallel("k", "r3", 1), Limit::Concurrency).await;
                assert_eq!(settle(&store, "k", "r1").await, Settled::Lapsed);
                assert_eq!(settle(&store, "k", "r2").await, Settled::Running);
            }
            .boxed()
        },
    ),
    ("the lease of what does not run cannot be ended", |store| {
        async move {
            store
                .end_leases(&[renewal("k", "r1"), renewal("other", "r1")])
                .await
                .unwrap();
            assert_eq!(settle(&store, "k", "r1").await, Settled::Unknown);
            assert_eq!(admitted(&store, &parallel("k", "r1", 1)).await.running, 1);
        }
        .boxed()
    }),
    ("many are renewed at a time, of several keys", |store| {
        async move {
            for key in ["a", "b"] {
                admitted(&store, &short(parallel(key, "r1", 2))).await;
                admitted(&store, &short(parallel(key, "r2", 2))).await;
            }
            let renewals = [renewal("a", "r1"), renewal("b", "r1"), renewal("a", "r2")];
            store.renew(&renewals, WINDOW).await.unwrap();
            passed(&store, 2 * SHORT).await;
            denied(&store, &parallel("a", "r3", 2), Limit::Concurrency).await;
            admitted(&store, &parallel("b", "r3", 2)).await;
        }
        .boxed()
    }),
    (
        "of requests that come at once as many are admitted as may",
        |store| {
            async move {
                let requests: Vec<_> = (0..64).map(|n| parallel("k", &format!("r{n}"), 7)).collect();
                let rulings = join_all(requests.iter().map(|request| store.admit(request))).await;
                let admitted = rulings.iter().map(|ruling| ruling.as_ref().unwrap());
                let admitted = admitted.filter(|ruling| ruling.verdict == Verdict::Admitted);
                assert_eq!(admitted.count(), 7);
            }
            .boxed()
        },
    ),
    (
        "one request that is asked for many times at once is one",
        |store| {
            async move {
                let request = parallel("k", "r1", 4);
                let rulings = join_all((0..16).map(|_| store.admit(&request))).await;
                let verdicts = rulings.into_iter().map(|ruling| ruling.unwrap().verdict);
                assert_eq!(
                    verdicts.filter(|verdict| *verdict == Verdict::Admitted).count(),
                    1
                );
                assert_eq!(admitted(&store, &parallel("k", "r2", 4)).await.running, 2);
            }
            .boxed()
        },
    ),
    ("of settlements that come at once one counts", |store| {
        async move {
            admitted(&store, &asked("k", "r1")).await;
            let settled = join_all((0..16).map(|_| settle(&store, "k", "r1"))).await;
            assert_eq!(
                settled
                    .iter()
                    .filter(|settled| **settled == Settled::Running)
                    .count(),
                1
            );
        }
        .boxed()
    }),
    ("a key that is forgotten starts anew", |store| {
        async move {
            admitted(&store, &parallel("k", "r1", 1)).await;
            admitted(&store, &parallel("other", "r1", 1)).await;
            store.forget_key("k").await.unwrap();
            admitted(&store, &parallel("k", "r2", 1)).await;
            assert_eq!(settle(&store, "k", "r1").await, Settled::Unknown);
            denied(&store, &parallel("other", "r2", 1), Limit::Concurrency).await;
        }
        .boxed()
    }),
];

pub type Store = Arc<dyn StateStore>;

/// A request without limits.
pub fn asked(key: &str, request: &str) -> Admission {
    Admission {
        key: key.into(),
        request: request.into(),
        lease: WINDOW,
        concurrency: None,
        rates: Vec::new(),
        budgets: Vec::new(),
        cost_nano: 0,
    }
}

fn parallel(key: &str, request: &str, most: u32) -> Admission {
    Admission {
        concurrency: Some(most),
        ..asked(key, request)
    }
}

pub fn short(asked: Admission) -> Admission {
    Admission {
        lease: SHORT,
        ..asked
    }
}

pub fn end(key: &str, request: &str, cost_nano: u64) -> Settlement {
    Settlement {
        key: key.into(),
        request: request.into(),
        cost_nano,
        refunds: Vec::new(),
    }
}

pub fn refunding(key: &str, request: &str, refund: Refund) -> Settlement {
    Settlement {
        refunds: vec![refund],
        ..end(key, request, 0)
    }
}

pub async fn admitted(store: &Store, asked: &Admission) -> Ruling {
    let ruling = store.admit(asked).await.unwrap();
    assert_eq!(ruling.verdict, Verdict::Admitted, "{asked:?}");
    ruling
}

/// Returns when to come again.
pub async fn denied(store: &Store, asked: &Admission, limit: Limit) -> Option<Duration> {
    match store.admit(asked).await.unwrap().verdict {
        Verdict::Denied { by, retry_after } => {
            assert_eq!(by, limit, "{asked:?}");
            retry_after
        }
        verdict => panic!("{verdict:?}: {asked:?}"),
    }
}

pub async fn settle(store: &Store, key: &str, request: &str) -> Settled {
    settle_at(store, key, request, 0).await
}

pub async fn settle_at(store: &Store, key: &str, request: &str, cost_nano: u64) -> Settled {
    store.settle(&[end(key, request, cost_nano)]).await.unwrap()[0]
}

fn renewal(key: &str, request: &str) -> Renewal {
    Renewal {
        key: key.into(),
        request: request.into(),
    }
}
