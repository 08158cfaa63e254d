//! What API keys have spent, by the ledger, and how the state store learns of it.
//!
//! The counters in the state store decide about budgets, and may be lost. The ledger in Postgres is written by the
//! transaction that stores usage, so it is never wrong, only a little late. Every control plane raises the counters to
//! it, again and again: doing so twice changes nothing, and nothing is ever lowered.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use runtime::period::{Calendar, Period, zone};
use serde_json::json;
use sqlx::{PgExecutor, PgPool};
use state::{Spending, StateStore, StoreError};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What can be spent beyond a budget when the state store has lost its memory.
const EVERY: Duration = Duration::from_secs(30);
/// How soon that is noticed.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Error)]
pub enum SpendingError {
    #[error("the ledger cannot be read")]
    Ledger(#[from] sqlx::Error),
    #[error("the state store did not take what was spent: {0}")]
    Store(#[from] StoreError),
}

/// Today, this week and this month, where budgets are counted.
#[derive(Clone, Debug)]
pub struct Periods {
    daily: Period,
    weekly: Period,
    monthly: Period,
}

/// Of one key, in nano-USD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    daily: i64,
    weekly: i64,
    monthly: i64,
    /// That reached a provider, since the earliest of the periods began.
    pub requests: i64,
}

// === impl Periods ===

impl Periods {
    pub async fn load(executor: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<Self, sqlx::Error> {
        let name = sqlx::query_scalar!(
            r#"select value #>> '{}' as "name?" from setting where key = 'budgetTimezone'"#
        )
        .fetch_optional(executor)
        .await?
        .flatten();
        let zone = zone(name.as_deref().unwrap_or_default()).unwrap_or_default();
        Ok(Self {
            daily: Calendar::Daily.period(now, zone),
            weekly: Calendar::Weekly.period(now, zone),
            monthly: Calendar::Monthly.period(now, zone),
        })
    }

    pub fn of(&self, calendar: Calendar) -> &Period {
        match calendar {
            Calendar::Daily => &self.daily,
            Calendar::Weekly => &self.weekly,
            Calendar::Monthly => &self.monthly,
        }
    }
}

// === impl Spent ===

impl Spent {
    pub fn of(&self, calendar: Calendar) -> i64 {
        match calendar {
            Calendar::Daily => self.daily,
            Calendar::Weekly => self.weekly,
            Calendar::Monthly => self.monthly,
        }
    }
}

/// Of those of the keys that spent anything.
pub async fn spent(
    executor: impl PgExecutor<'_>,
    periods: &Periods,
    keys: &[Uuid],
) -> Result<HashMap<Uuid, Spent>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select key_id,
                  coalesce(sum(cost_nano) filter (where quarter >= $2), 0)::bigint as "daily!",
                  coalesce(sum(cost_nano) filter (where quarter >= $3), 0)::bigint as "weekly!",
                  coalesce(sum(cost_nano) filter (where quarter >= $4), 0)::bigint as "monthly!",
                  sum(requests)::bigint as "requests!"
           from spending
           where key_id = any($1) and quarter >= least($2, $3, $4)
           group by key_id"#,
        keys,
        periods.daily.starts_at,
        periods.weekly.starts_at,
        periods.monthly.starts_at,
    )
    .fetch_all(executor)
    .await?;
    let spent = rows.into_iter().map(|row| {
        let spent = Spent {
            daily: row.daily,
            weekly: row.weekly,
            monthly: row.monthly,
            requests: row.requests,
        };
        (row.key_id, spent)
    });
    Ok(spent.collect())
}

