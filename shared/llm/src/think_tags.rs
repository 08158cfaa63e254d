//! Thinking that a server without a parser for it sends as the beginning of its answer, between `<think>` and
//! `</think>`: taken out of the text and told as reasoning.
//!
//! Never on by itself: a user may ask about these very tags. Only where the text of a choice begins with the tag,
//! and only once; tags may arrive in pieces.

use crate::event::{Event, EventKind, PartStart};
use std::collections::BTreeMap;

const OPENING: &str = "<think>";
const CLOSING: &str = "</think>";
/// An answer longer than this without a closing tag is no thinking whose opening tag was in the prompt.
const MAX_UNDECIDED: usize = 1 << 20;
/// No decoder counts this far.
const REASONING_PART: u32 = u32::MAX;

/// Whether and how a model marks its thinking inside its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThinkTags {
    /// Text is text.
    #[default]
    Off,
    /// Both tags are part of the text.
    Tagged,
    /// The opening tag is the end of the prompt, so that an answer with only a closing tag began with thinking. What
    /// comes before that tag waits for it.
    OpenedByPrompt,
}

// === impl ThinkTags ===

impl ThinkTags {
    /// By the name it has in a configuration.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::Off),
            "tagged" => Some(Self::Tagged),
            "opened-by-prompt" => Some(Self::OpenedByPrompt),
            _ => None,
        }
    }
}

/// The decorator of one reply's events.
#[derive(Debug, Clone, Default)]
pub struct ThinkSplit {
    tags: ThinkTags,
    choices: BTreeMap<u32, State>,
}

#[derive(Debug, Clone)]
enum State {
    /// The first text part has started; nothing of it was passed on.
    Undecided { part: u32, held: String },
    /// Inside the tags; `held` may be the beginning of the closing one. White space before the first thought is
    /// nobody's.
    Thinking { part: u32, held: String, begun: bool },
    /// Behind the tags, before the first letter of the answer.
    Answering { part: u32 },
    /// Everything passes.
    Done,
}

/// Where the events of one choice go.
struct Sink<'a> {
    choice: u32,
    out: &'a mut Vec<Event>,
}

// === impl ThinkSplit ===

impl ThinkSplit {
    pub fn new(tags: ThinkTags) -> Self {
        Self {
            tags,
            choices: BTreeMap::new(),
        }
    }

    pub fn is_on(&self) -> bool {
        self.tags != ThinkTags::Off
    }

    /// Appends what becomes of one event.
    pub fn pass(&mut self, event: Event, out: &mut Vec<Event>) {
        if !self.is_on() {
            return out.push(event);
        }
        let Event { choice, kind } = event;
        let mut sink = Sink { choice, out };
        match (self.choices.get(&choice), &kind) {
            (
                None,
                EventKind::PartStart {
                    part,
                    kind: PartStart::Text,
                },
            ) => {
                let held = String::new();
                self.choices
                    .insert(choice, State::Undecided { part: *part, held });
                return;
            }
            (Some(state), EventKind::Delta { part, text }) if state.is_about(*part) => {
                let next = state.clone().text(text, self.tags, &mut sink);
                self.choices.insert(choice, next);
                return;
            }
            (Some(state), EventKind::PartStop { part }) if state.is_about(*part) => {
                let stop = state.clone().close(&mut sink);
                self.choices.insert(choice, State::Done);
                if !stop {
                    return;
                }
            }
            (Some(_), EventKind::Finish(_)) => self.close(choice, &mut sink),
            (_, EventKind::End | EventKind::Error(_)) => {
                let choices: Vec<u32> = self.choices.keys().copied().collect();
                for choice in choices {
                    self.close(
                        choice,
                        &mut Sink {
                            choice,
                            out: sink.out,
                        },
                    );
                }
            }
            _ => {}
        }
        sink.emit(kind);
    }

    fn close(&mut self, choice: u32, sink: &mut Sink<'_>) {
        if let Some(state) = self.choices.insert(choice, State::Done) {
            state.close(sink);
        }
    }
}

// === impl State ===

impl State {
    fn is_about(&self, other: u32) -> bool {
        match self {
            Self::Undecided { part, .. } | Self::Thinking { part, .. } | Self::Answering { part } => {
                *part == other
            }
            Self::Done => false,
        }
    }

    fn text(self, text: &str, tags: ThinkTags, sink: &mut Sink<'_>) -> Self {
        match self {
            Self::Undecided { part, held } => decide(part, held + text, tags, sink),
            Self::Thinking { part, held, begun } => think(part, held + text, begun, sink),
            Self::Answering { part } => answer(part, text, sink),
            Self::Done => self,
        }
    }

    /// The part ends, or everything does. Whether the text part itself is open.
    fn close(self, sink: &mut Sink<'_>) -> bool {
        match self {
            Self::Undecided { part, held } => {
                sink.start(part, PartStart::Text);
                sink.say(part, held);
                true
            }
            Self::Thinking { held, .. } => {
                sink.say(REASONING_PART, held);
                sink.stop_reasoning();
                false
            }
            Self::Answering { .. } => false,
            Self::Done => true,
        }
    }
}

// === impl Sink ===

impl Sink<'_> {
    fn emit(&mut self, kind: EventKind) {
        self.out.push(Event {
            choice: self.choice,
            kind,
        });
    }

    fn start(&mut self, part: u32, kind: PartStart) {
        self.emit(EventKind::PartStart { part, kind });
    }

    fn say(&mut self, part: u32, text: String) {
        if !text.is_empty() {
            self.emit(EventKind::Delta { part, text });
        }
    }

    fn stop_reasoning(&mut self) {
        self.emit(EventKind::PartStop { part: REASONING_PART });
    }
}

// === functions ===

