//! What a bundle says, whatever it was read from. Field names are those of the columns in Postgres.

use chrono::{DateTime, Utc};
use runtime::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// All configuration. `None` is what the source has no word for: whoever takes it over keeps their own.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    pub nodes: Vec<Node>,
    pub connections: Vec<Connection>,
    pub aliases: Vec<Alias>,
    pub custom_models: Vec<CustomModel>,
    pub combos: Vec<Combo>,
    pub keys: Vec<Key>,
    pub prices: Vec<Price>,
    pub proxies: Vec<Proxy>,
    pub settings: Vec<Setting>,
    pub chains: Vec<Chain>,
    pub policies: Option<Vec<Policy>>,
    pub price_periods: Option<Vec<PricePeriod>>,
    pub ip_filter: Option<IpFilter>,
    /// Without those that come with the program.
    pub suites: Option<Vec<Suite>>,
}

/// How much of it there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BundleCounts)]
pub struct Counts {
    pub connection_count: i32,
    pub node_count: i32,
    pub combo_count: i32,
    pub api_key_count: i32,
}

/// A secret of a row.
#[derive(Clone, Debug, Default)]
pub enum Credential {
    #[default]
    Absent,
    Open(Secret<String>),
    /// As this installation's own row has it, which does not open.
    Sealed(Vec<u8>),
    /// There is one, and nobody can tell what it is.
    Lost,
}

#[derive(Clone, Debug, Serialize)]
pub struct Node {
    pub id: String,
    pub r#type: String,
    pub name: String,
    pub prefix: String,
    pub api_type: Option<String>,
    pub base_url: String,
    pub api_version: Option<String>,
    pub allow_private_address: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Connection {
    pub id: Uuid,
    pub provider: String,
    pub auth_type: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub priority: i32,
    pub global_priority: Option<i32>,
    pub is_active: bool,
    #[serde(skip)]
    pub credential: Credential,
    pub default_model: Option<String>,
    pub provider_specific_data: Value,
    pub allow_private_address: bool,
    pub test_status: String,
    pub last_tested: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    pub last_error_type: Option<String>,
    pub last_error_source: Option<String>,
    pub last_error_at: Option<DateTime<Utc>>,
    pub error_code: Option<String>,
    pub rate_limit_protection: Option<bool>,
    pub health_check_interval_min: Option<i32>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Alias {
    pub alias: String,
    pub target: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CustomModel {
    pub provider: String,
    pub model: String,
    pub name: String,
    pub source: String,
    pub r#type: String,
    pub context_window: Option<i32>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Combo {
    pub id: Uuid,
    pub name: String,
    pub strategy: String,
    pub is_active: bool,
    pub config: Value,
    #[serde(skip)]
    pub members: Vec<Member>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    pub model: String,
    pub weight: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Key {
    pub id: Uuid,
    pub name: String,
    /// Under the pepper of the installation that wrote it.
    #[serde(skip)]
    pub key_hash: Vec<u8>,
    /// The whole key, where a copy is kept.
    #[serde(skip)]
    pub whole: Credential,
    pub key_prefix: String,
    pub key_last4: String,
    pub cluster_id: String,
    pub scopes: Vec<String>,
    pub allowed_models: Vec<String>,
    pub allowed_connections: Vec<Uuid>,
    pub rate_limits: Option<Value>,
    pub rpm: Option<i32>,
    pub tpm: Option<i64>,
    pub concurrency: Option<i32>,
    pub is_active: bool,
    pub no_log: bool,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    #[serde(skip)]
    pub budget: Option<Budget>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Budget {
    pub daily_limit_nano: Option<i64>,
    pub weekly_limit_nano: Option<i64>,
    pub monthly_limit_nano: Option<i64>,
    pub warning_threshold: f64,
}

/// Nano-USD per million tokens, and for one of what is not counted in tokens.
#[derive(Clone, Debug, Serialize)]
pub struct Price {
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

#[derive(Clone, Debug, Serialize)]
pub struct Proxy {
    /// `global`, `provider`, `combo` or `connection`.
    pub level: String,
    /// Empty for `global`.
    pub target_id: String,
    pub r#type: String,
    pub host: String,
    pub port: i32,
    pub username: Option<String>,
    #[serde(skip)]
    pub password: Credential,
}

/// Nano-USD per million tokens from a moment on; `None` is as in the built-in list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PricePeriod {
    pub provider: String,
    pub model: String,
    pub effective_from: DateTime<Utc>,
    pub input: Option<i64>,
    pub output: Option<i64>,
    pub cached: Option<i64>,
    pub reasoning: Option<i64>,
    pub cache_creation: Option<i64>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    pub key: String,
    pub value: Value,
}

#[derive(Clone, Debug, Serialize)]
pub struct Chain {
    pub model: String,
    pub chain: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Policy {
    pub id: Uuid,
    pub name: String,
    pub r#type: String,
    pub enabled: bool,
    pub priority: i32,
    pub conditions: Value,
    pub actions: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IpFilter {
    pub enabled: bool,
    pub mode: String,
    pub blacklist: Vec<String>,
    pub whitelist: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Suite {
    pub id: String,
    pub name: String,
    pub description: String,
    pub cases: Vec<Case>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    pub id: String,
    pub name: String,
    pub model: Option<String>,
    pub input: Value,
    pub expected: Value,
    pub tags: Vec<String>,
}

// === impl Contents ===

impl Contents {
    pub fn counts(&self) -> Counts {
        let count = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
        Counts {
            connection_count: count(self.connections.len()),
            node_count: count(self.nodes.len()),
            combo_count: count(self.combos.len()),
            api_key_count: count(self.keys.len()),
        }
    }
}
