//! Options in the words and within the limits of one model.

use crate::caps::{ModelCaps, ThinkingCaps, WireName};
use crate::names;
use crate::note::Notes;
use crate::request::{self, JsonSchema, Output, Reasoning, ReasoningMode};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Every effort any model knows, ascending.
const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ResponseFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: WireSchema<'a> },
}

#[derive(Serialize)]
pub struct WireSchema<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize, Default)]
pub struct Sampling<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logit_bias: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
}

/// The format, and an instruction to append where the model has no structured output.
pub fn response_format<'a>(
    output: &'a Output,
    caps: &ModelCaps,
    notes: &mut Notes,
) -> (Option<ResponseFormat<'a>>, Option<String>) {
    match output {
        Output::Text => (None, None),
        Output::JsonObject => (Some(ResponseFormat::JsonObject), None),
        Output::JsonSchema(schema) if caps.json_schema => (
            Some(ResponseFormat::JsonSchema {
                json_schema: wire_schema(schema),
            }),
            None,
        ),
        Output::JsonSchema(schema) => {
            notes.loss(
                "response_format",
                "the model follows a schema only by instruction",
            );
            let text = format!(
                "Answer with one JSON object that matches this JSON Schema:\n{}",
                schema.schema
            );
            (Some(ResponseFormat::JsonObject), Some(text))
        }
    }
}

pub fn sampling<'a>(asked: &'a request::Sampling, caps: &ModelCaps, notes: &mut Notes) -> Sampling<'a> {
    let mut kept = Sampling {
        temperature: asked.temperature,
        top_p: asked.top_p,
        frequency_penalty: asked.frequency_penalty,
        presence_penalty: asked.presence_penalty,
        seed: asked.seed,
        logit_bias: asked.logit_bias.as_ref(),
        n: asked.n,
    };
    if asked.top_k.is_some() {
        notes.loss("top_k", "not a field of the upstream's API");
    }
    if !caps.sampling_ok {
        const WHY: &str = "not accepted by this model";
        drop(&mut kept.temperature, "temperature", WHY, notes);
        drop(&mut kept.top_p, "top_p", WHY, notes);
        drop(&mut kept.frequency_penalty, "frequency_penalty", WHY, notes);
        drop(&mut kept.presence_penalty, "presence_penalty", WHY, notes);
        drop(&mut kept.logit_bias, "logit_bias", WHY, notes);
    }
    if kept.temperature.is_some() && !caps.temp_and_top_p_ok {
        drop(
            &mut kept.top_p,
            "top_p",
            "not accepted together with temperature",
            notes,
        );
    }
    kept
}

pub fn logprobs(wanted: Option<u8>, caps: &ModelCaps, notes: &mut Notes) -> Option<u8> {
    if wanted.is_some() && !caps.sampling_ok {
        notes.loss("logprobs", "not accepted by this model");
        return None;
    }
    wanted
}

pub fn stop<'a>(stop: &'a [String], caps: &ModelCaps, notes: &mut Notes) -> &'a [String] {
    let most = caps.max_stop.unwrap_or(usize::MAX);
    if stop.len() > most {
        notes.loss(
            "stop",
            format!("only the first {most} of {} are accepted", stop.len()),
        );
    }
    &stop[..stop.len().min(most)]
}

pub fn max_output(wanted: Option<u64>, caps: &ModelCaps, notes: &mut Notes) -> Option<u64> {
    match (wanted, caps.max_output) {
        (Some(wanted), Some(limit)) if wanted > limit => {
            notes.loss(
                "max_tokens",
                format!("lowered from {wanted} to the model's limit {limit}"),
            );
            Some(limit)
        }
        (wanted, _) => wanted,
    }
}

/// Explicit effort counts more than a budget, a budget more than the bare wish to think.
pub fn effort(
    reasoning: &Reasoning,
    caps: &ModelCaps,
    with_tools: bool,
    notes: &mut Notes,
) -> Option<&'static str> {
    let off = reasoning.mode == ReasoningMode::Off;
    let wanted = match (reasoning.effort.as_deref(), reasoning.budget) {
        (Some(effort), _) => effort,
        (None, _) if off => "none",
        (None, Some(budget)) => effort_of_budget(budget),
        (None, None) => match reasoning.mode {
            ReasoningMode::Adaptive => "high",
            ReasoningMode::On => "medium",
            ReasoningMode::Off | ReasoningMode::Unset => return None,
        },
    };
    let ThinkingCaps::Effort(levels) = caps.thinking else {
        if wanted != "none" {
            notes.loss("reasoning_effort", "the model takes no effort");
        }
        return None;
    };
    if with_tools && !caps.effort_with_tools {
        notes.loss(
            "reasoning_effort",
            "the model does not accept it together with tools",
        );
        return None;
    }
    let chosen = nearest(wanted, levels)?;
    if wanted == "none" && !matches!(chosen, "none" | "minimal") {
        // its lowest effort may be more than what it does unasked
        notes.loss("reasoning_effort", "the model cannot be told not to think");
        return None;
    }
    if chosen != wanted {
        notes.loss(
            "reasoning_effort",
            format!("'{wanted}' is not a level of this model; sent as '{chosen}'"),
        );
    }
    Some(chosen)
}

// === functions ===

fn wire_schema(schema: &JsonSchema) -> WireSchema<'_> {
    let name = schema
        .name
        .as_deref()
        .filter(|name| !name.is_empty())
        .unwrap_or("response");
    WireSchema {
        name: names::fit(name, WireName::UpTo(64)),
        description: schema.description.as_deref(),
        schema: &schema.schema,
        strict: schema.strict,
    }
}

fn drop<T>(slot: &mut Option<T>, field: &str, why: &str, notes: &mut Notes) {
    if slot.take().is_some() {
        notes.loss(field, why);
    }
}

/// The highest level that is not above the wish, else the lowest. An unknown word asks for the most.
fn nearest(wanted: &str, levels: &'static [&'static str]) -> Option<&'static str> {
    let rank = |effort: &str| {
        EFFORTS
            .iter()
            .position(|known| *known == effort)
            .unwrap_or(EFFORTS.len())
    };
    let wish = rank(wanted);
    levels
        .iter()
        .rev()
        .find(|level| rank(level) <= wish)
        .or_else(|| levels.first())
        .copied()
}

/// The inverse of the budgets that efforts stand for, so that a round trip keeps the level.
fn effort_of_budget(budget: u64) -> &'static str {
    match budget {
        0..=2_048 => "low",
        2_049..=8_192 => "medium",
        8_193..=16_384 => "high",
        16_385..=32_768 => "xhigh",
        _ => "max",
    }
}
