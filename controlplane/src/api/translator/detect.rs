//! Which dialect a request is in, by what only that dialect writes. The endpoints of the gateway never guess; this is
//! for a page on which somebody pastes a request.

use llm::Dialect;
use serde_json::{Map, Value};

/// By its name, or by one that other programs use for it.
pub fn named(name: &str) -> Option<Dialect> {
    Dialect::named(name).or(match name {
        "openai" => Some(Dialect::OpenAiChat),
        "openai-responses" => Some(Dialect::OpenAiResponses),
        "claude" | "anthropic" => Some(Dialect::AnthropicMessages),
        "ollama" => Some(Dialect::OllamaChat),
        _ => None,
    })
}

/// Chat Completions, unless something says otherwise.
pub fn dialect(body: &Map<String, Value>) -> Dialect {
    let has = |name: &str| body.contains_key(name);
    if has("contents") || has("generationConfig") || has("systemInstruction") {
        return Dialect::Gemini;
    }
    if !has("messages") && (has("input") || has("previous_response_id") || has("instructions")) {
        return Dialect::OpenAiResponses;
    }
    if has("system") || has("anthropic_version") || has("stop_sequences") || has("thinking") {
        return Dialect::AnthropicMessages;
    }
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    if tools.clone().any(|tool| tool.get("input_schema").is_some()) {
        return Dialect::AnthropicMessages;
    }
    let messages: Vec<&Value> = body
        .get("messages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let blocks = messages
        .iter()
        .filter_map(|message| message.get("content")?.as_array())
        .flatten();
    let of_anthropic = |block: &Value| {
        let kind = block["type"].as_str().unwrap_or_default();
        matches!(kind, "tool_use" | "tool_result" | "thinking" | "document")
            || kind == "image" && block.get("source").is_some()
    };
    if blocks.into_iter().any(of_anthropic) {
        return Dialect::AnthropicMessages;
    }
    let pictures = messages.iter().any(|message| message.get("images").is_some());
    if has("options") || has("keep_alive") || has("format") || pictures {
        return Dialect::OllamaChat;
    }
    Dialect::OpenAiChat
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dialect_is_known_by_what_only_it_writes() {
        let message = json!([{ "role": "user", "content": "hi" }]);
        let with = |content: Value| json!({ "messages": [{ "role": "user", "content": [content] }] });
        for (body, expected) in [
            (json!({ "messages": message }), Dialect::OpenAiChat),
            (
                json!({ "messages": message, "max_tokens": 5 }),
                Dialect::OpenAiChat,
            ),
            (
                with(json!({ "type": "image_url", "image_url": { "url": "x" } })),
                Dialect::OpenAiChat,
            ),
            (json!({ "input": "hi" }), Dialect::OpenAiResponses),
            (
                json!({ "messages": message, "system": "be kind" }),
                Dialect::AnthropicMessages,
            ),
            (
                json!({ "messages": message, "tools": [{ "name": "f", "input_schema": {} }] }),
                Dialect::AnthropicMessages,
            ),
            (
                with(json!({ "type": "tool_result", "tool_use_id": "x" })),
                Dialect::AnthropicMessages,
            ),
            (
                json!({ "contents": [{ "parts": [{ "text": "hi" }] }] }),
                Dialect::Gemini,
            ),
            (
                json!({ "messages": message, "options": { "num_predict": 5 } }),
                Dialect::OllamaChat,
            ),
            (
                json!({ "messages": message, "keep_alive": "5m" }),
                Dialect::OllamaChat,
            ),
            (json!({}), Dialect::OpenAiChat),
        ] {
            assert_eq!(dialect(body.as_object().unwrap()), expected, "{body}");
        }
    }

    #[test]
    fn a_dialect_has_the_names_that_programs_use() {
        for dialect in Dialect::ALL {
            assert_eq!(named(dialect.name()), Some(dialect));
        }
        assert_eq!(named("claude"), Some(Dialect::AnthropicMessages));
        assert_eq!(named("soap"), None);
    }
}
