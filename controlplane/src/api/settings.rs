//! Settings that data planes act on.
//!
//! `GET PUT PATCH /api/settings`

mod similarity;
mod stored;

use axum::{Json, extract::State, http::StatusCode, response::Response};
use llm::providers;
use proto::validate::{ACCOUNT_STRATEGIES, MAX_STICKY_LIMIT};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::similarity::SemanticCacheRule;
use self::stored::{HedgingView, Stored};
use super::names::{Names, WildcardAlias};
use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{Access, AdminOrKey, Body, Json as JsonBody, Reader, Violations, Wait, WaitQuery},
};

const MODEL_CHARS: usize = 300;
const WILDCARD_ALIASES: usize = 1_000;
/// A request that waited a minute for its first byte has other problems.
const MAX_HEDGE_DELAY_MS: u32 = 60_000;
const MAX_HEDGE_SHARE_PERCENT: f64 = 50.0;
const MIN_CACHE_TTL_MS: u32 = 1_000;
const MAX_CACHE_TTL_MS: u32 = 7 * 24 * 60 * 60 * 1000;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SettingsView {
    require_login: bool,
    has_password: bool,
    setup_complete: bool,
    #[serde(flatten)]
    stored: Stored,
    #[serde(flatten)]
    elsewhere: Elsewhere,
    version: &'static str,
    cluster_id: String,
    data_planes: usize,
    config_revision: i64,
}

/// What other paths under `/api/settings`, and `/api/resilience`, have stored; written there.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Elsewhere {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    combo_defaults: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    provider_overrides: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    provider_profiles: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    rate_limit_defaults: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    system_prompt: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    thinking_budget: Option<Value>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SettingsBody {
    require_auth_for_models: Option<bool>,
    blocked_providers: Option<Vec<String>>,
    /// `fill-first`, `round-robin`, `p2c`, `random`, `least-used`, `cost-optimized`
    fallback_strategy: Option<String>,
    /// 0 to 1000
    sticky_round_robin_limit: Option<u32>,
    wildcard_aliases: Option<Vec<WildcardAlias>>,
    session_affinity: Option<bool>,
    hedging: Option<HedgingBody>,
    semantic_cache_enabled: Option<bool>,
    /// 1000 to 604800000
    semantic_cache_ttl_ms: Option<u32>,
    semantic_cache_absent_temperature_is_zero: Option<bool>,
    /// At most 50; the first whose pattern fits counts. Without any, only the same question is answered again.
    semantic_cache_rules: Option<Vec<SemanticCacheRule>>,
    /// Where days begin for budgets: an IANA name, such as `Europe/Berlin`.
    budget_timezone: Option<String>,
    /// Lets proxies be of the type socks5.
    #[serde(rename = "enableSocks5Proxy")]
    enable_socks5_proxy: Option<bool>,
}

/// What is absent stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct HedgingBody {
    enabled: Option<bool>,
    /// Of all requests, 0 to 50, in steps of a tenth.
    max_share_percent: Option<f64>,
    /// 0 to 60000
    min_delay_ms: Option<u32>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, change))
}

// === impl SettingsBody ===

impl Body for SettingsBody {
    const READ_ONLY: &'static [&'static str] = &[
        "requireLogin",
        "hasPassword",
        "setupComplete",
        "comboDefaults",
        "providerOverrides",
        "providerProfiles",
        "rateLimitDefaults",
        "systemPrompt",
        "thinkingBudget",
        "version",
        "clusterId",
        "dataPlanes",
        "configRevision",
    ];

    fn check(&self, violations: &mut Violations) {
        for (index, provider) in self.blocked_providers.iter().flatten().enumerate() {
            violations.length(&format!("blockedProviders.{index}"), provider, 1..=100);
        }
        if let Some(strategy) = &self.fallback_strategy {
            violations.one_of("fallbackStrategy", strategy, &ACCOUNT_STRATEGIES);
        }
        if let Some(limit) = self.sticky_round_robin_limit {
            violations.range("stickyRoundRobinLimit", limit, 0..=MAX_STICKY_LIMIT);
        }
        check_wildcards(violations, self.wildcard_aliases.as_deref().unwrap_or_default());
        if let Some(hedging) = &self.hedging {
            hedging.check(violations);
        }
        if let Some(ttl) = self.semantic_cache_ttl_ms {
            violations.range("semanticCacheTtlMs", ttl, MIN_CACHE_TTL_MS..=MAX_CACHE_TTL_MS);
        }
        similarity::check(
            violations,
            self.semantic_cache_rules.as_deref().unwrap_or_default(),
        );
        if let Some(zone) = &self.budget_timezone
            && (zone.is_empty() || runtime::period::zone(zone).is_none())
        {
            violations.add(
                "budgetTimezone",
                "must be an IANA time zone, such as UTC or Europe/Berlin",
            );
        }
        if self.is_empty() {
            violations.add("", "there is nothing to change");
        }
    }
}

