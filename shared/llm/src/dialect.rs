//! The wire formats this crate speaks, on either side.

use std::fmt;

/// One wire format. The endpoint a client calls decides its dialect; a provider's registry entry decides the
/// upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI Chat Completions.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Anthropic Messages.
    AnthropicMessages,
    /// Gemini `generateContent` and `streamGenerateContent`.
    Gemini,
    /// Ollama's native `/api/chat`.
    OllamaChat,
    /// Amazon Bedrock's Converse and ConverseStream. Upstreams only: no client speaks it.
    BedrockConverse,
}

impl Dialect {
    pub const ALL: [Self; 6] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::OllamaChat,
        Self::BedrockConverse,
    ];

    /// The dialect of a stable name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// The stable name used in logs, metrics and usage events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
            Self::OllamaChat => "ollama_chat",
            Self::BedrockConverse => "bedrock_converse",
        }
    }

    /// Whether clients speak it, too, and not only upstreams.
    pub const fn is_for_clients(self) -> bool {
        !matches!(self, Self::BedrockConverse)
    }

    /// Whether a client that does not say gets a stream. Ollama's API documents `stream` as true by default.
    pub const fn streams_by_default(self) -> bool {
        matches!(self, Self::OllamaChat)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
