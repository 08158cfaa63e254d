//! From rows to resources. A pure function of the rows and the keys: two control planes that read the same revision
//! build the same bytes.

mod cache;
mod combos;
mod routing;

use std::collections::HashMap;

use proto::{
    IP_FILTER_ID, Resources, SETTINGS_ID, SYSTEM_PROMPT_ID, THINKING_BUDGET_ID,
    v1::{
        AccessToken, ApiKey, Budget, ComboMember, Connection, CustomModel, IpFilter, ModelAlias,
        OutboundProxy, ProviderNode, RateLimit, Resource, SealedSecret, Settings, SystemPrompt,
        ThinkingBudget, resource::Body,
    },
};
use runtime::{
    crypto::{self, SealKey, Sealed},
    secret::Secret,
};
use serde_json::Value;
use uuid::Uuid;

use super::rows::{ConnectionRow, CustomModelRow, IpFilterRow, KeyRow, MemberRow, NodeRow, Rows, SettingRow};
use crate::{
    proxies::StoredProxy,
    vault::{Cell, Vault},
};

/// What it takes to turn secrets at rest into secrets on the wire.
pub struct Secrets {
    pub vault: Vault,
    /// Under which data planes open them: `ClusterKeys::transport`.
    pub transport: SealKey,
    /// Under which API keys are hashed: `API_KEY_SECRET`.
    pub pepper: Secret<String>,
}

// === impl Secrets ===

impl Secrets {
    fn seal(&self, place: &str, plain: &str) -> SealedSecret {
        let Sealed { nonce, ciphertext } =
            crypto::seal_derived(&self.transport, place.as_bytes(), plain.as_bytes());
        SealedSecret {
            key_version: 1,
            nonce: nonce.to_vec(),
            ciphertext,
        }
    }

    /// A credential that does not open travels as an empty seal: the data plane refuses the connection instead of
    /// calling the provider without a credential.
    fn reseal(&self, id: &str, cell: Cell<'_>, stored: &[u8]) -> SealedSecret {
        match self.vault.open(cell, stored) {
            Ok(plain) => self.seal(&format!("connection|{id}|credential"), plain.expose()),
            Err(error) => {
                tracing::error!(connection = id, %error, "a connection is published without its credential");
                SealedSecret::default()
            }
        }
    }
}

pub(super) fn build(rows: Rows, secrets: &Secrets) -> Resources {
    let mut members: HashMap<Uuid, Vec<ComboMember>> = HashMap::new();
    for MemberRow {
        combo_id,
        model,
        weight,
    } in rows.members
    {
        members
            .entry(combo_id)
            .or_default()
            .push(ComboMember { model, weight });
    }
    let alias = |row: super::rows::AliasRow| Resource {
        id: row.alias,
        body: Some(Body::ModelAlias(ModelAlias { target: row.target })),
    };
    let rewriting: Vec<Resource> = rows.settings.iter().filter_map(rewriting).collect();
    let routing = [
        routing::routing(&rows.settings),
        routing::resilience(&rows.settings),
    ];
    let cascade = combos::cascade(&rows.settings, &rows.nodes);
    std::iter::once(settings(rows.settings, secrets))
        .chain(rewriting)
        .chain(routing.into_iter().flatten())
        .chain(rows.nodes.into_iter().map(provider_node))
        .chain(
            rows.connections
                .into_iter()
                .filter(is_of_use)
                .map(|row| connection(row, secrets)),
        )
        .chain(rows.aliases.into_iter().map(alias))
        .chain(rows.combos.into_iter().map(|row| {
            let members = members.remove(&row.id).unwrap_or_default();
            combos::combo(&cascade, row, members)
        }))
        .chain(rows.keys.into_iter().map(api_key))
        .chain(rows.policies.into_iter().map(routing::policy))
        .chain(rows.chains.into_iter().map(routing::fallback_chain))
        .chain(rows.custom_models.into_iter().map(custom_model))
        .chain(routing::prices(rows.prices, rows.price_periods))
        .chain(ip_filter(rows.ip_filter))
        .chain(rows.proxies.into_iter().map(|row| outbound_proxy(row, secrets)))
        .collect()
}

