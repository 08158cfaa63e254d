//! Events to a client's stream: a line per fragment, a line per call, and one last line that says `done`.
//!
//! Events come in sequence, as [`crate::sequence`] puts them. The last line waits for the end, because usage may
//! come after the reason.

use super::error;
use super::message::{ClientCall, ClientLine, Timing, tokens_of};
use crate::error::PublicError;
use crate::event::{Event, EventKind, PartStart};
use crate::finish::Finish;
use crate::format::{ReplySeed, StreamEncoder};
use crate::frame::write_line;
use crate::request::{ToolArguments, ToolCall};
use crate::usage::Usage;
use serde_json::Value;
use std::time::Duration;

/// Between two thoughts that the dialect has no border for.
pub const THOUGHT_BORDER: &str = "\n\n";

pub struct LineEncoder {
    seed: ReplySeed,
    open: Open,
    calls: usize,
    thoughts: usize,
    /// Of the text of the next line.
    logprobs: Option<Value>,
    usage: Usage,
    finish: Option<Finish>,
    now: Duration,
    first: Option<Duration>,
    done: bool,
}

/// The part that is being written.
enum Open {
    Nothing,
    Text,
    Thinking { begun: bool },
    Call(ToolCall),
}

// === impl LineEncoder ===

impl StreamEncoder for LineEncoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        // the dialect has one choice
        if self.done || event.choice > 0 {
            return;
        }
        if event.is_semantic() {
            self.first.get_or_insert(self.now);
        }
        match &event.kind {
            EventKind::PartStart { kind, .. } => self.open = Open::new(kind),
            EventKind::Delta { text, .. } => self.delta(text, out),
            EventKind::PartStop { .. } => self.stop(out),
            EventKind::Logprobs(value) => self.logprobs = tokens_of(value),
            EventKind::Usage(usage) => self.usage.merge(usage),
            EventKind::Finish(finish) => self.finish = Some(finish.clone()),
            EventKind::End => self.end(out),
            EventKind::Error(error) => self.fail(&error.public(&self.seed.id), out),
            // no line says only that the stream is alive, and state and citations have no place
            EventKind::Start { .. }
            | EventKind::Opaque { .. }
            | EventKind::Citation { .. }
            | EventKind::Media(_)
            | EventKind::KeepAlive => {}
        }
    }

    fn fail(&mut self, error: &PublicError, out: &mut Vec<u8>) {
        if !self.done {
            self.done = true;
            out.extend_from_slice(&error::line(error));
        }
    }

    fn tick(&mut self, elapsed: Duration) {
        self.now = elapsed;
    }
}

impl LineEncoder {
    pub fn new(seed: &ReplySeed) -> Self {
        Self {
            seed: seed.clone(),
            open: Open::Nothing,
            calls: 0,
            thoughts: 0,
            logprobs: None,
            usage: Usage::default(),
            finish: None,
            now: Duration::ZERO,
            first: None,
            done: false,
        }
    }

    fn delta(&mut self, text: &str, out: &mut Vec<u8>) {
        let mut line = ClientLine::new(&self.seed);
        let bordered;
        match &mut self.open {
            Open::Nothing => return,
            Open::Call(call) => {
                let (ToolArguments::Json(all) | ToolArguments::Freeform(all)) = &mut call.arguments;
                return all.push_str(text);
            }
            Open::Text => line.message.content = text,
            Open::Thinking { begun: true } => line.message.thinking = Some(text),
            Open::Thinking { begun } => {
                *begun = true;
                self.thoughts += 1;
                let border = if self.thoughts > 1 { THOUGHT_BORDER } else { "" };
                bordered = format!("{border}{text}");
                line.message.thinking = Some(&bordered);
            }
        }
        line.logprobs = self.logprobs.take();
        write_line(out, &line);
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        let Open::Call(call) = std::mem::replace(&mut self.open, Open::Nothing) else {
            return;
        };
        let mut line = ClientLine::new(&self.seed);
        line.message.tool_calls.push(ClientCall::new(&call, self.calls));
        self.calls += 1;
        write_line(out, &line);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.stop(out);
        self.done = true;
        let timing = Timing {
            total: self.now,
            first: self.first.unwrap_or(self.now),
        };
        let mut line = ClientLine::last(&self.seed, self.finish.as_ref(), &self.usage, timing);
        line.logprobs = self.logprobs.take();
        write_line(out, &line);
    }
}

// === impl Open ===

impl Open {
    fn new(kind: &PartStart) -> Self {
        match kind {
            PartStart::Text | PartStart::Refusal => Self::Text,
            PartStart::Reasoning => Self::Thinking { begun: false },
            PartStart::RedactedReasoning(_) => Self::Nothing,
            PartStart::ToolCall { id, name, freeform } => {
                let arguments = match freeform {
                    true => ToolArguments::Freeform(String::new()),
                    false => ToolArguments::Json(String::new()),
                };
                Self::Call(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments,
                    opaque: None,
                })
            }
        }
    }
}
