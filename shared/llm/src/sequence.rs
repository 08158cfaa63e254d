//! Puts overlapping parts one after another, for encoders that can have only one open, and resolves why the model
//! stopped.
//!
//! Some upstreams interleave tool calls or go back to an earlier text. Out of here a part is started, filled and
//! stopped before the next one starts, part ids are fresh, and nothing follows a stop. A well-formed sequential
//! stream passes without any delay.

mod object;

use crate::error::{ErrorKind, UpstreamError};
use crate::event::{Event, EventKind, PartStart};
use crate::finish::Finish;
use object::ObjectScan;
use std::collections::{BTreeMap, VecDeque};

/// What may wait in the queues of one stream.
const MAX_QUEUED_BYTES: usize = 8 << 20;

/// One per stream.
#[derive(Debug, Default)]
pub struct Sequencer {
    lanes: BTreeMap<u32, Lane>,
    next_part: u32,
    queued_bytes: usize,
    ended: bool,
}

/// One choice.
#[derive(Debug, Default)]
struct Lane {
    active: Option<Active>,
    /// Parts that have started upstream, in that order, behind the active one.
    queue: VecDeque<Waiting>,
    /// Parts that were stopped here before the upstream stopped them.
    cut: BTreeMap<u32, PartStart>,
    has_tool_call: bool,
    finished: bool,
}

#[derive(Debug)]
struct Active {
    /// The decoder's part id.
    source: u32,
    /// Ours.
    part: u32,
    kind: PartStart,
    arguments: ObjectScan,
}

#[derive(Debug)]
struct Waiting {
    source: u32,
    kind: PartStart,
    content: Vec<EventKind>,
    stopped: bool,
}

/// Where a lane's events go.
struct Sink<'a> {
    choice: u32,
    next_part: &'a mut u32,
    queued_bytes: &'a mut usize,
    out: &'a mut Vec<Event>,
}

// === impl Sequencer ===

impl Sequencer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what may be encoded now, in order.
    pub fn push(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        let Event { choice, kind } = event;
        match kind {
            EventKind::End => {
                let choices: Vec<u32> = self.lanes.keys().copied().collect();
                for choice in choices {
                    self.with_lane(choice, out, |lane, sink| lane.drain(sink));
                }
                self.ended = true;
                out.push(Event {
                    choice,
                    kind: EventKind::End,
                });
            }
            EventKind::Error(_) => {
                self.ended = true;
                out.push(Event { choice, kind });
            }
            EventKind::PartStart { part, kind } => {
                self.with_lane(choice, out, |lane, sink| lane.start(part, kind, sink));
            }
            EventKind::Delta { part, .. }
            | EventKind::Opaque { part, .. }
            | EventKind::Citation { part, .. } => {
                self.with_lane(choice, out, |lane, sink| lane.content(part, kind, sink));
            }
            EventKind::PartStop { part } => self.with_lane(choice, out, |lane, sink| lane.stop(part, sink)),
            EventKind::Finish(finish) => self.with_lane(choice, out, |lane, sink| lane.finish(finish, sink)),
            EventKind::Start { .. }
            | EventKind::Usage(_)
            | EventKind::Logprobs(_)
            | EventKind::Media(_)
            | EventKind::KeepAlive => {
                out.push(Event { choice, kind });
            }
        }
        if self.queued_bytes > MAX_QUEUED_BYTES {
            self.ended = true;
            let message = "upstream interleaved more tool calls than can be put in order";
            out.push(Event::first(EventKind::Error(UpstreamError::new(
                ErrorKind::MalformedUpstream,
                message,
            ))));
        }
    }

    fn with_lane(&mut self, choice: u32, out: &mut Vec<Event>, act: impl FnOnce(&mut Lane, &mut Sink<'_>)) {
        let Self {
            lanes,
            next_part,
            queued_bytes,
            ..
        } = self;
        let lane = lanes.entry(choice).or_default();
        if !lane.finished {
            act(
                lane,
                &mut Sink {
                    choice,
                    next_part,
                    queued_bytes,
                    out,
                },
            );
        }
    }
}

// === impl Lane ===

impl Lane {
    fn start(&mut self, source: u32, kind: PartStart, sink: &mut Sink<'_>) {
        self.queue.push_back(Waiting {
            source,
            kind,
            content: Vec::new(),
            stopped: false,
        });
        if self.active.as_ref().is_some_and(|active| !active.can_yield()) {
            return;
        }
        self.cut_active(sink);
        self.promote(sink);
    }

