//! Chunks to events: the one state machine behind whole and streamed replies.
//!
//! A finish reason is held back until the upstream is certainly done with it, because compatible servers repeat it,
//! send usage after it, and some send content after it. A reply whose end was not seen becomes an error, never a
//! plain stop.

mod turn;

use self::turn::Turn;
use super::wire::{Choice, Chunk};
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Assembly {
    started: bool,
    ended: bool,
    /// The reply's id, for calls that come without one.
    id: String,
    turns: BTreeMap<u32, Turn>,
    next_part: u32,
}

/// Where the events of one choice go.
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
        if let Some(error) = chunk.error() {
            return self.fail(classify_in_band(&error), out);
        }
        let choices = chunk.choices.as_deref().unwrap_or_default();
        if choices.is_empty() && chunk.usage.is_none() {
            return;
        }
        self.start(chunk, out);
        for (position, choice) in choices.iter().enumerate() {
            if choice.finish_reason.text() == Some("error") {
                let message = "upstream broke the answer off with an error";
                return self.fail(UpstreamError::new(ErrorKind::Upstream5xx, message), out);
            }
            self.choice(choice, position, out);
        }
        let Some(usage) = chunk
            .usage
            .as_ref()
            .map(|usage| usage.read())
            .filter(|usage| !usage.is_absent())
        else {
            return;
        };
        out.push(Event::first(EventKind::Usage(usage)));
        // the chunk that only reports usage comes after everything else
        if choices.is_empty() && self.is_complete() {
            self.release(out);
        }
    }

    /// The upstream said that it is done.
    pub fn done(&mut self, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if self.turns.is_empty() {
            return self.fail(incomplete(), out);
        }
        self.release(out);
        if !self.ended {
            self.ended = true;
            out.push(Event::first(EventKind::End));
        }
    }

    /// The upstream said nothing more.
    pub fn close(&mut self, out: &mut Vec<Event>) {
        if self.is_complete() {
            self.done(out)
        } else {
            self.fail(incomplete(), out)
        }
    }

    pub fn fail(&mut self, error: UpstreamError, out: &mut Vec<Event>) {
        if !self.ended {
            self.ended = true;
            out.push(Event::first(EventKind::Error(error)));
        }
    }

    /// Every choice has said why it stopped.
    pub fn is_complete(&self) -> bool {
        !self.turns.is_empty() && self.turns.values().all(Turn::has_finish)
    }

    fn start(&mut self, chunk: &Chunk<'_>, out: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        self.id = chunk.id.text().unwrap_or_default().to_owned();
        out.push(Event::first(EventKind::Start {
            id: self.id.clone(),
            model: chunk.model.text().unwrap_or_default().to_owned(),
            created: chunk.created.count(),
        }));
    }

    fn choice(&mut self, wire: &Choice<'_>, position: usize, out: &mut Vec<Event>) {
        let index = wire.index.count().unwrap_or(position as u64);
        let choice = u32::try_from(index).unwrap_or(u32::MAX);
        let turn = self.turns.entry(choice).or_default();
        turn.take(
            wire,
            &self.id,
            &mut Sink {
                choice,
                next_part: &mut self.next_part,
                out,
            },
        );
        if let Some(usage) = wire
            .usage
            .as_ref()
            .map(|usage| usage.read())
            .filter(|usage| !usage.is_absent())
        {
            out.push(Event::first(EventKind::Usage(usage)));
        }
    }

    /// Stops what is open and says why each choice stopped.
    fn release(&mut self, out: &mut Vec<Event>) {
        let mut whole = true;
        for (choice, turn) in &mut self.turns {
            whole &= turn.finish(
                &self.id,
                &mut Sink {
                    choice: *choice,
                    next_part: &mut self.next_part,
                    out,
                },
            );
        }
        if !whole {
            let message = "upstream sent a tool call without a name";
            self.fail(UpstreamError::new(ErrorKind::MalformedUpstream, message), out);
        }
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

    /// Part ids count through all choices.
    fn fresh_part(&mut self) -> u32 {
        let part = *self.next_part;
        *self.next_part += 1;
        part
    }
}

// === functions ===

fn incomplete() -> UpstreamError {
    UpstreamError::new(
        ErrorKind::StreamIncomplete,
        "upstream closed the stream before it was complete",
    )
}
