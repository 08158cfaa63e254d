//! A tool result is a message of its own here and can mostly hold only text. Media it contains follow in one user
//! message after the whole batch: nothing may stand between the results of one turn.

use super::message::{Content, WireMessage, content_parts};
use super::part::WirePart;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::ToolResult;
use crate::translate::Target;
use std::mem;

/// This API cannot mark a result as an error, so its text says so.
const ERROR_MARK: &str = "[tool error] ";

/// Media of the batch that is being written.
#[derive(Default)]
pub struct AttachedMedia<'a>(Vec<WirePart<'a>>);

pub fn encode<'a>(
    result: &'a ToolResult,
    path: &str,
    target: &Target,
    media: &mut AttachedMedia<'a>,
    notes: &mut Notes,
) -> Result<WireMessage<'a>, EncodeError> {
    let inline = |part: &WirePart<'_>| target.caps.tool_media || matches!(part, WirePart::Text { .. });
    let parts = content_parts(&result.parts, path, target, notes)?;
    let (mut content, attached): (Vec<_>, Vec<_>) = parts.into_iter().partition(inline);
    let untouched = result.is_error != Some(true) && attached.is_empty();
    if result.is_error == Some(true) {
        content.insert(0, WirePart::text(ERROR_MARK));
    }
    if !attached.is_empty() {
        notes.info(path, "media of a tool result moved into a user message");
        content.push(WirePart::text(announcement(attached.len())));
        media.attach(result, attached);
    }
    let content = if untouched { content } else { as_one_text(content) };
    Ok(WireMessage::tool(&result.call_id, Content::of(content)))
}

// === impl AttachedMedia ===

impl<'a> AttachedMedia<'a> {
    /// The message that carries what was attached since the last one.
    pub fn take_message(&mut self) -> Option<WireMessage<'a>> {
        let parts = mem::take(&mut self.0);
        (!parts.is_empty()).then(|| WireMessage::user(Content::Parts(parts)))
    }

    fn attach(&mut self, result: &ToolResult, parts: Vec<WirePart<'a>>) {
        let name = result.name.as_deref().unwrap_or("call");
        self.0.push(WirePart::text(format!(
            "Media returned by tool {name} ({}):",
            result.call_id
        )));
        self.0.extend(parts);
    }
}

// === functions ===

fn announcement(count: usize) -> String {
    match count {
        1 => "\n[1 attachment in the next user message]".to_owned(),
        n => format!("\n[{n} attachments in the next user message]"),
    }
}

/// What the gateway adds to a text is one text with it: many servers read only strings.
fn as_one_text(parts: Vec<WirePart<'_>>) -> Vec<WirePart<'_>> {
    let text = |part: &WirePart<'_>| match part {
        WirePart::Text {
            text,
            cache_control: None,
        } => Some(text.to_string()),
        _ => None,
    };
    match parts.iter().map(text).collect::<Option<String>>() {
        Some(all) => vec![WirePart::text(all)],
        None => parts,
    }
}
