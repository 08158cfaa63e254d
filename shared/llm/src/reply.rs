//! A whole reply, folded from the events of a stream. Unary translation is nothing but this fold.

use crate::error::{ErrorKind, UpstreamError};
use crate::event::{Event, EventKind, Media, PartStart};
use crate::finish::Finish;
use crate::request::{Opaque, ToolArguments, ToolCall};
use crate::sequence::Sequencer;
use crate::usage::Usage;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The provider's own id.
    pub id: String,
    pub model: String,
    pub created: Option<u64>,
    pub choices: Vec<Choice>,
    pub usage: Usage,
    /// How long it took, when the caller knows.
    pub elapsed: Option<Duration>,
}

#[derive(Debug, Clone, Default)]
pub struct Choice {
    pub parts: Vec<ReplyPart>,
    pub finish: Option<Finish>,
    pub logprobs: Option<Value>,
    /// What is neither text nor call.
    pub media: Vec<Media>,
}

#[derive(Debug, Clone)]
pub enum ReplyPart {
    Text { text: String, citations: Vec<Value> },
    Reasoning { text: String, opaque: Option<Opaque> },
    RedactedReasoning(Opaque),
    Refusal(String),
    ToolCall(ToolCall),
}

/// A reply while its events come in.
#[derive(Debug, Default)]
pub struct Fold {
    sequencer: Sequencer,
    reply: Reply,
    choices: BTreeMap<u32, Choice>,
    error: Option<UpstreamError>,
    ended: bool,
}

// === impl Fold ===

impl Fold {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, event: Event) {
        let mut sequenced = Vec::new();
        self.sequencer.push(event, &mut sequenced);
        sequenced.into_iter().for_each(|event| self.take(event));
    }

    /// The reply, or why there is none: an error in the stream, or a stream without end.
    pub fn finish(self) -> Result<Reply, UpstreamError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if !self.ended {
            return Err(UpstreamError::new(
                ErrorKind::StreamIncomplete,
                "upstream closed the stream before it was complete",
            ));
        }
        let choices = self
            .choices
            .into_values()
            .map(Choice::without_empty_parts)
            .collect();
        Ok(Reply {
            choices,
            ..self.reply
        })
    }

    fn take(&mut self, event: Event) {
        let Event { choice, kind } = event;
        match kind {
            EventKind::Start { id, model, created } => {
                self.reply = Reply {
                    id,
                    model,
                    created,
                    ..std::mem::take(&mut self.reply)
                };
            }
            EventKind::Usage(usage) => self.reply.usage.merge(&usage),
            EventKind::Error(error) => self.error = Some(error),
            EventKind::End => self.ended = true,
            EventKind::PartStop { .. } | EventKind::KeepAlive => {}
            kind => self.choices.entry(choice).or_default().take(kind),
        }
    }
}

// === impl Choice ===

impl Choice {
    /// Events are serial here, so content always belongs to the last part.
    fn take(&mut self, kind: EventKind) {
        match kind {
            EventKind::PartStart { kind, .. } => self.parts.push(ReplyPart::new(kind)),
            EventKind::Delta { text, .. } => {
                if let Some(part) = self.parts.last_mut() {
                    part.append(&text);
                }
            }
            EventKind::Opaque { opaque: state, .. } => {
                if let Some(
                    ReplyPart::Reasoning { opaque, .. } | ReplyPart::ToolCall(ToolCall { opaque, .. }),
                ) = self.parts.last_mut()
                {
                    *opaque = Some(state);
                }
            }
            EventKind::Citation { raw, .. } => {
                if let Some(ReplyPart::Text { citations, .. }) = self.parts.last_mut() {
                    citations.push(raw);
                }
            }
            EventKind::Logprobs(value) => self.logprobs = Some(joined(self.logprobs.take(), value)),
            EventKind::Media(media) => self.media.push(media),
            EventKind::Finish(finish) => self.finish = Some(finish),
            _ => {}
        }
    }

    fn without_empty_parts(mut self) -> Self {
        self.parts.retain(|part| !part.is_empty());
        self
    }
}

// === impl ReplyPart ===

