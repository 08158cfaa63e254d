//! Why a request went where it went, and where one would go now.
//!
//! `GET /api/explain/{request_id}` — what was decided · `POST /api/explain` — what would be, without sending it
//!
//! A decision is shown as the data plane recorded it, next to whether deciding again from the record gives the same.

mod view;

use std::{collections::HashMap, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
};
use decision::Decision;
use prost::Message;
use proto::v1::Explain;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, types::Json as SqlJson};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::view::{DecisionView, ReplayView};
use crate::{
    api::{Ctx, attempt::Attempt, translation_note::TranslationNote},
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Reader, Stamp, Violations, uuid_or_missing},
};

const WHAT: &str = "request";
/// A data plane answers from memory.
const DRY_RUN: Duration = Duration::from_secs(5);

/// One request as it was decided.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExplanationView {
    request_id: Uuid,
    /// What the client saw as `X-Request-Id`.
    client_request_id: String,
    started_at: Stamp,
    data_plane_id: String,
    config_revision: i64,
    requested_model: String,
    model: Option<String>,
    provider: Option<String>,
    combo_name: Option<String>,
    /// What the client got; 499 = it left first.
    status: i32,
    outcome: String,
    error: Option<String>,
    /// `null` when nothing was to be chosen, because the request was refused before, or is older than decisions.
    decision: Option<DecisionView>,
    replay: Option<ReplayView>,
    attempts: Vec<Attempt>,
    /// What the provider that answered got other than it was said; at most 32.
    translation_notes: Vec<TranslationNote>,
}

/// A request that was not sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DryRunView {
    model: String,
    data_plane_id: String,
    config_revision: u64,
    /// Why the request would be refused.
    refusal: Option<String>,
    decision: Option<DecisionView>,
    replay: Option<ReplayView>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DryRunBody {
    /// As a client would write it.
    model: String,
    /// The caller; without, one that has no key.
    api_key_id: Option<String>,
    /// The caller's session, for the affinity of conversations.
    #[serde(default)]
    session: String,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(explain))
        .routes(routes!(dry_run))
}

// === impl DryRunBody ===

impl Body for DryRunBody {
    const REQUIRED: &'static [&'static str] = &["model"];

    fn check(&self, violations: &mut Violations) {
        violations.length("model", &self.model, 1..=300);
        violations.length("session", &self.session, 0..=256);
    }
}

/// The decision of a request, by its id or by the `X-Request-Id` its client saw.
#[utoipa::path(get, path = "/api/explain/{request_id}", tag = "monitoring",
    responses((status = 200, body = ExplanationView), (status = 404)))]
async fn explain(
    State(ctx): State<Ctx>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<ExplanationView>, ApiError> {
    // Postgres holds no zero byte
    if id.contains('\0') {
        return Err(ApiError::not_found(WHAT, ""));
    }
    // the client's id may be anybody's: our own counts first, then the newest
    let row = sqlx::query!(
        r#"select request_id, client_request_id, started_at, data_plane_id, config_revision, model_requested,
                  model_served, provider, combo, http_status, outcome, error_code,
                  attempts as "attempts: SqlJson<Vec<Attempt>>", decision,
                  translation_notes as "translation_notes: SqlJson<Vec<TranslationNote>>"
           from usage_event
           where (request_id = $1 or (client_request_id = $2 and client_request_id <> request_id::text))
             and no_log is not true
           order by request_id = $1 desc nulls last, started_at desc limit 1"#,
        Uuid::parse_str(&id).ok(),
        id,
    )
    .fetch_optional(ctx.db.pool())
    .await?
    .ok_or_else(|| ApiError::not_found(WHAT, &id))?;
    let recorded = row.decision.as_deref().map(Decision::decode);
    let recorded = recorded.transpose().map_err(ApiError::internal)?;
    let (decision, replay) = shown(&ctx, recorded.as_ref()).await?;
    Ok(Json(ExplanationView {
        request_id: row.request_id,
        client_request_id: row.client_request_id,
        started_at: Stamp(row.started_at),
        data_plane_id: row.data_plane_id,
        config_revision: row.config_revision,
        requested_model: row.model_requested,
        model: row.model_served,
        provider: row.provider,
        combo_name: row.combo,
        status: row.http_status,
        outcome: row.outcome,
        error: row.error_code,
        decision,
        replay,
        attempts: row.attempts.0,
        translation_notes: row.translation_notes.map(|notes| notes.0).unwrap_or_default(),
    }))
}

/// What a data plane would decide for a request now, without sending it.
#[utoipa::path(post, path = "/api/explain", tag = "monitoring", request_body = DryRunBody,
    responses((status = 200, body = DryRunView), (status = 400), (status = 404), (status = 503)))]
async fn dry_run(
    State(ctx): State<Ctx>,
    _: Operator,
    JsonBody(body): JsonBody<DryRunBody>,
) -> Result<Json<DryRunView>, ApiError> {
    let api_key_id = match &body.api_key_id {
        Some(id) => known_key(ctx.db.pool(), id).await?.to_string(),
        None => String::new(),
    };
    let question = Explain {
        model: body.model.clone(),
        api_key_id,
        session: body.session,
    };
    let explained = ctx.fleet.explain(question, DRY_RUN).await?;
    let (decision, replay) = shown(&ctx, explained.decision.as_ref()).await?;
    Ok(Json(DryRunView {
        model: body.model,
        data_plane_id: explained.data_plane_id,
        config_revision: explained.config_revision,
        refusal: Some(explained.refusal).filter(|refusal| !refusal.is_empty()),
        decision,
        replay,
    }))
}

async fn known_key(pool: &PgPool, id: &str) -> Result<Uuid, ApiError> {
    let uuid = uuid_or_missing("key", id)?;
    sqlx::query_scalar!("select id from api_key where id = $1", uuid)
        .fetch_optional(pool)
        .await?
        .ok_or_else(|| ApiError::not_found("key", id))
}

async fn shown(
    ctx: &Ctx,
    recorded: Option<&Decision>,
) -> Result<(Option<DecisionView>, Option<ReplayView>), ApiError> {
    let Some(recorded) = recorded else {
        return Ok((None, None));
    };
    let names =
        sqlx::query!(r#"select id, coalesce(name, display_name, email) as name from provider_connection"#)
            .fetch_all(ctx.db.pool())
            .await?;
    let names: HashMap<String, String> = names
        .into_iter()
        .filter_map(|row| Some((row.id.to_string(), row.name?)))
        .collect();
    let view = DecisionView::of(recorded, &names);
    Ok((Some(view), Some(ReplayView::of(recorded))))
}
