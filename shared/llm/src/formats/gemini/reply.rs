//! Whole replies, both ways.

use super::assembly::Assembly;
use super::chunk::{self, Candidate, Part};
use super::usage::ClientUsage;
use super::wire::Chunk;
use super::{finish, grounding, logprobs, signature};
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind};
use crate::finish::FinishReason;
use crate::format::ReplySeed;
use crate::reply::{Choice, Reply, ReplyPart};
use serde_json::Value;

/// The events a stream of the same reply would have had. A stream that was asked for without `alt=sse` is a list
/// of chunks.
pub fn decode(body: &[u8]) -> Result<Vec<Event>, UpstreamError> {
    let chunks = match body.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice::<Vec<Chunk<'_>>>(body),
        _ => serde_json::from_slice::<Chunk<'_>>(body).map(|chunk| vec![chunk]),
    };
    let chunks = chunks.map_err(|_| not_a_reply(body))?;
    if !chunks.iter().any(says_something) {
        return Err(not_a_reply(body));
    }
    let (mut assembly, mut events) = (Assembly::default(), Vec::new());
    chunks.iter().for_each(|chunk| assembly.chunk(chunk, &mut events));
    assembly.done(&mut events);
    match events.pop() {
        Some(Event {
            kind: EventKind::Error(error),
            ..
        }) => Err(error),
        last => Ok(events.into_iter().chain(last).collect()),
    }
}

pub fn encode(reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
    let candidates = reply
        .choices
        .iter()
        .zip(0..)
        .map(|(choice, index)| candidate(choice, index));
    let wire = chunk::Reply {
        usage_metadata: ClientUsage::of(&reply.usage),
        ..chunk::Reply::of(seed, candidates.collect())
    };
    serde_json::to_vec(&wire).expect("every map key is a string")
}

// === functions ===

fn says_something(chunk: &Chunk<'_>) -> bool {
    let candidates = chunk.candidates.as_ref().is_some_and(|all| !all.is_empty());
    let blocked = chunk
        .prompt_feedback
        .as_ref()
        .is_some_and(|feedback| feedback.block_reason.is_some());
    candidates || blocked
}

/// A 2xx that is no reply: an error envelope of some shape, a page, or nothing.
fn not_a_reply(body: &[u8]) -> UpstreamError {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let envelope = value.get(0).unwrap_or(&value);
    if envelope.get("error").is_some_and(|error| !error.is_null()) {
        return classify_in_band(envelope);
    }
    let message = match body.trim_ascii() {
        [] => "upstream sent an empty reply",
        _ if value.is_null() => "upstream sent a reply that is not JSON",
        _ => "upstream sent JSON that is not a generateContent response",
    };
    UpstreamError::new(ErrorKind::MalformedUpstream, message)
}

fn candidate(choice: &Choice, index: u32) -> Candidate<'_> {
    let reason = choice
        .finish
        .as_ref()
        .map_or(FinishReason::Stop, |finish| finish.reason);
    Candidate {
        finish_reason: Some(finish::write(reason)),
        logprobs_result: choice.logprobs.as_ref().and_then(logprobs::write),
        grounding_metadata: grounding::of(choice),
        ..Candidate::of(
            index,
            choice
                .parts
                .iter()
                .map(part)
                .chain(choice.media.iter().map(Part::media))
                .collect(),
        )
    }
}

fn part(part: &ReplyPart) -> Part<'_> {
    match part {
        ReplyPart::Text { text, .. } | ReplyPart::Refusal(text) => Part::text(text),
        ReplyPart::Reasoning { text, opaque } => Part::thought(text, opaque.as_ref().map(signature::seal)),
        ReplyPart::RedactedReasoning(opaque) => Part::thought("", Some(signature::seal_redacted(opaque))),
        ReplyPart::ToolCall(call) => Part {
            thought_signature: call.opaque.as_ref().map(signature::seal),
            ..Part::call(&call.id, &call.name, chunk::arguments(call))
        },
    }
}
