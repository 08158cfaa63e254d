//! What fails, as data planes tell each other.

use crate::{SHORT, Scenario, WINDOW, eventually};
use futures::future::{FutureExt, join_all};
use state::{HealthChanges, Standing, StateStore, Subject, Transition};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const SCENARIOS: &[Scenario] = &[
    ("an empty store knows of nothing that fails", |store| {
        async move {
            let all = store.health_since(0).await.unwrap();
            assert!(all.complete);
            assert_eq!(all.transitions, []);
            // so that a poll costs nothing from now on
            assert_nothing_since(&store, all.version).await;
        }
        .boxed()
    }),
    ("what was noted is told, whatever it is named", |store| {
        async move {
            let names = [
                "openai",
                "",
                ":",
                "6:openai",
                "a b",
                "{x}",
                "\u{1f}\0\n",
                "日本",
                "*?[a]",
            ];
            let mut noted = Vec::new();
            for name in names {
                noted.push(open(name, WINDOW, 7));
                noted.push(Transition::new(
                    Subject::Model {
                        provider: name.into(),
                        connection: name.into(),
                        model: name.into(),
                    },
                    rest(WINDOW, true, 3, name),
                ));
                noted.push(Transition::new(
                    Subject::Connection {
                        provider: name.into(),
                        connection: name.into(),
                    },
                    rest(WINDOW, false, 0, "HTTP 500: \"overloaded\""),
                ));
            }
            store.note_health(&noted).await.unwrap();
            let told = store.health_since(0).await.unwrap();
            assert_eq!(told.transitions.len(), noted.len());
            for (told, noted) in told.transitions.iter().zip(&noted) {
                assert_eq!(told.subject, noted.subject);
                assert_alike(&told.standing, &noted.standing);
            }
        }
        .boxed()
    }),
    ("the store says since when, not the caller", |store| {
        async move {
            let mut transition = open("openai", WINDOW, 1);
            transition.since_ms = 1;
            store.note_health(&[transition]).await.unwrap();
            let since = store.health_since(0).await.unwrap().transitions[0].since_ms;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let now = i64::try_from(now.as_millis()).unwrap();
            assert!((now - 60_000..=now + 60_000).contains(&since), "{since}");
        }
        .boxed()
    }),
    ("subjects whose names join to the same text are two", |store| {
        async move {
            let names = [("a", "bc"), ("ab", "c"), ("abc", "")];
            let noted: Vec<_> = names
                .map(|(connection, name)| resting(model(connection, name), WINDOW, 1))
                .into();
            store.note_health(&noted).await.unwrap();
            assert_eq!(store.health_since(0).await.unwrap().transitions.len(), 3);
        }
        .boxed()
    }),
    (
        "a model that rests leaves its connection and the other models alone",
        |store| {
            async move {
                store
                    .note_health(&[
                        resting(connection("c1"), WINDOW, 1),
                        resting(model("c1", ""), WINDOW, 1),
                        resting(model("c1", "gpt-5"), WINDOW, 1),
                    ])
                    .await
                    .unwrap();
                store.note_health(&[fine(model("c1", ""))]).await.unwrap();
                let left = store.health_since(0).await.unwrap();
                assert_eq!(subjects(&left), [connection("c1"), model("c1", "gpt-5")]);
            }
            .boxed()
        },
    ),
    (
        "a difference has what was noted since, everything has what is not fine",
        |store| {
            async move {
                store
                    .note_health(&[resting(provider("a"), WINDOW, 1), open("b", WINDOW, 1)])
                    .await
                    .unwrap();
                let version = store.health_since(0).await.unwrap().version;
                store
                    .note_health(&[fine(provider("a")), open("c", WINDOW, 1)])
                    .await
                    .unwrap();

                let difference = store.health_since(version).await.unwrap();
                assert!(!difference.complete);
                assert_eq!(subjects(&difference), [provider("a"), provider("c")]);
                assert_eq!(difference.transitions[0].standing, Standing::Fine);
                let all = store.health_since(0).await.unwrap();
                assert!(all.complete);
                assert_eq!(subjects(&all), [provider("b"), provider("c")]);
                assert_nothing_since(&store, difference.version).await;
            }
            .boxed()
        },
    ),
    ("a subject is told once, at its last place", |store| {
        async move {
            let version = store.health_since(0).await.unwrap().version;
            store
                .note_health(&[
                    resting(connection("c1"), SHORT, 1),
                    resting(connection("c2"), WINDOW, 1),
                    resting(connection("c1"), WINDOW, 2),
                ])
                .await
                .unwrap();
            let changes = store.health_since(version).await.unwrap();
            assert_eq!(subjects(&changes), [connection("c2"), connection("c1")]);
        }
        .boxed()
    }),
    ("noting nothing changes nothing", |store| {
        async move {
            let version = store.health_since(0).await.unwrap().version;
            store.note_health(&[]).await.unwrap();
            assert_nothing_since(&store, version).await;
        }
        .boxed()
    }),
    ("of two rests the one that ends later stays", |store| {
        async move {
            store
                .note_health(&[resting(connection("c1"), WINDOW, 4)])
                .await
                .unwrap();
            let noted = store.health_since(0).await.unwrap();
            store
                .note_health(&[resting(connection("c1"), WINDOW / 2, 1)])
                .await
                .unwrap();
            assert_nothing_since(&store, noted.version).await;

            store
                .note_health(&[resting(connection("c1"), 2 * WINDOW, 5)])
                .await
                .unwrap();
            let changes = store.health_since(noted.version).await.unwrap();
            assert_alike(
                &changes.transitions[0].standing,
                &rest(2 * WINDOW, true, 5, "429"),
            );
        }
        .boxed()
    }),
    ("of two open breakers the one that ends later stays", |store| {
        async move {
            store.note_health(&[open("openai", WINDOW, 9)]).await.unwrap();
            let version = store.health_since(0).await.unwrap().version;
            store.note_health(&[open("openai", SHORT, 1)]).await.unwrap();
            assert_nothing_since(&store, version).await;
        }
        .boxed()
    }),
    ("fine ends any rest, and a shorter one may follow", |store| {
        async move {
            store
                .note_health(&[resting(connection("c1"), WINDOW, 4), open("openai", WINDOW, 9)])
                .await
                .unwrap();
            store
                .note_health(&[fine(connection("c1")), fine(provider("openai"))])
                .await
                .unwrap();
            assert_eq!(store.health_since(0).await.unwrap().transitions, []);

            store
                .note_health(&[resting(connection("c1"), WINDOW / 2, 1)])
                .await
                .unwrap();
            let left = store.health_since(0).await.unwrap();
            assert_alike(&left.transitions[0].standing, &rest(WINDOW / 2, true, 1, "429"));
        }
        .boxed()
    }),
    (
        "fine is told even of what the store did not know to fail",
        |store| {
            async move {
                // a data plane may have noted it while the store was away
                let version = store.health_since(0).await.unwrap().version;
                store.note_health(&[fine(connection("c1"))]).await.unwrap();
                let changes = store.health_since(version).await.unwrap();
                assert_eq!(subjects(&changes), [connection("c1")]);
            }
            .boxed()
        },
    ),
    (
        "a rest ends by itself and its level is told nevertheless",
        |store| {
            async move {
                let version = store.health_since(0).await.unwrap().version;
                store
                    .note_health(&[resting(connection("c1"), SHORT, 3)])
                    .await
                    .unwrap();
                eventually(|| async { store.health_since(0).await.unwrap().transitions.is_empty() }).await;
                let changes = store.health_since(version).await.unwrap();
                assert!(!changes.complete);
                assert_eq!(
                    changes.transitions[0].standing,
                    rest(Duration::ZERO, true, 3, "429")
                );
            }
            .boxed()
        },
    ),
    (
        "a breaker is open until somebody says that all is fine",
        |store| {
            async move {
                store.note_health(&[open("openai", SHORT, 5)]).await.unwrap();
                let waiting = open("openai", Duration::ZERO, 5).standing;
                eventually(|| async {
                    let all = store.health_since(0).await.unwrap();
                    assert_eq!(all.transitions.len(), 1);
                    all.transitions[0].standing == waiting
                })
                .await;
                // the probe failed
                store.note_health(&[open("openai", WINDOW, 6)]).await.unwrap();
                let all = store.health_since(0).await.unwrap();
                assert_alike(&all.transitions[0].standing, &open("openai", WINDOW, 6).standing);
            }
            .boxed()
        },
    ),
    ("no rest is too long to note", |store| {
        async move {
            store
                .note_health(&[resting(connection("c1"), Duration::MAX, u32::MAX)])
                .await
                .unwrap();
            let all = store.health_since(0).await.unwrap();
            let Standing::Resting { left, level, .. } = all.transitions[0].standing else {
                panic!("{all:?}")
            };
            assert!(left > Duration::from_secs(365 * 24 * 60 * 60), "{left:?}");
            assert_eq!(level, u32::MAX);
        }
        .boxed()
    }),
    (
        "a version that is not this store's is answered with everything",
        |store| {
            async move {
                store.note_health(&[open("openai", WINDOW, 5)]).await.unwrap();
                let version = store.health_since(0).await.unwrap().version;
                let an_hour_in_us = 3_600_000_000;
                for other in [
                    1,
                    version - an_hour_in_us,
                    version + 1,
                    version + an_hour_in_us,
                    u64::MAX,
                ] {
                    let all = store.health_since(other).await.unwrap();
                    assert!(all.complete, "{other}");
                    assert_eq!(all.version, version);
                    assert_eq!(subjects(&all), [provider("openai")]);
                }
            }
            .boxed()
        },
    ),
    ("concurrent transitions are all kept", |store| {
        async move {
            let version = store.health_since(0).await.unwrap().version;
            join_all((0..64).map(|n| {
                let store = store.clone();
                async move {
                    let transition = resting(connection(&n.to_string()), WINDOW, n);
                    store.note_health(&[transition]).await.unwrap();
                }
            }))
            .await;
            let changes = store.health_since(version).await.unwrap();
            assert_eq!(changes.transitions.len(), 64);
            assert_eq!(changes.version, version + 64);
        }
        .boxed()
    }),
    ("of concurrent rests the longest stays", |store| {
        async move {
            join_all((1..=64).map(|n| {
                let store = store.clone();
                async move {
                    let transition = resting(connection("c1"), n * WINDOW, n);
                    store.note_health(&[transition]).await.unwrap();
                }
            }))
            .await;
            let all = store.health_since(0).await.unwrap();
            assert_eq!(all.transitions.len(), 1);
            assert_alike(&all.transitions[0].standing, &rest(64 * WINDOW, true, 64, "429"));
        }
        .boxed()
    }),
    (
        "who follows the differences knows what a newcomer is told",
        |store| {
            async move {
                let mut version = 0;
                let mut followed = HashMap::new();
                for step in 0..300_u32 {
                    // any walk that mixes the subjects, the lengths and the questions will do
                    let mixed = step.wrapping_mul(2_654_435_761) >> 16;
                    let subject = connection(&(mixed % 7).to_string());
                    let transition = match mixed % 5 {
                        0 | 1 => fine(subject),
                        longer => resting(subject, WINDOW * longer * (1 + mixed % 11), mixed),
                    };
                    store.note_health(&[transition]).await.unwrap();
                    if mixed % 3 == 0 {
                        version = follow(&store, version, &mut followed).await;
                    }
                }
                follow(&store, version, &mut followed).await;
                let mut told = HashMap::new();
                follow(&store, 0, &mut told).await;
                assert_eq!(followed, told);
                assert!(!told.is_empty());
            }
            .boxed()
        },
    ),
];

