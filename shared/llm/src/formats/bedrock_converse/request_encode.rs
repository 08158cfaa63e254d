//! The neutral request to Converse.
//!
//! The API is strict: roles alternate and the user opens, text is never blank, a document stands beside a text, tools
//! are declared wherever calls are, names and ids keep to a small alphabet. Everything here is a function of the request
//! alone, so that a conversation resent with one more turn starts with the same bytes and prompt caches hit.

mod block;
mod cache;
mod document;
mod fields;
mod option;
mod output;
mod tool;
mod turn;

use self::block::Block;
use self::fields::Additional;
use self::option::{Inference, ServiceTier};
use self::output::OutputConfig;
use self::tool::ToolConfig;
use self::turn::Turn;
use crate::caps::{ModelCaps, ModelFields};
use crate::error::EncodeError;
use crate::formats::anthropic_messages::request_encode::sampling;
use crate::formats::anthropic_messages::request_encode::thinking::{self, Plan, Thinking};
use crate::note::Notes;
use crate::request::Request;
use crate::translate::Target;
use serde::Serialize;
use std::collections::BTreeMap;

/// What an answer is taken to be allowed where nobody knows a limit, so that thinking can be told its share.
const ASSUMED_MAX_TOKENS: u64 = 8_192;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Inference::is_empty")]
    inference_config: Inference<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'a>,
    #[serde(skip_serializing_if = "Additional::is_empty")]
    additional_model_request_fields: Additional,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    additional_model_response_field_paths: &'static [&'static str],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    request_metadata: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<ServiceTier>,
}

pub fn encode(request: &Request, target: &Target, notes: &mut Notes) -> Result<Vec<u8>, EncodeError> {
    option::refuse_what_would_change_the_answer(request, target)?;
    let caps = &target.caps;

    let mut system = block::system(&request.system, caps);
    let mut messages = turn::encode(request, target, notes)?;
    turn::open_with_user(&mut messages, &mut system, notes)?;
    let mut tool_config = tool::encode(request, caps, notes)?;

    let mut max_tokens = option::max_tokens(request, caps, notes);
    let forced = tool_config.as_ref().is_some_and(ToolConfig::is_forced);
    let mut plan = plan(request, caps, max_tokens, notes);
    plan.reconcile(&turn::surroundings(&messages, forced), notes);
    if let (Some(Thinking::Enabled { .. }), None) = (plan.thinking, max_tokens) {
        let room = room(caps);
        notes.synth(
            "max_tokens",
            format!("set to {room}, which the budget of thinking is a part of"),
        );
        max_tokens = Some(room);
    }

    let answer = output::plan(request, caps, plan.thinks(), notes);
    let mut output_config = OutputConfig {
        text_format: None,
        effort: plan.effort,
    };
    match answer {
        output::Plan::Text => {}
        output::Plan::Native(format) => output_config.text_format = Some(format),
        output::Plan::Instruction(text) => system.push(Block::text(text)),
        output::Plan::Tool(only) => tool_config = Some(only),
    }
    let tools = tool_config.as_mut().map(|config| &mut config.tools);
    cache::limit(tools, &mut system, &mut messages, notes);

    let kept = sampling::sampling(request, target, plan.thinks(), notes);
    let stop_sequences = sampling::stop_sequences(&request.stop, notes);
    let additional_model_request_fields = fields::of(request, caps, &plan, kept.top_k, notes);
    option::note_what_is_dropped(request, caps, notes);
    let body = Body {
        system,
        messages,
        tool_config,
        output_config,
        additional_model_request_fields,
        additional_model_response_field_paths: fields::wanted_back(caps, &stop_sequences),
        inference_config: Inference {
            max_tokens,
            temperature: kept.temperature,
            top_p: kept.top_p,
            stop_sequences,
        },
        request_metadata: option::metadata(request, notes),
        service_tier: option::service_tier(request, notes),
    };
    Ok(serde_json::to_vec(&body).expect("every map key is a string"))
}

/// Thinking in Anthropic's words; other vendors' models are told in `fields`.
fn plan(request: &Request, caps: &ModelCaps, max_tokens: Option<u64>, notes: &mut Notes) -> Plan {
    if caps.model_fields != ModelFields::Anthropic {
        return Plan::off();
    }
    thinking::plan(
        &request.reasoning,
        caps,
        max_tokens.unwrap_or_else(|| room(caps)),
        notes,
    )
}

fn room(caps: &ModelCaps) -> u64 {
    caps.max_output.unwrap_or(ASSUMED_MAX_TOKENS)
}

#[cfg(test)]
mod tests;
