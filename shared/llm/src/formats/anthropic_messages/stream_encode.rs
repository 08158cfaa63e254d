//! Neutral events to a client's stream.
//!
//! ```text
//! message_start (content_block_start content_block_delta* content_block_stop)* message_delta message_stop
//! ```
//!
//! Events come in sequence, as [`crate::sequence`] puts them. Block indexes count up, one block is open at a time,
//! and text and thinking are announced only once they have content: a client sends blocks back, and an empty one
//! is refused. The stop reason waits for the end, because usage may come after it and both travel in one
//! `message_delta`.

mod wire;

use self::wire::{BlockDelta, ClientEvent, StopDelta};
use super::reply::{ClientBlock, ClientMessage, empty_object};
use super::tokens::ClientUsage;
use super::{error, stop};
use crate::dialect::Dialect;
use crate::envelope;
use crate::error::PublicError;
use crate::event::{Event, EventKind, PartStart};
use crate::finish::Finish;
use crate::format::{ReplySeed, StreamEncoder};
use crate::frame::write_json;
use crate::request::Opaque;
use crate::usage::Usage;
use std::borrow::Cow;

/// Around the text of a free-text tool, which travels as the one string of a JSON object.
const FREEFORM_OPEN: &str = "{\"input\":\"";
const FREEFORM_CLOSE: &str = "\"}";

pub struct Encoder {
    seed: ReplySeed,
    started: bool,
    done: bool,
    next_index: u32,
    open: Option<OpenBlock>,
    usage: Usage,
    finish: Option<Finish>,
}

/// The part that is being written.
struct OpenBlock {
    part: u32,
    kind: BlockKind,
    /// Set once `content_block_start` is out.
    index: Option<u32>,
}

enum BlockKind {
    Text,
    Thinking {
        signature: Option<Opaque>,
    },
    Redacted,
    Tool {
        freeform: bool,
        has_input: bool,
        /// A signature over the call, which another vendor wants back.
        signature: Option<Opaque>,
    },
}

// === impl Encoder ===

impl StreamEncoder for Encoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        // the dialect has one choice
        if self.done || event.choice > 0 {
            return;
        }
        match &event.kind {
            EventKind::Start { .. } => self.start(out),
            EventKind::PartStart { part, kind } => self.part_start(*part, kind, out),
            EventKind::Delta { part, text } => self.delta(*part, text, out),
            EventKind::Opaque { part, opaque } => self.signature(*part, opaque, out),
            EventKind::PartStop { part } => {
                if self.open.as_ref().is_some_and(|block| block.part == *part) {
                    self.close(out);
                }
            }
            EventKind::Usage(usage) => self.usage.merge(usage),
            EventKind::Finish(finish) => self.finish = Some(finish.clone()),
            EventKind::KeepAlive if self.started => ClientEvent::Ping.write(out),
            EventKind::End => self.end(out),
            EventKind::Error(error) => self.fail(&error.public(&self.seed.id), out),
            // a citation must carry an encrypted index, which other vendors' citations do not have
            EventKind::KeepAlive
            | EventKind::Citation { .. }
            | EventKind::Logprobs(_)
            | EventKind::Media(_) => {}
        }
    }

    /// Whatever is open stays open: closing it would make a cut answer look complete.
    fn fail(&mut self, error: &PublicError, out: &mut Vec<u8>) {
        if !self.done {
            self.done = true;
            out.extend_from_slice(&error::frame(error));
        }
    }
}

