//! Provider nodes: compatible endpoints of the operator's own.
//!
//! `GET POST /api/provider-nodes` · `GET PUT PATCH DELETE /api/provider-nodes/{id}` ·
//! `POST /api/provider-nodes/validate`
//!
//! A node's id doubles as the provider id of its connections, and its prefix is what clients write before a model.
//! A prefix can therefore not be one that a built-in provider answers to.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use llm::{
    provider::{Endpoint, ProviderSpec, Whereabouts},
    providers,
};
use proto::validate::{NODE_TYPES as TYPES, api_types};
use runtime::{crypto, secret::Secret};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgExecutor};
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{Ctx, guard},
    db::{Audit, Outcome},
    error::{ApiError, Violation},
    http::{Body, IfMatch, Json as JsonBody, Operator, Reader, Stamp, Violations, Wait, WaitQuery, etag},
    probe::{self, Finding, Target},
    proxies,
};

const WHAT: &str = "provider node";
/// An operation's path that people paste along with the address.
const OPERATIONS: [&str; 7] = [
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages",
    "/api/chat",
    "/api/tags",
    "/models",
];

#[derive(Clone, Debug)]
struct Row {
    id: String,
    r#type: String,
    name: String,
    prefix: String,
    api_type: Option<String>,
    base_url: String,
    api_version: Option<String>,
    allow_private_address: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NodeView {
    id: String,
    r#type: String,
    name: String,
    prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_type: Option<String>,
    base_url: String,
    /// Of `azure-compatible`; absent: as its API type has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<String>,
    allow_private_address: bool,
    created_at: Stamp,
    updated_at: Stamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct NodeAnswer {
    node: NodeView,
}

#[derive(Debug, Serialize, ToSchema)]
struct NodeList {
    nodes: Vec<NodeView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NodeDeleted {
    success: bool,
    deleted_connections: u64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = NodeCreate)]
struct CreateBody {
    name: String,
    /// `^[a-z0-9][a-z0-9._-]{0,63}$`
    prefix: String,
    /// `openai-compatible` when absent; `anthropic-compatible`, `gemini-compatible`, `ollama-compatible`,
    /// `azure-compatible` or `bedrock-compatible`.
    r#type: Option<String>,
    /// `chat` or `responses`; required for `openai-compatible` and `azure-compatible`. For the latter also
    /// `deployments`: the API with a dated version, which has the deployment in its path.
    api_type: Option<String>,
    base_url: Option<String>,
    /// Of `azure-compatible`, such as `2024-10-21`.
    api_version: Option<String>,
    allow_private_address: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = NodeUpdate)]
struct UpdateBody {
    name: Option<String>,
    prefix: Option<String>,
    r#type: Option<String>,
    api_type: Option<String>,
    base_url: Option<String>,
    /// Empty: as the API type has it.
    api_version: Option<String>,
    allow_private_address: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = NodeCheck)]
struct ValidateBody {
    base_url: String,
    /// May be missing or empty for a type whose servers ask for no credential.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    api_key: Option<Secret<String>>,
    r#type: Option<String>,
    /// `chat` when absent; for `openai-compatible` and `azure-compatible` only.
    api_type: Option<String>,
    api_version: Option<String>,
    /// Of `bedrock-compatible`: what requests are signed for.
    region: Option<String>,
    allow_private_address: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodeVerdict)]
struct ValidateView {
    valid: bool,
    error: Option<String>,
    /// `invalid_key`, `no_models_endpoint` or `unreachable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(validate))
}

// === impl Row ===

impl Row {
    fn view(self) -> NodeView {
        NodeView {
            id: self.id,
            r#type: self.r#type,
            name: self.name,
            prefix: self.prefix,
            api_type: self.api_type,
            base_url: self.base_url,
            api_version: self.api_version,
            allow_private_address: self.allow_private_address,
            created_at: Stamp(self.created_at),
            updated_at: Stamp(self.updated_at),
        }
    }
}

