//! Provider connections: the stored credentials.
//!
//! `GET POST /api/providers` · `GET PUT PATCH DELETE /api/providers/{id}` · `POST /api/providers/{id}/test` ·
//! `GET /api/providers/{id}/models` · `POST /api/providers/validate` · `POST /api/providers/test-batch` ·
//! `GET /api/providers/client`, which is gone
//!
//! A credential goes in and never comes out: answers carry a mask. Priorities of one provider are always 1..n.

mod check;
mod row;
mod write;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::row::Row;
use crate::{
    api::Ctx,
    error::ApiError,
    http::{Query, Reader, Stamp, etag, uuid_or_missing},
};

const WHAT: &str = "connection";

/// A connection as the API shows it. Absent values are left out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    id: Uuid,
    provider: String,
    auth_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// 1..n inside its provider; lower is tried first.
    priority: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    global_priority: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_model: Option<String>,
    is_active: bool,
    /// `unknown`, `active`, `error` or `expired`.
    test_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_tested: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error_at: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    rate_limit_protection: bool,
    /// Minutes; 0 = never.
    health_check_interval: i32,
    /// An administrator allowed a private or loopback address for it.
    allow_private_address: bool,
    #[schema(value_type = Object)]
    provider_specific_data: Map<String, Value>,
    has_api_key: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked_api_key: Option<String>,
    has_access_token: bool,
    has_refresh_token: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// When the access token ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Stamp>,
    /// When the account was last signed in to, or its token last renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_health_check_at: Option<Stamp>,
    created_at: Stamp,
    updated_at: Stamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct ConnectionAnswer {
    connection: ConnectionView,
    /// A connection of the same provider and name existed and was updated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    upserted: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct ConnectionList {
    connections: Vec<ConnectionView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct ListQuery {
    provider: Option<String>,
    auth_type: Option<String>,
    is_active: Option<bool>,
    /// At most this many, 1 to 1000; all of them when absent.
    limit: Option<i64>,
    offset: Option<i64>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, write::create))
        .routes(routes!(client))
        .routes(routes!(get, write::update, write::delete))
        .routes(routes!(check::test))
        .routes(routes!(check::models))
        .routes(routes!(check::validate))
        .routes(routes!(check::test_batch))
}

/// All connections, best first.
#[utoipa::path(get, path = "/api/providers", tag = "providers", params(ListQuery),
    responses((status = 200, body = ConnectionList)))]
async fn list(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(5000);
    if !(1..=5000).contains(&limit) || query.offset.is_some_and(|offset| offset < 0) {
        return Err(ApiError::invalid(
            "limit",
            "must be 1 to 1000, and offset not negative",
        ));
    }
    let total = row::count(ctx.db.pool(), &query).await?;
    let rows = row::list(ctx.db.pool(), &query, limit).await?;
    let connections = rows.into_iter().map(Row::view).collect();
    Ok((
        [("x-total-count", total.to_string())],
        Json(ConnectionList { connections }),
    )
        .into_response())
}

/// Showed every credential once; nothing does any more.
#[utoipa::path(get, path = "/api/providers/client", tag = "providers", responses((status = 410)))]
async fn client(_: Reader) -> ApiError {
    ApiError::Gone("credentials are not shown any more: GET /api/providers lists the connections with masks")
}

/// One connection.
#[utoipa::path(get, path = "/api/providers/{id}", tag = "providers",
    responses((status = 200, body = ConnectionAnswer), (status = 404)))]
async fn get(State(ctx): State<Ctx>, _: Reader, Path(id): Path<String>) -> Result<Response, ApiError> {
    let row = row_of(&ctx, &id).await?;
    let tag = etag(row.updated_at);
    Ok((
        tag,
        Json(ConnectionAnswer {
            connection: row.view(),
            upserted: false,
        }),
    )
        .into_response())
}

async fn row_of(ctx: &Ctx, id: &str) -> Result<Row, ApiError> {
    let uuid = uuid_or_missing(WHAT, id)?;
    row::find(ctx.db.pool(), uuid)
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, id))
}
