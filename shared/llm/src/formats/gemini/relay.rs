//! What the gateway reads of a stream it passes through, and the other framing of it: a client that did not ask
//! for SSE gets the same chunks, byte for byte, as the items of one JSON array.

use super::error::Envelope;
use super::finish;
use super::stream_encode::{begin, write};
use super::usage::WireUsage;
use super::wire::Chunk;
use crate::error::{ErrorKind, PublicError, UpstreamError, classify_in_band};
use crate::format::{Framing, Relay};
use crate::frame::{Frame, Framer};
use crate::relay::{Fate, Glance, Tap};
use crate::translate::Progress;
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct StreamTap {
    usage: WireUsage,
    /// Whether each candidate has said why it stopped.
    stopped: BTreeMap<u32, bool>,
}

/// Upstream SSE in, one JSON array out.
#[derive(Debug, Default)]
pub struct ArrayRelay {
    tap: StreamTap,
    framer: Framer,
    started: bool,
    /// The array has its closing bracket.
    closed: bool,
}

// === impl StreamTap ===

impl Tap for StreamTap {
    /// Every chunk tells usage.
    fn glance(&mut self, _raw: &[u8], _progress: &mut Progress) -> Glance {
        Glance::Read
    }

    fn read(&mut self, _event: Option<&str>, data: &str, progress: &mut Progress) -> Fate {
        match serde_json::from_str::<Chunk<'_>>(data) {
            Ok(chunk) => self.chunk(&chunk, progress),
            Err(error) if error.is_data() && data.trim_start().starts_with('[') => {
                let value: Value = serde_json::from_str(data).unwrap_or_default();
                if value.get(0).is_some_and(|first| first.get("error").is_some()) {
                    progress.error.get_or_insert_with(|| classify_in_band(&value));
                }
            }
            Err(_) => {}
        }
        Fate::Forward
    }

    fn done(&mut self, _progress: &mut Progress) {}

    fn close(&mut self, progress: &mut Progress) {
        let complete = !self.stopped.is_empty() && self.stopped.values().all(|stopped| *stopped);
        progress.ended |= complete && progress.error.is_none();
        if !progress.ended && progress.error.is_none() {
            let message = "upstream closed the stream before it was complete";
            progress.error = Some(UpstreamError::new(ErrorKind::StreamIncomplete, message));
        }
    }

    fn error_frame(&self, error: &PublicError) -> Vec<u8> {
        let mut out = Vec::new();
        begin(&mut true, Framing::Native, &mut out);
        write(&Envelope::of(error), Framing::Native, &mut out);
        out
    }
}

impl StreamTap {
    fn chunk(&mut self, chunk: &Chunk<'_>, progress: &mut Progress) {
        if let Some(raw) = chunk.error.filter(|raw| raw.get() != "null") {
            let error: Value = serde_json::from_str(raw.get()).unwrap_or_default();
            progress.error.get_or_insert_with(|| classify_in_band(&error));
            return;
        }
        for (candidate, position) in chunk.candidates.iter().flatten().zip(0..) {
            let stopped = self
                .stopped
                .entry(candidate.index.unwrap_or(position))
                .or_default();
            for part in candidate
                .content
                .iter()
                .flat_map(|content| content.parts.iter().flatten())
            {
                progress.started = true;
                // the keys and quotes around a text
                progress.output_bytes += part.get().len().saturating_sub(11) as u64;
            }
            if let Some(native) = candidate
                .finish_reason
                .as_deref()
                .filter(|native| !native.is_empty())
            {
                *stopped = true;
                progress.started = true;
                progress.finish = Some(finish::read(native));
            }
        }
        let feedback = chunk.prompt_feedback.as_ref();
        if let Some(native) = feedback.and_then(|feedback| feedback.block_reason.as_deref()) {
            self.stopped.insert(0, true);
            progress.started = true;
            progress.finish = Some(finish::blocked(native));
        }
        if let Some(usage) = chunk.usage_metadata {
            self.usage.merge(usage);
            progress.usage.merge(&self.usage.neutral());
        }
    }
}

// === impl ArrayRelay ===

impl ArrayRelay {
    fn close_array(&mut self, out: &mut Vec<Bytes>) {
        if self.closed {
            return;
        }
        self.closed = true;
        let end: &'static [u8] = if self.started { b"]" } else { b"[]" };
        out.push(Bytes::from_static(end));
    }
}

impl Relay for ArrayRelay {
    fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>, progress: &mut Progress) {
        if self.closed {
            return;
        }
        let Self {
            tap, framer, started, ..
        } = self;
        let read = framer.push(&chunk, |frame| rewrap(&frame, tap, started, out, progress));
        if let Err(error) = read {
            let error = UpstreamError::from(error);
            self.fail(&error.public(""), out);
            progress.error = Some(error);
        }
    }

    fn finish(&mut self, out: &mut Vec<Bytes>, progress: &mut Progress) {
        if self.closed {
            return;
        }
        let failed_before = progress.error.is_some();
        let Self {
            tap, framer, started, ..
        } = self;
        // a fragment of a stream that was cut is no item of an array
        framer.finish(|frame| match &frame {
            Frame::Data { data, .. } if serde_json::from_str::<Chunk<'_>>(data).is_err() => {}
            frame => rewrap(frame, tap, started, out, progress),
        });
        self.tap.close(progress);
        // after an incomplete stream the array still gets its error
        if progress.error.is_none() || failed_before {
            self.close_array(out);
        }
    }

    fn fail(&mut self, error: &PublicError, out: &mut Vec<Bytes>) {
        if self.closed {
            return;
        }
        let mut bytes = Vec::new();
        begin(&mut self.started, Framing::JsonArray, &mut bytes);
        write(&Envelope::of(error), Framing::JsonArray, &mut bytes);
        out.push(bytes.into());
        self.close_array(out);
    }
}

// === functions ===

fn rewrap(
    frame: &Frame<'_>,
    tap: &mut StreamTap,
    started: &mut bool,
    out: &mut Vec<Bytes>,
    progress: &mut Progress,
) {
    let Frame::Data { event, data } = frame else {
        return;
    };
    // what is no JSON would spoil the array
    if serde_json::from_str::<serde::de::IgnoredAny>(data).is_err() {
        return;
    }
    tap.read(event.as_deref(), data, progress);
    let mut bytes = Vec::with_capacity(data.len() + 3);
    begin(started, Framing::JsonArray, &mut bytes);
    bytes.extend_from_slice(data.as_bytes());
    out.push(bytes.into());
}
