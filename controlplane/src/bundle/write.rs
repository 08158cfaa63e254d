//! From what a bundle says to the bytes of a SQLite file.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use runtime::{crypto, secret::Secret};
use rusqlite::{Connection, MAIN_DB, ToSql, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    BundleError, FORMAT, FieldKey,
    contents::{Budget, Combo, Connection as ConnectionRow, Contents, Credential, Key, Price, Proxy},
    field_key::hex,
    file::checksum,
    schema::TABLES,
    usage::Usage,
};

const NANO_PER_USD: f64 = 1e9;
/// Of an empty text: tells whether two installations hash keys alike, and nothing else.
const FINGERPRINT_CHARS: usize = 16;

/// What becomes of credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretMode {
    /// Under the installation's `STORAGE_ENCRYPTION_KEY`.
    #[default]
    Encrypted,
    /// They stay here.
    Omit,
    /// Under a passphrase.
    Passphrase,
}

pub enum Secrets {
    Encrypted(FieldKey),
    Omit,
    Passphrase { key: FieldKey, salt: Vec<u8> },
}

/// Where a bundle is from.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub cluster_id: String,
    pub epoch: Uuid,
    pub revision: i64,
    pub created_at: DateTime<Utc>,
    /// As [`fingerprint`] says.
    pub pepper: String,
}

struct Writer<'a> {
    tx: &'a Transaction<'a>,
    key: Option<&'a FieldKey>,
}

// === impl SecretMode ===

impl SecretMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Omit => "omit",
            Self::Passphrase => "passphrase",
        }
    }
}

// === impl Secrets ===

impl Secrets {
    pub fn mode(&self) -> SecretMode {
        match self {
            Self::Encrypted(_) => SecretMode::Encrypted,
            Self::Omit => SecretMode::Omit,
            Self::Passphrase { .. } => SecretMode::Passphrase,
        }
    }

    fn key(&self) -> Option<&FieldKey> {
        match self {
            Self::Encrypted(key) | Self::Passphrase { key, .. } => Some(key),
            Self::Omit => None,
        }
    }
}

/// By which two installations that hash keys under the same secret know each other.
pub fn fingerprint(pepper: &Secret<String>) -> String {
    let mut text = hex(&crypto::hash_key(pepper.expose().as_bytes(), ""));
    text.truncate(FINGERPRINT_CHARS);
    text
}

