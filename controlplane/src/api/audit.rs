//! The audit trail, newest first.
//!
//! `GET /api/compliance/audit-log` — also for keys with the scope `read`.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Query, Reader, Stamp},
};

const X_NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    action: Option<String>,
    actor: Option<String>,
    /// Kind of the thing acted on.
    resource_type: Option<String>,
    /// Id of the thing acted on.
    target: Option<String>,
    /// `success`, `failed` or `denied`.
    status: Option<String>,
    request_id: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    /// 1 to 500, 50 when absent.
    limit: Option<i64>,
    offset: Option<i64>,
    /// Only older entries than this one; from `X-Next-Cursor`.
    cursor: Option<i64>,
}

/// Written in both namings: the snake_case one is historic.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EntryView {
    id: i64,
    timestamp: Stamp,
    action: String,
    actor: String,
    /// `kind:id`
    target: Option<String>,
    #[schema(value_type = Object)]
    details: Value,
    #[serde(rename = "ip_address")]
    ip_address_historic: Option<String>,
    ip_address: Option<String>,
    resource_type: Option<String>,
    status: String,
    request_id: Option<String>,
    user_agent: Option<String>,
    config_revision: Option<i64>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Who did what.
#[utoipa::path(get, path = "/api/compliance/audit-log", tag = "compliance", params(AuditQuery),
    responses((status = 200, body = [EntryView])))]
async fn list(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<AuditQuery>,
) -> Result<Response, ApiError> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=500).contains(&limit) {
        return Err(ApiError::invalid("limit", "must be 1 to 500"));
    }
    let offset = query.offset.unwrap_or(0);
    if offset < 0 {
        return Err(ApiError::invalid("offset", "must not be negative"));
    }
    let rows = sqlx::query!(
        "select id, at, action, actor, status, ip, user_agent, target_kind, target_id, details, request_id, revision
         from audit_log
         where ($1::text is null or action = $1) and ($2::text is null or actor = $2)
           and ($3::text is null or target_kind = $3) and ($4::text is null or target_id = $4)
           and ($5::text is null or status = $5) and ($6::text is null or request_id = $6)
           and ($7::timestamptz is null or at >= $7) and ($8::timestamptz is null or at < $8)
           and ($9::bigint is null or id < $9)
         order by id desc limit $10 offset $11",
        query.action,
        query.actor,
        query.resource_type,
        query.target,
        query.status,
        query.request_id,
        query.from,
        query.to,
        query.cursor,
        limit,
        offset,
    )
    .fetch_all(ctx.db.pool())
    .await?;

    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    let cursor = rows.last().filter(|_| is_full).map(|row| row.id);
    let entries: Vec<EntryView> = rows
        .into_iter()
        .map(|row| EntryView {
            id: row.id,
            timestamp: Stamp(row.at),
            action: row.action,
            actor: row.actor,
            target: row
                .target_kind
                .as_ref()
                .zip(row.target_id)
                .map(|(kind, id)| format!("{kind}:{id}")),
            details: row.details,
            ip_address_historic: row.ip.clone(),
            ip_address: row.ip,
            resource_type: row.target_kind,
            status: row.status,
            request_id: row.request_id,
            user_agent: row.user_agent,
            config_revision: row.revision,
        })
        .collect();
    let mut response = Json(entries).into_response();
    if let Some(cursor) = cursor {
        response
            .headers_mut()
            .insert(X_NEXT_CURSOR, HeaderValue::from(cursor));
    }
    Ok(response)
}
