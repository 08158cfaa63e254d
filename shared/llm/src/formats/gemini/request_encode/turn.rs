//! Messages to alternating contents.

use super::super::chunk::{Content, Part};
use super::super::signature;
use super::{content, result};
use crate::caps::CallSignatures;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{Message, PartKind, Request, Role};
use crate::translate::Target;
use std::borrow::Cow;

/// What stands in for a turn that must exist although the client had nothing to say.
const PLACEHOLDER: &str = ".";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    Model,
    /// Results stand alone: the newest models refuse them beside anything else.
    Results,
}

struct Turn<'a> {
    kind: Kind,
    parts: Vec<Part<'a>>,
}

pub fn encode<'a>(
    request: &'a Request,
    target: &Target,
    notes: &mut Notes,
) -> Result<Vec<Content<'a>>, EncodeError> {
    let mut turns: Vec<Turn<'a>> = Vec::with_capacity(request.messages.len() + 1);
    for (i, message) in request.messages.iter().enumerate() {
        let path = format!("messages[{i}]");
        if message.name.is_some() {
            notes.loss(
                format!("{path}.name"),
                "the upstream's API has no names of participants",
            );
        }
        match message.role {
            Role::User => append(
                &mut turns,
                Kind::User,
                content::parts(&message.parts, &path, target, notes)?,
            ),
            Role::Assistant => {
                append(
                    &mut turns,
                    Kind::Model,
                    content::parts(&message.parts, &path, target, notes)?,
                );
            }
            Role::System | Role::Developer => append(&mut turns, Kind::User, reminders(message)),
            Role::Tool => {
                let (results, media) = result::encode(&message.parts, &path, target, notes)?;
                append(&mut turns, Kind::Results, results);
                append(&mut turns, Kind::User, media);
            }
        }
    }
    // instructions can stand alone with a placeholder; a request that says nothing has nothing to be answered
    if turns.is_empty() && request.system.is_empty() {
        return Err(EncodeError::unsupported(
            "messages",
            "messages must contain at least one item that is not empty",
        ));
    }
    open_with_user(&mut turns, notes);
    if target.caps.call_signatures == CallSignatures::Required {
        sign_the_unsigned(&mut turns, notes);
    }
    let content = |turn: Turn<'a>| Content {
        role: Some(if turn.kind == Kind::Model { "model" } else { "user" }),
        parts: turn.parts,
    };
    Ok(turns.into_iter().map(content).collect())
}

// === functions ===

fn append<'a>(turns: &mut Vec<Turn<'a>>, kind: Kind, parts: Vec<Part<'a>>) {
    if parts.is_empty() {
        return;
    }
    match turns.last_mut() {
        Some(last) if last.kind == kind => last.parts.extend(parts),
        _ => turns.push(Turn { kind, parts }),
    }
}

/// An instruction in the middle stays in its place: at the top it would mean something else and change the prefix
/// that the vendor caches.
fn reminders(message: &Message) -> Vec<Part<'_>> {
    let text = |part: &crate::request::Part| match &part.kind {
        PartKind::Text { text, .. } if !text.trim().is_empty() => Some(Part::text(format!(
            "<system-reminder>\n{text}\n</system-reminder>"
        ))),
        _ => None,
    };
    message.parts.iter().filter_map(text).collect()
}

/// A call must follow a turn of the user's, and some turn there must be.
fn open_with_user(turns: &mut Vec<Turn<'_>>, notes: &mut Notes) {
    let text = match turns.first() {
        Some(first) if first.kind == Kind::User => return,
        Some(_) => PLACEHOLDER,
        None => " ",
    };
    notes.synth(
        "messages",
        "the conversation must open with the user; a placeholder was put first",
    );
    turns.insert(
        0,
        Turn {
            kind: Kind::User,
            parts: vec![Part::text(text)],
        },
    );
}

/// The newest models want the first call of every step since the user's last words signed; the vendor documents
/// what to send where the signature is lost. Calls beside the first are never signed.
fn sign_the_unsigned(turns: &mut [Turn<'_>], notes: &mut Notes) {
    let current = turns
        .iter()
        .rposition(|turn| turn.kind == Kind::User)
        .unwrap_or(0);
    for turn in turns[current..]
        .iter_mut()
        .filter(|turn| turn.kind == Kind::Model)
    {
        let first = turn.parts.iter_mut().find(|part| part.function_call.is_some());
        if let Some(call) = first.filter(|call| call.thought_signature.is_none()) {
            call.thought_signature = Some(Cow::Borrowed(signature::UNKNOWN));
            notes.synth(
                "messages",
                "a tool call without signature was marked for the vendor to accept",
            );
        }
    }
}
