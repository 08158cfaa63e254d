//! What the client said about reasoning, in the words this model understands.

use crate::caps::{ModelCaps, ThinkingCaps};
use crate::note::Notes;
use crate::request::{Reasoning, ReasoningMode};
use serde::Serialize;

/// The vendor's documented minimum for `budget_tokens`.
const MIN_BUDGET: u64 = 1_024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Thinking {
    Enabled {
        budget_tokens: u64,
    },
    /// Models that only know adaptive thinking omit its text unless asked for a summary.
    Adaptive {
        display: &'static str,
    },
    Disabled,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub thinking: Option<Thinking>,
    pub effort: Option<&'static str>,
}

/// What else in a request keeps a model from thinking.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    pub choice_is_forced: bool,
    /// The last turn is the assistant's.
    pub answer_is_begun: bool,
    /// The assistant's last turn calls tools, and does not open with thinking.
    pub call_lost_its_thinking: bool,
}

/// Explicit effort counts more than a budget, a budget more than the bare wish to think.
pub fn plan(reasoning: &Reasoning, caps: &ModelCaps, max_tokens: u64, notes: &mut Notes) -> Plan {
    let effort = reasoning.effort.as_deref();
    if reasoning.mode == ReasoningMode::Off || effort == Some("none") {
        let says_so = reasoning.mode == ReasoningMode::Off && caps.thinking != ThinkingCaps::None;
        return Plan {
            thinking: says_so.then_some(Thinking::Disabled),
            effort: None,
        };
    }
    let asked = effort.is_some() || reasoning.budget.is_some() || reasoning.mode != ReasoningMode::Unset;
    if !asked {
        return Plan::off();
    }
    match caps.thinking {
        ThinkingCaps::Budget => budget(reasoning, max_tokens, notes),
        ThinkingCaps::BudgetOrAdaptive if reasoning.budget.is_some() && effort.is_none() => {
            budget(reasoning, max_tokens, notes)
        }
        ThinkingCaps::BudgetOrAdaptive | ThinkingCaps::AdaptiveOnly => Plan {
            thinking: Some(Thinking::Adaptive {
                display: "summarized",
            }),
            effort: effort
                .map(level)
                .or_else(|| reasoning.budget.map(level_of_budget)),
        },
        _ => {
            notes.loss("reasoning_effort", "the model does not think");
            Plan::off()
        }
    }
}

// === impl Plan ===

impl Plan {
    pub const fn off() -> Self {
        Self {
            thinking: None,
            effort: None,
        }
    }

    pub fn thinks(&self) -> bool {
        matches!(
            self.thinking,
            Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. })
        )
    }

    /// Gives thinking up where the rest of the request forbids it; the API would refuse the combination.
    pub fn reconcile(&mut self, around: &Surroundings, notes: &mut Notes) {
        let why = if !self.thinks() {
            return;
        } else if around.choice_is_forced {
            "not accepted together with a forced tool choice"
        } else if around.answer_is_begun {
            "not accepted when the assistant's answer is already begun"
        } else if matches!(self.thinking, Some(Thinking::Enabled { .. })) && around.call_lost_its_thinking {
            "the last tool call came without its signed thinking"
        } else {
            return;
        };
        notes.loss("thinking", why);
        *self = Self::off();
    }
}

// === functions ===

fn budget(reasoning: &Reasoning, max_tokens: u64, notes: &mut Notes) -> Plan {
    let wanted = match (reasoning.effort.as_deref(), reasoning.budget) {
        (Some(effort), _) => budget_of_level(effort),
        (None, Some(budget)) => budget,
        (None, None) => budget_of_level("medium"),
    };
    // the answer needs room too: `max_tokens` includes the thinking
    let room = max_tokens.saturating_sub((max_tokens / 4).max(1_024));
    let budget_tokens = wanted.min(room);
    if budget_tokens < MIN_BUDGET {
        notes.loss(
            "thinking",
            format!("max_tokens {max_tokens} leaves no room to think"),
        );
        return Plan::off();
    }
    if budget_tokens < wanted {
        notes.info(
            "thinking",
            format!("budget lowered from {wanted} to {budget_tokens} to fit max_tokens"),
        );
    }
    Plan {
        thinking: Some(Thinking::Enabled { budget_tokens }),
        effort: None,
    }
}

/// The vendor's levels are low to max.
fn level(effort: &str) -> &'static str {
    match effort {
        "minimal" | "low" => "low",
        "medium" => "medium",
        "xhigh" => "xhigh",
        "max" => "max",
        _ => "high",
    }
}

fn budget_of_level(effort: &str) -> u64 {
    match effort {
        "minimal" => 1_024,
        "low" => 2_048,
        "medium" => 8_192,
        "xhigh" => 32_768,
        "max" => 65_536,
        _ => 16_384,
    }
}

/// The inverse of [`budget_of_level`], so that a round trip keeps the level.
fn level_of_budget(budget: u64) -> &'static str {
    match budget {
        0..=2_048 => "low",
        2_049..=8_192 => "medium",
        8_193..=16_384 => "high",
        16_385..=32_768 => "xhigh",
        _ => "max",
    }
}
