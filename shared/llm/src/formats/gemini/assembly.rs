//! Chunks to events: the one state machine behind whole and streamed replies.
//!
//! A reason to stop is held back until the upstream has closed: it may come with content, before it, or alone, and
//! usage may follow.

mod turn;

use self::turn::Turn;
use super::finish;
use super::usage::WireUsage;
use super::wire::{Candidate, Chunk};
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Assembly {
    started: bool,
    ended: bool,
    /// The reply's id, for calls that come without one.
    id: String,
    turns: BTreeMap<u32, Turn>,
    next_part: u32,
    usage: WireUsage,
}

/// Where the events of one candidate go.
struct Sink<'a> {
    choice: u32,
    next_part: &'a mut u32,
    out: &'a mut Vec<Event>,
}

// === impl Assembly ===

impl Assembly {
    pub fn ended(&self) -> bool {
        self.ended
    }

    pub fn chunk(&mut self, chunk: &Chunk<'_>, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if let Some(error) = chunk.error.filter(|error| error.get() != "null") {
            let error: Value = serde_json::from_str(error.get()).unwrap_or_default();
            return self.fail(classify_in_band(&error), out);
        }
        let candidates = chunk.candidates.as_deref().unwrap_or_default();
        let blocked = chunk
            .prompt_feedback
            .as_ref()
            .and_then(|feedback| feedback.block_reason.as_deref());
        if candidates.is_empty() && blocked.is_none() && chunk.usage_metadata.is_none() {
            return;
        }
        self.start(chunk, out);
        for (position, candidate) in candidates.iter().enumerate() {
            let position = u32::try_from(position).unwrap_or(u32::MAX);
            self.candidate(candidate.index.unwrap_or(position), candidate, out);
        }
        if let Some(native) = blocked {
            self.turns.entry(0).or_default().stop(finish::blocked(native));
        }
        if let Some(usage) = chunk.usage_metadata {
            self.usage.merge(usage);
            let usage = self.usage.neutral();
            if !usage.is_absent() {
                out.push(Event::first(EventKind::Usage(usage)));
            }
        }
    }

    /// Nothing more will come, and what came is whole whether or not it says why it stopped.
    pub fn done(&mut self, out: &mut Vec<Event>) {
        self.turns.values_mut().for_each(Turn::stop_plainly);
        self.close(out);
    }

    /// The upstream said nothing more.
    pub fn close(&mut self, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if self.turns.is_empty() || !self.turns.values().all(Turn::has_stopped) {
            let message = "upstream closed the stream before it was complete";
            return self.fail(UpstreamError::new(ErrorKind::StreamIncomplete, message), out);
        }
        if let Some(error) = self.turns.values().find_map(Turn::broken) {
            return self.fail(error, out);
        }
        for (choice, turn) in &mut self.turns {
            let sink = &mut Sink {
                choice: *choice,
                next_part: &mut self.next_part,
                out,
            };
            turn.finish(sink);
        }
        self.ended = true;
        out.push(Event::first(EventKind::End));
    }

    pub fn fail(&mut self, error: UpstreamError, out: &mut Vec<Event>) {
        if !self.ended {
            self.ended = true;
            out.push(Event::first(EventKind::Error(error)));
        }
    }

    fn start(&mut self, chunk: &Chunk<'_>, out: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        self.id = chunk.response_id.clone().unwrap_or_default();
        out.push(Event::first(EventKind::Start {
            id: self.id.clone(),
            model: chunk.model_version.clone().unwrap_or_default(),
            created: None,
        }));
    }

    fn candidate(&mut self, choice: u32, candidate: &Candidate<'_>, out: &mut Vec<Event>) {
        let turn = self.turns.entry(choice).or_default();
        let sink = &mut Sink {
            choice,
            next_part: &mut self.next_part,
            out,
        };
        turn.take(candidate, &self.id, sink);
    }
}

// === impl Sink ===

impl Sink<'_> {
    fn emit(&mut self, kind: EventKind) {
        self.out.push(Event {
            choice: self.choice,
            kind,
        });
    }

    /// Part ids count through all candidates.
    fn fresh_part(&mut self) -> u32 {
        let part = *self.next_part;
        *self.next_part += 1;
        part
    }
}
