//! Gateway API keys.
//!
//! `GET POST /api/keys` · `GET PUT PATCH DELETE /api/keys/{id}` · `POST /api/keys/{id}/regenerate` ·
//! `GET /api/keys/{id}/reveal`
//!
//! A key is shown once; [`crate::gateway_key`] has what is stored of it. Where `API_KEY_REVEAL` says so, a sealed copy
//! is kept as well.

mod reveal;

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::{PgExecutor, types::Json as SqlJson};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    gateway_key::Minted,
    http::{
        Admin, AdminOrKey, Body, IfMatch, Json as JsonBody, Patch, Reader, Stamp, Violations, Wait,
        WaitQuery, etag, uuid_or_missing,
    },
};

const WHAT: &str = "API key";
const MAX_LIMIT: i32 = 1_000_000;
/// Beyond it a token is less than the microsecond that limits are counted in.
const MAX_TPM: i64 = 60_000_000;
const SCOPES: [&str; 4] = ["inference", "manage", "cloud", "read"];

#[derive(Clone, Debug)]
struct Row {
    id: Uuid,
    name: String,
    key_prefix: String,
    key_last4: String,
    cluster_id: String,
    scopes: Vec<String>,
    allowed_models: Vec<String>,
    allowed_connections: Vec<Uuid>,
    rate_limits: Option<SqlJson<Vec<RateLimit>>>,
    rpm: Option<i32>,
    tpm: Option<i64>,
    concurrency: Option<i32>,
    is_active: bool,
    no_log: bool,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// At most `limit` requests in `window` seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RateLimit {
    limit: u32,
    window: u32,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyView {
    id: Uuid,
    name: String,
    /// First eight and last four characters.
    key: String,
    machine_id: String,
    allowed_models: Vec<String>,
    scopes: Vec<String>,
    is_active: bool,
    expires_at: Option<Stamp>,
    no_log: bool,
    allowed_connections: Vec<Uuid>,
    rate_limits: Option<Vec<RateLimit>>,
    /// Requests per minute.
    rpm: Option<i32>,
    /// Tokens per minute, input and output.
    tpm: Option<i64>,
    /// Requests at a time.
    concurrency: Option<i32>,
    last_used_at: Option<Stamp>,
    created_at: Stamp,
    updated_at: Stamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct KeyList {
    keys: Vec<KeyView>,
    total: usize,
}

/// The only answer that holds a whole key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewKey {
    key: String,
    name: String,
    id: Uuid,
    machine_id: String,
    scopes: Vec<String>,
    expires_at: Option<Stamp>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Regenerated {
    message: &'static str,
    id: Uuid,
    key: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyDeleted)]
struct Deleted {
    message: &'static str,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = KeyCreate)]
struct CreateBody {
    name: String,
    scopes: Option<Vec<String>>,
    allowed_models: Option<Vec<String>>,
    allowed_connections: Option<Vec<Uuid>>,
    expires_at: Option<DateTime<Utc>>,
    no_log: Option<bool>,
    rate_limits: Option<Vec<RateLimit>>,
    /// Requests per minute.
    rpm: Option<i32>,
    /// Tokens per minute, input and output.
    tpm: Option<i64>,
    /// Requests at a time.
    concurrency: Option<i32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = KeyUpdate)]
struct UpdateBody {
    name: Option<String>,
    scopes: Option<Vec<String>>,
    allowed_models: Option<Vec<String>>,
    allowed_connections: Option<Vec<Uuid>>,
    is_active: Option<bool>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Patch<DateTime<Utc>>,
    no_log: Option<bool>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<RateLimit>>)]
    rate_limits: Patch<Vec<RateLimit>>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    rpm: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    tpm: Patch<i64>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    concurrency: Patch<i32>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(regenerate))
        .routes(routes!(reveal::reveal))
}

// === impl Row ===

impl Row {
    fn view(self) -> KeyView {
        KeyView {
            id: self.id,
            name: self.name,
            key: format!("{}****{}", self.key_prefix, self.key_last4),
            machine_id: self.cluster_id,
            allowed_models: self.allowed_models,
            scopes: self.scopes,
            is_active: self.is_active,
            expires_at: self.expires_at.map(Stamp),
            no_log: self.no_log,
            allowed_connections: self.allowed_connections,
            rate_limits: self.rate_limits.map(|limits| limits.0),
            rpm: self.rpm,
            tpm: self.tpm,
            concurrency: self.concurrency,
            last_used_at: self.last_used_at.map(Stamp),
            created_at: Stamp(self.created_at),
            updated_at: Stamp(self.updated_at),
        }
    }
}

// === impl CreateBody ===

