//! Budgets of API keys: what may be spent, is reserved, and was spent.

use crate::admission::{Store, admitted, asked, denied, settle_at, short};
use crate::{SHORT, Scenario, passed};
use futures::future::{FutureExt, join_all};
use state::{Admission, Budget, BudgetStanding, Limit, Settled, Spending, Verdict};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const SCENARIOS: &[Scenario] = &[
    (
        "what may be spent is reserved, and spent when it is settled",
        |store| {
            async move {
                let ruling = admitted(&store, &spend("k", "r1", 100, 30)).await;
                assert_eq!(ruling.budgets, [standing(0, 30)]);
                assert_eq!(settle_at(&store, "k", "r1", 12).await, Settled::Running);
                assert_eq!(of(&store, "k").await, standing(12, 0));
            }
            .boxed()
        },
    ),
    ("a reservation takes the place of what it may become", |store| {
        async move {
            admitted(&store, &spend("k", "r1", 100, 60)).await;
            let retry = denied(&store, &spend("k", "r2", 100, 60), Limit::Budget(0)).await;
            assert_eq!(retry, Some(Duration::from_secs(1)), "it fits when r1 costs less");
            settle_at(&store, "k", "r1", 40).await;
            admitted(&store, &spend("k", "r2", 100, 60)).await;
        }
        .boxed()
    }),
    ("a budget that is spent is spent until its period ends", |store| {
        async move {
            admitted(&store, &spend("k", "r1", 100, 100)).await;
            settle_at(&store, "k", "r1", 100).await;
            assert_eq!(
                denied(&store, &spend("k", "r2", 100, 0), Limit::Budget(0)).await,
                None
            );
            assert_eq!(
                denied(&store, &spend("k", "r2", 100, 1), Limit::Budget(0)).await,
                None
            );
        }
        .boxed()
    }),
    ("a request that fits no more is not admitted", |store| {
        async move {
            admitted(&store, &spend("k", "r1", 100, 90)).await;
            settle_at(&store, "k", "r1", 90).await;
            assert_eq!(
                denied(&store, &spend("k", "r2", 100, 11), Limit::Budget(0)).await,
                None
            );
            admitted(&store, &spend("k", "r2", 100, 10)).await;
        }
        .boxed()
    }),
    (
        "what costs nothing is admitted until the budget is spent",
        |store| {
            async move {
                admitted(&store, &spend("k", "r1", 100, 99)).await;
                settle_at(&store, "k", "r1", 99).await;
                admitted(&store, &spend("k", "r2", 100, 0)).await;
                assert_eq!(settle_at(&store, "k", "r2", 0).await, Settled::Running);
                assert_eq!(of(&store, "k").await, standing(99, 0));
            }
            .boxed()
        },
    ),
    (
        "what costs more than was reserved is spent all the same",
        |store| {
            async move {
                admitted(&store, &spend("k", "r1", 100, 10)).await;
                settle_at(&store, "k", "r1", 170).await;
                assert_eq!(of(&store, "k").await, standing(170, 0));
                denied(&store, &spend("k", "r2", 100, 1), Limit::Budget(0)).await;
            }
            .boxed()
        },
    ),
    ("settling again spends nothing", |store| {
        async move {
            admitted(&store, &spend("k", "r1", 100, 10)).await;
            for _ in 0..3 {
                settle_at(&store, "k", "r1", 7).await;
            }
            assert_eq!(of(&store, "k").await, standing(7, 0));
        }
        .boxed()
    }),
    ("asking again reserves nothing", |store| {
        async move {
            admitted(&store, &spend("k", "r1", 100, 60)).await;
            let again = store.admit(&spend("k", "r1", 100, 60)).await.unwrap();
            assert_eq!(
                (again.verdict, again.budgets),
                (Verdict::Repeated, vec![standing(0, 60)])
            );
        }
        .boxed()
    }),
    ("what is denied reserves nothing", |store| {
        async move {
            admitted(&store, &spend("k", "r1", 100, 60)).await;
            denied(&store, &spend("k", "r2", 100, 41), Limit::Budget(0)).await;
            assert_eq!(of(&store, "k").await, standing(0, 60));
            let none = Admission {
                concurrency: Some(1),
                ..spend("k", "r3", 100, 1)
            };
            denied(&store, &none, Limit::Concurrency).await;
            assert_eq!(of(&store, "k").await, standing(0, 60));
        }
        .boxed()
    }),
    ("all periods count, and the one that is spent is named", |store| {
        async move {
            let request = |name: &str, cost| Admission {
                budgets: vec![budget("d:1", 1000), budget("m:1", 100)],
                ..spend("k", name, 0, cost)
            };
            let ruling = admitted(&store, &request("r1", 70)).await;
            assert_eq!(ruling.budgets, [standing(0, 70), standing(0, 70)]);
            settle_at(&store, "k", "r1", 60).await;
            denied(&store, &request("r2", 50), Limit::Budget(1)).await;
            let spent = store.spending("k", &["m:1", "d:1", "w:1"]).await.unwrap();
            assert_eq!(spent, [standing(60, 0), standing(60, 0), standing(0, 0)]);
        }
        .boxed()
    }),
    ("budgets are looked at before rates, after concurrency", |store| {
        async move {
            let request = |name: &str, cost| Admission {
                concurrency: Some(2),
                rates: vec![crate::rates::rate("rpm", 1, Duration::from_secs(3600), 1)],
                ..spend("k", name, 100, cost)
            };
            admitted(&store, &request("r1", 60)).await;
            denied(&store, &request("r2", 60), Limit::Budget(0)).await;
            denied(&store, &request("r2", 10), Limit::Rate(0)).await;
        }
        .boxed()
    }),
    (
        "a new period starts at nothing and the old one is kept",
        |store| {
            async move {
                admitted(&store, &spend("k", "r1", 100, 100)).await;
                settle_at(&store, "k", "r1", 100).await;
                let tomorrow = Admission {
                    budgets: vec![budget("d:2", 100)],
                    ..spend("k", "r2", 0, 100)
                };
                admitted(&store, &tomorrow).await;
                settle_at(&store, "k", "r2", 3).await;
                let spent = store.spending("k", &["d:1", "d:2"]).await.unwrap();
                assert_eq!(spent, [standing(100, 0), standing(3, 0)]);
            }
            .boxed()
        },
    ),
    (
        "a request is spent in the period that it was admitted in",
        |store| {
            async move {
                admitted(&store, &spend("k", "r1", 100, 50)).await;
                let tomorrow = Admission {
                    budgets: vec![budget("d:2", 100)],
                    ..spend("k", "r2", 0, 20)
                };
                admitted(&store, &tomorrow).await;
                settle_at(&store, "k", "r1", 33).await;
                let spent = store.spending("k", &["d:1", "d:2"]).await.unwrap();
                assert_eq!(spent, [standing(33, 0), standing(0, 20)]);
            }
            .boxed()
        },
    ),
    (
        "a period that ended long ago is forgotten when the next one begins",
        |store| {
            async move {
                let old = Admission {
                    budgets: vec![Budget {
                        ends_at_ms: now_ms() - 9 * 24 * 3_600_000,
                        ..budget("d:0", 100)
                    }],
                    ..spend("k", "r1", 0, 10)
                };
                admitted(&store, &old).await;
                settle_at(&store, "k", "r1", 10).await;
                assert_eq!(store.spending("k", &["d:0"]).await.unwrap(), [standing(10, 0)]);
                admitted(&store, &spend("k", "r2", 100, 1)).await;
                let spent = store.spending("k", &["d:0", "d:1"]).await.unwrap();
                assert_eq!(spent, [standing(0, 0), standing(0, 1)]);
            }
            .boxed()
        },
    ),
    ("a limit that is lowered below what is spent denies", |store| {
        async move {
            admitted(&store, &spend("k", "r1", 100, 50)).await;
            settle_at(&store, "k", "r1", 50).await;
            denied(&store, &spend("k", "r2", 50, 0), Limit::Budget(0)).await;
            admitted(&store, &spend("k", "r2", 51, 1)).await;
        }
        .boxed()
    }),
    (
        "one whose data plane fell silent has spent what it reserved",
        |store| {
            async move {
                admitted(&store, &short(spend("k", "r1", 100, 60))).await;
                passed(&store, 2 * SHORT).await;
                assert_eq!(of(&store, "k").await, standing(60, 0));
                denied(&store, &spend("k", "r2", 100, 41), Limit::Budget(0)).await;
            }
            .boxed()
        },
    ),
    ("a late settlement corrects what was assumed, once", |store| {
        async move {
            for (request, cost) in [("cheaper", 5), ("dearer", 90)] {
                store.forget_key("k").await.unwrap();
                admitted(&store, &short(spend("k", request, 100, 60))).await;
                passed(&store, 2 * SHORT).await;
                assert_eq!(of(&store, "k").await, standing(60, 0));
                assert_eq!(settle_at(&store, "k", request, cost).await, Settled::Lapsed);
                assert_eq!(of(&store, "k").await, standing(cost, 0));
                assert_eq!(settle_at(&store, "k", request, cost).await, Settled::Unknown);
                assert_eq!(of(&store, "k").await, standing(cost, 0));
            }
        }
        .boxed()
    }),
    ("money is exact beyond what a double can hold", |store| {
        async move {
            let large = 90_071_992_547_409_937;
            let limit = i64::MAX.cast_unsigned();
            for (request, cost) in [("r1", large), ("r2", 1), ("r3", 2)] {
                admitted(&store, &spend("k", request, limit, 0)).await;
                settle_at(&store, "k", request, cost).await;
            }
            assert_eq!(of(&store, "k").await, standing(large + 3, 0));
        }
        .boxed()
    }),
    (
        "requests that come at once cannot spend the same money",
        |store| {
            async move {
                let requests: Vec<_> = (0..50).map(|n| spend("k", &format!("r{n}"), 100, 9)).collect();
                let rulings = join_all(requests.iter().map(|request| store.admit(request))).await;
                let verdicts = rulings.into_iter().map(|ruling| ruling.unwrap().verdict);
                assert_eq!(
                    verdicts.filter(|verdict| *verdict == Verdict::Admitted).count(),
                    11
                );
                assert_eq!(of(&store, "k").await, standing(0, 99));
            }
            .boxed()
        },
    ),
    ("settlements that come at once all count", |store| {
        async move {
            for n in 0..40 {
                admitted(&store, &spend("k", &format!("r{n}"), 1000, 1)).await;
            }
            let names: Vec<_> = (0..40).map(|n| format!("r{n}")).collect();
            join_all(names.iter().map(|name| settle_at(&store, "k", name, 3))).await;
            assert_eq!(of(&store, "k").await, standing(120, 0));
        }
        .boxed()
    }),
    (
        "what is known to be spent is raised to and never lowered",
        |store| {
            async move {
                for (known, spent) in [(40, 40), (10, 40), (41, 41)] {
                    store
                        .raise_spending(&[known_of("k", "d:1", known)])
                        .await
                        .unwrap();
                    assert_eq!(of(&store, "k").await, standing(spent, 0));
                }
                denied(&store, &spend("k", "r1", 41, 1), Limit::Budget(0)).await;
            }
            .boxed()
        },
    ),
    ("what is reserved may be part of what is known", |store| {
        async move {
            admitted(&store, &spend("k", "r1", 1000, 60)).await;
            store.raise_spending(&[known_of("k", "d:1", 50)]).await.unwrap();
            assert_eq!(
                of(&store, "k").await,
                standing(0, 60),
                "r1 ended, and is not settled yet"
            );
            settle_at(&store, "k", "r1", 50).await;
            store.raise_spending(&[known_of("k", "d:1", 50)]).await.unwrap();
            assert_eq!(of(&store, "k").await, standing(50, 0));
            admitted(&store, &spend("k", "r2", 1000, 60)).await;
            store.raise_spending(&[known_of("k", "d:1", 500)]).await.unwrap();
            assert_eq!(of(&store, "k").await, standing(440, 60));
        }
        .boxed()
    }),
    ("many periods of many keys are raised at a time", |store| {
        async move {
            let known = [
                known_of("a", "d:1", 1),
                known_of("b", "d:1", 2),
                known_of("a", "m:1", 3),
            ];
            store.raise_spending(&known).await.unwrap();
            let of_a = store.spending("a", &["d:1", "m:1"]).await.unwrap();
            assert_eq!(of_a, [standing(1, 0), standing(3, 0)]);
            assert_eq!(of(&store, "b").await, standing(2, 0));
        }
        .boxed()
    }),
    ("a key that is forgotten has spent nothing", |store| {
        async move {
            admitted(&store, &spend("k", "r1", 100, 60)).await;
            settle_at(&store, "k", "r1", 60).await;
            store.forget_key("k").await.unwrap();
            assert_eq!(of(&store, "k").await, standing(0, 0));
        }
        .boxed()
    }),
];

fn budget(period: &str, limit_nano: u64) -> Budget {
    Budget {
        period: period.into(),
        limit_nano,
        ends_at_ms: now_ms() + 3_600_000,
    }
}

/// A request that may cost `cost_nano`, of a key that may spend `limit_nano` in the period `d:1`.
fn spend(key: &str, request: &str, limit_nano: u64, cost_nano: u64) -> Admission {
    Admission {
        budgets: vec![budget("d:1", limit_nano)],
        cost_nano,
        ..asked(key, request)
    }
}

fn standing(spent_nano: u64, reserved_nano: u64) -> BudgetStanding {
    BudgetStanding {
        spent_nano,
        reserved_nano,
    }
}

fn known_of(key: &str, period: &str, spent_nano: u64) -> Spending {
    Spending {
        key: key.into(),
        period: period.into(),
        ends_at_ms: now_ms() + 3_600_000,
        spent_nano,
    }
}

async fn of(store: &Store, key: &str) -> BudgetStanding {
    store.spending(key, &["d:1"]).await.unwrap()[0]
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
