//! Passthrough between a client and an upstream of this dialect: the request with the gateway's own fields set, and
//! what the gateway looks for in the stream.

use super::error;
use super::finish;
use super::object::Object;
use super::wire::{Choice, Chunk, Delta};
use crate::caps::StreamUsage;
use crate::error::{DecodeError, ErrorKind, PublicError, UpstreamError, classify_in_band};
use crate::head::Head;
use crate::relay::{Fate, Glance, Tap, string_after};
use crate::translate::{Progress, Target};
use bytes::Bytes;
use memchr::memmem::Finder;
use serde_json::Value;

/// Asks for usage, by which the gateway accounts.
const INCLUDE_USAGE: &str = r#"{"include_usage":true}"#;

/// Members whose string is output of the model.
const OUTPUT: [&str; 4] = [
    "\"content\":",
    "\"arguments\":",
    "\"reasoning_content\":",
    "\"reasoning\":",
];

#[derive(Debug)]
pub struct ChunkTap {
    /// The gateway asked for usage, not the client.
    injected_usage: bool,
    seeks: Seeks,
}

/// Compiled once per stream, run over every frame.
#[derive(Debug)]
struct Seeks {
    usage: Finder<'static>,
    finish: Finder<'static>,
    error: Finder<'static>,
    error_event: Finder<'static>,
    done: Finder<'static>,
    output: [Finder<'static>; 4],
}

/// The client's body with the upstream's model, and usage asked for in a stream, where that is not refused.
pub fn patch(body: &Bytes, target: &Target) -> Result<Bytes, DecodeError> {
    let head = Head::read(body)?;
    let model = Value::from(target.model.as_str()).to_string();
    let mut members = vec![("model", model.as_str())];
    if target.caps.stream_usage == StreamUsage::Always {
        let named = head.with(&members);
        return Ok(match head.get("stream_options") {
            Some(_) => Head::read(&named)?.without("stream_options"),
            None => named,
        });
    }
    let options = head
        .get("stream")
        .filter(|stream| stream.get() == "true")
        .and_then(|_| stream_options(&head));
    members.extend(options.as_deref().map(|options| ("stream_options", options)));
    Ok(head.with(&members))
}

// === impl ChunkTap ===

impl ChunkTap {
    pub fn new(injected_usage: bool) -> Self {
        Self {
            injected_usage,
            seeks: Seeks::new(),
        }
    }
}

impl Tap for ChunkTap {
    fn glance(&mut self, raw: &[u8], progress: &mut Progress) -> Glance {
        for member in &self.seeks.output {
            progress.output_bytes += string_after(raw, member) as u64;
        }
        // until the answer begins every frame may be the one that begins it
        if !progress.started || self.seeks.matter(raw) {
            Glance::Read
        } else {
            Glance::Pass
        }
    }

    fn read(&mut self, event: Option<&str>, data: &str, progress: &mut Progress) -> Fate {
        if event == Some("error") {
            let error = serde_json::from_str(data).unwrap_or_else(|_| Value::from(data));
            progress.error.get_or_insert_with(|| classify_in_band(&error));
            return Fate::Forward;
        }
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(data) else {
            return Fate::Forward;
        };
        if let Some(error) = chunk.error() {
            progress.error.get_or_insert_with(|| classify_in_band(&error));
            return Fate::Forward;
        }
        let choices = chunk.choices.as_deref().unwrap_or_default();
        for choice in choices {
            observe(choice, progress);
        }
        let usages = choices
            .iter()
            .filter_map(|choice| choice.usage.as_ref())
            .chain(&chunk.usage);
        for usage in usages {
            progress.usage.merge(&usage.read());
        }
        let only_usage = choices.is_empty() && chunk.usage.is_some();
        if only_usage && self.injected_usage {
            Fate::Drop
        } else {
            Fate::Forward
        }
    }

    fn done(&mut self, progress: &mut Progress) {
        progress.ended = true;
    }

    fn close(&mut self, progress: &mut Progress) {
        // not every server says [DONE]
        progress.ended |= progress.finish.is_some();
        if !progress.ended {
            progress.error.get_or_insert_with(|| {
                let message = "upstream closed the stream before it was complete";
                UpstreamError::new(ErrorKind::StreamIncomplete, message)
            });
        }
    }

    fn error_frame(&self, error: &PublicError) -> Vec<u8> {
        let mut frame = Vec::new();
        error::write_frame(error, &mut frame);
        frame
    }
}

// === impl Seeks ===

impl Seeks {
    fn new() -> Self {
        Self {
            usage: Finder::new("\"usage\":"),
            finish: Finder::new("\"finish_reason\":"),
            error: Finder::new("\"error\":"),
            error_event: Finder::new("event: error"),
            done: Finder::new("[DONE]"),
            output: OUTPUT.map(Finder::new),
        }
    }

    /// A quote inside a JSON string is escaped, so text of the model never looks like a member.
    fn matter(&self, raw: &[u8]) -> bool {
        [&self.usage, &self.finish, &self.error]
            .into_iter()
            .any(|member| is_set(raw, member))
            || self.done.find(raw).is_some()
            || self.error_event.find(raw).is_some()
    }
}

// === functions ===

/// The options to send, or `None` to leave them as they are.
fn stream_options(head: &Head<'_>) -> Option<String> {
    let Some(raw) = head.get("stream_options").filter(|raw| raw.get() != "null") else {
        return Some(INCLUDE_USAGE.to_owned());
    };
    // what is not an object is the upstream's to refuse
    let options = Object::read(raw, "stream_options").ok()?;
    match options.get::<bool>("include_usage") {
        Ok(Some(true)) => None,
        _ => {
            let head = Head::read(raw.get().as_bytes()).ok()?;
            String::from_utf8(head.with(&[("include_usage", "true")]).to_vec()).ok()
        }
    }
}

fn observe(choice: &Choice<'_>, progress: &mut Progress) {
    if let Some(native) = choice.finish_reason.text() {
        progress.started = true;
        progress.finish.get_or_insert_with(|| finish::read(native));
    }
    progress.started |= choice.delta.as_ref().is_some_and(says_something);
}

/// The role alone is not output yet.
fn says_something(delta: &Delta<'_>) -> bool {
    let texts = [
        &delta.refusal,
        &delta.reasoning_content,
        &delta.reasoning,
        &delta.reasoning_text,
    ];
    !delta.content.text.is_empty()
        || !delta.content.thinking.is_empty()
        || texts.iter().any(|text| text.text().is_some())
        || delta.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
        || delta.function_call.is_some()
        || delta
            .reasoning_details
            .as_ref()
            .is_some_and(|details| !details.is_empty())
}

/// Whether the member occurs with a value other than `null`.
fn is_set(raw: &[u8], member: &Finder<'_>) -> bool {
    member.find_iter(raw).any(|at| {
        let value = raw[at + member.needle().len()..].trim_ascii_start();
        !value.starts_with(b"null")
    })
}

#[cfg(test)]
mod tests;
