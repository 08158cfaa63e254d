//! Vectors in Redis: a stream for each partition, whose ids are the marks.

use super::{RedisStore, milliseconds, within};
use crate::StoreError;
use crate::entry::EntryKey;
use crate::vector::{AddedVector, MAX_VECTORS, VECTORS_AT_ONCE, VectorChanges, VectorMark};
use bytes::Bytes;
use redis::Script;
use std::sync::LazyLock;
use std::time::Duration;

static ADD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("vector_add.lua")));

/// The id, and the names and values of its fields by turns.
type Row = (String, Vec<Vec<u8>>);

pub(super) async fn add(
    store: &RedisStore,
    partition: &EntryKey,
    entry: &[u8; 32],
    sealed: &[u8],
    ttl: Duration,
) -> Result<(), StoreError> {
    let mut call = ADD.key(place(store, partition));
    call.arg(entry)
        .arg(sealed)
        .arg(milliseconds(ttl))
        .arg(MAX_VECTORS);
    store.invoke(call).await
}

pub(super) async fn since(
    store: &RedisStore,
    partition: &EntryKey,
    mark: VectorMark,
) -> Result<VectorChanges, StoreError> {
    let mut command = ::redis::cmd("XRANGE");
    command
        .arg(place(store, partition))
        .arg(format!("({}-{}", mark.time, mark.number))
        .arg("+")
        .arg("COUNT")
        .arg(VECTORS_AT_ONCE);
    let mut connection = store.connection.clone();
    let rows: Vec<Row> = within(store.deadline, command.query_async(&mut connection)).await?;
    let last = rows.last().and_then(|(id, _)| read_mark(id));
    Ok(VectorChanges {
        mark: last.unwrap_or(mark),
        added: rows
            .into_iter()
            .filter_map(|(_, fields)| vector(fields))
            .collect(),
    })
}

fn read_mark(id: &str) -> Option<VectorMark> {
    let (time, number) = id.split_once('-')?;
    Some(VectorMark {
        time: time.parse().ok()?,
        number: number.parse().ok()?,
    })
}

fn vector(fields: Vec<Vec<u8>>) -> Option<AddedVector> {
    let [_, entry, _, sealed] = <[Vec<u8>; 4]>::try_from(fields).ok()?;
    Some(AddedVector {
        entry: entry.try_into().ok()?,
        sealed: Bytes::from(sealed),
    })
}

fn place(store: &RedisStore, partition: &EntryKey) -> String {
    store.key(&format!("vectors:{}", partition.name()))
}
