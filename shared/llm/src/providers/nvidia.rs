//! NVIDIA NIM.

use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};
use crate::vendor::Words;

pub static NVIDIA: ProviderSpec = ProviderSpec {
    id: "nvidia",
    alias: "nvidia",
    name: "NVIDIA NIM",
    base_url: "https://integrate.api.nvidia.com/v1",
    services: &[
        Service {
            kind: Kind::Embedding,
            path: "/embeddings",
            models: &["nvidia/nv-embedqa-e5-v5"],
            dimensions: &[("nvidia/nv-embedqa-e5-v5", 1024)],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Rerank,
            path: "/ranking",
            models: &["nvidia/nv-rerankqa-mistral-4b-v3"],
            words: Words::NvidiaRanking,
            ..Service::OPENAI
        },
    ],
    models: &[
        ModelSpec::new("moonshotai/kimi-k2.5", "Kimi K2.5"),
        ModelSpec::new("z-ai/glm4.7", "GLM 4.7"),
        ModelSpec::new("deepseek-ai/deepseek-v3.2", "DeepSeek V3.2"),
        ModelSpec::new("nvidia/llama-3.3-70b-instruct", "Llama 3.3 70B"),
        ModelSpec::new("meta/llama-4-maverick-17b-128e-instruct", "Llama 4 Maverick"),
        ModelSpec::new("deepseek/deepseek-r1", "DeepSeek R1"),
    ],
    ..ProviderSpec::openai_chat()
};
