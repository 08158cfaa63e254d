//! Fireworks AI.

use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};

pub static FIREWORKS: ProviderSpec = ProviderSpec {
    id: "fireworks",
    alias: "fireworks",
    name: "Fireworks AI",
    base_url: "https://api.fireworks.ai/inference/v1",
    services: &[
        Service {
            kind: Kind::Embedding,
            path: "/embeddings",
            models: &["nomic-ai/nomic-embed-text-v1.5"],
            dimensions: &[("nomic-ai/nomic-embed-text-v1.5", 768)],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Image,
            path: "/images/generations",
            models: &[
                "accounts/fireworks/models/flux-1-dev-fp8",
                "accounts/fireworks/models/stable-diffusion-xl-1024-v1-0",
            ],
            sizes: &["1024x1024", "512x512"],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Rerank,
            path: "/rerank",
            models: &["accounts/fireworks/models/nomic-rerank-v1"],
            ..Service::OPENAI
        },
    ],
    models: &[
        ModelSpec::new("accounts/fireworks/models/deepseek-v3p1", "DeepSeek V3.1"),
        ModelSpec::new(
            "accounts/fireworks/models/llama-v3p3-70b-instruct",
            "Llama 3.3 70B",
        ),
        ModelSpec::new("accounts/fireworks/models/qwen3-235b-a22b", "Qwen3 235B"),
    ],
    ..ProviderSpec::openai_chat()
};
