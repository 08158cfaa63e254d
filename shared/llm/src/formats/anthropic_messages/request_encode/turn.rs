//! Messages to strictly alternating turns.

use super::block::{self, Block, Place};
use super::thinking::Surroundings;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{Message, Part, PartKind, Request, Role};
use crate::translate::Target;
use serde::Serialize;
use std::borrow::Cow;

/// The shortest text the API accepts, where a turn must exist but the client had nothing to say.
pub const PLACEHOLDER: &str = ".";

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
    for (i, message) in request.messages.iter().enumerate() {
        let path = format!("messages[{i}]");
        if message.name.is_some() {
            notes.loss(
                format!("{path}.name"),
                "the upstream's API has no names of participants",
            );
        }
        let content = blocks(message, &path, target, notes)?;
        match message.role {
            Role::Assistant => append(&mut turns, "assistant", content),
            Role::User if content.is_empty() => {
                notes.synth(path, "an empty user message became a single dot");
                append(
                    &mut turns,
                    "user",
                    vec![Block::owned_text(PLACEHOLDER.to_owned())],
                );
            }
            Role::User | Role::Tool => append(&mut turns, "user", content),
            Role::System | Role::Developer if system_may_stand(&request.messages, i, target) => {
                append(&mut turns, "system", content);
            }
            Role::System | Role::Developer => append(&mut turns, "user", reminders(&message.parts)),
        }
    }
    for turn in &mut turns {
        // the API refuses a result after anything else; stable, so calls keep their order
        turn.content
            .sort_by_key(|block| !matches!(block, Block::ToolResult { .. }));
    }
    trim_prefill(turns.last_mut());
    Ok(turns)
}

/// The API wants a user turn first.
pub fn open_with_user<'a>(
    turns: &mut Vec<Turn<'a>>,
    system: &mut Vec<Block<'a>>,
    notes: &mut Notes,
) -> Result<(), EncodeError> {
    match turns.first() {
        Some(first) if first.role == "user" => {}
        Some(_) => {
            notes.synth(
                "messages",
                "the conversation must open with the user; a single dot was put first",
            );
            let dot = Block::owned_text(PLACEHOLDER.to_owned());
            turns.insert(
                0,
                Turn {
                    role: "user",
                    content: vec![dot],
                },
            );
        }
        None => {
            let Some(last) = system.pop() else {
                return Err(EncodeError::unsupported(
                    "messages",
                    "messages must contain at least one item",
                ));
            };
            notes.synth(
                "messages",
                "there are only instructions; the last one was sent as the user",
            );
            turns.push(Turn {
                role: "user",
                content: vec![last],
            });
        }
    }
    Ok(())
}

/// What of the conversation keeps the model from thinking.
pub fn surroundings(turns: &[Turn<'_>], choice_is_forced: bool) -> Surroundings {
    Surroundings {
        choice_is_forced,
        answer_is_begun: turns.last().is_some_and(|turn| turn.role == "assistant"),
        call_lost_its_thinking: call_lost_its_thinking(turns),
    }
}

// === functions ===

fn blocks<'a>(
    message: &'a Message,
    path: &str,
    target: &Target,
    notes: &mut Notes,
) -> Result<Vec<Block<'a>>, EncodeError> {
    let mut blocks = Vec::with_capacity(message.parts.len());
    for (i, part) in message.parts.iter().enumerate() {
        let place = Place {
            path: format!("{path}.content[{i}]"),
            target,
        };
        blocks.extend(block::encode(part, &place, notes)?);
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

/// Whether an instruction in mid-conversation may keep its role: the model takes one, it follows a user turn, and
/// nothing or the assistant comes next.
fn system_may_stand(messages: &[Message], at: usize, target: &Target) -> bool {
    let instructs = |message: &&Message| matches!(message.role, Role::System | Role::Developer);
    let before = messages[..at].iter().rev().find(|message| !instructs(message));
    let after = messages[at..].iter().find(|message| !instructs(message));
    target.caps.mid_system
        && before.is_some_and(|message| matches!(message.role, Role::User | Role::Tool))
        && after.is_none_or(|message| message.role == Role::Assistant)
}

/// An instruction that may not keep its role stays in its place, inside the user turn. Moved to the top it would
/// change its meaning and invalidate the whole cached prefix.
fn reminders(parts: &[Part]) -> Vec<Block<'_>> {
    parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::Text { text, .. } if !text.trim().is_empty() => Some(Block::owned_text(reminder(text))),
            _ => None,
        })
        .collect()
}

pub fn reminder(text: &str) -> String {
    format!("<system-reminder>\n{text}\n</system-reminder>")
}

fn call_lost_its_thinking(turns: &[Turn<'_>]) -> bool {
    let Some(turn) = turns.iter().rev().find(|turn| turn.role == "assistant") else {
        return false;
    };
    let calls = turn
        .content
        .iter()
        .any(|block| matches!(block, Block::ToolUse { .. }));
    let thinks = matches!(
        turn.content.first(),
        Some(Block::Thinking { .. } | Block::RedactedThinking { .. })
    );
    calls && !thinks
}

/// The API refuses a final assistant turn that ends in whitespace.
fn trim_prefill(last: Option<&mut Turn<'_>>) {
    let Some(Turn {
        role: "assistant",
        content,
    }) = last
    else {
        return;
    };
    if let Some(Block::Text { text, .. }) = content.last_mut() {
        let trimmed = text.trim_end().to_owned();
        *text = Cow::Owned(trimmed);
    }
}
