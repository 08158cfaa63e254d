//! `messages`.
//!
//! The leading run of system and developer messages is the request's instructions; later ones stay where they
//! are, because moving them would change what they mean.

use super::super::call_signature;
use super::super::object::{Object, value};
use super::super::reasoning::{self, Detail};
use super::content;
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::{
    Message, Part, PartKind, Request, Role, SystemRole, ToolArguments, ToolCall, ToolResult,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Calls of the retired `function_call`, which has no ids: they are made up in order and paired by name.
#[derive(Debug, Default)]
struct Legacy {
    count: usize,
    /// Id and name of calls without a result.
    open: Vec<(String, String)>,
}

pub fn decode(root: &Object<'_>, request: &mut Request) -> Result<(), DecodeError> {
    let items = root.list("messages")?;
    if items.is_empty() {
        return Err(DecodeError::at(
            "messages",
            "messages must contain at least one item",
        ));
    }
    let mut legacy = Legacy::default();
    for (path, raw) in items {
        let wire = Object::read(raw, path)?;
        let role = wire.required_text("role")?;
        let message = match role.as_str() {
            "system" => Message::new(Role::System, instructions(&wire)?),
            "developer" => Message::new(Role::Developer, instructions(&wire)?),
            "user" => Message::new(
                Role::User,
                content::parts(wire.raw("content"), &wire.at("content"))?,
            ),
            "assistant" => Message::new(Role::Assistant, assistant(&wire, &mut legacy)?),
            "tool" => Message::new(Role::Tool, vec![tool_result(&wire)?]),
            "function" => Message::new(Role::Tool, vec![function_result(&wire, &mut legacy)?]),
            other => return Err(wire.fault("role", format!("unsupported role '{other}'"))),
        };
        let instructs = matches!(message.role, Role::System | Role::Developer);
        if instructs && request.messages.is_empty() {
            if message.role == Role::Developer && request.system.is_empty() {
                request.system_role = SystemRole::Developer;
            }
            request.system.extend(message.parts);
            continue;
        }
        let name = if matches!(message.role, Role::User | Role::Assistant) {
            wire.text("name")?
        } else {
            None
        };
        request.messages.push(Message { name, ..message });
    }
    Ok(())
}

// === impl Legacy ===

impl Legacy {
    fn call(&mut self, name: &str) -> String {
        let id = self.next_id();
        self.open.push((id.clone(), name.to_owned()));
        id
    }

    /// The call a result belongs to: the first open one of that name, else the first open one.
    fn result(&mut self, name: Option<&str>) -> String {
        let named = self.open.iter().position(|(_, open)| Some(open.as_str()) == name);
        match named.or_else(|| (!self.open.is_empty()).then_some(0)) {
            Some(at) => self.open.remove(at).0,
            None => self.next_id(),
        }
    }

    fn next_id(&mut self) -> String {
        self.count += 1;
        format!("fc_legacy_{}", self.count)
    }
}

// === functions ===

fn instructions(wire: &Object<'_>) -> Result<Vec<Part>, DecodeError> {
    let path = wire.at("content");
    let parts = content::parts(wire.raw("content"), &path)?;
    match parts
        .iter()
        .position(|part| !matches!(part.kind, PartKind::Text { .. }))
    {
        Some(i) => Err(DecodeError::at(
            format!("{path}[{i}]"),
            format!("{path}[{i}]: instructions accept only text parts"),
        )),
        None => Ok(parts),
    }
}

/// The order in which a model produces: reasoning, then text, then calls.
fn assistant(wire: &Object<'_>, legacy: &mut Legacy) -> Result<Vec<Part>, DecodeError> {
    let mut parts = thoughts(wire)?;
    parts.extend(content::parts(wire.raw("content"), &wire.at("content"))?);
    if let Some(refusal) = wire.text("refusal")?.filter(|text| !text.is_empty()) {
        parts.push(Part::new(PartKind::Refusal(refusal)));
    }
    if let Some(audio) = wire.get::<Value>("audio")? {
        let raw = json!({"type": "audio", "audio": audio});
        parts.push(Part::new(PartKind::Native {
            dialect: Dialect::OpenAiChat,
            raw,
        }));
    }
    for (path, raw) in wire.list("tool_calls")? {
        parts.push(Part::new(PartKind::ToolCall(tool_call(&Object::read(
            raw, path,
        )?)?)));
    }
    if let Some(function) = wire.object("function_call")? {
        let name = function.required_text("name")?;
        let id = legacy.call(&name);
        let arguments = ToolArguments::Json(arguments(&function)?);
        parts.push(Part::new(PartKind::ToolCall(ToolCall {
            id,
            name,
            arguments,
            opaque: None,
        })));
    }
    Ok(parts)
}

/// Details carry the signatures; the plain text beside them is the same text again.
fn thoughts(wire: &Object<'_>) -> Result<Vec<Part>, DecodeError> {
    let mut details = Vec::new();
    for name in ["reasoning_details", "thinking_blocks"] {
        for (path, raw) in wire.list(name)? {
            details.extend(reasoning::read(&value(raw, &path)?));
        }
        if !details.is_empty() {
            break;
        }
    }
    let plain = plain_thoughts(wire);
    let told = details
        .iter()
        .any(|detail| matches!(detail, Detail::Text { text, .. } if !text.is_empty()));
    if let Some(plain) = plain.filter(|_| !told) {
        match details.iter_mut().find_map(|detail| match detail {
            Detail::Text { text, .. } => Some(text),
            Detail::Redacted(_) => None,
        }) {
            Some(text) => *text = plain,
            None => details.insert(
                0,
                Detail::Text {
                    text: plain,
                    opaque: None,
                },
            ),
        }
    }
    let part = |detail| match detail {
        Detail::Text { text, opaque } => Part::new(PartKind::Reasoning { text, opaque }),
        Detail::Redacted(opaque) => Part::new(PartKind::RedactedReasoning(opaque)),
    };
    Ok(details.into_iter().map(part).collect())
}

/// Not a field of the vendor, so whatever is not a string is somebody else's and ignored.
fn plain_thoughts(wire: &Object<'_>) -> Option<String> {
    ["reasoning_content", "reasoning", "reasoning_text"]
        .into_iter()
        .filter_map(|name| wire.text(name).ok().flatten())
        .find(|text| !text.is_empty())
}

fn tool_call(wire: &Object<'_>) -> Result<ToolCall, DecodeError> {
    let id = wire.required_text("id")?;
    let signature = wire.get::<Value>("extra_content").ok().flatten();
    let signature = signature.as_ref().and_then(call_signature::read);
    if let Some(custom) = wire.object("custom")? {
        let arguments = ToolArguments::Freeform(custom.text("input")?.unwrap_or_default());
        return Ok(ToolCall {
            id,
            name: custom.required_text("name")?,
            arguments,
            opaque: signature,
        });
    }
    let function = wire
        .object("function")?
        .ok_or_else(|| wire.fault("function", "is required"))?;
    let arguments = ToolArguments::Json(arguments(&function)?);
    Ok(ToolCall {
        id,
        name: function.required_text("name")?,
        arguments,
        opaque: signature,
    })
}

/// A string of JSON; some clients send the object itself.
fn arguments(function: &Object<'_>) -> Result<String, DecodeError> {
    match function.raw("arguments") {
        None => Ok(String::new()),
        Some(raw) if raw.get().starts_with('"') => value(raw, &function.at("arguments")),
        Some(raw) => Ok(compact(raw)),
    }
}

/// The same tokens on one line.
fn compact(raw: &RawValue) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |c: &char| {
        if !in_string {
            in_string = *c == '"';
            return !c.is_ascii_whitespace();
        }
        in_string = escaped || *c != '"';
        escaped = !escaped && *c == '\\';
        true
    };
    raw.get().chars().filter(keep).collect()
}

fn tool_result(wire: &Object<'_>) -> Result<Part, DecodeError> {
    let call_id = wire
        .text("tool_call_id")?
        .filter(|id| !id.is_empty())
        .ok_or_else(|| {
            let path = wire.at("tool_call_id");
            DecodeError::at(&path, format!("{path} is required for role 'tool'"))
        })?;
    result(wire, call_id, wire.text("name")?)
}

fn function_result(wire: &Object<'_>, legacy: &mut Legacy) -> Result<Part, DecodeError> {
    let name = wire.text("name")?;
    let call_id = legacy.result(name.as_deref());
    result(wire, call_id, name)
}

fn result(wire: &Object<'_>, call_id: String, name: Option<String>) -> Result<Part, DecodeError> {
    let parts = content::parts(wire.raw("content"), &wire.at("content"))?;
    Ok(Part::new(PartKind::ToolResult(ToolResult {
        call_id,
        name,
        parts,
        is_error: None,
    })))
}
