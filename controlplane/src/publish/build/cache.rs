//! What may be answered from the cache.

use proto::v1::{Cache, SimilarityRule};
use serde::Deserialize;
use serde_json::Value;

use crate::publish::rows::SettingRow;

/// A rule as it is stored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    model: String,
    embedding_model: String,
    threshold: f64,
}

/// Absent while no setting of it was ever made: data planes then do as they do by themselves.
pub(super) fn cache(settings: &[SettingRow]) -> Option<Cache> {
    let mut is_set = false;
    let mut cache = Cache {
        enabled: true,
        ..Cache::default()
    };
    for SettingRow { key, value } in settings {
        match key.as_str() {
            "semanticCacheEnabled" => cache.enabled = value.as_bool().unwrap_or(false),
            "semanticCacheTtlMs" => cache.ttl_ms = value.as_u64().and_then(|ttl| ttl.try_into().ok()),
            "semanticCacheAbsentTemperatureIsZero" => {
                cache.absent_temperature_is_zero = value.as_bool().unwrap_or(false);
            }
            "semanticCacheRules" => cache.similarity = rules(value),
            "cacheGeneration" => cache.generation = value.as_u64().unwrap_or_default(),
            "idempotencyGeneration" => cache.idempotency_generation = value.as_u64().unwrap_or_default(),
            _ => continue,
        }
        is_set = true;
    }
    is_set.then_some(cache)
}

fn rules(stored: &Value) -> Vec<SimilarityRule> {
    let rules = Vec::<Rule>::deserialize(stored).unwrap_or_default();
    let rule = |rule: Rule| SimilarityRule {
        model: rule.model,
        embedding_model: rule.embedding_model,
        threshold: rule.threshold,
    };
    rules.into_iter().map(rule).collect()
}
