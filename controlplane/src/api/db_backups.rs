//! Backups of the configuration, and moving it from one installation to another.
//!
//! `GET PUT POST DELETE /api/db-backups` · `GET /api/db-backups/export` · `POST /api/db-backups/import` ·
//! `GET /api/db-backups/exportAll`
//!
//! A restore and an import replace the configuration and nothing else: the administrator's password, sessions, who
//! must log in, the audit trail and what was used stay as they are. Either all of a file is taken or none of it, and
//! before it a backup is made.

mod archive;
mod export;
mod import;

use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::Response,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};
use uuid::Uuid;

use crate::{
    api::Ctx,
    backup::{Backup, BackupError, BackupId, Mode, Reason, TakeOver},
    bundle::Counts,
    db::Committed,
    error::ApiError,
    http::{Admin, AdminOrKey, Body, Json as JsonBody, Query, Reader, Stamp, Violations, Wait, WaitQuery},
    spending,
};

const WHAT: &str = "backup";
const MAX_KEPT: u32 = 10_000;
const MAX_DAYS: u32 = 36_500;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BackupView {
    id: String,
    filename: String,
    created_at: Stamp,
    /// Bytes.
    size: u64,
    /// `manual`, `auto`, `pre-restore`, `pre-import`, or `pre-write` of the first version.
    reason: &'static str,
    /// Absent where the file cannot be read.
    connection_count: Option<i32>,
    node_count: Option<i32>,
    combo_count: Option<i32>,
    api_key_count: Option<i32>,
}

#[derive(Debug, Serialize, ToSchema)]
struct BackupList {
    /// Newest first.
    backups: Vec<BackupView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BackupCreated {
    created: bool,
    id: String,
    filename: String,
    created_at: Stamp,
    /// Bytes.
    size: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BackupUnchanged)]
struct Unchanged {
    message: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = BackupMade)]
enum Made {
    Created(BackupCreated),
    /// The newest one says the same.
    Unchanged(Unchanged),
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CreateQuery {
    /// Also when nothing changed since the last one.
    #[serde(default)]
    force: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = BackupRestore)]
struct RestoreBody {
    backup_id: String,
    /// `false` restores nothing.
    confirm: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupRestored)]
struct Restored {
    restored: bool,
    backup_id: String,
    #[serde(flatten)]
    counts: Counts,
    /// Secrets that do not open, because `STORAGE_ENCRYPTION_KEY` was changed: their connections are switched off.
    undecryptable: u32,
    warnings: Vec<String>,
    config_revision: u64,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = BackupCleanup)]
struct CleanBody {
    /// This many of the newest stay.
    keep_latest: Option<u32>,
    /// Older ones go.
    retention_days: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BackupsCleaned)]
struct Cleaned {
    cleaned: bool,
    deleted: usize,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, create, restore, clean))
        .routes(routes!(export::export))
        // its size is watched while it is read
        .routes(routes!(import::import).layer(DefaultBodyLimit::disable()))
        .routes(routes!(archive::export_all))
}

// === impl RestoreBody ===

impl Body for RestoreBody {
    const REQUIRED: &'static [&'static str] = &["backupId"];

    fn check(&self, violations: &mut Violations) {
        if let Err(problem) = self.backup_id.parse::<BackupId>() {
            violations.add("backupId", problem.to_string());
        }
        if self.confirm == Some(false) {
            violations.add("confirm", "must be true, or absent");
        }
    }
}

// === impl CleanBody ===

impl Body for CleanBody {
    fn check(&self, violations: &mut Violations) {
        if let Some(keep) = self.keep_latest {
            violations.range("keepLatest", keep, 1..=MAX_KEPT);
        }
        if let Some(days) = self.retention_days {
            violations.range("retentionDays", days, 1..=MAX_DAYS);
        }
    }
}

// === impl BackupView ===

impl From<Backup> for BackupView {
    fn from(backup: Backup) -> Self {
        Self {
            id: backup.id.to_string(),
            filename: backup.id.to_string(),
            created_at: Stamp(backup.created_at),
            size: backup.size,
            reason: backup.reason.as_str(),
            connection_count: backup.counts.map(|counts| counts.connection_count),
            node_count: backup.counts.map(|counts| counts.node_count),
            combo_count: backup.counts.map(|counts| counts.combo_count),
            api_key_count: backup.counts.map(|counts| counts.api_key_count),
        }
    }
}

/// All backups.
#[utoipa::path(get, path = "/api/db-backups", tag = "backups",
    responses((status = 200, body = BackupList), (status = 503)))]
async fn list(State(ctx): State<Ctx>, _: Reader) -> Result<Json<BackupList>, ApiError> {
    let backups = ctx.backups.list().await?;
    Ok(Json(BackupList {
        backups: backups.into_iter().map(BackupView::from).collect(),
    }))
}

