//! Whole replies, both ways.

use super::super::openai_chat::scalar::Scalar;
use super::assembly::Assembly;
use super::message::{ClientCall, ClientLine, Timing, tokens_of};
use super::stream_decode::LineDecoder;
use super::stream_encode::THOUGHT_BORDER;
use super::wire::Line;
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind};
use crate::format::{ReplySeed, StreamDecoder};
use crate::frame::{is_lines, write_json};
use crate::reply::{Choice, Reply, ReplyPart};
use serde_json::Value;

/// The events a stream of the same reply would have had. A server that streams unasked is understood too.
pub fn decode(body: &[u8]) -> Result<Vec<Event>, UpstreamError> {
    let mut events = Vec::new();
    if is_lines(body) {
        let mut decoder = LineDecoder::default();
        decoder.push(body, &mut events);
        decoder.finish(&mut events);
        return error_or(events);
    }
    let mut line = match serde_json::from_slice::<Line<'_>>(body) {
        Ok(line) if line.message.is_some() || line.is_done() || line.error().is_some() => line,
        _ => return Err(not_a_reply(body)),
    };
    // the body's own end says that it is done
    if line.done == Scalar::Nothing {
        line.done = Scalar::Bool(true);
    }
    let mut assembly = Assembly::default();
    assembly.line(&line, &mut events);
    if !assembly.ended() {
        assembly.close(&mut events);
    }
    error_or(events)
}

pub fn encode(reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
    let nothing = Choice::default();
    let choice = reply.choices.first().unwrap_or(&nothing);
    let (mut content, mut thoughts) = (String::new(), Vec::new());
    let mut calls = Vec::new();
    for part in &choice.parts {
        match part {
            ReplyPart::Text { text, .. } | ReplyPart::Refusal(text) => content.push_str(text),
            ReplyPart::Reasoning { text, .. } if text.is_empty() => {}
            ReplyPart::Reasoning { text, .. } => thoughts.push(text.as_str()),
            ReplyPart::RedactedReasoning(_) => {}
            ReplyPart::ToolCall(call) => calls.push(ClientCall::new(call, calls.len())),
        }
    }
    let thinking = thoughts.join(THOUGHT_BORDER);
    let timing = Timing {
        total: reply.elapsed.unwrap_or_default(),
        ..Timing::default()
    };
    let mut line = ClientLine::last(seed, choice.finish.as_ref(), &reply.usage, timing);
    line.message.content = &content;
    line.message.thinking = (!thinking.is_empty()).then_some(thinking.as_str());
    line.message.tool_calls = calls;
    line.logprobs = choice.logprobs.as_ref().and_then(tokens_of);
    let mut body = Vec::new();
    write_json(&mut body, &line);
    body
}

// === functions ===

fn error_or(mut events: Vec<Event>) -> Result<Vec<Event>, UpstreamError> {
    match events.pop() {
        Some(Event {
            kind: EventKind::Error(error),
            ..
        }) => Err(error),
        last => Ok(events.into_iter().chain(last).collect()),
    }
}

/// A 2xx that is not a reply: an error envelope of some shape, a page, or nothing.
fn not_a_reply(body: &[u8]) -> UpstreamError {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let envelope = value.get(0).unwrap_or(&value);
    if envelope.get("error").is_some_and(|error| !error.is_null()) {
        return classify_in_band(envelope);
    }
    let message = match body.trim_ascii() {
        [] => "upstream sent an empty reply",
        _ if value.is_null() => "upstream sent a reply that is not JSON",
        _ => "upstream sent JSON that is not a chat reply",
    };
    UpstreamError::new(ErrorKind::MalformedUpstream, message)
}
