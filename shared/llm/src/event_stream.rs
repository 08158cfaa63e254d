//! AWS event-stream messages, `application/vnd.amazon.eventstream`: binary frames with headers, and two checksums.
//!
//! ```text
//! total length u32 | length of headers u32 | CRC-32 of these 8 bytes | headers | payload | CRC-32 of all before it
//! header: length of name u8 | name | type u8 | value
//! ```
//!
//! All numbers are big-endian. A message is read once it is whole and its checksums are right; a chunk border changes
//! nothing. Whatever is complete inside one chunk is read in place. Source: the AWS Transcribe and Lex developer guides,
//! "Event stream encoding", and smithy.io, "Amazon Event Stream Specification".

mod header;

pub use header::Value;

use crate::error::{ErrorKind, UpstreamError};
use thiserror::Error;

pub const MEDIA_TYPE: &str = "application/vnd.amazon.eventstream";

/// The longest message that is accepted; images travel inline.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// The specification's limit.
const MAX_HEADER_BYTES: usize = 128 << 10;

/// Two lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;

/// One whole message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// In the order they were written.
    pub headers: Vec<(&'a str, Value<'a>)>,
    pub payload: &'a [u8],
}

/// Cuts a byte stream into messages.
#[derive(Debug, Default)]
pub struct Messages {
    /// The beginning of a message whose end has not arrived.
    pending: Vec<u8>,
}

/// Bytes that are no event stream, or not any more. Nothing after them can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EventStreamError {
    #[error("upstream sent bytes that are no event-stream message")]
    NoMessage,
    #[error("upstream sent an event-stream message of more than {} MiB", MAX_MESSAGE_BYTES >> 20)]
    TooLong,
    #[error("upstream sent an event-stream message that was damaged on its way")]
    Damaged,
    #[error("upstream sent an event-stream message whose headers cannot be read")]
    Headers,
}

// === impl Message ===

impl<'a> Message<'a> {
    /// The text of a header; `None` when there is none, or it is no text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.headers.iter().find(|(header, _)| *header == name)?;
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of the message. Names are of 255 bytes at most, texts and byte strings of 65 535; what is longer is cut.
    pub fn write(&self) -> Vec<u8> {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            header::write(name, value, &mut headers);
        }
        let total = PRELUDE_BYTES + headers.len() + self.payload.len() + CHECKSUM_BYTES;
        let mut out = Vec::with_capacity(total);
        out.extend_from_slice(&length(total));
        out.extend_from_slice(&length(headers.len()));
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out.extend_from_slice(&headers);
        out.extend_from_slice(self.payload);
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out
    }

    /// One whole message, whose prelude is known to be right.
    fn parse(bytes: &'a [u8]) -> Result<Self, EventStreamError> {
        let (content, checksum) = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(EventStreamError::NoMessage)?;
        if crc32fast::hash(content) != u32::from_be_bytes(*checksum) {
            return Err(EventStreamError::Damaged);
        }
        let lengths = Lengths::read(bytes)?.ok_or(EventStreamError::NoMessage)?;
        let (headers, payload) = content[PRELUDE_BYTES..]
            .split_at_checked(lengths.headers)
            .ok_or(EventStreamError::NoMessage)?;
        let headers = header::read_all(headers).ok_or(EventStreamError::Headers)?;
        Ok(Self { headers, payload })
    }
}

// === impl Messages ===

impl Messages {
    /// Reads every message that `bytes` completes. After an error nothing more can be read.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Message<'_>),
    ) -> Result<(), EventStreamError> {
        while !self.pending.is_empty() {
            let whole = Lengths::read(&self.pending)?.map(|lengths| lengths.total);
            if whole == Some(self.pending.len()) {
                each(Message::parse(&self.pending)?);
                self.pending.clear();
                break;
            }
            if bytes.is_empty() {
                return Ok(());
            }
            let missing = whole.unwrap_or(PRELUDE_BYTES) - self.pending.len();
            let (more, rest) = bytes.split_at(missing.min(bytes.len()));
            self.pending.extend_from_slice(more);
            bytes = rest;
        }
        while let Some(Lengths { total, .. }) = Lengths::read(bytes)? {
            let Some((message, rest)) = bytes.split_at_checked(total) else {
                break;
            };
            each(Message::parse(message)?);
            bytes = rest;
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether the bytes so far end with a whole message.
    pub fn is_between(&self) -> bool {
        self.pending.is_empty()
    }
}

// === impl EventStreamError ===

impl From<EventStreamError> for UpstreamError {
    fn from(error: EventStreamError) -> Self {
        Self::new(ErrorKind::MalformedUpstream, error.to_string())
    }
}

/// What the prelude says.
struct Lengths {
    /// Of the whole message.
    total: usize,
    headers: usize,
}

// === impl Lengths ===

impl Lengths {
    /// `None` when the prelude is not there yet. A wrong one is found before anybody waits for so many bytes.
    fn read(bytes: &[u8]) -> Result<Option<Self>, EventStreamError> {
        let Some(prelude) = bytes.first_chunk::<PRELUDE_BYTES>() else {
            return Ok(None);
        };
        let [t0, t1, t2, t3, h0, h1, h2, h3, checksum @ ..] = *prelude;
        if crc32fast::hash(&prelude[..8]) != u32::from_be_bytes(checksum) {
            return Err(EventStreamError::NoMessage);
        }
        let total = u32::from_be_bytes([t0, t1, t2, t3]) as usize;
        let headers = u32::from_be_bytes([h0, h1, h2, h3]) as usize;
        if total > MAX_MESSAGE_BYTES {
            return Err(EventStreamError::TooLong);
        }
        if headers > MAX_HEADER_BYTES || total < PRELUDE_BYTES + headers + CHECKSUM_BYTES {
            return Err(EventStreamError::NoMessage);
        }
        Ok(Some(Self { total, headers }))
    }
}

// === functions ===

/// Whether these are the first bytes of an event stream: the checksum of the prelude leaves no doubt.
pub fn begins(bytes: &[u8]) -> bool {
    matches!(Lengths::read(bytes), Ok(Some(_)))
}

/// A message longer than its length can say is longer than any reader accepts.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests;
