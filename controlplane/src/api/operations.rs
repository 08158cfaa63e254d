//! Restarting and stopping processes of this installation, and following that.
//!
//! `POST /api/restart` · `POST /api/shutdown` · `POST /api/dataplanes/{id}/drain` · `GET /api/operations/{id}`
//!
//! Where something else decides which processes run, the first two are refused: `ALLOW_SELF_RESTART`, `ALLOW_SHUTDOWN`.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use runtime::exit::Ending;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::types::Json as SqlJson;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::Ctx,
    db::{Audit, Origin},
    error::ApiError,
    http::{AdminOrKey, Body, Json as JsonBody, Reader, Stamp, Violations, uuid_or_missing},
    operations::{CONTROL_PLANE, Plan, Step},
};

const WHAT: &str = "operation";
const DATA_PLANE: &str = "data plane";
const DEFAULT_GRACE_MS: u32 = 30_000;
const ORCHESTRATED: &str = "whatever runs these processes decides when they end: set ALLOW_SELF_RESTART=true or \
                            ALLOW_SHUTDOWN=true to do it from here";

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OperationRequest)]
struct OperationBody {
    /// `all`, which is meant when it is absent; `control-plane`: the one that is asked; `data-planes`; or a data plane's
    /// id.
    target: Option<String>,
    /// How long requests that are running may take; 30000 when absent.
    drain_timeout_ms: Option<u32>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = DrainRequest)]
struct DrainBody {
    /// How long requests that are running may take; 30000 when absent.
    drain_timeout_ms: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Begun {
    /// `restarting`, `stopping` or `draining`.
    status: &'static str,
    success: bool,
    message: String,
    /// To follow at `/api/operations/{id}`.
    operation_id: Uuid,
    /// In the order they go.
    targets: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OperationView {
    id: Uuid,
    /// `restart` or `shutdown`.
    kind: String,
    /// `running`, `done` or `failed`.
    state: String,
    steps: Vec<Step>,
    requested_by: String,
    created_at: Stamp,
    updated_at: Stamp,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(restart))
        .routes(routes!(shutdown))
        .routes(routes!(drain))
        .routes(routes!(follow))
}

// === impl OperationBody ===

impl Body for OperationBody {
    fn check(&self, violations: &mut Violations) {
        if let Some(grace) = self.drain_timeout_ms {
            violations.range("drainTimeoutMs", grace, 0..=600_000);
        }
    }
}

// === impl DrainBody ===

impl Body for DrainBody {
    fn check(&self, violations: &mut Violations) {
        if let Some(grace) = self.drain_timeout_ms {
            violations.range("drainTimeoutMs", grace, 0..=600_000);
        }
    }
}

/// Restarts processes one after another, so that somebody always serves. Answers at once.
#[utoipa::path(post, path = "/api/restart", tag = "operations", request_body = Option<OperationBody>,
    responses((status = 200, body = Begun), (status = 400), (status = 403), (status = 404), (status = 409)))]
async fn restart(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    body: Option<JsonBody<OperationBody>>,
) -> Result<Json<Begun>, ApiError> {
    if !ctx.config.may_restart() {
        return Err(ApiError::ManagedElsewhere(ORCHESTRATED));
    }
    let body = body.map(|JsonBody(body)| body).unwrap_or_default();
    let targets = targets(&ctx, body.target.as_deref().unwrap_or("all")).await?;
    begin(
        &ctx,
        &admin.origin,
        Ending::Restart,
        targets,
        body.drain_timeout_ms,
    )
    .await
}

/// Stops processes after they have finished what they do. Answers at once.
#[utoipa::path(post, path = "/api/shutdown", tag = "operations", request_body = Option<OperationBody>,
    responses((status = 200, body = Begun), (status = 400), (status = 403), (status = 404), (status = 409)))]
async fn shutdown(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    body: Option<JsonBody<OperationBody>>,
) -> Result<Json<Begun>, ApiError> {
    if !ctx.config.may_shut_down() {
        return Err(ApiError::ManagedElsewhere(ORCHESTRATED));
    }
    let body = body.map(|JsonBody(body)| body).unwrap_or_default();
    let targets = targets(&ctx, body.target.as_deref().unwrap_or("all")).await?;
    begin(&ctx, &admin.origin, Ending::Stop, targets, body.drain_timeout_ms).await
}

