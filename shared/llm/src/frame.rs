//! Server-sent events, and a JSON document per line, byte by byte: reading frames from a network stream and writing
//! them.
//!
//! Reading works on bytes and converts a complete event once, so that a chunk border inside a line end or inside
//! a UTF-8 character changes nothing. Whatever is complete inside one chunk is read in place.

mod line;
mod scan;
mod write;

pub use line::{LineScan, is_lines};
pub use scan::FrameScan;
pub use write::{write_comment, write_event, write_json, write_line};

use crate::error::{ErrorKind, UpstreamError};
use std::borrow::Cow;
use thiserror::Error;

/// The longest frame that is accepted; images travel inline.
pub const MAX_FRAME_BYTES: usize = 16 << 20;

/// What one frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// `data` lines joined by `\n`, never empty, never `null`.
    Data {
        event: Option<Cow<'a, str>>,
        data: Cow<'a, str>,
    },
    /// `data: [DONE]`.
    Done,
    /// Only comments.
    KeepAlive,
}

/// A frame without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("upstream sent a stream event of more than {} MiB", MAX_FRAME_BYTES >> 20)]
pub struct FrameTooLong;

/// How a byte stream is cut into frames.
pub trait Cut: Default + Send {
    /// The length of the prefix of `bytes` that completes the current frame, or `None` when more is needed; then
    /// the next call goes on with the bytes that follow.
    fn next_end(&mut self, bytes: &[u8]) -> Option<usize>;

    /// Reads one raw frame; `None` when it says nothing.
    fn parse(raw: &[u8]) -> Option<Frame<'_>>;
}

/// Cuts a byte stream into frames.
#[derive(Debug, Default)]
pub struct Framer<C = FrameScan> {
    scan: C,
    /// The beginning of a frame whose end has not arrived.
    pending: Vec<u8>,
}

// === impl Frame ===

impl<'a> Frame<'a> {
    /// Reads one raw frame as cut by [`FrameScan`]; `None` when it says nothing.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let raw = raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw);
        let mut event = None;
        let mut data: Option<Cow<'a, [u8]>> = None;
        let mut comment = false;
        for line in scan::lines(raw) {
            if line.first() == Some(&b':') {
                comment = true;
                continue;
            }
            match field(line) {
                (b"data", value) => data = Some(joined(data, value)),
                (b"event", value) => event = Some(String::from_utf8_lossy(value)),
                _ if data.is_none() && is_bare_json(line) => data = Some(Cow::Borrowed(line)),
                _ => {}
            }
        }
        let Some(data) = data.map(text) else {
            return comment.then_some(Self::KeepAlive);
        };
        match data.trim() {
            "" | "null" => comment.then_some(Self::KeepAlive),
            "[DONE]" => Some(Self::Done),
            _ => Some(Self::Data { event, data }),
        }
    }
}

// === impl Framer ===

impl Framer {
    pub fn new() -> Self {
        Self::default()
    }
}

impl Framer<LineScan> {
    /// A JSON document per line.
    pub fn lines() -> Self {
        Self::default()
    }
}

impl<C: Cut> Framer<C> {
    /// Reads every frame that `bytes` completes.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), FrameTooLong> {
        while let Some(end) = self.scan.next_end(bytes) {
            let (frame, rest) = bytes.split_at(end);
            bytes = rest;
            if self.pending.len() + frame.len() > MAX_FRAME_BYTES {
                return Err(FrameTooLong);
            }
            if self.pending.is_empty() {
                C::parse(frame).into_iter().for_each(&mut each);
                continue;
            }
            self.pending.extend_from_slice(frame);
            C::parse(&self.pending).into_iter().for_each(&mut each);
            self.pending.clear();
        }
        if self.pending.len() + bytes.len() > MAX_FRAME_BYTES {
            return Err(FrameTooLong);
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads what the stream left unterminated; it may be a fragment.
    pub fn finish(&mut self, each: impl FnMut(Frame<'_>)) {
        let pending = std::mem::take(&mut self.pending);
        C::parse(&pending).into_iter().for_each(each);
    }
}

// === impl Cut ===

impl Cut for FrameScan {
    fn next_end(&mut self, bytes: &[u8]) -> Option<usize> {
        Self::next_end(self, bytes)
    }

    fn parse(raw: &[u8]) -> Option<Frame<'_>> {
        Frame::parse(raw)
    }
}

impl Cut for LineScan {
    fn next_end(&mut self, bytes: &[u8]) -> Option<usize> {
        line::end(bytes)
    }

    fn parse(raw: &[u8]) -> Option<Frame<'_>> {
        line::parse(raw)
    }
}

// === impl FrameTooLong ===

impl From<FrameTooLong> for UpstreamError {
    fn from(error: FrameTooLong) -> Self {
        Self::new(ErrorKind::MalformedUpstream, error.to_string())
    }
}

// === functions ===

/// A field's name and its value without the one optional space.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = memchr::memchr(b':', line) else {
        return (line, b"");
    };
    let value = &line[colon + 1..];
    (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
}

fn joined<'a>(so_far: Option<Cow<'a, [u8]>>, value: &'a [u8]) -> Cow<'a, [u8]> {
    let Some(so_far) = so_far else {
        return Cow::Borrowed(value);
    };
    let mut all = so_far.into_owned();
    all.push(b'\n');
    all.extend_from_slice(value);
    Cow::Owned(all)
}

/// Some proxies forward an upstream's JSON as a line of its own, without `data:`.
fn is_bare_json(line: &[u8]) -> bool {
    line.first() == Some(&b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

/// Strict first: only an event that is not UTF-8 pays for a copy.
fn text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
