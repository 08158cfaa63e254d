//! `instructions` and `input`.
//!
//! What the model made is spread over items here; a run of them is one message of the assistant, in their order.
//! The leading run of system and developer messages is the request's instructions; later ones stay where they are,
//! because moving them would change what they mean.

use super::super::super::openai_chat::object::{Object, fault, items, value};
use super::super::reasoning;
use super::{content, tool};
use crate::dialect::Dialect;
use crate::envelope::Subject;
use crate::error::DecodeError;
use crate::request::{
    Message, Part, PartKind, Request, Role, SystemRole, ToolArguments, ToolCall, ToolResult,
};
use serde_json::Value;
use serde_json::value::RawValue;

/// State at the vendor that stands for input which is not sent.
const STANDS_FOR_INPUT: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

pub fn decode(root: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    if let Some(raw) = root.raw("instructions") {
        request.system = texts(content::parts(Some(raw), "instructions")?, "instructions")?;
    }
    let list = match root.raw("input") {
        None => Vec::new(),
        Some(raw) if raw.get().starts_with('"') => vec![("input".to_owned(), raw)],
        Some(raw) if raw.get().starts_with('[') => items(raw, "input")?,
        Some(_) => return Err(fault("input", "expected a string or a list of items")),
    };
    if list.is_empty() && STANDS_FOR_INPUT.iter().all(|name| root.raw(name).is_none()) {
        return Err(DecodeError::at("input", "input must contain at least one item"));
    }
    for (path, raw) in list {
        item(raw, path, request)?;
    }
    Ok(())
}

fn item(raw: &RawValue, path: String, request: &mut Request) -> Result<(), DecodeError> {
    if raw.get().starts_with('"') {
        let text: String = value(raw, &path)?;
        request
            .messages
            .push(Message::new(Role::User, vec![Part::text(text)]));
        return Ok(());
    }
    let wire = Object::read(raw, path)?;
    let kind = wire.text("type")?;
    match kind.as_deref() {
        Some("message") => message(&wire, request),
        None if wire.raw("role").is_some() => message(&wire, request),
        None => Err(wire.fault("type", "is required")),
        Some("reasoning") => thought(&wire, request),
        Some("function_call") => {
            let arguments = ToolArguments::Json(wire.text("arguments")?.unwrap_or_default());
            call(&wire, arguments, request)
        }
        Some("custom_tool_call") => {
            let arguments = ToolArguments::Freeform(wire.text("input")?.unwrap_or_default());
            call(&wire, arguments, request)
        }
        Some("local_shell_call") => built_in_call("local_shell", "action", &wire, request),
        Some("shell_call") => built_in_call("shell", "action", &wire, request),
        Some("apply_patch_call") => built_in_call("apply_patch", "operation", &wire, request),
        Some(
            "function_call_output"
            | "custom_tool_call_output"
            | "local_shell_call_output"
            | "shell_call_output"
            | "apply_patch_call_output",
        ) => result(&wire, request),
        Some(_) => {
            let raw: Value = value(raw, wire.path())?;
            let dialect = Dialect::OpenAiResponses;
            said(PartKind::Native { dialect, raw }, request);
            Ok(())
        }
    }
}

fn message(wire: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let path = wire.at("content");
    let parts = content::parts(wire.raw("content"), &path)?;
    let role = match wire.required_text("role")?.as_str() {
        "user" => Role::User,
        "assistant" => {
            said_once(parts).for_each(|kind| said(kind, request));
            return Ok(());
        }
        "system" => Role::System,
        "developer" => Role::Developer,
        other => return Err(wire.fault("role", format!("unsupported role '{other}'"))),
    };
    if role == Role::User {
        request.messages.push(Message::new(role, parts));
        return Ok(());
    }
    let parts = texts(parts, &path)?;
    if !request.messages.is_empty() {
        request.messages.push(Message::new(role, parts));
        return Ok(());
    }
    if role == Role::Developer && request.system.is_empty() {
        request.system_role = SystemRole::Developer;
    }
    request.system.extend(parts);
    Ok(())
}

/// A text that turned out to be a refusal stands twice in what this gateway streamed: once as it came, and once as
/// what it is. The model said it once.
fn said_once(parts: Vec<Part>) -> impl Iterator<Item = PartKind> {
    let mut before = None;
    parts.into_iter().filter_map(move |part| {
        if matches!(&part.kind, PartKind::Refusal(refusal) if before.as_ref() == Some(refusal)) {
            return None;
        }
        before = match &part.kind {
            PartKind::Text { text, .. } => Some(text.clone()),
            _ => None,
        };
        Some(part.kind)
    })
}

