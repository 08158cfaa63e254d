//! Events to a stream for a client of this dialect.
//!
//! Sequence numbers count without a gap, every item that is added is done before the response is, and the response
//! at the end repeats exactly what was streamed. An item is only added once there is something in it, and only done
//! when the next one begins or the model has said why it stopped: its status depends on that.

mod wire;

use self::wire::{DeltaEvent, Numbered, Place};
use super::response::{self, Ending};
use super::{error, ids, item};
use crate::envelope::Subject;
use crate::error::PublicError;
use crate::event::{Event, EventKind, PartStart};
use crate::finish::Finish;
use crate::format::{ReplySeed, StreamEncoder};
use crate::frame;
use crate::reply::ReplyPart;
use crate::request::{Opaque, Request, ToolArguments, ToolCall};
use crate::usage::Usage;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Debug)]
pub struct EventEncoder {
    seed: String,
    request: Option<Arc<Request>>,
    /// The response object as it was announced.
    response: Value,
    sequence: u64,
    announced: bool,
    ended: bool,
    /// Items that are done.
    output: Vec<Value>,
    open: Option<OpenItem>,
    usage: Usage,
    finish: Option<Finish>,
    /// Wait for the text they belong to.
    logprobs: Vec<Value>,
}

#[derive(Debug)]
struct OpenItem {
    part: u32,
    content: ReplyPart,
    /// Its id, once it was added.
    id: Option<String>,
}

// === impl EventEncoder ===

impl StreamEncoder for EventEncoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.ended || event.choice != 0 {
            return;
        }
        match &event.kind {
            EventKind::Start { .. } => self.announce(out),
            EventKind::PartStart { part, kind } => self.begin(*part, kind, out),
            EventKind::Delta { part, text } => self.delta(*part, text, out),
            EventKind::Opaque { part, opaque } => self.sign(*part, opaque, out),
            EventKind::Citation { part, raw } => self.cite(*part, raw),
            EventKind::Logprobs(value) => self.logprobs.extend(item::logprobs(Some(value))),
            // the dialect has no place for media, so that a word in the text stands for it
            EventKind::PartStop { .. } | EventKind::Media(_) => {}
            EventKind::Usage(usage) => self.usage.merge(usage),
            EventKind::Finish(finish) => self.finish = Some(finish.clone()),
            EventKind::KeepAlive => frame::write_comment(out, "keep-alive"),
            EventKind::End => self.end(out),
            // told by `fail`, in words that are safe to show
            EventKind::Error(_) => {}
        }
    }

    fn fail(&mut self, error: &PublicError, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        self.ended = true;
        if !self.announced {
            return error::write_event(error, self.sequence, out);
        }
        let mut output = std::mem::take(&mut self.output);
        output.extend(self.open.take().and_then(|open| self.cut(&open)));
        let response = response::failed(std::mem::take(&mut self.response), error, output, &self.usage);
        self.write("response.failed", json!({ "response": response }), out);
    }
}

impl EventEncoder {
    pub fn new(seed: &ReplySeed) -> Self {
        Self {
            seed: seed.id.clone(),
            request: seed.request.clone(),
            response: response::begun(seed),
            sequence: 0,
            announced: false,
            ended: false,
            output: Vec::new(),
            open: None,
            usage: Usage::default(),
            finish: None,
            logprobs: Vec::new(),
        }
    }

