//! Sums of hours and days, for charts: of what `usage_hour` tells apart, less and less.
//!
//! A sum is never added to: whatever made its hour change, it is made anew from `usage_hour`, in the transaction that
//! takes away the marks saying so. So nothing counts twice, however often this runs and wherever it is interrupted; and
//! marks that others set meanwhile stay for the next time. Until then readers take those hours from `usage_hour`
//! ([`Grains`]), so every answer is as new as the last batch.
//!
//! Days are those of the time zone that budgets are counted in. They are added up once they are over, and again when
//! the zone changes.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use runtime::period::{Tz, zone};
use sqlx::{PgConnection, PgExecutor, PgPool};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::latency;

const EVERY: Duration = Duration::from_secs(15);

/// Which sums together are what was used in a stretch of time: each hour of it is in exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grains {
    /// When days begin whose sums are there.
    pub days: Vec<DateTime<Utc>>,
    /// Hours of other days.
    pub hours: Vec<DateTime<Utc>>,
    /// Hours whose sums are out of date: `usage_hour` has them.
    pub stale: Vec<DateTime<Utc>>,
}

/// Adds up for as long as the process runs.
pub async fn keep_added_up(pool: PgPool, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        if let Some(Err(error)) = stop.run_until_cancelled(add_up(&pool, Utc::now())).await {
            tracing::debug!(%error, "sums of usage are made later");
        }
    }
}

/// Brings all sums up to date; those of days that ended before `now`. Another control plane that is at it is left to it.
pub async fn add_up(pool: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    // one day per transaction: an embedded database has one connection
    while step(pool, now).await? {}
    let mut tx = pool.begin().await?;
    if is_ours(&mut tx).await? {
        latency::condense(&mut tx, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The zone of days: the one that budgets are counted in.
pub async fn day_zone(executor: impl PgExecutor<'_>) -> Result<Tz, sqlx::Error> {
    let name =
        sqlx::query_scalar!(r#"select value #>> '{}' as "name?" from setting where key = 'budgetTimezone'"#)
            .fetch_optional(executor)
            .await?
            .flatten();
    Ok(zone(name.as_deref().unwrap_or_default()).unwrap_or_default())
}

/// The sums of one day, hours first; false when all are there.
async fn step(pool: &PgPool, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    if !is_ours(&mut tx).await? {
        return Ok(false);
    }
    let zone = day_zone(&mut *tx).await?;
    let today = now.with_timezone(&zone).date_naive();
    follow_zone(&mut tx, zone.name()).await?;
    let has_more =
        add_up_hours(&mut tx, zone.name()).await? || add_up_day(&mut tx, today, zone.name()).await?;
    tx.commit().await?;
    Ok(has_more)
}

/// Whether no other control plane is at it, until the end of the transaction.
async fn is_ours(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(hashtext('rollup')) as "is_ours!""#)
        .fetch_one(conn)
        .await
}

/// Forgets the sums of days that began elsewhere.
async fn follow_zone(conn: &mut PgConnection, zone: &str) -> Result<(), sqlx::Error> {
    let moved = sqlx::query!("delete from usage_day where zone <> $1", zone)
        .execute(&mut *conn)
        .await?;
    if moved.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!("delete from usage_sum where kind in ('day_models', 'day_keys', 'day')")
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into usage_day (day, zone, is_built)
         select distinct (at at time zone $1)::date, $1, false from usage_sum where kind = 'hour_keys'
         on conflict (day) do update set zone = excluded.zone, is_built = false",
        zone,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The hours of the earliest day that has any to be added up.
async fn add_up_hours(conn: &mut PgConnection, zone: &str) -> Result<bool, sqlx::Error> {
    let hours = sqlx::query_scalar!(
        r#"with day as (select (min(hour) at time zone $1)::date as day from usage_stale),
                taken as (
                    delete from usage_stale using day
                    where hour >= day::timestamp at time zone $1 and hour < (day + 1)::timestamp at time zone $1
                    returning hour)
           select distinct hour as "hour!" from taken"#,
        zone,
    )
    .fetch_all(&mut *conn)
    .await?;
    let Some(first) = hours.first() else {
        return Ok(false);
    };
    sqlx::query!(
        "delete from usage_sum where kind in ('hour_models', 'hour_keys') and at = any($1)",
        &hours,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "select usage_sum_add('hour_models', null, $1, false, true), usage_sum_add('hour_keys', null, $1, true, false)",
        &hours,
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into usage_day (day, zone, is_built) values (($1::timestamptz at time zone $2)::date, $2, false)
         on conflict (day) do update set is_built = false",
        first,
        zone,
    )
    .execute(conn)
    .await?;
    Ok(true)
}

/// The earliest day before `today` whose sums are not there.
async fn add_up_day(conn: &mut PgConnection, today: NaiveDate, zone: &str) -> Result<bool, sqlx::Error> {
    let day = sqlx::query!(
        r#"select day, day::timestamp at time zone $2 as "starts!", (day + 1)::timestamp at time zone $2 as "ends!"
           from usage_day where not is_built and day < $1 order by day limit 1"#,
        today,
        zone,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(day) = day else { return Ok(false) };
    sqlx::query!(
        "delete from usage_sum where kind in ('day_models', 'day_keys', 'day') and at = $1",
        day.starts
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "with hours as (select array_agg(distinct hour) as hours from usage_hour where hour >= $1 and hour < $2)
         select usage_sum_add('day_models', $1, hours, false, true), usage_sum_add('day_keys', $1, hours, true, false),
                usage_sum_add('day', $1, hours, true, true)
         from hours",
        day.starts,
        day.ends,
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query!("update usage_day set is_built = true where day = $1", day.day)
        .execute(conn)
        .await?;
    Ok(true)
}

// === impl Grains ===

impl Grains {
    /// Of the hours that begin in a stretch of time; open where there is no end.
    pub async fn of(
        executor: impl PgExecutor<'_>,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        zone: Tz,
    ) -> Result<Self, sqlx::Error> {
        // the day of a row is that of its own zone, so that no hour is missed while another zone is taken over
        let row = sqlx::query!(
            r#"with span as (select date_trunc('hour', coalesce($1::timestamptz, '-infinity'), 'UTC') as first,
                                    coalesce($2::timestamptz, 'infinity') as last),
                    stale as (select distinct hour from usage_stale, span where hour >= first and hour < last),
                    day as (select day.zone = $3 and is_built as is_built,
                                   day.day::timestamp at time zone day.zone as starts,
                                   (day.day + 1)::timestamp at time zone day.zone as ends
                            from usage_day day),
                    whole as (select starts, ends from day, span
                              where is_built and starts >= first and ends <= last
                                and not exists (select from stale where hour >= starts and hour < ends)),
                    part as (select hour from day, span,
                                  generate_series(date_trunc('hour', starts + interval '59:59.999999', 'UTC'),
                                                  ends - interval '1 microsecond', interval '1 hour') as hour
                             where starts < last and ends > first
                               and starts not in (select starts from whole)
                               and hour >= first and hour < last and hour not in (select hour from stale))
               select coalesce((select array_agg(starts) from whole), '{}') as "days!",
                      coalesce((select array_agg(hour) from part), '{}') as "hours!",
                      coalesce((select array_agg(hour) from stale), '{}') as "stale!""#,
            from,
            to,
            zone.name(),
        )
        .fetch_one(executor)
        .await?;
        Ok(Self {
            days: row.days,
            hours: row.hours,
            stale: row.stale,
        })
    }
}
