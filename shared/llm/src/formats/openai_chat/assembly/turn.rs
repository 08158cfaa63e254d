//! One choice of a reply while its deltas come in.

use super::super::call_signature;
use super::super::finish;
use super::super::image;
use super::super::reasoning::{self, Detail};
use super::super::wire::{Choice, Delta, ToolCall};
use super::Sink;
use crate::caps::WireName;
use crate::event::{EventKind, PartStart};
use crate::finish::{Finish, FinishReason};
use crate::names;
use crate::request::Opaque;
use std::borrow::Cow;

/// What ids may look like that clients get: legal in every dialect, because conversations change providers.
const CLIENT_ID: WireName = WireName::UpTo(64);

#[derive(Debug, Default)]
pub struct Turn {
    /// The part that text of its kind goes on in.
    prose: Option<(u32, Prose)>,
    /// Servers send the same reasoning in several fields; only the first one seen counts.
    reasons_in: Option<ReasoningField>,
    calls: Vec<Call>,
    refused: bool,
    finish: Option<Finish>,
    finished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prose {
    Text,
    Reasoning,
    Refusal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReasoningField {
    Details,
    ReasoningContent,
    Reasoning,
    ReasoningText,
    Content,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    freeform: bool,
    /// Arguments that came before the name.
    early: String,
    /// A signature that came before the name.
    signature: Option<Opaque>,
    /// Set once the name is known and the part has started.
    part: Option<u32>,
}

// === impl Turn ===

impl Turn {
    pub fn has_finish(&self) -> bool {
        self.finish.is_some()
    }

    /// The order is the model's own; one chunk may contain all of it.
    pub fn take(&mut self, wire: &Choice<'_>, reply_id: &str, sink: &mut Sink<'_>) {
        if self.finished {
            return;
        }
        if let Some(delta) = wire.delta.as_ref().or(wire.message.as_ref()) {
            self.reason(delta, sink);
            if let Some(logprobs) = wire.logprobs.as_ref().filter(|value| !value.is_null()) {
                sink.emit(EventKind::Logprobs(logprobs.clone()));
            }
            self.say(Prose::Text, &delta.content.text, sink);
            self.cite(delta, sink);
            if let Some(refusal) = delta.refusal.text() {
                self.refused = true;
                self.say(Prose::Refusal, refusal, sink);
            }
            for media in delta.images.iter().flatten().filter_map(image::read) {
                sink.emit(EventKind::Media(media));
            }
            for call in delta.tool_calls.iter().flatten() {
                self.call(call, reply_id, sink);
            }
            self.legacy_call(delta, reply_id, sink);
        }
        if let Some(native) = wire.finish_reason.text().filter(|_| self.finish.is_none()) {
            self.finish = Some(finish::read(native));
        }
    }

    /// Stops every part and says why the choice stopped. False when a call never got a name.
    pub fn finish(&mut self, reply_id: &str, sink: &mut Sink<'_>) -> bool {
        if self.finished {
            return true;
        }
        self.finished = true;
        self.stop_prose(sink);
        for at in 0..self.calls.len() {
            if self.calls[at].name.is_empty() {
                return false;
            }
            self.open_call(at, reply_id, sink);
        }
        for part in self.calls.iter().filter_map(|call| call.part) {
            sink.emit(EventKind::PartStop { part });
        }
        let mut finish = self.finish.take().unwrap_or_else(|| finish::read("stop"));
        if self.refused && finish.reason == FinishReason::Stop {
            finish.reason = FinishReason::Refusal;
        }
        finish.reason = finish.reason.resolve(!self.calls.is_empty());
        sink.emit(EventKind::Finish(finish));
        true
    }

    fn reason(&mut self, delta: &Delta<'_>, sink: &mut Sink<'_>) {
        let details = delta
            .reasoning_details
            .iter()
            .chain(&delta.thinking_blocks)
            .flatten();
        for detail in details.filter_map(reasoning::read) {
            match detail {
                Detail::Text { text, opaque } => {
                    self.reason_in(ReasoningField::Details, &text, sink);
                    opaque.into_iter().for_each(|opaque| self.sign(opaque, sink));
                }
                Detail::Redacted(opaque) => {
                    self.stop_prose(sink);
                    let part = sink.fresh_part();
                    sink.emit(EventKind::PartStart {
                        part,
                        kind: PartStart::RedactedReasoning(opaque),
                    });
                    sink.emit(EventKind::PartStop { part });
                }
            }
        }
        let plain = [
            (ReasoningField::ReasoningContent, delta.reasoning_content.text()),
            (ReasoningField::Reasoning, delta.reasoning.text()),
            (ReasoningField::ReasoningText, delta.reasoning_text.text()),
            (ReasoningField::Content, Some(delta.content.thinking.as_str())),
        ];
        for (field, text) in plain {
            self.reason_in(field, text.unwrap_or_default(), sink);
        }
    }

    fn reason_in(&mut self, field: ReasoningField, text: &str, sink: &mut Sink<'_>) {
        if !text.is_empty() && *self.reasons_in.get_or_insert(field) == field {
            self.say(Prose::Reasoning, text, sink);
        }
    }

    /// A signature ends the reasoning it covers.
    fn sign(&mut self, opaque: Opaque, sink: &mut Sink<'_>) {
        let part = self.prose_part(Prose::Reasoning, sink);
        sink.emit(EventKind::Opaque { part, opaque });
        self.stop_prose(sink);
    }

    fn say(&mut self, prose: Prose, text: &str, sink: &mut Sink<'_>) {
        if text.is_empty() {
            return;
        }
        let part = self.prose_part(prose, sink);
        sink.emit(EventKind::Delta {
            part,
            text: text.to_owned(),
        });
    }

    /// The open part of this kind; another kind is stopped first, and comes back as a part of its own.
    fn prose_part(&mut self, prose: Prose, sink: &mut Sink<'_>) -> u32 {
        if let Some((part, _)) = self.prose.filter(|(_, open)| *open == prose) {
            return part;
        }
        self.stop_prose(sink);
        let part = sink.fresh_part();
        let kind = match prose {
            Prose::Text => PartStart::Text,
            Prose::Reasoning => PartStart::Reasoning,
            Prose::Refusal => PartStart::Refusal,
        };
        sink.emit(EventKind::PartStart { part, kind });
        self.prose = Some((part, prose));
        part
    }

    fn stop_prose(&mut self, sink: &mut Sink<'_>) {
        if let Some((part, _)) = self.prose.take() {
            sink.emit(EventKind::PartStop { part });
        }
    }

    fn cite(&self, delta: &Delta<'_>, sink: &mut Sink<'_>) {
        let Some((part, Prose::Text)) = self.prose else {
            return;
        };
        for raw in delta.annotations.iter().flatten() {
            sink.emit(EventKind::Citation {
                part,
                raw: raw.clone(),
            });
        }
    }

    fn call(&mut self, wire: &ToolCall<'_>, reply_id: &str, sink: &mut Sink<'_>) {
        let (name, text, freeform) = match (&wire.custom, &wire.function) {
            (Some(custom), _) => (
                custom.name.text(),
                Cow::Borrowed(custom.input.text().unwrap_or_default()),
                true,
            ),
            (None, Some(function)) => (function.name.text(), function.arguments(), false),
            (None, None) => (None, Cow::Borrowed(""), false),
        };
        let at = self.find_call(wire.index.count(), wire.id.text(), name);
        self.fragment(at, name, &text, freeform, reply_id, sink);
        if let Some(opaque) = wire.extra_content.as_ref().and_then(call_signature::read) {
            self.sign_call(at, opaque, sink);
        }
    }

    /// The signature comes with any fragment of the call.
    fn sign_call(&mut self, at: usize, opaque: Opaque, sink: &mut Sink<'_>) {
        let call = &mut self.calls[at];
        match call.part {
            Some(part) => sink.emit(EventKind::Opaque { part, opaque }),
            None => call.signature = Some(opaque),
        }
    }

    /// The retired `function_call`: at most one, without index or id.
    fn legacy_call(&mut self, delta: &Delta<'_>, reply_id: &str, sink: &mut Sink<'_>) {
        let Some(function) = &delta.function_call else {
            return;
        };
        let name = function.name.text();
        let at = self.find_call(Some(0), None, name);
        self.fragment(at, name, &function.arguments(), false, reply_id, sink);
    }

    fn fragment(
        &mut self,
        at: usize,
        name: Option<&str>,
        text: &str,
        freeform: bool,
        reply_id: &str,
        sink: &mut Sink<'_>,
    ) {
        let call = &mut self.calls[at];
        call.freeform |= freeform;
        if let Some(part) = call.part {
            if !text.is_empty() {
                sink.emit(EventKind::Delta {
                    part,
                    text: text.to_owned(),
                });
            }
            return;
        }
        // a name is repeated whole or, rarely, continued; only before the part starts can it still change
        if let Some(name) = name.filter(|name| call.name != *name) {
            call.name.push_str(name);
        }
        call.early.push_str(text);
        let known = !call.name.is_empty() && (!call.id.is_empty() || !call.early.is_empty());
        if known {
            self.open_call(at, reply_id, sink);
        }
    }

    /// Which call a fragment belongs to. The index says so, except that some servers count every call 0 and only
    /// change the id, some change the id in every fragment, and some send no index.
    fn find_call(&mut self, index: Option<u64>, id: Option<&str>, name: Option<&str>) -> usize {
        let found = match (index, id) {
            (Some(_), _) => self
                .calls
                .iter()
                .rposition(|call| call.index == index)
                .filter(|at| {
                    let call = &self.calls[*at];
                    let another_id = id.is_some_and(|id| !call.id.is_empty() && call.id != fit(id));
                    !(another_id && name.is_some())
                }),
            (None, Some(id)) => self.calls.iter().rposition(|call| call.id == fit(id)),
            (None, None) if name.is_some() => None,
            (None, None) => self.calls.len().checked_sub(1),
        };
        let at = found.unwrap_or_else(|| {
            self.calls.push(Call {
                index,
                ..Call::default()
            });
            self.calls.len() - 1
        });
        let call = &mut self.calls[at];
        if let Some(id) = id.filter(|_| call.id.is_empty() && call.part.is_none()) {
            call.id = fit(id).into_owned();
        }
        at
    }

    fn open_call(&mut self, at: usize, reply_id: &str, sink: &mut Sink<'_>) {
        if self.calls[at].part.is_some() {
            return;
        }
        self.stop_prose(sink);
        let part = sink.fresh_part();
        let choice = sink.choice;
        let call = &mut self.calls[at];
        call.part = Some(part);
        if call.id.is_empty() {
            // unique as far as the reply's id is, and the same however the stream is cut
            call.id = fit(&format!("call_{reply_id}_{choice}_{at}")).into_owned();
        }
        let (id, name, freeform) = (call.id.clone(), call.name.clone(), call.freeform);
        sink.emit(EventKind::PartStart {
            part,
            kind: PartStart::ToolCall { id, name, freeform },
        });
        if let Some(opaque) = call.signature.take() {
            sink.emit(EventKind::Opaque { part, opaque });
        }
        let text = std::mem::take(&mut call.early);
        if !text.is_empty() {
            sink.emit(EventKind::Delta { part, text });
        }
    }
}

// === functions ===

fn fit(id: &str) -> Cow<'_, str> {
    names::fit_id(id, CLIENT_ID)
}
