//! Conversations that are going on.
//!
//! `GET /api/sessions`
//!
//! A conversation is a fingerprint of how it began, seen by data planes; nothing that was said is known here.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use chrono::Utc;
use serde::Serialize;
use state::{MAX_SESSIONS, Session};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{api::Ctx, error::ApiError, http::Reader};

/// Whose conversations those without a key are, in `byApiKey`.
const ANONYMOUS: &str = "anonymous";

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionsView {
    count: usize,
    /// More are not remembered.
    limit: usize,
    /// How many each API key has; without a key they are `anonymous`.
    by_api_key: BTreeMap<String, usize>,
    /// The last active first.
    sessions: Vec<SessionView>,
}

/// Points in time are Unix milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionView {
    session_id: String,
    api_key_id: Option<String>,
    created_at: i64,
    last_active: i64,
    request_count: u64,
    /// What served the last request.
    connection_id: String,
    provider: String,
    model: String,
    /// Since it began.
    age_ms: i64,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list))
}

// === impl SessionView ===

impl SessionView {
    fn of(session: Session, now_ms: i64) -> Self {
        Self {
            session_id: session.session,
            api_key_id: Some(session.tenant).filter(|tenant| !tenant.is_empty()),
            created_at: session.created_ms,
            last_active: session.last_active_ms,
            request_count: session.requests,
            connection_id: session.connection,
            provider: session.provider,
            model: session.model,
            age_ms: (now_ms - session.created_ms).max(0),
        }
    }
}

/// The conversations of the last half hour.
#[utoipa::path(get, path = "/api/sessions", tag = "monitoring",
    responses((status = 200, body = SessionsView), (status = 503)))]
async fn list(State(ctx): State<Ctx>, _: Reader) -> Result<Json<SessionsView>, ApiError> {
    let now_ms = Utc::now().timestamp_millis();
    let sessions = ctx.store.sessions().await?;
    let mut by_api_key = BTreeMap::new();
    for session in &sessions {
        let tenant = Some(session.tenant.as_str()).filter(|tenant| !tenant.is_empty());
        *by_api_key
            .entry(tenant.unwrap_or(ANONYMOUS).to_owned())
            .or_insert(0) += 1;
    }
    Ok(Json(SessionsView {
        count: sessions.len(),
        limit: MAX_SESSIONS,
        by_api_key,
        sessions: sessions
            .into_iter()
            .map(|session| SessionView::of(session, now_ms))
            .collect(),
    }))
}