// === impl CreateBody ===

impl Body for CreateBody {
    const READ_ONLY: &'static [&'static str] = &["id", "createdAt", "updatedAt"];
    const REQUIRED: &'static [&'static str] = &["name", "prefix"];

    fn check(&self, violations: &mut Violations) {
        violations.length("name", self.name.trim(), 1..=200);
        check_prefix(violations, &self.prefix);
        let r#type = self.r#type.as_deref().unwrap_or(TYPES[0]);
        violations.one_of("type", r#type, &TYPES);
        check_api_type(violations, r#type, self.api_type.as_deref());
        check_api_version(violations, r#type, self.api_version.as_deref());
    }
}

// === impl UpdateBody ===

impl Body for UpdateBody {
    const READ_ONLY: &'static [&'static str] = &["id", "createdAt", "updatedAt"];

    fn check(&self, violations: &mut Violations) {
        if let Some(name) = &self.name {
            violations.length("name", name.trim(), 1..=200);
        }
        if let Some(prefix) = &self.prefix {
            check_prefix(violations, prefix);
        }
    }
}

// === impl ValidateBody ===

impl Body for ValidateBody {
    const REQUIRED: &'static [&'static str] = &["baseUrl"];

    fn check(&self, violations: &mut Violations) {
        if let Some(key) = &self.api_key {
            violations.length("apiKey", key.expose(), 0..=10_000);
        }
        let r#type = self.r#type.as_deref().unwrap_or(TYPES[0]);
        violations.one_of("type", r#type, &TYPES);
        if self.api_type.is_some() {
            check_api_type(violations, r#type, self.api_type.as_deref());
        }
        check_api_version(violations, r#type, self.api_version.as_deref());
    }
}

/// All nodes, by name.
#[utoipa::path(get, path = "/api/provider-nodes", tag = "providers", responses((status = 200, body = NodeList)))]
async fn list(State(ctx): State<Ctx>, _: Reader) -> Result<Json<NodeList>, ApiError> {
    let rows = sqlx::query_as!(
        Row,
        "select id, type, name, prefix, api_type, base_url, api_version, allow_private_address, created_at, updated_at
         from provider_node order by name, id"
    )
    .fetch_all(ctx.db.pool())
    .await?;
    Ok(Json(NodeList {
        nodes: rows.into_iter().map(Row::view).collect(),
    }))
}

/// One node.
#[utoipa::path(get, path = "/api/provider-nodes/{id}", tag = "providers",
    responses((status = 200, body = NodeAnswer), (status = 404)))]
async fn get(State(ctx): State<Ctx>, _: Reader, Path(id): Path<String>) -> Result<Response, ApiError> {
    let row = find(ctx.db.pool(), &id).await?;
    Ok((etag(row.updated_at), Json(NodeAnswer { node: row.view() })).into_response())
}

/// Adds a compatible endpoint.
#[utoipa::path(post, path = "/api/provider-nodes", tag = "providers", request_body = CreateBody, params(WaitQuery),
    responses((status = 201, body = NodeAnswer), (status = 400), (status = 409), (status = 422)))]
