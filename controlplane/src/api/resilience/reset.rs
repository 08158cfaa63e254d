//! Giving what failed another chance at once.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        Ctx,
        outages::{Outages, Scope},
    },
    db::Audit,
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Violations},
};

const SCOPES: [&str; 4] = ["all", "breakers", "cooldowns", "lockouts"];

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetBody {
    /// `breakers` of providers, `cooldowns` of connections, `lockouts` of models on connections, or `all`, which is
    /// meant when it is absent.
    scope: Option<String>,
    /// Only of this provider.
    provider: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ResetView {
    ok: bool,
    /// Circuit breakers that were closed.
    reset_count: usize,
    cleared_cooldowns: usize,
    cleared_lockouts: usize,
    message: String,
}

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(reset))
}

// === impl ResetBody ===

impl Body for ResetBody {
    fn check(&self, violations: &mut Violations) {
        if let Some(scope) = &self.scope {
            violations.one_of("scope", scope, &SCOPES);
        }
        if let Some(provider) = &self.provider {
            violations.length("provider", provider, 1..=100);
        }
    }
}

impl ResetBody {
    fn includes(&self, scope: Scope, provider: &str) -> bool {
        let scope = match self.scope.as_deref() {
            Some("breakers") => scope == Scope::ProviderBreaker,
            Some("cooldowns") => scope == Scope::Connection,
            Some("lockouts") => scope == Scope::Model,
            _ => true,
        };
        scope && self.provider.as_deref().is_none_or(|one| one == provider)
    }
}

/// Closes circuit breakers and ends cooldowns. The body may be left out.
#[utoipa::path(post, path = "/api/resilience/reset", tag = "resilience", request_body = Option<ResetBody>,
    responses((status = 200, body = ResetView), (status = 400), (status = 503)))]
async fn reset(
    State(ctx): State<Ctx>,
    operator: Operator,
    body: Option<JsonBody<ResetBody>>,
) -> Result<Json<ResetView>, ApiError> {
    let body = body.map(|JsonBody(body)| body).unwrap_or_default();
    let mut ending = Outages::read(&*ctx.store).await?;
    ending.retain(|outage| body.includes(outage.scope(), outage.provider()));
    let (breakers, cooldowns, lockouts) = (
        ending.count(Scope::ProviderBreaker),
        ending.count(Scope::Connection),
        ending.count(Scope::Model),
    );
    ending.end(&*ctx.store).await?;
    let audit = Audit::of("resilience.reset").details(json!({
        "scope": body.scope.as_deref().unwrap_or(SCOPES[0]),
        "provider": body.provider,
        "breakers": breakers,
        "cooldowns": cooldowns,
        "lockouts": lockouts,
    }));
    ctx.db.record(&operator.origin, audit).await?;
    Ok(Json(ResetView {
        ok: true,
        reset_count: breakers,
        cleared_cooldowns: cooldowns,
        cleared_lockouts: lockouts,
        message: format!(
            "closed {breakers} circuit breakers, ended {cooldowns} cooldowns of connections and {lockouts} of models"
        ),
    }))
}
