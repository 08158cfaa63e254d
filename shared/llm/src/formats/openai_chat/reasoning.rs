//! Provider state that belongs to reasoning, as it travels in `reasoning_details` (OpenRouter's shape) and in
//! `thinking_blocks` (LiteLLM's).
//!
//! What Anthropic issued is named by its format, so that it can go home from any client; what other dialects issued
//! is wrapped; every other item is kept whole, because only an upstream of this dialect will ever read it again.

use crate::dialect::Dialect;
use crate::envelope::{self, Subject};
use crate::request::Opaque;
use serde_json::{Value, json};

const ANTHROPIC_FORMAT: &str = "anthropic-claude-v1";

/// One item of either list.
#[derive(Debug, PartialEq, Eq)]
pub enum Detail {
    Text { text: String, opaque: Option<Opaque> },
    Redacted(Opaque),
}

/// `None` for an item of an unknown kind or with nothing in it.
pub fn read(item: &Value) -> Option<Detail> {
    let text_of = |name: &str| {
        item.get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let owned = |name: &str| text_of(name).unwrap_or_default().to_owned();
    let detail = match text_of("type")? {
        "reasoning.text" => Detail::Text {
            text: owned("text"),
            opaque: text_of("signature").map(|s| opaque(item, s)),
        },
        "reasoning.summary" => Detail::Text {
            text: owned("summary"),
            opaque: None,
        },
        "reasoning.encrypted" => Detail::Redacted(opaque(item, text_of("data")?)),
        "thinking" => Detail::Text {
            text: owned("thinking"),
            opaque: text_of("signature").map(anthropic),
        },
        "redacted_thinking" => Detail::Redacted(anthropic(text_of("data")?)),
        _ => return None,
    };
    match &detail {
        Detail::Text { text, opaque: None } if text.is_empty() => None,
        _ => Some(detail),
    }
}

/// The item for a signature over `text`.
pub fn signed(opaque: &Opaque, text: &str, index: usize) -> Value {
    match opaque.issuer {
        Dialect::AnthropicMessages => json!({
            "type": "reasoning.text",
            "text": text,
            "signature": opaque.payload,
            "format": ANTHROPIC_FORMAT,
            "index": index,
        }),
        Dialect::OpenAiChat => kept(opaque, index),
        _ => json!({
            "type": "reasoning.text",
            "text": text,
            "signature": envelope::wrap(opaque, Subject::Reasoning),
            "index": index,
        }),
    }
}

/// The item for reasoning that nobody but its issuer can read.
pub fn encrypted(opaque: &Opaque, index: usize) -> Value {
    match opaque.issuer {
        Dialect::AnthropicMessages => json!({
            "type": "reasoning.encrypted",
            "data": opaque.payload,
            "format": ANTHROPIC_FORMAT,
            "index": index,
        }),
        Dialect::OpenAiChat => kept(opaque, index),
        _ => json!({
            "type": "reasoning.encrypted",
            "data": envelope::wrap(opaque, Subject::Redacted),
            "index": index,
        }),
    }
}

fn opaque(item: &Value, payload: &str) -> Opaque {
    if let Some((opaque, _)) = envelope::unwrap(payload) {
        return opaque;
    }
    match item.get("format").and_then(Value::as_str) {
        Some(ANTHROPIC_FORMAT) => anthropic(payload),
        _ => Opaque {
            issuer: Dialect::OpenAiChat,
            payload: item.to_string(),
        },
    }
}

fn anthropic(payload: &str) -> Opaque {
    Opaque {
        issuer: Dialect::AnthropicMessages,
        payload: payload.to_owned(),
    }
}

fn kept(opaque: &Opaque, index: usize) -> Value {
    match serde_json::from_str::<Value>(&opaque.payload) {
        Ok(item) if item.is_object() => item,
        _ => json!({"type": "reasoning.encrypted", "data": opaque.payload, "index": index}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_goes_through_a_client_and_keeps_its_issuer() {
        let signature = anthropic("SIG");
        let expected = Detail::Text {
            text: "why".to_owned(),
            opaque: Some(signature.clone()),
        };
        assert_eq!(read(&signed(&signature, "why", 0)), Some(expected));
        assert_eq!(read(&encrypted(&signature, 0)), Some(Detail::Redacted(signature)));
    }

    #[test]
    fn an_item_of_another_vendor_is_kept_whole() {
        let item = json!({"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1", "id": "rs_1"});
        let Some(Detail::Redacted(opaque)) = read(&item) else {
            panic!("not kept")
        };
        assert_eq!(opaque.issuer, Dialect::OpenAiChat);
        assert_eq!(encrypted(&opaque, 7), item);
    }

    #[test]
    fn an_item_that_says_nothing_is_skipped() {
        assert_eq!(
            read(&json!({"type": "reasoning.text", "text": "", "signature": null})),
            None
        );
        assert_eq!(read(&json!({"type": "reasoning.encrypted"})), None);
        assert_eq!(read(&json!("text")), None);
    }
}
