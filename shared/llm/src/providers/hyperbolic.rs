//! Hyperbolic.

use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};
use crate::vendor::Words;

pub static HYPERBOLIC: ProviderSpec = ProviderSpec {
    id: "hyperbolic",
    alias: "hyp",
    name: "Hyperbolic",
    base_url: "https://api.hyperbolic.xyz/v1",
    services: &[
        Service {
            kind: Kind::Image,
            path: "/image/generation",
            models: &["SDXL1.0-base", "SD2", "FLUX.1-dev"],
            words: Words::HyperbolicImages,
            sizes: &["1024x1024", "512x512"],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Speech,
            path: "/audio/generation",
            models: &["melo-tts"],
            words: Words::HyperbolicSpeech,
            ..Service::OPENAI
        },
    ],
    models: &[
        ModelSpec::new("Qwen/QwQ-32B", "QwQ 32B"),
        ModelSpec::new("deepseek-ai/DeepSeek-R1", "DeepSeek R1"),
        ModelSpec::new("deepseek-ai/DeepSeek-V3", "DeepSeek V3"),
        ModelSpec::new("meta-llama/Llama-3.3-70B-Instruct", "Llama 3.3 70B"),
        ModelSpec::new("meta-llama/Llama-3.2-3B-Instruct", "Llama 3.2 3B"),
        ModelSpec::new("Qwen/Qwen2.5-72B-Instruct", "Qwen 2.5 72B"),
        ModelSpec::new("Qwen/Qwen2.5-Coder-32B-Instruct", "Qwen 2.5 Coder 32B"),
        ModelSpec::new("NousResearch/Hermes-3-Llama-3.1-70B", "Hermes 3 70B"),
    ],
    ..ProviderSpec::openai_chat()
};
