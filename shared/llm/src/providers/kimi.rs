//! Kimi.

use crate::provider::{ModelSpec, ProviderSpec};

pub static KIMI: ProviderSpec = ProviderSpec {
    id: "kimi",
    alias: "kimi",
    name: "Kimi",
    base_url: "https://api.moonshot.ai/v1",
    models: &[
        ModelSpec::new("kimi-k2.5", "Kimi K2.5"),
        ModelSpec::new("kimi-k2.5-thinking", "Kimi K2.5 Thinking"),
        ModelSpec::new("kimi-latest", "Kimi Latest"),
    ],
    ..ProviderSpec::openai_chat()
};
