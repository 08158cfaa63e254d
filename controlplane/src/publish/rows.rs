//! Configuration as it lies in Postgres: one consistent cut of all its tables.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::proxies::StoredProxy;

/// Where the committed configuration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub epoch: Uuid,
    pub revision: u64,
}

/// Everything that makes one revision, every table in the order of its key.
pub(super) struct Rows {
    pub head: Head,
    pub settings: Vec<SettingRow>,
    pub nodes: Vec<NodeRow>,
    pub connections: Vec<ConnectionRow>,
    pub aliases: Vec<AliasRow>,
    pub combos: Vec<ComboRow>,
    pub members: Vec<MemberRow>,
    pub keys: Vec<KeyRow>,
    pub policies: Vec<PolicyRow>,
    pub chains: Vec<ChainRow>,
    pub custom_models: Vec<CustomModelRow>,
    pub prices: Vec<PriceRow>,
    pub price_periods: Vec<PeriodRow>,
    pub ip_filter: IpFilterRow,
    pub proxies: Vec<StoredProxy>,
}

pub(super) struct SettingRow {
    pub key: String,
    pub value: Value,
}

pub(super) struct NodeRow {
    pub id: String,
    pub r#type: String,
    pub name: String,
    pub prefix: String,
    pub api_type: Option<String>,
    pub base_url: String,
    pub api_version: Option<String>,
}

pub(super) struct ConnectionRow {
    pub id: Uuid,
    pub provider: String,
    pub auth_type: String,
    pub name: Option<String>,
    pub priority: i32,
    pub is_active: bool,
    /// Sealed under the storage key.
    pub api_key: Option<Vec<u8>>,
    /// The same, of an account that signed in.
    pub access_token: Option<Vec<u8>>,
    pub token_generation: i64,
    pub token_expires_at: Option<DateTime<Utc>>,
    pub renewable: bool,
    pub default_model: Option<String>,
    pub base_url: Option<String>,
    pub think_tags: Option<String>,
    pub region: Option<String>,
    pub project: Option<String>,
    pub on_disconnect: Option<String>,
    pub allow_private_address: bool,
    pub rate_limit_protection: bool,
}

#[derive(Default)]
pub(super) struct PriceRow {
    pub provider: String,
    pub model: String,
    pub input: Option<i64>,
    pub output: Option<i64>,
    pub cached: Option<i64>,
    pub reasoning: Option<i64>,
    pub cache_creation: Option<i64>,
    pub image: Option<i64>,
    pub audio_minute: Option<i64>,
    pub characters: Option<i64>,
    pub search: Option<i64>,
}

pub(super) struct PeriodRow {
    pub provider: String,
    pub model: String,
    pub effective_from: DateTime<Utc>,
    pub input: Option<i64>,
    pub output: Option<i64>,
    pub cached: Option<i64>,
    pub reasoning: Option<i64>,
    pub cache_creation: Option<i64>,
}

pub(super) struct AliasRow {
    pub alias: String,
    pub target: String,
}

pub(super) struct ComboRow {
    pub id: Uuid,
    pub name: String,
    pub strategy: String,
    pub is_active: bool,
    pub config: Value,
}

pub(super) struct MemberRow {
    pub combo_id: Uuid,
    pub model: String,
    pub weight: f64,
}

pub(super) struct KeyRow {
    pub id: Uuid,
    pub name: String,
    pub key_hash: Vec<u8>,
    pub scopes: Vec<String>,
    pub allowed_models: Vec<String>,
    pub allowed_connections: Vec<Uuid>,
    pub is_active: bool,
    pub no_log: bool,
    pub expires_at: Option<DateTime<Utc>>,
    pub rpm: Option<i32>,
    pub tpm: Option<i64>,
    pub concurrency: Option<i32>,
    pub rate_limits: Option<Value>,
    pub daily_limit_nano: Option<i64>,
    pub weekly_limit_nano: Option<i64>,
    pub monthly_limit_nano: Option<i64>,
    pub warning_threshold: Option<f64>,
}

pub(super) struct PolicyRow {
    pub id: Uuid,
    pub name: String,
    pub r#type: String,
    pub enabled: bool,
    pub priority: i32,
    pub conditions: Value,
    pub actions: Value,
}

pub(super) struct ChainRow {
    pub model: String,
    pub chain: Value,
}

pub(super) struct CustomModelRow {
    pub provider: String,
    pub model: String,
    pub name: String,
    pub r#type: String,
    pub context_window: Option<i32>,
}

pub(super) struct IpFilterRow {
    pub enabled: bool,
    pub mode: String,
    pub blacklist: Vec<String>,
    pub whitelist: Vec<String>,
}

// === impl Head ===

impl Head {
    pub(super) async fn read(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let row = sqlx::query!("select epoch, revision from config_head")
            .fetch_one(pool)
            .await?;
        Ok(Self {
            epoch: row.epoch,
            revision: row.revision.cast_unsigned(),
        })
    }
}

// === impl Rows ===

impl Rows {
    /// Reads revision and rows in one snapshot of the database, so that they belong together.
    pub(super) async fn read(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let mut tx = pool
            .begin_with("begin isolation level repeatable read read only")
            .await?;
        let rows = Self::read_all(&mut tx).await?;
        tx.commit().await?;
        Ok(rows)
    }

