//! Templates of endpoints that users add themselves: the dialect is known, the address is theirs.

use crate::kind::Kind;
use crate::provider::{AuthScheme, ProviderSpec, Service};
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
/// A server that is known for Responses need not have what came before conversations.
const RESPONSES_SERVICES: &[Service] = OPENAI_SERVICES.split_at(1).1;
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
/// The classic API of Azure has no moderations and no reranking.
const AZURE_SERVICES: &[Service] = &[
    service(Kind::Embedding, "/openai/v1/embeddings"),
    service(Kind::Image, "/openai/v1/images/generations"),
    service(Kind::ImageEdit, "/openai/v1/images/edits"),
    service(Kind::Speech, "/openai/v1/audio/speech"),
    service(Kind::Transcription, "/openai/v1/audio/transcriptions"),
    service(Kind::Translation, "/openai/v1/audio/translations"),
];
/// The endpoints that `AzureOpenAI` of OpenAI's Python SDK 3.57 puts behind a deployment.
const AZURE_DEPLOYMENTS: &[Service] = &[
    service(Kind::Embedding, "/openai/deployments/{modelId}/embeddings"),
    service(Kind::Image, "/openai/deployments/{modelId}/images/generations"),
    service(Kind::ImageEdit, "/openai/deployments/{modelId}/images/edits"),
    service(Kind::Speech, "/openai/deployments/{modelId}/audio/speech"),
    service(
        Kind::Transcription,
        "/openai/deployments/{modelId}/audio/transcriptions",
    ),
    service(
        Kind::Translation,
        "/openai/deployments/{modelId}/audio/translations",
    ),
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
    services: RESPONSES_SERVICES,
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

/// What all ways to ask Azure have in common. A model is a deployment of the resource's.
const fn azure(spec: ProviderSpec) -> ProviderSpec {
    ProviderSpec {
        id: "azure-compatible",
        alias: "azure-compatible",
        // it lists what could be deployed, not what is
        models_path: None,
        check_path: Some("/openai/v1/models"),
        count_path: None,
        services: AZURE_SERVICES,
        auth: AuthScheme::Header("api-key"),
        credential_hint: "KEY 1 or KEY 2 of the resource, under \"Keys and Endpoint\" in the Azure portal.",
        api_version: Some(""),
        paths_begin: "/openai",
        ..spec
    }
}

static AZURE_CHAT: ProviderSpec = ProviderSpec {
    name: "Azure OpenAI",
    chat_path: "/openai/v1/chat/completions",
    ..azure(ProviderSpec::openai_chat())
};

static AZURE_RESPONSES: ProviderSpec = ProviderSpec {
    name: "Azure OpenAI (Responses)",
    chat_path: "/openai/v1/responses",
    ..azure(ProviderSpec::openai_responses())
};

/// The API with a dated version, whose newest that is no preview is the default.
static AZURE_CLASSIC: ProviderSpec = ProviderSpec {
    name: "Azure OpenAI (deployments)",
    chat_path: "/openai/deployments/{modelId}/chat/completions",
    check_path: Some("/openai/models"),
    services: AZURE_DEPLOYMENTS,
    api_version: Some("2024-10-21"),
    ..azure(ProviderSpec::openai_chat())
};

static BEDROCK: ProviderSpec = ProviderSpec {
    id: "bedrock-compatible",
    alias: "bedrock-compatible",
    name: "Amazon Bedrock at another address",
    credential_hint: super::bedrock::BEDROCK.credential_hint,
    ..ProviderSpec::bedrock_converse()
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
        ("azure-compatible", "chat") => Some(&AZURE_CHAT),
        ("azure-compatible", "responses") => Some(&AZURE_RESPONSES),
        ("azure-compatible", "deployments") => Some(&AZURE_CLASSIC),
        ("bedrock-compatible", _) => Some(&BEDROCK),
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
            ("azure-compatible", "chat", Some(Dialect::OpenAiChat)),
            ("azure-compatible", "responses", Some(Dialect::OpenAiResponses)),
            ("azure-compatible", "deployments", Some(Dialect::OpenAiChat)),
            ("azure-compatible", "", None),
            ("bedrock-compatible", "", Some(Dialect::BedrockConverse)),
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
