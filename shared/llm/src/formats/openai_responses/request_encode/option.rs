//! Options in the words and within the limits of one model.

use super::super::super::openai_chat::request_encode::option as chat;
use crate::caps::{CacheMarks, ModelCaps, ThinkingCaps, WireName};
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::names;
use crate::note::Notes;
use crate::request::{JsonSchema, Output, Reasoning, ReasoningMode, Request, Sampling};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The vendor's limit for `user` and `prompt_cache_key`.
const MAX_KEY_CHARS: usize = 64;
/// The vendor refuses less.
const MIN_OUTPUT: u64 = 16;

#[derive(Serialize)]
pub struct Text<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<TextFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum TextFormat<'a> {
    JsonObject,
    JsonSchema {
        name: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        schema: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

#[derive(Serialize)]
pub struct WireReasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

pub fn refuse_audio(request: &Request) -> Result<(), EncodeError> {
    if !request.modalities.iter().any(|modality| modality == "audio") {
        return Ok(());
    }
    let message = format!("audio output is not supported by model '{}'", request.model);
    Err(EncodeError::unsupported("modalities", message))
}

pub fn text(request: &Request) -> Option<Text<'_>> {
    let format = match &request.output {
        Output::Text => None,
        Output::JsonObject => Some(TextFormat::JsonObject),
        Output::JsonSchema(schema) => Some(json_schema(schema)),
    };
    let verbosity = request.verbosity.as_deref();
    (format.is_some() || verbosity.is_some()).then_some(Text { format, verbosity })
}

/// The two knobs this API has; the others are dropped.
pub fn sampling(asked: &Sampling, caps: &ModelCaps, notes: &mut Notes) -> (Option<f64>, Option<f64>) {
    const UNKNOWN: &str = "not a field of the upstream's API";
    for (given, field) in [
        (asked.top_k.is_some(), "top_k"),
        (asked.seed.is_some(), "seed"),
        (asked.frequency_penalty.is_some(), "frequency_penalty"),
        (asked.presence_penalty.is_some(), "presence_penalty"),
        (asked.logit_bias.is_some(), "logit_bias"),
    ] {
        if given {
            notes.loss(field, UNKNOWN);
        }
    }
    if caps.sampling_ok {
        return (asked.temperature, asked.top_p);
    }
    for (given, field) in [
        (asked.temperature.is_some(), "temperature"),
        (asked.top_p.is_some(), "top_p"),
    ] {
        if given {
            notes.loss(field, "not accepted by this model");
        }
    }
    (None, None)
}

pub fn logprobs(wanted: Option<u8>, caps: &ModelCaps, notes: &mut Notes) -> Option<u8> {
    chat::logprobs(wanted, caps, notes)
}

pub fn max_output(wanted: Option<u64>, caps: &ModelCaps, notes: &mut Notes) -> Option<u64> {
    let wanted = chat::max_output(wanted, caps, notes)?;
    if wanted < MIN_OUTPUT {
        notes.loss(
            "max_output_tokens",
            format!("raised from {wanted} to the least the API accepts, {MIN_OUTPUT}"),
        );
    }
    Some(wanted.max(MIN_OUTPUT))
}

/// A summary is all that can be had of the thoughts, and is only worth its tokens for whoever asked to see them.
pub fn reasoning(
    asked: &Reasoning,
    caps: &ModelCaps,
    with_tools: bool,
    notes: &mut Notes,
) -> Option<WireReasoning> {
    let effort = chat::effort(asked, caps, with_tools, notes);
    let wants_to_see =
        asked.budget.is_some() || matches!(asked.mode, ReasoningMode::On | ReasoningMode::Adaptive);
    let thinks = matches!(caps.thinking, ThinkingCaps::Effort(_)) && asked.mode != ReasoningMode::Off;
    let summary = (wants_to_see && thinks).then_some("auto");
    (effort.is_some() || summary.is_some()).then_some(WireReasoning { effort, summary })
}

pub fn include(caps: &ModelCaps, logprobs: bool) -> Vec<&'static str> {
    let encrypted = matches!(caps.thinking, ThinkingCaps::Effort(_)).then_some("reasoning.encrypted_content");
    let logprobs = logprobs.then_some("message.output_text.logprobs");
    encrypted.into_iter().chain(logprobs).collect()
}

/// A key that is too long is refused; a shorter one that stands for it serves the same purpose.
pub fn key<'a>(field: &str, key: Option<&'a str>, notes: &mut Notes) -> Option<Cow<'a, str>> {
    let key = key?;
    if key.chars().count() <= MAX_KEY_CHARS {
        return Some(Cow::Borrowed(key));
    }
    notes.info(
        field,
        format!("longer than {MAX_KEY_CHARS} characters; shortened with a hash"),
    );
    Some(names::fit(key, WireName::UpTo(MAX_KEY_CHARS)))
}

/// Anthropic's word for the same thing is understood.
pub fn service_tier<'a>(tier: Option<&'a str>, notes: &mut Notes) -> Option<&'a str> {
    match tier? {
        "standard_only" => Some("default"),
        tier @ ("auto" | "default" | "flex" | "scale" | "priority") => Some(tier),
        tier => {
            notes.loss("service_tier", format!("'{tier}' is not a tier of the upstream"));
            None
        }
    }
}

pub fn note_what_is_dropped(request: &Request, caps: &ModelCaps, notes: &mut Notes) {
    if !request.stop.is_empty() {
        notes.loss("stop", "not a field of the upstream's API");
    }
    if request.store == Some(true) {
        notes.loss("store", "nothing is kept at the upstream");
    }
    if request.tools.is_empty() && request.parallel_tools.is_some() {
        notes.info("parallel_tool_calls", "means nothing without tools");
    }
    let marked = request
        .system
        .iter()
        .chain(request.messages.iter().flat_map(|message| &message.parts))
        .any(|part| part.cache.is_some());
    if caps.cache_marks == CacheMarks::None
        && (marked || request.tools.iter().any(|tool| tool.cache.is_some()))
    {
        notes.info("cache_control", "the upstream caches prefixes by itself");
    }
    let foreign = request
        .extensions
        .iter()
        .filter(|(dialect, _)| **dialect != Dialect::OpenAiResponses);
    for field in foreign.flat_map(|(_, fields)| fields.keys()) {
        notes.loss(field.as_str(), "unknown to the upstream's API");
    }
}

// === functions ===

fn json_schema(schema: &JsonSchema) -> TextFormat<'_> {
    let name = schema.name.as_deref().filter(|name| !name.is_empty());
    TextFormat::JsonSchema {
        name: names::fit(name.unwrap_or("response"), WireName::UpTo(64)),
        description: schema.description.as_deref(),
        schema: &schema.schema,
        strict: schema.strict,
    }
}
