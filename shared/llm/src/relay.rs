//! Passthrough of a stream, frame by frame: what is complete goes on as the bytes it came in, and is only looked
//! at. A format says which frames matter; the rest are never parsed.

mod service;
mod sound;

pub use service::ServiceTap;
pub use sound::Sound;

use crate::error::{PublicError, UpstreamError};
use crate::format::Relay;
use crate::frame::{Cut, Frame, FrameScan, FrameTooLong, LineScan, MAX_FRAME_BYTES};
use crate::translate::Progress;
use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

/// What a dialect knows about its own stream.
pub trait Tap: Send {
    /// Looks at the raw bytes of one frame, line ends included, without parsing them. Called for every frame, so
    /// it must cost no more than a search; may count `started` and `output_bytes` itself.
    fn glance(&mut self, raw: &[u8], progress: &mut Progress) -> Glance;

    /// Reads a frame that matters.
    fn read(&mut self, event: Option<&str>, data: &str, progress: &mut Progress) -> Fate;

    /// `data: [DONE]` was seen.
    fn done(&mut self, progress: &mut Progress);

    /// The upstream closed the stream: sets `progress.error` unless it was complete.
    fn close(&mut self, progress: &mut Progress);

    /// One well-formed error frame in this dialect.
    fn error_frame(&self, error: &PublicError) -> Vec<u8>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glance {
    /// Nothing in it that the gateway reads.
    Pass,
    /// Carries usage, the end, an error, or something else worth parsing.
    Read,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Forward,
    /// Only there because the gateway asked for it.
    Drop,
}

/// The relay of every dialect, for server-sent events unless another cut is said.
#[derive(Debug)]
pub struct FrameRelay<T, C = FrameScan> {
    tap: T,
    scan: C,
    /// The beginning of a frame whose end has not arrived; held back, because an error frame must be able to
    /// follow whatever the client has got.
    held: BytesMut,
    /// The upstream broke the framing; nothing more is forwarded.
    broken: bool,
}

// === impl FrameRelay ===

impl<T: Tap> FrameRelay<T> {
    pub fn new(tap: T) -> Self {
        Self::cutting(tap)
    }
}

impl<T: Tap> FrameRelay<T, LineScan> {
    /// A JSON document per line.
    pub fn lines(tap: T) -> Self {
        Self::cutting(tap)
    }
}

impl<T: Tap, C: Cut> FrameRelay<T, C> {
    fn cutting(tap: T) -> Self {
        Self {
            tap,
            scan: C::default(),
            held: BytesMut::new(),
            broken: false,
        }
    }

    fn observe(&mut self, raw: &[u8], progress: &mut Progress) -> Fate {
        if self.tap.glance(raw, progress) == Glance::Pass {
            return Fate::Forward;
        }
        match C::parse(raw) {
            Some(Frame::Data { event, data }) => self.tap.read(event.as_deref(), &data, progress),
            // several servers end every stream so, and clients take it for the end of an answer
            Some(Frame::Done) if progress.error.is_some() => Fate::Drop,
            Some(Frame::Done) => {
                self.tap.done(progress);
                Fate::Forward
            }
            Some(Frame::KeepAlive) | None => Fate::Forward,
        }
    }

    /// Keeps the beginning of a frame. One that never ends becomes the stream's error.
    fn hold(&mut self, bytes: &[u8], out: &mut Vec<Bytes>, progress: &mut Progress) {
        if self.held.len() + bytes.len() <= MAX_FRAME_BYTES {
            return self.held.extend_from_slice(bytes);
        }
        self.broken = true;
        let error = UpstreamError::from(FrameTooLong);
        self.fail(&error.public(""), out);
        progress.error = Some(error);
    }
}

impl<T: Tap, C: Cut> Relay for FrameRelay<T, C> {
    fn push(&mut self, mut chunk: Bytes, out: &mut Vec<Bytes>, progress: &mut Progress) {
        if self.broken {
            return;
        }
        if !self.held.is_empty() {
            let Some(end) = self.scan.next_end(&chunk) else {
                return self.hold(&chunk, out, progress);
            };
            self.held.extend_from_slice(&chunk.split_to(end));
            let frame = self.held.split().freeze();
            if self.observe(&frame, progress) == Fate::Forward {
                out.push(frame);
            }
        }
        // frames that are forwarded and adjacent leave as one slice of the chunk
        let (mut from, mut to) = (0, 0);
        while let Some(length) = self.scan.next_end(&chunk[to..]) {
            let end = to + length;
            if self.observe(&chunk[to..end], progress) == Fate::Drop {
                emit(chunk.slice(from..to), out);
                from = end;
            }
            to = end;
        }
        emit(chunk.slice(from..to), out);
        self.hold(&chunk[to..], out, progress);
    }

    fn finish(&mut self, out: &mut Vec<Bytes>, progress: &mut Progress) {
        if self.broken {
            return;
        }
        let frame = self.held.split().freeze();
        let fate = self.observe(&frame, progress);
        self.tap.close(progress);
        // a fragment of a stream that was cut would swallow the error frame that follows it
        if fate == Fate::Forward && progress.error.is_none() {
            emit(frame, out);
        }
    }

    fn fail(&mut self, error: &PublicError, out: &mut Vec<Bytes>) {
        self.held.clear();
        out.push(self.tap.error_frame(error).into());
    }
}

// === functions ===

fn emit(bytes: Bytes, out: &mut Vec<Bytes>) {
    if !bytes.is_empty() {
        out.push(bytes);
    }
}

/// The length of the member's string, as escaped.
pub fn string_after(raw: &[u8], member: &Finder<'_>) -> usize {
    let Some(at) = member.find(raw) else { return 0 };
    let Some(value) = raw[at + member.needle().len()..]
        .trim_ascii_start()
        .strip_prefix(b"\"")
    else {
        return 0;
    };
    let mut from = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &value[from..]) {
        let at = from + found;
        if value[at] == b'"' {
            return at;
        }
        from = (at + 2).min(value.len());
    }
    value.len()
}

#[cfg(test)]
mod tests;
