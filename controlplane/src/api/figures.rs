//! A few figures for the first page that an operator sees.
//!
//! `GET /api/provider-metrics` · `GET /api/token-health` · `GET /api/storage/health`

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use chrono::{TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Reader, Stamp},
    latency::{self, Measured},
    rollup::{Grains, day_zone},
};

const METRICS_DAYS: i64 = 30;

#[derive(Debug, Serialize, ToSchema)]
struct ProviderMetrics {
    /// By provider, of requests of the last 30 days that reached one.
    metrics: BTreeMap<String, ProviderFigures>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProviderFigures {
    total_requests: i64,
    total_successes: i64,
    /// Percent.
    success_rate: i64,
    avg_latency_ms: i64,
    /// Until answers began, of all data planes together; within one per cent. And so the next.
    p50_ms: i32,
    p95_ms: i32,
    p99_ms: i32,
}

/// Of active connections that sign in by OAuth.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TokenHealth {
    total: i64,
    /// Worked when they were tried last.
    healthy: i64,
    /// Did not, or have expired.
    errored: i64,
    /// Were never tried.
    warning: i64,
    last_check_at: Option<Stamp>,
    /// `healthy`, `warning` or `error`.
    status: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StorageHealth {
    driver: &'static str,
    /// Of the server.
    version: String,
    size_bytes: i64,
    /// Requests in the log.
    usage_events: i64,
    oldest_usage_at: Option<Stamp>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(provider_metrics))
        .routes(routes!(token_health))
        .routes(routes!(storage_health))
}

/// How providers did.
#[utoipa::path(get, path = "/api/provider-metrics", tag = "monitoring",
    responses((status = 200, body = ProviderMetrics)))]
async fn provider_metrics(State(ctx): State<Ctx>, _: Reader) -> Result<Json<ProviderMetrics>, ApiError> {
    let since = Utc::now() - TimeDelta::days(METRICS_DAYS);
    let zone = day_zone(ctx.db.pool()).await?;
    let grains = Grains::of(ctx.db.pool(), Some(since), None, zone).await?;
    let rows = sqlx::query!(
        r#"with parts as (
               select provider, reached, reached_ok, duration_ms from usage_sum
               where kind = 'day_models' and at = any($1)
               union all
               select provider, reached, reached_ok, duration_ms from usage_sum
               where kind = 'hour_models' and at = any($2)
               union all
               select provider, reached, reached_ok, duration_ms from usage_hour where hour = any($3))
           select provider as "provider!", sum(reached)::bigint as "total!", sum(reached_ok)::bigint as "ok!",
                  round(sum(duration_ms) / sum(reached))::bigint as "latency!"
           from parts where provider <> '' group by provider having sum(reached) > 0"#,
        &grains.days,
        &grains.hours,
        &grains.stale,
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let mut sketches = latency::since(ctx.db.pool(), since, Some("")).await?;
    let figures = rows.into_iter().map(|row| {
        let measured = Measured {
            provider: row.provider.clone(),
            phase: String::new(),
        };
        let sketch = sketches.remove(&measured).unwrap_or_default();
        let figures = ProviderFigures {
            p50_ms: sketch.percentile(0.5),
            p95_ms: sketch.percentile(0.95),
            p99_ms: sketch.percentile(0.99),
            total_requests: row.total,
            total_successes: row.ok,
            success_rate: (row.ok * 200 + row.total) / (row.total * 2).max(1),
            avg_latency_ms: row.latency,
        };
        (row.provider, figures)
    });
    Ok(Json(ProviderMetrics {
        metrics: figures.collect(),
    }))
}

/// Whether accounts that sign in by OAuth still can.
#[utoipa::path(get, path = "/api/token-health", tag = "monitoring", responses((status = 200, body = TokenHealth)))]
async fn token_health(State(ctx): State<Ctx>, _: Reader) -> Result<Json<TokenHealth>, ApiError> {
    let row = sqlx::query!(
        r#"select count(*) as "total!", count(*) filter (where test_status = 'active') as "healthy!",
                  count(*) filter (where test_status in ('error', 'expired')) as "errored!",
                  count(*) filter (where test_status = 'unknown') as "warning!", max(last_tested) as last_check_at
           from provider_connection where auth_type = 'oauth' and is_active"#
    )
    .fetch_one(ctx.db.pool())
    .await?;
    let status = match (row.errored, row.warning) {
        (0, 0) => "healthy",
        (0, _) => "warning",
        _ => "error",
    };
    Ok(Json(TokenHealth {
        total: row.total,
        healthy: row.healthy,
        errored: row.errored,
        warning: row.warning,
        last_check_at: row.last_check_at.map(Stamp),
        status,
    }))
}

/// How large the database is.
#[utoipa::path(get, path = "/api/storage/health", tag = "monitoring",
    responses((status = 200, body = StorageHealth)))]
async fn storage_health(State(ctx): State<Ctx>, _: Reader) -> Result<Json<StorageHealth>, ApiError> {
    // the planner's count: counting a large table would take as long as the table is large
    let row = sqlx::query!(
        r#"select current_setting('server_version') as "version!",
                  pg_database_size(current_database()) as "size_bytes!",
                  coalesce((select sum(greatest(t.reltuples, 0))::bigint from pg_partition_tree('usage_event') p
                            join pg_class t on t.oid = p.relid where p.isleaf), 0) as "usage_events!",
                  (select min(started_at) from usage_event) as oldest_usage_at"#
    )
    .fetch_one(ctx.db.pool())
    .await?;
    Ok(Json(StorageHealth {
        driver: "postgres",
        version: row.version,
        size_bytes: row.size_bytes,
        usage_events: row.usage_events,
        oldest_usage_at: row.oldest_usage_at.map(Stamp),
    }))
}
