//! Events to a stream for a client of this dialect.
//!
//! Every chunk has the same head. A choice opens with its role, a call names itself once, content and finish never
//! share a chunk, and usage is only seen by clients that asked for it: others are known to fail on a chunk without
//! choices.

mod chunk;

use self::chunk::{Call, Choice, Chunk, Delta};
use super::usage::UsageReport;
use super::{annotation, call_signature, error, finish, image, reasoning};
use crate::error::PublicError;
use crate::event::{Event, EventKind, PartStart};
use crate::finish::Finish;
use crate::format::{ReplySeed, StreamEncoder};
use crate::frame;
use crate::request::Opaque;
use crate::usage::Usage;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug)]
pub struct ChunkEncoder {
    id: String,
    created: u64,
    model: String,
    include_usage: bool,
    usage: Usage,
    choices: BTreeMap<u32, Turn>,
    /// By choice and part.
    parts: BTreeMap<(u32, u32), Part>,
    closed: bool,
}

/// What has been sent of one choice.
#[derive(Debug, Default)]
struct Turn {
    opened: bool,
    finished: bool,
    calls: usize,
    details: usize,
    /// Code points of text, which annotations count in.
    chars: usize,
    reasoned: bool,
    refused: bool,
    /// Wait for the next chunk with content.
    logprobs: Option<Value>,
}

#[derive(Debug)]
enum Part {
    Text {
        start: usize,
        citations: Vec<Value>,
    },
    Reasoning {
        text: String,
    },
    Refusal,
    Call {
        index: usize,
        freeform: bool,
        empty: bool,
    },
    Redacted,
}

// === impl ChunkEncoder ===

impl ChunkEncoder {
    pub fn new(seed: &ReplySeed) -> Self {
        Self {
            id: format!("chatcmpl-{}", seed.id),
            created: seed.created,
            model: seed.model.clone(),
            include_usage: seed.include_usage,
            usage: Usage::default(),
            choices: BTreeMap::new(),
            parts: BTreeMap::new(),
            closed: false,
        }
    }

    fn turn(&mut self, choice: u32) -> &mut Turn {
        self.choices.entry(choice).or_default()
    }

    fn start(&mut self, choice: u32, part: u32, kind: &PartStart, out: &mut Vec<u8>) {
        self.open(choice, matches!(kind, PartStart::ToolCall { .. }), out);
        let turn = self.turn(choice);
        let state = match kind {
            PartStart::Text => Part::Text {
                start: turn.chars,
                citations: Vec::new(),
            },
            PartStart::Reasoning => Part::Reasoning { text: String::new() },
            PartStart::Refusal => Part::Refusal,
            PartStart::RedactedReasoning(opaque) => {
                let detail = reasoning::encrypted(opaque, turn.details);
                self.detail(choice, &detail, out);
                Part::Redacted
            }
            PartStart::ToolCall { id, name, freeform } => {
                let index = turn.calls;
                turn.calls += 1;
                self.delta(choice, Delta::call(Call::first(index, id, name, *freeform)), out);
                Part::Call {
                    index,
                    freeform: *freeform,
                    empty: true,
                }
            }
        };
        self.parts.insert((choice, part), state);
    }

    /// The role comes once, before anything else.
    fn open(&mut self, choice: u32, with_call: bool, out: &mut Vec<u8>) {
        let turn = self.turn(choice);
        if !turn.opened {
            turn.opened = true;
            let content = (!with_call).then_some("");
            self.write(choice, Choice::of(Delta::role(content)), out);
        }
    }

    fn append(&mut self, choice: u32, part: u32, text: &str, out: &mut Vec<u8>) {
        let turn = self.choices.entry(choice).or_default();
        let Some(state) = self.parts.get_mut(&(choice, part)) else {
            return;
        };
        match state {
            Part::Text { .. } => {
                turn.chars += text.chars().count();
                self.delta(
                    choice,
                    Delta {
                        content: Some(Some(text)),
                        ..Delta::default()
                    },
                    out,
                );
            }
            Part::Reasoning { text: so_far } => {
                // segments are one text here
                let joint = if so_far.is_empty() && turn.reasoned {
                    "\n\n"
                } else {
                    ""
                };
                turn.reasoned = true;
                so_far.push_str(text);
                let text = format!("{joint}{text}");
                self.delta(
                    choice,
                    Delta {
                        reasoning_content: Some(&text),
                        ..Delta::default()
                    },
                    out,
                );
            }
            Part::Refusal => {
                turn.refused = true;
                self.delta(
                    choice,
                    Delta {
                        refusal: Some(text),
                        ..Delta::default()
                    },
                    out,
                );
            }
            Part::Call {
                index,
                freeform,
                empty,
            } => {
                *empty = false;
                let call = Call::more(*index, text, *freeform);
                self.delta(choice, Delta::call(call), out);
            }
            Part::Redacted => {}
        }
    }

