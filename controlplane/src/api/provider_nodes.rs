//! Provider nodes: compatible endpoints of the operator's own.
//!
//! `GET POST /api/provider-nodes` · `GET PUT PATCH DELETE /api/provider-nodes/{id}` ·
//! `POST /api/provider-nodes/validate`
//!
//! A node's id doubles as the provider id of its connections, and its prefix is what clients write before a model.
//! A prefix can therefore not be one that a built-in provider answers to.

mod address;
mod body;
mod validate;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use llm::{provider::ProviderSpec, providers};
use proto::validate::NODE_TYPES as TYPES;
use runtime::crypto;
use serde::Serialize;
use serde_json::json;
use sqlx::{PgConnection, PgExecutor};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    address::{check_address, default_address, normalise, refuse_address},
    body::{CreateBody, UpdateBody},
};
use crate::{
    api::{Ctx, guard},
    db::Audit,
    error::ApiError,
    http::{IfMatch, Json as JsonBody, Operator, Reader, Stamp, Wait, WaitQuery, etag},
};

const WHAT: &str = "provider node";
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

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(validate::validate))
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

/// The template of a node's type: what says how such an endpoint is called.
fn callable(r#type: &str, api_type: Option<&str>) -> Result<&'static ProviderSpec, ApiError> {
    providers::compatible(r#type, api_type.unwrap_or_default()).ok_or_else(|| {
        let field = if api_type.is_some() { "apiType" } else { "type" };
        ApiError::invalid(field, "is an endpoint this version cannot call")
    })
}
