//! Usage, in this API's convention: `inputTokens` excludes what was read from or written to the cache ("Prompt caching"
//! in the user guide).

use crate::usage::Usage;
use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WireUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    /// What was written, by how long it is kept.
    cache_details: Vec<CacheDetail>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CacheDetail {
    ttl: String,
    input_tokens: Option<u64>,
}

// === impl WireUsage ===

impl WireUsage {
    pub fn neutral(&self) -> Usage {
        let cached = [self.cache_read_input_tokens, self.cache_write_input_tokens];
        let cached = cached.into_iter().flatten().fold(0, u64::saturating_add);
        let kept_for = |ttl: &str| {
            let detail = self.cache_details.iter().find(|detail| detail.ttl == ttl)?;
            detail.input_tokens
        };
        Usage {
            input_total: self.input_tokens.map(|uncached| uncached.saturating_add(cached)),
            cache_read: self.cache_read_input_tokens,
            cache_write: self.cache_write_input_tokens,
            cache_write_5m: kept_for("5m"),
            cache_write_1h: kept_for("1h"),
            output_total: self.output_tokens,
            ..Usage::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn cached_tokens_are_part_of_the_neutral_total_and_not_of_the_wire_count() {
        let wire = json!({
            "inputTokens": 12, "outputTokens": 5, "totalTokens": 12_017,
            "cacheReadInputTokens": 8000, "cacheWriteInputTokens": 4000,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 3000}, {"ttl": "5m", "inputTokens": 1000}],
        });
        let usage = from_value::<WireUsage>(wire).unwrap().neutral();
        assert_eq!((usage.input_total, usage.total()), (Some(12_012), Some(12_017)));
        assert_eq!(
            (usage.cache_write_1h, usage.cache_write_5m),
            (Some(3000), Some(1000))
        );
        assert!(from_value::<WireUsage>(json!({})).unwrap().neutral().is_absent());
    }
}
