//! Stop sequences for an upstream whose API has none: the gateway looks for them in the text and ends the reply
//! where the first one begins.
//!
//! Only what may be the beginning of a sequence is held back, so that text without one streams as it comes. After
//! a match the upstream may go on or break off: nothing but its usage is of interest any more.

use crate::event::{Event, EventKind, PartStart};
use crate::finish::{Finish, FinishReason};
use std::collections::{BTreeMap, BTreeSet};

/// One per reply. Without sequences every event passes.
#[derive(Debug, Clone, Default)]
pub struct StopMatch {
    sequences: Vec<String>,
    open: BTreeSet<u32>,
    /// By text part, what may be the beginning of a sequence.
    held: BTreeMap<u32, String>,
    matched: bool,
}

// === impl StopMatch ===

impl StopMatch {
    pub fn new(sequences: Vec<String>) -> Self {
        let sequences = sequences.into_iter().filter(|sequence| !sequence.is_empty());
        Self {
            sequences: sequences.collect(),
            ..Self::default()
        }
    }

    /// Appends what is left of one event.
    pub fn pass(&mut self, event: Event, out: &mut Vec<Event>) {
        if self.sequences.is_empty() {
            return out.push(event);
        }
        if self.matched {
            return self.drain(event, out);
        }
        match &event.kind {
            EventKind::PartStart { part, kind } => {
                self.open.insert(*part);
                if *kind == PartStart::Text {
                    self.held.insert(*part, String::new());
                }
            }
            EventKind::Delta { part, text } if self.held.contains_key(part) => {
                return self.text(event.choice, *part, text, out);
            }
            EventKind::PartStop { part } => {
                self.open.remove(part);
                let held = self.held.remove(part).unwrap_or_default();
                say(event.choice, *part, held, out);
            }
            EventKind::Finish(_) | EventKind::End | EventKind::Error(_) => {
                for (part, held) in std::mem::take(&mut self.held) {
                    say(event.choice, part, held, out);
                }
            }
            _ => {}
        }
        out.push(event);
    }

    fn text(&mut self, choice: u32, part: u32, text: &str, out: &mut Vec<Event>) {
        let held = self.held.entry(part).or_default();
        held.push_str(text);
        let first = self
            .sequences
            .iter()
            .filter_map(|sequence| Some((held.find(sequence.as_str())?, sequence)))
            .min_by_key(|(at, _)| *at);
        let Some((at, sequence)) = first else {
            let safe = held.len() - beginning(held, &self.sequences);
            let rest = held.split_off(safe);
            let safe = std::mem::replace(held, rest);
            return say(choice, part, safe, out);
        };
        held.truncate(at);
        let before = std::mem::take(held);
        let finish = Finish {
            reason: FinishReason::StopSequence,
            native: "stop".to_owned(),
            stop_sequence: Some(sequence.clone()),
        };
        say(choice, part, before, out);
        self.matched = true;
        for part in std::mem::take(&mut self.open) {
            let kind = EventKind::PartStop { part };
            out.push(Event { choice, kind });
        }
        let kind = EventKind::Finish(finish);
        out.push(Event { choice, kind });
    }

    /// The reply is complete for the client, however the upstream goes on.
    fn drain(&self, mut event: Event, out: &mut Vec<Event>) {
        match event.kind {
            EventKind::Usage(_) | EventKind::End | EventKind::KeepAlive => out.push(event),
            EventKind::Error(_) => {
                event.kind = EventKind::End;
                out.push(event);
            }
            _ => {}
        }
    }
}

// === functions ===

/// The length of the longest end of the text with which a sequence begins.
fn beginning(text: &str, sequences: &[String]) -> usize {
    let longest = |sequence: &String| {
        (1..sequence.len().min(text.len() + 1))
            .rev()
            .find(|length| sequence.is_char_boundary(*length) && text.ends_with(&sequence[..*length]))
    };
    sequences.iter().filter_map(longest).max().unwrap_or(0)
}

fn say(choice: u32, part: u32, text: String, out: &mut Vec<Event>) {
    if !text.is_empty() {
        let kind = EventKind::Delta { part, text };
        out.push(Event { choice, kind });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, UpstreamError};
    use crate::usage::Usage;

    /// The text, the sequence it stopped at, and whether the reply ended well.
    fn run(stop: &[&str], fragments: &[&str], last: EventKind) -> (String, Option<String>, bool) {
        let mut matcher = StopMatch::new(stop.iter().map(|s| (*s).to_owned()).collect());
        let mut kinds = vec![EventKind::PartStart {
            part: 0,
            kind: PartStart::Text,
        }];
        kinds.extend(fragments.iter().map(|text| EventKind::Delta {
            part: 0,
            text: (*text).to_owned(),
        }));
        kinds.extend([
            EventKind::PartStop { part: 0 },
            EventKind::Usage(Usage::default()),
            last,
        ]);
        let mut out = Vec::new();
        kinds
            .into_iter()
            .for_each(|kind| matcher.pass(Event::first(kind), &mut out));
        let mut result = (String::new(), None, false);
        for event in out {
            match event.kind {
                EventKind::Delta { text, .. } => {
                    assert!(!text.is_empty());
                    result.0.push_str(&text);
                }
                EventKind::Finish(finish) => result.1 = finish.stop_sequence,
                EventKind::End => result.2 = true,
                _ => {}
            }
        }
        result
    }

    #[test]
    fn a_reply_ends_where_the_first_sequence_begins() {
        for (stop, fragments, text, sequence) in [
            (&["STOP"][..], &["abcSTOPdef"][..], "abc", Some("STOP")),
            (&["STOP"], &["abcS", "T", "OP", "def"], "abc", Some("STOP")),
            (&["STOP", "c"], &["abcSTOP"], "ab", Some("c")),
            (&["STOP"], &["abcSTO"], "abcSTO", None),
            (&["STOP"], &["STSTOP"], "ST", Some("STOP")),
            (&["éé"], &["aé", "bé", "é"], "aéb", Some("éé")),
            (&["", "x"], &["ab"], "ab", None),
            (&[], &["abc"], "abc", None),
        ] {
            assert_eq!(
                run(stop, fragments, EventKind::End),
                (text.to_owned(), sequence.map(str::to_owned), true),
                "{fragments:?}"
            );
        }
    }

    #[test]
    fn a_reply_that_has_ended_cannot_fail_any_more() {
        let boom = || EventKind::Error(UpstreamError::new(ErrorKind::StreamIncomplete, "cut"));
        assert!(run(&["x"], &["ax"], boom()).2);
        assert!(!run(&["x"], &["a"], boom()).2);
    }
}
