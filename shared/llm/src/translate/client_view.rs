//! An upstream's events as the client expects them: its own names for its tools, free text where a tool takes
//! free text, and no thinking it did not ask for.

mod freeform;

use self::freeform::FreeformInput;
use crate::caps::WireName;
use crate::dialect::Dialect;
use crate::event::{Event, EventKind, Media, PartStart};
use crate::names::{ToolNames, fit_id};
use crate::recall::{Keeper, Kept};
use crate::request::{ReasoningMode, Request, ToolKind};
use crate::translate::Target;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Call ids that every dialect accepts: a client may go on with the same conversation at another provider.
const CLIENT_ID: WireName = WireName::UpTo(64);

/// Part ids that no decoder counts to, downwards from the one that thinking inside text has.
const FIRST_PLACEHOLDER: u32 = u32::MAX;

/// One per reply.
#[derive(Debug, Clone, Default)]
pub struct ClientView {
    /// What tools are called on the wire, where that differs from the client's names.
    names: ToolNames,
    /// Tools of the client that take free text. An upstream without such tools was given a function with a single
    /// string instead, and calls that.
    freeform: BTreeSet<String>,
    hides_reasoning: bool,
    /// Calls whose function arguments are being turned back into text, by choice and part.
    unwrapping: BTreeMap<(u32, u32), FreeformInput>,
    hidden: BTreeSet<(u32, u32)>,
    /// Whose replies these are; some dialects have a place for media.
    client: Option<Dialect>,
    /// Parts that were put in for media.
    placeholders: u32,
    /// What the client may not bring back, also where it is hidden from it.
    keeper: Keeper,
}

// === impl ClientView ===

impl ClientView {
    /// `request` is the client's, before its names were fitted to the target.
    pub fn new(client: Dialect, request: &Request, names: ToolNames) -> Self {
        let custom = request
            .tools
            .iter()
            .filter(|tool| matches!(tool.kind, ToolKind::Custom { .. }));
        Self {
            names,
            freeform: custom.map(|tool| tool.name.clone()).collect(),
            client: Some(client),
            hides_reasoning: hides_reasoning(client) && !asks_to_think(request),
            ..Self::default()
        }
    }

    /// The same, keeping what this target wants back.
    pub fn keeping(self, target: &Target) -> Self {
        Self {
            keeper: Keeper::of(target),
            ..self
        }
    }

    /// What is to be kept of the reply, once it is complete.
    pub fn take_kept(&mut self) -> Vec<Kept> {
        self.keeper.take()
    }

    /// Appends what the client gets to see of one event.
    pub fn pass(&mut self, mut event: Event, out: &mut Vec<Event>) {
        let choice = event.choice;
        self.keeper.observe(&event, CLIENT_ID);
        match &mut event.kind {
            EventKind::PartStart {
                part,
                kind: PartStart::ToolCall { id, name, freeform },
            } => {
                self.restore_name(name);
                if let Cow::Owned(fitted) = fit_id(id, CLIENT_ID) {
                    *id = fitted;
                }
                if !*freeform && self.freeform.contains(name.as_str()) {
                    *freeform = true;
                    self.unwrapping.insert((choice, *part), FreeformInput::default());
                }
            }
            EventKind::PartStart {
                part,
                kind: PartStart::Reasoning | PartStart::RedactedReasoning(_),
            } if self.hides_reasoning => {
                self.hidden.insert((choice, *part));
                event.kind = EventKind::KeepAlive;
            }
            EventKind::Delta { part, text } => {
                if let Some(input) = self.unwrapping.get_mut(&(choice, *part)) {
                    *text = input.push(text);
                }
                if text.is_empty() || self.hidden.contains(&(choice, *part)) {
                    return;
                }
            }
            EventKind::Media(media) if !self.client.is_some_and(|client| shows(client, media)) => {
                return self.say_that_media_is_missing(choice, media, out);
            }
            EventKind::Opaque { part, .. } if self.hidden.contains(&(choice, *part)) => return,
            EventKind::PartStop { part } => {
                let part = *part;
                if self.hidden.remove(&(choice, part)) {
                    return;
                }
                let rest = self.unwrapping.remove(&(choice, part)).map(FreeformInput::finish);
                if let Some(text) = rest.filter(|text| !text.is_empty()) {
                    out.push(Event {
                        choice,
                        kind: EventKind::Delta { part, text },
                    });
                }
            }
            _ => {}
        }
        out.push(event);
    }

    /// Better a word in the text than a reply that seems whole.
    fn say_that_media_is_missing(&mut self, choice: u32, media: &Media, out: &mut Vec<Event>) {
        let kinds = ["image", "audio", "video"];
        let what = kinds.into_iter().find(|kind| media.mime.starts_with(kind));
        let what = what.unwrap_or("file");
        self.placeholders += 1;
        let part = FIRST_PLACEHOLDER - self.placeholders;
        let kind = PartStart::Text;
        let text = format!("[{what} omitted]");
        let kinds = [
            EventKind::PartStart { part, kind },
            EventKind::Delta { part, text },
            EventKind::PartStop { part },
        ];
        out.extend(kinds.map(|kind| Event { choice, kind }));
    }

