//! Items to events: the one state machine behind whole and streamed replies.
//!
//! The vendor says everything several times: in deltas, when a part is done, when its item is done, and once more
//! in the completed response. Servers in between leave some of it out, so that whatever has not been said yet is
//! taken from wherever it is said, and nothing is said twice.

mod slot;

use self::slot::{Sink, Slot, Source};
use super::wire::{Item, Response, StreamEvent};
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind};
use crate::finish::{Finish, FinishReason};
use serde_json::Value;

#[derive(Debug, Default)]
pub struct Assembly {
    started: bool,
    ended: bool,
    slots: Vec<Slot>,
    next_part: u32,
}

// === impl Assembly ===

impl Assembly {
    pub fn ended(&self) -> bool {
        self.ended
    }

    pub fn event(&mut self, kind: &str, event: &StreamEvent<'_>, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(event.response.as_ref(), out);
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let default = Response::default();
                let response = event.response.as_ref().unwrap_or(&default);
                let status = kind.trim_start_matches("response.");
                self.terminal(status, response, out);
            }
            "response.output_item.added" => {
                if let Some(item) = &event.item {
                    self.start(None, out);
                    let at = self.slot_of(item, event.output_index.count());
                    self.with(at, out, |slot, sink| slot.announce(item, sink));
                }
            }
            "response.output_item.done" => {
                if let Some(item) = &event.item {
                    self.start(None, out);
                    let at = self.slot_of(item, event.output_index.count());
                    self.with(at, out, |slot, sink| slot.complete(item, sink));
                }
            }
            _ => self.content(kind, event, out),
        }
    }

    /// A whole response.
    pub fn whole(&mut self, response: &Response<'_>, out: &mut Vec<Event>) {
        self.start(Some(response), out);
        self.terminal(response.status.text().unwrap_or("completed"), response, out);
    }

    /// `[DONE]`: some servers say it instead of the completed response.
    pub fn done(&mut self, out: &mut Vec<Event>) {
        let whole = self.slots.iter().all(Slot::is_done) && self.slots.iter().any(Slot::is_output);
        if !self.ended && whole {
            self.finish(FinishReason::Stop, "", out);
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

    fn start(&mut self, response: Option<&Response<'_>>, out: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        let default = Response::default();
        let response = response.unwrap_or(&default);
        out.push(Event::first(EventKind::Start {
            id: response.id.text().unwrap_or_default().to_owned(),
            model: response.model.text().unwrap_or_default().to_owned(),
            created: response.created_at.count(),
        }));
    }

    fn content(&mut self, kind: &str, event: &StreamEvent<'_>, out: &mut Vec<Event>) {
        let (source, is_delta, text) = match kind {
            "response.output_text.delta" => (Source::Text, true, &event.delta),
            "response.output_text.done" => (Source::Text, false, &event.text),
            "response.refusal.delta" => (Source::Refusal, true, &event.delta),
            "response.refusal.done" => (Source::Refusal, false, &event.refusal),
            "response.reasoning_summary_text.delta" => (Source::Summary, true, &event.delta),
            "response.reasoning_text.delta" => (Source::Thoughts, true, &event.delta),
            "response.function_call_arguments.delta" => (Source::Arguments, true, &event.delta),
            "response.function_call_arguments.done" => (Source::Arguments, false, &event.arguments),
            "response.custom_tool_call_input.delta" => (Source::Input, true, &event.delta),
            "response.custom_tool_call_input.done" => (Source::Input, false, &event.input),
            "response.output_text.annotation.added" => (Source::Text, true, &event.text),
            _ => return,
        };
        self.start(None, out);
        let at = self.slot_named(event, source);
        let index = match source {
            Source::Summary => &event.summary_index,
            _ => &event.content_index,
        };
        let index = index.count().unwrap_or(0);
        let text = text.text().unwrap_or_default();
        self.with(at, out, |slot, sink| {
            slot.name(event.name.text(), sink);
            match is_delta {
                true => slot.delta(source, index, text, sink),
                false => slot.fill(source, index, text, sink),
            }
            slot.remark(index, event.annotation.as_ref(), event.logprobs.as_deref(), sink);
        });
    }

    fn terminal(&mut self, status: &str, response: &Response<'_>, out: &mut Vec<Event>) {
        self.start(Some(response), out);
        let usage = response.usage.as_ref().map(|usage| usage.read());
        if let Some(usage) = usage.filter(|usage| !usage.is_absent()) {
            out.push(Event::first(EventKind::Usage(usage)));
        }
        if let Some(error) = failure(status, response) {
            return self.fail(error, out);
        }
        for (position, item) in response.output.iter().flatten().enumerate() {
            let at = self.slot_in_output(item, position);
            self.with(at, out, |slot, sink| slot.complete(item, sink));
        }
        let (reason, native) = reason(status, response);
        self.finish(reason, native, out);
    }

    fn finish(&mut self, reason: FinishReason, native: &str, out: &mut Vec<Event>) {
        for at in 0..self.slots.len() {
            self.with(at, out, |slot, sink| slot.stop(sink));
        }
        let reason = match reason {
            FinishReason::Stop if self.slots.iter().any(Slot::is_nameless) => {
                let message = "upstream sent a tool call without a name";
                return self.fail(UpstreamError::new(ErrorKind::MalformedUpstream, message), out);
            }
            FinishReason::Stop if self.slots.iter().any(Slot::is_call) => FinishReason::ToolCalls,
            FinishReason::Stop if self.slots.iter().any(Slot::is_refusal) => FinishReason::Refusal,
            reason => reason,
        };
        self.ended = true;
        out.push(Event::first(EventKind::Finish(Finish {
            reason,
            native: native.to_owned(),
            stop_sequence: None,
        })));
        out.push(Event::first(EventKind::End));
    }

    fn with(&mut self, at: usize, out: &mut Vec<Event>, act: impl FnOnce(&mut Slot, &mut Sink<'_>)) {
        let Self { slots, next_part, .. } = self;
        if let Some(slot) = slots.get_mut(at) {
            act(slot, &mut Sink { next_part, out });
        }
    }

    /// The slot of an item that an event brought.
    fn slot_of(&mut self, item: &Item<'_>, output_index: Option<u64>) -> usize {
        let id = item.id.text().unwrap_or_default();
        let found = self
            .find(id, output_index)
            .filter(|at| self.slots[*at].is_of(item.kind.text()));
        found.unwrap_or_else(|| self.add(Slot::new(item.kind.text(), id, output_index)))
    }

    /// The slot an event names; one that was never announced is added.
    fn slot_named(&mut self, event: &StreamEvent<'_>, source: Source) -> usize {
        let id = event.item_id.text().unwrap_or_default();
        let output_index = event.output_index.count();
        let found = self
            .find(id, output_index)
            .filter(|at| self.slots[*at].is_of(Some(source.item())));
        found.unwrap_or_else(|| self.add(Slot::new(Some(source.item()), id, output_index)))
    }

    /// The slot of an item of the whole response: by id, by place, or the first of its kind that waits to be done.
    /// Servers in between rewrite ids and leave items out.
    fn slot_in_output(&mut self, item: &Item<'_>, position: usize) -> usize {
        let id = item.id.text().unwrap_or_default();
        let kind = item.kind.text();
        let place = Some(position as u64);
        let same = |slot: &Slot| slot.is_of(kind) && !slot.listed();
        let by_id = self
            .slots
            .iter()
            .position(|slot| !id.is_empty() && slot.id() == id && same(slot));
        let by_place = || {
            self.slots
                .iter()
                .position(|slot| slot.output_index() == place && same(slot))
        };
        let by_kind = || self.slots.iter().position(same);
        let found = by_id.or_else(by_place).or_else(by_kind);
        let at = found.unwrap_or_else(|| self.add(Slot::new(kind, id, place)));
        self.slots[at].list();
        at
    }

    /// The latest slot of this id, or of this place where ids are blank or change.
    fn find(&self, id: &str, output_index: Option<u64>) -> Option<usize> {
        let by_id = self
            .slots
            .iter()
            .rposition(|slot| !id.is_empty() && slot.id() == id);
        by_id.or_else(|| {
            let place = output_index?;
            self.slots
                .iter()
                .rposition(|slot| slot.output_index() == Some(place))
        })
    }

    fn add(&mut self, slot: Slot) -> usize {
        self.slots.push(slot);
        self.slots.len() - 1
    }
}

// === functions ===

/// Why there is no answer.
pub fn failure(status: &str, response: &Response<'_>) -> Option<UpstreamError> {
    match status {
        "failed" => Some(classify_in_band(response.error.as_ref().unwrap_or(&Value::Null))),
        "cancelled" => Some(UpstreamError::new(
            ErrorKind::Cancelled,
            "upstream cancelled the response",
        )),
        "completed" | "incomplete" => None,
        other => Some(UpstreamError::new(
            ErrorKind::MalformedUpstream,
            format!("upstream sent a response that is {other}, which is not an answer"),
        )),
    }
}

/// The reason by the status alone, and the upstream's word.
pub fn reason<'a>(status: &'a str, response: &'a Response<'_>) -> (FinishReason, &'a str) {
    if status != "incomplete" {
        return (FinishReason::Stop, status);
    }
    let native = response
        .incomplete_details
        .as_ref()
        .and_then(|details| details.reason.text())
        .unwrap_or(status);
    let reason = match native {
        "content_filter" => FinishReason::ContentFilter,
        word if word.contains("context") => FinishReason::ContextWindow,
        // whatever else it says, the answer is not whole
        _ => FinishReason::Length,
    };
    (reason, native)
}