async fn create(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<Response, ApiError> {
    let r#type = body.r#type.unwrap_or_else(|| TYPES[0].to_owned());
    let spec = callable(&r#type, body.api_type.as_deref())?;
    let base_url = match body
        .base_url
        .as_deref()
        .map(str::trim)
        .filter(|url| !url.is_empty())
    {
        Some(url) => normalise(spec, url),
        None => {
            default_address(spec).ok_or_else(|| ApiError::invalid("baseUrl", "is required for this type"))?
        }
    };
    let may_be_private = body.allow_private_address.unwrap_or(false);
    check_address(&ctx, &operator, &base_url, may_be_private).await?;

    let family = match &body.api_type {
        Some(api_type) => format!("{type}-{api_type}"),
        None => r#type.clone(),
    };
    let id = format!("{family}-{}", crypto::random_token(12));
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    prefix_is_free(tx.conn(), body.prefix.trim(), &id).await?;
    sqlx::query!(
        "insert into provider_node (id, type, name, prefix, api_type, base_url, api_version, allow_private_address)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id,
        r#type,
        body.name.trim(),
        body.prefix.trim(),
        body.api_type,
        base_url,
        body.api_version.filter(|version| !version.is_empty()),
        may_be_private,
    )
    .execute(tx.conn())
    .await?;
    let row = find(&mut *tx.conn(), &id).await?;
    let details = json!({ "name": row.name, "prefix": row.prefix, "baseUrl": row.base_url });
    let audit = Audit::of("provider.node.created")
        .target("node", &id)
        .details(details);
    let committed = tx.commit(audit, NodeAnswer { node: row.view() }).await?;
    Ok(wait.answer(StatusCode::CREATED, committed).await)
}

/// Changes a node and what its connections take from it. PUT asks for `name`, `prefix` and `baseUrl`.
#[utoipa::path(method(put, patch), path = "/api/provider-nodes/{id}", tag = "providers", request_body = UpdateBody,
    params(WaitQuery), responses((status = 200, body = NodeAnswer), (status = 400), (status = 404), (status = 409),
        (status = 412), (status = 422)))]
async fn update(
    State(ctx): State<Ctx>,
    operator: Operator,
    method: axum::http::Method,
    Path(id): Path<String>,
    if_match: IfMatch,
    wait: Wait,
    JsonBody(body): JsonBody<UpdateBody>,
) -> Result<Response, ApiError> {
    if method == axum::http::Method::PUT {
        body.is_complete()?;
    }
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let before = find(&mut *tx.conn(), &id).await?;
    if_match.check(before.updated_at)?;
    let row = body.over(before.clone())?;
    prefix_is_free(tx.conn(), &row.prefix, &id).await?;
    let before_private = before.allow_private_address;
    if let Err(error) = refuse_address(
        &ctx,
        &operator,
        &row.base_url,
        row.allow_private_address,
        before_private,
    ) {
        drop(tx);
        return Err(guard::recorded(&ctx, &operator.origin, error).await);
    }

    sqlx::query!(
        "update provider_node
         set name = $2, prefix = $3, api_type = $4, base_url = $5, api_version = $6, allow_private_address = $7
         where id = $1",
        id,
        row.name,
        row.prefix,
        row.api_type,
        row.base_url,
        row.api_version,
        row.allow_private_address,
    )
    .execute(tx.conn())
    .await?;
    propagate(tx.conn(), &row).await?;
    let after = find(&mut *tx.conn(), &id).await?;
    let details = json!({ "name": after.name, "prefix": after.prefix, "baseUrl": after.base_url });
    let audit = Audit::of("provider.node.updated")
        .target("node", &id)
        .details(details);
    let committed = tx.commit(audit, NodeAnswer { node: after.view() }).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Removes a node, all its connections and its custom models.
#[utoipa::path(delete, path = "/api/provider-nodes/{id}", tag = "providers", params(WaitQuery),
    responses((status = 200, body = NodeDeleted), (status = 404), (status = 412)))]
async fn delete(
    State(ctx): State<Ctx>,
    operator: Operator,
    Path(id): Path<String>,
    if_match: IfMatch,
    wait: Wait,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let row = find(&mut *tx.conn(), &id).await?;
    if_match.check(row.updated_at)?;
    let connections = sqlx::query!("delete from provider_connection where provider = $1", id)
        .execute(tx.conn())
        .await?;
    sqlx::query!("delete from custom_model where provider = $1", id)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "delete from proxy_config where level = 'provider' and target_id = $1",
        id
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!("delete from provider_node where id = $1", id)
        .execute(tx.conn())
        .await?;
    let deleted_connections = connections.rows_affected();
    let details =
        json!({ "name": row.name, "prefix": row.prefix, "deletedConnections": deleted_connections });
    let audit = Audit::of("provider.node.deleted")
        .target("node", &id)
        .details(details);
    let committed = tx
        .commit(
            audit,
            NodeDeleted {
                success: true,
                deleted_connections,
            },
        )
        .await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Tries an address and a key without storing them.
#[utoipa::path(post, path = "/api/provider-nodes/validate", tag = "providers", request_body = ValidateBody,
    responses((status = 200, body = ValidateView), (status = 400), (status = 422)))]
