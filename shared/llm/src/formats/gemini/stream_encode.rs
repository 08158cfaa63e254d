//! Events to a stream for a client of this dialect.
//!
//! Text goes out as it comes; a call is buffered, because its arguments are an object here; the reason to stop is
//! held back for the last chunk, which also tells usage.

use super::chunk::{self, Candidate, Part, Reply};
use super::error::Envelope;
use super::grounding::Citations;
use super::usage::ClientUsage;
use super::{finish, logprobs, signature};
use crate::error::PublicError;
use crate::event::{Event, EventKind, PartStart};
use crate::finish::FinishReason;
use crate::format::{Framing, ReplySeed, StreamEncoder};
use crate::frame::write_json;
use crate::request::{ToolArguments, ToolCall};
use crate::usage::Usage;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug)]
pub struct Encoder {
    seed: ReplySeed,
    started: bool,
    closed: bool,
    usage: Usage,
    turns: BTreeMap<u32, Turn>,
    /// By choice and part.
    open: BTreeMap<(u32, u32), Open>,
}

#[derive(Debug, Default)]
struct Turn {
    finish: Option<FinishReason>,
    citations: Citations,
    /// Wait for the next chunk.
    logprobs: Option<Value>,
}

#[derive(Debug)]
enum Open {
    Text { length: usize, citations: Vec<Value> },
    Thought,
    Call(ToolCall),
}

// === impl Encoder ===