impl Encoder {
    pub fn new(seed: &ReplySeed) -> Self {
        Self {
            seed: seed.clone(),
            started: false,
            done: false,
            next_index: 0,
            open: None,
            usage: Usage::default(),
            finish: None,
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        let message = ClientMessage::empty(&self.seed, ClientUsage::of(&self.usage));
        ClientEvent::MessageStart { message }.write(out);
    }

    fn part_start(&mut self, part: u32, kind: &PartStart, out: &mut Vec<u8>) {
        self.start(out);
        self.close(out);
        let open = |kind| {
            Some(OpenBlock {
                part,
                kind,
                index: None,
            })
        };
        match kind {
            PartStart::Text | PartStart::Refusal => self.open = open(BlockKind::Text),
            PartStart::Reasoning => self.open = open(BlockKind::Thinking { signature: None }),
            PartStart::RedactedReasoning(opaque) => {
                self.open = open(BlockKind::Redacted);
                self.announce(
                    ClientBlock::RedactedThinking {
                        data: envelope::seal(opaque, Dialect::AnthropicMessages),
                    },
                    out,
                );
            }
            PartStart::ToolCall { id, name, freeform } => {
                self.open = open(BlockKind::Tool {
                    freeform: *freeform,
                    has_input: false,
                    signature: None,
                });
                self.announce(
                    ClientBlock::ToolUse {
                        id,
                        name,
                        input: empty_object(),
                    },
                    out,
                );
            }
        }
    }

    fn delta(&mut self, part: u32, text: &str, out: &mut Vec<u8>) {
        let Some(block) = self.open.as_mut().filter(|block| block.part == part) else {
            return;
        };
        let delta = match &mut block.kind {
            BlockKind::Text => BlockDelta::Text { text },
            BlockKind::Thinking { .. } => BlockDelta::Thinking { thinking: text },
            BlockKind::Redacted => return,
            BlockKind::Tool {
                freeform: false,
                has_input,
                ..
            } => {
                *has_input = true;
                BlockDelta::Input {
                    partial_json: Cow::Borrowed(text),
                }
            }
            BlockKind::Tool {
                freeform: true,
                has_input,
                ..
            } => {
                let opening = if *has_input { "" } else { FREEFORM_OPEN };
                *has_input = true;
                BlockDelta::Input {
                    partial_json: Cow::Owned(format!("{opening}{}", escaped(text))),
                }
            }
        };
        self.announce_deferred(out);
        self.write_delta(delta, out);
    }

    /// A signature goes out last in its block, whenever it came.
    fn signature(&mut self, part: u32, opaque: &Opaque, out: &mut Vec<u8>) {
        let Some(block) = self.open.as_mut().filter(|block| block.part == part) else {
            return;
        };
        match &mut block.kind {
            BlockKind::Thinking { signature } => {
                *signature = Some(opaque.clone());
                self.announce_deferred(out);
            }
            BlockKind::Tool { signature, .. } => *signature = Some(opaque.clone()),
            BlockKind::Text | BlockKind::Redacted => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(OpenBlock {
            kind,
            index: Some(index),
            ..
        }) = self.open.take()
        else {
            return;
        };
        let input = |json| {
            Some(BlockDelta::Input {
                partial_json: Cow::Borrowed(json),
            })
        };
        let last = match &kind {
            BlockKind::Thinking {
                signature: Some(opaque),
            } => Some(BlockDelta::Signature {
                signature: envelope::seal(opaque, Dialect::AnthropicMessages),
            }),
            BlockKind::Tool {
                freeform: false,
                has_input: false,
                ..
            } => input("{}"),
            BlockKind::Tool {
                freeform: true,
                has_input: false,
                ..
            } => input("{\"input\":\"\"}"),
            BlockKind::Tool {
                freeform: true,
                has_input: true,
                ..
            } => input(FREEFORM_CLOSE),
            _ => None,
        };
        if let Some(delta) = last {
            ClientEvent::ContentBlockDelta { index, delta }.write(out);
        }
        ClientEvent::ContentBlockStop { index }.write(out);
        if let BlockKind::Tool {
            signature: Some(opaque),
            ..
        } = &kind
        {
            self.write_call_signature(opaque, out);
        }
    }

    /// Calls have no field for a signature, so it follows as a block of its own, which clients send back unread.
    fn write_call_signature(&mut self, opaque: &Opaque, out: &mut Vec<u8>) {
        let index = self.next_index;
        self.next_index += 1;
        let content_block = ClientBlock::signature_of_call(opaque);
        ClientEvent::ContentBlockStart { index, content_block }.write(out);
        ClientEvent::ContentBlockStop { index }.write(out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        self.close(out);
        self.done = true;
        let (stop_reason, stop_sequence) = stop::words(self.finish.as_ref());
        let delta = StopDelta {
            stop_reason,
            stop_sequence,
        };
        ClientEvent::MessageDelta {
            delta,
            usage: ClientUsage::of(&self.usage),
        }
        .write(out);
        ClientEvent::MessageStop.write(out);
    }

    fn announce_deferred(&mut self, out: &mut Vec<u8>) {
        let Some(OpenBlock {
            index: None, kind, ..
        }) = &self.open
        else {
            return;
        };
        let block = match kind {
            BlockKind::Thinking { .. } => ClientBlock::Thinking {
                thinking: "",
                signature: Cow::Borrowed(""),
            },
            _ => ClientBlock::Text { text: "" },
        };
        self.announce(block, out);
    }

    fn announce(&mut self, content_block: ClientBlock<'_>, out: &mut Vec<u8>) {
        let Some(block) = &mut self.open else { return };
        let index = self.next_index;
        self.next_index += 1;
        block.index = Some(index);
        ClientEvent::ContentBlockStart { index, content_block }.write(out);
    }

    fn write_delta(&self, delta: BlockDelta<'_>, out: &mut Vec<u8>) {
        if let Some(index) = self.open.as_ref().and_then(|block| block.index) {
            ClientEvent::ContentBlockDelta { index, delta }.write(out);
        }
    }
}

// === functions ===

/// The inside of a JSON string literal.
fn escaped(text: &str) -> String {
    let mut json = Vec::with_capacity(text.len() + 2);
    write_json(&mut json, &text);
    String::from_utf8_lossy(&json[1..json.len() - 1]).into_owned()
}
