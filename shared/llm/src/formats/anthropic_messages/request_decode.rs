//! A client's Messages request to the neutral one.
//!
//! Only what this gateway must understand is read; a field nobody took is kept as an extension of this dialect.
//! A tool result is a block of a user message here, but a message of its own in the neutral model, so a user
//! message may become two: first its results, then the rest.

mod block;
mod client_tool;
mod options;
mod tool;

use super::json::{Fields, read, tag};
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::{CacheMark, Message, Part, PartKind, Request, Role};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// `content` and `system`: a string is shorthand for one text block.
pub(super) enum Content<'a> {
    Text(String),
    Blocks(Vec<&'a RawValue>),
}

#[derive(Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct WireCacheMark {
    ttl: Option<String>,
}

pub fn decode(body: &[u8]) -> Result<Request, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let mut request = Request {
        model: fields.take::<String>("model")?.unwrap_or_default(),
        stream: fields.take("stream")?.unwrap_or(false),
        ..Request::default()
    };
    if request.model.is_empty() {
        return Err(DecodeError::at("model", "Missing model"));
    }
    if let Some(raw) = fields.take_raw("system") {
        request.system = system(raw)?;
    }
    request.messages = messages(fields.take_raw("messages"))?;
    tool::decode(&mut fields, &mut request)?;
    options::decode(&mut fields, &mut request)?;

    let rest = fields.rest()?;
    if !rest.is_empty() {
        request.extensions.insert(Dialect::AnthropicMessages, rest);
    }
    Ok(request)
}

// === impl Content ===

impl<'a> Content<'a> {
    pub(super) fn read(raw: &'a RawValue, path: &str) -> Result<Self, DecodeError> {
        match raw.get().as_bytes().first() {
            Some(b'"') => Ok(Self::Text(read(raw, path)?)),
            Some(b'[') => Ok(Self::Blocks(read(raw, path)?)),
            _ => Err(DecodeError::at(
                path,
                format!("{path}: expected a string or a list of blocks"),
            )),
        }
    }
}

// === functions ===

fn system(raw: &RawValue) -> Result<Vec<Part>, DecodeError> {
    match Content::read(raw, "system")? {
        Content::Text(text) => Ok(vec![Part::text(text)]),
        Content::Blocks(blocks) => blocks
            .into_iter()
            .enumerate()
            .map(|(i, raw)| {
                let path = format!("system[{i}]");
                match block::part(raw, &path)? {
                    part @ Part {
                        kind: PartKind::Text { .. },
                        ..
                    } => Ok(part),
                    _ => Err(DecodeError::at(
                        &path,
                        format!("{path}: system accepts only text blocks"),
                    )),
                }
            })
            .collect(),
    }
}

fn messages(raw: Option<&RawValue>) -> Result<Vec<Message>, DecodeError> {
    let empty = || DecodeError::at("messages", "messages must contain at least one item");
    let items: Vec<&RawValue> = read(raw.ok_or_else(empty)?, "messages")?;
    if items.is_empty() {
        return Err(empty());
    }
    let mut messages = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        message(item, &format!("messages[{i}]"), &mut messages)?;
    }
    Ok(messages)
}

fn message(raw: &RawValue, path: &str, out: &mut Vec<Message>) -> Result<(), DecodeError> {
    let wire: WireMessage<'_> = read(raw, path)?;
    let role = match wire.role.as_ref() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => {
            let path = format!("{path}.role");
            return Err(DecodeError::at(
                &path,
                format!("{path}: unsupported role '{other}'"),
            ));
        }
    };
    let path = format!("{path}.content");
    let parts = match Content::read(wire.content, &path)? {
        Content::Text(text) => vec![Part::text(text)],
        Content::Blocks(blocks) => {
            let numbered = blocks.iter().enumerate();
            let parts = numbered.map(|(i, raw)| block::part(raw, &format!("{path}[{i}]")));
            block::sign_calls(&blocks, parts.collect::<Result<_, _>>()?)
        }
    };
    if role != Role::User {
        out.push(Message::new(role, parts));
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

/// `{"type":"ephemeral","ttl":"1h"}`; a mark of another type is not one we could re-create.
pub(super) fn cache_mark(raw: Option<&RawValue>, path: &str) -> Result<Option<CacheMark>, DecodeError> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
        return Ok(None);
    };
    let path = format!("{path}.cache_control");
    let kind = tag(raw).map_err(|_| DecodeError::at(&path, format!("{path}: expected an object")))?;
    if kind != "ephemeral" {
        return Err(DecodeError::at(
            &path,
            format!("{path}: unsupported type '{kind}'"),
        ));
    }
    let wire: WireCacheMark = read(raw, &path)?;
    Ok(Some(CacheMark { ttl: wire.ttl }))
}

#[cfg(test)]
mod tests;
