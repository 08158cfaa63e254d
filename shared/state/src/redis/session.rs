//! Conversations in Redis: a hash of what is known of each, and an index by when it was last active.

use super::{RedisStore, joined, milliseconds};
use crate::StoreError;
use crate::session::{MAX_SESSIONS, SESSION_IDLE, Session, SessionUse, sort};
use redis::Script;
use std::sync::LazyLock;

/// How many one script touches: others wait meanwhile.
const BATCH: usize = 500;

static TOUCH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("session_touch.lua")));
static LIST: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("session_list.lua")));

/// In the order of the fields.
type Row = (String, String, String, String, String, i64, i64, u64);

pub(super) async fn touch(store: &RedisStore, uses: &[SessionUse]) -> Result<(), StoreError> {
    for batch in uses.chunks(BATCH) {
        let [known, seen] = keys(store);
        let mut call = TOUCH.key(known);
        call.key(seen).arg(milliseconds(SESSION_IDLE)).arg(MAX_SESSIONS);
        for used in batch {
            call.arg(joined(&[&used.tenant, &used.session]))
                .arg(&used.tenant)
                .arg(&used.session)
                .arg(&used.connection)
                .arg(&used.provider)
                .arg(&used.model)
                .arg(used.requests);
        }
        let () = store.invoke(call).await?;
    }
    Ok(())
}

pub(super) async fn list(store: &RedisStore) -> Result<Vec<Session>, StoreError> {
    let [known, seen] = keys(store);
    let mut call = LIST.key(known);
    call.key(seen).arg(milliseconds(SESSION_IDLE));
    let rows: Vec<Row> = store.invoke(call).await?;
    let mut sessions: Vec<_> = rows.into_iter().map(session).collect();
    sort(&mut sessions);
    Ok(sessions)
}

fn keys(store: &RedisStore) -> [String; 2] {
    ["{sessions}", "{sessions}:seen"].map(|name| store.key(name))
}

fn session(row: Row) -> Session {
    let (tenant, session, connection, provider, model, created_ms, last_active_ms, requests) = row;
    Session {
        tenant,
        session,
        connection,
        provider,
        model,
        created_ms,
        last_active_ms,
        requests,
    }
}