fn settings(rows: Vec<SettingRow>, secrets: &Secrets) -> Resource {
    let mut settings = Settings {
        api_key_pepper: Some(secrets.seal("settings|settings|api_key_pepper", secrets.pepper.expose())),
        cache: cache::cache(&rows),
        capture_percent: capture_percent(&rows),
        ..Settings::default()
    };
    for SettingRow { key, value } in rows {
        match key.as_str() {
            "requireAuthForModels" => settings.require_auth_for_models = value.as_bool().unwrap_or(true),
            "requireApiKey" => settings.require_api_key = require_api_key(&value),
            "corsOrigins" => settings.cors_origins = cors_origins(&value),
            "budgetTimezone" => settings.budget_timezone = value.as_str().unwrap_or_default().to_owned(),
            "blockedProviders" => {
                let providers = value.as_array().into_iter().flatten();
                settings.blocked_providers = providers
                    .filter_map(|id| id.as_str())
                    .map(str::to_owned)
                    .collect();
            }
            _ => {}
        }
    }
    Resource {
        id: SETTINGS_ID.to_owned(),
        body: Some(Body::Settings(settings)),
    }
}

/// Of no request, unless somebody says so.
fn capture_percent(rows: &[SettingRow]) -> u32 {
    let value = |key: &str| rows.iter().find(|row| row.key == key).map(|row| &row.value);
    if value("captureBodies").and_then(Value::as_bool) != Some(true) {
        return 0;
    }
    let percent = value("captureBodiesPercent").map_or(Some(100), Value::as_u64);
    percent.and_then(|percent| percent.try_into().ok()).unwrap_or(0)
}

/// What is neither said nor taken back asks for a key.
fn require_api_key(stored: &Value) -> Option<bool> {
    (!stored.is_null()).then(|| stored.as_bool().unwrap_or(true))
}

fn cors_origins(stored: &Value) -> Vec<String> {
    let list = stored.as_str().unwrap_or_default().split(',').map(str::trim);
    list.filter(|origin| !origin.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The settings that are resources of their own: what they change is of no interest to the others.
fn rewriting(row: &SettingRow) -> Option<Resource> {
    let text = |name: &str| row.value[name].as_str().unwrap_or_default().to_owned();
    let (id, body) = match row.key.as_str() {
        "systemPrompt" => {
            let prompt = SystemPrompt {
                enabled: row.value["enabled"].as_bool().unwrap_or(false),
                prompt: text("prompt"),
            };
            (SYSTEM_PROMPT_ID, Body::SystemPrompt(prompt))
        }
        "thinkingBudget" => {
            let budget = ThinkingBudget {
                mode: text("mode"),
                custom_budget: row.value["customBudget"]
                    .as_u64()
                    .and_then(|budget| budget.try_into().ok())
                    .unwrap_or(u32::MAX),
                effort_level: text("effortLevel"),
            };
            (THINKING_BUDGET_ID, Body::ThinkingBudget(budget))
        }
        _ => return None,
    };
    Some(Resource {
        id: id.to_owned(),
        body: Some(body),
    })
}

/// Absent while it is off: whoever comes from anywhere costs a data plane nothing then.
fn ip_filter(row: IpFilterRow) -> Option<Resource> {
    let filter = IpFilter {
        enabled: row.enabled,
        mode: row.mode,
        blacklist: row.blacklist,
        whitelist: row.whitelist,
    };
    filter.enabled.then(|| Resource {
        id: IP_FILTER_ID.to_owned(),
        body: Some(Body::IpFilter(filter)),
    })
}

/// A password that does not open travels as an empty seal: the data plane then uses neither the proxy nor any other
/// way.
fn outbound_proxy(row: StoredProxy, secrets: &Secrets) -> Resource {
    let id = row.id();
    let password = match row.open_password(&secrets.vault) {
        Ok(plain) => {
            plain.map(|plain| secrets.seal(&format!("outbound_proxy|{id}|password"), plain.expose()))
        }
        Err(error) => {
            tracing::error!(proxy = id, %error, "a proxy is published without its password");
            Some(SealedSecret::default())
        }
    };
    let proxy = OutboundProxy {
        level: row.level,
        target: row.target_id,
        r#type: row.r#type,
        host: row.host,
        port: row.port.cast_unsigned(),
        username: row.username.unwrap_or_default(),
        password,
    };
    Resource {
        id,
        body: Some(Body::OutboundProxy(proxy)),
    }
}

fn provider_node(row: NodeRow) -> Resource {
    let node = ProviderNode {
        name: row.name,
        r#type: row.r#type,
        api_type: row.api_type.unwrap_or_default(),
        prefix: row.prefix,
        base_url: row.base_url,
        api_version: row.api_version.unwrap_or_default(),
    };
    Resource {
        id: row.id,
        body: Some(Body::ProviderNode(node)),
    }
}

/// An account that is switched off and that nobody is signed in to has nothing to call with.
fn is_of_use(row: &ConnectionRow) -> bool {
    row.is_active || row.auth_type != "oauth" || row.access_token.is_some()
}

fn connection(row: ConnectionRow, secrets: &Secrets) -> Resource {
    let id = row.id.to_string();
    let (stored, cell) = match row.auth_type.as_str() {
        "oauth" => (row.access_token, Cell::connection_access_token(&id)),
        _ => (row.api_key, Cell::connection_api_key(&id)),
    };
    let access_token = (row.auth_type == "oauth").then(|| AccessToken {
        generation: row.token_generation.cast_unsigned(),
        expires_at_ms: row.token_expires_at.map_or(0, |at| at.timestamp_millis()),
        renewable: row.renewable,
    });
    let credential = stored.map(|stored| secrets.reseal(&id, cell, &stored));
    let connection = Connection {
        // an account that nobody is signed in to is no server that asks for nothing
        credential: credential.or_else(|| access_token.map(|_| SealedSecret::default())),
        access_token,
        provider: row.provider,
        name: row.name.unwrap_or_default(),
        auth_type: row.auth_type,
        priority: row.priority,
        enabled: row.is_active,
        base_url: row.base_url.unwrap_or_default(),
        default_model: row.default_model.unwrap_or_default(),
        allow_private_address: row.allow_private_address,
        rate_limit_protection: row.rate_limit_protection,
        think_tags: think_tags(row.think_tags.as_deref()).to_owned(),
        region: row.region.unwrap_or_default(),
        project: row.project.unwrap_or_default(),
        on_disconnect: on_disconnect(row.on_disconnect.as_deref()).to_owned(),
    };
    Resource {
        id,
        body: Some(Body::Connection(connection)),
    }
}

/// From the JSON of `providerSpecificData.thinkTags` to the name on the wire.
fn think_tags(stored: Option<&str>) -> &'static str {
    match stored {
        Some("true") => "tagged",
        Some("false") => "off",
        Some("implicit") => "opened-by-prompt",
        _ => "",
    }
}

/// What a restored backup says that nobody knows is as if nothing were said.
fn on_disconnect(stored: Option<&str>) -> &'static str {
    match stored {
        Some("drain") => "drain",
        _ => "",
    }
}

