//! Wire events to neutral events. A stream and a whole reply go through the same steps, so they cannot differ.

use super::event::{
    BlockStart, ContentBlock, Delta, ModelFields, Payload, ReasoningDelta, Reply, ToolUseStart,
};
use super::usage::WireUsage;
use super::{citation, stop};
use crate::dialect::Dialect;
use crate::error::{ErrorKind, UpstreamError};
use crate::event::{Event, EventKind, Media, PartStart};
use crate::finish::{Finish, FinishReason};
use crate::formats::anthropic_messages::ANSWER_TOOL;
use crate::formats::anthropic_messages::json::compact;
use crate::request::Opaque;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Assembly {
    started: bool,
    finished: bool,
    ended: bool,
    /// Blocks that have not stopped, by the upstream's index.
    open: BTreeMap<u64, OpenBlock>,
    next_part: u32,
    called_a_tool: bool,
}

#[derive(Debug)]
enum OpenBlock {
    Part {
        part: u32,
        kind: Kind,
    },
    /// The start of such a part says it all, so that it waits for its last piece.
    Redacted(Vec<String>),
    Image {
        mime: String,
        data: Vec<String>,
    },
    /// A tool that the provider runs itself, or a block that nobody knows.
    Ignored,
}

/// What the deltas of a part are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
    /// Fragments of a tool's input.
    Input,
}

// === impl Assembly ===

impl Assembly {
    pub fn ended(&self) -> bool {
        self.ended
    }

    pub fn event(&mut self, name: &str, payload: Payload, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        let index = payload.content_block_index;
        match name {
            "messageStart" => self.start(out),
            "contentBlockStart" => self.block_start(index, payload.start.unwrap_or_default(), out),
            "contentBlockDelta" => self.block_delta(index, payload.delta.unwrap_or_default(), out),
            "contentBlockStop" => self.block_stop(index, out),
            "messageStop" => {
                let native = payload.stop_reason.unwrap_or_default();
                self.finish(native, payload.additional_model_response_fields, out);
            }
            "metadata" => self.metadata(payload.usage.as_ref(), out),
            // new events may come at any time
            _ => {}
        }
    }

