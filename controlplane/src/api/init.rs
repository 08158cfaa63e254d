//! First contact: is this installation set up?
//!
//! `GET /api/init` — anybody, no side effects.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{api::Ctx, error::ApiError, http::Visitor};

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct InitView {
    status: &'static str,
    initialized: bool,
    setup_complete: bool,
    needs_password: bool,
    version: &'static str,
    cluster_id: String,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(init))
}

/// The state of the installation. With `Accept: text/plain`, the bare word `Initialized`.
#[utoipa::path(get, path = "/api/init", tag = "system", 
    responses((status = 200, content((InitView = "application/json"), (String = "text/plain")))))]
async fn init(State(ctx): State<Ctx>, visitor: Visitor, headers: HeaderMap) -> Result<Response, ApiError> {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if accept.trim_start().starts_with("text/plain") {
        return Ok("Initialized".into_response());
    }
    let needs_password = !visitor.access.can_log_in(&ctx);
    let view = InitView {
        status: "Initialized",
        initialized: true,
        setup_complete: visitor.access.is_set_up(&ctx),
        needs_password,
        version: env!("CARGO_PKG_VERSION"),
        cluster_id: ctx.db.cluster_id().to_owned(),
    };
    Ok(Json(view).into_response())
}
