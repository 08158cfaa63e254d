//! Templates of endpoints that users add themselves: the dialect is known, the address is theirs.

use crate::kind::Kind;
use crate::provider::{ProviderSpec, Service};
use crate::vendor::Words;

/// Whatever a server of OpenAI's API may offer; one that lacks it says so itself.
const OPENAI_SERVICES: &[Service] = &[
    service(Kind::Completion, "/completions"),
    service(Kind::Embedding, "/embeddings"),
    service(Kind::Image, "/images/generations"),
    service(Kind::Moderation, "/moderations"),
    service(Kind::Rerank, "/rerank"),
    service(Kind::Speech, "/audio/speech"),
    service(Kind::Transcription, "/audio/transcriptions"),
    service(Kind::Translation, "/audio/translations"),
    service(Kind::ImageEdit, "/images/edits"),
];
const OLLAMA_SERVICES: &[Service] = &[
    service(Kind::Completion, "/v1/completions"),
    service(Kind::Embedding, "/v1/embeddings"),
];

/// In the vendor's words; which models are there, the server says.
const GEMINI_SERVICES: &[Service] = &[
    Service {
        words: Words::GeminiEmbeddings,
        ..service(Kind::Embedding, "/models/{model}:batchEmbedContents")
    },
    Service {
        words: Words::GeminiImages,
        ..service(Kind::Image, "/models/{model}:generateContent")
    },
];

static OPENAI_CHAT: ProviderSpec = ProviderSpec {
    id: "openai-compatible",
    alias: "openai-compatible",
    name: "OpenAI-compatible endpoint",
    services: OPENAI_SERVICES,
    ..ProviderSpec::openai_chat()
};

static OPENAI_RESPONSES: ProviderSpec = ProviderSpec {
    id: "openai-compatible",
    alias: "openai-compatible",
    name: "OpenAI-compatible endpoint (Responses)",
    services: OPENAI_SERVICES,
    ..ProviderSpec::openai_responses()
};

static ANTHROPIC: ProviderSpec = ProviderSpec {
    id: "anthropic-compatible",
    alias: "anthropic-compatible",
    name: "Anthropic-compatible endpoint",
    models_path: Some("/models"),
    ..ProviderSpec::anthropic_messages()
};

static GEMINI: ProviderSpec = ProviderSpec {
    id: "gemini-compatible",
    alias: "gemini-compatible",
    name: "Gemini-compatible endpoint",
    services: GEMINI_SERVICES,
    ..ProviderSpec::gemini()
};

static OLLAMA: ProviderSpec = ProviderSpec {
    id: "ollama-compatible",
    alias: "ollama-compatible",
    name: "Ollama server",
    // beside its own dialect it speaks OpenAI's
    services: OLLAMA_SERVICES,
    ..ProviderSpec::ollama_chat()
};

const fn service(kind: Kind, path: &'static str) -> Service {
    Service {
        kind,
        path,
        models: &[],
        ..Service::OPENAI
    }
}

/// The template of a node type; `api_type` tells dialects of one type apart, and empty means the usual one.
/// `None` when nothing here speaks it.
pub fn compatible(node_type: &str, api_type: &str) -> Option<&'static ProviderSpec> {
    match (node_type, api_type) {
        ("openai-compatible", "" | "chat") => Some(&OPENAI_CHAT),
        ("openai-compatible", "responses") => Some(&OPENAI_RESPONSES),
        ("anthropic-compatible", _) => Some(&ANTHROPIC),
        ("gemini-compatible", _) => Some(&GEMINI),
        ("ollama-compatible", _) => Some(&OLLAMA),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    #[test]
    fn a_template_speaks_the_dialect_of_its_type() {
        for (node_type, api_type, dialect) in [
            ("openai-compatible", "chat", Some(Dialect::OpenAiChat)),
            ("openai-compatible", "", Some(Dialect::OpenAiChat)),
            ("openai-compatible", "responses", Some(Dialect::OpenAiResponses)),
            ("anthropic-compatible", "", Some(Dialect::AnthropicMessages)),
            ("gemini-compatible", "", Some(Dialect::Gemini)),
            ("ollama-compatible", "", Some(Dialect::OllamaChat)),
            ("openai-compatible", "soap", None),
            ("carrier-pigeon", "", None),
        ] {
            assert_eq!(
                compatible(node_type, api_type).map(|spec| spec.dialect),
                dialect,
                "{node_type}/{api_type}"
            );
        }
    }
}
