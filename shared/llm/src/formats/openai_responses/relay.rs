//! Passthrough between a client and an upstream of this dialect: the request with the gateway's own fields set, and
//! what the gateway looks for in the stream.

use super::history::{self, Fate as ItemFate};
use super::stream_decode::in_band;
use super::wire::{Response, StreamEvent};
use super::{assembly, error, reasoning};
use crate::envelope;
use crate::error::{DecodeError, ErrorKind, PublicError, UpstreamError};
use crate::finish::{Finish, FinishReason};
use crate::head::Head;
use crate::relay::{Fate, Glance, Tap};
use crate::translate::{Progress, Target};
use bytes::Bytes;
use memchr::memmem;
use serde_json::{Value, json};

/// Where the type of an event is, in what the vendor and the common servers write.
const HEAD: usize = 96;

/// What follows `response.` in events that say how it ended.
const TERMINAL: [&[u8]; 4] = [b"completed", b"incomplete", b"failed", b"cancelled"];

/// What follows `response.` before the model has said anything.
const OPENING: [&[u8]; 3] = [b"created", b"in_progress\"", b"queued"];

#[derive(Debug, Default)]
pub struct EventTap {
    frames: u64,
}

/// The client's body with the upstream's model. Reasoning of another vendor is taken out, because the whole request
/// would be refused for it, and what we wrapped of this one is unwrapped.
pub fn patch(body: &Bytes, target: &Target) -> Result<Bytes, DecodeError> {
    let head = Head::read(body)?;
    let model = Value::from(target.model.as_str()).to_string();
    let mut members = vec![("model", model.as_str())];
    let stateless = head.get("store").is_some_and(|store| store.get() == "false");
    let wrapped = memmem::find(body, envelope::PREFIX.as_bytes()).is_some();
    let suspected = wrapped || stateless && memmem::find(body, b"\"reasoning\"").is_some();
    let input = if suspected {
        history::treat(body, |_, item| fate(item, stateless))
    } else {
        None
    };
    members.extend(input.as_deref().map(|input| ("input", input)));
    Ok(head.with(&members))
}

// === impl EventTap ===

impl Tap for EventTap {
    fn glance(&mut self, raw: &[u8], progress: &mut Progress) -> Glance {
        self.frames += u64::from(is_event(raw));
        let head = &raw[..raw.len().min(HEAD)];
        let Some(at) = memmem::find(head, b"response.") else {
            return Glance::Read;
        };
        let word = &head[at + b"response.".len()..];
        if TERMINAL.iter().any(|terminal| word.starts_with(terminal)) {
            return Glance::Read;
        }
        if OPENING.iter().any(|opening| word.starts_with(opening)) || word.starts_with(b"in_progress") {
            return Glance::Pass;
        }
        progress.started = true;
        progress.output_bytes += delta_length(raw) as u64;
        Glance::Pass
    }

    fn read(&mut self, event: Option<&str>, data: &str, progress: &mut Progress) -> Fate {
        let Ok(read) = serde_json::from_str::<StreamEvent<'_>>(data) else {
            return Fate::Forward;
        };
        let kind = read.kind.text().or(event).unwrap_or_default();
        if kind == "error" {
            progress.error.get_or_insert_with(|| in_band(data));
            return Fate::Forward;
        }
        match kind.strip_prefix("response.") {
            Some(status @ ("completed" | "incomplete" | "failed" | "cancelled")) => {
                let default = Response::default();
                end(status, read.response.as_ref().unwrap_or(&default), progress);
            }
            Some("created" | "in_progress" | "queued") | None => {}
            Some(_) => {
                progress.started = true;
                progress.output_bytes += read.delta.text().map_or(0, str::len) as u64;
            }
        }
        Fate::Forward
    }

    fn done(&mut self, _progress: &mut Progress) {}

    fn close(&mut self, progress: &mut Progress) {
        if !progress.ended {
            progress.error.get_or_insert_with(|| {
                let message = "upstream closed the stream before it was complete";
                UpstreamError::new(ErrorKind::StreamIncomplete, message)
            });
        }
    }

    fn error_frame(&self, error: &PublicError) -> Vec<u8> {
        let mut frame = Vec::new();
        error::write_event(error, self.frames, &mut frame);
        frame
    }
}

// === functions ===

fn fate(item: &history::ReasoningItem<'_>, stateless: bool) -> ItemFate {
    let id = item.id.as_deref().unwrap_or_default();
    let encrypted = item.encrypted_content.as_deref().filter(|text| !text.is_empty());
    let Some(encrypted) = encrypted else {
        return if stateless {
            ItemFate::Dropped
        } else {
            ItemFate::Kept
        };
    };
    let Some((opaque, _)) = envelope::unwrap(encrypted) else {
        return ItemFate::Kept;
    };
    match reasoning::own(&opaque) {
        Some(own) if own.id != id => ItemFate::Replaced(
            json!({
                "type": "reasoning", "id": own.id, "summary": [],
                "encrypted_content": own.encrypted_content,
            })
            .to_string(),
        ),
        _ => ItemFate::Dropped,
    }
}

fn end(status: &str, response: &Response<'_>, progress: &mut Progress) {
    progress.started = true;
    if let Some(usage) = &response.usage {
        progress.usage.merge(&usage.read());
    }
    if let Some(error) = assembly::failure(status, response) {
        progress.error.get_or_insert(error);
        return;
    }
    let (reason, native) = assembly::reason(status, response);
    let called = response
        .output
        .iter()
        .flatten()
        .any(|item| matches!(item.kind.text(), Some("function_call" | "custom_tool_call")));
    progress.finish = Some(Finish {
        reason: match reason {
            FinishReason::Stop if called => FinishReason::ToolCalls,
            reason => reason,
        },
        native: native.to_owned(),
        stop_sequence: None,
    });
    progress.ended = true;
}

/// A whole event, which has a number: no comment, and not the fragment of a stream that was cut.
fn is_event(frame: &[u8]) -> bool {
    let closed = [&b"\n\n"[..], b"\n\r\n", b"\r\r"]
        .iter()
        .any(|end| frame.ends_with(end));
    closed && !frame.starts_with(b":")
}

/// The length of the fragment, as escaped.
fn delta_length(raw: &[u8]) -> usize {
    const MEMBER: &[u8] = b"\"delta\":";
    let Some(at) = memmem::find(raw, MEMBER) else {
        return 0;
    };
    let value = raw[at + MEMBER.len()..].trim_ascii_start();
    let Some(value) = value.strip_prefix(b"\"") else {
        return 0;
    };
    let mut from = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &value[from..]) {
        let at = from + found;
        if value[at] == b'"' {
            return at;
        }
        from = (at + 2).min(value.len());
    }
    value.len()
}

#[cfg(test)]
mod tests;
