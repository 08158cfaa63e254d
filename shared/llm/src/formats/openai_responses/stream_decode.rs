//! A stream of an upstream of this dialect to events.

use super::assembly::Assembly;
use super::wire::StreamEvent;
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind};
use crate::format::StreamDecoder;
use crate::frame::{Frame, Framer};
use serde_json::Value;

/// So many unreadable frames in a row, and it is not a stream of this dialect.
const MAX_UNREADABLE: u32 = 3;

#[derive(Debug, Default)]
pub struct EventDecoder {
    framer: Framer,
    reading: Reading,
}

#[derive(Debug, Default)]
struct Reading {
    assembly: Assembly,
    /// Frames in a row that are not JSON.
    unreadable: u32,
}

// === impl EventDecoder ===

impl StreamDecoder for EventDecoder {
    fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        if self.reading.assembly.ended() {
            return;
        }
        let reading = &mut self.reading;
        if let Err(error) = self.framer.push(bytes, |frame| reading.frame(&frame, events)) {
            reading.assembly.fail(error.into(), events);
        }
    }

    fn finish(&mut self, events: &mut Vec<Event>) {
        let Self { framer, reading } = self;
        framer.finish(|frame| reading.frame(&frame, events));
        reading.assembly.close(events);
    }
}

// === impl Reading ===

impl Reading {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) {
        if self.assembly.ended() {
            return;
        }
        let (name, data) = match frame {
            Frame::Data { event, data } => (event.as_deref(), data),
            Frame::KeepAlive => return events.push(Event::first(EventKind::KeepAlive)),
            // not the vendor's, but many proxies close every stream so
            Frame::Done => return self.assembly.done(events),
        };
        match serde_json::from_str::<StreamEvent<'_>>(data) {
            Ok(event) => {
                self.unreadable = 0;
                // the JSON's own word counts where the two differ
                let kind = event.kind.text().or(name).unwrap_or_default();
                if kind == "error" {
                    return self.assembly.fail(in_band(data), events);
                }
                self.assembly.event(kind, &event, events);
            }
            // JSON of another shape is an event or a field we do not know
            Err(error) if error.is_data() => {}
            Err(_) => {
                self.unreadable += 1;
                if self.unreadable == MAX_UNREADABLE {
                    let message = "upstream sent a stream that cannot be read";
                    self.assembly
                        .fail(UpstreamError::new(ErrorKind::MalformedUpstream, message), events);
                }
            }
        }
    }
}

// === functions ===

/// An `error` event: the error itself, or an envelope around it.
pub fn in_band(data: &str) -> UpstreamError {
    classify_in_band(&serde_json::from_str(data).unwrap_or_else(|_| Value::from(data)))
}

#[cfg(test)]
mod tests;