    pub fn whole_reply(&mut self, reply: Reply<'_>, out: &mut Vec<Event>) {
        self.start(out);
        for (index, raw) in (0..).zip(reply.output.message.content) {
            if let Ok(block) = serde_json::from_str::<ContentBlock<'_>>(raw.get()) {
                self.whole_block(index, block, out);
            }
        }
        let native = reply.stop_reason.unwrap_or_default();
        self.finish(native, reply.additional_model_response_fields, out);
        self.metadata(reply.usage.as_ref(), out);
        self.close(out);
    }

    /// The upstream closed the stream. A message that named its stop reason is complete, with or without metadata.
    pub fn close(&mut self, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if self.finished {
            self.ended = true;
            return out.push(Event::first(EventKind::End));
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

    /// The API names neither the reply nor its model.
    fn start(&mut self, out: &mut Vec<Event>) {
        if !self.started {
            self.started = true;
            out.push(Event::first(EventKind::Start {
                id: String::new(),
                model: String::new(),
                created: None,
            }));
        }
    }

    /// Only calls and images are announced; texts and reasoning begin with their first delta.
    fn block_start(&mut self, index: u64, start: BlockStart, out: &mut Vec<Event>) {
        if self.finished {
            return;
        }
        self.start(out);
        self.block_stop(index, out);
        if let Some(tool) = start.tool_use {
            self.tool_start(index, tool, out);
        } else if let Some(image) = start.image {
            let block = OpenBlock::Image {
                mime: format!("image/{}", image.format),
                data: Vec::new(),
            };
            self.open.insert(index, block);
        } else {
            self.open.insert(index, OpenBlock::Ignored);
        }
    }

    fn tool_start(&mut self, index: u64, tool: ToolUseStart, out: &mut Vec<Event>) {
        if tool.name.is_empty() || tool.kind.is_some() {
            self.open.insert(index, OpenBlock::Ignored);
            return;
        }
        if tool.name == ANSWER_TOOL {
            self.open_part(index, Kind::Input, PartStart::Text, out);
            return;
        }
        self.called_a_tool = true;
        let id = match tool.tool_use_id {
            id if id.is_empty() => format!("tooluse_{index}"),
            id => id,
        };
        let call = PartStart::ToolCall {
            id,
            name: tool.name,
            freeform: false,
        };
        self.open_part(index, Kind::Input, call, out);
    }

    fn block_delta(&mut self, index: u64, delta: Delta, out: &mut Vec<Event>) {
        if self.finished {
            return;
        }
        self.start(out);
        if let Some(text) = delta.text {
            self.say(index, Kind::Text, text, out);
        }
        if let Some(citation) = delta.citation {
            self.cite(index, citation, out);
        }
        if let Some(reasoning) = delta.reasoning_content {
            self.reason(index, reasoning, out);
        }
        if let Some(fragment) = delta.tool_use
            && let Some(OpenBlock::Part {
                kind: Kind::Input, ..
            }) = self.open.get(&index)
        {
            self.say(index, Kind::Input, fragment.input, out);
        }
        let image = delta.image.and_then(|image| image.source);
        if let Some(bytes) = image.and_then(|source| source.bytes)
            && let Some(OpenBlock::Image { data, .. }) = self.open.get_mut(&index)
        {
            data.push(bytes);
        }
    }

    fn reason(&mut self, index: u64, reasoning: ReasoningDelta, out: &mut Vec<Event>) {
        if let Some(text) = reasoning.text {
            self.say(index, Kind::Reasoning, text, out);
        }
        if let Some(signature) = reasoning.signature.filter(|signature| !signature.is_empty())
            && let Some(part) = self.part(index, Kind::Reasoning, out)
        {
            let opaque = opaque(signature);
            out.push(Event::first(EventKind::Opaque { part, opaque }));
        }
        if let Some(data) = reasoning.redacted_content.filter(|data| !data.is_empty()) {
            match self.open.get_mut(&index) {
                Some(OpenBlock::Redacted(pieces)) => pieces.push(data),
                Some(OpenBlock::Ignored) => {}
                _ => {
                    self.block_stop(index, out);
                    self.open.insert(index, OpenBlock::Redacted(vec![data]));
                }
            }
        }
    }

    fn whole_block(&mut self, index: u64, block: ContentBlock<'_>, out: &mut Vec<Event>) {
        if let Some(text) = block.text {
            self.say(index, Kind::Text, text, out);
        }
        if let Some(cited) = block.citations_content {
            let texts = cited.content.into_iter().filter_map(|cited| cited.text);
            texts.for_each(|text| self.say(index, Kind::Text, text, out));
            cited
                .citations
                .into_iter()
                .for_each(|citation| self.cite(index, citation, out));
        }
        if let Some(reasoning) = block.reasoning_content {
            let (text, signature) = reasoning
                .reasoning_text
                .map_or((None, None), |said| (Some(said.text), said.signature));
            let delta = ReasoningDelta {
                text,
                signature,
                redacted_content: reasoning.redacted_content,
            };
            self.reason(index, delta, out);
        }
        if let Some(tool) = block.tool_use {
            let input = tool.input.map(|input| compact(input.get()));
            let start = ToolUseStart {
                tool_use_id: tool.tool_use_id,
                name: tool.name,
                kind: tool.kind,
            };
            self.tool_start(index, start, out);
            let said = input.filter(|input| input != "{}" && input != "null");
            if let (Some(input), Some(OpenBlock::Part { .. })) = (said, self.open.get(&index)) {
                self.say(index, Kind::Input, input, out);
            }
        }
        if let Some(image) = block.image {
            let bytes = image.source.and_then(|source| source.bytes);
            let block = OpenBlock::Image {
                mime: format!("image/{}", image.format),
                data: bytes.into_iter().collect(),
            };
            self.open.insert(index, block);
        }
        self.block_stop(index, out);
    }

    fn block_stop(&mut self, index: u64, out: &mut Vec<Event>) {
        match self.open.remove(&index) {
            Some(OpenBlock::Part { part, .. }) => out.push(Event::first(EventKind::PartStop { part })),
            Some(OpenBlock::Redacted(pieces)) => {
                let opaque = opaque(joined(&pieces));
                let part = self.new_part(PartStart::RedactedReasoning(opaque), out);
                out.push(Event::first(EventKind::PartStop { part }));
            }
            Some(OpenBlock::Image { mime, data }) if !data.is_empty() => {
                let data = joined(&data);
                out.push(Event::first(EventKind::Media(Media { mime, data })));
            }
            Some(OpenBlock::Image { .. } | OpenBlock::Ignored) | None => {}
        }
    }

    fn finish(&mut self, native: String, fields: Option<ModelFields>, out: &mut Vec<Event>) {
        if self.finished {
            return;
        }
        self.start(out);
        while let Some(index) = self.open.keys().next().copied() {
            self.block_stop(index, out);
        }
        self.finished = true;
        let stop_sequence = fields.and_then(|fields| fields.stop_sequence);
        let reason = match native.as_str() {
            // a message that says it is complete, but not why, ended of its own accord
            "" => FinishReason::Stop,
            native => stop::reason(native),
        };
        out.push(Event::first(EventKind::Finish(Finish {
            reason: reason.resolve(self.called_a_tool),
            native,
            stop_sequence,
        })));
    }

    /// The last event of a stream.
    fn metadata(&mut self, usage: Option<&WireUsage>, out: &mut Vec<Event>) {
        self.start(out);
        if let Some(usage) = usage.map(WireUsage::neutral).filter(|usage| !usage.is_absent()) {
            out.push(Event::first(EventKind::Usage(usage)));
        }
        if self.finished {
            self.close(out);
        }
    }

    fn say(&mut self, index: u64, kind: Kind, text: String, out: &mut Vec<Event>) {
        if !text.is_empty()
            && let Some(part) = self.part(index, kind, out)
        {
            out.push(Event::first(EventKind::Delta { part, text }));
        }
    }

    fn cite(&mut self, index: u64, citation: serde_json::Value, out: &mut Vec<Event>) {
        if let Some(part) = self.part(index, Kind::Text, out) {
            let raw = citation::neutral(citation);
            out.push(Event::first(EventKind::Citation { part, raw }));
        }
    }

    /// The open part of this kind at this place, or a new one; `None` in a block that is no output.
    fn part(&mut self, index: u64, kind: Kind, out: &mut Vec<Event>) -> Option<u32> {
        match self.open.get(&index) {
            Some(OpenBlock::Part { part, kind: open }) if *open == kind => return Some(*part),
            Some(OpenBlock::Ignored) => return None,
            Some(_) => self.block_stop(index, out),
            None => {}
        }
        let start = match kind {
            Kind::Text => PartStart::Text,
            Kind::Reasoning => PartStart::Reasoning,
            // a call has a name, which only its start tells
            Kind::Input => return None,
        };
        Some(self.open_part(index, kind, start, out))
    }

    fn open_part(&mut self, index: u64, kind: Kind, start: PartStart, out: &mut Vec<Event>) -> u32 {
        let part = self.new_part(start, out);
        self.open.insert(index, OpenBlock::Part { part, kind });
        part
    }

    fn new_part(&mut self, kind: PartStart, out: &mut Vec<Event>) -> u32 {
        let part = self.next_part;
        self.next_part += 1;
        out.push(Event::first(EventKind::PartStart { part, kind }));
        part
    }
}

// === functions ===

fn opaque(payload: String) -> Opaque {
    Opaque {
        issuer: Dialect::BedrockConverse,
        payload,
    }
}

/// Pieces of bytes, each in base64, as one. Pieces that are no base64 are put together as they are.
fn joined(pieces: &[String]) -> String {
    if let [whole] = pieces {
        return whole.clone();
    }
    let bytes: Result<Vec<Vec<u8>>, _> = pieces.iter().map(|piece| STANDARD.decode(piece)).collect();
    match bytes {
        Ok(bytes) => STANDARD.encode(bytes.concat()),
        Err(_) => pieces.concat(),
    }
}
