//! The settings of this slice as rows: a key each, so that a change of one is no change of the others.

use std::collections::HashMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::PgExecutor;
use utoipa::ToSchema;

use super::{WildcardAlias, similarity::SemanticCacheRule};
use crate::retention;

/// As data planes do by themselves.
const CACHE_TTL_MS: u32 = 60 * 60 * 1000;

/// What is stored, with defaults filled in. A field is named as its key.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// Data planes refuse callers without a key; null: as they were started with.
    pub require_api_key: Option<bool>,
    /// Addresses from which too many logins fail are locked out for a while.
    pub brute_force_protection: bool,
    /// Of the dashboard.
    pub theme: String,
    /// Of the dashboard.
    pub language: String,
    /// What this installation is called.
    pub instance_name: String,
    /// Days after which a request is deleted from the log.
    pub log_retention_days: u32,
    /// What clients send and get is kept for administrators to read, without the secrets that are found in it. Never of
    /// keys with `noLog`.
    pub capture_bodies: bool,
    /// Of how many requests in a hundred.
    pub capture_bodies_percent: u32,
    /// Days after which that is deleted.
    pub body_retention_days: u32,
    /// Whose pages may call data planes from a browser, separated by commas; null: as data planes were started with.
    pub cors_origins: Option<String>,
    /// Listing models asks for a key.
    pub require_auth_for_models: bool,
    /// Provider ids that are hidden and route nowhere.
    pub blocked_providers: Vec<String>,
    /// How one of a provider's accounts is chosen.
    pub fallback_strategy: String,
    /// Consecutive requests of one account before the next one's turn; round-robin.
    pub sticky_round_robin_limit: u32,
    /// For names that are no combo, no provider's model and no alias.
    pub wildcard_aliases: Vec<WildcardAlias>,
    /// Requests of one conversation stay with one account.
    pub session_affinity: bool,
    /// A second attempt beside one that takes unusually long.
    pub hedging: HedgingView,
    /// A question that is asked again at temperature 0 is answered from a cache, per API key.
    pub semantic_cache_enabled: bool,
    /// How long an answer is given again.
    pub semantic_cache_ttl_ms: u32,
    /// So is one that names no temperature.
    pub semantic_cache_absent_temperature_is_zero: bool,
    /// Which questions are compared with those that were answered, in other words; the first rule that fits counts.
    pub semantic_cache_rules: Vec<SemanticCacheRule>,
    /// Where days begin for budgets: an IANA name.
    pub budget_timezone: String,
    /// Proxies may be of the type socks5.
    #[serde(rename = "enableSocks5Proxy")]
    pub enable_socks5_proxy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HedgingView {
    pub enabled: bool,
    /// Of all requests.
    pub max_share_percent: f64,
    /// Never sooner than this, however fast a model usually is.
    pub min_delay_ms: u32,
}

// === impl Stored ===

