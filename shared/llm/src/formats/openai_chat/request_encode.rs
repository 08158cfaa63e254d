//! The neutral request to a Chat Completions upstream.
//!
//! A function of the request and the target alone, without counters or clocks, so that a conversation resent with
//! one more turn repeats the same bytes and the provider's prompt cache hits. Optional fields are sent only when
//! the client said something: many compatible servers refuse what they do not know.

mod message;
pub(in crate::formats) mod option;
mod part;
pub(in crate::formats) mod tool;
mod tool_result;

use self::message::WireMessage;
use self::option::{ResponseFormat, Sampling};
use self::tool::{WireChoice, WireTool};
use crate::caps::{CacheMarks, MaxTokensKey, ModelCaps, StreamUsage, WireName};
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::names;
use crate::note::Notes;
use crate::request::Request;
use crate::translate::Target;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The vendor's limit for `user` and `prompt_cache_key`.
const MAX_KEY_CHARS: usize = 64;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WireChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
    #[serde(flatten)]
    sampling: Sampling<'a>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'a String, &'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    modalities: Vec<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(flatten)]
    extensions: Option<&'a Map<String, Value>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

pub fn encode(request: &Request, target: &Target, notes: &mut Notes) -> Result<Vec<u8>, EncodeError> {
    let caps = &target.caps;
    let mut messages = message::encode(request, target, notes)?;
    let (tools, tool_choice) = tool::encode(request, notes)?;
    let (response_format, instruction) = option::response_format(&request.output, caps, notes);
    if let Some(text) = instruction {
        let end = messages.iter().take_while(|message| message.instructs()).count();
        messages.insert(end, WireMessage::instruction(text, caps.system_role));
    }

    let max_output = option::max_output(request.max_output, caps, notes);
    let (max_tokens, max_completion_tokens) = match caps.max_tokens_key {
        MaxTokensKey::MaxTokens => (max_output, None),
        MaxTokensKey::MaxCompletionTokens => (None, max_output),
    };
    let logprobs = option::logprobs(request.logprobs, caps, notes);
    let with_tools = !tools.is_empty();
    note_what_is_dropped(request, caps, notes);
    let body = Body {
        model: &target.model,
        messages,
        tool_choice,
        parallel_tool_calls: request.parallel_tools.filter(|_| with_tools),
        response_format,
        verbosity: request.verbosity.as_deref(),
        sampling: option::sampling(&request.sampling, caps, notes),
        stop: option::stop(&request.stop, caps, notes),
        max_tokens,
        max_completion_tokens,
        logprobs: logprobs.map(|_| true),
        top_logprobs: logprobs.filter(|top| *top > 0),
        reasoning_effort: option::effort(&request.reasoning, caps, with_tools, notes),
        prompt_cache_key: request
            .prompt_cache_key
            .as_deref()
            .map(|key| short("prompt_cache_key", key, notes)),
        user: request.user.as_deref().map(|user| short("user", user, notes)),
        metadata: request
            .metadata
            .iter()
            .filter(|_| request.store == Some(true))
            .collect(),
        service_tier: request.service_tier.as_deref(),
        store: request.store,
        modalities: modalities(&request.modalities),
        stream: request.stream,
        // the gateway accounts by it; the client sees it only if it asked
        stream_options: (request.stream && caps.stream_usage == StreamUsage::WhenAsked)
            .then_some(StreamOptions { include_usage: true }),
        extensions: request.extensions.get(&Dialect::OpenAiChat),
        tools,
    };
    Ok(serde_json::to_vec(&body).expect("every map key is a string"))
}

// === functions ===

/// A key that is too long is refused by the vendor; a shorter one that stands for it serves the same purpose.
fn short<'a>(field: &str, key: &'a str, notes: &mut Notes) -> Cow<'a, str> {
    if key.chars().count() <= MAX_KEY_CHARS {
        return Cow::Borrowed(key);
    }
    notes.info(
        field,
        format!("longer than {MAX_KEY_CHARS} characters; shortened with a hash"),
    );
    names::fit(key, WireName::UpTo(MAX_KEY_CHARS))
}

/// Text is always among them.
fn modalities(wanted: &[String]) -> Vec<&str> {
    if wanted.is_empty() {
        return Vec::new();
    }
    std::iter::once("text")
        .chain(wanted.iter().map(String::as_str))
        .collect()
}

fn note_what_is_dropped(request: &Request, caps: &ModelCaps, notes: &mut Notes) {
    if request.tools.is_empty() && request.parallel_tools.is_some() {
        notes.info("parallel_tool_calls", "means nothing without tools");
    }
    if !request.metadata.is_empty() && request.store != Some(true) {
        notes.loss("metadata", "accepted only together with store");
    }
    if caps.cache_marks == CacheMarks::None && has_cache_marks(request) {
        notes.info("cache_control", "the upstream caches prefixes by itself");
    }
    for (dialect, fields) in &request.extensions {
        if *dialect == Dialect::OpenAiChat {
            continue;
        }
        for field in fields.keys() {
            notes.loss(field.as_str(), "unknown to the upstream's API");
        }
    }
}

pub fn has_cache_marks(request: &Request) -> bool {
    let of_messages = request.messages.iter().flat_map(|message| &message.parts);
    request
        .system
        .iter()
        .chain(of_messages)
        .any(|part| part.cache.is_some())
        || request.tools.iter().any(|tool| tool.cache.is_some())
}

#[cfg(test)]
mod tests;
