//! Laws of the dialect's replies and streams, held by every recording in `testdata/anthropic_messages`.

mod client;
mod passthrough;
mod upstream;

use super::*;
use crate::error::ErrorKind;
use crate::event::{EventKind, PartStart};
use crate::finish::FinishReason;
use crate::request::Opaque;
use crate::translate::Progress;
use crate::usage::Usage;
use std::fmt::Write as _;

const TOOLS: &str = include_str!("../../../testdata/anthropic_messages/stream_tools.sse");
const TOOLS_REPLY: &str = include_str!("../../../testdata/anthropic_messages/reply_tools.json");
const SERVER_TOOL: &str = include_str!("../../../testdata/anthropic_messages/stream_server_tool.sse");
const COMPATIBLE: &str = include_str!("../../../testdata/anthropic_messages/stream_compatible.sse");
const OVERLOADED: &str = include_str!("../../../testdata/anthropic_messages/stream_overloaded.sse");
const ANSWER_TOOL_CALLED: &str = include_str!("../../../testdata/anthropic_messages/stream_answer_tool.sse");

const COMPLETE: [&str; 4] = [TOOLS, SERVER_TOOL, COMPATIBLE, ANSWER_TOOL_CALLED];

fn seed() -> ReplySeed {
    ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "claude".to_owned(),
        include_usage: false,
        injected_usage: false,
        framing: crate::format::Framing::default(),
        request: None,
    }
}

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = AnthropicMessages.stream_decoder();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, &mut events);
    }
    decoder.finish(&mut events);
    events
}

/// The events one a line, with adjacent deltas of a part joined and keep-alives left out.
fn outline(events: &[Event]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut growing: Option<u32> = None;
    for event in events
        .iter()
        .filter(|event| !matches!(event.kind, EventKind::KeepAlive))
    {
        if let (EventKind::Delta { part, text }, Some(last)) = (&event.kind, lines.last_mut())
            && growing == Some(*part)
        {
            last.push_str(text);
            continue;
        }
        growing = None;
        lines.push(match &event.kind {
            EventKind::Delta { part, text } => {
                growing = Some(*part);
                format!("  {part} = {text}")
            }
            EventKind::PartStart { part, kind } => format!("  {part} {kind:?}"),
            EventKind::PartStop { part } => format!("  {part} stop"),
            EventKind::Opaque { part, opaque } => format!("  {part} signed {}", opaque.payload),
            EventKind::Citation { part, raw } => format!("  {part} cites {raw}"),
            EventKind::Usage(usage) => format!("usage {}", counts(usage)),
            EventKind::Error(error) => format!("error {:?}: {}", error.kind, error.message),
            other => format!("{other:?}"),
        });
    }
    lines.join("\n")
}

fn counts(usage: &Usage) -> String {
    let mut text = String::new();
    for (name, count) in [
        ("input", usage.input_total),
        ("read", usage.cache_read),
        ("written", usage.cache_write),
        ("output", usage.output_total),
        ("reasoning", usage.reasoning),
    ] {
        if let Some(count) = count {
            write!(text, "{name}={count} ").unwrap();
        }
    }
    text.trim_end().to_owned()
}

fn ends_well(events: &[Event]) -> bool {
    matches!(
        events.last(),
        Some(Event {
            kind: EventKind::End,
            ..
        })
    )
}