/// Takes one data plane out: it takes no new requests, finishes those it has, and ends.
#[utoipa::path(post, path = "/api/dataplanes/{id}/drain", tag = "operations", request_body = Option<DrainBody>,
    responses((status = 200, body = Begun), (status = 400), (status = 403), (status = 404), (status = 409)))]
async fn drain(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    Path(id): Path<String>,
    body: Option<JsonBody<DrainBody>>,
) -> Result<Json<Begun>, ApiError> {
    if ctx.single_process {
        return Err(ApiError::conflict(
            "data plane and control plane are one process here: POST /api/shutdown stops it",
        ));
    }
    let body = body.map(|JsonBody(body)| body).unwrap_or_default();
    let id = connected(&ctx, &id).await?;
    begin(&ctx, &admin.origin, Ending::Stop, vec![id], body.drain_timeout_ms).await
}

/// How far an operation is.
#[utoipa::path(get, path = "/api/operations/{id}", tag = "operations",
    responses((status = 200, body = OperationView), (status = 404)))]
async fn follow(
    State(ctx): State<Ctx>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<OperationView>, ApiError> {
    let uuid = uuid_or_missing(WHAT, &id)?;
    let row = sqlx::query!(
        r#"select id, kind, state, steps as "steps: SqlJson<Vec<Step>>", requested_by, created_at, updated_at
           from operation where id = $1"#,
        uuid
    )
    .fetch_optional(ctx.db.pool())
    .await?
    .ok_or_else(|| ApiError::not_found(WHAT, id))?;
    Ok(Json(OperationView {
        id: row.id,
        kind: row.kind,
        state: row.state,
        steps: row.steps.0,
        requested_by: row.requested_by,
        created_at: Stamp(row.created_at),
        updated_at: Stamp(row.updated_at),
    }))
}

/// Whom a target means, in the order they go. Where all is one process, that is the control plane.
async fn targets(ctx: &Ctx, target: &str) -> Result<Vec<String>, ApiError> {
    if ctx.single_process {
        return match target {
            "all" | "data-planes" | CONTROL_PLANE => Ok(vec![CONTROL_PLANE.to_owned()]),
            id => {
                connected(ctx, id).await?;
                Ok(vec![CONTROL_PLANE.to_owned()])
            }
        };
    }
    match target {
        CONTROL_PLANE => Ok(vec![CONTROL_PLANE.to_owned()]),
        "data-planes" => all_connected(ctx).await,
        "all" => {
            let mut targets = all_connected(ctx).await?;
            targets.push(CONTROL_PLANE.to_owned());
            Ok(targets)
        }
        id => Ok(vec![connected(ctx, id).await?]),
    }
}

async fn all_connected(ctx: &Ctx) -> Result<Vec<String>, ApiError> {
    let known = ctx.fleet.list().await?;
    let connected = known.into_iter().filter(|plane| plane.connected);
    Ok(connected.map(|plane| plane.id).collect())
}

async fn connected(ctx: &Ctx, id: &str) -> Result<String, ApiError> {
    let known = all_connected(ctx).await?;
    known
        .into_iter()
        .find(|one| one == id)
        .ok_or_else(|| ApiError::not_found(DATA_PLANE, id))
}

async fn begin(
    ctx: &Ctx,
    origin: &Origin,
    ending: Ending,
    targets: Vec<String>,
    grace_ms: Option<u32>,
) -> Result<Json<Begun>, ApiError> {
    let (status, action) = match ending {
        Ending::Restart => ("restarting", "system.restart"),
        Ending::Stop if targets.iter().any(|target| target == CONTROL_PLANE) => {
            ("stopping", "system.shutdown")
        }
        Ending::Stop => ("draining", "dataPlane.drained"),
    };
    let plan = Plan {
        ending,
        targets: targets.clone(),
        grace: Duration::from_millis(grace_ms.unwrap_or(DEFAULT_GRACE_MS).into()),
    };
    let begun = ctx.operations.begin(plan, &origin.actor.to_string()).await?;
    let Some(operation_id) = begun else {
        return Err(ApiError::conflict(
            "processes are being restarted or stopped already: wait until that is over",
        ));
    };
    let audit = Audit::of(action)
        .target("operation", operation_id)
        .details(json!({ "targets": targets, "drainTimeoutMs": grace_ms.unwrap_or(DEFAULT_GRACE_MS) }));
    ctx.db.record(origin, audit).await?;
    Ok(Json(Begun {
        status,
        success: true,
        message: format!("{status} {}", targets.join(", ")),
        operation_id,
        targets,
    }))
}
