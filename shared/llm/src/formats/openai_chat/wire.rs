//! A reply or one chunk of it, as upstreams of this dialect send them.
//!
//! Read tolerantly: whatever servers are known to vary in is a [`Scalar`] or a type of its own, and unknown fields
//! are skipped. A whole reply differs from a chunk only in that `message` stands for `delta`.

use super::scalar::Scalar;
use super::usage::WireUsage;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Chunk<'a> {
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub model: Scalar<'a>,
    #[serde(borrow)]
    pub created: Scalar<'a>,
    #[serde(borrow)]
    pub choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    pub usage: Option<WireUsage<'a>>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Choice<'a> {
    #[serde(borrow)]
    pub index: Scalar<'a>,
    #[serde(borrow)]
    pub delta: Option<Delta<'a>>,
    #[serde(borrow)]
    pub message: Option<Delta<'a>>,
    #[serde(borrow)]
    pub finish_reason: Scalar<'a>,
    pub logprobs: Option<Value>,
    /// Where Moonshot puts it in a stream.
    #[serde(borrow)]
    pub usage: Option<WireUsage<'a>>,
    /// Where OpenRouter puts the failure of a provider behind it.
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Delta<'a> {
    #[serde(borrow)]
    pub content: Content<'a>,
    #[serde(borrow)]
    pub refusal: Scalar<'a>,
    #[serde(borrow)]
    pub reasoning_content: Scalar<'a>,
    #[serde(borrow)]
    pub reasoning: Scalar<'a>,
    #[serde(borrow)]
    pub reasoning_text: Scalar<'a>,
    pub reasoning_details: Option<Vec<Value>>,
    pub thinking_blocks: Option<Vec<Value>>,
    pub annotations: Option<Vec<Value>>,
    pub images: Option<Vec<Value>>,
    #[serde(borrow)]
    pub tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(borrow)]
    pub function_call: Option<Function<'a>>,
}

/// `content`: text, or a list of typed items, in which Mistral also sends its reasoning.
#[derive(Debug, Default, PartialEq)]
pub struct Content<'a> {
    pub text: Cow<'a, str>,
    pub thinking: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ToolCall<'a> {
    #[serde(borrow)]
    pub index: Scalar<'a>,
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub function: Option<Function<'a>>,
    #[serde(borrow)]
    pub custom: Option<Custom<'a>>,
    pub extra_content: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Function<'a> {
    #[serde(borrow)]
    pub name: Scalar<'a>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Custom<'a> {
    #[serde(borrow)]
    pub name: Scalar<'a>,
    #[serde(borrow)]
    pub input: Scalar<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContentItem<'a> {
    #[serde(borrow)]
    text: Scalar<'a>,
    #[serde(borrow)]
    thinking: Content<'a>,
}

struct ContentVisitor;

// === impl Chunk ===

impl Chunk<'_> {
    /// The error this carries, wherever the server put it.
    pub fn error(&self) -> Option<Value> {
        let of_choices = self.choices.iter().flatten().filter_map(|choice| choice.error);
        self.error.into_iter().chain(of_choices).find_map(said)
    }
}

// === impl Function ===

impl Function<'_> {
    /// The fragment of arguments; some servers send the object instead of its text.
    pub fn arguments(&self) -> Cow<'_, str> {
        let Some(raw) = self.arguments else {
            return Cow::Borrowed("");
        };
        if !raw.get().starts_with('"') {
            return Cow::Borrowed(raw.get());
        }
        match serde_json::from_str(raw.get()) {
            Ok(Scalar::Text(text)) => text,
            _ => Cow::Borrowed(""),
        }
    }
}

// === impl Content ===

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a list of content items, or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Content::default())
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Content {
            text: Cow::Borrowed(value),
            thinking: String::new(),
        })
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Content {
            text: Cow::Owned(value.to_owned()),
            thinking: String::new(),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut content = Content::default();
        while let Some(item) = seq.next_element::<ContentItem<'de>>()? {
            content
                .text
                .to_mut()
                .push_str(item.text.text().unwrap_or_default());
            content.thinking.push_str(&item.thinking.text);
        }
        Ok(content)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::default())
    }
}

// === functions ===

/// `null`, `false`, `""` and `{}` mean that there is no error.
fn said(raw: &RawValue) -> Option<Value> {
    let error: Value = serde_json::from_str(raw.get()).ok()?;
    let empty = match &error {
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(false) => true,
        other => other.is_null(),
    };
    (!empty).then_some(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_of_every_shape_is_read() {
        for (json, text, thinking) in [
            (r#""hi""#, "hi", ""),
            ("null", "", ""),
            (
                r#"[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#,
                "ab",
                "",
            ),
            (
                r#"[{"type":"thinking","thinking":[{"type":"text","text":"why"}]},{"text":"so"}]"#,
                "so",
                "why",
            ),
            (r#"{"parts":[]}"#, "", ""),
        ] {
            let content: Content<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(
                (content.text.as_ref(), content.thinking.as_str()),
                (text, thinking),
                "{json}"
            );
        }
    }

    #[test]
    fn arguments_may_be_text_or_the_object_itself() {
        for (json, arguments) in [
            (r#"{"arguments":"{\"a\":1}"}"#, r#"{"a":1}"#),
            (r#"{"arguments":{"a":1.0}}"#, r#"{"a":1.0}"#),
            (r#"{"arguments":null}"#, ""),
            ("{}", ""),
        ] {
            let function: Function<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(function.arguments(), arguments);
        }
    }

    #[test]
    fn an_empty_error_is_no_error() {
        for (json, expected) in [
            (r#"{"error":null}"#, false),
            (r#"{"error":{}}"#, false),
            (r#"{"error":""}"#, false),
            (r#"{"error":"boom"}"#, true),
            (r#"{"error":{"code":502}}"#, true),
        ] {
            let chunk: Chunk<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(chunk.error().is_some(), expected, "{json}");
        }
    }
}
