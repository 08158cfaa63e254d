//! What a request may take: rather too much, because the rest is given back when it ends.

use super::super::plan::Plan;
use crate::routing::{Counted, Limits};
use llm::Ask;

/// What is taken for an answer whose client sets no limit to it. Longer ones are charged when they end.
const UNSAID_OUTPUT_TOKENS: u64 = 1024;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Of input and output.
    pub tokens: u64,
    /// At the dearest of the models that may answer; nothing for those whose price nobody knows.
    pub cost_nano: u64,
}

// === impl Estimate ===

impl Estimate {
    pub fn of(plan: &Plan, ask: &Ask, limits: &Limits) -> Self {
        let counts_tokens = limits.rates.iter().any(|rate| rate.counted == Counted::Tokens);
        if !counts_tokens && limits.budgets.is_empty() {
            return Self::default();
        }
        let input = ask.estimate_input_tokens();
        let output = ask.output_bound().unwrap_or(UNSAID_OUTPUT_TOKENS);
        let costs = plan
            .routes()
            .filter_map(|(_, route)| Some(route.price?.most_nano(input, output)));
        Self {
            tokens: input.saturating_add(output),
            cost_nano: costs.max().unwrap_or(0),
        }
    }
}
