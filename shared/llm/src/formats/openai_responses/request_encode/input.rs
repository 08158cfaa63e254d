//! `instructions` and `input`.

use super::super::reasoning;
use super::part::{self, Input};
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{
    Message, Opaque, Part, PartKind, Request, Role, SystemRole, ToolArguments, ToolCall, ToolResult,
};
use crate::translate::Target;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashSet;

/// This API cannot mark a result as an error, so its text says so.
const ERROR_MARK: &str = "[tool error] ";

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Item<'a> {
    Message {
        role: &'static str,
        content: Content<'a>,
    },
    Reasoning {
        id: String,
        summary: Vec<Summary<'a>>,
        encrypted_content: String,
    },
    FunctionCall {
        call_id: &'a str,
        name: &'a str,
        arguments: &'a str,
    },
    CustomToolCall {
        call_id: &'a str,
        name: &'a str,
        input: &'a str,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: ToolOutput<'a>,
    },
    CustomToolCallOutput {
        call_id: &'a str,
        output: ToolOutput<'a>,
    },
    #[serde(untagged)]
    Native(&'a Value),
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Content<'a> {
    Input(Vec<Input<'a>>),
    Output(Vec<Said<'a>>),
}

/// What the assistant said; content of the user's kind is refused in its messages.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Said<'a> {
    OutputText { text: &'a str, annotations: [(); 0] },
    Refusal { refusal: &'a str },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Summary<'a> {
    SummaryText { text: &'a str },
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum ToolOutput<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Input<'a>>),
}

pub fn encode<'a>(
    request: &'a Request,
    target: &Target,
    notes: &mut Notes,
) -> Result<(Option<&'a str>, Vec<Item<'a>>), EncodeError> {
    let mut items = Vec::with_capacity(request.system.len() + request.messages.len());
    let mut instructions = single_instruction(&request.system);
    if instructions.is_none() {
        items.extend(request.system.iter().filter_map(|part| leading(part, target)));
    }
    let freeform = freeform_calls(request);
    for (i, message) in request.messages.iter().enumerate() {
        let path = format!("input[{i}]");
        match message.role {
            Role::Assistant => assistant(message, &path, &mut items, notes),
            Role::Tool => {
                for part in &message.parts {
                    if let PartKind::ToolResult(result) = &part.kind {
                        items.push(output(result, &freeform, &path, target, notes)?);
                    }
                }
            }
            Role::User => {
                let content = inputs(&message.parts, &path, target, notes)?;
                items.extend(item("user", content));
            }
            Role::System | Role::Developer => {
                let content = inputs(&message.parts, &path, target, notes)?;
                items.extend(item(role(target), content));
            }
        }
    }
    if items.is_empty() && !continues(request) {
        // instructions beside no input are refused, and other dialects know conversations of instructions alone
        items.extend(request.system.iter().filter_map(|part| leading(part, target)));
        instructions = None;
    }
    if items.is_empty() && !continues(request) {
        return Err(EncodeError::unsupported(
            "messages",
            "messages must contain at least one item that is not empty",
        ));
    }
    Ok((instructions, items))
}

// === functions ===

/// A request may go on from what the vendor keeps, without a word of its own.
fn continues(request: &Request) -> bool {
    let fields = request.extensions.get(&Dialect::OpenAiResponses);
    ["previous_response_id", "conversation", "prompt"]
        .iter()
        .any(|name| fields.is_some_and(|fields| fields.contains_key(*name)))
}

/// Several blocks, or marked ones, stay blocks: they are what the client's cache prefixes are made of.
fn single_instruction(system: &[Part]) -> Option<&str> {
    match system {
        [
            Part {
                kind: PartKind::Text { text, .. },
                cache: None,
            },
        ] => Some(text),
        _ => None,
    }
}

fn leading<'a>(part: &'a Part, target: &Target) -> Option<Item<'a>> {
    let PartKind::Text { text, .. } = &part.kind else {
        return None;
    };
    let content = vec![Input::Text {
        text: Cow::Borrowed(text),
    }];
    item(role(target), content)
}

fn role(target: &Target) -> &'static str {
    match target.caps.system_role {
        SystemRole::System => "system",
        SystemRole::Developer => "developer",
    }
}

fn item<'a>(role: &'static str, content: Vec<Input<'a>>) -> Option<Item<'a>> {
    let content = (!content.is_empty()).then_some(content)?;
    Some(Item::Message {
        role,
        content: Content::Input(content),
    })
}

/// Results of free-text tools are items of a type of their own.
fn freeform_calls(request: &Request) -> HashSet<&str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let ids = parts.filter_map(|part| match &part.kind {
        PartKind::ToolCall(ToolCall {
            id,
            arguments: ToolArguments::Freeform(_),
            ..
        }) => Some(id.as_str()),
        _ => None,
    });
    ids.collect()
}

