//! What a gateway in the cloud asks for: which accounts there are, new tokens for them, names of models.
//!
//! `POST /api/cloud/auth` · `PUT /api/cloud/credentials/update` · `POST /api/cloud/model/resolve` ·
//! `GET PUT /api/cloud/models/alias`
//!
//! It calls with a gateway key of the scope `cloud`. No secret leaves here.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode, response::Response};
use chrono::{Duration, Utc};
use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::names::{
    Names,
    alias::{Resolved, Wanted, resolve},
};
use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Stamp, Violations, Wait, WaitQuery},
    oauth::{self, Renewed},
};

const MAX_TOKEN: usize = 16_384;
/// Ten years: no access token lasts longer, and a clock can add it.
const MAX_LIFETIME_S: i64 = 10 * 365 * 24 * 3600;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CloudAccounts {
    connections: Vec<CloudAccount>,
    model_aliases: BTreeMap<String, String>,
}

/// An active connection, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CloudAccount {
    id: Uuid,
    provider: String,
    auth_type: String,
    has_api_key: bool,
    has_access_token: bool,
    has_refresh_token: bool,
    masked_api_key: Option<String>,
    project_id: Option<String>,
    expires_at: Option<Stamp>,
    priority: i32,
    global_priority: Option<i32>,
    default_model: Option<String>,
    is_active: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CredentialsBody {
    provider: String,
    credentials: NewCredentials,
    /// Needed where the provider has several accounts that signed in.
    connection_id: Option<Uuid>,
}

/// At least one of the tokens.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewCredentials {
    #[schema(value_type = Option<String>)]
    access_token: Option<Secret<String>>,
    #[schema(value_type = Option<String>)]
    refresh_token: Option<Secret<String>>,
    /// Seconds from now to the end of the access token.
    expires_in: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct CredentialsUpdated {
    success: bool,
    message: &'static str,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResolveBody {
    alias: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ResolvedAlias {
    alias: String,
    #[serde(flatten)]
    target: Resolved,
}

#[derive(Debug, Serialize, ToSchema)]
struct CloudAliases {
    /// Alias to target.
    aliases: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CloudAliasBody {
    model: String,
    /// `^[A-Za-z0-9._:-]+$`
    alias: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct CloudAliasSet {
    success: bool,
    model: String,
    alias: String,
    message: &'static str,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(accounts))
        .routes(routes!(update_credentials))
        .routes(routes!(resolve_alias))
        .routes(routes!(aliases, set_alias))
}

// === impl CredentialsBody ===

impl Body for CredentialsBody {
    const REQUIRED: &'static [&'static str] = &["provider", "credentials"];

    fn check(&self, violations: &mut Violations) {
        let NewCredentials {
            access_token,
            refresh_token,
            expires_in,
        } = &self.credentials;
        if access_token.is_none() && refresh_token.is_none() {
            violations.add("credentials", "must have an accessToken or a refreshToken");
        }
        for (field, token) in [
            ("credentials.accessToken", access_token),
            ("credentials.refreshToken", refresh_token),
        ] {
            let Some(token) = token else { continue };
            violations.length(field, token.expose(), 1..=MAX_TOKEN);
            if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
                violations.add(field, "must be visible ASCII: it is sent in a header");
            }
        }
        if let Some(seconds) = expires_in {
            violations.range("credentials.expiresIn", *seconds, 1..=MAX_LIFETIME_S);
        }
    }
}

// === impl ResolveBody ===

impl Body for ResolveBody {
    const REQUIRED: &'static [&'static str] = &["alias"];

    fn check(&self, violations: &mut Violations) {
        violations.length("alias", &self.alias, 1..=200);
    }
}

// === impl CloudAliasBody ===

impl Body for CloudAliasBody {
    const REQUIRED: &'static [&'static str] = &["model", "alias"];

    fn check(&self, violations: &mut Violations) {
        self.wanted().check(violations);
    }
}

impl CloudAliasBody {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            alias: &self.alias,
            model: self.model.trim(),
            allow_shadow: false,
        }
    }
}

/// The active connections, and the aliases.
#[utoipa::path(post, path = "/api/cloud/auth", tag = "cloud",
    responses((status = 200, body = CloudAccounts), (status = 401), (status = 403)))]
