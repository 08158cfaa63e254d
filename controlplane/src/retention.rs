//! How long the log of requests is kept, and the tables that it is kept in.
//!
//! The log has a table for each day (UTC). One whose whole day is older than the setting `logRetentionDays` is dropped:
//! that takes a moment however many requests were in it, and leaves nothing behind to clean up. So a request may be
//! shown for a day longer than the setting says, and never for a shorter time. What was used is added up elsewhere
//! (`usage_hour`, `spending`) and stays, so neither budgets nor charts depend on the log.
//!
//! Bodies of requests, where they are kept, have tables by days as well, and a setting of their own, `bodyRetentionDays`.
//!
//! Tables are made some days ahead. Were there none, whoever stores requests would make it; could they not, the rest
//! (`usage_event_rest`) takes the requests until the table is there. Several control planes do all this at the same
//! time: each step holds a lock in the database for as long as its transaction.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::db::{Audit, Db, Origin};

pub const DEFAULT_DAYS: u32 = 90;
/// Of bodies of requests.
pub const DEFAULT_BODY_DAYS: u32 = 7;
pub const MAX_DAYS: u32 = 365;

const EVERY: Duration = Duration::from_secs(10 * 60);
/// Longer than a control plane may be away.
const DAYS_AHEAD: u64 = 7;
/// Of the audit trail.
const LEAST_AUDIT_DAYS: u32 = 180;
const BATCH: i64 = 1_000;
/// Between two steps, for whoever else needs the database.
const PAUSE: Duration = Duration::from_millis(100);
/// Somebody reads what is to be dropped.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Runs until `stop`.
pub async fn keep_short(db: Db, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let now = Utc::now();
        let work = async {
            prepare(db.pool(), now).await?;
            clean(&db, now).await?;
            clean_audit(&db, now).await
        };
        // what is kept for the shortest time does not wait for the rest to succeed
        if let Some(Err(error)) = stop.run_until_cancelled(clean_bodies(&db, now)).await {
            tracing::warn!(%error, "bodies of requests are dropped later");
        }
        if let Some(Err(error)) = stop.run_until_cancelled(work).await {
            tracing::warn!(%error, "the tables of the request log are made and dropped later");
        }
    }
}