impl SettingsBody {
    fn is_empty(&self) -> bool {
        self.require_auth_for_models.is_none()
            && self.blocked_providers.is_none()
            && self.fallback_strategy.is_none()
            && self.sticky_round_robin_limit.is_none()
            && self.wildcard_aliases.is_none()
            && self.session_affinity.is_none()
            && self.hedging.is_none()
            && self.semantic_cache_enabled.is_none()
            && self.semantic_cache_ttl_ms.is_none()
            && self.semantic_cache_absent_temperature_is_zero.is_none()
            && self.semantic_cache_rules.is_none()
            && self.budget_timezone.is_none()
            && self.enable_socks5_proxy.is_none()
    }

    fn over(self, before: &Stored) -> Stored {
        let hedging = self.hedging.unwrap_or_default();
        Stored {
            require_auth_for_models: self
                .require_auth_for_models
                .unwrap_or(before.require_auth_for_models),
            blocked_providers: self
                .blocked_providers
                .map_or_else(|| before.blocked_providers.clone(), canonical),
            fallback_strategy: self
                .fallback_strategy
                .unwrap_or_else(|| before.fallback_strategy.clone()),
            sticky_round_robin_limit: self
                .sticky_round_robin_limit
                .unwrap_or(before.sticky_round_robin_limit),
            wildcard_aliases: self
                .wildcard_aliases
                .unwrap_or_else(|| before.wildcard_aliases.clone()),
            session_affinity: self.session_affinity.unwrap_or(before.session_affinity),
            budget_timezone: self
                .budget_timezone
                .unwrap_or_else(|| before.budget_timezone.clone()),
            enable_socks5_proxy: self.enable_socks5_proxy.unwrap_or(before.enable_socks5_proxy),
            hedging: HedgingView {
                enabled: hedging.enabled.unwrap_or(before.hedging.enabled),
                max_share_percent: hedging
                    .max_share_percent
                    .unwrap_or(before.hedging.max_share_percent),
                min_delay_ms: hedging.min_delay_ms.unwrap_or(before.hedging.min_delay_ms),
            },
            semantic_cache_enabled: self
                .semantic_cache_enabled
                .unwrap_or(before.semantic_cache_enabled),
            semantic_cache_ttl_ms: self.semantic_cache_ttl_ms.unwrap_or(before.semantic_cache_ttl_ms),
            semantic_cache_absent_temperature_is_zero: self
                .semantic_cache_absent_temperature_is_zero
                .unwrap_or(before.semantic_cache_absent_temperature_is_zero),
            semantic_cache_rules: self
                .semantic_cache_rules
                .unwrap_or_else(|| before.semantic_cache_rules.clone()),
        }
    }
}

// === impl HedgingBody ===

impl HedgingBody {
    fn check(&self, violations: &mut Violations) {
        let field = "hedging.maxSharePercent";
        if let Some(percent) = self.max_share_percent {
            violations.range(field, percent, 0.0..=MAX_HEDGE_SHARE_PERCENT);
            let tenths = percent * 10.0;
            if (tenths - tenths.round()).abs() > 1e-9 {
                violations.add(field, "must have at most one digit after the point");
            }
        }
        if let Some(delay) = self.min_delay_ms {
            violations.range("hedging.minDelayMs", delay, 0..=MAX_HEDGE_DELAY_MS);
        }
    }
}

/// The settings, and what this installation is.
#[utoipa::path(get, path = "/api/settings", tag = "settings", responses((status = 200, body = SettingsView)))]
async fn read(State(ctx): State<Ctx>, _: Reader) -> Result<Json<SettingsView>, ApiError> {
    Ok(Json(view(&ctx).await?))
}

/// Changes what the body names.
#[utoipa::path(method(put, patch), path = "/api/settings", tag = "settings", request_body = SettingsBody,
    params(WaitQuery), responses((status = 200, body = SettingsView), (status = 400), (status = 409)))]