fn inputs<'a>(
    parts: &'a [Part],
    path: &str,
    target: &Target,
    notes: &mut Notes,
) -> Result<Vec<Input<'a>>, EncodeError> {
    let mut inputs = Vec::with_capacity(parts.len());
    for (i, part) in parts.iter().enumerate() {
        inputs.extend(part::encode(
            part,
            &format!("{path}.content[{i}]"),
            target,
            notes,
        )?);
    }
    Ok(inputs)
}

/// One item per part, in their order.
fn assistant<'a>(message: &'a Message, path: &str, items: &mut Vec<Item<'a>>, notes: &mut Notes) {
    let before = items.len();
    for (i, part) in message.parts.iter().enumerate() {
        let path = format!("{path}.content[{i}]");
        items.extend(match &part.kind {
            PartKind::Text { text, .. } => said(Said::OutputText {
                text,
                annotations: [],
            }),
            PartKind::Refusal(refusal) => said(Said::Refusal { refusal }),
            PartKind::Reasoning { text, opaque } => thought(text, opaque.as_ref(), &path, notes),
            PartKind::RedactedReasoning(opaque) => thought("", Some(opaque), &path, notes),
            PartKind::ToolCall(call) => Some(wire_call(call)),
            PartKind::Native {
                dialect: Dialect::OpenAiResponses,
                raw,
            } => Some(Item::Native(raw)),
            _ => {
                notes.loss(&path, "not something an assistant can have said to the upstream");
                None
            }
        });
    }
    // the vendor refuses reasoning without what came of it
    while matches!(items[before..].last(), Some(Item::Reasoning { .. })) {
        items.pop();
        notes.loss(path, "reasoning that nothing follows cannot be replayed");
    }
}

fn said(said: Said<'_>) -> Option<Item<'_>> {
    Some(Item::Message {
        role: "assistant",
        content: Content::Output(vec![said]),
    })
}

/// Only what this vendor encrypted, under the id it gave: everything else is refused.
fn thought<'a>(text: &'a str, opaque: Option<&Opaque>, path: &str, notes: &mut Notes) -> Option<Item<'a>> {
    let Some(encrypted) = opaque.and_then(reasoning::own) else {
        notes.loss(
            path,
            "reasoning that this vendor did not encrypt cannot be replayed",
        );
        return None;
    };
    let summary = (!text.is_empty()).then_some(Summary::SummaryText { text });
    Some(Item::Reasoning {
        id: encrypted.id.into_owned(),
        summary: summary.into_iter().collect(),
        encrypted_content: encrypted.encrypted_content.into_owned(),
    })
}

fn wire_call(call: &ToolCall) -> Item<'_> {
    let (call_id, name) = (call.id.as_str(), call.name.as_str());
    match &call.arguments {
        ToolArguments::Json(text) => Item::FunctionCall {
            call_id,
            name,
            arguments: if text.trim().is_empty() { "{}" } else { text },
        },
        ToolArguments::Freeform(input) => Item::CustomToolCall { call_id, name, input },
    }
}

fn output<'a>(
    result: &'a ToolResult,
    freeform: &HashSet<&str>,
    path: &str,
    target: &Target,
    notes: &mut Notes,
) -> Result<Item<'a>, EncodeError> {
    let call_id = result.call_id.as_str();
    let mut parts = inputs(&result.parts, path, target, notes)?;
    if result.is_error == Some(true) {
        match parts.first_mut() {
            Some(Input::Text { text }) => *text = Cow::Owned(format!("{ERROR_MARK}{text}")),
            _ => parts.insert(
                0,
                Input::Text {
                    text: Cow::Borrowed(ERROR_MARK),
                },
            ),
        }
    }
    let output = match parts.as_mut_slice() {
        [] => ToolOutput::Text(Cow::Borrowed("")),
        [Input::Text { text }] => ToolOutput::Text(std::mem::take(text)),
        _ => ToolOutput::Parts(parts),
    };
    Ok(match freeform.contains(call_id) {
        true => Item::CustomToolCallOutput { call_id, output },
        false => Item::FunctionCallOutput { call_id, output },
    })
}
