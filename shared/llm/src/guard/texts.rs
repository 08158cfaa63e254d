//! Where a dialect keeps what a model reads: the contents of messages, the instructions beside them, what tools
//! answered; and the descriptions and arguments of tools, which are searched but never replaced, because programs
//! read them too.
//!
//! [`Place`] is all that is known about dialects here. Two readers follow it: one that wants the text and makes a single
//! pass, and one that wants to know where in the body each text stands. A member that is there twice is looked at twice:
//! which one counts is for the upstream to say.

use crate::dialect::Dialect;
use crate::head::{Head, Name};
use crate::rewrite::splice::{elements, object};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Members of a message or of a part that call a tool.
const CALLS: [&str; 5] = [
    "tool_calls",
    "function_call",
    "functionCall",
    "arguments",
    "input",
];

/// What stands at some place of a request.
#[derive(Debug, Clone, Copy)]
enum Place {
    Body(Dialect),
    /// A list of messages, or a single one where a dialect allows it; their content has one of these names.
    Turns(&'static [&'static str]),
    Turn(&'static [&'static str]),
    /// A string, a part, or a list of parts; what a tool answered is content again, so many times.
    Content(u8),
    Part(u8),
    Text,
    /// Whose strings are texts, however deep.
    Tools,
}

/// Texts a line each, what programs read apart.
#[derive(Debug, Default)]
struct Lines {
    words: String,
    tools: String,
}

/// Reads a place in one pass.
struct Walk<'l> {
    place: Place,
    lines: &'l mut Lines,
}

// === impl Place ===

impl Place {
    /// What an object's member of this name is, if it is looked at.
    fn member(self, name: &str) -> Option<Self> {
        match self {
            Self::Body(_) if matches!(name, "tools" | "functions") => Some(Self::Tools),
            Self::Body(dialect) => Self::of_body(dialect, name),
            Self::Turns(contents) | Self::Turn(contents) if contents.contains(&name) => {
                Some(Self::Content(1))
            }
            Self::Content(_) | Self::Part(_) if name == "text" => Some(Self::Text),
            Self::Content(depth) | Self::Part(depth) if name == "content" => {
                depth.checked_sub(1).map(Self::Content)
            }
            Self::Turns(_) | Self::Turn(_) | Self::Content(_) | Self::Part(_) => {
                CALLS.contains(&name).then_some(Self::Tools)
            }
            Self::Tools => Some(Self::Tools),
            Self::Text => None,
        }
    }

    fn of_body(dialect: Dialect, name: &str) -> Option<Self> {
        let place = match (dialect, name) {
            (Dialect::OpenAiChat | Dialect::OllamaChat | Dialect::AnthropicMessages, "messages") => {
                Self::Turns(&["content"])
            }
            (Dialect::AnthropicMessages, "system") => Self::Content(1),
            (Dialect::OpenAiResponses, "instructions") => Self::Text,
            (Dialect::OpenAiResponses, "input") => Self::Turns(&["content", "output"]),
            (Dialect::Gemini, "contents") => Self::Turns(&["parts"]),
            (Dialect::Gemini, "systemInstruction" | "system_instruction") => Self::Turn(&["parts"]),
            _ => return None,
        };
        Some(place)
    }

    /// What each element of a list here is, if lists are looked at.
    fn element(self) -> Option<Self> {
        match self {
            Self::Turns(contents) => Some(Self::Turn(contents)),
            Self::Content(depth) => Some(Self::Part(depth)),
            Self::Tools => Some(Self::Tools),
            Self::Body(_) | Self::Turn(_) | Self::Part(_) | Self::Text => None,
        }
    }

    /// Whether a string here is what people, models and tools wrote. Where messages are expected it is one of them.
    fn is_words(self) -> bool {
        matches!(
            self,
            Self::Turns(_) | Self::Content(_) | Self::Part(_) | Self::Text
        )
    }
}

/// Every text of a request, line by line.
pub fn joined(dialect: Dialect, body: &[u8]) -> String {
    let mut lines = Lines::default();
    let walk = Walk {
        place: Place::Body(dialect),
        lines: &mut lines,
    };
    // nested deeper than a single pass may go, or with a text that is none: what people wrote can still be found
    if walk
        .deserialize(&mut serde_json::Deserializer::from_slice(body))
        .is_err()
    {
        lines.words.clear();
        if let Ok(head) = Head::read(body) {
            words(dialect, &head)
                .into_iter()
                .for_each(|word| add(word, &mut lines.words));
        }
    }
    lines.words + &lines.tools
}