impl ReplyPart {
    fn new(kind: PartStart) -> Self {
        match kind {
            PartStart::Text => Self::Text {
                text: String::new(),
                citations: Vec::new(),
            },
            PartStart::Reasoning => Self::Reasoning {
                text: String::new(),
                opaque: None,
            },
            PartStart::RedactedReasoning(opaque) => Self::RedactedReasoning(opaque),
            PartStart::Refusal => Self::Refusal(String::new()),
            PartStart::ToolCall { id, name, freeform } => {
                let arguments = if freeform {
                    ToolArguments::Freeform
                } else {
                    ToolArguments::Json
                };
                Self::ToolCall(ToolCall {
                    id,
                    name,
                    arguments: arguments(String::new()),
                    opaque: None,
                })
            }
        }
    }

    pub(crate) fn append(&mut self, fragment: &str) {
        match self {
            Self::Text { text, .. } | Self::Reasoning { text, .. } | Self::Refusal(text) => {
                text.push_str(fragment)
            }
            Self::ToolCall(ToolCall {
                arguments: ToolArguments::Json(text) | ToolArguments::Freeform(text),
                ..
            }) => text.push_str(fragment),
            Self::RedactedReasoning(_) => {}
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Text { text, .. } | Self::Refusal(text) => text.is_empty(),
            Self::Reasoning { text, opaque } => text.is_empty() && opaque.is_none(),
            Self::RedactedReasoning(_) | Self::ToolCall(_) => false,
        }
    }
}

// === functions ===

/// Log probabilities of a later chunk go behind those of an earlier one, list by list.
fn joined(earlier: Option<Value>, later: Value) -> Value {
    let (Some(Value::Object(mut all)), Value::Object(later)) = (earlier, later.clone()) else {
        return later;
    };
    for (key, value) in later {
        match (all.get_mut(&key), value) {
            (Some(Value::Array(list)), Value::Array(more)) => list.extend(more),
            (_, value) => drop(all.insert(key, value)),
        }
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finish::FinishReason;
    use serde_json::json;

    fn fold(kinds: Vec<EventKind>) -> Result<Reply, UpstreamError> {
        let mut fold = Fold::new();
        kinds.into_iter().for_each(|kind| fold.push(Event::first(kind)));
        fold.finish()
    }

    #[test]
    fn a_reply_is_its_events_put_together() {
        let delta = |part, text: &str| EventKind::Delta {
            part,
            text: text.to_owned(),
        };
        let reply = fold(vec![
            EventKind::Start {
                id: "id".into(),
                model: "m".into(),
                created: Some(1),
            },
            EventKind::PartStart {
                part: 0,
                kind: PartStart::Text,
            },
            delta(0, "a"),
            delta(0, "b"),
            EventKind::PartStop { part: 0 },
            EventKind::PartStart {
                part: 1,
                kind: PartStart::Text,
            },
            EventKind::PartStop { part: 1 },
            EventKind::PartStart {
                part: 2,
                kind: PartStart::ToolCall {
                    id: "c".into(),
                    name: "f".into(),
                    freeform: false,
                },
            },
            delta(2, "{}"),
            EventKind::Usage(Usage {
                input_total: Some(3),
                ..Usage::default()
            }),
            EventKind::Logprobs(json!({"content": [1]})),
            EventKind::Logprobs(json!({"content": [2]})),
            EventKind::Finish(Finish {
                reason: FinishReason::Stop,
                native: "stop".into(),
                stop_sequence: None,
            }),
            EventKind::Usage(Usage {
                output_total: Some(5),
                ..Usage::default()
            }),
            EventKind::End,
        ])
        .unwrap();
        assert_eq!(
            (reply.id.as_str(), reply.model.as_str(), reply.created),
            ("id", "m", Some(1))
        );
        assert_eq!(
            (reply.usage.input_total, reply.usage.output_total),
            (Some(3), Some(5))
        );
        let choice = &reply.choices[0];
        assert!(
            matches!(&choice.parts[..], [ReplyPart::Text { text, .. }, ReplyPart::ToolCall(call)]
                if text == "ab" && call.arguments.as_str() == "{}")
        );
        assert_eq!(choice.finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
        assert_eq!(choice.logprobs, Some(json!({"content": [1, 2]})));
    }

    #[test]
    fn an_error_or_a_missing_end_is_not_a_reply() {
        let boom = UpstreamError::new(ErrorKind::Overloaded, "boom");
        assert_eq!(fold(vec![EventKind::Error(boom.clone())]).unwrap_err(), boom);
        assert_eq!(fold(vec![]).unwrap_err().kind, ErrorKind::StreamIncomplete);
    }
}
