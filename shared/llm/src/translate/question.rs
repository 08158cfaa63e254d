//! The last thing that a user said, apart from everything else in a request: two requests that differ in nothing but
//! the words of it may have the same answer.

use super::Ask;
use crate::dialect::Dialect;
use crate::request::{PartKind, Request};
use serde_json::Value;
use std::mem;

/// What a part of text may have. Whatever else there is may be something that is not text.
const TEXT_MEMBERS: [&str; 3] = ["type", "text", "cache_control"];
const TEXT_TYPES: [&str; 2] = ["text", "input_text"];

/// A request, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastQuestion {
    pub text: String,
    /// [`Ask::canonical`] of the same request without that text.
    pub rest: Vec<u8>,
}

// === impl Ask ===

impl Ask {
    /// Absent when there is no canonical form, when tools are offered or were called, and when the request does not
    /// end with a message of the user's that is text and nothing else.
    pub fn last_question(&self) -> Option<LastQuestion> {
        if self.uses_tools() || self.request().map_or(true, holds_calls) {
            return None;
        }
        let mut members = self.members()?;
        let (turns, parts) = match self.dialect {
            Dialect::OpenAiChat | Dialect::AnthropicMessages | Dialect::OllamaChat => ("messages", "content"),
            Dialect::OpenAiResponses => ("input", "content"),
            Dialect::Gemini => ("contents", "parts"),
            Dialect::BedrockConverse => return None,
        };
        let text = match members.get_mut(turns)? {
            Value::String(text) if self.dialect == Dialect::OpenAiResponses => mem::take(text),
            Value::Array(turns) => take_turn(self.dialect, parts, turns.last_mut()?)?,
            _ => return None,
        };
        let rest = self.written(&members);
        Some(LastQuestion { text, rest })
    }
}

// === functions ===

/// Calls, their results, or blocks that only their own dialect understands, which may be either.
fn holds_calls(request: &Request) -> bool {
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    let is_call = |kind: &PartKind| {
        matches!(
            kind,
            PartKind::ToolCall(_) | PartKind::ToolResult(_) | PartKind::Native { .. }
        )
    };
    !request.tools.is_empty() || parts.any(|part| is_call(&part.kind))
}

/// Empties the text of a turn, if it is the user's and has nothing else.
fn take_turn(dialect: Dialect, parts: &str, turn: &mut Value) -> Option<String> {
    let turn = turn.as_object_mut()?;
    let role = turn.get("role").and_then(Value::as_str);
    // Gemini takes a turn without a role for the user's
    let is_users = role == Some("user") || dialect == Dialect::Gemini && !turn.contains_key("role");
    let is_message = turn.get("type").is_none_or(|kind| kind == "message");
    let has_images = turn
        .get("images")
        .is_some_and(|images| images.as_array().is_none_or(|images| !images.is_empty()));
    if !is_users || !is_message || has_images {
        return None;
    }
    match turn.get_mut(parts)? {
        Value::String(text) if dialect != Dialect::Gemini => Some(mem::take(text)),
        Value::Array(parts) => {
            let texts: Option<Vec<String>> = parts.iter_mut().map(take_part).collect();
            Some(texts?.join("\n"))
        }
        _ => None,
    }
}

fn take_part(part: &mut Value) -> Option<String> {
    let part = part.as_object_mut()?;
    let is_text = part
        .get("type")
        .is_none_or(|kind| kind.as_str().is_some_and(|kind| TEXT_TYPES.contains(&kind)));
    let is_bare = part.keys().all(|name| TEXT_MEMBERS.contains(&name.as_str()));
    match part.get_mut("text")? {
        Value::String(text) if is_text && is_bare => Some(mem::take(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