fn custom_model(row: CustomModelRow) -> Resource {
    let id = format!("{}/{}", row.provider, row.model);
    let model = CustomModel {
        provider: row.provider,
        model: row.model,
        name: row.name,
        r#type: row.r#type,
        context_window: row
            .context_window
            .and_then(|tokens| tokens.try_into().ok())
            .unwrap_or_default(),
    };
    Resource {
        id,
        body: Some(Body::CustomModel(model)),
    }
}

fn api_key(row: KeyRow) -> Resource {
    let budget = budget(&row);
    let key = ApiKey {
        name: row.name,
        hash: row.key_hash,
        enabled: row.is_active,
        expires_at_ms: row.expires_at.map_or(0, |at| at.timestamp_millis()),
        scopes: row.scopes,
        allowed_models: row.allowed_models,
        allowed_connections: row.allowed_connections.iter().map(Uuid::to_string).collect(),
        no_log: row.no_log,
        rpm: row.rpm.map_or(0, i32::cast_unsigned),
        tpm: row.tpm.map_or(0, i64::cast_unsigned),
        concurrency: row.concurrency.map_or(0, i32::cast_unsigned),
        rate_limits: rate_limits(row.rate_limits.as_ref()),
        budget,
    };
    Resource {
        id: row.id.to_string(),
        body: Some(Body::ApiKey(key)),
    }
}

fn rate_limits(stored: Option<&Value>) -> Vec<RateLimit> {
    let number = |value: &Value| {
        value
            .as_u64()
            .and_then(|number| number.try_into().ok())
            .unwrap_or(0)
    };
    let limits = stored.and_then(Value::as_array).into_iter().flatten();
    limits
        .map(|limit| RateLimit {
            limit: number(&limit["limit"]),
            window_s: number(&limit["window"]),
        })
        .collect()
}

fn budget(row: &KeyRow) -> Option<Budget> {
    // the row is there with any of its limits
    let threshold = row.warning_threshold?;
    Some(Budget {
        daily_limit_nano: row.daily_limit_nano.map_or(0, i64::cast_unsigned),
        weekly_limit_nano: row.weekly_limit_nano.map_or(0, i64::cast_unsigned),
        monthly_limit_nano: row.monthly_limit_nano.map_or(0, i64::cast_unsigned),
        warning_permille: (threshold * 1000.0).round() as u32,
    })
}

#[cfg(test)]
mod tests;