async fn validate(
    State(ctx): State<Ctx>,
    operator: Operator,
    JsonBody(body): JsonBody<ValidateBody>,
) -> Result<Json<ValidateView>, ApiError> {
    let r#type = body.r#type.as_deref().unwrap_or(TYPES[0]);
    let api_type = body
        .api_type
        .as_deref()
        .or_else(|| api_types(r#type).first().copied());
    let spec = callable(r#type, api_type)?;
    let credential = match body.api_key {
        Some(key) if spec.keyless || !key.expose().is_empty() => key,
        None if spec.keyless => Secret::new(String::new()),
        Some(_) => return Err(ApiError::invalid("apiKey", "must have 1 to 10000 characters")),
        None => return Err(ApiError::Invalid(vec![Violation::missing("apiKey")])),
    };
    let base_url = normalise(spec, &body.base_url);
    let allow_private = body.allow_private_address.unwrap_or(false);
    check_address(&ctx, &operator, &base_url, allow_private).await?;
    let target = Target {
        spec,
        endpoint: Endpoint::of(
            spec,
            Whereabouts {
                base_url: &base_url,
                region: body.region.as_deref().unwrap_or_default(),
                project: "",
                api_version: body.api_version.as_deref().unwrap_or_default(),
            },
        )
        .map_err(|error| ApiError::invalid("region", error.to_string()))?,
        credential,
        oauth: false,
        model: None,
        allow_private: ctx.config.allow_private_provider_urls || allow_private,
        proxy: proxies::usable_for(&ctx, None, "").await?,
    };
    let check = probe::check(&ctx.egress, &target).await;
    let valid = check.finding.is_valid();
    let audit = Audit::of("provider.validated")
        .target("node", r#type)
        .outcome(if valid { Outcome::Success } else { Outcome::Failed });
    ctx.db.record(&operator.origin, audit).await?;
    let reason = match check.finding {
        Finding::Accepted | Finding::RateLimited => None,
        Finding::Refused => Some("invalid_key"),
        Finding::Unverifiable => Some("no_models_endpoint"),
        Finding::Unavailable | Finding::Unreachable(_) => Some("unreachable"),
        Finding::Blocked(why) => {
            return Err(guard::recorded(&ctx, &operator.origin, ApiError::UrlBlocked(why)).await);
        }
    };
    Ok(Json(ValidateView {
        valid,
        error: check.finding.error(),
        reason,
    }))
}

// === impl UpdateBody: merging ===

impl UpdateBody {
    fn is_complete(&self) -> Result<(), ApiError> {
        let fields = [
            ("name", &self.name),
            ("prefix", &self.prefix),
            ("baseUrl", &self.base_url),
        ];
        let missing = fields.iter().filter(|(_, value)| value.is_none());
        let missing: Vec<_> = missing.map(|(field, _)| Violation::missing(*field)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Invalid(missing))
        }
    }

    fn over(self, mut row: Row) -> Result<Row, ApiError> {
        if self.r#type.is_some_and(|given| given != row.r#type) {
            return Err(ApiError::invalid("type", "cannot change: add another node"));
        }
        if let Some(api_type) = self.api_type {
            let mut violations = Violations::default();
            check_api_type(&mut violations, &row.r#type, Some(&api_type));
            violations.into_result()?;
            callable(&row.r#type, Some(&api_type))?;
            row.api_type = Some(api_type);
        }
        if let Some(version) = self.api_version {
            let mut violations = Violations::default();
            check_api_version(&mut violations, &row.r#type, Some(&version));
            violations.into_result()?;
            row.api_version = Some(version).filter(|version| !version.is_empty());
        }
        row.name = self.name.map_or(row.name, |name| name.trim().to_owned());
        row.prefix = self.prefix.map_or(row.prefix, |prefix| prefix.trim().to_owned());
        let spec = callable(&row.r#type, row.api_type.as_deref())?;
        row.base_url = self.base_url.map_or(row.base_url, |url| normalise(spec, &url));
        row.allow_private_address = self.allow_private_address.unwrap_or(row.allow_private_address);
        Ok(row)
    }
}

fn check_prefix(violations: &mut Violations, prefix: &str) {
    let prefix = prefix.trim();
    let starts_well = prefix.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    if !starts_well || prefix.len() > 64 || !prefix.chars().all(legal) {
        violations.add("prefix", "must match ^[a-z0-9][a-z0-9._-]{0,63}$");
    }
}

fn check_api_type(violations: &mut Violations, r#type: &str, api_type: Option<&str>) {
    match (api_types(r#type), api_type) {
        ([], Some(_)) => violations.add("apiType", "is for openai-compatible and azure-compatible only"),
        ([], None) => {}
        (known, Some(api_type)) => violations.one_of("apiType", api_type, known),
        (known, None) => violations.add(
            "apiType",
            format!("is required for {type}: {}", known.join(" or ")),
        ),
    }
}

fn check_api_version(violations: &mut Violations, r#type: &str, version: Option<&str>) {
    let Some(version) = version.filter(|version| !version.is_empty()) else {
        return;
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if r#type != "azure-compatible" {
        violations.add("apiVersion", "is for azure-compatible only");
    } else if version.len() > 100 || !version.chars().all(legal) || version.starts_with(['.', '-']) {
        violations.add("apiVersion", "must be a version such as 2024-10-21 or preview");
    }
}

/// The template of a node's type: what says how such an endpoint is called.
fn callable(r#type: &str, api_type: Option<&str>) -> Result<&'static ProviderSpec, ApiError> {
    providers::compatible(r#type, api_type.unwrap_or_default()).ok_or_else(|| {
        let field = if api_type.is_some() { "apiType" } else { "type" };
        ApiError::invalid(field, "is an endpoint this version cannot call")
    })
}

/// The vendor's own address, where a type has one.
fn default_address(spec: &ProviderSpec) -> Option<String> {
    let original = providers::ALL
        .iter()
        .find(|one| one.dialect == spec.dialect && is_namesake(one.id, spec.id))?;
    Some(original.base_url.to_owned())
}

fn is_namesake(provider: &str, template: &str) -> bool {
    template
        .strip_prefix(provider)
        .is_some_and(|rest| rest.starts_with("-compatible"))
}

/// Without trailing slashes and without the path of an operation, nor what every path of a template begins with.
fn normalise(spec: &ProviderSpec, url: &str) -> String {
    let mut url = url.trim().trim_end_matches('/');
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find('/').map_or(url.len(), |at| host + at);
    if let Some(at) = url[path..]
        .find(spec.paths_begin)
        .filter(|_| !spec.paths_begin.is_empty())
    {
        url = &url[..path + at];
    }
    if let Some(base) = OPERATIONS
        .iter()
        .find_map(|operation| url.strip_suffix(operation))
    {
        url = base.trim_end_matches('/');
    }
    url.to_owned()
}

async fn check_address(
    ctx: &Ctx,
    operator: &Operator,
    url: &str,
    allow_private: bool,
) -> Result<(), ApiError> {
    match refuse_address(ctx, operator, url, allow_private, false) {
        Ok(()) => Ok(()),
        Err(error) => Err(guard::recorded(ctx, &operator.origin, error).await),
    }
}

fn refuse_address(
    ctx: &Ctx,
    operator: &Operator,
    url: &str,
    allow_private: bool,
    was_allowed: bool,
) -> Result<(), ApiError> {
    if allow_private && !was_allowed && !operator.is_admin {
        return Err(ApiError::Forbidden(
            "log in to allow a private address: a key may not do this".into(),
        ));
    }
    let url =
        Url::parse(url).map_err(|_| ApiError::invalid("baseUrl", "must be an http or https address"))?;
    let allow_private = allow_private || ctx.config.allow_private_provider_urls;
    ctx.egress
        .check(&url, allow_private)
        .map_err(|error| ApiError::UrlBlocked(error.to_string()))
}

async fn find(executor: impl PgExecutor<'_>, id: &str) -> Result<Row, ApiError> {
    let row = sqlx::query_as!(
        Row,
        "select id, type, name, prefix, api_type, base_url, api_version, allow_private_address, created_at, updated_at
         from provider_node where id = $1",
        id,
    )
    .fetch_optional(executor)
    .await?;
    row.ok_or_else(|| ApiError::not_found(WHAT, id))
}

async fn prefix_is_free(conn: &mut PgConnection, prefix: &str, id: &str) -> Result<(), ApiError> {
    if providers::find(prefix).is_some() {
        return Err(ApiError::conflict(format!(
            "`{prefix}` is the name of a built-in provider"
        )));
    }
    let owner = sqlx::query_scalar!(
        "select name from provider_node where prefix = $1 and id <> $2",
        prefix,
        id
    )
    .fetch_optional(conn)
    .await?;
    match owner {
        Some(name) => Err(ApiError::conflict(format!(
            "the node `{name}` has the prefix `{prefix}` already"
        ))),
        None => Ok(()),
    }
}

/// Connections keep a copy of what they take from their node.
async fn propagate(conn: &mut PgConnection, node: &Row) -> Result<(), sqlx::Error> {
    let mut data = json!({ "prefix": node.prefix, "baseUrl": node.base_url, "nodeName": node.name });
    if let Some(version) = &node.api_version {
        data["apiVersion"] = version.as_str().into();
    }
    if let Some(api_type) = &node.api_type {
        data["apiType"] = api_type.as_str().into();
    }
    sqlx::query!(
        "update provider_connection
         set provider_specific_data = provider_specific_data - 'apiVersion' || $2, allow_private_address = $3
         where provider = $1",
        node.id,
        data,
        node.allow_private_address,
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_trailing_slashes_and_operations() {
        let cases = [
            ("https://host/v1", "https://host/v1"),
            (" https://host/v1// ", "https://host/v1"),
            ("https://host/v1/chat/completions", "https://host/v1"),
            ("https://host/v1/chat/completions/", "https://host/v1"),
            ("https://host/v1/responses", "https://host/v1"),
            ("https://host/v1/messages", "https://host/v1"),
            ("https://host/v1beta/models", "https://host/v1beta"),
            ("http://host:11434/api/chat", "http://host:11434"),
        ];
        for (given, expected) in cases {
            let spec = callable("openai-compatible", Some("chat")).unwrap();
            assert_eq!(normalise(spec, given), expected);
        }
        for given in [
            "https://openai-r.openai.azure.com/",
            "https://openai-r.openai.azure.com/openai/v1/",
            "https://openai-r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ] {
            let spec = callable("azure-compatible", Some("deployments")).unwrap();
            assert_eq!(normalise(spec, given), "https://openai-r.openai.azure.com");
        }
    }

    #[test]
    fn a_prefix_is_a_lower_case_word() {
        for (prefix, legal) in [
            ("vllm", true),
            ("my.vllm_2-x", true),
            ("-x", false),
            ("a/b", false),
            ("VLLM", false),
            ("", false),
        ] {
            let mut violations = Violations::default();
            check_prefix(&mut violations, prefix);
            assert_eq!(violations.into_result().is_ok(), legal, "{prefix}");
        }
    }
}
