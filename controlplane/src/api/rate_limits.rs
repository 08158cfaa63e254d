//! Connections and their limits: which are protected, how long their queues are, what rests.
//!
//! `GET POST PUT /api/rate-limits`
//!
//! Protection paces the calls to a connection. It is off until somebody switches it on.

use std::collections::{BTreeMap, HashMap};

use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::json;
use state::ConnectionLoad;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::outages::{LockoutView, Outages};
use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Reader, Stamp, Violations, Wait, WaitQuery, uuid_or_missing},
};

const WHAT: &str = "connection";

/// By `provider:connectionId`.
pub(super) type Overview = BTreeMap<String, QueueView>;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QueueView {
    /// Requests that wait for their turn.
    queued: u32,
    /// Requests that have it.
    running: u32,
    /// The same; the name is historic.
    executing: u32,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RateLimitsView {
    connections: Vec<ConnectionView>,
    overview: Overview,
    lockouts: Vec<LockoutView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectionLimits)]
struct ConnectionView {
    connection_id: Uuid,
    provider: String,
    /// Falls back to the e-mail, then to the first 8 characters of the id.
    name: String,
    rate_limit_protection: bool,
    /// The same; the name is historic.
    enabled: bool,
    /// Some data plane paces it.
    active: bool,
    #[serde(flatten)]
    queue: QueueView,
    /// Requests that have ended since the data planes started.
    done: u64,
    /// Requests per window, as the provider says.
    limit: Option<u32>,
    remaining: Option<u32>,
    reset_at: Option<Stamp>,
    /// The connection as a whole rests until then.
    cooldown_until: Option<Stamp>,
    /// How many rests in a row this is.
    backoff_level: u32,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ProtectionBody {
    connection_id: String,
    enabled: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProtectionView {
    success: bool,
    connection_id: Uuid,
    enabled: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, protect))
}

// === impl QueueView ===

impl QueueView {
    fn of(load: Option<&ConnectionLoad>) -> Self {
        let (queued, running) = load.map_or((0, 0), |load| (load.queued, load.running));
        Self {
            queued,
            running,
            executing: running,
        }
    }
}

// === impl ProtectionBody ===

impl Body for ProtectionBody {
    const REQUIRED: &'static [&'static str] = &["connectionId", "enabled"];

    fn check(&self, _: &mut Violations) {}
}

/// The queues of protected connections.
pub(super) fn overview(loads: &[ConnectionLoad]) -> Overview {
    loads
        .iter()
        .map(|load| {
            (
                format!("{}:{}", load.provider, load.connection),
                QueueView::of(Some(load)),
            )
        })
        .collect()
}

/// Every connection with its queue and its limits, over all data planes.
#[utoipa::path(get, path = "/api/rate-limits", tag = "monitoring",
    responses((status = 200, body = RateLimitsView), (status = 503)))]
async fn list(State(ctx): State<Ctx>, _: Reader) -> Result<Json<RateLimitsView>, ApiError> {
    let rows = sqlx::query!(
        r#"select id, provider, coalesce(name, display_name, email, left(id::text, 8)) as "name!",
                  coalesce(rate_limit_protection, false) as "protected!"
           from provider_connection order by provider, priority, id"#
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let outages = Outages::read(&*ctx.store).await?;
    let loads = ctx.store.loads().await?;
    let by_connection: HashMap<&str, &ConnectionLoad> = loads
        .iter()
        .map(|load| (load.connection.as_str(), load))
        .collect();
    let connections = rows.into_iter().map(|row| {
        let id = row.id.to_string();
        let load = by_connection.get(id.as_str()).copied();
        let cooldown = outages.of_connection(&id);
        ConnectionView {
            connection_id: row.id,
            provider: row.provider,
            name: row.name,
            rate_limit_protection: row.protected,
            enabled: row.protected,
            active: load.is_some(),
            queue: QueueView::of(load),
            done: load.map_or(0, |load| load.done),
            limit: load.and_then(|load| load.limit),
            remaining: load.and_then(|load| load.remaining),
            reset_at: load
                .and_then(|load| DateTime::from_timestamp_millis(load.reset_at_ms?))
                .map(Stamp),
            cooldown_until: cooldown.and_then(|outage| outage.until()),
            backoff_level: cooldown.map_or(0, |outage| outage.count),
        }
    });
    Ok(Json(RateLimitsView {
        connections: connections.collect(),
        overview: overview(&loads),
        lockouts: outages.lockouts(),
    }))
}

/// Switches the protection of one connection on or off.
#[utoipa::path(method(post, put), path = "/api/rate-limits", tag = "monitoring", request_body = ProtectionBody,
    params(WaitQuery), responses((status = 200, body = ProtectionView), (status = 400), (status = 404)))]
async fn protect(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<ProtectionBody>,
) -> Result<Response, ApiError> {
    let id = uuid_or_missing(WHAT, &body.connection_id)?;
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let before = sqlx::query_scalar!(
        r#"update provider_connection set rate_limit_protection = $2 where id = $1
           returning (select coalesce(old.rate_limit_protection, false)
                      from provider_connection old where old.id = $1) as "before!""#,
        id,
        body.enabled,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(|| ApiError::not_found(WHAT, &body.connection_id))?;
    let audit = Audit::of("rateLimit.protection.toggled")
        .target(WHAT, id)
        .details(json!({ "from": before, "to": body.enabled }));
    let view = ProtectionView {
        success: true,
        connection_id: id,
        enabled: body.enabled,
    };
    Ok(wait.answer(StatusCode::OK, tx.commit(audit, view).await?).await)
}
