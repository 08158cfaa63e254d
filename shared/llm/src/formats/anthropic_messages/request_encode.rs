//! The neutral request to an Anthropic upstream.
//!
//! The API is strict: roles alternate, a tool result follows its call at once and first in its message, text is
//! never blank, names and ids keep to a small alphabet, `max_tokens` is required. Everything here is a function
//! of the request alone, without counters or clocks, so that a conversation resent with one more turn starts
//! with the same bytes and the vendor's prompt cache hits.

pub(in crate::formats) mod block;
pub(in crate::formats) mod cache;
pub(in crate::formats) mod input;
pub(in crate::formats) mod media;
pub(in crate::formats) mod output;
pub(in crate::formats) mod sampling;
pub(in crate::formats) mod thinking;
mod tool;
pub(in crate::formats) mod turn;

use self::block::Block;
use self::output::OutputFormat;
use self::thinking::Thinking;
use self::tool::{WireChoice, WireTool};
use self::turn::Turn;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::Request;
use crate::translate::Target;
use serde::Serialize;
use serde_json::{Map, Value};

/// Used when neither the client nor the catalogue knows a limit; every model of the vendor accepts it.
const DEFAULT_MAX_TOKENS: u64 = 8_192;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WireChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(flatten)]
    extensions: Option<&'a Map<String, Value>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutputFormat>,
}

pub fn encode(request: &Request, target: &Target, notes: &mut Notes) -> Result<Vec<u8>, EncodeError> {
    refuse_what_would_change_the_answer(request, target)?;
    let caps = &target.caps;

    let mut system = block::system(&request.system);
    let mut messages = turn::encode(request, target, notes)?;
    turn::open_with_user(&mut messages, &mut system, notes)?;
    let (mut tools, mut tool_choice) = tool::encode(request, target, notes)?;

    let max_tokens = max_tokens(request, target, notes);
    let mut plan = thinking::plan(&request.reasoning, caps, max_tokens, notes);
    let forced = tool_choice.as_ref().is_some_and(WireChoice::is_forced);
    plan.reconcile(&turn::surroundings(&messages, forced), notes);

    let format = match output::plan(request, target, plan.thinks(), notes) {
        output::Plan::Text => None,
        output::Plan::Native(format) => Some(format),
        output::Plan::Instruction(text) => {
            system.push(Block::owned_text(text));
            None
        }
        output::Plan::Tool(tool, choice) => {
            tools.push(tool);
            tool_choice = Some(choice);
            None
        }
    };
    cache::limit(&mut tools, &mut system, &mut messages, notes);

    let sampling = sampling::sampling(request, target, plan.thinks(), notes);
    note_what_is_dropped(request, notes);
    let body = Body {
        model: &target.model,
        max_tokens,
        system,
        messages,
        tools,
        tool_choice,
        thinking: plan.thinking,
        output_config: OutputConfig {
            effort: plan.effort,
            format,
        },
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences: sampling::stop_sequences(&request.stop, notes),
        metadata: request.user.as_deref().map(|user_id| Metadata { user_id }),
        service_tier: service_tier(request.service_tier.as_deref(), notes),
        stream: request.stream,
        extensions: request.extensions.get(&Dialect::AnthropicMessages),
    };
    Ok(serde_json::to_vec(&body).expect("every map key is a string"))
}

// === impl OutputConfig ===

impl OutputConfig<'_> {
    fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

// === functions ===

fn refuse_what_would_change_the_answer(request: &Request, target: &Target) -> Result<(), EncodeError> {
    let model = &target.model;
    if request.sampling.n.is_some_and(|n| n > 1) {
        return Err(EncodeError::unsupported(
            "n",
            format!("n>1 is not supported by model '{model}'"),
        ));
    }
    if request.modalities.iter().any(|modality| modality == "audio") {
        let message = format!("audio output is not supported by model '{model}'");
        return Err(EncodeError::unsupported("modalities", message));
    }
    Ok(())
}

fn max_tokens(request: &Request, target: &Target, notes: &mut Notes) -> u64 {
    let limit = target.caps.max_output;
    let Some(wanted) = request.max_output else {
        let made_up = limit.unwrap_or(DEFAULT_MAX_TOKENS);
        notes.synth(
            "max_tokens",
            format!("required by the upstream; set to {made_up}"),
        );
        return made_up;
    };
    match limit {
        Some(limit) if wanted > limit => {
            notes.loss(
                "max_tokens",
                format!("lowered from {wanted} to the model's limit {limit}"),
            );
            limit
        }
        _ => wanted,
    }
}

fn service_tier(tier: Option<&str>, notes: &mut Notes) -> Option<&'static str> {
    match tier? {
        "auto" => Some("auto"),
        "default" => Some("standard_only"),
        other => {
            notes.loss("service_tier", format!("'{other}' has no equivalent"));
            None
        }
    }
}

fn note_what_is_dropped(request: &Request, notes: &mut Notes) {
    let sampling = &request.sampling;
    let dropped = [
        (
            "frequency_penalty",
            sampling.frequency_penalty.is_some_and(|p| p != 0.0),
        ),
        (
            "presence_penalty",
            sampling.presence_penalty.is_some_and(|p| p != 0.0),
        ),
        ("seed", sampling.seed.is_some()),
        ("logit_bias", sampling.logit_bias.is_some()),
        ("logprobs", request.logprobs.is_some()),
        ("verbosity", request.verbosity.is_some()),
        ("prompt_cache_key", request.prompt_cache_key.is_some()),
        ("metadata", !request.metadata.is_empty()),
        ("store", request.store == Some(true)),
    ];
    for (field, present) in dropped {
        if present {
            notes.loss(field, "not supported by the upstream's API");
        }
    }
    for (dialect, fields) in &request.extensions {
        if *dialect == Dialect::AnthropicMessages {
            continue;
        }
        for field in fields.keys() {
            notes.loss(field.as_str(), "unknown to the upstream's API");
        }
    }
}

#[cfg(test)]
mod tests;