async fn change(
    State(ctx): State<Ctx>,
    admin: AdminOrKey,
    wait: Wait,
    JsonBody(body): JsonBody<SettingsBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let before = Stored::load(&mut *tx.conn()).await?;
    let after = body.over(&before);
    let names = Names::load(tx.conn()).await?;
    lead_somewhere(&names, &before.wildcard_aliases, &after.wildcard_aliases)?;
    similarity::can_embed(
        tx.conn(),
        &before.semantic_cache_rules,
        &after.semantic_cache_rules,
    )
    .await?;
    if before.enable_socks5_proxy && !after.enable_socks5_proxy && stored::has_socks(&mut *tx.conn()).await? {
        return Err(ApiError::conflict(
            "there are socks5 proxies: remove them in /api/settings/proxy first",
        ));
    }

    let mut details = Map::new();
    for (key, from, to) in before.differences(&after) {
        stored::put(&mut *tx.conn(), &key, &to).await?;
        details.insert(key, json!({ "from": from, "to": to }));
    }
    let audit = Audit::of("settings.updated").details(Value::Object(details));
    let committed = tx.commit(audit, ()).await?;
    let value = view(&ctx).await?;
    Ok(wait
        .answer(
            StatusCode::OK,
            crate::db::Committed {
                revision: committed.revision,
                value,
            },
        )
        .await)
}

async fn view(ctx: &Ctx) -> Result<SettingsView, ApiError> {
    let access = Access::stored(ctx.db.pool()).await?;
    let stored = Stored::load(ctx.db.pool()).await?;
    let mut others = stored::others(ctx.db.pool()).await?;
    let mut resilience = others.remove("resilience").unwrap_or_default();
    let mut part = |name: &str| Some(resilience[name].take()).filter(|part| !part.is_null());
    let elsewhere = Elsewhere {
        provider_profiles: part("profiles"),
        rate_limit_defaults: part("defaults"),
        combo_defaults: others.remove("comboDefaults"),
        provider_overrides: others.remove("providerOverrides"),
        system_prompt: others.remove("systemPrompt"),
        thinking_budget: others.remove("thinkingBudget"),
    };
    let config_revision = sqlx::query_scalar!("select revision from config_head")
        .fetch_one(ctx.db.pool())
        .await?;
    let has_password = access.can_log_in(ctx);
    Ok(SettingsView {
        require_login: access.require_login,
        has_password,
        setup_complete: has_password,
        stored,
        elsewhere,
        version: env!("CARGO_PKG_VERSION"),
        cluster_id: ctx.db.cluster_id().to_owned(),
        data_planes: ctx
            .fleet
            .list()
            .await?
            .iter()
            .filter(|plane| plane.connected)
            .count(),
        config_revision,
    })
}

fn check_wildcards(violations: &mut Violations, aliases: &[WildcardAlias]) {
    if aliases.len() > WILDCARD_ALIASES {
        violations.add("wildcardAliases", "must have at most 1000 entries");
    }
    let mut patterns = std::collections::HashSet::new();
    for (index, alias) in aliases.iter().enumerate() {
        let field = |name: &str| format!("wildcardAliases.{index}.{name}");
        violations.length(&field("pattern"), &alias.pattern, 1..=MODEL_CHARS);
        violations.length(&field("target"), &alias.target, 1..=MODEL_CHARS);
        if !patterns.insert(alias.pattern.to_lowercase()) {
            violations.add(field("pattern"), "is there twice; case does not matter");
        }
    }
}

/// What an alias leads to may disappear later, so those that were there before are not asked again.
fn lead_somewhere(names: &Names, before: &[WildcardAlias], after: &[WildcardAlias]) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    for (index, alias) in after.iter().enumerate() {
        if before.contains(alias) || names.is_exact(&alias.target) {
            continue;
        }
        let problem = format!("`{}` is no provider/model, no combo and no alias", alias.target);
        violations.add(format!("wildcardAliases.{index}.target"), problem);
    }
    violations.into_result()
}

/// Ids rather than aliases, each once: data planes compare ids.
fn canonical(given: Vec<String>) -> Vec<String> {
    let ids = given
        .into_iter()
        .map(|name| providers::find(&name).map_or(name, |spec| spec.id.to_owned()));
    ids.collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}
