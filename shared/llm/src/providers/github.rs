//! GitHub Models, called with the token of a GitHub account that signed in.

use crate::kind::Kind;
use crate::provider::{AuthType, ModelSpec, ProviderSpec, Service};

pub static GITHUB: ProviderSpec = ProviderSpec {
    id: "github",
    alias: "gh",
    name: "GitHub Models",
    base_url: "https://models.github.ai",
    chat_path: "/inference/chat/completions",
    models_path: Some("/catalog/models"),
    auth_type: AuthType::OAuth,
    services: &[Service {
        kind: Kind::Embedding,
        path: "/inference/embeddings",
        models: &[],
        ..Service::OPENAI
    }],
    models: &[
        ModelSpec::new("openai/gpt-4.1", "GPT-4.1"),
        ModelSpec::new("openai/gpt-4o", "GPT-4o"),
        ModelSpec::new("openai/gpt-4o-mini", "GPT-4o Mini"),
    ],
    ..ProviderSpec::openai_chat()
};
