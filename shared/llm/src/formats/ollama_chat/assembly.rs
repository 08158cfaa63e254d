//! Lines to events: the one state machine behind whole and streamed replies.

use super::wire::{Call, Line, Message};
use super::{arguments, finish};
use crate::caps::WireName;
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind, PartStart};
use crate::names::fit_id;
use crate::usage::Usage;
use serde_json::json;
use sha2::{Digest, Sha256};

/// What ids may look like that clients get: legal in every dialect, because conversations change providers.
const CLIENT_ID: WireName = WireName::UpTo(64);
/// Of the digest that stands for an id.
const ID_BYTES: usize = 12;

#[derive(Debug, Default)]
pub struct Assembly {
    started: bool,
    ended: bool,
    /// When the upstream says the reply began, which tells its calls from those of other replies.
    created_at: String,
    /// The part that text of its kind goes on in.
    prose: Option<(u32, PartStart)>,
    next_part: u32,
    calls: u32,
}

// === impl Assembly ===

impl Assembly {
    pub fn ended(&self) -> bool {
        self.ended
    }

    pub fn line(&mut self, line: &Line<'_>, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if let Some(error) = line.error() {
            return self.fail(classify_in_band(&error), out);
        }
        if line.message.is_none() && !line.is_done() {
            return;
        }
        self.start(line, out);
        if let Some(tokens) = line.logprobs.as_ref().filter(|tokens| tokens.is_array()) {
            out.push(Event::first(EventKind::Logprobs(json!({ "content": tokens }))));
        }
        if let Some(message) = &line.message {
            self.message(message, out);
        }
        if line.is_done() && !self.ended {
            self.done(line, out);
        }
    }

    /// The upstream said nothing more.
    pub fn close(&mut self, out: &mut Vec<Event>) {
        let message = "upstream closed the stream before it was complete";
        self.fail(UpstreamError::new(ErrorKind::StreamIncomplete, message), out);
    }

    pub fn fail(&mut self, error: UpstreamError, out: &mut Vec<Event>) {
        if !self.ended {
            self.ended = true;
            out.push(Event::first(EventKind::Error(error)));
        }
    }

    fn start(&mut self, line: &Line<'_>, out: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        self.created_at = line.created_at.text().unwrap_or_default().to_owned();
        out.push(Event::first(EventKind::Start {
            id: String::new(),
            model: line.model.text().unwrap_or_default().to_owned(),
            created: None,
        }));
    }

    fn message(&mut self, message: &Message<'_>, out: &mut Vec<Event>) {
        self.say(PartStart::Reasoning, message.thinking.text(), out);
        self.say(PartStart::Text, message.content.text(), out);
        for call in message.tool_calls.iter().flatten() {
            self.call(call, out);
        }
    }

    fn done(&mut self, line: &Line<'_>, out: &mut Vec<Event>) {
        self.stop_prose(out);
        let usage = Usage {
            input_total: line.prompt_eval_count.count(),
            output_total: line.eval_count.count(),
            ..Usage::default()
        };
        if !usage.is_absent() {
            out.push(Event::first(EventKind::Usage(usage)));
        }
        let mut finish = finish::read(line.done_reason.text().unwrap_or_default());
        // a call comes in an earlier line than the reason, which does not mention it
        finish.reason = finish.reason.resolve(self.calls > 0);
        out.push(Event::first(EventKind::Finish(finish)));
        out.push(Event::first(EventKind::End));
        self.ended = true;
    }

    fn say(&mut self, kind: PartStart, text: Option<&str>, out: &mut Vec<Event>) {
        let Some(text) = text else { return };
        let part = self.prose_part(kind, out);
        out.push(Event::first(EventKind::Delta {
            part,
            text: text.to_owned(),
        }));
    }

    fn prose_part(&mut self, kind: PartStart, out: &mut Vec<Event>) -> u32 {
        if let Some((part, _)) = self.prose.as_ref().filter(|(_, open)| *open == kind) {
            return *part;
        }
        self.stop_prose(out);
        let part = self.fresh_part();
        self.prose = Some((part, kind.clone()));
        out.push(Event::first(EventKind::PartStart { part, kind }));
        part
    }

    fn stop_prose(&mut self, out: &mut Vec<Event>) {
        if let Some((part, _)) = self.prose.take() {
            out.push(Event::first(EventKind::PartStop { part }));
        }
    }

    /// Calls are never split over lines.
    fn call(&mut self, call: &Call<'_>, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        let function = call.function.as_ref();
        let Some(name) = function.and_then(|function| function.name.text()) else {
            let message = "upstream sent a tool call without a name";
            return self.fail(UpstreamError::new(ErrorKind::MalformedUpstream, message), out);
        };
        self.stop_prose(out);
        let text = arguments::text_of(function.and_then(|function| function.arguments));
        let id = match call.id.text() {
            Some(id) => fit_id(id, CLIENT_ID).into_owned(),
            None => self.made_up_id(name, &text),
        };
        self.calls += 1;
        let part = self.fresh_part();
        let kind = PartStart::ToolCall {
            id,
            name: name.to_owned(),
            freeform: false,
        };
        out.push(Event::first(EventKind::PartStart { part, kind }));
        out.push(Event::first(EventKind::Delta { part, text }));
        out.push(Event::first(EventKind::PartStop { part }));
    }

    fn made_up_id(&self, name: &str, arguments: &str) -> String {
        made_up_id(&[&self.created_at, &self.calls.to_string(), name, arguments])
    }

    fn fresh_part(&mut self) -> u32 {
        let part = self.next_part;
        self.next_part += 1;
        part
    }
}

// === functions ===

/// An id for a call that has none: always the same for the same call, so that a history encodes to the same bytes.
pub fn made_up_id(about: &[&str]) -> String {
    let digest = Sha256::digest(about.join("\0").as_bytes());
    let hex: String = digest
        .iter()
        .take(ID_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("call_{hex}")
}