async fn accounts(State(ctx): State<Ctx>, _: Operator) -> Result<Json<CloudAccounts>, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    let rows = sqlx::query!(
        r#"select id, provider, auth_type, api_key is not null as "has_api_key!",
                  access_token is not null as "has_access_token!", refresh_token is not null as "has_refresh_token!",
                  api_key_hint, provider_specific_data ->> 'projectId' as project_id, token_expires_at, priority,
                  global_priority, default_model
           from provider_connection where is_active order by provider, priority, id"#
    )
    .fetch_all(&mut *conn)
    .await?;
    let connections = rows.into_iter().map(|row| CloudAccount {
        id: row.id,
        provider: row.provider,
        auth_type: row.auth_type,
        has_api_key: row.has_api_key,
        has_access_token: row.has_access_token,
        has_refresh_token: row.has_refresh_token,
        masked_api_key: row.api_key_hint,
        project_id: row.project_id,
        expires_at: row.token_expires_at.map(Stamp),
        priority: row.priority,
        global_priority: row.global_priority,
        default_model: row.default_model,
        is_active: true,
    });
    let connections = connections.collect();
    let names = Names::load(&mut conn).await?;
    Ok(Json(CloudAccounts {
        connections,
        model_aliases: names.aliases.into_iter().collect(),
    }))
}

/// Tokens of an account that signed in, as they were renewed elsewhere.
#[utoipa::path(put, path = "/api/cloud/credentials/update", tag = "cloud", request_body = CredentialsBody,
    params(WaitQuery),
    responses((status = 200, body = CredentialsUpdated), (status = 400), (status = 401), (status = 403),
        (status = 404)))]
async fn update_credentials(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<CredentialsBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let connection = account(tx.conn(), &body).await?;
    let NewCredentials {
        access_token,
        refresh_token,
        expires_in,
    } = body.credentials;
    let renewed = Renewed {
        access_token,
        refresh_token,
        expires_at: expires_in.map(|seconds| Utc::now() + Duration::seconds(seconds)),
    };
    oauth::replace(tx.conn(), &ctx.vault, connection, &renewed).await?;
    let audit = Audit::of("cloud.credentials.updated")
        .target("connection", connection)
        .details(json!({
            "provider": body.provider,
            "accessToken": renewed.access_token.is_some(),
            "refreshToken": renewed.refresh_token.is_some(),
        }));
    let answer = CredentialsUpdated {
        success: true,
        message: "the account has new tokens",
    };
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Where an alias leads.
#[utoipa::path(post, path = "/api/cloud/model/resolve", tag = "cloud", request_body = ResolveBody,
    responses((status = 200, body = ResolvedAlias), (status = 400), (status = 401), (status = 403), (status = 404)))]
async fn resolve_alias(
    State(ctx): State<Ctx>,
    _: Operator,
    JsonBody(body): JsonBody<ResolveBody>,
) -> Result<Json<ResolvedAlias>, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    let names = Names::load(&mut conn).await?;
    let target = names
        .aliases
        .get(&body.alias)
        .ok_or_else(|| ApiError::not_found("alias", &body.alias))?;
    let target = resolve(&names, target)?;
    Ok(Json(ResolvedAlias {
        alias: body.alias,
        target,
    }))
}

/// All aliases.
#[utoipa::path(get, path = "/api/cloud/models/alias", tag = "cloud",
    responses((status = 200, body = CloudAliases), (status = 401), (status = 403)))]
async fn aliases(State(ctx): State<Ctx>, _: Operator) -> Result<Json<CloudAliases>, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    let names = Names::load(&mut conn).await?;
    Ok(Json(CloudAliases {
        aliases: names.aliases.into_iter().collect(),
    }))
}

/// Sets an alias that is free, or leads there already.
#[utoipa::path(put, path = "/api/cloud/models/alias", tag = "cloud", request_body = CloudAliasBody, params(WaitQuery),
    responses((status = 200, body = CloudAliasSet), (status = 400), (status = 401), (status = 403), (status = 409)))]
async fn set_alias(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<CloudAliasBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let mut names = Names::load(tx.conn()).await?;
    let wanted = body.wanted();
    if let Some(other) = names
        .aliases
        .get(wanted.alias)
        .filter(|other| *other != wanted.model)
    {
        return Err(ApiError::conflict(format!(
            "`{}` leads to `{other}` already",
            wanted.alias
        )));
    }
    let previous = wanted.put(tx.conn(), &mut names).await?;
    let audit = Audit::of("model.alias.set")
        .target("alias", wanted.alias)
        .details(json!({ "from": previous, "to": wanted.model }));
    let answer = CloudAliasSet {
        success: true,
        model: wanted.model.to_owned(),
        alias: wanted.alias.to_owned(),
        message: "the alias is set",
    };
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// The one active account that is meant.
async fn account(conn: &mut PgConnection, body: &CredentialsBody) -> Result<Uuid, ApiError> {
    let accounts = sqlx::query_scalar!(
        "select id from provider_connection
         where provider = $1 and auth_type = 'oauth' and is_active and ($2::uuid is null or id = $2)
         limit 2 for update",
        body.provider,
        body.connection_id,
    )
    .fetch_all(conn)
    .await?;
    match accounts[..] {
        [account] => Ok(account),
        [] => Err(ApiError::not_found("active account of", &body.provider)),
        _ => Err(ApiError::invalid(
            "connectionId",
            "is needed: the provider has several accounts",
        )),
    }
}
