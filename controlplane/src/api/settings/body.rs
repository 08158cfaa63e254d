//! What may be changed, and what it makes of what is stored.

use proto::validate::{ACCOUNT_STRATEGIES, MAX_STICKY_LIMIT};
use runtime::secret::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    MODEL_CHARS, WildcardAlias, origins,
    similarity::{self, SemanticCacheRule},
    stored::{HedgingView, Stored},
};
use crate::{
    http::{Body, Patch, Violations},
    login::Change,
    retention,
};

const WILDCARD_ALIASES: usize = 1_000;
/// A request that waited a minute for its first byte has other problems.
const MAX_HEDGE_DELAY_MS: u32 = 60_000;
const MAX_HEDGE_SHARE_PERCENT: f64 = 50.0;
const MIN_CACHE_TTL_MS: u32 = 1_000;
const MAX_CACHE_TTL_MS: u32 = 7 * 24 * 60 * 60 * 1000;
const PASSWORD_CHARS: usize = 200;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SettingsBody {
    /// At least as long as `MIN_PASSWORD_LENGTH` says. Ends the account's other sessions. Takes a login.
    #[schema(value_type = Option<String>)]
    new_password: Option<Secret<String>>,
    /// Needed to change the password or to switch login off, once a password exists.
    #[schema(value_type = Option<String>)]
    current_password: Option<Secret<String>>,
    /// Changing it takes a login.
    require_login: Option<bool>,
    /// `null`: as data planes were started with, `REQUIRE_API_KEY`. Changing it takes a login.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    require_api_key: Patch<bool>,
    /// Changing it takes a login.
    brute_force_protection: Option<bool>,
    setup_complete: Option<bool>,
    /// At most 50 characters.
    theme: Option<String>,
    /// At most 10 characters.
    language: Option<String>,
    /// At most 100 characters.
    instance_name: Option<String>,
    /// 1 to 365
    log_retention_days: Option<u32>,
    /// Keeps what clients send and get, for administrators to read.
    capture_bodies: Option<bool>,
    /// 0 to 100
    capture_bodies_percent: Option<u32>,
    /// 1 to 365, and no longer than `logRetentionDays` whatever it says
    body_retention_days: Option<u32>,
    /// Origins such as `https://app.example`, separated by commas, or `*`; at most 500 characters. `null` or nothing:
    /// as data planes were started with, `CORS_ORIGIN`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    cors_origins: Patch<String>,
    require_auth_for_models: Option<bool>,
    /// Ids or aliases of providers, or prefixes of nodes.
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
pub struct HedgingBody {
    enabled: Option<bool>,
    /// Of all requests, 0 to 50, in steps of a tenth.
    max_share_percent: Option<f64>,
    /// 0 to 60000
    min_delay_ms: Option<u32>,
}

// === impl SettingsBody ===

impl Body for SettingsBody {
    const READ_ONLY: &'static [&'static str] = &[
        "hasPassword",
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
        if let Some(password) = &self.new_password {
            violations.length("newPassword", password.expose(), 1..=PASSWORD_CHARS);
        }
        for (field, text, chars) in [
            ("theme", &self.theme, 1..=50),
            ("language", &self.language, 1..=10),
            ("instanceName", &self.instance_name, 0..=100),
        ] {
            if let Some(text) = text {
                violations.length(field, text, chars);
            }
        }
        if let Some(days) = self.log_retention_days {
            violations.range("logRetentionDays", days, 1..=retention::MAX_DAYS);
        }
        if let Some(percent) = self.capture_bodies_percent {
            violations.range("captureBodiesPercent", percent, 0..=100);
        }
        if let Some(days) = self.body_retention_days {
            violations.range("bodyRetentionDays", days, 1..=retention::MAX_DAYS);
        }
        if let Some(list) = self.cors_origins.set() {
            origins::check(violations, list);
        }
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
        self.new_password.is_none()
            && self.require_login.is_none()
            && self.require_api_key.is_keep()
            && self.brute_force_protection.is_none()
            && self.setup_complete.is_none()
            && self.theme.is_none()
            && self.language.is_none()
            && self.instance_name.is_none()
            && self.log_retention_days.is_none()
            && self.capture_bodies.is_none()
            && self.capture_bodies_percent.is_none()
            && self.body_retention_days.is_none()
            && self.cors_origins.is_keep()
            && self.require_auth_for_models.is_none()
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

    /// What it says about the login.
    pub fn login(&self) -> Change<'_> {
        Change {
            require_login: self.require_login,
            password: self.new_password.as_ref(),
            field: "newPassword",
            current: self.current_password.as_ref(),
        }
    }

    /// Whether onboarding is over, if it says so.
    pub fn setup_complete(&self) -> Option<bool> {
        self.setup_complete
    }

    /// The first field that takes a person, and would change something of what is stored.
    pub fn takes_a_person(&self, before: &Stored, require_login: bool) -> Option<&'static str> {
        let api_key = self.require_api_key.over(before.require_api_key);
        let table = [
            (self.new_password.is_some(), "newPassword"),
            (self.current_password.is_some(), "currentPassword"),
            (
                self.require_login.is_some_and(|given| given != require_login),
                "requireLogin",
            ),
            (api_key != before.require_api_key, "requireApiKey"),
            (
                self.brute_force_protection
                    .is_some_and(|given| given != before.brute_force_protection),
                "bruteForceProtection",
            ),
        ];
        let (_, field) = table.into_iter().find(|(changes, _)| *changes)?;
        Some(field)
    }

    /// What is stored after this. Providers are still named as they were given.
    pub fn over(self, before: &Stored) -> Stored {
        let hedging = self.hedging.unwrap_or_default();
        let cors_origins = self.cors_origins.over(before.cors_origins.clone());
        Stored {
            require_api_key: self.require_api_key.over(before.require_api_key),
            brute_force_protection: self
                .brute_force_protection
                .unwrap_or(before.brute_force_protection),
            theme: self.theme.unwrap_or_else(|| before.theme.clone()),
            language: self.language.unwrap_or_else(|| before.language.clone()),
            instance_name: self.instance_name.unwrap_or_else(|| before.instance_name.clone()),
            log_retention_days: self.log_retention_days.unwrap_or(before.log_retention_days),
            capture_bodies: self.capture_bodies.unwrap_or(before.capture_bodies),
            capture_bodies_percent: self
                .capture_bodies_percent
                .unwrap_or(before.capture_bodies_percent),
            body_retention_days: self.body_retention_days.unwrap_or(before.body_retention_days),
            cors_origins: cors_origins.and_then(|list| origins::canonical(&list)),
            require_auth_for_models: self
                .require_auth_for_models
                .unwrap_or(before.require_auth_for_models),
            blocked_providers: self
                .blocked_providers
                .unwrap_or_else(|| before.blocked_providers.clone()),
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
