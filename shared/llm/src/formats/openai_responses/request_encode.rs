//! The neutral request to a Responses upstream.
//!
//! Nothing is kept at the vendor: the whole conversation is sent every time, and reasoning comes back encrypted so
//! that it can be sent along. A function of the request and the target alone, so that the provider's prompt cache
//! hits.

mod input;
mod option;
mod part;
mod tool;

use self::input::Item;
use self::option::{Text, WireReasoning};
use self::tool::{WireChoice, WireTool};
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::Request;
use crate::translate::Target;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    input: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WireChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<WireReasoning>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    store: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(flatten)]
    extensions: Option<&'a Map<String, Value>>,
}

pub fn encode(request: &Request, target: &Target, notes: &mut Notes) -> Result<Vec<u8>, EncodeError> {
    let caps = &target.caps;
    option::refuse_audio(request)?;
    option::note_what_is_dropped(request, caps, notes);
    let (instructions, input) = input::encode(request, target, notes)?;
    let (tools, tool_choice) = tool::encode(request, notes)?;
    let (temperature, top_p) = option::sampling(&request.sampling, caps, notes);
    let logprobs = option::logprobs(request.logprobs, caps, notes);
    let body = Body {
        model: &target.model,
        instructions,
        input,
        tool_choice,
        parallel_tool_calls: request.parallel_tools.filter(|_| !tools.is_empty()),
        text: option::text(request),
        temperature,
        top_p,
        top_logprobs: logprobs.filter(|top| *top > 0),
        max_output_tokens: option::max_output(request.max_output, caps, notes),
        reasoning: option::reasoning(&request.reasoning, caps, !tools.is_empty(), notes),
        include: option::include(caps, logprobs.is_some()),
        prompt_cache_key: option::key("prompt_cache_key", request.prompt_cache_key.as_deref(), notes),
        user: option::key("user", request.user.as_deref(), notes),
        metadata: &request.metadata,
        service_tier: option::service_tier(request.service_tier.as_deref(), notes),
        store: false,
        stream: request.stream,
        extensions: request.extensions.get(&Dialect::OpenAiResponses),
        tools,
    };
    Ok(serde_json::to_vec(&body).expect("every map key is a string"))
}

#[cfg(test)]
mod tests;