    pub(super) async fn read_all(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let head = sqlx::query!("select epoch, revision from config_head")
            .fetch_one(&mut *conn)
            .await?;
        let settings = sqlx::query_as!(
            SettingRow,
            "select key, value from setting
             where key in ('requireAuthForModels', 'requireApiKey', 'corsOrigins', 'blockedProviders',
                           'systemPrompt', 'thinkingBudget',
                           'fallbackStrategy', 'stickyRoundRobinLimit', 'wildcardAliases', 'sessionAffinity',
                           'hedging', 'resilience', 'comboDefaults', 'providerOverrides', 'semanticCacheEnabled',
                           'semanticCacheTtlMs', 'semanticCacheAbsentTemperatureIsZero', 'semanticCacheRules',
                           'cacheGeneration', 'idempotencyGeneration', 'budgetTimezone',
                           'captureBodies', 'captureBodiesPercent')
             order by key"
        )
        .fetch_all(&mut *conn)
        .await?;
        let nodes = sqlx::query_as!(
            NodeRow,
            "select id, type, name, prefix, api_type, base_url, api_version from provider_node order by id"
        )
        .fetch_all(&mut *conn)
        .await?;
        let connections = sqlx::query_as!(
            ConnectionRow,
            "select id, provider, auth_type, coalesce(name, display_name, email) as name, priority, is_active, api_key,
                    access_token, token_generation, token_expires_at,
                    refresh_token is not null as \"renewable!\", default_model, provider_specific_data->>'baseUrl' as base_url,
                    provider_specific_data->>'thinkTags' as think_tags, provider_specific_data->>'region' as region,
                    provider_specific_data->>'project' as project,
                    provider_specific_data->>'onDisconnect' as on_disconnect, allow_private_address,
                    coalesce(rate_limit_protection, false) as \"rate_limit_protection!\"
             from provider_connection order by id"
        )
        .fetch_all(&mut *conn)
        .await?;
        let aliases = sqlx::query_as!(AliasRow, "select alias, target from model_alias order by alias")
            .fetch_all(&mut *conn)
            .await?;
        let combos = sqlx::query_as!(
            ComboRow,
            "select id, name, strategy, is_active, config from combo order by id"
        )
        .fetch_all(&mut *conn)
        .await?;
        let members = sqlx::query_as!(
            MemberRow,
            "select combo_id, model, weight from combo_member order by combo_id, position"
        )
        .fetch_all(&mut *conn)
        .await?;
        let keys = sqlx::query_as!(
            KeyRow,
            r#"select id, name, key_hash, scopes, allowed_models, allowed_connections, is_active, no_log, expires_at,
                      rpm, tpm, concurrency, rate_limits, daily_limit_nano as "daily_limit_nano?",
                      weekly_limit_nano as "weekly_limit_nano?", monthly_limit_nano as "monthly_limit_nano?",
                      warning_threshold as "warning_threshold?"
               from api_key left join budget on budget.api_key_id = api_key.id order by id"#
        )
        .fetch_all(&mut *conn)
        .await?;
        let policies = sqlx::query_as!(
            PolicyRow,
            "select id, name, type, enabled, priority, conditions, actions from policy order by id"
        )
        .fetch_all(&mut *conn)
        .await?;
        let chains = sqlx::query_as!(ChainRow, "select model, chain from fallback_chain order by model")
            .fetch_all(&mut *conn)
            .await?;
        let custom_models = sqlx::query_as!(
            CustomModelRow,
            "select provider, model, name, type, context_window from custom_model order by provider, model"
        )
        .fetch_all(&mut *conn)
        .await?;
        let prices = sqlx::query_as!(
            PriceRow,
            "select provider, model, input, output, cached, reasoning, cache_creation, image, audio_minute,
                    characters, search
             from price_override
             order by provider, model"
        )
        .fetch_all(&mut *conn)
        .await?;
        let price_periods = sqlx::query_as!(
            PeriodRow,
            "select provider, model, effective_from, input, output, cached, reasoning, cache_creation
             from price_period order by provider, model, effective_from"
        )
        .fetch_all(&mut *conn)
        .await?;
        let ip_filter = sqlx::query_as!(
            IpFilterRow,
            r#"select enabled, mode,
                      array(select entry from ip_filter_entry where list = 'black' order by entry) as "blacklist!",
                      array(select entry from ip_filter_entry where list = 'white' order by entry) as "whitelist!"
               from ip_filter_state"#
        )
        .fetch_one(&mut *conn)
        .await?;
        let proxies = sqlx::query_as!(
            StoredProxy,
            "select level, target_id, type, host, port, username, password from proxy_config
             order by level, target_id"
        )
        .fetch_all(&mut *conn)
        .await?;
        Ok(Self {
            head: Head {
                epoch: head.epoch,
                revision: head.revision.cast_unsigned(),
            },
            settings,
            nodes,
            connections,
            aliases,
            combos,
            members,
            keys,
            policies,
            chains,
            custom_models,
            prices,
            price_periods,
            ip_filter,
            proxies,
        })
    }
}
