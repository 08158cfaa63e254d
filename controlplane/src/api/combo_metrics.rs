//! How combos do, counted over all data planes since somebody last forgot it.
//!
//! `GET DELETE /api/combos/metrics`

use std::collections::{BTreeMap, HashMap};

use axum::{Json, extract::State};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::json;
use state::ComboCount;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{Operator, Query, Reader, Stamp},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MetricsQuery {
    /// Only of the combo with this name.
    combo: Option<String>,
}

/// Of all combos by name, or of the one that was asked for.
#[derive(Debug, Serialize, ToSchema)]
struct MetricsView {
    metrics: Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Metrics {
    All(BTreeMap<String, ComboView>),
    One(Option<Box<ComboView>>),
}

/// Rates are whole percents.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ComboMetrics)]
struct ComboView {
    total_requests: u64,
    total_successes: u64,
    total_failures: u64,
    /// Requests that needed more than the first choice.
    total_fallbacks: u64,
    total_latency_ms: u64,
    /// Absent when the combo is gone.
    strategy: Option<String>,
    last_used_at: Option<Stamp>,
    avg_latency_ms: u64,
    success_rate: u64,
    fallback_rate: u64,
    by_model: BTreeMap<String, ModelView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ComboModelMetrics)]
struct ModelView {
    requests: u64,
    successes: u64,
    failures: u64,
    total_latency_ms: u64,
    /// `ok` or `error`.
    last_status: &'static str,
    last_used_at: Option<Stamp>,
    avg_latency_ms: u64,
    success_rate: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ComboMetricsForgotten)]
struct Forgotten {
    success: bool,
    message: String,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, forget))
}

// === impl ComboView ===

impl ComboView {
    fn add(&mut self, count: ComboCount) {
        if !count.model.is_empty() {
            self.by_model.insert(count.model.clone(), ModelView::of(&count));
            return;
        }
        self.total_requests = count.requests;
        self.total_successes = count.successes;
        self.total_failures = count.failures;
        self.total_fallbacks = count.fallbacks;
        self.total_latency_ms = count.latency_ms;
        self.last_used_at = stamp(count.last_used_ms);
        self.avg_latency_ms = count.latency_ms.checked_div(count.requests).unwrap_or(0);
        self.success_rate = percent(count.successes, count.requests);
        self.fallback_rate = percent(count.fallbacks, count.requests);
    }
}

// === impl ModelView ===

impl ModelView {
    fn of(count: &ComboCount) -> Self {
        Self {
            requests: count.requests,
            successes: count.successes,
            failures: count.failures,
            total_latency_ms: count.latency_ms,
            last_status: if count.last_ok { "ok" } else { "error" },
            last_used_at: stamp(count.last_used_ms),
            avg_latency_ms: count.latency_ms.checked_div(count.requests).unwrap_or(0),
            success_rate: percent(count.successes, count.requests),
        }
    }
}

/// What combos did, and each of their models.
#[utoipa::path(get, path = "/api/combos/metrics", tag = "combos", params(MetricsQuery),
    responses((status = 200, body = MetricsView), (status = 503)))]
async fn read(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<MetricsQuery>,
) -> Result<Json<MetricsView>, ApiError> {
    let strategies = sqlx::query!("select name, strategy from combo")
        .fetch_all(ctx.db.pool())
        .await?;
    let mut strategies: HashMap<String, String> = strategies
        .into_iter()
        .map(|row| (row.name, row.strategy))
        .collect();
    let mut combos = BTreeMap::<String, ComboView>::new();
    for count in ctx.store.combo_counts(query.combo.as_deref()).await? {
        combos.entry(count.combo.clone()).or_default().add(count);
    }
    for (name, view) in &mut combos {
        view.strategy = strategies.remove(name);
    }
    let Some(name) = query.combo else {
        return Ok(Json(MetricsView {
            metrics: Metrics::All(combos),
            message: None,
        }));
    };
    let one = combos.remove(&name);
    Ok(Json(MetricsView {
        message: one
            .is_none()
            .then(|| format!("nothing has been counted for `{name}`")),
        metrics: Metrics::One(one.map(Box::new)),
    }))
}

/// Begins to count anew, for one combo or all.
#[utoipa::path(delete, path = "/api/combos/metrics", tag = "combos", params(MetricsQuery),
    responses((status = 200, body = Forgotten), (status = 503)))]
async fn forget(
    State(ctx): State<Ctx>,
    operator: Operator,
    Query(query): Query<MetricsQuery>,
) -> Result<Json<Forgotten>, ApiError> {
    ctx.store.clear_combo_counts(query.combo.as_deref()).await?;
    let audit = Audit::of("combo.metrics.reset").details(json!({ "combo": query.combo }));
    ctx.db.record(&operator.origin, audit).await?;
    let message = match &query.combo {
        Some(name) => format!("the counts of `{name}` are forgotten"),
        None => "the counts of all combos are forgotten".to_owned(),
    };
    Ok(Json(Forgotten {
        success: true,
        message,
    }))
}

fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100)
        .saturating_add(whole / 2)
        .checked_div(whole)
        .unwrap_or(0)
}

/// 0 is never.
fn stamp(millis: i64) -> Option<Stamp> {
    DateTime::from_timestamp_millis(millis)
        .filter(|_| millis > 0)
        .map(Stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_rounded_to_whole_percents_and_of_nothing_it_is_zero() {
        for (part, whole, rate) in [(0, 0, 0), (0, 7, 0), (1, 3, 33), (2, 3, 67), (7, 7, 100)] {
            assert_eq!(percent(part, whole), rate, "{part}/{whole}");
        }
    }
}