    fn restore_name(&self, name: &mut String) {
        let own = self.names.restore(name);
        if own != name {
            *name = own.to_owned();
        }
    }
}

// === functions ===

/// Anthropic clients get thinking blocks only when they sent `thinking`, Gemini's only with `includeThoughts`: many
/// take the first block for the answer.
fn hides_reasoning(client: Dialect) -> bool {
    matches!(client, Dialect::AnthropicMessages | Dialect::Gemini)
}

/// OpenRouter's extension of Chat Completions has a place for images, Gemini's API for anything.
fn shows(client: Dialect, media: &Media) -> bool {
    match client {
        Dialect::Gemini => true,
        Dialect::OpenAiChat => media.mime.starts_with("image/"),
        Dialect::OpenAiResponses
        | Dialect::AnthropicMessages
        | Dialect::OllamaChat
        | Dialect::BedrockConverse => false,
    }
}

fn asks_to_think(request: &Request) -> bool {
    matches!(
        request.reasoning.mode,
        ReasoningMode::On | ReasoningMode::Adaptive
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Tool;

    fn view(client: Dialect, mode: ReasoningMode) -> ClientView {
        let patch = Tool {
            kind: ToolKind::Custom { format: None },
            name: "apply.patch".to_owned(),
            description: None,
            schema: None,
            strict: None,
            cache: None,
        };
        let mut request = Request {
            tools: vec![patch],
            ..Request::default()
        };
        request.reasoning.mode = mode;
        let mut names = ToolNames::default();
        names.fit("apply.patch", crate::caps::WireName::UpTo(64));
        ClientView::new(client, &request, names)
    }

    fn seen(view: &mut ClientView, kinds: Vec<EventKind>) -> Vec<String> {
        let mut out = Vec::new();
        kinds
            .into_iter()
            .for_each(|kind| view.pass(Event::first(kind), &mut out));
        out.into_iter().map(|event| format!("{:?}", event.kind)).collect()
    }

    fn delta(part: u32, text: &str) -> EventKind {
        EventKind::Delta {
            part,
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_free_text_tool_gets_its_name_and_its_text_back() {
        let call = PartStart::ToolCall {
            id: "c".to_owned(),
            name: "apply_patch".to_owned(),
            freeform: false,
        };
        let events = vec![
            EventKind::PartStart { part: 0, kind: call },
            delta(0, r#"{"inp"#),
            delta(0, r#"ut":"*** Begin\n"#),
            delta(0, r#"+a"}"#),
            EventKind::PartStop { part: 0 },
        ];
        assert_eq!(
            seen(&mut view(Dialect::OpenAiChat, ReasoningMode::Unset), events),
            [
                r#"PartStart { part: 0, kind: ToolCall { id: "c", name: "apply.patch", freeform: true } }"#,
                r#"Delta { part: 0, text: "*** Begin\n" }"#,
                r#"Delta { part: 0, text: "+a" }"#,
                "PartStop { part: 0 }",
            ]
        );
    }

    #[test]
    fn a_call_id_is_one_that_every_dialect_accepts() {
        let call = PartStart::ToolCall {
            id: "functions.get:0".to_owned(),
            name: "get".to_owned(),
            freeform: false,
        };
        let events = vec![EventKind::PartStart { part: 0, kind: call }];
        let seen = seen(&mut view(Dialect::AnthropicMessages, ReasoningMode::On), events);
        assert!(seen[0].contains(r#"id: "functions_get_0_"#), "{seen:?}");
    }

    #[test]
    fn an_anthropic_client_sees_thinking_only_when_it_asked() {
        let events = || {
            vec![
                EventKind::PartStart {
                    part: 0,
                    kind: PartStart::Reasoning,
                },
                delta(0, "hm"),
                EventKind::PartStop { part: 0 },
                EventKind::PartStart {
                    part: 1,
                    kind: PartStart::Text,
                },
                delta(1, "Hi"),
                EventKind::PartStop { part: 1 },
            ]
        };
        let count = |client, mode| seen(&mut view(client, mode), events()).len();
        assert_eq!(count(Dialect::AnthropicMessages, ReasoningMode::On), 6);
        assert_eq!(count(Dialect::AnthropicMessages, ReasoningMode::Adaptive), 6);
        assert_eq!(count(Dialect::OpenAiChat, ReasoningMode::Unset), 6);
        let hidden = seen(
            &mut view(Dialect::AnthropicMessages, ReasoningMode::Unset),
            events(),
        );
        assert_eq!(hidden.len(), 4, "a keep-alive and the text: {hidden:?}");
        assert_eq!(hidden[0], "KeepAlive");
    }
}
