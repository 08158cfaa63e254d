//! The registry of dialects: one folder and one line each.

pub mod anthropic_messages;
pub mod openai_chat;

use crate::dialect::Dialect;
use crate::format::Format;

/// Every dialect; tests iterate over it, so that a new one is held to the same laws.
pub static ALL: &[&dyn Format] = &[&openai_chat::OpenAiChat, &anthropic_messages::AnthropicMessages];

pub fn of(dialect: Dialect) -> &'static dyn Format {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Gemini | Dialect::OllamaChat => {
            &openai_chat::OpenAiChat
        }
        Dialect::AnthropicMessages => &anthropic_messages::AnthropicMessages,
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
