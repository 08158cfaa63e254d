//! Mistral.

use crate::caps::StreamUsage;
use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};

pub static MISTRAL: ProviderSpec = ProviderSpec {
    id: "mistral",
    alias: "mistral",
    name: "Mistral",
    base_url: "https://api.mistral.ai/v1",
    services: &[
        Service {
            kind: Kind::Embedding,
            path: "/embeddings",
            models: &["mistral-embed"],
            dimensions: &[("mistral-embed", 1024)],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Transcription,
            path: "/audio/transcriptions",
            models: &["voxtral-mini-latest"],
            ..Service::OPENAI
        },
    ],
    models: &[
        ModelSpec::new("mistral-large-latest", "Mistral Large 3"),
        ModelSpec::new("codestral-latest", "Codestral"),
        ModelSpec::new("mistral-medium-latest", "Mistral Medium 3"),
    ],
    // its API refuses stream_options.include_usage as an extra input, and reports usage in the last chunk
    stream_usage: StreamUsage::Always,
    ..ProviderSpec::openai_chat()
};
