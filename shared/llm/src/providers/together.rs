//! Together AI.

use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};
use crate::think_tags::ThinkTags;

pub static TOGETHER: ProviderSpec = ProviderSpec {
    id: "together",
    alias: "together",
    name: "Together AI",
    base_url: "https://api.together.xyz/v1",
    services: &[
        Service {
            kind: Kind::Embedding,
            path: "/embeddings",
            models: &[
                "BAAI/bge-large-en-v1.5",
                "togethercomputer/m2-bert-80M-8k-retrieval",
            ],
            dimensions: &[
                ("BAAI/bge-large-en-v1.5", 1024),
                ("togethercomputer/m2-bert-80M-8k-retrieval", 768),
            ],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Image,
            path: "/images/generations",
            models: &[
                "black-forest-labs/FLUX.1.1-pro",
                "black-forest-labs/FLUX.1-schnell-Free",
                "stabilityai/stable-diffusion-xl-base-1.0",
            ],
            sizes: &["1024x1024", "512x512"],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Transcription,
            path: "/audio/transcriptions",
            models: &["openai/whisper-large-v3"],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Rerank,
            path: "/rerank",
            models: &["Salesforce/Llama-Rank-V2"],
            ..Service::OPENAI
        },
    ],
    models: &[
        ModelSpec::new("meta-llama/Llama-3.3-70B-Instruct-Turbo", "Llama 3.3 70B Turbo"),
        ModelSpec::new("deepseek-ai/DeepSeek-R1", "DeepSeek R1"),
        ModelSpec::new("Qwen/Qwen3-235B-A22B", "Qwen3 235B"),
        ModelSpec::new(
            "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8",
            "Llama 4 Maverick",
        ),
    ],
    // "DeepSeek R1" in the vendor's guide: the model thinks between <think> and </think>, in the content
    think_tags: &[("deepseek-ai/DeepSeek-R1", ThinkTags::Tagged)],
    ..ProviderSpec::openai_chat()
};
