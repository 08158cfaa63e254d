//! Together AI.

use crate::provider::{ModelSpec, ProviderSpec};
use crate::think_tags::ThinkTags;

pub static TOGETHER: ProviderSpec = ProviderSpec {
    id: "together",
    alias: "together",
    name: "Together AI",
    base_url: "https://api.together.xyz/v1",
    embeddings_path: Some("/embeddings"),
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
