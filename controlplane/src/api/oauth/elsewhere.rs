//! The paths by which other gateways connect Codex, Cursor and Kiro.
//!
//! `GET /api/oauth/codex/start-callback-server` · `POST /api/oauth/codex/poll-callback` ·
//! `GET POST /api/oauth/cursor/import` · `GET /api/oauth/cursor/auto-import` · `POST /api/oauth/kiro/import` ·
//! `GET /api/oauth/kiro/auto-import` · `GET /api/oauth/kiro/social-authorize` · `POST /api/oauth/kiro/social-exchange`
//!
//! Those tools speak protocols of their vendors' alone, to clients of their vendors' alone. Nothing is imported from
//! them, nothing of what they keep on a machine is read, and what a caller sends is not looked at; every path says so
//! and what to do instead.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Admin, SameSite},
    oauth::Spec,
};

/// As other gateways answer while nobody has come back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LoopbackView {
    success: bool,
    pending: bool,
    /// `no_server`
    error: &'static str,
    error_description: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct AutoImportView {
    found: bool,
    error: &'static str,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(start_callback_server))
        .routes(routes!(poll_callback))
        .routes(routes!(cursor_import, cursor_instructions))
        .routes(routes!(cursor_auto_import))
        .routes(routes!(kiro_import))
        .routes(routes!(kiro_auto_import))
        .routes(routes!(kiro_social_authorize))
        .routes(routes!(kiro_social_exchange))
}

/// Not offered: Codex is signed in to by its vendor's own client.
#[utoipa::path(get, path = "/api/oauth/codex/start-callback-server", tag = "oauth", responses((status = 409)))]
async fn start_callback_server(_: Admin, _: SameSite) -> ApiError {
    not_offered("codex")
}

/// Nobody listens, so nobody comes back.
#[utoipa::path(post, path = "/api/oauth/codex/poll-callback", tag = "oauth",
    responses((status = 200, body = LoopbackView)))]
async fn poll_callback(_: Admin) -> Json<LoopbackView> {
    Json(LoopbackView {
        success: false,
        pending: false,
        error: "no_server",
        error_description: "signing in to Codex is not offered: add an OpenAI API key as provider `openai`",
    })
}

/// Not offered: there is no public API behind Cursor's tokens.
#[utoipa::path(get, path = "/api/oauth/cursor/import", tag = "oauth", responses((status = 409)))]
async fn cursor_instructions(_: Admin) -> ApiError {
    not_offered("cursor")
}

/// Not offered: there is no public API behind Cursor's tokens.
#[utoipa::path(post, path = "/api/oauth/cursor/import", tag = "oauth", responses((status = 409)))]
async fn cursor_import(_: Admin) -> ApiError {
    not_offered("cursor")
}

/// Never finds anything: what other programs keep is not read.
#[utoipa::path(get, path = "/api/oauth/cursor/auto-import", tag = "oauth",
    responses((status = 200, body = AutoImportView)))]
async fn cursor_auto_import(_: Admin, _: SameSite) -> Json<AutoImportView> {
    nothing_found()
}

/// Not offered: there is no public API behind Kiro's tokens.
#[utoipa::path(post, path = "/api/oauth/kiro/import", tag = "oauth", responses((status = 409)))]
async fn kiro_import(_: Admin) -> ApiError {
    not_offered("kiro")
}

/// Never finds anything: what other programs keep is not read.
#[utoipa::path(get, path = "/api/oauth/kiro/auto-import", tag = "oauth",
    responses((status = 200, body = AutoImportView)))]
async fn kiro_auto_import(_: Admin, _: SameSite) -> Json<AutoImportView> {
    nothing_found()
}

/// Not offered: Kiro is signed in to by its vendor's own client.
#[utoipa::path(get, path = "/api/oauth/kiro/social-authorize", tag = "oauth", responses((status = 409)))]
async fn kiro_social_authorize(_: Admin, _: SameSite) -> ApiError {
    not_offered("kiro")
}

/// Not offered: Kiro is signed in to by its vendor's own client.
#[utoipa::path(post, path = "/api/oauth/kiro/social-exchange", tag = "oauth", responses((status = 409)))]
async fn kiro_social_exchange(_: Admin) -> ApiError {
    not_offered("kiro")
}

fn not_offered(id: &str) -> ApiError {
    match Spec::find(id) {
        Ok(spec) => spec.not_offered().into(),
        Err(error) => error.into(),
    }
}

fn nothing_found() -> Json<AutoImportView> {
    Json(AutoImportView {
        found: false,
        error: "what other programs keep on this machine is not read: add an API key",
    })
}
