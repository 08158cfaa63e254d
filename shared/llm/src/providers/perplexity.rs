//! Perplexity; it lists no models.

use crate::provider::{ModelSpec, ProviderSpec};

pub static PERPLEXITY: ProviderSpec = ProviderSpec {
    id: "perplexity",
    alias: "pplx",
    name: "Perplexity",
    base_url: "https://api.perplexity.ai",
    models_path: None,
    models: &[
        ModelSpec::new("sonar-pro", "Sonar Pro"),
        ModelSpec::new("sonar", "Sonar"),
    ],
    ..ProviderSpec::openai_chat()
};
