//! Nebius AI.

use crate::provider::{ModelSpec, ProviderSpec};

pub static NEBIUS: ProviderSpec = ProviderSpec {
    id: "nebius",
    alias: "nebius",
    name: "Nebius AI",
    base_url: "https://api.tokenfactory.nebius.com/v1",
    embeddings_path: Some("/embeddings"),
    models: &[ModelSpec::new(
        "meta-llama/Llama-3.3-70B-Instruct",
        "Llama 3.3 70B Instruct",
    )],
    ..ProviderSpec::openai_chat()
};
