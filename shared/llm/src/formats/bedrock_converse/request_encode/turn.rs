//! Messages to strictly alternating turns, of which the user has the first.

use super::block::{self, Block};
use crate::error::EncodeError;
use crate::formats::anthropic_messages::request_encode::block::Place;
use crate::formats::anthropic_messages::request_encode::thinking::Surroundings;
use crate::formats::anthropic_messages::request_encode::turn::{PLACEHOLDER, reminder};
use crate::note::Notes;
use crate::request::{Message, Part, PartKind, Request, Role};
use crate::translate::Target;
use serde::Serialize;
use std::borrow::Cow;

#[derive(Debug, Serialize)]
pub struct Turn<'a> {
    pub role: &'static str,
    pub content: Vec<Block<'a>>,
}

pub fn encode<'a>(
    request: &'a Request,
    target: &Target,
    notes: &mut Notes,
) -> Result<Vec<Turn<'a>>, EncodeError> {
    let mut turns: Vec<Turn<'a>> = Vec::with_capacity(request.messages.len());
    let mut names = Vec::new();
    for (i, message) in request.messages.iter().enumerate() {
        let path = format!("messages[{i}]");
        if message.name.is_some() {
            notes.loss(
                format!("{path}.name"),
                "the upstream's API has no names of participants",
            );
        }
        if matches!(message.role, Role::System | Role::Developer) {
            append(&mut turns, "user", reminders(&message.parts));
            continue;
        }
        let content = blocks(message, &path, target, &mut names, notes)?;
        match message.role {
            Role::Assistant => append(&mut turns, "assistant", content),
            Role::User if content.is_empty() => {
                notes.synth(path, "an empty user message became a single dot");
                append(&mut turns, "user", vec![Block::text(PLACEHOLDER)]);
            }
            _ => append(&mut turns, "user", content),
        }
    }
    turns.iter_mut().for_each(|turn| caption_documents(turn, notes));
    trim_prefill(turns.last_mut());
    Ok(turns)
}

/// The API wants a user turn first.
pub fn open_with_user<'a>(
    turns: &mut Vec<Turn<'a>>,
    system: &mut Vec<Block<'a>>,
    notes: &mut Notes,
) -> Result<(), EncodeError> {
    let content = match turns.first() {
        Some(first) if first.role == "user" => return Ok(()),
        Some(_) => {
            notes.synth(
                "messages",
                "the conversation must open with the user; a single dot was put first",
            );
            Block::text(PLACEHOLDER)
        }
        None => {
            let last = system.iter().rposition(|block| !block.is_cache_point());
            let Some(last) = last else {
                return Err(EncodeError::unsupported(
                    "messages",
                    "messages must contain at least one item",
                ));
            };
            notes.synth(
                "messages",
                "there are only instructions; the last one was sent as the user",
            );
            // a point behind it would have nothing before it
            system.truncate(last + 1);
            system.remove(last)
        }
    };
    turns.insert(
        0,
        Turn {
            role: "user",
            content: vec![content],
        },
    );
    Ok(())
}

/// What of the conversation keeps the model from thinking.
pub fn surroundings(turns: &[Turn<'_>], choice_is_forced: bool) -> Surroundings {
    let spoken = turns.iter().rev().find(|turn| turn.role == "assistant");
    let call_lost_its_thinking = spoken.is_some_and(|turn| {
        let calls = turn
            .content
            .iter()
            .any(|block| matches!(block, Block::ToolUse(_)));
        calls && !matches!(turn.content.first(), Some(Block::ReasoningContent(_)))
    });
    Surroundings {
        choice_is_forced,
        answer_is_begun: turns.last().is_some_and(|turn| turn.role == "assistant"),
        call_lost_its_thinking,
    }
}

// === functions ===

fn blocks<'a>(
    message: &'a Message,
    path: &str,
    target: &Target,
    names: &mut Vec<String>,
    notes: &mut Notes,
) -> Result<Vec<Block<'a>>, EncodeError> {
    let mut blocks = Vec::with_capacity(message.parts.len());
    for (i, part) in message.parts.iter().enumerate() {
        let place = Place {
            path: format!("{path}.content[{i}]"),
            target,
        };
        blocks.extend(block::encode(part, &place, names, notes)?);
    }
    Ok(blocks)
}

fn append<'a>(turns: &mut Vec<Turn<'a>>, role: &'static str, content: Vec<Block<'a>>) {
    if content.is_empty() {
        return;
    }
    match turns.last_mut() {
        Some(last) if last.role == role => last.content.extend(content),
        _ => turns.push(Turn { role, content }),
    }
}

/// An instruction in mid-conversation stays in its place, inside the user turn. Moved to the top it would change its
/// meaning and invalidate the whole cached prefix.
fn reminders(parts: &[Part]) -> Vec<Block<'_>> {
    let texts = parts.iter().filter_map(|part| match &part.kind {
        PartKind::Text { text, .. } if !text.trim().is_empty() => Some(Block::text(reminder(text))),
        _ => None,
    });
    texts.collect()
}

/// The API refuses a document in a turn without text.
fn caption_documents(turn: &mut Turn<'_>, notes: &mut Notes) {
    let has = |kind: fn(&Block<'_>) -> bool| turn.content.iter().any(kind);
    if has(|block| matches!(block, Block::Document(_))) && !has(|block| matches!(block, Block::Text(_))) {
        notes.synth(
            "messages",
            "a document must stand beside a text; a single dot was added",
        );
        turn.content.push(Block::text(PLACEHOLDER));
    }
}

/// Models refuse a final assistant turn that ends in whitespace.
fn trim_prefill(last: Option<&mut Turn<'_>>) {
    let Some(Turn {
        role: "assistant",
        content,
    }) = last
    else {
        return;
    };
    if let Some(Block::Text(text)) = content.last_mut() {
        *text = Cow::Owned(text.trim_end().to_owned());
    }
}
