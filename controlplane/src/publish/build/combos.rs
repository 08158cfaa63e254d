//! Combos as data planes run them: every layer of their settings laid over the one below.

use proto::v1::{Combo, ComboMember, Resource, resource::Body};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    combo_config::{BUILT_IN, Cascade, ComboConfig, ComboDefaults},
    publish::rows::{ComboRow, NodeRow, SettingRow},
};

/// The layers below the combos' own.
pub(super) fn cascade(settings: &[SettingRow], nodes: &[NodeRow]) -> Cascade {
    let mut cascade = Cascade {
        prefixes: nodes
            .iter()
            .map(|node| (node.prefix.clone(), node.id.clone()))
            .collect(),
        ..Cascade::default()
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

pub(super) fn combo(cascade: &Cascade, row: ComboRow, members: Vec<ComboMember>) -> Resource {
    let id = row.id.to_string();
    let own: ComboConfig = readable(&id, parse(row.config));
    let models = members.iter().map(|member| member.model.as_str());
    let config = cascade.over(own, models).or(BUILT_IN);
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
        asks_the_failing: config.health_check_enabled == Some(false),
    };
    Resource {
        id,
        body: Some(Body::Combo(combo)),
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