/// Raises the counters of one key with a budget, or of all.
pub async fn raise(pool: &PgPool, store: &dyn StateStore, key: Option<Uuid>) -> Result<(), SpendingError> {
    let keys = sqlx::query_scalar!(
        "select api_key_id from budget where $1::uuid is null or api_key_id = $1",
        key
    )
    .fetch_all(pool)
    .await?;
    if keys.is_empty() {
        return Ok(());
    }
    let periods = Periods::load(pool, Utc::now()).await?;
    let known: Vec<Spending> = spent(pool, &periods, &keys)
        .await?
        .into_iter()
        .flat_map(|(key, spent)| {
            let key: Arc<str> = key.to_string().into();
            let periods = &periods;
            Calendar::ALL.into_iter().map(move |calendar| Spending {
                key: key.clone(),
                period: periods.of(calendar).name.as_str().into(),
                ends_at_ms: periods.of(calendar).ends_at.timestamp_millis(),
                spent_nano: u64::try_from(spent.of(calendar)).unwrap_or(0),
            })
        })
        .filter(|spending| spending.spent_nano > 0)
        .collect();
    Ok(store.raise_spending(&known).await?)
}

/// Writes into the audit trail, once a period, that a key has spent as much of a budget as its owner wants to know of.
pub async fn warn(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    // control planes do this all the time, and two must not write the same
    sqlx::query!("select pg_advisory_xact_lock(hashtext('budget.warning'))")
        .fetch_one(&mut *tx)
        .await?;
    let budgets = sqlx::query!(
        "select api_key_id, daily_limit_nano, weekly_limit_nano, monthly_limit_nano, warning_threshold from budget"
    )
    .fetch_all(&mut *tx)
    .await?;
    let keys: Vec<Uuid> = budgets.iter().map(|budget| budget.api_key_id).collect();
    let periods = Periods::load(&mut *tx, Utc::now()).await?;
    let spent = spent(&mut *tx, &periods, &keys).await?;
    for budget in budgets {
        let Some(spent) = spent.get(&budget.api_key_id) else {
            continue;
        };
        let limits = [
            (Calendar::Daily, budget.daily_limit_nano),
            (Calendar::Weekly, budget.weekly_limit_nano),
            (Calendar::Monthly, budget.monthly_limit_nano),
        ];
        for (calendar, limit) in limits {
            let Some(limit) = limit else { continue };
            let spent = spent.of(calendar);
            if (spent as f64) < budget.warning_threshold * limit as f64 {
                continue;
            }
            let period = &periods.of(calendar).name;
            let details = json!({
                "period": period, "spentNano": spent, "limitNano": limit,
                "warningThreshold": budget.warning_threshold,
            });
            sqlx::query!(
                "insert into audit_log (action, actor, status, target_kind, target_id, details)
                 select 'budget.warning', 'system', 'success', 'key', $1, $2
                 where not exists (select from audit_log where action = 'budget.warning' and target_id = $1
                                   and details ->> 'period' = $3)",
                budget.api_key_id.to_string(),
                details,
                period,
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    tx.commit().await
}

/// Warns for as long as the process runs.
pub async fn keep_warning(pool: PgPool, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if let Err(error) = warn(&pool).await {
                    tracing::debug!(%error, "whose budgets are nearly spent is looked at later");
                }
            }
            () = stop.cancelled() => return,
        }
    }
}

/// Raises counters for as long as the process runs: every so often, and at once when the store has forgotten them.
pub async fn keep_raised(pool: PgPool, store: Arc<dyn StateStore>, stop: CancellationToken) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut life = None;
    let mut raised_at = None;
    loop {
        tokio::select! {
            now = ticks.tick() => {
                let (Ok(seen), last) = (store.life().await, raised_at) else { continue };
                let due = last.is_none_or(|last| now.duration_since(last) >= EVERY);
                if !due && life.as_ref() == Some(&seen) {
                    continue;
                }
                match raise(&pool, &*store, None).await {
                    Ok(()) => (life, raised_at) = (Some(seen), Some(now)),
                    Err(error) => tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "what was spent is put into the state store later"
                    ),
                }
            }
            () = stop.cancelled() => return,
        }
    }
}
