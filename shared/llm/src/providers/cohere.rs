//! Cohere, through its OpenAI-compatible endpoint; the native one speaks another dialect.

use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};

pub static COHERE: ProviderSpec = ProviderSpec {
    id: "cohere",
    alias: "cohere",
    name: "Cohere",
    base_url: "https://api.cohere.ai/compatibility/v1",
    services: &[
        // beside the compatible API, on the same host
        Service {
            kind: Kind::Rerank,
            path: "/../../v2/rerank",
            models: &["rerank-v3.5", "rerank-english-v3.0", "rerank-multilingual-v3.0"],
            ..Service::OPENAI
        },
    ],
    models: &[
        ModelSpec::new("command-r-plus-08-2024", "Command R+ (Aug 2024)"),
        ModelSpec::new("command-r-08-2024", "Command R (Aug 2024)"),
        ModelSpec::new("command-a-03-2025", "Command A (Mar 2025)"),
    ],
    ..ProviderSpec::openai_chat()
};
