//! What a request may take: rather too much, because the rest is given back when it ends.

use super::super::plan::Plan;
use crate::routing::{Counted, Limits};
use llm::{Ask, Units};

/// What is taken for an answer whose client sets no limit to it. Longer ones are charged when they end.
const UNSAID_OUTPUT_TOKENS: u64 = 1024;

/// Of the largest picture of the best quality that the vendor offers:
/// <https://platform.openai.com/docs/guides/image-generation#cost-and-latency>
const TOKENS_OF_IMAGE: u64 = 6_240;

/// A recording may be so much longer than its size lets guess: speech is often compressed more than music.
const RECORDING_AT_MOST: u64 = 4;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Of input and output.
    pub tokens: u64,
    /// At the dearest of the models that may answer; nothing for those whose price nobody knows.
    pub cost_nano: u64,
}

// === impl Estimate ===

impl Estimate {
    pub fn of(plan: &Plan, ask: &Ask, limits: &Limits, at_ms: i64) -> Self {
        let counts_tokens = limits.rates.iter().any(|rate| rate.counted == Counted::Tokens);
        if !counts_tokens && limits.budgets.is_empty() {
            return Self::default();
        }
        let input = ask.estimate_input_tokens();
        let output = ask.output_bound().unwrap_or(UNSAID_OUTPUT_TOKENS);
        let (work, units) = (ask.work(), most(&ask.work().units));
        // pictures are output, too; how many tokens nobody bounds
        let output_of_work = work.units.images.saturating_mul(TOKENS_OF_IMAGE);
        let costs = plan.routes().filter_map(|(_, route)| {
            let tariff = route.tariff_of(&work.picture, at_ms);
            tariff.most_nano(input, output.saturating_add(output_of_work), &units)
        });
        Self {
            tokens: input.saturating_add(output),
            cost_nano: costs.max().unwrap_or(0),
        }
    }
}

fn most(units: &Units) -> Units {
    Units {
        audio_ms: units.audio_ms.saturating_mul(RECORDING_AT_MOST),
        ..*units
    }
}
