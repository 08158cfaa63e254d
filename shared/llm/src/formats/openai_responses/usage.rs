//! `usage`, both ways. Input tokens here include cache tokens, output tokens include reasoning.

use super::super::openai_chat::scalar::Scalar;
use crate::usage::Usage;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WireUsage<'a> {
    #[serde(borrow)]
    input_tokens: Scalar<'a>,
    #[serde(borrow)]
    output_tokens: Scalar<'a>,
    #[serde(borrow)]
    input_tokens_details: Option<InputDetails<'a>>,
    #[serde(borrow)]
    output_tokens_details: Option<OutputDetails<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InputDetails<'a> {
    #[serde(borrow)]
    cached_tokens: Scalar<'a>,
    #[serde(borrow)]
    cache_write_tokens: Scalar<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails<'a> {
    #[serde(borrow)]
    reasoning_tokens: Scalar<'a>,
}

/// Clients take every field for granted, so an unknown number is 0.
#[derive(Debug, Serialize)]
pub struct UsageReport {
    input_tokens: u64,
    input_tokens_details: InputReport,
    output_tokens: u64,
    output_tokens_details: OutputReport,
    total_tokens: u64,
}

#[derive(Debug, Serialize)]
struct InputReport {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Serialize)]
struct OutputReport {
    reasoning_tokens: u64,
}

// === impl WireUsage ===

impl WireUsage<'_> {
    pub fn read(&self) -> Usage {
        let input = self.input_tokens_details.as_ref();
        let output = self.output_tokens_details.as_ref();
        Usage {
            input_total: self.input_tokens.count(),
            cache_read: input.and_then(|details| details.cached_tokens.count()),
            // a server that has no such number sends 0
            cache_write: input
                .and_then(|details| details.cache_write_tokens.count())
                .filter(|tokens| *tokens > 0),
            output_total: self.output_tokens.count(),
            reasoning: output.and_then(|details| details.reasoning_tokens.count()),
            ..Usage::default()
        }
    }
}

// === impl UsageReport ===

impl UsageReport {
    pub fn of(usage: &Usage) -> Self {
        let input_tokens = usage.input_total.unwrap_or(0);
        let output_tokens = usage.output_total.unwrap_or(0);
        Self {
            input_tokens,
            input_tokens_details: InputReport {
                cached_tokens: usage.cache_read.unwrap_or(0),
                cache_write_tokens: usage.cache_write.unwrap_or(0),
            },
            output_tokens,
            output_tokens_details: OutputReport {
                reasoning_tokens: usage.reasoning.unwrap_or(0),
            },
            total_tokens: input_tokens.saturating_add(output_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let usage = Usage {
            input_total: Some(100),
            cache_read: Some(60),
            cache_write: Some(10),
            output_total: Some(20),
            reasoning: Some(5),
            ..Usage::default()
        };
        let json = serde_json::to_string(&UsageReport::of(&usage)).unwrap();
        assert_eq!(
            serde_json::from_str::<WireUsage<'_>>(&json).unwrap().read(),
            usage
        );
    }

    #[test]
    fn every_number_is_always_there() {
        assert_eq!(
            serde_json::to_string(&UsageReport::of(&Usage::default())).unwrap(),
            r#"{"input_tokens":0,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":0,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":0}"#
        );
    }
}