/// Goes on with the assistant's message, or begins one.
fn said(kind: PartKind, request: &mut Request) {
    let part = Part::new(kind);
    match request.messages.last_mut() {
        Some(message) if message.role == Role::Assistant => message.parts.push(part),
        _ => request.messages.push(Message::new(Role::Assistant, vec![part])),
    }
}

/// The summary is what may be shown of reasoning; open models send the reasoning itself as content.
fn thought(wire: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let mut texts: Vec<String> = Vec::new();
    for name in ["summary", "content"] {
        if !texts.is_empty() {
            break;
        }
        for (path, raw) in wire.list(name)? {
            texts.extend(Object::read(raw, path)?.text("text")?);
        }
    }
    let text = texts.join("\n\n");
    let id = wire.text("id")?.unwrap_or_default();
    let encrypted = wire.text("encrypted_content")?.filter(|text| !text.is_empty());
    let Some(carried) = encrypted.map(|encrypted| reasoning::returned(&id, &encrypted)) else {
        said(PartKind::Reasoning { text, opaque: None }, request);
        return Ok(());
    };
    match carried.subject {
        Subject::Reasoning => {
            let opaque = Some(carried.opaque);
            said(PartKind::Reasoning { text, opaque }, request);
        }
        Subject::Redacted => said(PartKind::RedactedReasoning(carried.opaque), request),
        Subject::Call => {
            let last = request
                .messages
                .last_mut()
                .and_then(|message| message.parts.last_mut());
            if let Some(Part {
                kind: PartKind::ToolCall(call),
                ..
            }) = last
            {
                call.opaque = Some(carried.opaque);
            }
        }
    }
    Ok(())
}

fn call(wire: &Object<'_>, arguments: ToolArguments, request: &mut Request) -> Result<(), DecodeError> {
    let name = wire.required_text("name")?;
    let name = match wire.text("namespace")? {
        Some(namespace) => tool::flat_name(&namespace, &name),
        None => name,
    };
    let id = wire.required_text("call_id")?;
    said(
        PartKind::ToolCall(ToolCall {
            id,
            name,
            arguments,
            opaque: None,
        }),
        request,
    );
    Ok(())
}

/// A tool the vendor's models know by heart, but which the client runs.
fn built_in_call(
    name: &str,
    arguments: &str,
    wire: &Object<'_>,
    request: &mut Request,
) -> Result<(), DecodeError> {
    let arguments = wire.raw(arguments).map_or("{}", RawValue::get).to_owned();
    let call = ToolCall {
        id: call_id(wire)?,
        name: name.to_owned(),
        arguments: ToolArguments::Json(arguments),
        opaque: None,
    };
    said(PartKind::ToolCall(call), request);
    Ok(())
}

fn result(wire: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let path = wire.at("output");
    let parts = match wire.raw("output") {
        // what a shell says is a list of its own kind of items; the model reads it as it is
        Some(raw) if wire.text("type")?.as_deref() == Some("shell_call_output") => {
            vec![Part::text(raw.get())]
        }
        raw => content::parts(raw, &path)?,
    };
    let part = Part::new(PartKind::ToolResult(ToolResult {
        call_id: call_id(wire)?,
        name: None,
        parts,
        is_error: None,
    }));
    match request.messages.last_mut() {
        Some(message) if message.role == Role::Tool => message.parts.push(part),
        _ => request.messages.push(Message::new(Role::Tool, vec![part])),
    }
    Ok(())
}

/// The oldest of the built-in tools was paired by the item's own id.
fn call_id(wire: &Object<'_>) -> Result<String, DecodeError> {
    match wire.text("call_id")? {
        Some(id) => Ok(id),
        None if wire.text("type")?.as_deref() == Some("local_shell_call_output") => wire.required_text("id"),
        None => Err(wire.fault("call_id", "is required")),
    }
}

fn texts(parts: Vec<Part>, path: &str) -> Result<Vec<Part>, DecodeError> {
    let other = parts
        .iter()
        .position(|part| !matches!(part.kind, PartKind::Text { .. }));
    match other {
        Some(i) => Err(fault(
            &format!("{path}[{i}]"),
            "instructions accept only text parts",
        )),
        None => Ok(parts),
    }
}
