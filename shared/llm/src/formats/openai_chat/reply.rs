//! Whole replies, both ways.

use super::assembly::Assembly;
use super::scalar::Scalar;
use super::usage::UsageReport;
use super::wire::Chunk;
use super::{annotation, call_signature, finish, image, reasoning};
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind};
use crate::finish::FinishReason;
use crate::format::ReplySeed;
use crate::reply::{Choice, Reply, ReplyPart};
use crate::request::{ToolArguments, ToolCall};
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
struct Completion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<WireChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageReport>,
    system_fingerprint: Option<&'a str>,
}

#[derive(Serialize)]
struct WireChoice<'a> {
    index: usize,
    message: WireMessage<'a>,
    logprobs: Option<&'a Value>,
    finish_reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_finish_reason: Option<&'a str>,
}

#[derive(Serialize, Default)]
struct WireMessage<'a> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    annotations: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    /// OpenRouter's extension.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Value>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    #[serde(flatten)]
    kind: CallKind<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Value>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum CallKind<'a> {
    Function { function: Function<'a> },
    Custom { custom: Custom<'a> },
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Custom<'a> {
    name: &'a str,
    input: &'a str,
}

/// The events a stream of the same reply would have had.
pub fn decode(body: &[u8]) -> Result<Vec<Event>, UpstreamError> {
    let Ok(mut chunk) = serde_json::from_slice::<Chunk<'_>>(body) else {
        return Err(not_a_reply(body));
    };
    if chunk.error().is_none() && chunk.choices.as_ref().is_none_or(Vec::is_empty) {
        return Err(not_a_reply(body));
    }
    let messages = chunk
        .choices
        .iter_mut()
        .flatten()
        .filter_map(|choice| choice.message.as_mut());
    for message in messages {
        // in a whole message every entry is a call of its own, whatever ids say
        for (i, call) in message.tool_calls.iter_mut().flatten().enumerate() {
            call.index = Scalar::Count(i as u64);
        }
    }
    let mut assembly = Assembly::default();
    let mut events = Vec::new();
    assembly.chunk(&chunk, &mut events);
    assembly.done(&mut events);
    match events.pop() {
        Some(Event {
            kind: EventKind::Error(error),
            ..
        }) => Err(error),
        last => Ok(events.into_iter().chain(last).collect()),
    }
}

pub fn encode(reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
    let completion = Completion {
        id: format!("chatcmpl-{}", seed.id),
        object: "chat.completion",
        created: seed.created,
        model: &seed.model,
        choices: reply
            .choices
            .iter()
            .enumerate()
            .map(|(index, choice)| wire_choice(index, choice))
            .collect(),
        usage: (!reply.usage.is_absent()).then(|| UsageReport::of(&reply.usage)),
        system_fingerprint: None,
    };
    serde_json::to_vec(&completion).expect("every map key is a string")
}

// === functions ===

/// A 2xx that is not a completion: an error envelope of some shape, a page, or nothing.
fn not_a_reply(body: &[u8]) -> UpstreamError {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let envelope = value.get(0).unwrap_or(&value);
    if envelope.get("error").is_some_and(|error| !error.is_null()) || envelope["object"] == "error" {
        return classify_in_band(envelope);
    }
    let message = match body.trim_ascii() {
        [] => "upstream sent an empty reply",
        _ if value.is_null() => "upstream sent a reply that is not JSON",
        _ => "upstream sent JSON that is not a chat completion",
    };
    UpstreamError::new(ErrorKind::MalformedUpstream, message)
}

fn wire_choice(index: usize, choice: &Choice) -> WireChoice<'_> {
    let mut message = wire_message(&choice.parts);
    message.images = choice.media.iter().map(image::write).collect();
    let reason = choice
        .finish
        .as_ref()
        .map_or(FinishReason::Stop, |finish| finish.reason);
    let native = choice.finish.as_ref().map(|finish| finish.native.as_str());
    WireChoice {
        index,
        logprobs: choice.logprobs.as_ref(),
        finish_reason: finish::write(reason, message.refusal.is_some()),
        native_finish_reason: native.filter(|native| !native.is_empty()),
        message,
    }
}

fn wire_message(parts: &[ReplyPart]) -> WireMessage<'_> {
    let mut message = WireMessage {
        role: "assistant",
        ..WireMessage::default()
    };
    let mut thoughts: Vec<&str> = Vec::new();
    for part in parts {
        match part {
            ReplyPart::Text { text, citations } => say(text, citations, &mut message),
            ReplyPart::Refusal(text) => message.refusal.get_or_insert_default().push_str(text),
            ReplyPart::ToolCall(call) => message.tool_calls.push(wire_call(call)),
            ReplyPart::Reasoning { text, opaque } => {
                thoughts.extend((!text.is_empty()).then_some(text.as_str()));
                let index = message.reasoning_details.len();
                message
                    .reasoning_details
                    .extend(opaque.iter().map(|opaque| reasoning::signed(opaque, text, index)));
            }
            ReplyPart::RedactedReasoning(opaque) => {
                message
                    .reasoning_details
                    .push(reasoning::encrypted(opaque, message.reasoning_details.len()));
            }
        }
    }
    message.reasoning_content = (!thoughts.is_empty()).then(|| thoughts.join("\n\n"));
    if message.content.is_none() && message.tool_calls.is_empty() && message.refusal.is_none() {
        message.content = Some(String::new());
    }
    message
}

fn say(text: &str, citations: &[Value], message: &mut WireMessage<'_>) {
    let content = message.content.get_or_insert_default();
    let start = content.chars().count();
    content.push_str(text);
    let end = start + text.chars().count();
    message.annotations.extend(
        citations
            .iter()
            .filter_map(|citation| annotation::of(citation, start, end)),
    );
}

fn wire_call(call: &ToolCall) -> WireCall<'_> {
    let (id, name) = (call.id.as_str(), call.name.as_str());
    let kind = match &call.arguments {
        ToolArguments::Json(text) => {
            let arguments = if text.is_empty() { "{}" } else { text };
            CallKind::Function {
                function: Function { name, arguments },
            }
        }
        ToolArguments::Freeform(input) => CallKind::Custom {
            custom: Custom { name, input },
        },
    };
    WireCall {
        id,
        kind,
        extra_content: call.opaque.as_ref().and_then(call_signature::write),
    }
}

#[cfg(test)]
mod tests;
