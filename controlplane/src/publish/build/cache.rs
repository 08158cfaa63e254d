//! What may be answered from the cache.

use proto::v1::Cache;

use crate::publish::rows::SettingRow;

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
            "cacheGeneration" => cache.generation = value.as_u64().unwrap_or_default(),
            "idempotencyGeneration" => cache.idempotency_generation = value.as_u64().unwrap_or_default(),
            _ => continue,
        }
        is_set = true;
    }
    is_set.then_some(cache)
}