/// Applies what changed, as a data plane does; the level tells the rests apart.
async fn follow(store: &Arc<dyn StateStore>, version: u64, known: &mut HashMap<Subject, u32>) -> u64 {
    let changes = store.health_since(version).await.unwrap();
    if changes.complete {
        known.clear();
    }
    for Transition {
        subject, standing, ..
    } in changes.transitions
    {
        match standing {
            Standing::Resting { level, .. } => known.insert(subject, level),
            _ => known.remove(&subject),
        };
    }
    changes.version
}

async fn assert_nothing_since(store: &Arc<dyn StateStore>, version: u64) {
    let nothing = HealthChanges {
        version,
        complete: false,
        transitions: Vec::new(),
    };
    assert_eq!(store.health_since(version).await.unwrap(), nothing);
}

/// The same but for the time that passed.
fn assert_alike(told: &Standing, noted: &Standing) {
    let (left, of) = (left(told), left(noted));
    assert!(left <= of && of - left < WINDOW / 2, "{left:?} of {of:?}");
    assert_eq!(without_time(told), without_time(noted));
}

fn left(standing: &Standing) -> Duration {
    match standing {
        Standing::Fine => Duration::ZERO,
        Standing::Resting { left, .. } | Standing::Open { left, .. } => *left,
    }
}

