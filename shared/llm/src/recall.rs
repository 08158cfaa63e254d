//! What an answer held that its client may not bring back.
//!
//! Some models want the reasoning before a tool call, or the signature over it, when the conversation goes on. Few
//! clients of other dialects keep either. So whatever an answer that calls tools held of both is handed out as a
//! [`Turn`], under the id of its first call; when a client sends that call without, the turn is handed in again as
//! something [`Known`] and put where it was.
//!
//! Where turns are kept, for how long, and that one caller never gets another's, is the caller's to see to.

mod keeper;

pub(crate) use keeper::Keeper;

use crate::caps::{CallSignatures, EchoReasoning, ModelCaps, ThinkingCaps};
use crate::dialect::Dialect;
use crate::note::Notes;
use crate::request::{Message, Opaque, Part, PartKind, Request, Role};
use crate::translate::Target;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::mem;

/// Ids that clients get are not longer.
const CALL_ID_BYTES: usize = 64;
/// How many answers of one conversation are asked for, newest first.
const TURNS: usize = 256;

/// The reasoning and the signatures of one answer, in their places between its text and its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    #[serde(rename = "u")]
    upstream: String,
    #[serde(rename = "p")]
    parts: Vec<Piece>,
}

/// A turn, and the call it is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub call_id: String,
    pub turn: Turn,
}

/// Turns by the id of their first call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known(BTreeMap<String, Turn>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Piece {
    /// Text stood here; it is the client's to bring.
    Text,
    Reasoning {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<State>,
    },
    Redacted(State),
    Call {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<State>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    #[serde(rename = "i")]
    issuer: String,
    #[serde(rename = "p")]
    payload: String,
}

// === impl Turn ===

impl Turn {
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings always serialise")
    }

    /// `None` for bytes that are no turn, such as those of another version.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The parts of the message that this turn became, with what it lacks in its place. Reasoning without a
    /// signature only for who wants it echoed.
    fn woven_into(&self, parts: Vec<Part>, echoes: bool) -> Vec<Part> {
        let own = |part: &Part| !matches!(part.kind, PartKind::Reasoning { .. });
        let mut rest: VecDeque<Part> = parts.into_iter().filter(own).collect();
        let mut woven = Vec::with_capacity(rest.len() + self.parts.len());
        for piece in &self.parts {
            match piece {
                Piece::Text => {
                    while rest.front().is_some_and(|part| call_id(part).is_none()) {
                        woven.extend(rest.pop_front());
                    }
                }
                Piece::Reasoning { text, state } if state.is_some() || echoes => {
                    woven.push(Part::new(PartKind::Reasoning {
                        text: text.clone(),
                        opaque: state.as_ref().and_then(State::opaque),
                    }));
                }
                Piece::Reasoning { .. } => {}
                Piece::Redacted(state) => {
                    let redacted = state.opaque().map(PartKind::RedactedReasoning).map(Part::new);
                    woven.extend(redacted);
                }
                Piece::Call { id, state } => {
                    let Some(at) = rest.iter().position(|part| call_id(part) == Some(id)) else {
                        continue;
                    };
                    woven.extend(rest.drain(..=at));
                    if let Some(Part {
                        kind: PartKind::ToolCall(call),
                        ..
                    }) = woven.last_mut()
                    {
                        call.opaque = state.as_ref().and_then(State::opaque);
                    }
                }
            }
        }
        woven.extend(rest);
        woven
    }
}

// === impl Known ===

impl Known {
    pub fn insert(&mut self, call_id: String, turn: Turn) {
        self.0.insert(call_id, turn);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives every message back what its client did not bring, as far as it comes from where the request goes.
    pub(crate) fn restore(&self, request: &mut Request, target: &Target, notes: &mut Notes) {
        let echoes = target.caps.echo_reasoning != EchoReasoning::Never;
        let mut restored = false;
        for message in request.messages.iter_mut().filter(|message| is_bare(message)) {
            let turn = first_call(message).and_then(|id| self.0.get(id));
            let Some(turn) = turn.filter(|turn| turn.upstream == target.dialect.name()) else {
                continue;
            };
            message.parts = turn.woven_into(mem::take(&mut message.parts), echoes);
            restored = true;
        }
        if restored {
            notes.info(
                "messages",
                "reasoning that the client did not bring back was restored",
            );
        }
    }
}

// === impl State ===

impl State {
    fn of(opaque: &Opaque) -> Self {
        Self {
            issuer: opaque.issuer.name().to_owned(),
            payload: opaque.payload.clone(),
        }
    }

    fn opaque(&self) -> Option<Opaque> {
        Some(Opaque {
            issuer: Dialect::named(&self.issuer)?,
            payload: self.payload.clone(),
        })
    }
}

// === functions ===

/// The calls whose turns an upstream of this kind would want, newest first.
pub(crate) fn wanted(request: &Request, dialect: Dialect, caps: &ModelCaps) -> Vec<String> {
    if !takes_back(dialect, caps) {
        return Vec::new();
    }
    let messages = request.messages.iter().rev().filter(|message| is_bare(message));
    let ids = messages
        .filter_map(first_call)
        .filter(|id| (1..=CALL_ID_BYTES).contains(&id.len()));
    ids.take(TURNS).map(str::to_owned).collect()
}

/// Whether the upstream does anything with reasoning or signatures of its own.
fn takes_back(dialect: Dialect, caps: &ModelCaps) -> bool {
    let state = match dialect {
        Dialect::AnthropicMessages | Dialect::BedrockConverse => caps.thinking != ThinkingCaps::None,
        Dialect::OpenAiResponses => true,
        Dialect::Gemini | Dialect::OpenAiChat => caps.call_signatures != CallSignatures::Never,
        Dialect::OllamaChat => false,
    };
    state || caps.echo_reasoning != EchoReasoning::Never
}

/// An answer that called tools, without any state of its provider's.
fn is_bare(message: &Message) -> bool {
    let has_state = |part: &Part| match &part.kind {
        PartKind::Reasoning { opaque, .. } => opaque.is_some(),
        PartKind::ToolCall(call) => call.opaque.is_some(),
        PartKind::RedactedReasoning(_) => true,
        _ => false,
    };
    message.role == Role::Assistant && !message.parts.iter().any(has_state)
}

fn first_call(message: &Message) -> Option<&str> {
    message.parts.iter().find_map(call_id)
}

fn call_id(part: &Part) -> Option<&str> {
    match &part.kind {
        PartKind::ToolCall(call) => Some(&call.id),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
