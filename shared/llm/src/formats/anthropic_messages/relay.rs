//! What the gateway reads of a stream it passes through.
//!
//! Nearly all frames are block events, told by their first bytes and never parsed.

use super::event::StreamEvent;
use super::tokens::WireUsage;
use super::{error, stop};
use crate::error::{ErrorKind, PublicError, UpstreamError};
use crate::finish::Finish;
use crate::relay::{Fate, Glance, Tap, string_after};
use crate::translate::Progress;
use memchr::memmem::{self, Finder};

/// How a block event begins, in what the vendor and the common servers write. Any other spelling is parsed.
const BLOCK_EVENTS: [&[u8]; 4] = [
    b"event: content_block_",
    b"event:content_block_",
    b"data: {\"type\":\"content_block_",
    b"data: {\"type\": \"content_block_",
];

/// How far into a frame its kind is looked for.
const HEAD: usize = 128;

/// Members whose string is output of the model. A delta has one of them.
const OUTPUT: [&str; 3] = ["\"text\":", "\"partial_json\":", "\"thinking\":"];

#[derive(Debug)]
pub struct StreamTap {
    usage: WireUsage,
    stopped: bool,
    /// Compiled once per stream.
    output: [Finder<'static>; 3],
}

// === impl StreamTap ===

impl Default for StreamTap {
    fn default() -> Self {
        Self {
            usage: WireUsage::default(),
            stopped: false,
            output: OUTPUT.map(Finder::new),
        }
    }
}

impl Tap for StreamTap {
    fn glance(&mut self, raw: &[u8], progress: &mut Progress) -> Glance {
        if !BLOCK_EVENTS.iter().any(|start| raw.starts_with(start)) {
            return Glance::Read;
        }
        progress.started = true;
        if memmem::find(&raw[..raw.len().min(HEAD)], b"_delta").is_some() {
            progress.output_bytes += self.output_in(raw);
        }
        Glance::Pass
    }

    fn read(&mut self, _event: Option<&str>, data: &str, progress: &mut Progress) -> Fate {
        let Ok(event) = serde_json::from_str::<StreamEvent<'_>>(data) else {
            return Fate::Forward;
        };
        match event.kind.as_ref() {
            "message_start" => self.count(event.message.and_then(|message| message.usage), progress),
            "message_delta" => {
                self.count(event.usage, progress);
                let delta = event
                    .delta
                    .and_then(|delta| Some((delta.stop_reason?, delta.stop_sequence)));
                if let Some((native, stop_sequence)) = delta {
                    self.stopped = true;
                    progress.started = true;
                    progress.finish = Some(Finish {
                        reason: stop::reason(&native),
                        native,
                        stop_sequence,
                    });
                }
            }
            "message_stop" => progress.ended = true,
            "content_block_start" | "content_block_delta" | "content_block_stop" => {
                progress.started = true;
                progress.output_bytes += self.output_in(data.as_bytes());
            }
            "ping" => {}
            _ => {
                if let Some(raw) = event.error {
                    progress.error.get_or_insert_with(|| error::in_band(raw.get()));
                }
            }
        }
        Fate::Forward
    }

    fn done(&mut self, _progress: &mut Progress) {}

    fn close(&mut self, progress: &mut Progress) {
        progress.ended |= self.stopped && progress.error.is_none();
        if !progress.ended && progress.error.is_none() {
            let message = "upstream closed the stream before the message was complete";
            progress.error = Some(UpstreamError::new(ErrorKind::StreamIncomplete, message));
        }
    }

    fn error_frame(&self, error: &PublicError) -> Vec<u8> {
        error::frame(error)
    }
}

impl StreamTap {
    /// Bytes of output in a block event, as escaped; none in a signature.
    fn output_in(&self, raw: &[u8]) -> u64 {
        let mut lengths = self.output.iter().map(|member| string_after(raw, member));
        lengths.find(|length| *length > 0).unwrap_or(0) as u64
    }

    fn count(&mut self, usage: Option<WireUsage>, progress: &mut Progress) {
        if let Some(usage) = usage {
            self.usage.merge(usage);
            progress.usage.merge(&self.usage.neutral());
        }
    }
}
