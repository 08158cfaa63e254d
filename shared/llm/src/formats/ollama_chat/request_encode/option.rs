//! Options in the words and within the limits of one model.

use crate::caps::{ModelCaps, ThinkingCaps};
use crate::formats::openai_chat::request_encode::option::{effort, max_output};
use crate::note::Notes;
use crate::request::{Output, Reasoning, ReasoningMode, Request};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

#[derive(Serialize)]
#[serde(untagged)]
pub enum Format<'a> {
    Word(&'static str),
    Schema(&'a RawValue),
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Think {
    Switch(bool),
    Level(&'static str),
}

#[derive(Serialize)]
pub struct Options<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u64>,
    /// What only this dialect has a word for.
    #[serde(flatten)]
    others: Map<String, Value>,
}

// === impl Options ===

impl Options<'_> {
    pub fn is_empty(&self) -> bool {
        let floats = [
            self.temperature,
            self.top_p,
            self.frequency_penalty,
            self.presence_penalty,
        ];
        floats.iter().all(Option::is_none)
            && self.top_k.is_none()
            && self.seed.is_none()
            && self.stop.is_empty()
            && self.num_predict.is_none()
            && self.others.is_empty()
    }
}

// === functions ===

/// A schema goes as it is: the server turns it into a grammar.
pub fn format(output: &Output) -> Option<Format<'_>> {
    match output {
        Output::Text => None,
        Output::JsonObject => Some(Format::Word("json")),
        Output::JsonSchema(schema) => Some(Format::Schema(&schema.schema)),
    }
}

pub fn options<'a>(
    request: &'a Request,
    others: Option<Value>,
    caps: &ModelCaps,
    notes: &mut Notes,
) -> Options<'a> {
    let sampling = &request.sampling;
    Options {
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        frequency_penalty: sampling.frequency_penalty,
        presence_penalty: sampling.presence_penalty,
        seed: sampling.seed,
        stop: &request.stop,
        num_predict: max_output(request.max_output, caps, notes),
        others: match others {
            Some(Value::Object(others)) => others,
            _ => Map::new(),
        },
    }
}

/// A level for models that have levels, which cannot be switched off; a switch for all others.
pub fn think(reasoning: &Reasoning, caps: &ModelCaps, notes: &mut Notes) -> Option<Think> {
    if matches!(caps.thinking, ThinkingCaps::Effort(_)) {
        return effort(reasoning, caps, false, notes).map(Think::Level);
    }
    let said =
        reasoning.mode != ReasoningMode::Unset || reasoning.effort.is_some() || reasoning.budget.is_some();
    let off = reasoning.mode == ReasoningMode::Off || reasoning.effort.as_deref() == Some("none");
    if said && !off && (reasoning.effort.is_some() || reasoning.budget.is_some()) {
        notes.info("reasoning_effort", "thinking can only be switched on or off");
    }
    said.then_some(Think::Switch(!off))
}