/// Blocking.
pub fn write(
    contents: &Contents,
    manifest: &Manifest,
    secrets: &Secrets,
    usage: &Usage,
) -> Result<Vec<u8>, BundleError> {
    let mut conn = Connection::open_in_memory()?;
    conn.execute_batch(TABLES)?;
    let tx = conn.transaction()?;
    let writer = Writer {
        tx: &tx,
        key: secrets.key(),
    };
    writer.contents(contents)?;
    writer.usage(usage)?;
    let checksum = checksum(&tx)?;
    let counts = contents.counts();
    let mut facts = vec![
        ("format", FORMAT.to_owned()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("clusterId", manifest.cluster_id.clone()),
        ("epoch", manifest.epoch.to_string()),
        ("revision", manifest.revision.to_string()),
        ("createdAt", stamp(manifest.created_at)),
        ("secretMode", secrets.mode().as_str().to_owned()),
        ("keyFingerprint", manifest.pepper.clone()),
        ("connectionCount", counts.connection_count.to_string()),
        ("nodeCount", counts.node_count.to_string()),
        ("comboCount", counts.combo_count.to_string()),
        ("apiKeyCount", counts.api_key_count.to_string()),
        ("sha256", checksum),
    ];
    if let Secrets::Passphrase { salt, .. } = secrets {
        facts.push(("passphraseSalt", hex(salt)));
    }
    if usage.truncated {
        facts.push(("usageTruncated", "true".to_owned()));
    }
    for (key, value) in facts {
        writer.insert("omniroute_bundle", &[("key", &key), ("value", &value)])?;
    }
    tx.commit()?;
    Ok(conn.serialize(MAIN_DB)?.to_vec())
}

// === impl Writer ===

impl Writer<'_> {
    fn contents(&self, contents: &Contents) -> Result<(), BundleError> {
        self.insert("db_meta", &[("key", &"schema_version"), ("value", &"1")])?;
        for node in &contents.nodes {
            self.insert(
                "provider_nodes",
                &[
                    ("id", &node.id),
                    ("type", &node.r#type),
                    ("name", &node.name),
                    ("prefix", &node.prefix),
                    ("api_type", &node.api_type),
                    ("base_url", &node.base_url),
                    ("created_at", &stamp(node.created_at)),
                    ("updated_at", &stamp(node.updated_at)),
                    ("omniroute_allow_private_address", &node.allow_private_address),
                    ("omniroute_api_version", &node.api_version),
                ],
            )?;
        }
        for row in &contents.connections {
            self.connection(row)?;
        }
        for combo in &contents.combos {
            self.combo(combo)?;
        }
        for key in &contents.keys {
            self.api_key(key)?;
        }
        for row in &contents.aliases {
            self.key_value("modelAliases", &row.alias, &json!(row.target))?;
        }
        self.by_provider("customModels", contents.custom_models.iter().map(|row| {
            let model = json!({ "id": row.model, "name": row.name, "source": row.source, "type": row.r#type,
                "contextWindow": row.context_window });
            (row.provider.as_str(), model)
        }))?;
        self.prices(&contents.prices)?;
        self.proxies(&contents.proxies)?;
        for setting in &contents.settings {
            self.key_value("settings", &setting.key, &setting.value)?;
            if setting.key == "resilience" {
                // the first version kept the two apart
                self.key_value("settings", "providerProfiles", &setting.value["profiles"])?;
                self.key_value("settings", "rateLimitDefaults", &setting.value["defaults"])?;
            }
        }
        for row in &contents.chains {
            let chain = row.chain.to_string();
            self.insert(
                "domain_fallback_chains",
                &[("model", &row.model), ("chain", &chain)],
            )?;
        }
        for policy in contents.policies.iter().flatten() {
            self.data("omniroute_policies", &policy.id.to_string(), &json!(policy))?;
        }
        for row in contents.price_periods.iter().flatten() {
            let id = format!(
                "{}/{}@{}",
                row.provider,
                row.model,
                row.effective_from.to_rfc3339()
            );
            self.data("omniroute_price_periods", &id, &json!(row))?;
        }
        if let Some(filter) = &contents.ip_filter {
            self.data("omniroute_ip_filter", "ip-filter", &json!(filter))?;
        }
        for suite in contents.suites.iter().flatten() {
            self.data("omniroute_eval_suites", &suite.id, &json!(suite))?;
        }
        Ok(())
    }

    fn connection(&self, row: &ConnectionRow) -> Result<(), BundleError> {
        let has_credential = !matches!(row.credential, Credential::Absent);
        self.insert(
            "provider_connections",
            &[
                ("id", &row.id.to_string()),
                ("provider", &row.provider),
                ("auth_type", &row.auth_type),
                ("name", &row.name),
                ("email", &row.email),
                ("display_name", &row.display_name),
                ("priority", &row.priority),
                ("global_priority", &row.global_priority),
                ("is_active", &row.is_active),
                ("api_key", &self.sealed(&row.credential)),
                ("default_model", &row.default_model),
                ("provider_specific_data", &row.provider_specific_data.to_string()),
                ("test_status", &row.test_status),
                ("last_tested", &row.last_tested.map(stamp)),
                ("last_error", &row.last_error),
                ("last_error_type", &row.last_error_type),
                ("last_error_source", &row.last_error_source),
                ("last_error_at", &row.last_error_at.map(stamp)),
                ("error_code", &row.error_code),
                ("rate_limit_protection", &row.rate_limit_protection),
                ("health_check_interval", &row.health_check_interval_min),
                ("created_at", &stamp(row.created_at)),
                ("updated_at", &stamp(row.updated_at)),
                ("omniroute_allow_private_address", &row.allow_private_address),
                ("omniroute_has_credential", &has_credential),
            ],
        )
    }

    fn combo(&self, combo: &Combo) -> Result<(), BundleError> {
        let members = combo.members.iter().map(|member| match member.weight {
            0.0 => json!(member.model),
            weight => json!({ "model": member.model, "weight": weight }),
        });
        let data = json!({
            "id": combo.id, "name": combo.name, "models": members.collect::<Vec<_>>(), "strategy": combo.strategy,
            "config": combo.config, "isActive": combo.is_active, "createdAt": stamp(combo.created_at),
            "updatedAt": stamp(combo.updated_at),
        });
        self.insert(
            "combos",
            &[
                ("id", &combo.id.to_string()),
                ("name", &combo.name),
                ("data", &data.to_string()),
                ("created_at", &stamp(combo.created_at)),
                ("updated_at", &stamp(combo.updated_at)),
            ],
        )
    }

    fn api_key(&self, key: &Key) -> Result<(), BundleError> {
        let id = key.id.to_string();
        self.insert(
            "api_keys",
            &[
                ("id", &id),
                ("name", &key.name),
                ("key", &format!("hash:v1:{}", hex(&key.key_hash))),
                ("machine_id", &key.cluster_id),
                ("allowed_models", &json!(key.allowed_models).to_string()),
                ("no_log", &key.no_log),
                ("created_at", &stamp(key.created_at)),
                ("omniroute_key", &self.sealed(&key.whole)),
                ("omniroute_key_prefix", &key.key_prefix),
                ("omniroute_key_last4", &key.key_last4),
                ("omniroute_scopes", &json!(key.scopes).to_string()),
                (
                    "omniroute_allowed_connections",
                    &json!(key.allowed_connections).to_string(),
                ),
                (
                    "omniroute_rate_limits",
                    &key.rate_limits.as_ref().map(Value::to_string),
                ),
                ("omniroute_rpm", &key.rpm),
                ("omniroute_tpm", &key.tpm),
                ("omniroute_concurrency", &key.concurrency),
                ("omniroute_is_active", &key.is_active),
                ("omniroute_expires_at", &key.expires_at.map(stamp)),
                ("omniroute_last_used_at", &key.last_used_at.map(stamp)),
            ],
        )?;
        match &key.budget {
            Some(budget) => self.budget(&id, budget),
            None => Ok(()),
        }
    }

    /// No limit is zero where the first version must have one.
    fn budget(&self, key: &str, budget: &Budget) -> Result<(), BundleError> {
        let usd = |nano: Option<i64>| nano.map_or(0.0, |nano| nano as f64 / NANO_PER_USD);
        self.insert(
            "domain_budgets",
            &[
                ("api_key_id", &key),
                ("daily_limit_usd", &usd(budget.daily_limit_nano)),
                ("monthly_limit_usd", &usd(budget.monthly_limit_nano)),
                ("warning_threshold", &budget.warning_threshold),
                ("omniroute_weekly_limit_usd", &usd(budget.weekly_limit_nano)),
            ],
        )
    }

    fn prices(&self, prices: &[Price]) -> Result<(), BundleError> {
        let mut by_provider: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for row in prices {
            let amounts = [
                ("input", row.input),
                ("output", row.output),
                ("cached", row.cached),
                ("reasoning", row.reasoning),
                ("cache_creation", row.cache_creation),
                ("image", row.image),
                ("audio_minute", row.audio_minute),
                ("characters", row.characters),
                ("search", row.search),
            ];
            let said = amounts
                .into_iter()
                .filter_map(|(field, nano)| Some((field.to_owned(), json!(nano? as f64 / NANO_PER_USD))));
            let models = by_provider.entry(&row.provider).or_default();
            models.insert(row.model.clone(), Value::Object(said.collect()));
        }
        for (provider, models) in by_provider {
            self.key_value("pricing", provider, &Value::Object(models))?;
        }
        Ok(())
    }

    fn proxies(&self, proxies: &[Proxy]) -> Result<(), BundleError> {
        let mut maps: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for row in proxies {
            let has_password = !matches!(row.password, Credential::Absent);
            let proxy = json!({ "type": row.r#type, "host": row.host, "port": row.port, "username": row.username,
                "password": self.sealed(&row.password), "hasPassword": has_password });
            let map = match row.level.as_str() {
                "provider" => "providers",
                "combo" => "combos",
                "connection" => "keys",
                _ => {
                    self.key_value("proxyConfig", "global", &proxy)?;
                    continue;
                }
            };
            maps.entry(map).or_default().insert(row.target_id.clone(), proxy);
        }
        for (map, entries) in maps {
            self.key_value("proxyConfig", map, &Value::Object(entries))?;
        }
        Ok(())
    }

    fn usage(&self, usage: &Usage) -> Result<(), BundleError> {
        for event in usage.events.iter().rev() {
            let (key, connection) = (
                event.key_id.map(|id| id.to_string()),
                event.connection_id.map(|id| id.to_string()),
            );
            let at = stamp(event.started_at);
            if usage.history {
                let status = match event.outcome.as_str() {
                    "ok" => "success",
                    _ => "error",
                };
                self.insert(
                    "usage_history",
                    &[
                        ("provider", &event.provider),
                        ("model", &event.model),
                        ("connection_id", &connection),
                        ("api_key_id", &key),
                        ("api_key_name", &event.key_name),
                        ("tokens_input", &event.input),
                        ("tokens_output", &event.output),
                        ("tokens_cache_read", &event.cache_read),
                        ("tokens_cache_creation", &event.cache_write),
                        ("tokens_reasoning", &event.reasoning),
                        ("status", &status),
                        ("timestamp", &at),
                    ],
                )?;
            }
            if usage.logs && !event.no_log {
                self.insert(
                    "call_logs",
                    &[
                        ("id", &event.request_id.to_string()),
                        ("timestamp", &at),
                        ("method", &"POST"),
                        ("path", &event.endpoint),
                        ("status", &event.http_status),
                        ("model", &event.model),
                        ("provider", &event.provider),
                        ("account", &event.account),
                        ("connection_id", &connection),
                        ("duration", &event.duration_ms),
                        ("tokens_in", &(event.input + event.cache_read + event.cache_write)),
                        ("tokens_out", &(event.output + event.reasoning)),
                        ("source_format", &event.client_dialect),
                        ("target_format", &event.upstream_dialect),
                        ("api_key_id", &key),
                        ("api_key_name", &event.key_name),
                        ("combo_name", &event.combo),
                        ("error", &event.error_code),
                    ],
                )?;
            }
        }
        for cost in &usage.costs {
            self.insert(
                "domain_cost_history",
                &[
                    ("api_key_id", &cost.key_id.to_string()),
                    ("cost", &(cost.cost_nano as f64 / NANO_PER_USD)),
                    ("timestamp", &cost.quarter.timestamp_millis()),
                ],
            )?;
        }
        Ok(())
    }

    /// What cannot be opened here cannot be sealed for somebody else.
    fn sealed(&self, credential: &Credential) -> Option<String> {
        match (credential, self.key) {
            (Credential::Open(plain), Some(key)) => Some(key.seal(plain.expose())),
            _ => None,
        }
    }

    fn by_provider<'a>(
        &self,
        namespace: &str,
        rows: impl Iterator<Item = (&'a str, Value)>,
    ) -> Result<(), BundleError> {
        let mut by_provider: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (provider, value) in rows {
            by_provider.entry(provider).or_default().push(value);
        }
        for (provider, values) in by_provider {
            self.key_value(namespace, provider, &json!(values))?;
        }
        Ok(())
    }

    fn key_value(&self, namespace: &str, key: &str, value: &Value) -> Result<(), BundleError> {
        self.insert(
            "key_value",
            &[
                ("namespace", &namespace),
                ("key", &key),
                ("value", &value.to_string()),
            ],
        )
    }

    fn data(&self, table: &str, id: &str, data: &Value) -> Result<(), BundleError> {
        self.insert(table, &[("id", &id), ("data", &data.to_string())])
    }

    /// Names are ours, values are bound.
    fn insert(&self, table: &str, row: &[(&str, &dyn ToSql)]) -> Result<(), BundleError> {
        let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
        let values: Vec<&dyn ToSql> = row.iter().map(|(_, value)| *value).collect();
        let places = vec!["?"; row.len()].join(", ");
        let sql = format!("insert into {table} ({}) values ({places})", columns.join(", "));
        self.tx.prepare_cached(&sql)?.execute(values.as_slice())?;
        Ok(())
    }
}

/// As the first version wrote them.
pub fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
