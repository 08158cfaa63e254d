//! Fireworks AI.

use crate::provider::{ModelSpec, ProviderSpec};

pub static FIREWORKS: ProviderSpec = ProviderSpec {
    id: "fireworks",
    alias: "fireworks",
    name: "Fireworks AI",
    base_url: "https://api.fireworks.ai/inference/v1",
    embeddings_path: Some("/embeddings"),
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
