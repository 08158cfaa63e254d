//! A client's request to the neutral one.
//!
//! The model and the wish for a stream are in the address and not read here. Results are parts of a user's turn in
//! this API and a message of their own in the neutral model; calls and results may come without ids.

mod content;
mod options;
mod pairing;
mod tool;

use super::object::{Object, fault};
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::{Message, Part, PartKind, Request, Role};
use pairing::Calls;
use serde_json::value::RawValue;

/// What is read below; anything else is kept for an upstream of this dialect.
const KNOWN: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "model",
];

pub fn decode(body: &[u8]) -> Result<Request, DecodeError> {
    let root = Object::root(body)?;
    let mut request = Request {
        model: root.text("model")?.unwrap_or_default(),
        system: system(&root)?,
        messages: messages(&root)?,
        ..Request::default()
    };
    tool::decode(&root, &mut request)?;
    if let Some(config) = root.object("generationConfig")? {
        options::decode(&config, &mut request)?;
    }
    let rest = root.rest(KNOWN);
    if !rest.is_empty() {
        request.extensions.insert(Dialect::Gemini, rest);
    }
    Ok(request)
}

/// A content, or bare text.
fn system(root: &Object<'_>) -> Result<Vec<Part>, DecodeError> {
    let Some(raw) = root.raw("systemInstruction") else {
        return Ok(Vec::new());
    };
    let path = root.at("systemInstruction");
    if raw.get().starts_with('"') {
        return Ok(vec![Part::text(
            root.text("systemInstruction")?.unwrap_or_default(),
        )]);
    }
    let mut parts = Vec::new();
    for (path, raw) in Object::read(raw, path)?.list("parts")? {
        let part = Object::read(raw, path.clone())?;
        match part.text("text")? {
            Some(text) => parts.push(Part::text(text)),
            None => return Err(fault(&path, "systemInstruction accepts only text parts")),
        }
    }
    Ok(parts)
}

fn messages(root: &Object<'_>) -> Result<Vec<Message>, DecodeError> {
    let empty = || DecodeError::at("contents", "contents is required");
    let items = match root.raw("contents") {
        Some(raw) if raw.get().starts_with('"') => {
            let text = root.text("contents")?.unwrap_or_default();
            return Ok(vec![Message::new(Role::User, vec![Part::text(text)])]);
        }
        _ => root.list("contents")?,
    };
    if items.is_empty() {
        return Err(empty());
    }
    let mut messages = Vec::with_capacity(items.len());
    let mut calls = Calls::default();
    for (turn, (path, raw)) in items.into_iter().enumerate() {
        message(turn, raw, path, &mut calls, &mut messages)?;
    }
    Ok(messages)
}

fn message(
    turn: usize,
    raw: &RawValue,
    path: String,
    calls: &mut Calls,
    out: &mut Vec<Message>,
) -> Result<(), DecodeError> {
    let wire = Object::read(raw, path)?;
    let role = wire.text("role")?;
    let role = match role.as_deref() {
        None | Some("" | "user" | "function" | "tool") => Role::User,
        Some("model" | "assistant") => Role::Assistant,
        Some("system") => Role::System,
        Some(other) => return Err(fault(&wire.at("role"), format!("unsupported role '{other}'"))),
    };
    let mut parts = Vec::new();
    for (path, raw) in wire.list("parts")? {
        parts.extend(content::part(&Object::read(raw, path)?)?);
    }
    if role == Role::Assistant {
        calls.name(turn, &mut parts);
    }
    calls.answer(turn, &mut parts);
    if role != Role::User {
        match out.last_mut() {
            Some(last) if last.role == role && role == Role::Assistant => {
                content::join(&mut last.parts, parts)
            }
            _ => {
                let mut joined = Vec::with_capacity(parts.len());
                content::join(&mut joined, parts);
                out.push(Message::new(role, joined));
            }
        }
        return Ok(());
    }
    let (results, rest): (Vec<_>, Vec<_>) = parts
        .into_iter()
        .partition(|part| matches!(part.kind, PartKind::ToolResult(_)));
    let only_results = rest.is_empty() && !results.is_empty();
    if !results.is_empty() {
        out.push(Message::new(Role::Tool, results));
    }
    if !only_results {
        out.push(Message::new(Role::User, rest));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