fn without_time(standing: &Standing) -> Standing {
    let mut standing = standing.clone();
    if let Standing::Resting { left, .. } | Standing::Open { left, .. } = &mut standing {
        *left = Duration::ZERO;
    }
    standing
}

pub fn subjects(changes: &HealthChanges) -> Vec<Subject> {
    let subject = |transition: &Transition| transition.subject.clone();
    changes.transitions.iter().map(subject).collect()
}

pub fn provider(name: &str) -> Subject {
    Subject::Provider {
        provider: name.to_owned(),
    }
}

pub fn connection(name: &str) -> Subject {
    Subject::Connection {
        provider: "openai".to_owned(),
        connection: name.to_owned(),
    }
}

pub fn model(connection: &str, name: &str) -> Subject {
    Subject::Model {
        provider: "openai".to_owned(),
        connection: connection.to_owned(),
        model: name.to_owned(),
    }
}

pub fn fine(subject: Subject) -> Transition {
    Transition::new(subject, Standing::Fine)
}

pub fn resting(subject: Subject, left: Duration, level: u32) -> Transition {
    Transition::new(subject, rest(left, true, level, "429"))
}

pub fn open(name: &str, left: Duration, failures: u32) -> Transition {
    Transition::new(provider(name), Standing::Open { left, failures })
}

fn rest(left: Duration, limited: bool, level: u32, reason: &str) -> Standing {
    Standing::Resting {
        left,
        limited,
        level,
        reason: reason.to_owned(),
    }
}
