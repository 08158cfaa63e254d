//! Loads in Redis: a hash of the last report of each data plane, and an index by when it ends.

use super::{RedisStore, milliseconds};
use crate::StoreError;
use crate::load::{ConnectionLoad, LOAD_TTL, sum};
use redis::Script;
use std::sync::LazyLock;

static REPORT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("load_report.lua")));
static LIST: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("load_list.lua")));

/// In the order of the fields.
type Row = (
    String,
    String,
    u32,
    u32,
    u64,
    Option<u32>,
    Option<u32>,
    Option<i64>,
);

pub(super) async fn report(
    store: &RedisStore,
    data_plane: &str,
    loads: &[ConnectionLoad],
) -> Result<(), StoreError> {
    let [reports, ends] = keys(store);
    let mut call = REPORT.key(reports);
    call.key(ends).arg(data_plane).arg(milliseconds(LOAD_TTL));
    for load in loads {
        call.arg(&load.connection)
            .arg(&load.provider)
            .arg(load.queued)
            .arg(load.running)
            .arg(load.done)
            .arg(load.limit.map_or_else(String::new, |limit| limit.to_string()))
            .arg(load.remaining.map_or_else(String::new, |left| left.to_string()))
            .arg(load.reset_at_ms.map_or_else(String::new, |at| at.to_string()));
    }
    store.invoke(call).await
}

pub(super) async fn list(store: &RedisStore) -> Result<Vec<ConnectionLoad>, StoreError> {
    let [reports, ends] = keys(store);
    let mut call = LIST.key(reports);
    call.key(ends);
    let rows: Vec<Row> = store.invoke(call).await?;
    Ok(sum(rows.into_iter().map(load)))
}

fn keys(store: &RedisStore) -> [String; 2] {
    ["{loads}", "{loads}:ends"].map(|name| store.key(name))
}

fn load(row: Row) -> ConnectionLoad {
    let (connection, provider, queued, running, done, limit, remaining, reset_at_ms) = row;
    ConnectionLoad {
        connection,
        provider,
        queued,
        running,
        done,
        limit,
        remaining,
        reset_at_ms,
    }
}
