//! How failures are answered: cooldowns and circuit breakers by kind of credential, and the pace of protected
//! connections.
//!
//! `GET PUT PATCH /api/resilience` · `POST /api/resilience/reset` · `GET POST PUT PATCH /api/rate-limit`

mod rate_limit;
mod reset;

use axum::{Extension, Json, extract::State, http::HeaderValue, http::StatusCode, response::Response};
use proto::validate::{MAX_BACKOFF_LEVEL, MAX_COOLDOWN_MS};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgExecutor;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    outages::{self, BreakerView, Outages},
    rate_limits::{self, Overview},
};
use crate::{
    api::Ctx,
    db::{Audit, Committed, ConfigTx},
    error::ApiError,
    http::{
        Body, Json as JsonBody, Operator, Reader, Violations, Wait, WaitQuery,
        edge::{AnswerHeaders, X_DEGRADED},
    },
    resilience::{Profile, Profiles, RateDefaults, Resilience},
};

/// A value that large is a mistake.
const MAX_RATE: u32 = 1_000_000;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ResilienceView {
    #[serde(flatten)]
    settings: Resilience,
    circuit_breakers: Vec<BreakerView>,
    /// Queues of protected connections, by `provider:connectionId`.
    rate_limit_status: Overview,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChangedView {
    ok: bool,
    #[serde(flatten)]
    settings: Resilience,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResilienceBody {
    profiles: Option<ProfilesBody>,
    defaults: Option<DefaultsBody>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfilesBody {
    oauth: Option<ProfileBody>,
    apikey: Option<ProfileBody>,
}

/// The fields that change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ProfileBody {
    transient_cooldown: Option<u32>,
    rate_limit_cooldown: Option<u32>,
    max_backoff_level: Option<u32>,
    circuit_breaker_threshold: Option<u32>,
    circuit_breaker_reset: Option<u32>,
}

/// The fields that change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = RateDefaultsBody)]
struct DefaultsBody {
    requests_per_minute: Option<u32>,
    min_time_between_requests: Option<u32>,
    concurrent_requests: Option<u32>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(read, change))
        .merge(reset::router())
        .merge(rate_limit::router())
}

// === impl ResilienceBody ===

impl Body for ResilienceBody {
    const READ_ONLY: &'static [&'static str] = &["ok", "circuitBreakers", "rateLimitStatus"];

    fn check(&self, violations: &mut Violations) {
        if self.profiles.is_none() && self.defaults.is_none() {
            violations.add("", "there is nothing to change: send profiles or defaults");
        }
        if let Some(profiles) = &self.profiles {
            let given = [("oauth", &profiles.oauth), ("apikey", &profiles.apikey)];
            for (name, profile) in given {
                if let Some(profile) = profile {
                    profile.check(&format!("profiles.{name}"), violations);
                }
            }
        }
        if let Some(defaults) = &self.defaults {
            defaults.check("defaults.", violations);
        }
    }
}

// === impl ProfileBody ===

impl ProfileBody {
    fn over(&self, before: Profile) -> Profile {
        Profile {
            transient_cooldown: self.transient_cooldown.unwrap_or(before.transient_cooldown),
            rate_limit_cooldown: self.rate_limit_cooldown.unwrap_or(before.rate_limit_cooldown),
            max_backoff_level: self.max_backoff_level.unwrap_or(before.max_backoff_level),
            circuit_breaker_threshold: self
                .circuit_breaker_threshold
                .unwrap_or(before.circuit_breaker_threshold),
            circuit_breaker_reset: self.circuit_breaker_reset.unwrap_or(before.circuit_breaker_reset),
        }
    }

    fn check(&self, path: &str, violations: &mut Violations) {
        let limits = [
            ("transientCooldown", self.transient_cooldown, 0..=MAX_COOLDOWN_MS),
            ("rateLimitCooldown", self.rate_limit_cooldown, 0..=MAX_COOLDOWN_MS),
            ("maxBackoffLevel", self.max_backoff_level, 0..=MAX_BACKOFF_LEVEL),
            (
                "circuitBreakerThreshold",
                self.circuit_breaker_threshold,
                1..=1_000,
            ),
            (
                "circuitBreakerReset",
                self.circuit_breaker_reset,
                1_000..=MAX_COOLDOWN_MS,
            ),
        ];
        for (field, value, allowed) in limits {
            if let Some(value) = value {
                violations.range(&format!("{path}.{field}"), value, allowed);
            }
        }
    }
}

