//! Cline, with an API key of its console. <https://docs.cline.bot/api/getting-started>

use crate::provider::{ModelSpec, ProviderSpec};

pub static CLINE: ProviderSpec = ProviderSpec {
    id: "cline",
    alias: "cl",
    name: "Cline",
    base_url: "https://api.cline.bot/api/v1",
    // not documented
    models_path: None,
    models: &[
        ModelSpec::new("anthropic/claude-sonnet-4-20250514", "Claude Sonnet 4"),
        ModelSpec::new("anthropic/claude-opus-4-20250514", "Claude Opus 4"),
        ModelSpec::new("google/gemini-2.5-pro", "Gemini 2.5 Pro"),
        ModelSpec::new("google/gemini-2.5-flash", "Gemini 2.5 Flash"),
        ModelSpec::new("openai/gpt-4.1", "GPT-4.1"),
        ModelSpec::new("openai/o3", "o3"),
        ModelSpec::new("deepseek/deepseek-chat", "DeepSeek Chat"),
    ],
    ..ProviderSpec::openai_chat()
};
