//! What the client said about reasoning, in the words this model understands: a budget or a level, never both.

use crate::caps::{ModelCaps, ThinkingCaps};
use crate::note::Notes;
use crate::request::{Reasoning, ReasoningMode};
use serde_json::{Value, json};

/// Every effort any dialect knows, ascending.
const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// `thinkingConfig`. Explicit effort counts more than a budget, a budget more than the bare wish to think.
pub fn plan(
    reasoning: &Reasoning,
    caps: &ModelCaps,
    max_output: Option<u64>,
    notes: &mut Notes,
) -> Option<Value> {
    let effort = reasoning.effort.as_deref();
    let off = reasoning.mode == ReasoningMode::Off || effort == Some("none");
    let asked =
        off || effort.is_some() || reasoning.budget.is_some() || reasoning.mode != ReasoningMode::Unset;
    if !asked {
        return None;
    }
    match caps.thinking {
        ThinkingCaps::BudgetWithin {
            least,
            most,
            can_be_off,
        } => Some(budget(
            reasoning,
            off,
            (least, most),
            can_be_off,
            max_output,
            notes,
        )),
        ThinkingCaps::Effort(levels) => Some(level(reasoning, off, levels, notes)),
        _ if off => None,
        _ => {
            notes.loss("reasoning_effort", "the model does not think");
            None
        }
    }
}

// === functions ===

fn budget(
    reasoning: &Reasoning,
    off: bool,
    (least, most): (u64, u64),
    can_be_off: bool,
    max_output: Option<u64>,
    notes: &mut Notes,
) -> Value {
    if off && can_be_off {
        return json!({"thinkingBudget": 0});
    }
    if off {
        notes.loss(
            "reasoning_effort",
            format!("the model cannot stop thinking; its least is {least}"),
        );
        return json!({"thinkingBudget": least, "includeThoughts": false});
    }
    let wanted = match (reasoning.effort.as_deref(), reasoning.budget) {
        (Some(effort), _) => budget_of_level(effort),
        (None, Some(budget)) => budget,
        // the model's own choice
        (None, None) => return json!({"includeThoughts": true}),
    };
    // the answer needs room too: the limit includes the thoughts
    let room = max_output.map_or(u64::MAX, |max| max.saturating_sub((max / 4).max(1_024)));
    let budget = wanted.min(room).clamp(least, most);
    if budget != wanted {
        notes.info("thinking", format!("budget changed from {wanted} to {budget}"));
    }
    json!({"thinkingBudget": budget, "includeThoughts": true})
}

fn level(reasoning: &Reasoning, off: bool, levels: &[&str], notes: &mut Notes) -> Value {
    let wanted = match (reasoning.effort.as_deref(), reasoning.budget) {
        _ if off => "none",
        (Some(effort), _) => effort,
        (None, Some(budget)) => level_of_budget(budget),
        (None, None) => return json!({"includeThoughts": true}),
    };
    let rank = |level: &str| EFFORTS.iter().position(|known| *known == level);
    let wanted_rank = rank(wanted).unwrap_or(4);
    // the nearest level that is not below the wish, else the highest there is
    let level = levels
        .iter()
        .copied()
        .find(|level| rank(level) >= Some(wanted_rank));
    let level = level.or(levels.last().copied()).unwrap_or("high");
    if off {
        notes.loss(
            "reasoning_effort",
            format!("the model cannot stop thinking; its least is {level}"),
        );
    }
    json!({"thinkingLevel": level.to_ascii_uppercase(), "includeThoughts": !off})
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

fn level_of_budget(budget: u64) -> &'static str {
    match budget {
        0..=2_048 => "low",
        2_049..=8_192 => "medium",
        8_193..=16_384 => "high",
        16_385..=32_768 => "xhigh",
        _ => "max",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    fn planned(model: &str, effort: &str) -> Value {
        let reasoning = Reasoning {
            effort: Some(effort.to_owned()),
            ..Reasoning::default()
        };
        let caps = ModelCaps::of(Dialect::Gemini, model);
        plan(&reasoning, &caps, None, &mut Notes::default()).unwrap_or_default()
    }

    #[test]
    fn each_generation_gets_its_own_knob_and_only_that() {
        for (model, effort, expected) in [
            ("gemini-2.5-flash", "none", json!({"thinkingBudget": 0})),
            (
                "gemini-2.5-flash",
                "minimal",
                json!({"thinkingBudget": 1024, "includeThoughts": true}),
            ),
            (
                "gemini-2.5-flash",
                "xhigh",
                json!({"thinkingBudget": 24576, "includeThoughts": true}),
            ),
            (
                "gemini-2.5-pro",
                "none",
                json!({"thinkingBudget": 128, "includeThoughts": false}),
            ),
            (
                "gemini-2.5-pro",
                "medium",
                json!({"thinkingBudget": 8192, "includeThoughts": true}),
            ),
            (
                "gemini-3-pro-preview",
                "none",
                json!({"thinkingLevel": "LOW", "includeThoughts": false}),
            ),
            (
                "gemini-3-pro-preview",
                "medium",
                json!({"thinkingLevel": "HIGH", "includeThoughts": true}),
            ),
            (
                "gemini-3-pro-preview",
                "xhigh",
                json!({"thinkingLevel": "HIGH", "includeThoughts": true}),
            ),
            (
                "gemini-3-flash",
                "minimal",
                json!({"thinkingLevel": "MINIMAL", "includeThoughts": true}),
            ),
            (
                "gemini-3-flash",
                "medium",
                json!({"thinkingLevel": "MEDIUM", "includeThoughts": true}),
            ),
            ("gemini-2.0-flash", "high", Value::Null),
        ] {
            assert_eq!(planned(model, effort), expected, "{model} {effort}");
        }
    }

    #[test]
    fn nothing_asked_says_nothing() {
        let caps = ModelCaps::of(Dialect::Gemini, "gemini-3-pro");
        assert_eq!(
            plan(&Reasoning::default(), &caps, None, &mut Notes::default()),
            None
        );
    }
}
