//! Whole replies of an upstream.

use super::assembly::Assembly;
use super::error;
use super::event::Reply;
use crate::error::{ErrorKind, UpstreamError};
use crate::event::Event;

/// A 2xx body. Anything but a reply is an error, whatever its status said.
pub fn decode(body: &[u8]) -> Result<Vec<Event>, UpstreamError> {
    let Ok(reply) = serde_json::from_slice::<Reply<'_>>(body) else {
        return Err(error::in_band(body).unwrap_or_else(|| {
            UpstreamError::new(
                ErrorKind::MalformedUpstream,
                "upstream's reply is not of the Converse API",
            )
        }));
    };
    let mut events = Vec::new();
    Assembly::default().whole_reply(reply, &mut events);
    Ok(events)
}
