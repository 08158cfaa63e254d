//! How busy connections are.

use crate::Scenario;
use futures::future::{FutureExt, join_all};
use state::ConnectionLoad;

pub const SCENARIOS: &[Scenario] = &[
    ("without reports there is no load", |store| {
        async move { assert_eq!(store.loads().await.unwrap(), []) }.boxed()
    }),
    (
        "a report is told as it is, ordered by provider and connection",
        |store| {
            async move {
                let known = ConnectionLoad {
                    limit: Some(60),
                    remaining: Some(0),
                    reset_at_ms: Some(1_800_000_000_123),
                    ..load("openai", "c2", 1)
                };
                let (unknown, other) = (load("openai", "c1", 2), load("claude", "c3", 3));
                store
                    .report_loads("d1", &[known.clone(), unknown.clone(), other.clone()])
                    .await
                    .unwrap();
                assert_eq!(store.loads().await.unwrap(), [other, unknown, known]);
            }
            .boxed()
        },
    ),
    ("a new report replaces the data plane's last", |store| {
        async move {
            let (c1, c2) = (load("openai", "c1", 1), load("openai", "c2", 2));
            store.report_loads("d1", &[c1.clone(), c2.clone()]).await.unwrap();
            store.report_loads("d1", std::slice::from_ref(&c2)).await.unwrap();
            assert_eq!(store.loads().await.unwrap(), [c2]);
            store.report_loads("d1", &[]).await.unwrap();
            assert_eq!(store.loads().await.unwrap(), []);
        }
        .boxed()
    }),
    ("concurrent data planes are summed", |store| {
        async move {
            join_all((0..32).map(|n: u32| {
                let store = store.clone();
                async move {
                    let report = [load("openai", "c1", n), load("openai", "c2", 1)];
                    store.report_loads(&n.to_string(), &report).await.unwrap();
                }
            }))
            .await;
            let sum = (0..32).sum();
            assert_eq!(
                store.loads().await.unwrap(),
                [load("openai", "c1", sum), load("openai", "c2", 32)]
            );
        }
        .boxed()
    }),
    (
        "what the provider said is not summed: the newest window's least counts",
        |store| {
            async move {
                let said = |limit, remaining, reset_at_ms| ConnectionLoad {
                    limit,
                    remaining,
                    reset_at_ms,
                    ..load("openai", "c1", 1)
                };
                let reports = [
                    ("nothing", said(None, None, None)),
                    ("an older window", said(Some(90), Some(0), Some(1000))),
                    ("most of it", said(Some(60), Some(50), Some(2000))),
                    ("less of it", said(Some(60), Some(40), Some(2000))),
                    ("no remaining", said(Some(60), None, Some(2000))),
                ];
                for (data_plane, report) in reports {
                    store.report_loads(data_plane, &[report]).await.unwrap();
                }
                let loads = store.loads().await.unwrap();
                assert_eq!(loads.len(), 1);
                let told = (loads[0].limit, loads[0].remaining, loads[0].reset_at_ms);
                assert_eq!(told, (Some(60), Some(40), Some(2000)));
                assert_eq!(loads[0].running, 5);
            }
            .boxed()
        },
    ),
];

fn load(provider: &str, connection: &str, running: u32) -> ConnectionLoad {
    ConnectionLoad {
        connection: connection.to_owned(),
        provider: provider.to_owned(),
        queued: 2 * running,
        running,
        done: u64::from(running) << 32,
        ..ConnectionLoad::default()
    }
}
