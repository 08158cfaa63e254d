//! Usage, in this API's convention: `input_tokens` excludes what was read from or written to the cache.

use crate::usage::Usage;
use serde::{Deserialize, Serialize};

/// `usage` of a message, of `message_start` and of `message_delta`; any field may be missing.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct WireUsage {
    input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
}

/// What a client reads. The two counts every SDK requires are always there.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ClientUsage {
    input_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<CacheCreation>,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct CacheCreation {
    #[serde(default)]
    ephemeral_5m_input_tokens: Option<u64>,
    #[serde(default)]
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Option<u64>,
}

// === impl WireUsage ===

impl WireUsage {
    /// Takes every count that `later` states: `message_delta` overrides `message_start` field by field, and the
    /// total can only be formed from the merged counts.
    pub fn merge(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation_input_tokens = later
            .cache_creation_input_tokens
            .or(self.cache_creation_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
    }

    pub fn neutral(&self) -> Usage {
        let written = self.cache_creation.unwrap_or_default();
        let cached = [self.cache_read_input_tokens, self.cache_creation_input_tokens];
        let cached = cached.into_iter().flatten().fold(0, u64::saturating_add);
        Usage {
            input_total: self.input_tokens.map(|uncached| uncached.saturating_add(cached)),
            cache_read: self.cache_read_input_tokens,
            cache_write: self.cache_creation_input_tokens,
            cache_write_5m: written.ephemeral_5m_input_tokens,
            cache_write_1h: written.ephemeral_1h_input_tokens,
            output_total: self.output_tokens,
            reasoning: self
                .output_tokens_details
                .and_then(|details| details.thinking_tokens),
            ..Usage::default()
        }
    }
}

// === impl ClientUsage ===

impl ClientUsage {
    pub fn of(usage: &Usage) -> Self {
        let by_lifetime = CacheCreation {
            ephemeral_5m_input_tokens: usage.cache_write_5m,
            ephemeral_1h_input_tokens: usage.cache_write_1h,
        };
        let known = usage.cache_write_5m.is_some() || usage.cache_write_1h.is_some();
        Self {
            input_tokens: usage.input_uncached().unwrap_or(0),
            cache_creation_input_tokens: usage.cache_write,
            cache_read_input_tokens: usage.cache_read,
            cache_creation: known.then_some(by_lifetime),
            output_tokens: usage.output_total.unwrap_or(0),
            output_tokens_details: usage.reasoning.map(|n| OutputDetails {
                thinking_tokens: Some(n),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn cached_tokens_are_part_of_the_neutral_total_and_not_of_the_wire_count() {
        let wire = json!({"input_tokens": 12, "cache_read_input_tokens": 8000, "cache_creation_input_tokens": 4000,
            "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 3000},
            "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}});
        let usage = from_value::<WireUsage>(wire.clone()).unwrap().neutral();
        assert_eq!(usage.input_total, Some(12_012));
        assert_eq!(usage.total(), Some(12_017));
        assert_eq!(to_value(ClientUsage::of(&usage)).unwrap(), wire);
    }

    #[test]
    fn a_later_snapshot_replaces_the_uncached_count_and_adds_nothing() {
        let mut usage: WireUsage = from_value(json!({"input_tokens": 34824, "output_tokens": 0})).unwrap();
        usage.merge(
            from_value(json!({"input_tokens": 3883, "output_tokens": 49, "cache_read_input_tokens": 30464}))
                .unwrap(),
        );
        usage.merge(WireUsage::default());
        let neutral = usage.neutral();
        assert_eq!(
            (neutral.input_total, neutral.output_total),
            (Some(34_347), Some(49))
        );
    }

    #[test]
    fn absent_counts_stay_absent_except_the_two_every_client_reads() {
        assert_eq!(
            to_value(ClientUsage::of(&Usage::default())).unwrap(),
            json!({"input_tokens": 0, "output_tokens": 0})
        );
    }
}
