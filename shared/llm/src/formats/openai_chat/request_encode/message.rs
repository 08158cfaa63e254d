//! `messages`.

use super::super::{call_signature, reasoning};
use super::part::{self, Place, WirePart, cache_control};
use super::tool_result::{self, AttachedMedia};
use crate::caps::{CallSignatures, EchoReasoning};
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{Message, Part, PartKind, Request, Role, SystemRole, ToolArguments, ToolCall};
use crate::translate::Target;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

#[derive(Serialize, Default)]
pub struct WireMessage<'a> {
    role: &'static str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<&'a Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize, Default)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    #[default]
    Null,
    Text(Cow<'a, str>),
    Parts(Vec<WirePart<'a>>),
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
    Function { function: FunctionCall<'a> },
    Custom { custom: CustomCall<'a> },
}

#[derive(Serialize)]
struct FunctionCall<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct CustomCall<'a> {
    name: &'a str,
    input: &'a str,
}

pub fn encode<'a>(
    request: &'a Request,
    target: &Target,
    notes: &mut Notes,
) -> Result<Vec<WireMessage<'a>>, EncodeError> {
    let mut out = Vec::with_capacity(request.system.len() + request.messages.len());
    out.extend(request.system.iter().filter_map(|part| leading(part, target)));
    let mut media = AttachedMedia::default();
    for (i, message) in request.messages.iter().enumerate() {
        let path = format!("messages[{i}]");
        if message.role != Role::Tool {
            out.extend(media.take_message());
        }
        match message.role {
            Role::Tool => {
                for part in &message.parts {
                    let PartKind::ToolResult(result) = &part.kind else {
                        continue;
                    };
                    out.push(tool_result::encode(result, &path, target, &mut media, notes)?);
                }
            }
            Role::Assistant => out.push(assistant(message, &path, target, notes)?),
            Role::User => {
                let parts = content_parts(&message.parts, &path, target, notes)?;
                out.push(WireMessage {
                    name: message.name.as_deref(),
                    ..WireMessage::user(Content::of(parts))
                });
            }
            Role::System | Role::Developer => out.push(instruction(message, target, notes)),
        }
    }
    out.extend(media.take_message());
    Ok(out)
}

// === impl WireMessage ===

impl<'a> WireMessage<'a> {
    pub fn instruction(text: String, role: SystemRole) -> Self {
        Self::new(role_name(role), Content::Text(Cow::Owned(text)))
    }

    pub(super) fn user(content: Content<'a>) -> Self {
        Self::new("user", content)
    }

    pub(super) fn tool(call_id: &'a str, content: Content<'a>) -> Self {
        Self {
            tool_call_id: Some(call_id),
            ..Self::new("tool", content)
        }
    }

    pub fn instructs(&self) -> bool {
        matches!(self.role, "system" | "developer")
    }

    fn new(role: &'static str, content: Content<'a>) -> Self {
        Self {
            role,
            content,
            ..Self::default()
        }
    }
}

// === impl Content ===

impl<'a> Content<'a> {
    /// A list only where a string cannot say it: many compatible servers read only strings.
    pub(super) fn of(mut parts: Vec<WirePart<'a>>) -> Self {
        match parts.as_mut_slice() {
            [] => Self::Text(Cow::Borrowed("")),
            [
                WirePart::Text {
                    text,
                    cache_control: None,
                },
            ] => Self::Text(std::mem::take(text)),
            _ => Self::Parts(parts),
        }
    }
}

// === functions ===

fn role_name(role: SystemRole) -> &'static str {
    match role {
        SystemRole::System => "system",
        SystemRole::Developer => "developer",
    }
}

/// Blocks of instructions stay apart, as the client wrote them.
fn leading<'a>(part: &'a Part, target: &Target) -> Option<WireMessage<'a>> {
    let PartKind::Text { text, .. } = &part.kind else {
        return None;
    };
    let cache_control = cache_control(part.cache.as_ref(), target);
    let content = Content::of(vec![WirePart::Text {
        text: Cow::Borrowed(text),
        cache_control,
    }]);
    Some(WireMessage::new(role_name(target.caps.system_role), content))
}

/// In place: moved to the front it would mean something else and change the prefix that providers cache.
fn instruction<'a>(message: &'a Message, target: &Target, notes: &mut Notes) -> WireMessage<'a> {
    let texts: Vec<&str> = texts(&message.parts).collect();
    if target.caps.mid_system {
        let parts = texts.into_iter().map(WirePart::text).collect();
        return WireMessage::new(role_name(target.caps.system_role), Content::of(parts));
    }
    notes.info(
        "messages",
        "instructions in the middle of the conversation became user text",
    );
    let wrapped = format!("<system>{}</system>", texts.join("\n"));
    WireMessage::user(Content::Text(Cow::Owned(wrapped)))
}

