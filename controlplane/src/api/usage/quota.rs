//! What is left of an account, as far as its provider says.
//!
//! `GET /api/usage/{connectionId}`
//!
//! Providers tell accounts with an API key in the headers of answers how many requests they have left; data planes pass
//! that on. What such an account has spent at the provider, no provider tells it.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::DateTime;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Reader, Stamp},
};

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct QuotaView {
    /// What there is to say where there are no quotas.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_reached: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    quotas: BTreeMap<&'static str, Quota>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Quota {
    used: u32,
    total: u32,
    remaining: u32,
    reset_at: Option<Stamp>,
    unlimited: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(quota))
}

/// What a connection has left of its provider's limit.
#[utoipa::path(get, path = "/api/usage/{connectionId}", tag = "usage", params(("connectionId" = String, Path)),
    responses((status = 200, body = QuotaView), (status = 404), (status = 503)))]
async fn quota(
    State(ctx): State<Ctx>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<QuotaView>, ApiError> {
    let unknown = || ApiError::not_found("connection", &id);
    let connection = Uuid::parse_str(&id).map_err(|_| unknown())?;
    let provider = sqlx::query_scalar!(
        "select provider from provider_connection where id = $1",
        connection
    )
    .fetch_optional(ctx.db.pool())
    .await?
    .ok_or_else(unknown)?;
    let loads = ctx.store.loads().await?;
    let told = loads
        .into_iter()
        .find(|load| load.connection == connection.to_string());
    let told = told.and_then(|load| Some((load.limit?, load.remaining?, load.reset_at_ms)));
    let Some((total, remaining, reset_at_ms)) = told else {
        return Ok(Json(QuotaView {
            message: Some(format!(
                "{provider} has not said lately what is left of this account; it does in its answers, if at all"
            )),
            limit_reached: None,
            quotas: BTreeMap::new(),
        }));
    };
    let requests = Quota {
        used: total.saturating_sub(remaining),
        total,
        remaining,
        reset_at: reset_at_ms.and_then(DateTime::from_timestamp_millis).map(Stamp),
        unlimited: false,
    };
    Ok(Json(QuotaView {
        message: None,
        limit_reached: Some(remaining == 0),
        quotas: BTreeMap::from([("requests", requests)]),
    }))
}
