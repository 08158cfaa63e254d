//! Whole replies, both ways.

use super::assembly::Assembly;
use super::response::{self, Ending};
use super::wire::Response;
use super::{ids, item, reasoning};
use crate::error::{ErrorKind, UpstreamError, classify_in_band};
use crate::event::{Event, EventKind};
use crate::format::ReplySeed;
use crate::reply::{Choice, Reply, ReplyPart};
use serde_json::Value;

/// The events a stream of the same reply would have had.
pub fn decode(body: &[u8]) -> Result<Vec<Event>, UpstreamError> {
    let Ok(response) = serde_json::from_slice::<Response<'_>>(body) else {
        return Err(not_a_reply(body));
    };
    let has_failed = matches!(response.status.text(), Some("failed" | "cancelled"));
    let has_error = response.error.as_ref().is_some_and(|error| !error.is_null());
    if !has_failed && (has_error || response.output.is_none()) {
        return Err(not_a_reply(body));
    }
    let mut events = Vec::new();
    Assembly::default().whole(&response, &mut events);
    match events.pop() {
        Some(Event {
            kind: EventKind::Error(error),
            ..
        }) => Err(error),
        last => Ok(events.into_iter().chain(last).collect()),
    }
}

pub fn encode(reply: &Reply, seed: &ReplySeed) -> Vec<u8> {
    let empty = Choice::default();
    let choice = reply.choices.first().unwrap_or(&empty);
    let finish = choice.finish.as_ref();
    let ending = Ending::of(finish, choice.parts.is_empty());
    let response = response::ended(response::begun(seed), &ending, output(choice, seed), &reply.usage);
    serde_json::to_vec(&response).expect("every map key is a string")
}

// === functions ===

fn output(choice: &Choice, seed: &ReplySeed) -> Vec<Value> {
    let request = seed.request.as_deref();
    let mut logprobs = item::logprobs(choice.logprobs.as_ref());
    let mut items = Vec::with_capacity(choice.parts.len());
    for (at, part) in choice.parts.iter().enumerate() {
        let is_last = at + 1 == choice.parts.len();
        let finish = choice.finish.as_ref().filter(|_| is_last);
        let logprobs = match part {
            ReplyPart::Text { .. } => std::mem::take(&mut logprobs),
            _ => Vec::new(),
        };
        let id = id(part, seed, items.len());
        items.push(item::whole(part, &id, finish, &logprobs, request));
        if let ReplyPart::ToolCall(call) = part
            && let Some(opaque) = &call.opaque
        {
            let id = ids::item("rs_", &seed.id, items.len());
            items.push(item::signature(opaque, &id));
        }
    }
    items
}

/// Reasoning of this vendor keeps its id, without which it is worth nothing.
fn id(part: &ReplyPart, seed: &ReplySeed, output_index: usize) -> String {
    if let ReplyPart::Reasoning {
        opaque: Some(opaque), ..
    } = part
        && let Some(encrypted) = reasoning::own(opaque)
    {
        return encrypted.id.into_owned();
    }
    ids::item(item::prefix(part), &seed.id, output_index)
}

/// A 2xx that is not a response: an error envelope of some shape, a page, or nothing.
fn not_a_reply(body: &[u8]) -> UpstreamError {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let envelope = value.get(0).unwrap_or(&value);
    if envelope.get("error").is_some_and(|error| !error.is_null()) || envelope["type"] == "error" {
        return classify_in_band(envelope);
    }
    let message = match body.trim_ascii() {
        [] => "upstream sent an empty reply",
        _ if value.is_null() => "upstream sent a reply that is not JSON",
        _ => "upstream sent JSON that is not a response",
    };
    UpstreamError::new(ErrorKind::MalformedUpstream, message)
}

#[cfg(test)]
mod tests;
