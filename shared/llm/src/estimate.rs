//! How many tokens a request has, where nobody is there to count them.
//!
//! Every dialect keeps its prompt under a few names of its own, and no two dialects use one name differently, so
//! one walk serves them all. The numbers are rules of thumb: four characters of text a token, six of a tool's
//! schema, whose words are short and whose punctuation is regular, and a flat rate for an image.

use crate::error::DecodeError;
use serde_json::error::Category;
use serde_json::{Map, Value};

const CHARS_PER_TOKEN: u64 = 4;
const SCHEMA_CHARS_PER_TOKEN: u64 = 6;
/// What vendors charge for an image of common size.
const TOKENS_PER_MEDIA: u64 = 1600;

/// Where prompts are, in any dialect.
const PROMPTS: [&str; 7] = [
    "messages",
    "system",
    "input",
    "instructions",
    "contents",
    "systemInstruction",
    "system_instruction",
];
/// Parts that are a picture, a document or a sound.
const MEDIA_TYPES: [&str; 8] = [
    "audio",
    "document",
    "file",
    "image",
    "image_url",
    "input_audio",
    "input_file",
    "input_image",
];
const MEDIA_MEMBERS: [&str; 4] = ["inlineData", "inline_data", "fileData", "file_data"];
/// Members whose whole JSON text the model sees.
const STRUCTURED: [&str; 4] = ["input", "args", "arguments", "response"];
/// Members that steer the request and are no text for the model.
const LABELS: [&str; 16] = [
    "annotations",
    "cache_control",
    "call_id",
    "data",
    "detail",
    "encrypted_content",
    "id",
    "media_type",
    "mimeType",
    "role",
    "signature",
    "status",
    "thoughtSignature",
    "tool_call_id",
    "tool_use_id",
    "type",
];

#[derive(Default)]
struct Count {
    chars: u64,
    schema_chars: u64,
    media: u64,
}

// === impl Count ===

impl Count {
    fn request(&mut self, request: &Map<String, Value>) {
        for (name, value) in request {
            match name.as_str() {
                "tools" | "functions" => self.schema_chars += json_chars(value),
                // Gemini's `countTokens` takes a whole request as well as its parts
                "generateContentRequest" | "generate_content_request" => {
                    value
                        .as_object()
                        .into_iter()
                        .for_each(|inner| self.request(inner));
                }
                name if PROMPTS.contains(&name) => self.text(value),
                _ => {}
            }
        }
    }

    fn text(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.chars += text.chars().count() as u64,
            Value::Array(items) => items.iter().for_each(|item| self.text(item)),
            Value::Object(object) => self.object(object),
            _ => {}
        }
    }

    fn object(&mut self, object: &Map<String, Value>) {
        if let Some(text) = written_document(object) {
            return self.text(text);
        }
        if is_media(object) {
            self.media += 1;
            return;
        }
        for (name, value) in object {
            match (name.as_str(), value) {
                ("images", Value::Array(images)) => self.media += images.len() as u64,
                (name, Value::Object(_)) if STRUCTURED.contains(&name) => self.chars += json_chars(value),
                (name, _) if LABELS.contains(&name) => {}
                _ => self.text(value),
            }
        }
    }

    fn tokens(&self) -> u64 {
        self.chars.div_ceil(CHARS_PER_TOKEN)
            + self.schema_chars.div_ceil(SCHEMA_CHARS_PER_TOKEN)
            + self.media * TOKENS_PER_MEDIA
    }
}

/// The input tokens of a request in any dialect. A request without a prompt has none.
pub fn input_tokens(body: &[u8]) -> Result<u64, DecodeError> {
    let request: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| match error.classify() {
            Category::Data => DecodeError::new("request body must be a JSON object"),
            _ => DecodeError::new(format!("Invalid JSON body: {error}")),
        })?;
    for name in ["messages", "contents"] {
        let legible = match request.get(name) {
            None => true,
            Some(Value::Array(turns)) => turns.iter().all(Value::is_object),
            // Gemini's SDKs may send a single turn or a bare string
            Some(value) => name == "contents" && !value.is_null(),
        };
        if !legible {
            return Err(DecodeError::at(
                name,
                format!("{name} must be an array of objects"),
            ));
        }
    }
    let mut count = Count::default();
    count.request(&request);
    Ok(count.tokens())
}

/// A document that was sent as text is text.
fn written_document(object: &Map<String, Value>) -> Option<&Value> {
    let source = object.get("source")?;
    match source.get("type")?.as_str()? {
        "text" => source.get("data"),
        "content" => source.get("content"),
        _ => None,
    }
}

fn is_media(object: &Map<String, Value>) -> bool {
    let kind = object.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| MEDIA_TYPES.contains(&kind))
        || MEDIA_MEMBERS.iter().any(|name| object.contains_key(*name))
}

fn json_chars(value: &Value) -> u64 {
    value.to_string().chars().count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_prompt_is_counted_in_every_dialect() {
        let text = "x".repeat(40);
        let blocks = json!([{"type": "text", "text": text}]);
        for body in [
            json!({"messages": [{"role": "user", "content": text}]}),
            json!({"messages": [{"role": "user", "content": blocks}]}),
            json!({"system": blocks, "messages": []}),
            json!({"input": text, "model": "some-model"}),
            json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": text}]}]}),
            json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
            json!({"generateContentRequest": {"contents": [{"parts": [{"text": text}]}]}}),
            json!({"messages": [{"role": "user", "content": [
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}},
            ]}]}),
        ] {
            assert_eq!(input_tokens(body.to_string().as_bytes()).unwrap(), 10, "{body}");
        }
    }

    #[test]
    fn an_image_has_a_flat_rate_however_large_it_is() {
        let data = "A".repeat(100_000);
        for body in [
            json!({"messages": [{"content": [{"type": "image", "source": {"type": "base64", "data": data}}]}]}),
            json!({"messages": [{"content": [{"type": "image_url", "image_url": {"url": data}}]}]}),
            json!({"messages": [{"content": "", "images": [data]}]}),
            json!({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": data}}]}]}),
        ] {
            assert_eq!(input_tokens(body.to_string().as_bytes()).unwrap(), 1600, "{body}");
        }
    }

    #[test]
    fn tools_and_their_calls_count() {
        let tools = json!({"tools": [{"name": "look", "input_schema": {"type": "object"}}]});
        let call = json!({"messages": [{"role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"place": "here"}},
        ]}]});
        let result = json!({"messages": [{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "nothing there"},
        ]}]});
        for body in [tools, call, result] {
            assert!(input_tokens(body.to_string().as_bytes()).unwrap() > 3, "{body}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused_and_an_empty_one_is_empty() {
        assert_eq!(input_tokens(b"{}").unwrap(), 0);
        assert_eq!(input_tokens(br#"{"messages":[]}"#).unwrap(), 0);
        for body in [
            "",
            "null",
            "[]",
            r#"{"messages":[null]}"#,
            r#"{"messages":"hi"}"#,
            r#"{"contents":null}"#,
        ] {
            assert!(input_tokens(body.as_bytes()).is_err(), "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_get_an_answer(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = input_tokens(&body);
        }
    }
}
