//! Usage, in this API's convention: thoughts are counted beside the candidates, cached tokens inside the prompt.

use crate::usage::Usage;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WireUsage {
    #[serde(alias = "prompt_token_count")]
    prompt_token_count: Option<u64>,
    #[serde(alias = "tool_use_prompt_token_count")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(alias = "cached_content_token_count")]
    cached_content_token_count: Option<u64>,
    #[serde(alias = "candidates_token_count")]
    candidates_token_count: Option<u64>,
    #[serde(alias = "thoughts_token_count")]
    thoughts_token_count: Option<u64>,
    #[serde(alias = "total_token_count")]
    total_token_count: Option<u64>,
}

/// Counts that are not known are left out rather than called 0.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientUsage {
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thoughts_token_count: Option<u64>,
}

// === impl WireUsage ===

impl WireUsage {
    /// Counts are cumulative, and a later snapshot need not repeat them all.
    pub fn merge(&mut self, later: Self) {
        self.prompt_token_count = later.prompt_token_count.or(self.prompt_token_count);
        self.tool_use_prompt_token_count = later
            .tool_use_prompt_token_count
            .or(self.tool_use_prompt_token_count);
        self.cached_content_token_count = later
            .cached_content_token_count
            .or(self.cached_content_token_count);
        self.candidates_token_count = later.candidates_token_count.or(self.candidates_token_count);
        self.thoughts_token_count = later.thoughts_token_count.or(self.thoughts_token_count);
        self.total_token_count = later.total_token_count.or(self.total_token_count);
    }

    pub fn neutral(&self) -> Usage {
        let tools = self.tool_use_prompt_token_count;
        let input = self
            .prompt_token_count
            .or(tools.map(|_| 0))
            .map(|prompt| prompt.saturating_add(tools.unwrap_or(0)));
        Usage {
            input_total: input,
            cache_read: self.cached_content_token_count,
            output_total: self.output(input),
            reasoning: self.thoughts_token_count,
            ..Usage::default()
        }
    }

    /// Some servers count thoughts among the candidates: then prompt and candidates make the total.
    fn output(&self, input: Option<u64>) -> Option<u64> {
        let thoughts = self.thoughts_token_count.unwrap_or(0);
        let rest = self
            .total_token_count
            .zip(input)
            .map(|(total, input)| total.saturating_sub(input));
        match (self.candidates_token_count, rest) {
            (Some(candidates), Some(rest)) if candidates == rest => Some(candidates),
            (Some(candidates), _) => Some(candidates.saturating_add(thoughts)),
            (None, Some(rest)) => Some(rest.max(thoughts)),
            (None, None) => self.thoughts_token_count,
        }
    }
}

// === impl ClientUsage ===

impl ClientUsage {
    pub fn of(usage: &Usage) -> Option<Self> {
        let visible = |output: u64| output.saturating_sub(usage.reasoning.unwrap_or(0));
        (!usage.is_absent()).then(|| Self {
            prompt_token_count: usage.input_total,
            candidates_token_count: usage.output_total.map(visible),
            total_token_count: usage.total(),
            cached_content_token_count: usage.cache_read,
            thoughts_token_count: usage.reasoning,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn the_counts_always_make_the_total() {
        for (wire, input, output, reasoning) in [
            (
                json!({"promptTokenCount": 199, "candidatesTokenCount": 29, "thoughtsTokenCount": 140,
                    "toolUsePromptTokenCount": 248, "totalTokenCount": 616}),
                447,
                169,
                Some(140),
            ),
            (
                json!({"promptTokenCount": 20, "candidatesTokenCount": 198, "thoughtsTokenCount": 405,
                    "totalTokenCount": 623}),
                20,
                603,
                Some(405),
            ),
            (
                json!({"prompt_token_count": 10, "candidates_token_count": 15, "thoughts_token_count": 5,
                    "total_token_count": 25, "cached_content_token_count": 4}),
                10,
                15,
                Some(5),
            ),
            (
                json!({"promptTokenCount": 12, "totalTokenCount": 12}),
                12,
                0,
                None,
            ),
        ] {
            let total = wire["totalTokenCount"].as_u64().unwrap_or(25);
            let usage = from_value::<WireUsage>(wire).unwrap().neutral();
            assert_eq!(
                (usage.input_total, usage.output_total),
                (Some(input), Some(output))
            );
            assert_eq!((usage.reasoning, usage.total()), (reasoning, Some(total)));
        }
    }

    #[test]
    fn a_client_gets_thoughts_beside_the_candidates() {
        let usage = Usage {
            input_total: Some(10),
            output_total: Some(15),
            reasoning: Some(5),
            ..Usage::default()
        };
        let wire = to_value(ClientUsage::of(&usage)).unwrap();
        assert_eq!(
            wire,
            json!({"promptTokenCount": 10, "candidatesTokenCount": 10, "totalTokenCount": 25, "thoughtsTokenCount": 5})
        );
        assert_eq!(from_value::<WireUsage>(wire).unwrap().neutral(), usage);
        assert!(ClientUsage::of(&Usage::default()).is_none());
    }
}
