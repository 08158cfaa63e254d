//! The neutral request to an upstream of this dialect.
//!
//! A function of the request and the target alone, so that a conversation sent again repeats the same bytes. What
//! the client did not say is not said for it: above all no `num_predict`, which would cut answers short.

mod message;
mod option;
mod tool;

use self::message::WireMessage;
use self::option::{Format, Options, Think};
use self::tool::WireTool;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::Request;
use crate::translate::Target;
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    /// The API streams unless it is told not to.
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Options::is_empty")]
    options: Options<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(flatten)]
    extensions: Map<String, Value>,
}

pub fn encode(request: &Request, target: &Target, notes: &mut Notes) -> Result<Vec<u8>, EncodeError> {
    let own = request.extensions.get(&Dialect::OllamaChat);
    let mut extensions = own.cloned().unwrap_or_default();
    let other_options = extensions.shift_remove("options");
    note_what_is_dropped(request, notes);
    let body = Body {
        model: &target.model,
        messages: message::encode(request, target, notes)?,
        tools: tool::encode(request, notes)?,
        stream: request.stream,
        format: option::format(&request.output),
        options: option::options(request, other_options, &target.caps, notes),
        think: option::think(&request.reasoning, &target.caps, notes),
        logprobs: request.logprobs.map(|_| true),
        top_logprobs: request.logprobs.filter(|top| *top > 0),
        extensions,
    };
    Ok(serde_json::to_vec(&body).expect("every map key is a string"))
}

// === functions ===

fn note_what_is_dropped(request: &Request, notes: &mut Notes) {
    const WHY: &str = "not a field of the upstream's API";
    let dropped = [
        ("logit_bias", request.sampling.logit_bias.is_some()),
        ("verbosity", request.verbosity.is_some()),
        ("user", request.user.is_some()),
        ("metadata", !request.metadata.is_empty()),
        ("service_tier", request.service_tier.is_some()),
        ("store", request.store == Some(true)),
        ("prompt_cache_key", request.prompt_cache_key.is_some()),
        ("modalities", !request.modalities.is_empty()),
        ("parallel_tool_calls", request.parallel_tools == Some(false)),
    ];
    for (field, said) in dropped {
        if said {
            notes.loss(field, WHY);
        }
    }
    let cached = |parts: &[crate::request::Part]| parts.iter().any(|part| part.cache.is_some());
    let marked = cached(&request.system)
        || request.messages.iter().any(|message| cached(&message.parts))
        || request.tools.iter().any(|tool| tool.cache.is_some());
    if marked {
        notes.loss("cache_control", WHY);
    }
    for dialect in request
        .extensions
        .keys()
        .filter(|dialect| **dialect != Dialect::OllamaChat)
    {
        notes.loss("extensions", format!("fields only {dialect} understands"));
    }
}
