//! The pace of protected connections under its older path.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::DefaultsBody;
use crate::{
    api::Ctx,
    db::Committed,
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Query, Reader, Violations, Wait, WaitQuery, one_of},
    resilience::{RateDefaults, Resilience},
};

const SUCCESSOR: &str = "/api/rate-limits";
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LegacyQuery {
    /// `redirect`: on to `/api/rate-limits`.
    legacy: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RateLimitView {
    defaults: RateDefaults,
    /// Kinds of credentials whose connections are protected unasked: none.
    enabled_by_default_for: [&'static str; 0],
    protected_connections: i64,
    see: &'static str,
}

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, moved, change))
}

// === impl DefaultsBody ===

impl Body for DefaultsBody {
    const READ_ONLY: &'static [&'static str] =
        &["defaults", "enabledByDefaultFor", "protectedConnections", "see"];

    fn check(&self, violations: &mut Violations) {
        Self::check(self, "", violations);
        let Self {
            requests_per_minute,
            min_time_between_requests,
            concurrent_requests,
        } = self;
        if [
            requests_per_minute,
            min_time_between_requests,
            concurrent_requests,
        ]
        .iter()
        .all(|field| field.is_none())
        {
            let hint = "send requestsPerMinute, minTimeBetweenRequests or concurrentRequests";
            violations.add("", format!("there is nothing to change: {hint}"));
        }
    }
}

/// The pace of protected connections, and how many there are.
#[utoipa::path(get, path = "/api/rate-limit", tag = "resilience", params(LegacyQuery),
    responses((status = 200, body = RateLimitView), (status = 308)))]
async fn read(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<LegacyQuery>,
) -> Result<Response, ApiError> {
    if let Some(legacy) = &query.legacy {
        one_of("legacy", legacy, &["redirect"])?;
        return Ok(Redirect::permanent(SUCCESSOR).into_response());
    }
    let defaults = super::stored(ctx.db.pool()).await?.defaults;
    let view = view(&ctx, defaults).await?;
    Ok((deprecated(), Json(view)).into_response())
}

/// Moved to `POST /api/rate-limits`.
#[utoipa::path(post, path = "/api/rate-limit", tag = "resilience", responses((status = 308)))]
async fn moved(_: Operator) -> Redirect {
    Redirect::permanent(SUCCESSOR)
}

/// Changes what the body names, as `PUT /api/resilience` does with `defaults`.
#[utoipa::path(method(put, patch), path = "/api/rate-limit", tag = "resilience", request_body = DefaultsBody,
    params(WaitQuery), responses((status = 200, body = RateLimitView), (status = 400)))]
async fn change(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<DefaultsBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let before = super::stored(tx.conn()).await?;
    let after = Resilience {
        defaults: body.over(before.defaults),
        ..before.clone()
    };
    let Committed { revision, value } = super::save(tx, &before, after).await?;
    let value = view(&ctx, value.defaults).await?;
    let answer = wait.answer(StatusCode::OK, Committed { revision, value }).await;
    Ok((deprecated(), answer).into_response())
}

fn deprecated() -> [(HeaderName, HeaderValue); 1] {
    [(DEPRECATION, HeaderValue::from_static("true"))]
}

async fn view(ctx: &Ctx, defaults: RateDefaults) -> Result<RateLimitView, ApiError> {
    let protected_connections = sqlx::query_scalar!(
        r#"select count(*) as "count!" from provider_connection where rate_limit_protection and is_active"#
    )
    .fetch_one(ctx.db.pool())
    .await?;
    Ok(RateLimitView {
        defaults,
        enabled_by_default_for: [],
        protected_connections,
        see: SUCCESSOR,
    })
}