/// Makes the tables of the next days.
pub async fn prepare(pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let yesterday = now.date_naive() - Days::new(1);
    for day in yesterday.iter_days().take(DAYS_AHEAD as usize + 2) {
        // a transaction each: nobody waits for longer than one takes
        let is_there = sqlx::query_scalar!(r#"select usage_partition($1) as "is_there!""#, day)
            .fetch_one(pool)
            .await?;
        if !is_there {
            tracing::info!(%day, "the table of a day is made later: the request log is in use");
        }
    }
    // whoever keeps bodies today will want to tomorrow, and a batch should not wait for a table
    let (today, tomorrow) = (now.date_naive(), now.date_naive() + Days::new(1));
    sqlx::query!(
        "select usage_body_partition($1) from usage_body_day where day = $2",
        tomorrow,
        today,
    )
    .fetch_optional(pool)
    .await?;
    Ok(())
}

/// Removes what is too old `now`; how many requests that were.
pub async fn clean(db: &Db, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let days = days(db.pool()).await?;
    let oldest = now.checked_sub_days(Days::new(days.into())).unwrap_or_default();
    let mut removed = 0;
    while let Some(dropped) = drop_oldest(db.pool(), oldest.date_naive()).await? {
        removed += dropped;
        sleep(PAUSE).await;
    }
    while let Some(deleted) = delete_rest(db.pool(), oldest).await? {
        removed += deleted;
        if deleted < BATCH.unsigned_abs() {
            break;
        }
        sleep(PAUSE).await;
    }
    if removed > 0 {
        let details = json!({ "requests": removed, "olderThanDays": days });
        db.record(
            &Origin::system(),
            Audit::of("compliance.cleanup").details(details),
        )
        .await?;
    }
    Ok(removed)
}

/// Removes bodies that are too old `now`, a whole day at a time; of how many requests that were.
pub async fn clean_bodies(db: &Db, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let days = body_days(db.pool()).await?;
    let kept_from = now.checked_sub_days(Days::new(days.into())).unwrap_or_default();
    let dropped = sqlx::query_scalar!(r#"select usage_body_drop($1) as "held!""#, kept_from.date_naive())
        .fetch_one(db.pool())
        .await;
    let removed = match dropped {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
            tracing::info!("bodies of requests are dropped later: somebody reads them");
            return Ok(0);
        }
        held => held?.unsigned_abs(),
    };
    if removed > 0 {
        let details = json!({ "requests": removed, "olderThanDays": days });
        db.record(
            &Origin::system(),
            Audit::of("compliance.bodies.cleanup").details(details),
        )
        .await?;
    }
    Ok(removed)
}

/// Removes entries of the audit trail that are too old `now`: kept twice as long as the log, and never less than half a
/// year, for what somebody did is asked for long after what it did. How many entries that were.
pub async fn clean_audit(db: &Db, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let days = (days(db.pool()).await? * 2).max(LEAST_AUDIT_DAYS);
    let oldest = now.checked_sub_days(Days::new(days.into())).unwrap_or_default();
    let mut removed = 0;
    loop {
        let deleted = delete_audit(db.pool(), oldest).await?;
        removed += deleted;
        if deleted < BATCH.unsigned_abs() {
            break;
        }
        sleep(PAUSE).await;
    }
    if removed > 0 {
        let details = json!({ "entries": removed, "olderThanDays": days });
        db.record(
            &Origin::system(),
            Audit::of("compliance.audit.cleanup").details(details),
        )
        .await?;
    }
    Ok(removed)
}

/// Of the oldest so many entries, those that are too old: the others need not be looked at.
async fn delete_audit(pool: &PgPool, oldest: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let mut tx = pool.begin().await?;
    if !is_ours(&mut tx).await? {
        return Ok(0);
    }
    let deleted = sqlx::query!(
        "delete from audit_log where id in
             (select id from (select id, at from audit_log order by id limit $2) as first where at < $1)",
        oldest,
        BATCH,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(deleted.rows_affected())
}

/// Drops one day that ended before the one given began; none when there is no such day, or another control plane is at
/// it, or somebody reads it for long.
async fn drop_oldest(pool: &PgPool, kept_from: NaiveDate) -> Result<Option<u64>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    if !is_ours(&mut tx).await? {
        return Ok(None);
    }
    let day = sqlx::query_scalar!("select min(day) from usage_partitions where day < $1", kept_from)
        .fetch_one(&mut *tx)
        .await?;
    let Some(day) = day else {
        // not left to the drop, which rolls back at some later time: what comes next needs the lock
        tx.rollback().await?;
        return Ok(None);
    };
    let dropped = sqlx::query_scalar!(r#"select usage_partition_drop($1) as "held!""#, day)
        .fetch_one(&mut *tx)
        .await;
    let held = match dropped {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
            tracing::info!(%day, "a day of the request log is dropped later: it is in use");
            tx.rollback().await?;
            return Ok(None);
        }
        held => held?,
    };
    tx.commit().await?;
    Ok(Some(held.unsigned_abs()))
}

/// Some of what has no table of its own; and what else goes with the log: batches that could not be read hold requests,
/// and nobody looks for what no request has any more.
async fn delete_rest(pool: &PgPool, oldest: DateTime<Utc>) -> Result<Option<u64>, sqlx::Error> {
    let mut tx = pool.begin().await?;
    if !is_ours(&mut tx).await? {
        return Ok(None);
    }
    let midnight = oldest.date_naive().and_time(NaiveTime::MIN).and_utc();
    let deleted = sqlx::query!(
        "delete from usage_event_rest where request_id in
             (select request_id from usage_event_rest where started_at < $1 order by started_at limit $2)",
        midnight,
        BATCH,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from usage_quarantine where noticed_at < $1", oldest)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from usage_term where last_on < $1", oldest.date_naive())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(deleted.rows_affected()))
}

/// Whether no other control plane is at it, until the end of the transaction.
async fn is_ours(conn: &mut sqlx::PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(hashtext('retention')) as "is_ours!""#)
        .fetch_one(conn)
        .await
}

async fn days(pool: &PgPool) -> Result<u32, sqlx::Error> {
    setting(pool, "logRetentionDays", DEFAULT_DAYS).await
}

/// No longer than the log itself.
async fn body_days(pool: &PgPool) -> Result<u32, sqlx::Error> {
    let wanted = setting(pool, "bodyRetentionDays", DEFAULT_BODY_DAYS).await?;
    Ok(wanted.min(days(pool).await?))
}

/// What is no number of days counts as nothing said.
async fn setting(pool: &PgPool, key: &str, usual: u32) -> Result<u32, sqlx::Error> {
    let stored = sqlx::query_scalar!("select value from setting where key = $1", key)
        .fetch_optional(pool)
        .await?;
    let stored = stored.as_ref().and_then(Value::as_u64);
    let days = stored.and_then(|days| u32::try_from(days).ok());
    Ok(days.filter(|days| (1..=MAX_DAYS).contains(days)).unwrap_or(usual))
}