impl Stored {
    pub async fn load(executor: impl PgExecutor<'_>) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query!(
            "select key, value from setting
             where key in ('requireApiKey', 'bruteForceProtection', 'theme', 'language', 'instanceName',
                           'logRetentionDays', 'captureBodies', 'captureBodiesPercent', 'bodyRetentionDays',
                           'corsOrigins', 'requireAuthForModels', 'blockedProviders', 'fallbackStrategy', 'stickyRoundRobinLimit',
                           'wildcardAliases', 'sessionAffinity', 'hedging', 'semanticCacheEnabled',
                           'semanticCacheTtlMs', 'semanticCacheAbsentTemperatureIsZero', 'semanticCacheRules',
                           'budgetTimezone', 'enableSocks5Proxy')"
        )
        .fetch_all(executor)
        .await?;
        let mut values: HashMap<String, Value> = rows.into_iter().map(|row| (row.key, row.value)).collect();
        let values = &mut values;
        Ok(Self {
            require_api_key: take(values, "requireApiKey"),
            brute_force_protection: take(values, "bruteForceProtection").unwrap_or(true),
            theme: take(values, "theme").unwrap_or_else(|| "system".to_owned()),
            language: take(values, "language").unwrap_or_else(|| "en".to_owned()),
            instance_name: take(values, "instanceName").unwrap_or_default(),
            log_retention_days: take(values, "logRetentionDays").unwrap_or(retention::DEFAULT_DAYS),
            capture_bodies: take(values, "captureBodies").unwrap_or(false),
            capture_bodies_percent: take(values, "captureBodiesPercent").unwrap_or(100),
            body_retention_days: take(values, "bodyRetentionDays").unwrap_or(retention::DEFAULT_BODY_DAYS),
            cors_origins: take(values, "corsOrigins"),
            require_auth_for_models: take(values, "requireAuthForModels").unwrap_or(false),
            blocked_providers: take(values, "blockedProviders").unwrap_or_default(),
            fallback_strategy: take(values, "fallbackStrategy").unwrap_or_else(|| "fill-first".to_owned()),
            sticky_round_robin_limit: take(values, "stickyRoundRobinLimit").unwrap_or(3),
            wildcard_aliases: take(values, "wildcardAliases").unwrap_or_default(),
            session_affinity: take(values, "sessionAffinity").unwrap_or(false),
            hedging: take(values, "hedging").unwrap_or_default(),
            semantic_cache_enabled: take(values, "semanticCacheEnabled").unwrap_or(true),
            semantic_cache_ttl_ms: take(values, "semanticCacheTtlMs").unwrap_or(CACHE_TTL_MS),
            semantic_cache_absent_temperature_is_zero: take(values, "semanticCacheAbsentTemperatureIsZero")
                .unwrap_or(false),
            semantic_cache_rules: take(values, "semanticCacheRules").unwrap_or_default(),
            budget_timezone: take(values, "budgetTimezone").unwrap_or_else(|| "UTC".to_owned()),
            enable_socks5_proxy: take(values, "enableSocks5Proxy").unwrap_or(false),
        })
    }

    /// Key, value here, value there, of everything that differs.
    pub fn differences(&self, other: &Self) -> Vec<(String, Value, Value)> {
        let fields = |stored: &Self| match serde_json::json!(stored) {
            Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        };
        let mut others = fields(other);
        fields(self)
            .into_iter()
            .filter_map(|(key, from)| {
                let to = others.remove(&key)?;
                (from != to).then_some((key, from, to))
            })
            .collect()
    }
}

// === impl HedgingView ===

impl Default for HedgingView {
    fn default() -> Self {
        Self {
            enabled: false,
            max_share_percent: 5.0,
            min_delay_ms: 100,
        }
    }
}

/// Null removes the row: nothing is said any more.
pub async fn put(executor: impl PgExecutor<'_>, key: &str, value: &Value) -> Result<(), sqlx::Error> {
    if value.is_null() {
        sqlx::query!("delete from setting where key = $1", key)
            .execute(executor)
            .await?;
        return Ok(());
    }
    sqlx::query!(
        "insert into setting (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value",
        key,
        value,
    )
    .execute(executor)
    .await?;
    Ok(())
}

pub async fn has_socks(executor: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select exists(select from proxy_config where type = 'socks5') as "exists!""#)
        .fetch_one(executor)
        .await
}

/// The rows of other slices that are shown among the settings, by key.
pub async fn others(executor: impl PgExecutor<'_>) -> Result<HashMap<String, Value>, sqlx::Error> {
    let rows = sqlx::query!(
        "select key, value from setting
         where key in ('comboDefaults', 'providerOverrides', 'resilience', 'systemPrompt', 'thinkingBudget')"
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
}

fn take<T: DeserializeOwned>(values: &mut HashMap<String, Value>, key: &str) -> Option<T> {
    serde_json::from_value(values.remove(key)?).ok()
}
