//! What a client asks, in the words of its own dialect, one feature at a time.

mod anthropic_messages;
mod gemini;
mod ollama_chat;
mod openai_chat;
mod openai_responses;

use llm::Dialect;
use serde_json::{Value, json};

/// A PNG of one pixel.
pub const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    Plain,
    MultiTurn,
    System,
    Tools,
    ParallelTools,
    Image,
    SignedReasoning,
    JsonSchema,
    Stop,
    Length,
    CachedUsage,
    SplitEmoji,
}

impl Feature {
    pub const ALL: [Self; 12] = [
        Self::Plain,
        Self::MultiTurn,
        Self::System,
        Self::Tools,
        Self::ParallelTools,
        Self::Image,
        Self::SignedReasoning,
        Self::JsonSchema,
        Self::Stop,
        Self::Length,
        Self::CachedUsage,
        Self::SplitEmoji,
    ];
}

/// A request of the dialect that uses the feature.
pub fn body(client: Dialect, feature: Feature, stream: bool) -> Value {
    let mut body = match client {
        Dialect::OpenAiChat => openai_chat::body(feature),
        Dialect::OpenAiResponses => openai_responses::body(feature),
        Dialect::AnthropicMessages => anthropic_messages::body(feature),
        Dialect::Gemini => return gemini::body(feature),
        Dialect::OllamaChat => ollama_chat::body(feature),
        // nobody asks in it
        Dialect::BedrockConverse => return Value::Null,
    };
    body["model"] = json!("m");
    body["stream"] = json!(stream);
    if client == Dialect::OpenAiChat && stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

/// The schema of the tools, and of the answer.
fn schema() -> Value {
    json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false})
}
