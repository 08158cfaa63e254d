//! Data planes: who serves requests, and which configuration each of them runs.
//!
//! `GET /api/dataplanes`

use axum::{Json, extract::State};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Reader, Stamp},
    publish::DataPlane,
};

/// A data plane that has been silent for longer is gone.
const GONE_AFTER: TimeDelta = TimeDelta::days(1);

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataPlaneView {
    pub id: String,
    pub version: String,
    pub address: String,
    /// `starting`, `ready`, `degraded`, `draining` or `gone`.
    pub status: String,
    /// Some control plane holds its stream.
    pub connected: bool,
    /// The configuration revision it runs.
    pub revision: u64,
    /// Milliseconds since it was last heard of.
    pub lag_ms: i64,
    pub inflight: u32,
    /// The last revision it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_revision: Option<u64>,
    /// What it could not use of the revision it runs or refused.
    #[schema(value_type = Vec<UnusableResource>)]
    pub errors: Value,
    /// Finished requests that no control plane has acknowledged yet, in bytes.
    pub spool_bytes: u64,
    /// Usage events that could not be written down.
    pub spool_dropped: u64,
    /// Its state store is slow or gone.
    pub store_degraded: bool,
    pub first_seen: Stamp,
    pub last_seen: Stamp,
}

/// A part of the configuration that a data plane could not use, as it reported it.
#[derive(Debug, Serialize, ToSchema)]
struct UnusableResource {
    code: String,
    /// Which kind of resource.
    kind: String,
    id: String,
    message: String,
    /// It is left out, and the rest applies.
    quarantined: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DataPlaneList {
    data_planes: Vec<DataPlaneView>,
    /// The newest committed configuration revision.
    config_revision: i64,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The data planes any control plane has heard of within a day.
#[utoipa::path(get, path = "/api/dataplanes", tag = "monitoring", responses((status = 200, body = DataPlaneList)))]
async fn list(State(ctx): State<Ctx>, _: Reader) -> Result<Json<DataPlaneList>, ApiError> {
    let config_revision = sqlx::query_scalar!("select revision from config_head")
        .fetch_one(ctx.db.pool())
        .await?;
    Ok(Json(DataPlaneList {
        data_planes: all(&ctx).await?,
        config_revision,
    }))
}

pub(super) async fn all(ctx: &Ctx) -> Result<Vec<DataPlaneView>, sqlx::Error> {
    let now = Utc::now();
    let known = ctx
        .fleet
        .list()
        .await?
        .into_iter()
        .filter(|plane| now - plane.last_seen < GONE_AFTER);
    Ok(known.map(|plane| DataPlaneView::of(plane, now)).collect())
}

// === impl DataPlaneView ===

impl DataPlaneView {
    fn of(plane: DataPlane, now: DateTime<Utc>) -> Self {
        Self {
            id: plane.id,
            version: plane.build_version,
            address: plane.address,
            status: plane.state,
            connected: plane.connected,
            revision: plane.applied_revision,
            lag_ms: (now - plane.last_seen).num_milliseconds().max(0),
            inflight: plane.inflight,
            rejected_revision: plane.rejected_revision,
            errors: plane.errors,
            spool_bytes: plane.spool_bytes,
            spool_dropped: plane.spool_dropped,
            store_degraded: plane.store_degraded,
            first_seen: Stamp(plane.first_seen),
            last_seen: Stamp(plane.last_seen),
        }
    }
}
