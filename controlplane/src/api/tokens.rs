//! Management tokens: for programs that manage the gateway, each with as much authority as its task needs.
//!
//! `GET POST /api/tokens` · `DELETE /api/tokens/{id}` — an administrator at the dashboard.
//!
//! A scope is `{area}:read` or `{area}:write`, where an area is the first segment of a path under `/api/`, or `*`.
//! What only a person may do stays closed to every token. A token is shown once; what is stored is a keyed hash.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use runtime::crypto;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    account,
    api::{Ctx, document},
    db::Audit,
    error::ApiError,
    http::{
        Admin, Body, Json as JsonBody, Stamp, TOKEN_PREFIX, Violations, Wait, WaitQuery,
        scope_is_well_formed, uuid_or_missing,
    },
};

const WHAT: &str = "management token";
const SECRET_LENGTH: usize = 40;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TokenView {
    id: Uuid,
    name: String,
    /// First eight and last four characters.
    token: String,
    scopes: Vec<String>,
    created_by: String,
    expires_at: Option<Stamp>,
    last_used_at: Option<Stamp>,
    created_at: Stamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct TokenList {
    tokens: Vec<TokenView>,
    /// The areas that a scope can name.
    areas: BTreeSet<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = TokenCreate)]
struct CreateBody {
    name: String,
    /// `{area}:read`, `{area}:write`, or `*` for the area; writing includes reading.
    scopes: Vec<String>,
    expires_at: Option<DateTime<Utc>>,
}

/// The only answer that holds a whole token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewToken {
    id: Uuid,
    name: String,
    token: String,
    scopes: Vec<String>,
    expires_at: Option<Stamp>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenDeleted)]
struct Deleted {
    success: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(delete))
}

// === impl CreateBody ===

impl Body for CreateBody {
    const REQUIRED: &'static [&'static str] = &["name", "scopes"];

    fn check(&self, violations: &mut Violations) {
        violations.length("name", self.name.trim(), 1..=200);
        if self.scopes.is_empty() {
            violations.add("scopes", "name at least one, such as `usage:read`");
        }
        let areas = areas();
        for (index, scope) in self.scopes.iter().enumerate() {
            if !scope_is_well_formed(scope, areas.iter()) {
                let message = format!(
                    "must be `{{area}}:read` or `{{area}}:write`, with one of the areas *, {}",
                    Vec::from_iter(areas.iter().map(String::as_str)).join(", ")
                );
                violations.add(format!("scopes.{index}"), message);
            }
        }
        if self.expires_at.is_some_and(|at| at <= Utc::now()) {
            violations.add("expiresAt", "must be in the future");
        }
    }
}

/// All tokens, the oldest first.
#[utoipa::path(get, path = "/api/tokens", tag = "accounts", responses((status = 200, body = TokenList)))]
async fn list(State(ctx): State<Ctx>, _: Admin) -> Result<Json<TokenList>, ApiError> {
    let rows = sqlx::query!(
        "select id, name, token_prefix, token_last4, scopes, created_by, expires_at, last_used_at, created_at
         from management_token order by created_at, id limit 5000"
    )
    .fetch_all(ctx.db.pool())
    .await?;
    let tokens = rows.into_iter().map(|row| TokenView {
        id: row.id,
        name: row.name,
        token: format!("{}****{}", row.token_prefix, row.token_last4),
        scopes: row.scopes,
        created_by: row.created_by,
        expires_at: row.expires_at.map(Stamp),
        last_used_at: row.last_used_at.map(Stamp),
        created_at: Stamp(row.created_at),
    });
    Ok(Json(TokenList {
        tokens: tokens.collect(),
        areas: areas(),
    }))
}

/// Creates a token and shows it, once.
#[utoipa::path(post, path = "/api/tokens", tag = "accounts", request_body = CreateBody, params(WaitQuery),
    responses((status = 201, body = NewToken), (status = 400), (status = 403)))]
async fn create(
    State(ctx): State<Ctx>,
    admin: Admin,
    wait: Wait,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<Response, ApiError> {
    let token = format!("{TOKEN_PREFIX}{}", crypto::random_token(SECRET_LENGTH));
    let hash = crypto::hash_key(ctx.config.api_key_secret.expose().as_bytes(), &token);
    let name = body.name.trim();
    let scopes = Vec::from_iter(BTreeSet::from_iter(body.scopes));
    let by = admin
        .account
        .as_ref()
        .map_or(account::FIRST, |account| &account.username);
    let id = Uuid::now_v7();

    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    sqlx::query!(
        "insert into management_token (id, name, token_hash, token_prefix, token_last4, scopes, created_by, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id,
        name,
        &hash[..],
        &token[..8],
        &token[token.len() - 4..],
        &scopes,
        by,
        body.expires_at,
    )
    .execute(tx.conn())
    .await?;
    let audit = Audit::of("token.created")
        .target("token", id)
        .details(json!({ "name": name, "scopes": scopes }));
    let answer = NewToken {
        id,
        name: name.to_owned(),
        token,
        scopes,
        expires_at: body.expires_at.map(Stamp),
    };
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::CREATED, committed).await)
}

/// Ends a token at once.
#[utoipa::path(delete, path = "/api/tokens/{id}", tag = "accounts", params(WaitQuery),
    responses((status = 200, body = Deleted), (status = 404)))]
async fn delete(
    State(ctx): State<Ctx>,
    admin: Admin,
    Path(id): Path<String>,
    wait: Wait,
) -> Result<Response, ApiError> {
    let uuid = uuid_or_missing(WHAT, &id)?;
    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let name = sqlx::query_scalar!("delete from management_token where id = $1 returning name", uuid)
        .fetch_optional(tx.conn())
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, &id))?;
    let audit = Audit::of("token.deleted")
        .target("token", uuid)
        .details(json!({ "name": name }));
    let committed = tx.commit(audit, Deleted { success: true }).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// The first segments of the paths there are, so that a scope cannot name what does not exist.
fn areas() -> BTreeSet<String> {
    let paths = document().paths.paths;
    let first = |path: &String| path.strip_prefix("/api/")?.split('/').next().map(str::to_owned);
    paths.keys().filter_map(first).collect()
}
