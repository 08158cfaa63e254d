//! Conversations that are going on.

use crate::{SHORT, Scenario, passed};
use futures::future::{FutureExt, join_all};
use state::{MAX_SESSIONS, SessionUse};
use std::time::{SystemTime, UNIX_EPOCH};

pub const SCENARIOS: &[Scenario] = &[
    ("at first nobody talks", |store| {
        async move {
            store.touch_sessions(&[]).await.unwrap();
            assert_eq!(store.sessions().await.unwrap(), []);
        }
        .boxed()
    }),
    ("a conversation is listed with what served it last", |store| {
        async move {
            store
                .touch_sessions(&[used("key", "00ff", "c1", 1)])
                .await
                .unwrap();
            let first = store.sessions().await.unwrap().remove(0);
            assert_eq!(first.created_ms, first.last_active_ms);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let now = i64::try_from(now.as_millis()).unwrap();
            assert!((now - 60_000..=now + 60_000).contains(&first.created_ms));

            passed(&store, SHORT).await;
            store
                .touch_sessions(&[used("key", "00ff", "c2", 2)])
                .await
                .unwrap();
            let sessions = store.sessions().await.unwrap();
            assert_eq!(sessions.len(), 1);
            let second = &sessions[0];
            assert_eq!(second.created_ms, first.created_ms);
            assert!(second.last_active_ms > first.last_active_ms);
            assert_eq!(second.requests, 3);
            let texts = [
                &second.tenant,
                &second.session,
                &second.connection,
                &second.provider,
                &second.model,
            ];
            assert_eq!(texts, ["key", "00ff", "c2", "openai of c2", "gpt-5 of c2"]);
        }
        .boxed()
    }),
    ("the same words by two tenants are two conversations", |store| {
        async move {
            store
                .touch_sessions(&[
                    used("a", "00ff", "c1", 1),
                    used("", "00ff", "c1", 1),
                    used("a0", "0ff", "c1", 1),
                ])
                .await
                .unwrap();
            assert_eq!(store.sessions().await.unwrap().len(), 3);
        }
        .boxed()
    }),
    ("the last active comes first", |store| {
        async move {
            for session in ["1", "2", "3", "1"] {
                store.touch_sessions(&[used("", session, "c1", 1)]).await.unwrap();
                passed(&store, SHORT / 10).await;
            }
            let sessions = store.sessions().await.unwrap();
            let order: Vec<_> = sessions.iter().map(|session| session.session.as_str()).collect();
            assert_eq!(order, ["1", "3", "2"]);
        }
        .boxed()
    }),
    ("concurrent uses are all counted", |store| {
        async move {
            join_all((0..64).map(|_| {
                let store = store.clone();
                async move { store.touch_sessions(&[used("", "00ff", "c1", 2)]).await.unwrap() }
            }))
            .await;
            let sessions = store.sessions().await.unwrap();
            assert_eq!(sessions.len(), 1);
            assert_eq!(sessions[0].requests, 128);
        }
        .boxed()
    }),
    (
        "a count beyond all bounds does not make the others unreadable",
        |store| {
            async move {
                for _ in 0..2 {
                    store
                        .touch_sessions(&[used("", "00ff", "c1", u64::MAX)])
                        .await
                        .unwrap();
                }
                let sessions = store.sessions().await.unwrap();
                assert!(sessions[0].requests >= 1 << 53);
            }
            .boxed()
        },
    ),
    ("of too many conversations the idlest is forgotten", |store| {
        async move {
            store
                .touch_sessions(&[used("", "idle", "c1", 1), used("", "busy", "c1", 1)])
                .await
                .unwrap();
            passed(&store, SHORT / 10).await;
            let mut uses: Vec<_> = (0..MAX_SESSIONS - 1)
                .map(|n| used("", &format!("{n:016x}"), "c1", 1))
                .collect();
            uses.push(used("", "busy", "c1", 1));
            store.touch_sessions(&uses).await.unwrap();

            let sessions = store.sessions().await.unwrap();
            assert_eq!(sessions.len(), MAX_SESSIONS);
            assert!(sessions.iter().all(|session| session.session != "idle"));
            let busy = sessions.iter().find(|session| session.session == "busy").unwrap();
            assert_eq!(busy.requests, 2);
        }
        .boxed()
    }),
];

fn used(tenant: &str, session: &str, connection: &str, requests: u64) -> SessionUse {
    SessionUse {
        tenant: tenant.to_owned(),
        session: session.to_owned(),
        connection: connection.to_owned(),
        provider: format!("openai of {connection}"),
        model: format!("gpt-5 of {connection}"),
        requests,
    }
}
