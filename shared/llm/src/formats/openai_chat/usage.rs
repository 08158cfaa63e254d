//! `usage`, both ways. Prompt tokens here include cache tokens, completion tokens include reasoning.

use super::scalar::Scalar;
use crate::usage::Usage;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WireUsage<'a> {
    #[serde(borrow)]
    prompt_tokens: Scalar<'a>,
    #[serde(borrow)]
    completion_tokens: Scalar<'a>,
    #[serde(borrow)]
    total_tokens: Scalar<'a>,
    #[serde(borrow)]
    prompt_tokens_details: Option<PromptDetails<'a>>,
    #[serde(borrow)]
    completion_tokens_details: Option<CompletionDetails<'a>>,
    /// DeepSeek.
    #[serde(borrow)]
    prompt_cache_hit_tokens: Scalar<'a>,
    /// Anthropic's names, which LiteLLM passes on.
    #[serde(borrow)]
    cache_read_input_tokens: Scalar<'a>,
    #[serde(borrow)]
    cache_creation_input_tokens: Scalar<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails<'a> {
    #[serde(borrow)]
    cached_tokens: Scalar<'a>,
    #[serde(borrow)]
    cache_write_tokens: Scalar<'a>,
    #[serde(borrow)]
    cache_creation_tokens: Scalar<'a>,
    #[serde(borrow)]
    cache_creation_input_tokens: Scalar<'a>,
    #[serde(borrow)]
    audio_tokens: Scalar<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails<'a> {
    #[serde(borrow)]
    reasoning_tokens: Scalar<'a>,
    #[serde(borrow)]
    audio_tokens: Scalar<'a>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct UsageReport {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionReport>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct PromptReport {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_tokens: Option<u64>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct CompletionReport {
    reasoning_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_tokens: Option<u64>,
}

// === impl WireUsage ===

impl WireUsage<'_> {
    pub fn read(&self) -> Usage {
        let default = PromptDetails::default();
        let prompt = self.prompt_tokens_details.as_ref().unwrap_or(&default);
        let completion = self.completion_tokens_details.as_ref();
        let first = |all: &[&Scalar<'_>]| all.iter().find_map(|scalar| scalar.count());
        let input_total = self.prompt_tokens.count();
        Usage {
            input_total,
            cache_read: first(&[
                &prompt.cached_tokens,
                &self.prompt_cache_hit_tokens,
                &self.cache_read_input_tokens,
            ]),
            cache_write: first(&[
                &prompt.cache_write_tokens,
                &prompt.cache_creation_tokens,
                &prompt.cache_creation_input_tokens,
                &self.cache_creation_input_tokens,
            ]),
            output_total: self.output_total(input_total),
            reasoning: completion.and_then(|details| details.reasoning_tokens.count()),
            audio_input: prompt.audio_tokens.count(),
            audio_output: completion.and_then(|details| details.audio_tokens.count()),
            ..Usage::default()
        }
    }

    /// Some servers count the answer only in the total.
    fn output_total(&self, input_total: Option<u64>) -> Option<u64> {
        let rest = || {
            self.total_tokens
                .count()?
                .checked_sub(input_total?)
                .filter(|rest| *rest > 0)
        };
        match self.completion_tokens.count() {
            Some(0) => rest().or(Some(0)),
            None => rest(),
            known => known,
        }
    }
}

// === impl UsageReport ===

impl UsageReport {
    /// Clients add these numbers up, so an unknown one is 0.
    pub fn of(usage: &Usage) -> Self {
        let prompt_tokens = usage.input_total.unwrap_or(0);
        let completion_tokens = usage.output_total.unwrap_or(0);
        let prompt_known = [usage.cache_read, usage.cache_write, usage.audio_input]
            .iter()
            .any(Option::is_some);
        let completion_known = usage.reasoning.is_some() || usage.audio_output.is_some();
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            prompt_tokens_details: prompt_known.then(|| PromptReport {
                cached_tokens: usage.cache_read.unwrap_or(0),
                cache_write_tokens: usage.cache_write,
                audio_tokens: usage.audio_input,
            }),
            completion_tokens_details: completion_known.then(|| CompletionReport {
                reasoning_tokens: usage.reasoning.unwrap_or(0),
                audio_tokens: usage.audio_output,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Usage {
        serde_json::from_str::<WireUsage<'_>>(json).unwrap().read()
    }

    #[test]
    fn usage_of_every_server_is_read() {
        let vendor = read(
            r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
               "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10,"audio_tokens":0},
               "completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":0}}"#,
        );
        assert_eq!(
            (vendor.input_total, vendor.cache_read, vendor.cache_write),
            (Some(100), Some(60), Some(10))
        );
        assert_eq!((vendor.output_total, vendor.reasoning), (Some(20), Some(5)));
        let deepseek = read(r#"{"prompt_tokens":9.0,"completion_tokens":"3","prompt_cache_hit_tokens":4}"#);
        assert_eq!(
            (deepseek.input_total, deepseek.output_total, deepseek.cache_read),
            (Some(9), Some(3), Some(4))
        );
        assert_eq!(
            read(r#"{"prompt_tokens":5,"completion_tokens":0,"total_tokens":12}"#).output_total,
            Some(7)
        );
        assert!(read("{}").is_absent());
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let usage = Usage {
            input_total: Some(100),
            cache_read: Some(60),
            cache_write: Some(10),
            output_total: Some(20),
            reasoning: Some(5),
            audio_input: Some(1),
            audio_output: Some(2),
            ..Usage::default()
        };
        assert_eq!(
            read(&serde_json::to_string(&UsageReport::of(&usage)).unwrap()),
            usage
        );
    }
}