    fn content(&mut self, source: u32, event: EventKind, sink: &mut Sink<'_>) {
        if let Some(active) = self.active.as_mut().filter(|active| active.source == source) {
            return active.pass(event, sink);
        }
        if let Some(waiting) = self
            .queue
            .iter_mut()
            .rfind(|waiting| waiting.source == source && !waiting.stopped)
        {
            *sink.queued_bytes += size(&event);
            return waiting.content.push(event);
        }
        // text that goes on after something else began continues in a part of its own; a call cannot
        let Some(kind) = self.cut.get(&source) else { return };
        let goes_on = match kind {
            PartStart::ToolCall { .. } | PartStart::RedactedReasoning(_) => false,
            PartStart::Reasoning => matches!(event, EventKind::Delta { .. } | EventKind::Opaque { .. }),
            PartStart::Text | PartStart::Refusal => matches!(event, EventKind::Delta { .. }),
        };
        if let Some(kind) = goes_on.then(|| self.cut.remove(&source)).flatten() {
            self.start(source, kind, sink);
            self.content(source, event, sink);
        }
    }

    fn stop(&mut self, source: u32, sink: &mut Sink<'_>) {
        if self.active.as_ref().is_some_and(|active| active.source == source) {
            self.close_active(sink);
            return self.promote(sink);
        }
        match self.queue.iter_mut().rfind(|waiting| waiting.source == source) {
            Some(waiting) => waiting.stopped = true,
            None => drop(self.cut.remove(&source)),
        }
    }

    fn finish(&mut self, finish: Finish, sink: &mut Sink<'_>) {
        self.drain(sink);
        self.finished = true;
        let reason = finish.reason.resolve(self.has_tool_call);
        sink.emit(EventKind::Finish(Finish { reason, ..finish }));
    }

    /// Stops everything, in start order.
    fn drain(&mut self, sink: &mut Sink<'_>) {
        self.close_active(sink);
        self.queue.iter_mut().for_each(|waiting| waiting.stopped = true);
        self.promote(sink);
    }

    /// Opens the next waiting part, and further ones as long as each is complete.
    fn promote(&mut self, sink: &mut Sink<'_>) {
        while self.active.is_none() {
            let Some(waiting) = self.queue.pop_front() else {
                return;
            };
            let active = self
                .active
                .insert(Active::open(waiting.source, waiting.kind, sink));
            for event in waiting.content {
                *sink.queued_bytes = sink.queued_bytes.saturating_sub(size(&event));
                active.pass(event, sink);
            }
            if waiting.stopped {
                self.close_active(sink);
            } else if !self.queue.is_empty() && active.can_yield() {
                self.cut_active(sink);
            }
        }
    }

    fn close_active(&mut self, sink: &mut Sink<'_>) -> Option<(u32, PartStart)> {
        let active = self.active.take()?;
        self.has_tool_call |= matches!(active.kind, PartStart::ToolCall { .. });
        sink.emit(EventKind::PartStop { part: active.part });
        Some((active.source, active.kind))
    }

    /// Closes a part that the upstream has not stopped.
    fn cut_active(&mut self, sink: &mut Sink<'_>) {
        let closed = self.close_active(sink);
        self.cut.extend(closed);
    }
}

// === impl Active ===

impl Active {
    fn open(source: u32, kind: PartStart, sink: &mut Sink<'_>) -> Self {
        let part = *sink.next_part;
        *sink.next_part += 1;
        sink.emit(EventKind::PartStart {
            part,
            kind: kind.clone(),
        });
        Self {
            source,
            part,
            kind,
            arguments: ObjectScan::default(),
        }
    }

    fn pass(&mut self, event: EventKind, sink: &mut Sink<'_>) {
        let part = self.part;
        sink.emit(match event {
            EventKind::Delta { text, .. } => {
                if matches!(self.kind, PartStart::ToolCall { freeform: false, .. }) {
                    self.arguments.push(&text);
                }
                EventKind::Delta { part, text }
            }
            EventKind::Opaque { opaque, .. } => EventKind::Opaque { part, opaque },
            EventKind::Citation { raw, .. } => EventKind::Citation { part, raw },
            other => other,
        });
    }

    /// Whether another part may take over: text always, a call only once its arguments are whole.
    fn can_yield(&self) -> bool {
        match self.kind {
            PartStart::ToolCall { .. } => self.arguments.complete(),
            _ => true,
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
}

// === functions ===

fn size(event: &EventKind) -> usize {
    let payload = match event {
        EventKind::Delta { text, .. } => text.len(),
        EventKind::Opaque { opaque, .. } => opaque.payload.len(),
        _ => 0,
    };
    payload + size_of::<EventKind>()
}

#[cfg(test)]
mod tests;
