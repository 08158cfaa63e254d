//! A stream of an upstream of this dialect to events.

use super::assembly::Assembly;
use super::wire::Line;
use crate::error::{ErrorKind, UpstreamError};
use crate::event::Event;
use crate::format::StreamDecoder;
use crate::frame::{Frame, Framer, LineScan};

/// So many unreadable lines in a row, and it is not a stream of this dialect.
const MAX_UNREADABLE: u32 = 3;

#[derive(Debug)]
pub struct LineDecoder {
    framer: Framer<LineScan>,
    reading: Reading,
}

#[derive(Debug, Default)]
struct Reading {
    assembly: Assembly,
    /// Unreadable lines since the last readable one.
    unreadable: u32,
}

// === impl LineDecoder ===

impl Default for LineDecoder {
    fn default() -> Self {
        Self {
            framer: Framer::lines(),
            reading: Reading::default(),
        }
    }
}

impl StreamDecoder for LineDecoder {
    fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        let Self { framer, reading } = self;
        if reading.assembly.ended() {
            return;
        }
        if let Err(error) = framer.push(bytes, |frame| reading.frame(&frame, events)) {
            reading.assembly.fail(error.into(), events);
        }
    }

    fn finish(&mut self, events: &mut Vec<Event>) {
        let Self { framer, reading } = self;
        let before = reading.unreadable;
        framer.finish(|frame| reading.frame(&frame, events));
        // a fragment at the end is a stream cut short, not one of another kind
        if before > 0 && reading.unreadable > 0 {
            reading.assembly.fail(unreadable(), events);
        }
        reading.assembly.close(events);
    }
}

// === impl Reading ===

impl Reading {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) {
        let Frame::Data { data, .. } = frame else { return };
        if self.assembly.ended() {
            return;
        }
        match serde_json::from_str::<Line<'_>>(data) {
            Ok(line) => {
                self.unreadable = 0;
                self.assembly.line(&line, events);
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
