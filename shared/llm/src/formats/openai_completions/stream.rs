//! What a model says, as a stream of pieces of text.

use super::reason;
use super::reply::{OBJECT, TextChoice, TextCompletion};
use crate::error::PublicError;
use crate::event::{Event, EventKind, PartStart};
use crate::format::{ReplySeed, StreamEncoder};
use crate::formats::openai_chat::error;
use crate::formats::openai_chat::usage::UsageReport;
use crate::frame;
use crate::usage::Usage;
use std::collections::BTreeSet;

#[derive(Debug)]
pub struct TextEncoder {
    id: String,
    created: u64,
    model: String,
    include_usage: bool,
    usage: Usage,
    /// By choice and part: those that the client sees.
    shown: BTreeSet<(u32, u32)>,
    /// Something was written.
    begun: bool,
    closed: bool,
}

// === impl TextEncoder ===

impl TextEncoder {
    pub fn new(seed: &ReplySeed) -> Self {
        Self {
            id: format!("cmpl-{}", seed.id),
            created: seed.created,
            model: seed.model.clone(),
            include_usage: seed.include_usage,
            usage: Usage::default(),
            shown: BTreeSet::new(),
            begun: false,
            closed: false,
        }
    }

    fn write(&mut self, index: u32, text: &str, finish_reason: Option<&'static str>, out: &mut Vec<u8>) {
        self.begun = true;
        let choice = TextChoice {
            index,
            text,
            logprobs: None,
            finish_reason,
        };
        frame::write_event(out, None, &self.piece(vec![choice], None));
    }

    fn piece<'a>(&'a self, choices: Vec<TextChoice<'a>>, usage: Option<UsageReport>) -> TextCompletion<'a> {
        TextCompletion {
            id: &self.id,
            object: OBJECT,
            created: self.created,
            model: &self.model,
            choices,
            usage: self.include_usage.then_some(usage),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.include_usage {
            let usage = UsageReport::of(&self.usage);
            frame::write_event(out, None, &self.piece(Vec::new(), Some(usage)));
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.closed = true;
    }
}

impl StreamEncoder for TextEncoder {
    fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.closed {
            return;
        }
        let choice = event.choice;
        match &event.kind {
            EventKind::Usage(usage) => self.usage.merge(usage),
            EventKind::KeepAlive if self.begun => frame::write_comment(out, "keep-alive"),
            EventKind::Error(error) => self.fail(&error.public(""), out),
            EventKind::End => self.end(out),
            EventKind::PartStart {
                part,
                kind: PartStart::Text | PartStart::Refusal,
            } => drop(self.shown.insert((choice, *part))),
            EventKind::Delta { part, text } if self.shown.contains(&(choice, *part)) => {
                self.write(choice, text, None, out);
            }
            EventKind::Finish(finish) => self.write(choice, "", Some(reason(finish.reason)), out),
            // thoughts, calls and media have no place in a text
            _ => {}
        }
    }

    fn fail(&mut self, error: &PublicError, out: &mut Vec<u8>) {
        if !self.closed {
            self.closed = true;
            error::write_frame(error, out);
        }
    }
}
