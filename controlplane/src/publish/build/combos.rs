//! Combos as data planes run them: every layer of their settings laid over the one below.

use std::collections::HashMap;

use llm::providers;
use proto::v1::{Combo, ComboMember, Resource, resource::Body};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    combo_config::{BUILT_IN, ComboConfig, ComboDefaults},
    publish::rows::{ComboRow, NodeRow, SettingRow},
};

/// built in → defaults of all combos → override of a provider → the combo's own
#[derive(Default)]
pub(super) struct Cascade {
    defaults: ComboConfig,
    /// By provider id.
    overrides: HashMap<String, ComboConfig>,
    /// Prefix to provider id, of the operator's own endpoints.
    prefixes: HashMap<String, String>,
}

// === impl Cascade ===

impl Cascade {
    pub(super) fn of(settings: &[SettingRow], nodes: &[NodeRow]) -> Self {
        let mut cascade = Self {
            prefixes: nodes
                .iter()
                .map(|node| (node.prefix.clone(), node.id.clone()))
                .collect(),
            ..Self::default()
        };
        for SettingRow { key, value } in settings {
            match key.as_str() {
                "comboDefaults" => {
                    let defaults = ComboDefaults::from_stored(value);
                    cascade.defaults = readable(key, defaults).config;
                }
                "providerOverrides" => cascade.overrides = readable(key, parse(value.clone())),
                _ => {}
            }
        }
        cascade
    }

    pub(super) fn combo(&self, row: ComboRow, members: Vec<ComboMember>) -> Resource {
        let id = row.id.to_string();
        let own: ComboConfig = readable(&id, parse(row.config));
        let provider = self.only_provider(&members).and_then(|id| self.overrides.get(id));
        let config = own
            .or(provider.cloned().unwrap_or_default())
            .or(self.defaults.clone())
            .or(BUILT_IN);
        let combo = Combo {
            name: row.name,
            strategy: row.strategy,
            members,
            enabled: row.is_active,
            max_retries: config.max_retries,
            retry_delay_ms: config.retry_delay_ms.unwrap_or_default(),
            timeout_ms: config.timeout_ms.unwrap_or_default(),
            concurrency_per_model: config.concurrency_per_model.unwrap_or_default(),
            queue_timeout_ms: config.queue_timeout_ms.unwrap_or_default(),
            track_metrics: config.track_metrics.unwrap_or_default(),
        };
        Resource {
            id,
            body: Some(Body::Combo(combo)),
        }
    }

    /// The provider of all members. A combo of several is nobody's to override.
    fn only_provider(&self, members: &[ComboMember]) -> Option<&str> {
        let mut ids = members.iter().map(|member| self.provider(&member.model));
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

fn parse<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value)
}

/// The API checked it before it was stored; should it be unreadable all the same, requests go on without it.
pub(super) fn readable<T: Default>(what: &str, parsed: Result<T, serde_json::Error>) -> T {
    parsed.unwrap_or_else(|error| {
        tracing::error!(what, %error, "settings are published as if they were not set");
        T::default()
    })
}
