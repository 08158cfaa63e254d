//! Claims in Redis: a hash each, which lives as long as the lease, and as its answer is remembered.

use super::{RedisStore, milliseconds, within};
use crate::StoreError;
use crate::claim::Claim;
use crate::entry::EntryKey;
use bytes::Bytes;
use redis::Script;
use std::sync::LazyLock;
use std::time::Duration;

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));
static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim_renew.lua")));
static ANSWER: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim_answer.lua")));
static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim_release.lua")));

pub(super) async fn claim(
    store: &RedisStore,
    key: &EntryKey,
    holder: &str,
    lease: Duration,
) -> Result<Claim, StoreError> {
    let mut connection = store.connection.clone();
    let mut call = CLAIM.key(place(store, key));
    call.arg(holder).arg(milliseconds(lease));
    let answer = call.invoke_async(&mut connection);
    let (standing, left_ms, answer): (u8, i64, Vec<u8>) = within(store.deadline, answer).await?;
    Ok(match standing {
        0 => Claim::Granted,
        1 => Claim::Held {
            lease_left: Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)),
        },
        _ => Claim::Answered(Bytes::from(answer)),
    })
}

pub(super) async fn renew(
    store: &RedisStore,
    key: &EntryKey,
    holder: &str,
    lease: Duration,
) -> Result<bool, StoreError> {
    let mut call = RENEW.key(place(store, key));
    call.arg(holder).arg(milliseconds(lease));
    store.invoke(call).await
}

pub(super) async fn answer(
    store: &RedisStore,
    key: &EntryKey,
    holder: &str,
    answer: &Bytes,
    window: Duration,
) -> Result<bool, StoreError> {
    let mut connection = store.connection.clone();
    let mut call = ANSWER.key(place(store, key));
    call.arg(holder).arg(answer.as_ref()).arg(milliseconds(window));
    within(store.deadline, call.invoke_async(&mut connection)).await
}

pub(super) async fn release(store: &RedisStore, key: &EntryKey, holder: &str) -> Result<bool, StoreError> {
    let mut call = RELEASE.key(place(store, key));
    call.arg(holder);
    store.invoke(call).await
}

fn place(store: &RedisStore, key: &EntryKey) -> String {
    store.key(&format!("claim:{}", key.name()))
}
