//! What the gateway reads of a stream it passes through. Until the answer begins every line may be the one that
//! begins it; afterwards only the last line and errors are parsed.

use super::wire::{Line, Message};
use super::{error, finish};
use crate::error::{ErrorKind, PublicError, UpstreamError, classify_in_band};
use crate::relay::{Fate, Glance, Tap, string_after};
use crate::translate::Progress;
use crate::usage::Usage;
use memchr::memmem::{self, Finder};

/// The length of a line without its calls.
const LINE_OVERHEAD: usize = 128;

/// Members whose string is output of the model.
const OUTPUT: [&str; 2] = ["\"content\":", "\"thinking\":"];

#[derive(Debug)]
pub struct LineTap {
    /// Compiled once per stream.
    output: [Finder<'static>; 2],
}

// === impl LineTap ===

impl Default for LineTap {
    fn default() -> Self {
        Self {
            output: OUTPUT.map(Finder::new),
        }
    }
}

impl Tap for LineTap {
    fn glance(&mut self, raw: &[u8], progress: &mut Progress) -> Glance {
        let said: usize = self.output.iter().map(|member| string_after(raw, member)).sum();
        // arguments are no string but an object of any depth
        let called = match memmem::find(raw, b"\"tool_calls\"") {
            Some(_) => raw.len().saturating_sub(LINE_OVERHEAD),
            None => 0,
        };
        progress.output_bytes += (said + called) as u64;
        // a quote inside a JSON string is escaped, so text of the model never looks like a member
        if !progress.started || is_done(raw) || memmem::find(raw, b"\"error\"").is_some() {
            Glance::Read
        } else {
            Glance::Pass
        }
    }

    fn read(&mut self, _event: Option<&str>, data: &str, progress: &mut Progress) -> Fate {
        let Ok(line) = serde_json::from_str::<Line<'_>>(data) else {
            return Fate::Forward;
        };
        if let Some(error) = line.error() {
            progress.error.get_or_insert_with(|| classify_in_band(&error));
            return Fate::Forward;
        }
        progress.started |= line.message.as_ref().is_some_and(says_something);
        if line.is_done() {
            progress.started = true;
            progress.ended = true;
            progress.usage.merge(&Usage {
                input_total: line.prompt_eval_count.count(),
                output_total: line.eval_count.count(),
                ..Usage::default()
            });
            progress
                .finish
                .get_or_insert_with(|| finish::read(line.done_reason.text().unwrap_or_default()));
        }
        Fate::Forward
    }

    fn done(&mut self, _progress: &mut Progress) {}

    fn close(&mut self, progress: &mut Progress) {
        if !progress.ended && progress.error.is_none() {
            let message = "upstream closed the stream before it was complete";
            progress.error = Some(UpstreamError::new(ErrorKind::StreamIncomplete, message));
        }
    }

    fn error_frame(&self, error: &PublicError) -> Vec<u8> {
        error::line(error)
    }
}

// === functions ===

fn is_done(raw: &[u8]) -> bool {
    const DONE: &[u8] = b"\"done\"";
    memmem::find_iter(raw, DONE).any(|at| {
        let value = raw[at + DONE.len()..].trim_ascii_start();
        let value = value.strip_prefix(b":").unwrap_or_default();
        value.trim_ascii_start().starts_with(b"true")
    })
}

fn says_something(message: &Message<'_>) -> bool {
    message.content.text().is_some()
        || message.thinking.text().is_some()
        || message.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
}
