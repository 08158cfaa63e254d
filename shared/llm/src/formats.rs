//! The registry of dialects: one folder and one line each.

pub mod anthropic_messages;
pub mod gemini;
pub mod ollama_chat;
pub mod openai_chat;
pub mod openai_responses;

use crate::dialect::Dialect;
use crate::format::Format;

/// Every dialect; tests iterate over it, so that a new one is held to the same laws.
pub static ALL: &[&dyn Format] = &[
    &openai_chat::OpenAiChat,
    &openai_responses::OpenAiResponses,
    &anthropic_messages::AnthropicMessages,
    &gemini::Gemini,
    &ollama_chat::OllamaChat,
];

pub fn of(dialect: Dialect) -> &'static dyn Format {
    match dialect {
        Dialect::OpenAiChat => &openai_chat::OpenAiChat,
        Dialect::OpenAiResponses => &openai_responses::OpenAiResponses,
        Dialect::Gemini => &gemini::Gemini,
        Dialect::AnthropicMessages => &anthropic_messages::AnthropicMessages,
        Dialect::OllamaChat => &ollama_chat::OllamaChat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_registered_under_its_own_dialect() {
        for format in ALL {
            assert_eq!(of(format.dialect()).dialect(), format.dialect());
        }
    }
}
