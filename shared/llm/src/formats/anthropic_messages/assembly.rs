//! Wire events to neutral events. A stream and a whole message go through the same steps, so they cannot differ.

use super::event::{ContentBlock, Delta, Message, StreamEvent};
use super::json::compact;
use super::tokens::WireUsage;
use super::{ANSWER_TOOL, error, stop};
use crate::dialect::Dialect;
use crate::error::{ErrorKind, UpstreamError};
use crate::event::{Event, EventKind, PartStart};
use crate::finish::{Finish, FinishReason};
use crate::request::Opaque;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Assembly {
    started: bool,
    ended: bool,
    finished: bool,
    message_id: String,
    /// Blocks that have not stopped, by the upstream's index; blocks nobody understands are not in it.
    open: BTreeMap<u64, OpenBlock>,
    next_part: u32,
    called_a_tool: bool,
    usage: WireUsage,
}

#[derive(Debug)]
struct OpenBlock {
    part: u32,
    /// A tool input that came whole with the block's start. Some servers repeat it as deltas, which then win.
    whole_input: Option<String>,
}

// === impl Assembly ===

impl Assembly {
    pub fn ended(&self) -> bool {
        self.ended
    }

    pub fn stream_event(&mut self, event: StreamEvent<'_>, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        match event.kind.as_ref() {
            "message_start" => {
                if let Some(message) = event.message {
                    self.start(&message, out);
                    self.whole_blocks(&message, out);
                }
            }
            "content_block_start" => {
                if let (Some(index), Some(block)) = (event.index, event.content_block) {
                    self.block_start(index, block, out);
                }
            }
            "content_block_delta" => {
                if let (Some(index), Some(delta)) = (event.index, event.delta) {
                    self.block_delta(index, delta, out);
                }
            }
            "content_block_stop" => {
                if let Some(index) = event.index {
                    self.block_stop(index, out);
                }
            }
            "message_delta" => {
                let (reason, sequence) = event
                    .delta
                    .map_or((None, None), |d| (d.stop_reason, d.stop_sequence));
                self.message_delta(event.usage, reason, sequence, out);
            }
            "message_stop" => self.end(out),
            "ping" => out.push(Event::first(EventKind::KeepAlive)),
            _ => {
                if let Some(raw) = event.error {
                    self.fail(error::in_band(raw.get()), out);
                }
            }
        }
    }

    pub fn whole_message(&mut self, message: &Message<'_>, out: &mut Vec<Event>) {
        self.start(message, out);
        self.whole_blocks(message, out);
        self.message_delta(
            None,
            message.stop_reason.clone(),
            message.stop_sequence.clone(),
            out,
        );
        self.end(out);
    }

    /// The upstream closed the stream. A message that named its stop reason is complete without `message_stop`.
    pub fn close(&mut self, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if self.finished {
            return self.end(out);
        }
        let (kind, message) = if self.started {
            (
                ErrorKind::StreamIncomplete,
                "upstream closed the stream before the message was complete",
            )
        } else {
            (
                ErrorKind::MalformedUpstream,
                "upstream closed the stream without sending a message",
            )
        };
        self.fail(UpstreamError::new(kind, message), out);
    }

    pub fn fail(&mut self, error: UpstreamError, out: &mut Vec<Event>) {
        if !self.ended {
            self.ended = true;
            out.push(Event::first(EventKind::Error(error)));
        }
    }

    fn start(&mut self, message: &Message<'_>, out: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        self.message_id.clone_from(&message.id);
        let (id, model) = (message.id.clone(), message.model.clone());
        out.push(Event::first(EventKind::Start {
            id,
            model,
            created: None,
        }));
        self.usage(message.usage, out);
    }

    fn whole_blocks(&mut self, message: &Message<'_>, out: &mut Vec<Event>) {
        for (index, block) in (0..).zip(message.content.iter().flatten()) {
            self.block_start(index, block, out);
            self.block_stop(index, out);
        }
    }

    fn block_start(&mut self, index: u64, raw: &RawValue, out: &mut Vec<Event>) {
        let Ok(block) = serde_json::from_str::<ContentBlock<'_>>(raw.get()) else {
            return;
        };
        self.start_unannounced(out);
        self.block_stop(index, out);
        match block.kind.as_ref() {
            "text" => {
                self.open(index, PartStart::Text, out);
                self.delta(index, block.text, out);
                for raw in block.citations.into_iter().flatten() {
                    self.emit(index, |part| EventKind::Citation { part, raw }, out);
                }
            }
            "thinking" => {
                self.open(index, PartStart::Reasoning, out);
                self.delta(index, block.thinking, out);
                self.signature(index, block.signature, out);
            }
            "redacted_thinking" => {
                let opaque = opaque(block.data.unwrap_or_default());
                self.open(index, PartStart::RedactedReasoning(opaque), out);
            }
            "tool_use" => self.tool_start(index, block, out),
            // server tools run at the provider and are no calls of the client's; the rest is unknown
            _ => {}
        }
    }

    fn tool_start(&mut self, index: u64, block: ContentBlock<'_>, out: &mut Vec<Event>) {
        let Some(name) = block.name.filter(|name| !name.is_empty()) else {
            return;
        };
        let kind = if name == ANSWER_TOOL {
            PartStart::Text
        } else {
            self.called_a_tool = true;
            let id = block.id.filter(|id| !id.is_empty());
            let id = id.unwrap_or_else(|| format!("toolu_{}_{index}", self.message_id));
            PartStart::ToolCall {
                id,
                name,
                freeform: false,
            }
        };
        self.open(index, kind, out);
        let input = block.input.map(|input| compact(input.get()));
        if let Some(open) = self.open.get_mut(&index) {
            open.whole_input = input.filter(|input| input != "{}" && input != "null");
        }
    }

    fn block_delta(&mut self, index: u64, delta: Delta, out: &mut Vec<Event>) {
        match delta.kind.as_str() {
            "text_delta" => self.delta(index, delta.text, out),
            "thinking_delta" => self.delta(index, delta.thinking, out),
            "signature_delta" => self.signature(index, delta.signature, out),
            "citations_delta" => {
                if let Some(raw) = delta.citation {
                    self.emit(index, |part| EventKind::Citation { part, raw }, out);
                }
            }
            "input_json_delta" => {
                let fragment = delta.partial_json.filter(|fragment| !fragment.is_empty());
                if let (Some(open), true) = (self.open.get_mut(&index), fragment.is_some()) {
                    open.whole_input = None;
                }
                self.delta(index, fragment, out);
            }
            _ => {}
        }
    }

    fn block_stop(&mut self, index: u64, out: &mut Vec<Event>) {
        let Some(block) = self.open.remove(&index) else {
            return;
        };
        let part = block.part;
        if let Some(text) = block.whole_input {
            out.push(Event::first(EventKind::Delta { part, text }));
        }
        out.push(Event::first(EventKind::PartStop { part }));
    }

    fn message_delta(
        &mut self,
        usage: Option<WireUsage>,
        reason: Option<String>,
        stop_sequence: Option<String>,
        out: &mut Vec<Event>,
    ) {
        self.start_unannounced(out);
        self.usage(usage, out);
        if let Some(native) = reason {
            self.finish(stop::reason(&native), native, stop_sequence, out);
        }
    }

    fn finish(
        &mut self,
        reason: FinishReason,
        native: String,
        stop_sequence: Option<String>,
        out: &mut Vec<Event>,
    ) {
        if self.finished {
            return;
        }
        self.stop_all(out);
        self.finished = true;
        let reason = reason.resolve(self.called_a_tool);
        out.push(Event::first(EventKind::Finish(Finish {
            reason,
            native,
            stop_sequence,
        })));
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        self.start_unannounced(out);
        // a message that says it is complete, but not why, ended of its own accord
        self.finish(FinishReason::Stop, String::new(), None, out);
        self.stop_all(out);
        self.ended = true;
        out.push(Event::first(EventKind::End));
    }

    /// A server that leaves `message_start` out still gets its stream opened.
    fn start_unannounced(&mut self, out: &mut Vec<Event>) {
        if !self.started {
            self.started = true;
            let start = EventKind::Start {
                id: String::new(),
                model: String::new(),
                created: None,
            };
            out.push(Event::first(start));
        }
    }

    fn stop_all(&mut self, out: &mut Vec<Event>) {
        while let Some(index) = self.open.keys().next().copied() {
            self.block_stop(index, out);
        }
    }

    fn open(&mut self, index: u64, kind: PartStart, out: &mut Vec<Event>) {
        let part = self.next_part;
        self.next_part += 1;
        self.open.insert(
            index,
            OpenBlock {
                part,
                whole_input: None,
            },
        );
        out.push(Event::first(EventKind::PartStart { part, kind }));
    }

    fn emit(&mut self, index: u64, kind: impl FnOnce(u32) -> EventKind, out: &mut Vec<Event>) {
        if let Some(block) = self.open.get(&index) {
            out.push(Event::first(kind(block.part)));
        }
    }

    fn delta(&mut self, index: u64, text: Option<String>, out: &mut Vec<Event>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.emit(index, |part| EventKind::Delta { part, text }, out);
        }
    }

    fn signature(&mut self, index: u64, signature: Option<String>, out: &mut Vec<Event>) {
        if let Some(signature) = signature.filter(|signature| !signature.is_empty()) {
            let opaque = opaque(signature);
            self.emit(index, |part| EventKind::Opaque { part, opaque }, out);
        }
    }

    fn usage(&mut self, usage: Option<WireUsage>, out: &mut Vec<Event>) {
        if let Some(usage) = usage {
            self.usage.merge(usage);
            out.push(Event::first(EventKind::Usage(self.usage.neutral())));
        }
    }
}

// === functions ===

fn opaque(payload: String) -> Opaque {
    Opaque {
        issuer: Dialect::AnthropicMessages,
        payload,
    }
}