fn decide(part: u32, held: String, tags: ThinkTags, sink: &mut Sink<'_>) -> State {
    let begun = held.trim_start();
    if let Some(rest) = begun.strip_prefix(OPENING) {
        sink.start(REASONING_PART, PartStart::Reasoning);
        return think(part, rest.to_owned(), false, sink);
    }
    if OPENING.starts_with(begun) {
        return State::Undecided { part, held };
    }
    if tags == ThinkTags::OpenedByPrompt && held.len() <= MAX_UNDECIDED {
        if !held.contains(CLOSING) {
            return State::Undecided { part, held };
        }
        sink.start(REASONING_PART, PartStart::Reasoning);
        return think(part, held, false, sink);
    }
    sink.start(part, PartStart::Text);
    sink.say(part, held);
    State::Done
}

fn think(part: u32, held: String, begun: bool, sink: &mut Sink<'_>) -> State {
    let text = if begun { held.as_str() } else { held.trim_start() };
    if let Some((thought, rest)) = text.split_once(CLOSING) {
        sink.say(REASONING_PART, thought.to_owned());
        sink.stop_reasoning();
        return answer(part, rest, sink);
    }
    let (thought, rest) = text.split_at(text.len() - partial(text));
    sink.say(REASONING_PART, thought.to_owned());
    State::Thinking {
        part,
        held: rest.to_owned(),
        begun: begun || !thought.is_empty(),
    }
}

/// The white space between the tag and the answer belongs to neither.
fn answer(part: u32, text: &str, sink: &mut Sink<'_>) -> State {
    let text = text.trim_start();
    if text.is_empty() {
        return State::Answering { part };
    }
    sink.start(part, PartStart::Text);
    sink.say(part, text.to_owned());
    State::Done
}

/// How many bytes at the end may be the beginning of the closing tag.
fn partial(text: &str) -> usize {
    (1..CLOSING.len())
        .rev()
        .find(|length| text.ends_with(&CLOSING[..*length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finish::{Finish, FinishReason};
    use crate::reply::{Fold, ReplyPart};
    use proptest::prelude::*;

    fn split<'a>(tags: ThinkTags, fragments: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let text = |text: &str| EventKind::Delta {
            part: 0,
            text: text.to_owned(),
        };
        let finish = Finish {
            reason: FinishReason::Stop,
            native: "stop".to_owned(),
            stop_sequence: None,
        };
        let start = EventKind::PartStart {
            part: 0,
            kind: PartStart::Text,
        };
        let mut kinds = vec![start];
        kinds.extend(fragments.into_iter().filter(|text| !text.is_empty()).map(text));
        kinds.extend([
            EventKind::PartStop { part: 0 },
            EventKind::Finish(finish),
            EventKind::End,
        ]);
        let (mut split, mut out) = (ThinkSplit::new(tags), Vec::new());
        kinds
            .into_iter()
            .for_each(|kind| split.pass(Event::first(kind), &mut out));
        let mut fold = Fold::new();
        out.into_iter().for_each(|event| fold.push(event));
        let reply = fold.finish().unwrap();
        let part = |part: &ReplyPart| match part {
            ReplyPart::Text { text, .. } => format!("text {text}"),
            ReplyPart::Reasoning { text, .. } => format!("reasoning {text}"),
            other => format!("{other:?}"),
        };
        reply.choices[0].parts.iter().map(part).collect()
    }

    #[test]
    fn thinking_at_the_beginning_is_taken_out_of_the_text() {
        use ThinkTags::{Off, OpenedByPrompt, Tagged};
        for (tags, text, expected) in [
            (
                Tagged,
                "<think>\na < b</think>\n\nHi",
                vec!["reasoning a < b", "text Hi"],
            ),
            (Tagged, "\n <think>a</think>", vec!["reasoning a"]),
            (Tagged, "<think></think>Hi", vec!["text Hi"]),
            (Tagged, "<think>cut", vec!["reasoning cut"]),
            (Tagged, "<think>a</thi", vec!["reasoning a</thi"]),
            (Tagged, "<thin", vec!["text <thin"]),
            (
                Tagged,
                "About <think>a</think>",
                vec!["text About <think>a</think>"],
            ),
            (Tagged, "a</think>Hi", vec!["text a</think>Hi"]),
            (
                Tagged,
                "<think>a</think>b<think>c</think>",
                vec!["reasoning a", "text b<think>c</think>"],
            ),
            (OpenedByPrompt, "a</think>Hi", vec!["reasoning a", "text Hi"]),
            (
                OpenedByPrompt,
                "<think>a</think>Hi",
                vec!["reasoning a", "text Hi"],
            ),
            (OpenedByPrompt, "Hi", vec!["text Hi"]),
            (Off, "<think>a</think>Hi", vec!["text <think>a</think>Hi"]),
        ] {
            assert_eq!(split(tags, [text]), expected, "{tags:?} {text:?}");
        }
    }

    proptest! {
        #[test]
        fn how_the_text_is_cut_changes_nothing(
            text in "(<think>)?[a<é \n]{0,5}(</think>)?[b<\n]{0,5}",
            cut in any::<prop::sample::Index>(),
            prompt in any::<bool>(),
        ) {
            let tags = if prompt { ThinkTags::OpenedByPrompt } else { ThinkTags::Tagged };
            let whole = split(tags, [text.as_str()]);
            let mut buffer = [0; 4];
            let letters: Vec<String> = text.chars().map(|c| c.encode_utf8(&mut buffer).to_owned()).collect();
            prop_assert_eq!(&split(tags, letters.iter().map(String::as_str)), &whole);
            let at = cut.index(letters.len() + 1);
            let (a, b) = (letters[..at].concat(), letters[at..].concat());
            prop_assert_eq!(&split(tags, [a.as_str(), b.as_str()]), &whole);
        }
    }
}