    fn announce(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.announced, true) {
            return;
        }
        for kind in ["response.created", "response.in_progress"] {
            let response = self.response.clone();
            self.write(kind, json!({ "response": response }), out);
        }
    }

    fn begin(&mut self, part: u32, kind: &PartStart, out: &mut Vec<u8>) {
        self.announce(out);
        self.close(None, out);
        let content = match kind {
            PartStart::Text => ReplyPart::Text {
                text: String::new(),
                citations: Vec::new(),
            },
            PartStart::Reasoning => ReplyPart::Reasoning {
                text: String::new(),
                opaque: None,
            },
            PartStart::RedactedReasoning(opaque) => ReplyPart::RedactedReasoning(opaque.clone()),
            PartStart::Refusal => ReplyPart::Refusal(String::new()),
            PartStart::ToolCall { id, name, freeform } => ReplyPart::ToolCall(ToolCall {
                id: id.clone(),
                name: name.clone(),
                arguments: match freeform {
                    true => ToolArguments::Freeform(String::new()),
                    false => ToolArguments::Json(String::new()),
                },
                opaque: None,
            }),
        };
        let at_once = matches!(content, ReplyPart::ToolCall(_) | ReplyPart::RedactedReasoning(_));
        self.open = Some(OpenItem {
            part,
            content,
            id: None,
        });
        if at_once {
            self.add(out);
        }
    }

    /// Adds the open item, if it has not been, and the part of it that fragments go into.
    fn add(&mut self, out: &mut Vec<u8>) {
        let Some(open) = self.open.as_mut().filter(|open| open.id.is_none()) else {
            return;
        };
        let index = self.output.len();
        let id = ids::item(item::prefix(&open.content), &self.seed, index);
        let request = self.request.as_deref();
        let added = match &open.content {
            ReplyPart::Text { .. } | ReplyPart::Refusal(_) => item::message(&id, "in_progress", Vec::new()),
            ReplyPart::Reasoning { .. } | ReplyPart::RedactedReasoning(_) => item::thought(&id, "", None),
            ReplyPart::ToolCall(call) => {
                item::call(&id, "in_progress", item::own_name(&call.name, request), call)
            }
        };
        let part = match &open.content {
            ReplyPart::Text { .. } => Some(item::text("", &[], &[])),
            ReplyPart::Refusal(_) => Some(item::refusal("")),
            _ => None,
        };
        open.id = Some(id.clone());
        self.write(
            "response.output_item.added",
            json!({"output_index": index, "item": added}),
            out,
        );
        if let Some(part) = part {
            let place = json!({"item_id": id, "output_index": index, "content_index": 0, "part": part});
            self.write("response.content_part.added", place, out);
        }
    }

    fn delta(&mut self, part: u32, text: &str, out: &mut Vec<u8>) {
        if self.open.as_ref().is_none_or(|open| open.part != part) {
            return;
        }
        self.add(out);
        let (index, sequence) = (self.output.len(), self.sequence);
        let Some(OpenItem {
            content,
            id: Some(id),
            ..
        }) = &mut self.open
        else {
            return;
        };
        let opens_summary = matches!(content, ReplyPart::Reasoning { text, .. } if text.is_empty());
        let (kind, place) = match content {
            ReplyPart::Text { .. } => ("response.output_text.delta", Place::Text),
            ReplyPart::Refusal(_) => ("response.refusal.delta", Place::Content),
            ReplyPart::Reasoning { .. } => ("response.reasoning_summary_text.delta", Place::Summary),
            ReplyPart::ToolCall(ToolCall {
                arguments: ToolArguments::Json(_),
                ..
            }) => ("response.function_call_arguments.delta", Place::Item),
            ReplyPart::ToolCall(_) => ("response.custom_tool_call_input.delta", Place::Item),
            ReplyPart::RedactedReasoning(_) => return,
        };
        content.append(text);
        let id = id.clone();
        if opens_summary {
            let part = item::summary("");
            let place = json!({"item_id": id, "output_index": index, "summary_index": 0, "part": part});
            self.write("response.reasoning_summary_part.added", place, out);
        }
        let sequence = if opens_summary { self.sequence } else { sequence };
        self.sequence = sequence + 1;
        DeltaEvent::new(kind, sequence, &id, index, place, text).write(out);
    }

    /// A signature goes out when its item is done, whenever it came.
    fn sign(&mut self, part: u32, opaque: &Opaque, out: &mut Vec<u8>) {
        let Some(open) = self.open.as_mut().filter(|open| open.part == part) else {
            return;
        };
        match &mut open.content {
            ReplyPart::Reasoning { opaque: slot, .. } => *slot = Some(opaque.clone()),
            ReplyPart::ToolCall(call) => call.opaque = Some(opaque.clone()),
            _ => return,
        }
        self.add(out);
    }

    /// Which text a citation belongs to is only known when the text is whole.
    fn cite(&mut self, part: u32, raw: &Value) {
        if let Some(open) = self.open.as_mut().filter(|open| open.part == part)
            && let ReplyPart::Text { citations, .. } = &mut open.content
        {
            citations.push(raw.clone());
        }
    }

    /// Does the open item, if anything was in it.
    fn close(&mut self, finish: Option<&Finish>, out: &mut Vec<u8>) {
        let Some(OpenItem {
            mut content,
            id: Some(id),
            ..
        }) = self.open.take()
        else {
            return;
        };
        let index = self.output.len();
        let logprobs = match content {
            ReplyPart::Text { .. } => std::mem::take(&mut self.logprobs),
            _ => Vec::new(),
        };
        let mut signature = None;
        if let ReplyPart::ToolCall(call) = &mut content {
            signature = call.opaque.take();
            if let ToolArguments::Json(arguments) = &mut call.arguments
                && arguments.is_empty()
            {
                "{}".clone_into(arguments);
                let sequence = self.next_number();
                let kind = "response.function_call_arguments.delta";
                DeltaEvent::new(kind, sequence, &id, index, Place::Item, "{}").write(out);
            }
        }
        let done = item::whole(&content, &id, finish, &logprobs, self.request.as_deref());
        self.close_content(&content, &id, index, &done, out);
        self.done(done, out);
        if let Some(opaque) = signature {
            self.carry(&opaque, out);
        }
    }

    fn close_content(
        &mut self,
        content: &ReplyPart,
        id: &str,
        index: usize,
        done: &Value,
        out: &mut Vec<u8>,
    ) {
        let at = |mut event: Value| {
            event["item_id"] = Value::from(id);
            event["output_index"] = Value::from(index);
            event
        };
        match content {
            ReplyPart::Text { text, .. } => {
                let part = &done["content"][0];
                for (n, annotation) in part["annotations"].as_array().into_iter().flatten().enumerate() {
                    let event = json!({"content_index": 0, "annotation_index": n, "annotation": annotation});
                    self.write("response.output_text.annotation.added", at(event), out);
                }
                let event = json!({"content_index": 0, "text": text, "logprobs": part["logprobs"]});
                self.write("response.output_text.done", at(event), out);
                let event = json!({"content_index": 0, "part": part});
                self.write("response.content_part.done", at(event), out);
                if let Some(refusal) = done["content"][1]["refusal"].as_str() {
                    let event = json!({"content_index": 1, "part": item::refusal("")});
                    self.write("response.content_part.added", at(event), out);
                    let event = json!({"content_index": 1, "delta": refusal});
                    self.write("response.refusal.delta", at(event), out);
                    self.close_refusal(refusal, 1, &at, out);
                }
            }
            ReplyPart::Refusal(refusal) => self.close_refusal(refusal, 0, &at, out),
            ReplyPart::Reasoning { text, .. } if !text.is_empty() => {
                let event = json!({"summary_index": 0, "text": text});
                self.write("response.reasoning_summary_text.done", at(event), out);
                let event = json!({"summary_index": 0, "part": item::summary(text)});
                self.write("response.reasoning_summary_part.done", at(event), out);
            }
            ReplyPart::ToolCall(call) => {
                let (kind, event) = match &call.arguments {
                    ToolArguments::Json(arguments) => (
                        "response.function_call_arguments.done",
                        json!({"name": done["name"], "arguments": arguments}),
                    ),
                    ToolArguments::Freeform(input) => {
                        ("response.custom_tool_call_input.done", json!({ "input": input }))
                    }
                };
                self.write(kind, at(event), out);
            }
            ReplyPart::Reasoning { .. } | ReplyPart::RedactedReasoning(_) => {}
        }
    }

    fn close_refusal(
        &mut self,
        refusal: &str,
        content_index: u64,
        at: &dyn Fn(Value) -> Value,
        out: &mut Vec<u8>,
    ) {
        let event = json!({"content_index": content_index, "refusal": refusal});
        self.write("response.refusal.done", at(event), out);
        let event = json!({"content_index": content_index, "part": item::refusal(refusal)});
        self.write("response.content_part.done", at(event), out);
    }

    fn carry(&mut self, opaque: &Opaque, out: &mut Vec<u8>) {
        let index = self.output.len();
        let id = ids::item("rs_", &self.seed, index);
        let added = item::thought(&id, "", None);
        self.write(
            "response.output_item.added",
            json!({"output_index": index, "item": added}),
            out,
        );
        self.done(item::signature(opaque, &id), out);
    }

    fn done(&mut self, item: Value, out: &mut Vec<u8>) {
        let index = self.output.len();
        self.write(
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
            out,
        );
        self.output.push(item);
    }

    /// What there is of an item that will never be done.
    fn cut(&self, open: &OpenItem) -> Option<Value> {
        let id = open.id.as_deref()?;
        let mut item = match &open.content {
            ReplyPart::Reasoning {
                opaque: Some(opaque), ..
            } => item::thought(
                id,
                "",
                Some(item::encrypted_content(opaque, id, Subject::Reasoning)),
            ),
            content => item::whole(content, id, None, &[], self.request.as_deref()),
        };
        if item.get("status").is_some() {
            item["status"] = Value::from("incomplete");
        }
        if let ReplyPart::ToolCall(ToolCall {
            arguments: ToolArguments::Json(arguments),
            ..
        }) = &open.content
        {
            item["arguments"] = Value::from(arguments.as_str());
        }
        Some(item)
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.announce(out);
        let finish = self.finish.take();
        self.close(finish.as_ref(), out);
        self.ended = true;
        let ending = Ending::of(finish.as_ref(), self.output.is_empty());
        let output = std::mem::take(&mut self.output);
        let response = response::ended(std::mem::take(&mut self.response), &ending, output, &self.usage);
        let kind = match ending.status {
            "incomplete" => "response.incomplete",
            _ => "response.completed",
        };
        self.write(kind, json!({ "response": response }), out);
    }

    fn write(&mut self, kind: &'static str, body: Value, out: &mut Vec<u8>) {
        let sequence_number = self.next_number();
        frame::write_event(
            out,
            Some(kind),
            &Numbered {
                kind,
                sequence_number,
                body,
            },
        );
    }

    fn next_number(&mut self) -> u64 {
        let number = self.sequence;
        self.sequence += 1;
        number
    }
}

#[cfg(test)]
mod tests;
