//! Runs as they are shown.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::Stamp;

const RECENT: i64 = 50;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EvalRun)]
pub struct RunView {
    run_id: Uuid,
    suite_id: String,
    suite_name: String,
    #[schema(value_type = Object)]
    target: Value,
    /// Of runs that are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<Uuid>,
    /// `running`, `finished`, `cancelled`, or `lost`: whoever ran it is gone.
    status: String,
    started_at: Stamp,
    finished_at: Option<Stamp>,
    /// `{caseId, caseName, passed, durationMs, details, error?}`, in the order of the cases once it is finished.
    #[schema(value_type = Vec<Object>)]
    results: Value,
    summary: Summary,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EvalSummary)]
pub struct Summary {
    total: i32,
    passed: i32,
    failed: i32,
    /// Percent.
    pass_rate: i32,
}

/// How a target did in a suite when it was asked last.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EvalScore)]
pub struct Score {
    suite_id: String,
    #[schema(value_type = Object)]
    target: Value,
    /// Percent.
    pass_rate: i32,
    total: i32,
    at: Stamp,
}

/// Whom cases can be put to: what each case names, or a combo.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[schema(as = EvalTarget)]
pub enum TargetView {
    SuiteDefault,
    Combo { id: Uuid, name: String },
}

struct Row {
    id: Uuid,
    suite_id: String,
    suite_name: String,
    target: Value,
    group_id: Option<Uuid>,
    status: String,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    total: i32,
    passed: i32,
    failed: i32,
    pass_rate: i32,
    results: Value,
}

// === impl RunView ===

impl From<Row> for RunView {
    fn from(row: Row) -> Self {
        Self {
            run_id: row.id,
            suite_id: row.suite_id,
            suite_name: row.suite_name,
            target: row.target,
            group_id: row.group_id,
            status: row.status,
            started_at: Stamp(row.started_at),
            finished_at: row.finished_at.map(Stamp),
            results: row.results,
            summary: Summary {
                total: row.total,
                passed: row.passed,
                failed: row.failed,
                pass_rate: row.pass_rate,
            },
        }
    }
}

pub async fn find(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<RunView>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, suite_id, suite_name, target, group_id, started_at, coalesce(finished_at, cancelled_at) as finished_at, total, passed, failed, pass_rate,
                  results, case when cancelled_at is not null then 'cancelled' when finished_at is not null then 'finished'
                      when touched_at < now() - interval '5 minutes' then 'lost' else 'running' end as "status!"
           from eval_run where id = $1"#,
        id,
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(RunView::from))
}

/// The last runs, without their results.
pub async fn recent(pool: &PgPool) -> Result<Vec<RunView>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, suite_id, suite_name, target, group_id, started_at, coalesce(finished_at, cancelled_at) as finished_at, total, passed, failed, pass_rate,
                  '[]'::jsonb as "results!", case when cancelled_at is not null then 'cancelled'
                      when finished_at is not null then 'finished'
                      when touched_at < now() - interval '5 minutes' then 'lost' else 'running' end as "status!"
           from eval_run order by started_at desc, id limit $1"#,
        RECENT,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(RunView::from).collect())
}

/// How each target did in each suite when it was asked last.
pub async fn scorecard(pool: &PgPool) -> Result<Vec<Score>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select distinct on (suite_id, target) suite_id, target, pass_rate, total, finished_at as "finished_at!"
           from eval_run where finished_at is not null and cancelled_at is null
           order by suite_id, target, finished_at desc"#
    )
    .fetch_all(pool)
    .await?;
    let scores = rows.into_iter().map(|row| Score {
        suite_id: row.suite_id,
        target: row.target,
        pass_rate: row.pass_rate,
        total: row.total,
        at: Stamp(row.finished_at),
    });
    Ok(scores.collect())
}

/// Whom the cases can be put to, beside any model.
pub async fn targets(pool: &PgPool) -> Result<Vec<TargetView>, sqlx::Error> {
    let combos = sqlx::query!("select id, name from combo where is_active order by name")
        .fetch_all(pool)
        .await?;
    let combos = combos.into_iter().map(|row| TargetView::Combo {
        id: row.id,
        name: row.name,
    });
    Ok(std::iter::once(TargetView::SuiteDefault).chain(combos).collect())
}
