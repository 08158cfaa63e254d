//! What a client of a dialect may be sent, written down a second time: transition tables that share no code with
//! the encoders. A stream is accepted only to its last byte.

mod anthropic_messages;
mod gemini;
mod ollama_chat;
mod openai_chat;
mod openai_responses;
mod sse;

use llm::{Dialect, Framing};
use serde_json::Value;

/// How a stream came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With the dialect's own last word.
    Complete,
    /// With one error of the dialect.
    Failed,
}

type Verdict = Result<End, String>;

const NOBODY: &str = "no client speaks it";

/// Whether these bytes are a stream of the dialect. `usage` says whether an OpenAI client asked for usage.
pub fn stream(dialect: Dialect, framing: Framing, usage: bool, bytes: &[u8]) -> Verdict {
    let verdict = match dialect {
        Dialect::OpenAiChat => openai_chat::stream(bytes, usage),
        Dialect::OpenAiResponses => openai_responses::stream(bytes),
        Dialect::AnthropicMessages => anthropic_messages::stream(bytes),
        Dialect::Gemini => gemini::stream(bytes, framing),
        Dialect::OllamaChat => ollama_chat::stream(bytes),
        Dialect::BedrockConverse => Err(NOBODY.to_owned()),
    };
    verdict.map_err(|why| {
        format!(
            "no stream of {dialect}: {why}\n{}",
            String::from_utf8_lossy(bytes)
        )
    })
}

/// Whether this body is a whole reply of the dialect.
pub fn reply(dialect: Dialect, body: &[u8]) -> Result<(), String> {
    let wrong = |why| format!("no reply of {dialect}: {why}\n{}", String::from_utf8_lossy(body));
    let reply: Value = serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?;
    let verdict = match dialect {
        Dialect::OpenAiChat => openai_chat::reply(&reply),
        Dialect::OpenAiResponses => openai_responses::reply(&reply),
        Dialect::AnthropicMessages => anthropic_messages::reply(&reply),
        Dialect::Gemini => gemini::reply(&reply),
        Dialect::OllamaChat => ollama_chat::reply(&reply),
        Dialect::BedrockConverse => Err(NOBODY.to_owned()),
    };
    verdict.map_err(wrong)
}

// === functions ===

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value[key]
        .as_str()
        .ok_or_else(|| format!("{key} is no string in {value}"))
}

fn named<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    let name = text(value, key)?;
    ensure(!name.is_empty(), || format!("{key} is empty in {value}"))?;
    Ok(name)
}

fn number(value: &Value, key: &str) -> Result<u64, String> {
    value[key]
        .as_u64()
        .ok_or_else(|| format!("{key} is no number in {value}"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a [Value], String> {
    let list = value[key].as_array().map(Vec::as_slice);
    list.ok_or_else(|| format!("{key} is no list in {value}"))
}

fn is_object(json: &str) -> bool {
    serde_json::from_str::<Value>(json).is_ok_and(|value| value.is_object())
}
