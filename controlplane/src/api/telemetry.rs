//! How long answers take.
//!
//! `GET /api/telemetry/summary`
//!
//! Percentiles are those of the requests themselves, of all data planes together, not averages of percentiles.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use chrono::{TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Query, Reader},
};

const WINDOW_MS: i64 = 300_000;
const WINDOWS_MS: std::ops::RangeInclusive<i64> = 10_000..=86_400_000;
/// The newest requests of a window that has more.
const MAX_REQUESTS: i64 = 100_000;
/// How the reference calls a provider whose id is another.
const ALIASES: [(&str, &str); 1] = [("claude", "claudeCode")];

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct WindowQuery {
    /// How far back, in milliseconds; five minutes when absent, ten seconds to a day.
    window_ms: Option<i64>,
}

/// Milliseconds. Of a request: until its answer began, which is the whole answer where it is no stream.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SummaryView {
    window_ms: i64,
    count: i64,
    total_requests: i64,
    p50: i32,
    p95: i32,
    p99: i32,
    providers: BTreeMap<String, Percentiles>,
    /// `resolve` until a provider was called, `connect` until it answered, `stream` from the first event to the last.
    phase_breakdown: BTreeMap<String, Phase>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct Percentiles {
    p50: i32,
    p95: i32,
    p99: i32,
    count: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Phase {
    count: i64,
    p50: i32,
    p95: i32,
    avg: f64,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(summary))
}

/// Percentiles of a window, by provider and by phase.
#[utoipa::path(get, path = "/api/telemetry/summary", tag = "monitoring", params(WindowQuery),
    responses((status = 200, body = SummaryView), (status = 400)))]
async fn summary(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<WindowQuery>,
) -> Result<Json<SummaryView>, ApiError> {
    let window_ms = query
        .window_ms
        .unwrap_or(WINDOW_MS)
        .clamp(*WINDOWS_MS.start(), *WINDOWS_MS.end());
    let since = Utc::now() - TimeDelta::milliseconds(window_ms);
    // the row without a provider is about all of them
    let rows = sqlx::query!(
        r#"select provider, count(*) as "count!",
                  percentile_disc(array[0.5, 0.95, 0.99]) within group (order by took) as percentiles
           from (select coalesce(provider, '') as provider,
                        case when stream and ttft_ms > 0 then ttft_ms else duration_ms end as took
                 from usage_event
                 where started_at >= $1 and reached_provider and phase = 'final'
                 order by started_at desc limit $2) recent
           group by grouping sets ((provider), ())"#,
        since,
        MAX_REQUESTS,
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let mut all = None;
    let mut providers = BTreeMap::new();
    for row in rows {
        // of nothing there are none
        let Some(&[p50, p95, p99]) = row.percentiles.as_deref() else {
            continue;
        };
        let percentiles = Percentiles {
            p50,
            p95,
            p99,
            count: row.count,
        };
        let Some(provider) = row.provider else {
            all = Some(percentiles);
            continue;
        };
        let alias = ALIASES.iter().find(|(id, _)| *id == provider);
        providers.extend(alias.map(|(_, alias)| ((*alias).to_owned(), percentiles)));
        providers.insert(provider, percentiles);
    }
    let phase_breakdown = phases(&ctx, since).await?;
    Ok(Json(SummaryView {
        window_ms,
        count: all.map_or(0, |all| all.count),
        total_requests: all.map_or(0, |all| all.count),
        p50: all.map_or(0, |all| all.p50),
        p95: all.map_or(0, |all| all.p95),
        p99: all.map_or(0, |all| all.p99),
        providers,
        phase_breakdown,
    }))
}

async fn phases(ctx: &Ctx, since: chrono::DateTime<Utc>) -> Result<BTreeMap<String, Phase>, ApiError> {
    let rows = sqlx::query!(
        r#"select phase as "phase!", count(*) as "count!", avg(took)::double precision as "avg!",
                  percentile_disc(array[0.5, 0.95]) within group (order by took) as "percentiles!"
           from (select attempts, stream, ttft_ms, duration_ms from usage_event
                 where started_at >= $1 and reached_provider and phase = 'final'
                 order by started_at desc limit $2) recent
           cross join lateral (
               values ('resolve', (attempts -> 0 ->> 'startedAfterMs')::int),
                      ('connect', (attempts -> 0 ->> 'durationMs')::int),
                      ('stream', case when stream and ttft_ms > 0 then duration_ms - ttft_ms end)
           ) part (phase, took)
           where took is not null
           group by phase"#,
        since,
        MAX_REQUESTS,
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let phases = rows.into_iter().filter_map(|row| {
        let [p50, p95] = row.percentiles[..] else {
            return None;
        };
        let phase = Phase {
            count: row.count,
            p50,
            p95,
            avg: row.avg,
        };
        Some((row.phase, phase))
    });
    Ok(phases.collect())
}