impl Body for CreateBody {
    const REQUIRED: &'static [&'static str] = &["name"];

    fn check(&self, violations: &mut Violations) {
        violations.length("name", self.name.trim(), 1..=200);
        check_scopes(violations, self.scopes.as_deref());
        check_lists(
            violations,
            self.allowed_models.as_deref(),
            self.allowed_connections.as_deref(),
        );
        check_rate_limits(violations, self.rate_limits.as_deref());
        check_limits(violations, self.rpm, self.tpm, self.concurrency);
        check_expiry(violations, self.expires_at);
    }
}

// === impl UpdateBody ===

impl Body for UpdateBody {
    const READ_ONLY: &'static [&'static str] =
        &["id", "key", "machineId", "lastUsedAt", "createdAt", "updatedAt"];

    fn check(&self, violations: &mut Violations) {
        if let Some(name) = &self.name {
            violations.length("name", name.trim(), 1..=200);
        }
        check_scopes(violations, self.scopes.as_deref());
        check_lists(
            violations,
            self.allowed_models.as_deref(),
            self.allowed_connections.as_deref(),
        );
        check_rate_limits(violations, self.rate_limits.set().map(Vec::as_slice));
        let (rpm, tpm, concurrency) = (self.rpm.set(), self.tpm.set(), self.concurrency.set());
        check_limits(violations, rpm.copied(), tpm.copied(), concurrency.copied());
    }
}

/// All keys, oldest first.
#[utoipa::path(get, path = "/api/keys", tag = "keys", responses((status = 200, body = KeyList)))]
async fn list(State(ctx): State<Ctx>, _: Reader) -> Result<Json<KeyList>, ApiError> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, name, key_prefix, key_last4, cluster_id, scopes, allowed_models, allowed_connections,
                  rate_limits as "rate_limits: SqlJson<Vec<RateLimit>>", rpm, tpm, concurrency, is_active,
                  no_log, expires_at, created_at, updated_at,
                  -- by what was used; the row itself is not touched, for that would make it another version
                  greatest(last_used_at, (
                      select max(used.last_at) from usage_hour used
                      where used.key_id = api_key.id and used.hour = (
                          select date_trunc('hour', max(spent.quarter), 'UTC') from spending spent
                          where spent.key_id = api_key.id))) as last_used_at
           from api_key order by created_at, id limit 5000"#
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let keys: Vec<_> = rows.into_iter().map(Row::view).collect();
    Ok(Json(KeyList {
        total: keys.len(),
        keys,
    }))
}

/// Creates a key and shows it, once.
#[utoipa::path(post, path = "/api/keys", tag = "keys", request_body = CreateBody, params(WaitQuery),
    responses((status = 201, body = NewKey), (status = 400), (status = 403)))]
async fn create(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    wait: Wait,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<Response, ApiError> {
    let scopes = body.scopes.map_or_else(|| vec![SCOPES[0].to_owned()], unique);
    may_grant(&admin, &[], &scopes)?;
    let minted = Minted::draw(ctx.db.cluster_id(), &ctx.config.api_key_secret);
    let id = Uuid::now_v7();
    let rate_limits = body.rate_limits.map(|limits| json!(limits));

    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    sqlx::query!(
        "insert into api_key (id, name, key_hash, key_prefix, key_last4, cluster_id, scopes, allowed_models,
                              allowed_connections, rate_limits, no_log, expires_at, rpm, tpm, concurrency,
                              key_sealed)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        id,
        body.name.trim(),
        &minted.hash[..],
        minted.prefix,
        minted.last4,
        ctx.db.cluster_id(),
        &scopes,
        &body.allowed_models.unwrap_or_default(),
        &body.allowed_connections.unwrap_or_default(),
        rate_limits,
        body.no_log.unwrap_or(false),
        body.expires_at,
        body.rpm,
        body.tpm,
        body.concurrency,
        reveal::kept(&ctx, id, &minted.key),
    )
    .execute(tx.conn())
    .await?;
    let audit = Audit::of("apiKey.created")
        .target("key", id)
        .details(json!({ "name": body.name.trim(), "scopes": scopes }));
    let answer = NewKey {
        key: minted.key,
        name: body.name.trim().to_owned(),
        id,
        machine_id: ctx.db.cluster_id().to_owned(),
        scopes,
        expires_at: body.expires_at.map(Stamp),
    };
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::CREATED, committed).await)
}

/// One key, masked.
#[utoipa::path(get, path = "/api/keys/{id}", tag = "keys", responses((status = 200, body = KeyView), (status = 404)))]
async fn get(State(ctx): State<Ctx>, _: Reader, Path(id): Path<String>) -> Result<Response, ApiError> {
    let row = find(ctx.db.pool(), &id).await?;
    Ok((etag(row.updated_at), Json(row.view())).into_response())
}

