//! One candidate of a reply while its parts come in. Nothing is shared between candidates.

use super::super::object::compact;
use super::super::wire::{Candidate, FunctionCall, Part};
use super::super::{finish, logprobs, signature};
use super::Sink;
use crate::caps::WireName;
use crate::error::{ErrorKind, UpstreamError};
use crate::event::{EventKind, Media, PartStart};
use crate::finish::Finish;
use crate::names;
use crate::request::Opaque;
use sha2::{Digest, Sha256};

/// What ids may look like that clients get: legal in every dialect, because conversations change providers.
const CLIENT_ID: WireName = WireName::UpTo(64);

#[derive(Debug, Default)]
pub struct Turn {
    /// The part that text of its kind goes on in, however many chunks it takes.
    prose: Option<(u32, Prose)>,
    calls: usize,
    said_something: bool,
    finish: Option<Finish>,
    /// The vendor's words about an unusual end.
    finish_message: Option<String>,
    finished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prose {
    Text,
    Thought,
}

// === impl Turn ===

impl Turn {
    pub fn has_stopped(&self) -> bool {
        self.finish.is_some()
    }

    pub fn stop(&mut self, finish: Finish) {
        self.finish.get_or_insert(finish);
    }

    pub fn stop_plainly(&mut self) {
        self.stop(finish::read("STOP"));
    }

    /// Nothing was said and the model failed to call a tool: another attempt may do better.
    pub fn broken(&self) -> Option<UpstreamError> {
        let native = self.finish.as_ref().map(|finish| finish.native.as_str())?;
        if self.said_something || !finish::is_broken_call(native) {
            return None;
        }
        let why = self.finish_message.as_deref().unwrap_or(native);
        let message = format!("the model could not form its tool call: {why}");
        Some(UpstreamError {
            native_code: Some(native.to_ascii_lowercase()),
            ..UpstreamError::new(ErrorKind::MalformedUpstream, message)
        })
    }

    pub fn take(&mut self, candidate: &Candidate<'_>, reply_id: &str, sink: &mut Sink<'_>) {
        for raw in candidate
            .content
            .iter()
            .flat_map(|content| content.parts.iter().flatten())
        {
            // a part of another shape is newer than this file
            if let Ok(part) = serde_json::from_str::<Part<'_>>(raw.get()) {
                self.part(&part, reply_id, sink);
            }
        }
        if let Some(logprobs) = candidate.logprobs_result.as_ref().and_then(logprobs::read) {
            sink.emit(EventKind::Logprobs(logprobs));
        }
        let citations = candidate
            .grounding_metadata
            .as_ref()
            .map(|found| found.citations());
        if let Some((part, Prose::Text)) = self.prose {
            for raw in citations.into_iter().flatten() {
                sink.emit(EventKind::Citation { part, raw });
            }
        }
        if candidate.finish_message.is_some() {
            self.finish_message.clone_from(&candidate.finish_message);
        }
        if let Some(native) = candidate
            .finish_reason
            .as_deref()
            .filter(|native| !native.is_empty())
        {
            self.stop(finish::read(native));
        }
    }

    /// Stops every part and says why the candidate stopped.
    pub fn finish(&mut self, sink: &mut Sink<'_>) {
        if self.finished {
            return;
        }
        self.finished = true;
        self.stop_prose(sink);
        if let Some(mut finish) = self.finish.take() {
            finish.reason = finish.reason.resolve(self.calls > 0);
            sink.emit(EventKind::Finish(finish));
        }
    }

    fn part(&mut self, part: &Part<'_>, reply_id: &str, sink: &mut Sink<'_>) {
        let signature = part.thought_signature.as_deref().filter(|text| !text.is_empty());
        let opaque = signature.map(|text| signature::open(text).0);
        if let Some(call) = &part.function_call {
            return self.call(call, opaque, reply_id, sink);
        }
        if let Some(blob) = &part.inline_data {
            // drafts of an image come as thoughts
            if part.thought != Some(true) {
                self.said_something = true;
                sink.emit(EventKind::Media(Media {
                    mime: blob.mime_type.clone().into_owned(),
                    data: blob.data.clone().into_owned(),
                }));
            }
            return;
        }
        let text = part.text.as_deref().unwrap_or_default();
        if part.thought == Some(true) {
            self.say(Prose::Thought, text, sink);
            if let Some(opaque) = opaque {
                let part = self.prose_part(Prose::Thought, sink);
                sink.emit(EventKind::Opaque { part, opaque });
                // a signature ends the thought it covers
                self.stop_prose(sink);
            }
            return;
        }
        self.say(Prose::Text, text, sink);
        // signed text is no thought; without text there is nothing the signature could be attached to
        if let (Some(opaque), Some((part, Prose::Text))) = (opaque, self.prose) {
            sink.emit(EventKind::Opaque { part, opaque });
        }
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

    fn prose_part(&mut self, prose: Prose, sink: &mut Sink<'_>) -> u32 {
        if let Some((part, _)) = self.prose.filter(|(_, open)| *open == prose) {
            return part;
        }
        self.stop_prose(sink);
        self.said_something = true;
        let part = sink.fresh_part();
        let kind = match prose {
            Prose::Text => PartStart::Text,
            Prose::Thought => PartStart::Reasoning,
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

    /// A call comes whole.
    fn call(&mut self, call: &FunctionCall<'_>, opaque: Option<Opaque>, reply_id: &str, sink: &mut Sink<'_>) {
        let Some(name) = call.name.clone().filter(|name| !name.is_empty()) else {
            return;
        };
        let arguments = call.args.map(|args| compact(args.get()));
        let arguments = arguments
            .filter(|text| text != "null")
            .unwrap_or_else(|| "{}".to_owned());
        self.stop_prose(sink);
        self.said_something = true;
        let id = match call.id.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => names::fit_id(id, CLIENT_ID).into_owned(),
            None => made_up(&[
                reply_id,
                &sink.choice.to_string(),
                &self.calls.to_string(),
                &name,
                &arguments,
            ]),
        };
        self.calls += 1;
        let part = sink.fresh_part();
        let kind = PartStart::ToolCall {
            id,
            name,
            freeform: false,
        };
        sink.emit(EventKind::PartStart { part, kind });
        if let Some(opaque) = opaque {
            sink.emit(EventKind::Opaque { part, opaque });
        }
        sink.emit(EventKind::Delta {
            part,
            text: arguments,
        });
        sink.emit(EventKind::PartStop { part });
    }
}

// === functions ===

/// Unique as far as the reply's id is, and the same however the stream is cut.
fn made_up(of: &[&str]) -> String {
    let digest = Sha256::digest(of.join("\0").as_bytes());
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("call_{hex}")
}
