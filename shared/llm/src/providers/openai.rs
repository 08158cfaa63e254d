//! OpenAI.

use crate::provider::{ModelSpec, ProviderSpec};

pub static OPENAI: ProviderSpec = ProviderSpec {
    id: "openai",
    alias: "openai",
    name: "OpenAI",
    base_url: "https://api.openai.com/v1",
    embeddings_path: Some("/embeddings"),
    models: &[
        ModelSpec::new("gpt-4o", "GPT-4o"),
        ModelSpec::new("gpt-4o-mini", "GPT-4o Mini"),
        ModelSpec::new("gpt-4-turbo", "GPT-4 Turbo"),
        ModelSpec::new("o1", "O1"),
        ModelSpec::new("o1-mini", "O1 Mini"),
    ],
    ..ProviderSpec::openai_chat()
};
