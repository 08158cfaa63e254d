//! What is done about personal data in replies: a decorator of a reply's events.
//!
//! Everything the model says to people is searched, its reasoning and refusals too. Arguments of tools are not: a
//! program acts on them, and a letter to a label reaches nobody. The probabilities of single tokens would spell out
//! what was masked, so a masked reply has none.

use super::masking::{Masking, redacted};
use super::personal::{Forms, Personal};
use crate::event::{Event, EventKind, PartStart};
use crate::finish::{Finish, FinishReason};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplyMode {
    /// A label stands in its place.
    #[default]
    Redact,
    /// It is only looked for.
    Warn,
    /// The reply ends in front of it, as one that a content filter has stopped.
    Block,
}

/// One per reply. Without a mode every event passes.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    mode: Option<ReplyMode>,
    /// By choice and part.
    texts: BTreeMap<(u32, u32), Masking>,
    open: BTreeSet<(u32, u32)>,
    unfinished: BTreeSet<u32>,
    found: Vec<Personal>,
    blocked: bool,
}

// === impl Mask ===

impl Mask {
    pub fn new(mode: Option<ReplyMode>) -> Self {
        Self {
            mode,
            ..Self::default()
        }
    }

    /// Whether a reply may come out other than it went in, so that its bytes cannot be forwarded.
    pub fn changes(&self) -> bool {
        matches!(self.mode, Some(ReplyMode::Redact | ReplyMode::Block))
    }

    pub fn is_on(&self) -> bool {
        self.mode.is_some()
    }

    /// Adds what was found since the last report; each kind once.
    pub fn report(&self, found: &mut Vec<Personal>) {
        let new = self.found.get(found.len()..).unwrap_or_default();
        found.extend_from_slice(new);
    }

    /// Appends what becomes of one event.
    pub fn pass(&mut self, mut event: Event, out: &mut Vec<Event>) {
        let Some(mode) = self.mode else {
            return out.push(event);
        };
        if self.blocked {
            return drain(event, out);
        }
        let choice = event.choice;
        match &mut event.kind {
            EventKind::PartStart { part, kind } => {
                self.open.insert((choice, *part));
                self.unfinished.insert(choice);
                if matches!(kind, PartStart::Text | PartStart::Reasoning | PartStart::Refusal) {
                    let masking = Masking::new(Forms::in_replies());
                    self.texts.insert((choice, *part), masking);
                }
            }
            EventKind::Delta { part, text } if self.texts.contains_key(&(choice, *part)) => {
                self.text((choice, *part), Some(text.as_str()), out);
                if mode != ReplyMode::Warn {
                    return;
                }
            }
            EventKind::PartStop { part } => {
                let part = (choice, *part);
                self.text(part, None, out);
                self.texts.remove(&part);
                self.open.remove(&part);
            }
            EventKind::Citation { raw, .. } => self.citation(raw),
            EventKind::Logprobs(_) if mode != ReplyMode::Warn => return,
            EventKind::Finish(_) => {
                self.flush(out);
                self.unfinished.remove(&choice);
            }
            EventKind::End | EventKind::Error(_) => self.flush(out),
            _ => {}
        }
        if self.blocked {
            return drain(event, out);
        }
        out.push(event);
    }

    /// Another piece of a part, or its end.
    fn text(&mut self, part: (u32, u32), piece: Option<&str>, out: &mut Vec<Event>) {
        let Some(masking) = self.texts.get_mut(&part) else {
            return;
        };
        let found = &mut self.found;
        if self.mode == Some(ReplyMode::Block) {
            let certain = masking.push_until_found(piece, found);
            self.blocked = certain.is_err();
            say(part, certain.unwrap_or_else(|last| last), out);
            if self.blocked {
                self.end(out);
            }
            return;
        }
        let certain = match piece {
            Some(piece) => masking.push(piece, found),
            None => masking.finish(found),
        };
        if self.changes() {
            say(part, certain, out);
        }
    }

    fn flush(&mut self, out: &mut Vec<Event>) {
        let parts: Vec<(u32, u32)> = self.texts.keys().copied().collect();
        for part in parts {
            if !self.blocked {
                self.text(part, None, out);
            }
        }
    }

    /// Ends the reply for the client, however the upstream goes on.
    fn end(&mut self, out: &mut Vec<Event>) {
        self.texts.clear();
        for (choice, part) in std::mem::take(&mut self.open) {
            let kind = EventKind::PartStop { part };
            out.push(Event { choice, kind });
        }
        for choice in std::mem::take(&mut self.unfinished) {
            let kind = EventKind::Finish(Finish {
                reason: FinishReason::ContentFilter,
                native: "content_filter".to_owned(),
                stop_sequence: None,
            });
            out.push(Event { choice, kind });
        }
    }

    /// What a citation quotes is whole.
    fn citation(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => {
                let masked = redacted(Forms::in_replies(), text, &mut self.found);
                match masked {
                    Some(masked) if self.mode != Some(ReplyMode::Warn) => *text = masked,
                    _ => {}
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.citation(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.citation(value)),
            _ => {}
        }
    }
}

// === functions ===

/// What is left of an upstream's events once the reply is complete for the client.
fn drain(mut event: Event, out: &mut Vec<Event>) {
    match event.kind {
        EventKind::Usage(_) | EventKind::End | EventKind::KeepAlive => out.push(event),
        EventKind::Error(_) => {
            event.kind = EventKind::End;
            out.push(event);
        }
        _ => {}
    }
}

fn say((choice, part): (u32, u32), text: String, out: &mut Vec<Event>) {
    if !text.is_empty() {
        let kind = EventKind::Delta { part, text };
        out.push(Event { choice, kind });
    }
}

#[cfg(test)]
mod tests;