impl Encoder {
    pub fn new(seed: &ReplySeed) -> Self {
        Self {
            seed: seed.clone(),
            started: false,
            closed: false,
            usage: Usage::default(),
            turns: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    fn start(&mut self, choice: u32, part: u32, kind: &PartStart, out: &mut Vec<u8>) {
        self.turns.entry(choice).or_default();
        let open = match kind {
            PartStart::Text | PartStart::Refusal => Open::Text {
                length: 0,
                citations: Vec::new(),
            },
            PartStart::Reasoning => Open::Thought,
            PartStart::RedactedReasoning(opaque) => {
                return self.say(
                    choice,
                    Part::thought("", Some(signature::seal_redacted(opaque))),
                    out,
                );
            }
            PartStart::ToolCall { id, name, freeform } => {
                let arguments = match freeform {
                    true => ToolArguments::Freeform(String::new()),
                    false => ToolArguments::Json(String::new()),
                };
                Open::Call(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments,
                    opaque: None,
                })
            }
        };
        self.open.insert((choice, part), open);
    }

    fn append(&mut self, choice: u32, part: u32, text: &str, out: &mut Vec<u8>) {
        let said = match self.open.get_mut(&(choice, part)) {
            Some(Open::Text { length, .. }) => {
                *length += text.len();
                Part::text(text)
            }
            Some(Open::Thought) => Part::thought(text, None),
            Some(Open::Call(ToolCall {
                arguments: ToolArguments::Json(so_far) | ToolArguments::Freeform(so_far),
                ..
            })) => return so_far.push_str(text),
            None => return,
        };
        self.say(choice, said, out);
    }

    fn stop(&mut self, choice: u32, part: u32, out: &mut Vec<u8>) {
        match self.open.remove(&(choice, part)) {
            Some(Open::Text { length, citations }) => {
                self.turns
                    .entry(choice)
                    .or_default()
                    .citations
                    .add(length, &citations);
            }
            Some(Open::Call(call)) => {
                let said = Part {
                    thought_signature: call.opaque.as_ref().map(signature::seal),
                    ..Part::call(&call.id, &call.name, chunk::arguments(&call))
                };
                self.say(choice, said, out);
            }
            Some(Open::Thought) | None => {}
        }
    }

    fn say(&mut self, choice: u32, part: Part<'_>, out: &mut Vec<u8>) {
        let logprobs = self.turns.entry(choice).or_default().logprobs.take();
        let candidate = Candidate {
            logprobs_result: logprobs.as_ref().and_then(logprobs::write),
            ..Candidate::of(choice, vec![part])
        };
        begin(&mut self.started, self.seed.framing, out);
        write(&Reply::of(&self.seed, vec![candidate]), self.seed.framing, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.closed = true;
        let mut turns = std::mem::take(&mut self.turns);
        if turns.is_empty() {
            turns.insert(0, Turn::default());
        }
        let last = |(choice, turn): (u32, Turn)| Candidate {
            finish_reason: Some(finish::write(turn.finish.unwrap_or(FinishReason::Stop))),
            logprobs_result: turn.logprobs.as_ref().and_then(logprobs::write),
            grounding_metadata: turn.citations.write(),
            ..Candidate::of(choice, vec![Part::text("")])
        };
        let reply = Reply {
            usage_metadata: ClientUsage::of(&self.usage),
            ..Reply::of(&self.seed, turns.into_iter().map(last).collect())
        };
        begin(&mut self.started, self.seed.framing, out);
        write(&reply, self.seed.framing, out);
        if self.seed.framing == Framing::JsonArray {
            out.push(b']');
        }
    }
}

impl StreamEncoder for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        let choice = event.choice;
        if self.closed {
            return;
        }
        match &event.kind {
            EventKind::Start { .. } => {}
            EventKind::Usage(usage) => self.usage.merge(usage),
            // the vendor's Python SDK reads a comment as broken JSON; empty lines are skipped by all
            EventKind::KeepAlive if self.started => out.extend_from_slice(b"\r\n"),
            EventKind::KeepAlive => {}
            EventKind::Error(error) => self.fail(&error.public(""), out),
            EventKind::End => self.end(out),
            EventKind::PartStart { part, kind } => self.start(choice, *part, kind, out),
            EventKind::Delta { part, text } => self.append(choice, *part, text, out),
            EventKind::Opaque { part, opaque } => match self.open.get_mut(&(choice, *part)) {
                Some(Open::Call(call)) => call.opaque = Some(opaque.clone()),
                Some(Open::Thought) => {
                    self.say(choice, Part::thought("", Some(signature::seal(opaque))), out);
                }
                Some(Open::Text { .. }) | None => {}
            },
            EventKind::Citation { part, raw } => {
                if let Some(Open::Text { citations, .. }) = self.open.get_mut(&(choice, *part)) {
                    citations.push(raw.clone());
                }
            }
            EventKind::Logprobs(value) => {
                let waiting = &mut self.turns.entry(choice).or_default().logprobs;
                *waiting = Some(match waiting.take() {
                    Some(earlier) => joined(earlier, value),
                    None => value.clone(),
                });
            }
            EventKind::Media(media) => self.say(choice, Part::media(media), out),
            EventKind::PartStop { part } => self.stop(choice, *part, out),
            EventKind::Finish(finish) => self.turns.entry(choice).or_default().finish = Some(finish.reason),
        }
    }

    fn fail(&mut self, error: &PublicError, out: &mut Vec<u8>) {
        if self.closed {
            return;
        }
        self.closed = true;
        begin(&mut self.started, self.seed.framing, out);
        write(&Envelope::of(error), self.seed.framing, out);
        if self.seed.framing == Framing::JsonArray {
            out.push(b']');
        }
    }
}

// === functions ===

/// What stands in front of a chunk.
pub fn begin(started: &mut bool, framing: Framing, out: &mut Vec<u8>) {
    out.extend_from_slice(match (framing, *started) {
        (Framing::Native, _) => b"data: ".as_slice(),
        (Framing::JsonArray, false) => b"[",
        (Framing::JsonArray, true) => b",\r\n",
    });
    *started = true;
}

pub fn write(chunk: &impl Serialize, framing: Framing, out: &mut Vec<u8>) {
    write_json(out, chunk);
    if framing == Framing::Native {
        out.extend_from_slice(b"\r\n\r\n");
    }
}

/// Later tokens go behind earlier ones.
fn joined(mut earlier: Value, later: &Value) -> Value {
    if let (Some(Value::Array(tokens)), Some(Value::Array(more))) =
        (earlier.get_mut("content"), later.get("content"))
    {
        tokens.extend(more.iter().cloned());
    }
    earlier
}
