//! Cohere, through its OpenAI-compatible endpoint; the native one speaks another dialect.

use crate::provider::{ModelSpec, ProviderSpec};

pub static COHERE: ProviderSpec = ProviderSpec {
    id: "cohere",
    alias: "cohere",
    name: "Cohere",
    base_url: "https://api.cohere.ai/compatibility/v1",
    models: &[
        ModelSpec::new("command-r-plus-08-2024", "Command R+ (Aug 2024)"),
        ModelSpec::new("command-r-08-2024", "Command R (Aug 2024)"),
        ModelSpec::new("command-a-03-2025", "Command A (Mar 2025)"),
    ],
    ..ProviderSpec::openai_chat()
};
