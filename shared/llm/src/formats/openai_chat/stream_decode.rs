//! A stream of an upstream of this dialect to events.

use super::assembly::Assembly;
use super::wire::Chunk;
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind};
use crate::format::StreamDecoder;
use crate::frame::{Frame, Framer};
use serde_json::Value;

/// So many unreadable frames in a row, and it is not a stream of this dialect.
const MAX_UNREADABLE: u32 = 3;

#[derive(Debug, Default)]
pub struct ChunkDecoder {
    framer: Framer,
    reading: Reading,
}

#[derive(Debug, Default)]
struct Reading {
    assembly: Assembly,
    /// Unreadable frames since the last readable one.
    unreadable: u32,
}

// === impl ChunkDecoder ===

impl StreamDecoder for ChunkDecoder {
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
        let reading = &mut self.reading;
        let before = reading.unreadable;
        self.framer.finish(|frame| reading.frame(&frame, events));
        // a fragment at the end is a stream cut short, not one of another kind
        if before > 0 && reading.unreadable > 0 && !reading.assembly.is_complete() {
            reading.assembly.fail(unreadable(), events);
        }
        reading.assembly.close(events);
    }
}

// === impl Reading ===

impl Reading {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) {
        if self.assembly.ended() {
            return;
        }
        match frame {
            Frame::KeepAlive => events.push(Event::first(EventKind::KeepAlive)),
            Frame::Done => self.assembly.done(events),
            Frame::Data {
                event: Some(event),
                data,
            } if event == "error" => {
                let error = serde_json::from_str(data).unwrap_or_else(|_| Value::from(data.as_ref()));
                self.assembly.fail(classify_in_band(&error), events);
            }
            Frame::Data { data, .. } => self.data(data, events),
        }
    }

    fn data(&mut self, data: &str, events: &mut Vec<Event>) {
        match serde_json::from_str::<Chunk<'_>>(data) {
            Ok(chunk) => {
                self.unreadable = 0;
                self.assembly.chunk(&chunk, events);
            }
            Err(_) => {
                self.unreadable += 1;
                if self.unreadable == MAX_UNREADABLE {
                    self.assembly.fail(unreadable(), events);
                }
            }
        }
    }
}

// === functions ===

fn unreadable() -> UpstreamError {
    UpstreamError::new(
        ErrorKind::MalformedUpstream,
        "upstream sent a stream that cannot be read",
    )
}

#[cfg(test)]
mod tests;
