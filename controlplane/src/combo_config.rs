//! How a combo treats its members: what its own `config`, the override of a provider and the defaults of all combos
//! may say.
//!
//! One shape for the API, the database and the publisher. Every field may be absent, and what is absent comes from
//! the layer below: [`ComboConfig::or`].

use std::collections::HashMap;

use llm::providers;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::Violations;

/// Levels of combos below a combo.
pub const MAX_DEPTH: u32 = 3;
pub const DEFAULT_STRATEGY: &str = "priority";

/// The lowest layer. It has no `max_retries`: when nobody says how often, a member is tried again once, and only when
/// nothing else is left.
pub const BUILT_IN: ComboConfig = ComboConfig {
    max_retries: None,
    retry_delay_ms: Some(2_000),
    timeout_ms: Some(120_000),
    health_check_enabled: Some(true),
    health_check_timeout_ms: Some(3_000),
    concurrency_per_model: Some(3),
    queue_timeout_ms: Some(30_000),
    max_combo_depth: Some(MAX_DEPTH),
    track_metrics: Some(true),
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ComboConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_delay_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// Pass over members that are known to fail. `false`: they are asked all the same, but for those whose provider said
    /// when to come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_enabled: Option<bool>,
    /// How long `POST /api/combos/test` waits for a member. While nobody says, 15 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_timeout_ms: Option<u32>,
    /// Requests that one member takes at a time; round-robin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_per_model: Option<u32>,
    /// How long a request waits for a member; round-robin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_timeout_ms: Option<u32>,
    /// Levels of combos below this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_combo_depth: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_metrics: Option<bool>,
}

/// What all combos share, as stored under `comboDefaults`: one object with `strategy` among the fields of a config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComboDefaults {
    /// Of new combos that name none.
    pub strategy: Option<String>,
    pub config: ComboConfig,
}

/// The layers below a combo's own config: the override of a provider, and the defaults of all combos.
#[derive(Default)]
pub struct Cascade {
    pub defaults: ComboConfig,
    /// By provider id.
    pub overrides: HashMap<String, ComboConfig>,
    /// Prefix to provider id, of the operator's own endpoints.
    pub prefixes: HashMap<String, String>,
}

// === impl ComboConfig ===

impl ComboConfig {
    /// This layer over the one `below`.
    pub fn or(self, below: Self) -> Self {
        Self {
            max_retries: self.max_retries.or(below.max_retries),
            retry_delay_ms: self.retry_delay_ms.or(below.retry_delay_ms),
            timeout_ms: self.timeout_ms.or(below.timeout_ms),
            health_check_enabled: self.health_check_enabled.or(below.health_check_enabled),
            health_check_timeout_ms: self.health_check_timeout_ms.or(below.health_check_timeout_ms),
            concurrency_per_model: self.concurrency_per_model.or(below.concurrency_per_model),
            queue_timeout_ms: self.queue_timeout_ms.or(below.queue_timeout_ms),
            max_combo_depth: self.max_combo_depth.or(below.max_combo_depth),
            track_metrics: self.track_metrics.or(below.track_metrics),
        }
    }

    /// `at` is the path of the config inside the body.
    pub fn check(&self, at: &str, violations: &mut Violations) {
        let limits = [
            ("maxRetries", self.max_retries, 0..=10),
            ("retryDelayMs", self.retry_delay_ms, 0..=60_000),
            ("timeoutMs", self.timeout_ms, 1_000..=600_000),
            ("healthCheckTimeoutMs", self.health_check_timeout_ms, 100..=60_000),
            ("concurrencyPerModel", self.concurrency_per_model, 1..=100),
            ("queueTimeoutMs", self.queue_timeout_ms, 100..=600_000),
            ("maxComboDepth", self.max_combo_depth, 1..=MAX_DEPTH),
        ];
        for (field, value, allowed) in limits {
            if let Some(value) = value {
                violations.range(&format!("{at}.{field}"), value, allowed);
            }
        }
    }
}

// === impl ComboDefaults ===

impl ComboDefaults {
    pub fn from_stored(stored: &Value) -> Result<Self, serde_json::Error> {
        let mut fields = stored.as_object().cloned().unwrap_or_default();
        let strategy = fields.remove("strategy");
        Ok(Self {
            strategy: strategy.and_then(|strategy| strategy.as_str().map(str::to_owned)),
            config: serde_json::from_value(Value::Object(fields))?,
        })
    }

    pub fn to_stored(&self) -> Value {
        let mut stored = serde_json::json!(self.config);
        if let Some(strategy) = &self.strategy {
            stored["strategy"] = Value::from(strategy.as_str());
        }
        stored
    }
}

// === impl Cascade ===

impl Cascade {
    /// What somebody said about a combo with these members. What nobody said is built in.
    pub fn over<'a>(&self, own: ComboConfig, members: impl Iterator<Item = &'a str>) -> ComboConfig {
        let provider = self.only_provider(members).and_then(|id| self.overrides.get(id));
        own.or(provider.cloned().unwrap_or_default())
            .or(self.defaults.clone())
    }

    /// The provider of all members. A combo of several is nobody's to override.
    fn only_provider<'a>(&self, members: impl Iterator<Item = &'a str>) -> Option<&str> {
        let mut ids = members.map(|model| self.provider(model));
        let first = ids.next()??;
        ids.all(|id| id == Some(first)).then_some(first)
    }

    fn provider(&self, model: &str) -> Option<&str> {
        let (prefix, _) = model.split_once('/')?;
        match self.prefixes.get(prefix) {
            Some(node) => Some(node),
            None => providers::find(prefix).map(|spec| spec.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_layer_says_stands_over_the_layer_below() {
        let own: ComboConfig = serde_json::from_value(json!({ "timeoutMs": 1000 })).unwrap();
        let defaults: ComboConfig =
            serde_json::from_value(json!({ "timeoutMs": 2000, "maxRetries": 0 })).unwrap();
        let effective = own.or(defaults).or(BUILT_IN);
        let expected = ComboConfig {
            max_retries: Some(0),
            timeout_ms: Some(1000),
            ..BUILT_IN
        };
        assert_eq!(effective, expected);
    }

    #[test]
    fn defaults_are_stored_as_one_object() {
        let stored = json!({ "strategy": "random", "maxRetries": 2 });
        let defaults = ComboDefaults::from_stored(&stored).unwrap();
        assert_eq!(defaults.strategy.as_deref(), Some("random"));
        assert_eq!(defaults.to_stored(), stored);
        assert!(ComboDefaults::from_stored(&json!({ "maxRetries": "many" })).is_err());
    }
}
