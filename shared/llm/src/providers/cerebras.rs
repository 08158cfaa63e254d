//! Cerebras.

use crate::provider::{ModelSpec, ProviderSpec};

pub static CEREBRAS: ProviderSpec = ProviderSpec {
    id: "cerebras",
    alias: "cerebras",
    name: "Cerebras",
    base_url: "https://api.cerebras.ai/v1",
    models: &[
        ModelSpec::new("gpt-oss-120b", "GPT OSS 120B"),
        ModelSpec::new("zai-glm-4.7", "ZAI GLM 4.7"),
        ModelSpec::new("llama-3.3-70b", "Llama 3.3 70B"),
        ModelSpec::new("llama-4-scout-17b-16e-instruct", "Llama 4 Scout"),
        ModelSpec::new("qwen-3-235b-a22b-instruct-2507", "Qwen3 235B A22B"),
        ModelSpec::new("qwen-3-32b", "Qwen3 32B"),
    ],
    ..ProviderSpec::openai_chat()
};