    fn sign(&mut self, choice: u32, part: u32, opaque: &Opaque, out: &mut Vec<u8>) {
        let index = self.turn(choice).details;
        match self.parts.get(&(choice, part)) {
            Some(Part::Reasoning { text }) => {
                let detail = reasoning::signed(opaque, text, index);
                self.detail(choice, &detail, out);
            }
            Some(Part::Call { index, freeform, .. }) => {
                let Some(extra_content) = call_signature::write(opaque) else {
                    return;
                };
                let call = Call::signed(*index, extra_content, *freeform);
                self.delta(choice, Delta::call(call), out);
            }
            _ => {}
        }
    }

    fn detail(&mut self, choice: u32, detail: &Value, out: &mut Vec<u8>) {
        self.turn(choice).details += 1;
        self.delta(
            choice,
            Delta {
                reasoning_details: Some([detail]),
                ..Delta::default()
            },
            out,
        );
    }

    fn stop(&mut self, choice: u32, part: u32, out: &mut Vec<u8>) {
        match self.parts.remove(&(choice, part)) {
            // a call without arguments still has to parse
            Some(Part::Call {
                index,
                freeform: false,
                empty: true,
            }) => {
                self.delta(choice, Delta::call(Call::more(index, "{}", false)), out);
            }
            Some(Part::Text { start, citations }) => {
                let end = self.turn(choice).chars;
                let annotations: Vec<Value> = citations
                    .iter()
                    .filter_map(|citation| annotation::of(citation, start, end))
                    .collect();
                if !annotations.is_empty() {
                    self.delta(
                        choice,
                        Delta {
                            annotations: Some(&annotations),
                            ..Delta::default()
                        },
                        out,
                    );
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, choice: u32, finish: &Finish, out: &mut Vec<u8>) {
        self.open(choice, false, out);
        let turn = self.turn(choice);
        turn.finished = true;
        let logprobs = turn.logprobs.take();
        let reason = finish::write(finish.reason, turn.refused);
        self.write(
            choice,
            Choice {
                logprobs: logprobs.as_ref(),
                finish_reason: Some(reason),
                native_finish_reason: Some(finish.native.as_str()).filter(|native| !native.is_empty()),
                ..Choice::of(Delta::default())
            },
            out,
        );
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.include_usage {
            let usage = Some(Some(UsageReport::of(&self.usage)));
            frame::write_event(
                out,
                None,
                &Chunk {
                    usage,
                    ..self.chunk(Vec::new())
                },
            );
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.closed = true;
    }

    /// A chunk with content, and with the log probabilities that belong to it.
    fn delta(&mut self, choice: u32, delta: Delta<'_>, out: &mut Vec<u8>) {
        let logprobs = self.turn(choice).logprobs.take();
        self.write(
            choice,
            Choice {
                logprobs: logprobs.as_ref(),
                ..Choice::of(delta)
            },
            out,
        );
    }

    fn write(&self, index: u32, choice: Choice<'_>, out: &mut Vec<u8>) {
        frame::write_event(out, None, &self.chunk(vec![Choice { index, ..choice }]));
    }

    fn chunk<'a>(&'a self, choices: Vec<Choice<'a>>) -> Chunk<'a> {
        Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage: self.include_usage.then_some(None),
        }
    }
}

impl StreamEncoder for ChunkEncoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        let choice = event.choice;
        if self.closed {
            return;
        }
        match &event.kind {
            EventKind::Start { .. } => {}
            EventKind::Usage(usage) => self.usage.merge(usage),
            EventKind::KeepAlive => {
                // before the first chunk nothing is committed, and the request may still go elsewhere
                if !self.choices.is_empty() {
                    frame::write_comment(out, "keep-alive");
                }
            }
            EventKind::Error(error) => self.fail(&error.public(""), out),
            EventKind::End => self.end(out),
            _ if self.choices.get(&choice).is_some_and(|turn| turn.finished) => {}
            EventKind::PartStart { part, kind } => self.start(choice, *part, kind, out),
            EventKind::Delta { part, text } => self.append(choice, *part, text, out),
            EventKind::Opaque { part, opaque } => self.sign(choice, *part, opaque, out),
            EventKind::Citation { part, raw } => {
                if let Some(Part::Text { citations, .. }) = self.parts.get_mut(&(choice, *part)) {
                    citations.push(raw.clone());
                }
            }
            EventKind::Logprobs(value) => {
                self.open(choice, false, out);
                if self.turn(choice).logprobs.is_some() {
                    self.delta(choice, Delta::default(), out);
                }
                self.turn(choice).logprobs = Some(value.clone());
            }
            EventKind::Media(media) => {
                self.open(choice, false, out);
                let images = Some([image::write(media)]);
                self.delta(
                    choice,
                    Delta {
                        images,
                        ..Delta::default()
                    },
                    out,
                );
            }
            EventKind::PartStop { part } => self.stop(choice, *part, out),
            EventKind::Finish(finish) => self.finish(choice, finish, out),
        }
    }

    fn fail(&mut self, error: &PublicError, out: &mut Vec<u8>) {
        if !self.closed {
            self.closed = true;
            error::write_frame(error, out);
        }
    }
}

#[cfg(test)]
mod tests;