// === impl DefaultsBody ===

impl DefaultsBody {
    fn over(&self, before: RateDefaults) -> RateDefaults {
        RateDefaults {
            requests_per_minute: self.requests_per_minute.unwrap_or(before.requests_per_minute),
            min_time_between_requests: self
                .min_time_between_requests
                .unwrap_or(before.min_time_between_requests),
            concurrent_requests: self.concurrent_requests.unwrap_or(before.concurrent_requests),
        }
    }

    /// `path` ends with a dot, or is empty.
    fn check(&self, path: &str, violations: &mut Violations) {
        let limits = [
            ("requestsPerMinute", self.requests_per_minute, 1..=MAX_RATE),
            (
                "minTimeBetweenRequests",
                self.min_time_between_requests,
                1..=MAX_COOLDOWN_MS,
            ),
            ("concurrentRequests", self.concurrent_requests, 1..=MAX_RATE),
        ];
        for (field, value, allowed) in limits {
            if let Some(value) = value {
                violations.range(&format!("{path}{field}"), value, allowed);
            }
        }
    }
}

/// The profiles, and the circuit breakers they govern. While the state store is away, no breaker is told of.
#[utoipa::path(get, path = "/api/resilience", tag = "resilience",
    responses((status = 200, body = ResilienceView)))]
async fn read(
    State(ctx): State<Ctx>,
    _: Reader,
    Extension(headers): Extension<AnswerHeaders>,
) -> Result<Json<ResilienceView>, ApiError> {
    let settings = stored(ctx.db.pool()).await?;
    let providers = outages::providers_in_use(ctx.db.pool()).await?;
    let outages = Outages::read(&*ctx.store).await;
    let loads = ctx.store.loads().await;
    let (circuit_breakers, rate_limit_status) = match (outages, loads) {
        (Ok(outages), Ok(loads)) => (outages.breakers(providers), rate_limits::overview(&loads)),
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(%error, "cannot ask for the health of providers");
            headers.add(X_DEGRADED, HeaderValue::from_static("provider-health"));
            (Vec::new(), Overview::new())
        }
    };
    Ok(Json(ResilienceView {
        settings,
        circuit_breakers,
        rate_limit_status,
    }))
}

/// Changes what the body names.
#[utoipa::path(method(put, patch), path = "/api/resilience", tag = "resilience", request_body = ResilienceBody,
    params(WaitQuery), responses((status = 200, body = ChangedView), (status = 400)))]
async fn change(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<ResilienceBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let before = stored(tx.conn()).await?;
    let profiles = body.profiles.unwrap_or_default();
    let after = Resilience {
        profiles: Profiles {
            oauth: profiles.oauth.unwrap_or_default().over(before.profiles.oauth),
            apikey: profiles.apikey.unwrap_or_default().over(before.profiles.apikey),
        },
        defaults: body.defaults.unwrap_or_default().over(before.defaults),
    };
    let Committed { revision, value } = save(tx, &before, after).await?;
    let value = ChangedView {
        ok: true,
        settings: value,
    };
    Ok(wait.answer(StatusCode::OK, Committed { revision, value }).await)
}

async fn stored(executor: impl PgExecutor<'_>) -> Result<Resilience, sqlx::Error> {
    let value = sqlx::query_scalar!("select value from setting where key = 'resilience'")
        .fetch_optional(executor)
        .await?;
    Ok(value
        .and_then(|value| serde_json::from_value(value).ok())
        .unwrap_or_default())
}

/// Stores them as one revision.
async fn save(
    mut tx: ConfigTx,
    before: &Resilience,
    after: Resilience,
) -> Result<Committed<Resilience>, sqlx::Error> {
    sqlx::query!(
        "insert into setting (key, value) values ('resilience', $1)
         on conflict (key) do update set value = excluded.value",
        json!(after),
    )
    .execute(tx.conn())
    .await?;
    let audit = Audit::of("resilience.updated").details(json!({ "from": before, "to": after }));
    tx.commit(audit, after).await
}
