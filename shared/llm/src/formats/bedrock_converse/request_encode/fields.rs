//! `additionalModelRequestFields`: what only one vendor's models know, in that vendor's words.

use crate::caps::{ModelCaps, ModelFields};
use crate::formats::anthropic_messages::request_encode::thinking::{Plan, Thinking};
use crate::formats::openai_chat::request_encode::option::effort;
use crate::note::Notes;
use crate::request::{Reasoning, Request};
use serde::Serialize;

/// The names are the vendors', so their case varies.
#[derive(Debug, Default, Serialize)]
pub struct Additional {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(rename = "inferenceConfig", skip_serializing_if = "Option::is_none")]
    inference_config: Option<NovaInference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct NovaInference {
    #[serde(rename = "topK")]
    top_k: u64,
}

/// `top_k` is what of it the model may be sent.
pub fn of(
    request: &Request,
    caps: &ModelCaps,
    plan: &Plan,
    top_k: Option<u64>,
    notes: &mut Notes,
) -> Additional {
    let mut fields = Additional::default();
    match caps.model_fields {
        ModelFields::Anthropic => {
            fields.thinking = plan.thinking;
            fields.top_k = top_k;
            return fields;
        }
        ModelFields::Nova => fields.inference_config = top_k.map(|top_k| NovaInference { top_k }),
        ModelFields::OpenAi | ModelFields::None => {
            if top_k.is_some() {
                notes.loss("top_k", "not known how this model is told");
            }
        }
    }
    if request.reasoning != Reasoning::default() {
        fields.reasoning_effort = effort(&request.reasoning, caps, !request.tools.is_empty(), notes);
    }
    fields
}

/// Which of its own fields the model is asked to show: of Anthropic's the stop sequence that it met.
pub fn wanted_back(caps: &ModelCaps, stop_sequences: &[&str]) -> &'static [&'static str] {
    match caps.model_fields {
        ModelFields::Anthropic if !stop_sequences.is_empty() => &["/stop_sequence"],
        _ => &[],
    }
}

// === impl Additional ===

impl Additional {
    pub fn is_empty(&self) -> bool {
        self.thinking.is_none()
            && self.top_k.is_none()
            && self.inference_config.is_none()
            && self.reasoning_effort.is_none()
    }
}
