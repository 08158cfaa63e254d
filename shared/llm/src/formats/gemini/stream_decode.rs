//! An upstream's stream to neutral events.

use super::assembly::Assembly;
use super::wire::Chunk;
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind};
use crate::format::StreamDecoder;
use crate::frame::{Frame, Framer};
use serde_json::Value;

/// A server whose events cannot be read that many times in a row does not speak this dialect.
const MAX_UNREADABLE: u32 = 3;

#[derive(Debug, Default)]
pub struct Decoder {
    framer: Framer,
    stream: Stream,
}

#[derive(Debug, Default)]
struct Stream {
    assembly: Assembly,
    /// Events in a row that are not JSON.
    unreadable: u32,
}

// === impl Decoder ===

impl StreamDecoder for Decoder {
    fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        let Self { framer, stream } = self;
        if let Err(error) = framer.push(bytes, |frame| stream.frame(&frame, events)) {
            stream.assembly.fail(error.into(), events);
        }
    }

    fn finish(&mut self, events: &mut Vec<Event>) {
        let Self { framer, stream } = self;
        framer.finish(|frame| stream.frame(&frame, events));
        stream.assembly.close(events);
    }
}

// === impl Stream ===

impl Stream {
    fn frame(&mut self, frame: &Frame<'_>, events: &mut Vec<Event>) {
        let data = match frame {
            Frame::Data { data, .. } => data,
            Frame::KeepAlive if !self.assembly.ended() => {
                return events.push(Event::first(EventKind::KeepAlive));
            }
            // some proxies close every stream the way OpenAI does
            Frame::KeepAlive | Frame::Done => return,
        };
        match serde_json::from_str::<Chunk<'_>>(data) {
            Ok(chunk) => {
                self.unreadable = 0;
                self.assembly.chunk(&chunk, events);
            }
            // a list holds an error, or is of a shape we do not know
            Err(error) if error.is_data() => {
                let value: Value = serde_json::from_str(data).unwrap_or_default();
                if value.get(0).is_some_and(|first| first.get("error").is_some()) {
                    self.assembly.fail(classify_in_band(&value), events);
                }
            }
            Err(_) => {
                self.unreadable += 1;
                if self.unreadable == MAX_UNREADABLE {
                    let message = "upstream sent events that are not of the Gemini API";
                    let error = UpstreamError::new(ErrorKind::MalformedUpstream, message);
                    self.assembly.fail(error, events);
                }
            }
        }
    }
}
