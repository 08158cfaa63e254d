//! Whole messages: an upstream's to neutral events, a folded reply to the client's.

use super::assembly::Assembly;
use super::event::Message;
use super::tokens::ClientUsage;
use super::{error, partial, stop};
use crate::dialect::Dialect;
use crate::envelope::{self, Subject};
use crate::error::{ErrorKind, UpstreamError};
use crate::event::Event;
use crate::format::ReplySeed;
use crate::reply::{Reply, ReplyPart};
use crate::request::{Opaque, ToolArguments, ToolCall};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::borrow::Cow;

#[derive(Serialize)]
pub struct ClientMessage<'a> {
    pub id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    pub model: &'a str,
    pub content: Vec<ClientBlock<'a>>,
    pub stop_reason: Option<&'a str>,
    pub stop_sequence: Option<&'a str>,
    pub usage: ClientUsage,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientBlock<'a> {
    Text {
        text: &'a str,
    },
    Thinking {
        thinking: &'a str,
        signature: Cow<'a, str>,
    },
    RedactedThinking {
        data: Cow<'a, str>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Box<RawValue>,
    },
}

/// A 2xx body. Anything but a message is an error, whatever its status said.
pub fn decode(body: &[u8]) -> Result<Vec<Event>, UpstreamError> {
    let message = match serde_json::from_slice::<Message<'_>>(body) {
        Ok(message) if message.kind != "error" && message.content.is_some() => message,
        _ => return Err(not_a_message(body)),
    };
    let mut events = Vec::new();
    Assembly::default().whole_message(&message, &mut events);
    Ok(events)
}

pub fn encode(reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
    let choice = reply.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let (stop_reason, stop_sequence) = stop::words(choice.and_then(|choice| choice.finish.as_ref()));
    let message = ClientMessage {
        content: parts.iter().flat_map(blocks).collect(),
        stop_reason: Some(stop_reason),
        stop_sequence,
        ..ClientMessage::empty(seed, ClientUsage::of(&reply.usage))
    };
    serde_json::to_vec(&message).expect("every map key is a string")
}

// === impl ClientMessage ===

impl<'a> ClientMessage<'a> {
    /// The message before anything was said, as `message_start` announces it.
    pub fn empty(seed: &'a ReplySeed, usage: ClientUsage) -> Self {
        Self {
            id: format!("msg_{}", seed.id.get(..24).unwrap_or(&seed.id)),
            kind: "message",
            role: "assistant",
            model: &seed.model,
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            usage,
        }
    }
}

// === impl ClientBlock ===

impl ClientBlock<'_> {
    /// The block behind a call that carries the call's signature.
    pub fn signature_of_call(opaque: &Opaque) -> Self {
        Self::RedactedThinking {
            data: Cow::Owned(envelope::wrap(opaque, Subject::Call)),
        }
    }
}

// === functions ===

fn not_a_message(body: &[u8]) -> UpstreamError {
    match error::envelope(body) {
        Some(error) => error,
        None => UpstreamError::new(
            ErrorKind::MalformedUpstream,
            "upstream's reply is not of the Messages API",
        ),
    }
}

/// A signed call is two blocks.
fn blocks(part: &ReplyPart) -> impl Iterator<Item = ClientBlock<'_>> {
    let signature = match part {
        ReplyPart::ToolCall(call) => call.opaque.as_ref().map(ClientBlock::signature_of_call),
        _ => None,
    };
    block(part).into_iter().chain(signature)
}

fn block(part: &ReplyPart) -> Option<ClientBlock<'_>> {
    let block = match part {
        ReplyPart::Text { text, .. } | ReplyPart::Refusal(text) if text.is_empty() => return None,
        ReplyPart::Text { text, .. } | ReplyPart::Refusal(text) => ClientBlock::Text { text },
        ReplyPart::Reasoning { text, opaque } => {
            let signature = opaque.as_ref().map_or(Cow::Borrowed(""), |opaque| {
                envelope::seal(opaque, Dialect::AnthropicMessages)
            });
            ClientBlock::Thinking {
                thinking: text,
                signature,
            }
        }
        ReplyPart::RedactedReasoning(opaque) => ClientBlock::RedactedThinking {
            data: envelope::seal(opaque, Dialect::AnthropicMessages),
        },
        ReplyPart::ToolCall(call) => ClientBlock::ToolUse {
            id: &call.id,
            name: &call.name,
            input: input(call),
        },
    };
    Some(block)
}

/// The input must be an object. A call that was cut off keeps what can be read of it.
fn input(call: &ToolCall) -> Box<RawValue> {
    let value = match &call.arguments {
        ToolArguments::Freeform(text) => json!({ "input": text }),
        ToolArguments::Json(text) => match RawValue::from_string(text.trim().to_owned()) {
            Ok(raw) if raw.get().starts_with('{') => return raw,
            Ok(raw) if raw.get() == "null" => return empty_object(),
            Ok(raw) => return ToolArguments::wrapped(&raw),
            Err(_) => return partial::object(text).as_ref().map_or_else(empty_object, raw_of),
        },
    };
    raw_of(&value)
}

pub fn empty_object() -> Box<RawValue> {
    raw_of(&json!({}))
}

fn raw_of(value: &Value) -> Box<RawValue> {
    to_raw_value(value).expect("a JSON value always serialises")
}
