//! Cached answers in Redis: a string each, in whatever slot it falls, and in one slot of their own an index that
//! bounds how many there are, the counts, and the reports of data planes.
//!
//! The index and the answers are written in two steps. What is lost between them is an answer that is not counted, or
//! one that is counted and not there; the next second is right again.

use super::{RedisStore, milliseconds, within};
use crate::StoreError;
use crate::cache::{
    CACHE_REPORT_TTL, CacheCounts, CacheHoldings, CacheReport, CacheStats, CachedAnswer, MAX_CACHED_ANSWERS,
};
use crate::entry::EntryKey;
use bytes::Bytes;
use redis::{Script, ScriptInvocation};
use std::sync::LazyLock;
use std::time::Duration;

macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| Script::new(concat!(include_str!("cache.lua"), include_str!($file))))
    };
}

static NOTE: LazyLock<Script> = script!("cache_note.lua");
static REPORT: LazyLock<Script> = script!("cache_report.lua");
static STATS: LazyLock<Script> = script!("cache_stats.lua");

/// In the order of the fields, with the reports at the end.
type Row = (u64, u64, u64, u64, u64, u64, Vec<String>);

pub(super) async fn insert(
    store: &RedisStore,
    key: &EntryKey,
    sealed: Bytes,
    ttl: Duration,
) -> Result<(), StoreError> {
    let name = key.name();
    let mut command = ::redis::cmd("SET");
    command
        .arg(place(store, &name))
        .arg(sealed.as_ref())
        .arg("PX")
        .arg(milliseconds(ttl));
    let mut connection = store.background.clone();
    let () = within(store.unhurried(), command.query_async(&mut connection)).await?;

    let mut call = invocation(store, &NOTE);
    call.arg(key.generation)
        .arg(&name)
        .arg(milliseconds(ttl))
        .arg(MAX_CACHED_ANSWERS);
    let gone: Vec<String> = store.invoke(call).await?;
    // they may lie in any slot
    for name in gone {
        let mut command = ::redis::cmd("UNLINK");
        command.arg(place(store, &name));
        let () = within(store.unhurried(), command.query_async(&mut connection)).await?;
    }
    Ok(())
}

/// Both commands are about one key, so they may go as one.
pub(super) async fn find(store: &RedisStore, key: &EntryKey) -> Result<Option<CachedAnswer>, StoreError> {
    let place = place(store, &key.name());
    let mut commands = ::redis::pipe();
    commands.cmd("GET").arg(&place).cmd("PTTL").arg(&place);
    let mut connection = store.connection.clone();
    let (sealed, left_ms): (Option<Vec<u8>>, i64) =
        within(store.deadline, commands.query_async(&mut connection)).await?;
    // an answer may end between the two
    let left = u64::try_from(left_ms).ok().filter(|left| *left > 0);
    Ok(sealed.zip(left).map(|(sealed, left)| CachedAnswer {
        sealed: Bytes::from(sealed),
        left: Duration::from_millis(left),
    }))
}

pub(super) async fn report(
    store: &RedisStore,
    data_plane: &str,
    report: &CacheReport,
) -> Result<(), StoreError> {
    let CacheReport {
        generation,
        counts,
        holdings,
    } = report;
    let mut call = invocation(store, &REPORT);
    call.arg(data_plane)
        .arg(milliseconds(CACHE_REPORT_TTL))
        .arg(generation)
        .arg(counts.hits)
        .arg(counts.similar_hits)
        .arg(counts.misses)
        .arg(counts.evictions)
        .arg(counts.tokens_saved)
        .arg(holdings.entries)
        .arg(holdings.max_entries)
        .arg(holdings.idempotency_keys)
        .arg(holdings.idempotency_window_ms);
    store.invoke(call).await
}

pub(super) async fn stats(store: &RedisStore, generation: u64) -> Result<CacheStats, StoreError> {
    let mut call = invocation(store, &STATS);
    call.arg(generation);
    let (hits, similar_hits, misses, evictions, tokens_saved, stored, reports): Row =
        store.invoke(call).await?;
    let mut all = CacheHoldings::default();
    reports.iter().for_each(|report| all.add(&holdings(report)));
    Ok(CacheStats {
        counts: CacheCounts {
            hits,
            similar_hits,
            misses,
            evictions,
            tokens_saved,
        },
        stored,
        holdings: all,
    })
}

fn holdings(report: &str) -> CacheHoldings {
    let mut numbers = report.split(' ').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    CacheHoldings {
        entries: next(),
        max_entries: next(),
        idempotency_keys: next(),
        idempotency_window_ms: next(),
    }
}

fn invocation<'a>(store: &RedisStore, script: &'a Script) -> ScriptInvocation<'a> {
    let mut call = script.key(store.key("{cache}"));
    for name in ["{cache}:index", "{cache}:reports", "{cache}:ends"] {
        call.key(store.key(name));
    }
    call
}

fn place(store: &RedisStore, name: &str) -> String {
    store.key(&format!("answer:{name}"))
}
