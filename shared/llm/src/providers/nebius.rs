//! Nebius AI.

use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};

pub static NEBIUS: ProviderSpec = ProviderSpec {
    id: "nebius",
    alias: "nebius",
    name: "Nebius AI",
    base_url: "https://api.tokenfactory.nebius.com/v1",
    services: &[
        Service {
            kind: Kind::Embedding,
            path: "/embeddings",
            models: &["Qwen/Qwen3-Embedding-8B"],
            dimensions: &[("Qwen/Qwen3-Embedding-8B", 4096)],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Image,
            path: "/images/generations",
            models: &["black-forest-labs/flux-schnell", "black-forest-labs/flux-dev"],
            sizes: &["1024x1024", "512x512"],
            ..Service::OPENAI
        },
    ],
    models: &[ModelSpec::new(
        "meta-llama/Llama-3.3-70B-Instruct",
        "Llama 3.3 70B Instruct",
    )],
    ..ProviderSpec::openai_chat()
};
