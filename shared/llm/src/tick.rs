//! Events inside a stream that say how far it has come, for clients that ask for them.

use crate::dialect::Dialect;
use crate::frame::{Frame, FrameScan, write_event};
use crate::head::Head;
use crate::translate::Progress;
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;

/// Bytes of text per token, where nobody counted.
const BYTES_PER_TOKEN: u64 = 4;

#[derive(Serialize)]
struct Tick {
    tokens_generated: u64,
    elapsed_ms: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    done: bool,
}

/// Whether the dialect's streams have room for an event of another name. Gemini's events have no names, Ollama has no
/// events, and Bedrock no clients.
pub const fn fits(dialect: Dialect) -> bool {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::AnthropicMessages => true,
        Dialect::Gemini | Dialect::OllamaChat | Dialect::BedrockConverse => false,
    }
}

/// One event; it belongs between two frames.
pub fn event(progress: &Progress, elapsed: Duration, done: bool) -> Vec<u8> {
    let seen = progress.output_bytes.div_ceil(BYTES_PER_TOKEN);
    let tick = Tick {
        tokens_generated: progress.usage.output_total.unwrap_or(0).max(seen),
        elapsed_ms: elapsed.as_millis().try_into().unwrap_or(u64::MAX),
        done,
    };
    let mut out = Vec::new();
    write_event(&mut out, Some("progress"), &tick);
    out
}

/// Where in some whole frames the one begins that ends the stream.
pub fn terminator(dialect: Dialect, frames: &[u8]) -> Option<usize> {
    let (mut scan, mut at) = (FrameScan::default(), 0);
    while at < frames.len() {
        let length = scan.next_end(&frames[at..]).unwrap_or(frames.len() - at);
        if ends(dialect, &frames[at..at + length]) {
            return Some(at);
        }
        at += length.max(1);
    }
    None
}

fn ends(dialect: Dialect, frame: &[u8]) -> bool {
    match Frame::parse(frame) {
        Some(Frame::Done) => true,
        Some(Frame::Data { event, data }) => {
            let name = event.or_else(|| kind(&data).map(Cow::Owned));
            match dialect {
                Dialect::AnthropicMessages => name.as_deref() == Some("message_stop"),
                Dialect::OpenAiResponses => matches!(
                    name.as_deref(),
                    Some("response.completed" | "response.incomplete" | "response.failed")
                ),
                Dialect::OpenAiChat | Dialect::Gemini | Dialect::OllamaChat | Dialect::BedrockConverse => {
                    false
                }
            }
        }
        Some(Frame::KeepAlive) | None => false,
    }
}

fn kind(data: &str) -> Option<String> {
    let kind = Head::read(data.as_bytes()).ok()?.get("type")?;
    serde_json::from_str(kind.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_counts_what_was_reported_or_else_what_was_seen() {
        let mut progress = Progress {
            output_bytes: 41,
            ..Progress::default()
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(
            text(event(&progress, Duration::from_millis(2_000), false)),
            "event: progress\ndata: {\"tokens_generated\":11,\"elapsed_ms\":2000}\n\n"
        );
        progress.usage.output_total = Some(30);
        assert_eq!(
            text(event(&progress, Duration::from_millis(2_001), true)),
            "event: progress\ndata: {\"tokens_generated\":30,\"elapsed_ms\":2001,\"done\":true}\n\n"
        );
    }

    #[test]
    fn the_last_frame_is_found_between_others() {
        use Dialect::{AnthropicMessages, OpenAiChat, OpenAiResponses};
        for (dialect, before, last) in [
            (OpenAiChat, "data: {\"a\":1}\n\n", "data: [DONE]\n\n"),
            (
                OpenAiChat,
                "data: {\"a\":\"[DONE]\"}\r\n\r\n",
                "data:[DONE]\r\n\r\n",
            ),
            (
                AnthropicMessages,
                "event: message_delta\ndata: {}\n\n",
                "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ),
            (
                AnthropicMessages,
                ": hm\n\n",
                "data: {\"type\":\"message_stop\"}\n\n",
            ),
            (OpenAiResponses, "", "event: response.incomplete\ndata: {}\n\n"),
            (
                OpenAiResponses,
                "data: {\"type\":\"x\"}\n\n",
                "data: {\"type\":\"response.completed\"}\n\n",
            ),
        ] {
            let frames = format!("{before}{last}");
            assert_eq!(
                terminator(dialect, frames.as_bytes()),
                Some(before.len()),
                "{frames}"
            );
            assert_eq!(terminator(dialect, before.as_bytes()), None);
        }
    }
}
