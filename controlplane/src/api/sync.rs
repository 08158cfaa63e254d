//! The copy of the configuration in the cloud, as an operator sees and steers it.
//!
//! `GET POST /api/sync/cloud` · `GET POST /api/sync/initialize`

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    cloud::Status,
    error::ApiError,
    http::{Admin, Body, Json as JsonBody, Operator, Reader, Stamp, Violations},
};

const ACTIONS: [&str; 3] = ["enable", "sync", "disable"];

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CloudSyncView {
    enabled: bool,
    /// The endpoint answers; found out at most 30 seconds ago. Absent while cloud sync is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    connected: Option<bool>,
    /// The last success.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync: Option<Stamp>,
    /// Why the last run failed; absent when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CloudSyncBody {
    /// `enable`, `sync` or `disable`
    action: String,
    /// Disable also when the endpoint cannot be told to remove its copy.
    force: Option<bool>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CloudSyncDone {
    success: bool,
    message: &'static str,
    /// What the endpoint says it changed; of how many connections newer tokens came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    changes: Option<Map<String, Value>>,
    /// Of `enable`: the endpoint answers to what was copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify_error: Option<String>,
    /// A gateway key that was made because there was none. Shown only here.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_key: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct SyncInitialization {
    initialized: bool,
    message: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct SyncInitialized {
    /// Absent when that was so already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    success: bool,
    message: &'static str,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(read, act))
        .routes(routes!(initialization, initialize))
}

// === impl CloudSyncView ===

impl From<Status> for CloudSyncView {
    fn from(status: Status) -> Self {
        Self {
            enabled: status.enabled,
            connected: status.connected,
            last_sync: status.last_sync_at.filter(|_| status.enabled).map(Stamp),
            last_error: status.last_error.filter(|_| status.enabled),
        }
    }
}

// === impl CloudSyncBody ===

impl Body for CloudSyncBody {
    const REQUIRED: &'static [&'static str] = &["action"];

    fn check(&self, violations: &mut Violations) {
        violations.one_of("action", &self.action, &ACTIONS);
        if self.force.is_some() && self.action != ACTIONS[2] {
            violations.add("force", "is for `disable` alone");
        }
    }
}

/// Whether a copy is kept, and how that goes.
#[utoipa::path(get, path = "/api/sync/cloud", tag = "sync", responses((status = 200, body = CloudSyncView)))]
async fn read(State(ctx): State<Ctx>, _: Reader) -> Result<Json<CloudSyncView>, ApiError> {
    Ok(Json(ctx.cloud.status().await?.into()))
}

/// Makes the first copy and keeps it up from then on, makes a new one now, or removes it and keeps none.
#[utoipa::path(post, path = "/api/sync/cloud", tag = "sync", request_body = CloudSyncBody,
    responses((status = 200, body = CloudSyncDone), (status = 400), (status = 409), (status = 501), (status = 502),
        (status = 504)))]
async fn act(
    State(ctx): State<Ctx>,
    admin: Admin,
    JsonBody(body): JsonBody<CloudSyncBody>,
) -> Result<Json<CloudSyncDone>, ApiError> {
    let done = match body.action.as_str() {
        "enable" => {
            let (run, created_key) = ctx.cloud.enable(&admin.origin).await?;
            ctx.wake.wake();
            let verified = ctx.cloud.verify().await;
            CloudSyncDone {
                message: "cloud sync is enabled",
                changes: Some(run.changes),
                verified: Some(verified.is_ok()),
                verify_error: verified.err().map(|error| error.to_string()),
                created_key,
                ..CloudSyncDone::default()
            }
        }
        "sync" => CloudSyncDone {
            message: "the copy is up to date",
            changes: Some(ctx.cloud.sync(&admin.origin).await?.changes),
            ..CloudSyncDone::default()
        },
        _ => {
            let force = body.force.unwrap_or(false);
            ctx.cloud.disable(&admin.origin, force).await?;
            CloudSyncDone {
                message: "cloud sync is disabled",
                ..CloudSyncDone::default()
            }
        }
    };
    Ok(Json(CloudSyncDone {
        success: true,
        ..done
    }))
}

/// Whether the copy is kept up without being asked.
#[utoipa::path(get, path = "/api/sync/initialize", tag = "sync",
    responses((status = 200, body = SyncInitialization)))]
async fn initialization(State(ctx): State<Ctx>, _: Reader) -> Result<Json<SyncInitialization>, ApiError> {
    let initialized = ctx.cloud.status().await?.initialized;
    let message = match initialized {
        true => "while it is enabled, the copy is kept up every quarter of an hour and after each change",
        false => "the copy is made only when somebody asks for it",
    };
    Ok(Json(SyncInitialization { initialized, message }))
}

/// Keeps the copy up from now on, while it is enabled: for the first time in 30 seconds.
#[utoipa::path(post, path = "/api/sync/initialize", tag = "sync",
    responses((status = 200, body = SyncInitialized)))]
async fn initialize(State(ctx): State<Ctx>, operator: Operator) -> Result<Json<SyncInitialized>, ApiError> {
    let begun = ctx.cloud.initialize(&operator.origin).await?;
    Ok(Json(SyncInitialized {
        success: begun,
        message: match begun {
            true => "the first run is in 30 seconds, if cloud sync is enabled",
            false => "this was done before",
        },
    }))
}
