//! Health of the installation.
//!
//! `GET /api/monitoring/health` — anybody gets the verdict, an operator the findings · `DELETE
//! /api/monitoring/health` — closes every circuit breaker
//!
//! `degraded` still answers 200: the gateway works. Only without Postgres is it `unhealthy`, 503.

use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    data_planes::{self, DataPlaneView},
    outages::{self, BreakerStanding, BreakerView, LockoutView, Outages, Scope},
    rate_limits::{self, Overview},
};
use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{Operator, Reader, Stamp},
};

/// A check that takes longer has failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
const SILENT_AFTER_MS: i64 = 60_000;

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Healthy,
    Degraded,
    Unhealthy,
}

/// An operator learns all, a stranger the verdict.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum HealthView {
    Report(Box<Report>),
    Verdict(Verdict),
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = HealthVerdict)]
struct Verdict {
    status: Status,
    timestamp: Stamp,
    version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HealthReport)]
struct Report {
    status: Status,
    timestamp: Stamp,
    version: &'static str,
    system: SystemView,
    setup_complete: bool,
    /// Both planes are one process: its data plane cannot be stopped alone.
    single_process: bool,
    postgres: CheckView,
    redis: CheckView,
    data_planes: Vec<DataPlaneView>,
    #[serde(flatten)]
    traffic: Traffic,
}

/// How calls to providers go. Empty while Postgres or the state store is away.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Traffic {
    /// Circuit breakers, by provider.
    provider_health: BTreeMap<String, BreakerStanding>,
    /// Models that rest on a connection.
    lockouts: Vec<LockoutView>,
    /// Queues of protected connections, by `provider:connectionId`.
    rate_limit_status: Overview,
    #[serde(skip)]
    breakers_open: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BreakersReset)]
struct ResetView {
    success: bool,
    message: String,
    reset_count: usize,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SystemView {
    version: &'static str,
    /// The compiler this was built with; the name is historic.
    node_version: &'static str,
    /// Seconds since the start.
    uptime: u64,
    pid: u32,
    platform: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DependencyCheck)]
struct CheckView {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u64>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    LazyLock::force(&STARTED);
    OpenApiRouter::new().routes(routes!(health, reset))
}

/// Whether the installation works, and for an operator what does not.
#[utoipa::path(get, path = "/api/monitoring/health", tag = "monitoring",
    responses((status = 200, body = HealthView), (status = 503, body = HealthView)))]
async fn health(State(ctx): State<Ctx>, operator: Result<Reader, ApiError>) -> Response {
    let postgres = check(ctx.db.ping()).await;
    let redis = check(ctx.store.ping()).await;
    let planes = if postgres.ok {
        fleet(&ctx).await
    } else {
        Vec::new()
    };
    let traffic = if postgres.ok && redis.ok {
        traffic(&ctx).await
    } else {
        Traffic::default()
    };
    let status = status(&postgres, &redis, &planes, &traffic);
    let (timestamp, version) = (Stamp::now(), env!("CARGO_PKG_VERSION"));
    let code = if status == Status::Unhealthy {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    if operator.is_err() {
        let verdict = Verdict {
            status,
            timestamp,
            version,
        };
        return (code, Json(HealthView::Verdict(verdict))).into_response();
    }
    let report = Report {
        status,
        timestamp,
        version,
        system: SystemView {
            version,
            node_version: concat!("rust ", env!("CARGO_PKG_RUST_VERSION")),
            uptime: STARTED.elapsed().as_secs(),
            pid: std::process::id(),
            platform: std::env::consts::OS,
        },
        // An operator got in, so there is something to log in with, or login is off by decision.
        setup_complete: true,
        single_process: ctx.single_process,
        postgres,
        redis,
        data_planes: planes,
        traffic,
    };
    (code, Json(HealthView::Report(Box::new(report)))).into_response()
}

/// Closes every circuit breaker.
#[utoipa::path(delete, path = "/api/monitoring/health", tag = "monitoring",
    responses((status = 200, body = ResetView), (status = 503)))]
async fn reset(State(ctx): State<Ctx>, operator: Operator) -> Result<Json<ResetView>, ApiError> {
    let mut breakers = Outages::read(&*ctx.store).await?;
    breakers.retain(|outage| outage.scope() == Scope::ProviderBreaker);
    let reset_count = breakers.count(Scope::ProviderBreaker);
    breakers.end(&*ctx.store).await?;
    let audit = Audit::of("resilience.breakers.reset").details(json!({ "breakers": reset_count }));
    ctx.db.record(&operator.origin, audit).await?;
    Ok(Json(ResetView {
        success: true,
        message: format!("closed {reset_count} circuit breakers"),
        reset_count,
    }))
}

async fn traffic(ctx: &Ctx) -> Traffic {
    let reading = async {
        let providers = outages::providers_in_use(ctx.db.pool()).await?;
        let outages = Outages::read(&*ctx.store).await?;
        let loads = ctx.store.loads().await?;
        let breakers = outages.breakers(providers);
        let named = |BreakerView { name, standing }| (name, standing);
        Ok::<_, ApiError>(Traffic {
            provider_health: breakers.into_iter().map(named).collect(),
            lockouts: outages.lockouts(),
            rate_limit_status: rate_limits::overview(&loads),
            breakers_open: outages.count(Scope::ProviderBreaker),
        })
    };
    match timeout(CHECK_TIMEOUT, reading).await {
        Ok(Ok(traffic)) => traffic,
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot read how calls to providers go");
            Traffic::default()
        }
        Err(_) => Traffic::default(),
    }
}

async fn fleet(ctx: &Ctx) -> Vec<DataPlaneView> {
    match timeout(CHECK_TIMEOUT, data_planes::all(ctx)).await {
        Ok(Ok(planes)) => planes,
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot read the data planes");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

fn status(postgres: &CheckView, redis: &CheckView, planes: &[DataPlaneView], traffic: &Traffic) -> Status {
    if !postgres.ok {
        return Status::Unhealthy;
    }
    let trouble = |plane: &DataPlaneView| {
        plane.status != "gone"
            && (plane.lag_ms > SILENT_AFTER_MS || plane.status == "degraded" || plane.spool_dropped > 0)
    };
    if !redis.ok || planes.iter().any(trouble) || traffic.breakers_open > 0 {
        Status::Degraded
    } else {
        Status::Healthy
    }
}

async fn check<T, E>(probe: impl Future<Output = Result<T, E>>) -> CheckView {
    let started = Instant::now();
    let ok = matches!(timeout(CHECK_TIMEOUT, probe).await, Ok(Ok(_)));
    let latency = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    CheckView {
        ok,
        latency_ms: ok.then_some(latency),
    }
}
