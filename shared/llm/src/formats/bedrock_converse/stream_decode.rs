//! An upstream's stream to neutral events.

use super::assembly::Assembly;
use super::error;
use super::event::Payload;
use crate::error::{ErrorKind, UpstreamError};
use crate::event::Event;
use crate::event_stream::{Message, Messages};
use crate::format::StreamDecoder;

#[derive(Debug, Default)]
pub struct Decoder {
    messages: Messages,
    assembly: Assembly,
}

// === impl Decoder ===

impl StreamDecoder for Decoder {
    fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        let Self { messages, assembly } = self;
        if assembly.ended() {
            return;
        }
        if let Err(error) = messages.push(bytes, |message| read(&message, assembly, events)) {
            assembly.fail(error.into(), events);
        }
    }

    fn finish(&mut self, events: &mut Vec<Event>) {
        self.assembly.close(events);
    }
}

// === functions ===

fn read(message: &Message<'_>, assembly: &mut Assembly, events: &mut Vec<Event>) {
    match message.text(":message-type") {
        Some("exception") => {
            let name = message.text(":exception-type").unwrap_or_default();
            assembly.fail(error::exception(name, message.payload), events);
        }
        // what is no modelled exception says all in its headers
        Some("error") => {
            let name = message.text(":error-code").unwrap_or_default();
            let said = message.text(":error-message").unwrap_or_default();
            assembly.fail(error::exception(name, said.as_bytes()), events);
        }
        _ => {
            let name = message.text(":event-type").unwrap_or_default();
            match serde_json::from_slice::<Payload>(message.payload) {
                Ok(payload) => assembly.event(name, payload, events),
                // JSON of another shape is an event or a field we do not know
                Err(error) if error.is_data() => {}
                Err(_) => {
                    let message = "upstream sent an event that is not of the Converse API";
                    assembly.fail(UpstreamError::new(ErrorKind::MalformedUpstream, message), events);
                }
            }
        }
    }
}