/// Changes what the body names. An empty `allowedModels` or `allowedConnections` allows everything.
#[utoipa::path(method(put, patch), path = "/api/keys/{id}", tag = "keys", request_body = UpdateBody,
    params(WaitQuery),
    responses((status = 200, body = HashMap<String, Value>, description = "what changed, with a message"),
        (status = 400), (status = 403), (status = 404), (status = 412)))]
async fn update(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    Path(id): Path<String>,
    if_match: IfMatch,
    wait: Wait,
    JsonBody(body): JsonBody<UpdateBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let before = find(&mut *tx.conn(), &id).await?;
    if_match.check(before.updated_at)?;
    if let Some(scopes) = &body.scopes {
        may_grant(&admin, &before.scopes, scopes)?;
    }
    // An expiry sent back unchanged may lie in the past; a new one may not.
    let expires_at = body.expires_at.over(before.expires_at);
    if expires_at != before.expires_at {
        let mut violations = Violations::default();
        check_expiry(&mut violations, expires_at);
        violations.into_result()?;
    }
    let rate_limits = body
        .rate_limits
        .over(before.rate_limits.clone().map(|limits| limits.0));

    sqlx::query!(
        "update api_key
         set name = $2, scopes = $3, allowed_models = $4, allowed_connections = $5, is_active = $6,
             expires_at = $7, no_log = $8, rate_limits = $9, rpm = $10, tpm = $11, concurrency = $12
         where id = $1",
        before.id,
        body.name.as_deref().map_or(before.name.as_str(), str::trim),
        &body.scopes.map_or_else(|| before.scopes.clone(), unique),
        &body
            .allowed_models
            .unwrap_or_else(|| before.allowed_models.clone()),
        &body
            .allowed_connections
            .unwrap_or_else(|| before.allowed_connections.clone()),
        body.is_active.unwrap_or(before.is_active),
        expires_at,
        body.no_log.unwrap_or(before.no_log),
        rate_limits.map(|limits| json!(limits)),
        body.rpm.over(before.rpm),
        body.tpm.over(before.tpm),
        body.concurrency.over(before.concurrency),
    )
    .execute(tx.conn())
    .await?;
    let after = find(&mut *tx.conn(), &id).await?;
    let (key_id, allowed_models) = (after.id, after.allowed_models.clone());
    let changed = changed(before.view(), after.view())?;

    let mut answer = changed.clone();
    answer.insert("message".to_owned(), "the key is updated".into());
    answer.insert("allowedModels".to_owned(), allowed_models.into());
    let audit = Audit::of("apiKey.updated")
        .target("key", key_id)
        .details(json!({ "changed": changed }));
    let committed = tx.commit(audit, Value::Object(answer)).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Ends a key, with its budget and its counters.
#[utoipa::path(delete, path = "/api/keys/{id}", tag = "keys", params(WaitQuery),
    responses((status = 200, body = Deleted), (status = 404), (status = 412)))]
async fn delete(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    Path(id): Path<String>,
    if_match: IfMatch,
    wait: Wait,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let row = find(&mut *tx.conn(), &id).await?;
    if_match.check(row.updated_at)?;
    sqlx::query!("delete from api_key where id = $1", row.id)
        .execute(tx.conn())
        .await?;
    let audit = Audit::of("apiKey.deleted")
        .target("key", row.id)
        .details(json!({ "name": row.name }));
    let committed = tx
        .commit(
            audit,
            Deleted {
                message: "the key is deleted",
            },
        )
        .await?;
    if let Err(error) = ctx.store.forget_key(&row.id.to_string()).await {
        tracing::debug!(%error, "the counters of a deleted key stay until they expire");
    }
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Replaces the secret of a key and shows the new one, once. The old one ends.
#[utoipa::path(post, path = "/api/keys/{id}/regenerate", tag = "keys", params(WaitQuery),
    responses((status = 200, body = Regenerated), (status = 403), (status = 404)))]