/// What people, models and tools wrote, as the JSON strings it stands in.
pub fn words<'a>(dialect: Dialect, head: &Head<'a>) -> Vec<&'a RawValue> {
    let mut words = Vec::new();
    for (name, value) in head.members() {
        if let Some(place) = Place::Body(dialect).member(name) {
            find_words(place, value, &mut words);
        }
    }
    words
}

fn find_words<'a>(place: Place, value: &'a RawValue, words: &mut Vec<&'a RawValue>) {
    if matches!(place, Place::Tools) {
        return;
    }
    match value.get().as_bytes().first() {
        Some(b'"') if place.is_words() => words.push(value),
        Some(b'[') => {
            let Some(place) = place.element() else { return };
            elements(value)
                .into_iter()
                .for_each(|element| find_words(place, element, words));
        }
        Some(b'{') => {
            let Some(object) = object(value) else { return };
            for (name, value) in object.members() {
                if let Some(place) = place.member(name) {
                    find_words(place, value, words);
                }
            }
        }
        _ => {}
    }
}

/// Most strings are written as they are read.
fn add(string: &RawValue, lines: &mut String) {
    let quoted = string.get();
    if quoted.contains('\\') {
        lines.push_str(&serde_json::from_str::<String>(quoted).unwrap_or_default());
    } else {
        lines.push_str(quoted.trim_matches('"'));
    }
    lines.push('\n');
}

// === impl Walk ===

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let lines = match self.place {
            Place::Tools => &mut self.lines.tools,
            place if place.is_words() => &mut self.lines.words,
            _ => return Ok(()),
        };
        lines.push_str(text);
        lines.push('\n');
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some(place) = self.place.element() else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let lines = self.lines;
        while list.next_element_seed(Walk { place, lines })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let lines = self.lines;
        while let Some(Name(name)) = object.next_key()? {
            match self.place.member(&name) {
                Some(place) => object.next_value_seed(Walk { place, lines })?,
                None => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const DIALECTS: [Dialect; 5] = [
        Dialect::OpenAiChat,
        Dialect::OllamaChat,
        Dialect::AnthropicMessages,
        Dialect::OpenAiResponses,
        Dialect::Gemini,
    ];

    /// Bodies that look like requests of some dialect, more or less.
    fn any_body() -> impl Strategy<Value = Value> {
        let name = prop::sample::select(
            &[
                "messages",
                "content",
                "text",
                "system",
                "input",
                "instructions",
                "contents",
                "parts",
                "output",
                "role",
                "systemInstruction",
            ][..],
        );
        let leaf = prop_oneof![
            "[a-z\"\\\\\u{e9}]{1,6}".prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            Just(Value::Null),
        ];
        let value = leaf.prop_recursive(6, 60, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..4).prop_map(|members| members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()),
            ]
        });
        let top = prop::sample::select(
            &[
                "messages",
                "system",
                "input",
                "instructions",
                "contents",
                "systemInstruction",
            ][..],
        );
        prop::collection::vec((top, value), 0..4).prop_map(|members| {
            members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn both_readers_find_the_same_words(body in any_body()) {
            let body = body.to_string();
            for dialect in DIALECTS {
                let mut placed = String::new();
                let head = Head::read(body.as_bytes()).unwrap();
                words(dialect, &head).into_iter().for_each(|word| add(word, &mut placed));
                let mut lines = Lines::default();
                let walk = Walk { place: Place::Body(dialect), lines: &mut lines };
                walk.deserialize(&mut serde_json::Deserializer::from_str(&body)).unwrap();
                prop_assert_eq!(&lines.words, &placed, "{:?} {}", dialect, body);
            }
        }
    }

    #[test]
    fn words_come_before_what_programs_read() {
        let body = json!({
            "tools": [{ "function": { "description": "d", "parameters": { "enum": ["e", 1] } } }],
            "messages": [
                { "role": "user", "content": "a\n\"b\"" },
                { "role": "assistant", "content": null, "tool_calls": [{ "function": { "arguments": "x" } }] },
                { "role": "tool", "content": [{ "type": "text", "text": "c" }] },
            ],
        });
        let text = joined(Dialect::OpenAiChat, body.to_string().as_bytes());
        assert_eq!(text, "a\n\"b\"\nc\nd\ne\nx\n");
    }

    #[test]
    fn no_nesting_hides_what_people_wrote() {
        let deep = format!(
            r#"{{"tools":[{}1{}],"messages":[{{"content":"found"}}]}}"#,
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        assert_eq!(joined(Dialect::OpenAiChat, deep.as_bytes()), "found\n");
        let broken = r#"{"messages":[{"content":"\ud800"},{"content":"found"}]}"#;
        assert!(joined(Dialect::OpenAiChat, broken.as_bytes()).contains("found\n"));
    }
}
