//! Counts of combos in Redis: one hash, a field for each combo and each model of it.

use super::{RedisStore, joined};
use crate::StoreError;
use crate::combo::ComboCount;
use redis::Script;
use std::sync::LazyLock;

static ADD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("combo_add.lua")));
static LIST: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("combo_list.lua")));
static CLEAR: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("combo_clear.lua")));

/// In the order of the fields.
type Row = (String, String, u64, u64, u64, u64, u64, i64, bool);

pub(super) async fn add(store: &RedisStore, counts: &[ComboCount]) -> Result<(), StoreError> {
    if counts.is_empty() {
        return Ok(());
    }
    let mut call = ADD.key(store.key("combos"));
    for count in counts {
        call.arg(joined(&[&count.combo, &count.model]))
            .arg(&count.combo)
            .arg(&count.model)
            .arg(count.requests)
            .arg(count.successes)
            .arg(count.failures)
            .arg(count.fallbacks)
            .arg(count.latency_ms)
            .arg(count.last_used_ms)
            .arg(u8::from(count.last_ok));
    }
    store.invoke(call).await
}

pub(super) async fn list(store: &RedisStore, combo: Option<&str>) -> Result<Vec<ComboCount>, StoreError> {
    let mut call = LIST.key(store.key("combos"));
    if let Some(combo) = combo {
        call.arg(combo);
    }
    let rows: Vec<Row> = store.invoke(call).await?;
    let mut counts: Vec<_> = rows.into_iter().map(count).collect();
    counts.sort_by(|a, b| (&a.combo, &a.model).cmp(&(&b.combo, &b.model)));
    Ok(counts)
}

pub(super) async fn clear(store: &RedisStore, combo: Option<&str>) -> Result<(), StoreError> {
    let mut call = CLEAR.key(store.key("combos"));
    if let Some(combo) = combo {
        call.arg(combo);
    }
    store.invoke(call).await
}

fn count(row: Row) -> ComboCount {
    let (combo, model, requests, successes, failures, fallbacks, latency_ms, last_used_ms, last_ok) = row;
    ComboCount {
        combo,
        model,
        requests,
        successes,
        failures,
        fallbacks,
        latency_ms,
        last_used_ms,
        last_ok,
    }
}