fn texts(parts: &[Part]) -> impl Iterator<Item = &str> {
    parts.iter().filter_map(|part| match &part.kind {
        PartKind::Text { text, .. } => Some(text.as_str()),
        _ => None,
    })
}

pub(super) fn content_parts<'a>(
    parts: &'a [Part],
    path: &str,
    target: &Target,
    notes: &mut Notes,
) -> Result<Vec<WirePart<'a>>, EncodeError> {
    let mut wire = Vec::with_capacity(parts.len());
    for (i, part) in parts.iter().enumerate() {
        let place = Place {
            path: format!("{path}.content[{i}]"),
            target,
        };
        wire.extend(part::encode(part, &place, notes)?);
    }
    Ok(wire)
}

fn assistant<'a>(
    message: &'a Message,
    path: &str,
    target: &Target,
    notes: &mut Notes,
) -> Result<WireMessage<'a>, EncodeError> {
    let mut wire = WireMessage {
        role: "assistant",
        name: message.name.as_deref(),
        ..WireMessage::default()
    };
    let mut content = Vec::new();
    let mut refusals = Vec::new();
    for (i, part) in message.parts.iter().enumerate() {
        match &part.kind {
            PartKind::ToolCall(call) => wire.tool_calls.push(WireCall {
                id: &call.id,
                kind: call_kind(call),
                extra_content: call_signature(call, target),
            }),
            PartKind::Refusal(text) => refusals.push(text.as_str()),
            PartKind::Native {
                dialect: Dialect::OpenAiChat,
                raw,
            } if raw["type"] == "audio" => {
                wire.audio = raw.get("audio");
            }
            _ => {
                let place = Place {
                    path: format!("{path}.content[{i}]"),
                    target,
                };
                content.extend(part::encode(part, &place, notes)?);
            }
        }
    }
    wire.refusal = (!refusals.is_empty()).then(|| refusals.concat());
    echo_reasoning(&message.parts, path, target, &mut wire, notes);
    let says_more = !wire.tool_calls.is_empty() || wire.refusal.is_some() || wire.audio.is_some();
    if !content.is_empty() || !says_more {
        wire.content = Content::of(content);
    }
    Ok(wire)
}

/// Servers that sign calls want the signature back; others may refuse the field.
fn call_signature(call: &ToolCall, target: &Target) -> Option<Value> {
    match target.caps.call_signatures {
        CallSignatures::Never => None,
        CallSignatures::Taken | CallSignatures::Required => {
            call.opaque.as_ref().and_then(call_signature::write)
        }
    }
}

fn call_kind(call: &ToolCall) -> CallKind<'_> {
    match &call.arguments {
        ToolArguments::Json(text) => {
            let arguments = if text.trim().is_empty() { "{}" } else { text };
            CallKind::Function {
                function: FunctionCall {
                    name: &call.name,
                    arguments,
                },
            }
        }
        ToolArguments::Freeform(input) => CallKind::Custom {
            custom: CustomCall {
                name: &call.name,
                input,
            },
        },
    }
}

/// Some models refuse to go on without their earlier reasoning, others refuse to see it.
fn echo_reasoning(
    parts: &[Part],
    path: &str,
    target: &Target,
    wire: &mut WireMessage<'_>,
    notes: &mut Notes,
) {
    let wanted = match target.caps.echo_reasoning {
        EchoReasoning::Never => false,
        EchoReasoning::ToolTurns => !wire.tool_calls.is_empty(),
        EchoReasoning::Always => true,
    };
    let mut thoughts: Vec<&str> = Vec::new();
    let mut redacted = false;
    for part in parts {
        let (text, opaque) = match &part.kind {
            PartKind::Reasoning { text, opaque } => (text.as_str(), opaque.as_ref()),
            PartKind::RedactedReasoning(opaque) => ("", Some(opaque)),
            _ => continue,
        };
        if !wanted {
            notes.loss(path, "the model does not take earlier reasoning back");
            return;
        }
        redacted |= text.is_empty();
        thoughts.extend((!text.is_empty()).then_some(text));
        // state goes back to whom it belongs; a signature of another vendor says nothing here
        if let Some(opaque) = opaque.filter(|opaque| opaque.issuer == Dialect::OpenAiChat) {
            wire.reasoning_details
                .push(reasoning::encrypted(opaque, wire.reasoning_details.len()));
        }
    }
    wire.reasoning_content = match thoughts.is_empty() {
        true => redacted.then(|| "[redacted]".to_owned()),
        false => Some(thoughts.join("\n\n")),
    };
}
