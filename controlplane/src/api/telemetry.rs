//! How long answers take.
//!
//! `GET /api/telemetry/summary`
//!
//! Percentiles are read from sketches ([`crate::latency`]) of the requests of all data planes together: they are no
//! averages of percentiles, and within one per cent of what sorting all requests would give.

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
    latency::{self, Measured, Sketch},
};

const WINDOW_MS: i64 = 300_000;
const WINDOWS_MS: std::ops::RangeInclusive<i64> = 10_000..=86_400_000;
/// How the reference calls a provider whose id is another.
const ALIASES: [(&str, &str); 1] = [("claude", "claudeCode")];

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct WindowQuery {
    /// How far back, in milliseconds; five minutes when absent, ten seconds to a day. Beyond an hour or two it is whole
    /// hours.
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

// === impl Percentiles ===

impl Percentiles {
    fn of(sketch: &Sketch) -> Self {
        Self {
            p50: sketch.percentile(0.5),
            p95: sketch.percentile(0.95),
            p99: sketch.percentile(0.99),
            count: sketch.count(),
        }
    }
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
    let mut all = Sketch::default();
    let mut providers = BTreeMap::new();
    let mut phases: BTreeMap<String, Sketch> = BTreeMap::new();
    for (Measured { provider, phase }, sketch) in latency::since(ctx.db.pool(), since, None).await? {
        if !phase.is_empty() {
            phases.entry(phase).or_default().merge(&sketch);
            continue;
        }
        all.merge(&sketch);
        let percentiles = Percentiles::of(&sketch);
        let alias = ALIASES.iter().find(|(id, _)| *id == provider);
        providers.extend(alias.map(|(_, alias)| ((*alias).to_owned(), percentiles)));
        providers.insert(provider, percentiles);
    }
    let phase_breakdown = phases.into_iter().map(|(phase, sketch)| {
        let view = Phase {
            count: sketch.count(),
            p50: sketch.percentile(0.5),
            p95: sketch.percentile(0.95),
            avg: sketch.average(),
        };
        (phase, view)
    });
    let total = Percentiles::of(&all);
    Ok(Json(SummaryView {
        window_ms,
        count: total.count,
        total_requests: total.count,
        p50: total.p50,
        p95: total.p95,
        p99: total.p99,
        providers,
        phase_breakdown: phase_breakdown.collect(),
    }))
}
