//! How long the log of requests is kept.
//!
//! What is older than the setting `logRetentionDays` is deleted, some rows at a time: an embedded database has one
//! connection, and whoever waits for it gets a turn between two batches. Of several control planes one works at a time,
//! under a lock that lasts as long as its batch. What was used is added up elsewhere (`usage_hour`, `spending`) and
//! stays, so neither budgets nor charts depend on the log.

use std::time::Duration;

use chrono::{DateTime, Days, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;

use crate::db::{Audit, Db, Origin};

pub const DEFAULT_DAYS: u32 = 90;
pub const MAX_DAYS: u32 = 365;

const EVERY: Duration = Duration::from_secs(10 * 60);
const BATCH: i64 = 1_000;
/// Between two batches, for whoever else needs the database.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs until `stop`.
pub async fn keep_short(db: Db, stop: CancellationToken) {
    let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        if let Some(Err(error)) = stop.run_until_cancelled(clean(&db, Utc::now())).await {
            tracing::warn!(%error, "old requests are deleted later");
        }
    }
}

/// Deletes what is too old `now`; how many requests that were.
pub async fn clean(db: &Db, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let days = days(db.pool()).await?;
    let oldest = now.checked_sub_days(Days::new(days.into())).unwrap_or_default();
    let mut deleted = 0;
    while let Some(batch) = delete_batch(db.pool(), oldest).await? {
        deleted += batch;
        if batch < BATCH.unsigned_abs() {
            break;
        }
        sleep(PAUSE).await;
    }
    if deleted > 0 {
        let details = json!({ "requests": deleted, "olderThanDays": days });
        db.record(
            &Origin::system(),
            Audit::of("compliance.cleanup").details(details),
        )
        .await?;
    }
    Ok(deleted)
}

/// The oldest first; none while another control plane does it. Batches that could not be read hold requests, too.
async fn delete_batch(pool: &PgPool, oldest: DateTime<Utc>) -> Result<Option<u64>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let is_ours =
        sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(hashtext('retention')) as "is_ours!""#)
            .fetch_one(&mut *tx)
            .await?;
    if !is_ours {
        return Ok(None);
    }
    let deleted = sqlx::query!(
        "delete from usage_event where request_id in
             (select request_id from usage_event where started_at < $1 order by started_at limit $2)",
        oldest,
        BATCH,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from usage_quarantine where noticed_at < $1", oldest)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(deleted.rows_affected()))
}

/// What is no number of days counts as nothing said.
async fn days(pool: &PgPool) -> Result<u32, sqlx::Error> {
    let stored = sqlx::query_scalar!("select value from setting where key = 'logRetentionDays'")
        .fetch_optional(pool)
        .await?;
    let stored = stored.as_ref().and_then(Value::as_u64);
    let days = stored.and_then(|days| u32::try_from(days).ok());
    Ok(days
        .filter(|days| (1..=MAX_DAYS).contains(days))
        .unwrap_or(DEFAULT_DAYS))
}