async fn regenerate(
    State(ctx): State<Ctx>,
    admin: Admin,
    Path(id): Path<String>,
    wait: Wait,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let row = find(&mut *tx.conn(), &id).await?;
    // Showing a key that can manage is granting it.
    let minted = Minted::draw(ctx.db.cluster_id(), &ctx.config.api_key_secret);
    sqlx::query!(
        "update api_key set key_hash = $2, key_prefix = $3, key_last4 = $4, key_sealed = $5 where id = $1",
        row.id,
        &minted.hash[..],
        minted.prefix,
        minted.last4,
        reveal::kept(&ctx, row.id, &minted.key),
    )
    .execute(tx.conn())
    .await?;
    let audit = Audit::of("apiKey.regenerated")
        .target("key", row.id)
        .details(json!({ "name": row.name }));
    let answer = Regenerated {
        message: "the key is replaced: this is the only time it is shown",
        id: row.id,
        key: minted.key,
    };
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

fn check_scopes(violations: &mut Violations, scopes: Option<&[String]>) {
    let Some(scopes) = scopes else { return };
    if scopes.is_empty() {
        violations.add("scopes", "must name at least one scope");
    }
    for (index, scope) in scopes.iter().enumerate() {
        violations.one_of(&format!("scopes.{index}"), scope, &SCOPES);
    }
}

fn check_lists(violations: &mut Violations, models: Option<&[String]>, connections: Option<&[Uuid]>) {
    if models.is_some_and(|models| models.len() > 1000) {
        violations.add("allowedModels", "must have at most 1000 entries");
    }
    for (index, model) in models.unwrap_or_default().iter().enumerate() {
        violations.length(&format!("allowedModels.{index}"), model, 1..=300);
    }
    if connections.is_some_and(|connections| connections.len() > 100) {
        violations.add("allowedConnections", "must have at most 100 entries");
    }
}

fn check_rate_limits(violations: &mut Violations, limits: Option<&[RateLimit]>) {
    let limits = limits.unwrap_or_default();
    if limits.len() > 50 {
        violations.add("rateLimits", "must have at most 50 entries");
    }
    for (index, limit) in limits.iter().enumerate() {
        violations.range(&format!("rateLimits.{index}.limit"), limit.limit, 1..=u32::MAX);
        violations.range(&format!("rateLimits.{index}.window"), limit.window, 1..=u32::MAX);
    }
}

fn check_limits(violations: &mut Violations, rpm: Option<i32>, tpm: Option<i64>, concurrency: Option<i32>) {
    for (field, limit) in [("rpm", rpm), ("concurrency", concurrency)] {
        if let Some(limit) = limit {
            violations.range(field, limit, 1..=MAX_LIMIT);
        }
    }
    if let Some(tpm) = tpm {
        violations.range("tpm", tpm, 1..=MAX_TPM);
    }
}

fn check_expiry(violations: &mut Violations, expires_at: Option<DateTime<Utc>>) {
    if expires_at.is_some_and(|at| at <= Utc::now()) {
        violations.add("expiresAt", "must lie in the future");
    }
}

fn unique(scopes: Vec<String>) -> Vec<String> {
    scopes.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// A key must not make itself, or another, able to manage.
fn may_grant(caller: &AdminOrKey, before: &[String], after: &[String]) -> Result<(), ApiError> {
    let manages = |scopes: &[String]| scopes.iter().any(|scope| scope == "manage");
    if manages(after) && !manages(before) && !caller.is_admin {
        return Err(ApiError::Forbidden(
            "log in to grant the scope `manage`: a key may not do this".into(),
        ));
    }
    Ok(())
}

fn changed(before: KeyView, after: KeyView) -> Result<Map<String, Value>, ApiError> {
    let show = |view| serde_json::to_value(view).map_err(ApiError::internal);
    let (before, after): (Value, Value) = (show(before)?, show(after)?);
    let Value::Object(after) = after else {
        return Ok(Map::new());
    };
    Ok(after
        .into_iter()
        .filter(|(name, value)| {
            !["lastUsedAt", "updatedAt"].contains(&name.as_str()) && before.get(name) != Some(value)
        })
        .collect())
}

async fn find(executor: impl PgExecutor<'_>, id: &str) -> Result<Row, ApiError> {
    let uuid = uuid_or_missing(WHAT, id)?;
    let row = sqlx::query_as!(
        Row,
        r#"select id, name, key_prefix, key_last4, cluster_id, scopes, allowed_models, allowed_connections,
                  rate_limits as "rate_limits: SqlJson<Vec<RateLimit>>", rpm, tpm, concurrency, is_active,
                  no_log, expires_at, created_at, updated_at,
                  -- by what was used; the row itself is not touched, for that would make it another version
                  greatest(last_used_at, (
                      select max(used.last_at) from usage_hour used
                      where used.key_id = api_key.id and used.hour = (
                          select date_trunc('hour', max(spent.quarter), 'UTC') from spending spent
                          where spent.key_id = api_key.id))) as last_used_at
           from api_key where id = $1"#,
        uuid,
    )
    .fetch_optional(executor)
    .await?;
    row.ok_or_else(|| ApiError::not_found(WHAT, id))
}
