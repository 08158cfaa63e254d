//! Tool results: an object of text each, media beside it or in the user's next turn.

use super::super::chunk::{FunctionResponse, Part, raw_of};
use super::content::{Place, one};
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{self, PartKind, ToolResult};
use crate::translate::Target;
use serde_json::json;
use serde_json::value::RawValue;

/// The results of one message in the order of their calls, and what has to follow them as the user's words.
pub fn encode<'a>(
    parts: &'a [request::Part],
    path: &str,
    target: &Target,
    notes: &mut Notes,
) -> Result<(Vec<Part<'a>>, Vec<Part<'a>>), EncodeError> {
    let (mut results, mut following) = (Vec::with_capacity(parts.len()), Vec::new());
    for (i, part) in parts.iter().enumerate() {
        let PartKind::ToolResult(result) = &part.kind else {
            continue;
        };
        let place = Place {
            path: format!("{path}.content[{i}]"),
            target,
        };
        let media = media(result, &place, notes)?;
        let name = result.name.as_deref().unwrap_or(&result.call_id);
        let inline = target.caps.tool_media;
        let attached = if inline { 0 } else { media.len() };
        let mut response = FunctionResponse {
            id: &result.call_id,
            name,
            response: response(result, attached),
            parts: Vec::new(),
        };
        if inline {
            response.parts = media;
        } else if !media.is_empty() {
            notes.info(&place.path, "media of a tool result moved into a user turn");
            following.push(Part::text(format!(
                "Media returned by tool {name} ({}):",
                result.call_id
            )));
            following.extend(media);
        }
        results.push(Part {
            function_response: Some(response),
            ..Part::default()
        });
    }
    Ok((results, following))
}

// === functions ===

fn media<'a>(
    result: &'a ToolResult,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Vec<Part<'a>>, EncodeError> {
    let mut media = Vec::new();
    for part in &result.parts {
        if matches!(
            part.kind,
            PartKind::Image { .. } | PartKind::Audio { .. } | PartKind::File(_)
        ) {
            media.extend(one(part, place, notes)?);
        }
    }
    Ok(media)
}

/// The API takes nothing but an object. An object goes as it is, unless it says of itself that it failed.
fn response(result: &ToolResult, attached: usize) -> Box<RawValue> {
    let mut texts: Vec<String> = Vec::new();
    for part in &result.parts {
        match &part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => texts.push(text.clone()),
            PartKind::Native { raw, .. } => texts.push(raw.to_string()),
            _ => {}
        }
    }
    if attached > 0 {
        let things = if attached == 1 { "image" } else { "images" };
        texts.push(format!("[{attached} {things} attached in the next user message]"));
    }
    let text = texts.join("\n");
    if result.is_error == Some(true) {
        return raw_of(&json!({ "error": text }));
    }
    let trimmed = text.trim();
    if trimmed.starts_with('{')
        && let Ok(object) = RawValue::from_string(trimmed.to_owned())
    {
        return object;
    }
    raw_of(&json!({ "output": text }))
}
