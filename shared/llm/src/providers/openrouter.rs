//! OpenRouter, which resells most models; `auto` lets it choose.

use crate::provider::{ModelSpec, ProviderSpec};

pub static OPENROUTER: ProviderSpec = ProviderSpec {
    id: "openrouter",
    alias: "openrouter",
    name: "OpenRouter",
    base_url: "https://openrouter.ai/api/v1",
    models: &[ModelSpec::new("auto", "Auto (Best Available)")],
    ..ProviderSpec::openai_chat()
};