/// Makes a backup, unless the newest one says the same.
#[utoipa::path(put, path = "/api/db-backups", tag = "backups", params(CreateQuery),
    responses((status = 200, body = Made), (status = 409), (status = 503)))]
async fn create(
    State(ctx): State<Ctx>,
    operator: AdminOrKey,
    Query(query): Query<CreateQuery>,
) -> Result<Json<Made>, ApiError> {
    let made = ctx
        .backups
        .create(&operator.origin, Reason::Manual, query.force)
        .await?;
    Ok(Json(match made {
        None => Made::Unchanged(Unchanged {
            message: "nothing changed since the last backup",
        }),
        Some(backup) => Made::Created(BackupCreated {
            created: true,
            id: backup.id.to_string(),
            filename: backup.id.to_string(),
            created_at: Stamp(backup.created_at),
            size: backup.size,
        }),
    }))
}

/// Makes the configuration what it was when the backup was made.
#[utoipa::path(post, path = "/api/db-backups", tag = "backups", request_body = RestoreBody, params(WaitQuery),
    responses((status = 200, body = Restored), (status = 400), (status = 404), (status = 409), (status = 422),
        (status = 503)))]
async fn restore(
    State(ctx): State<Ctx>,
    admin: Admin,
    wait: Wait,
    JsonBody(body): JsonBody<RestoreBody>,
) -> Result<Response, ApiError> {
    let id: BackupId = body
        .backup_id
        .parse()
        .map_err(|_| ApiError::not_found(WHAT, &body.backup_id))?;
    let bytes = ctx.backups.file(&id).await.map_err(corrupt)?;
    let read = ctx.backups.read(bytes, None, None).await.map_err(corrupt)?;
    let what = TakeOver {
        read,
        mode: Mode::Replace,
        reason: Reason::PreRestore,
        action: "backup.restored",
        source: id.to_string(),
        dry_run: false,
    };
    let Committed { revision, value } = ctx
        .backups
        .take_over(&admin.origin, what)
        .await
        .map_err(corrupt)?;
    settle(ctx.clone(), &value.gone).await;
    let value = Restored {
        restored: true,
        backup_id: id.to_string(),
        counts: value.counts,
        undecryptable: value.undecryptable,
        warnings: value.warnings,
        config_revision: revision,
    };
    Ok(wait.answer(StatusCode::OK, Committed { revision, value }).await)
}

/// Removes backups: those beyond `keepLatest` and those older than `retentionDays`, or without either what is beyond
/// the newest 20, one of each of 7 days and one of each of 4 weeks.
#[utoipa::path(delete, path = "/api/db-backups", tag = "backups", request_body = Option<CleanBody>,
    responses((status = 200, body = Cleaned), (status = 400), (status = 503)))]
async fn clean(
    State(ctx): State<Ctx>,
    operator: AdminOrKey,
    body: Option<JsonBody<CleanBody>>,
) -> Result<Json<Cleaned>, ApiError> {
    let body = body.map(|JsonBody(body)| body).unwrap_or_default();
    let keep = body.keep_latest.and_then(|keep| keep.try_into().ok());
    let deleted = ctx
        .backups
        .clean(&operator.origin, keep, body.retention_days)
        .await?;
    Ok(Json(Cleaned {
        cleaned: true,
        deleted,
    }))
}

/// What the state store remembers of the configuration that was.
async fn settle(ctx: Ctx, gone: &[Uuid]) {
    for key in gone {
        if let Err(error) = ctx.store.forget_key(&key.to_string()).await {
            tracing::debug!(%error, "the counters of a key that is gone stay until they expire");
        }
    }
    if let Err(error) = spending::raise(ctx.db.pool(), &*ctx.store, None).await {
        tracing::debug!(%error, "what keys have spent so far counts a little later");
    }
}

/// A backup that is no good is no fault of the request.
fn corrupt(error: BackupError) -> ApiError {
    match error {
        BackupError::Bundle(_) | BackupError::Refused(_) => ApiError::BackupCorrupt(error.to_string()),
        other => other.into(),
    }
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::NoDirectory => Self::Unavailable(error.to_string()),
            BackupError::Directory(source) => {
                tracing::error!(
                    error = &source as &dyn std::error::Error,
                    "the directory of backups cannot be used"
                );
                Self::Unavailable(
                    "the directory of backups cannot be used: the log of the control plane says why"
                        .to_owned(),
                )
            }
            BackupError::Busy => Self::OperationInProgress(error.to_string()),
            BackupError::Missing(id) => Self::not_found(WHAT, id),
            BackupError::Bundle(_) | BackupError::Refused(_) => Self::invalid("file", error.to_string()),
            BackupError::Database(source) => source.into(),
            BackupError::Thread(source) => Self::internal(source),
        }
    }
}
