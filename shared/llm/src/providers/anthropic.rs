//! Anthropic.

use crate::provider::{ModelSpec, ProviderSpec};

pub static ANTHROPIC: ProviderSpec = ProviderSpec {
    id: "anthropic",
    alias: "anthropic",
    name: "Anthropic",
    base_url: "https://api.anthropic.com/v1",
    chat_path: "/messages?beta=true",
    models_path: Some("/models"),
    models: &[
        ModelSpec::new("claude-sonnet-4-20250514", "Claude Sonnet 4"),
        ModelSpec::new("claude-opus-4-20250514", "Claude Opus 4"),
        ModelSpec::new("claude-3-5-sonnet-20241022", "Claude 3.5 Sonnet"),
    ],
    ..ProviderSpec::anthropic_messages()
};
