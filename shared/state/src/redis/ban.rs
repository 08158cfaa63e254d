//! Bans in Redis: one hash, a field for each address and one for the version, so that they are lost together.

use super::{RedisStore, milliseconds};
use crate::StoreError;
use crate::ban::{Ban, BanChanges, LONGEST_BAN};
use redis::{Script, ScriptInvocation};
use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| Script::new(concat!(include_str!("ban.lua"), include_str!($file))))
    };
}

static INSERT: LazyLock<Script> = script!("ban_insert.lua");
static REMOVE: LazyLock<Script> = script!("ban_remove.lua");
static SINCE: LazyLock<Script> = script!("ban_since.lua");

/// Address, reason, Unix milliseconds of the end, milliseconds left.
type Row = (String, String, i64, u64);

pub(super) async fn insert(
    store: &RedisStore,
    ip: IpAddr,
    reason: &str,
    ttl: Duration,
) -> Result<(), StoreError> {
    let mut call = invocation(store, &INSERT);
    call.arg(ip.to_string())
        .arg(reason)
        .arg(milliseconds(ttl.min(LONGEST_BAN)));
    store.invoke(call).await
}

pub(super) async fn remove(store: &RedisStore, ip: IpAddr) -> Result<bool, StoreError> {
    let mut call = invocation(store, &REMOVE);
    call.arg(ip.to_string());
    store.invoke(call).await
}

pub(super) async fn since(store: &RedisStore, version: u64) -> Result<BanChanges, StoreError> {
    let mut call = invocation(store, &SINCE);
    call.arg(version);
    let (version, changed, rows): (u64, bool, Vec<Row>) = store.invoke(call).await?;
    let bans = changed.then(|| {
        let mut bans: Vec<_> = rows.into_iter().filter_map(ban).collect();
        bans.sort_by_key(|ban| ban.ip);
        bans
    });
    Ok(BanChanges { version, bans })
}

fn invocation(store: &RedisStore, script: &'static Script) -> ScriptInvocation<'static> {
    script.key(store.key("bans"))
}

fn ban((ip, reason, until_ms, left): Row) -> Option<Ban> {
    Some(Ban {
        ip: ip.parse().ok()?,
        reason,
        until_ms,
        left: Duration::from_millis(left),
    })
}
