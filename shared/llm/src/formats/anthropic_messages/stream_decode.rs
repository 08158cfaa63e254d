//! An upstream's stream to neutral events.

use super::assembly::Assembly;
use super::event::StreamEvent;
use crate::error::{ErrorKind, UpstreamError};
use crate::event::{Event, EventKind};
use crate::format::StreamDecoder;
use crate::frame::{Frame, Framer};

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
        match serde_json::from_str::<StreamEvent<'_>>(data) {
            Ok(event) => {
                self.unreadable = 0;
                self.assembly.stream_event(event, events);
            }
            // JSON of another shape is an event or a field we do not know
            Err(error) if error.is_data() => {}
            Err(_) => {
                self.unreadable += 1;
                if self.unreadable == MAX_UNREADABLE {
                    let message = "upstream sent events that are not of the Messages API";
                    self.assembly
                        .fail(UpstreamError::new(ErrorKind::MalformedUpstream, message), events);
                }
            }
        }
    }
}
