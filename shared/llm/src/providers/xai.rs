//! xAI (Grok).

use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};

pub static XAI: ProviderSpec = ProviderSpec {
    id: "xai",
    alias: "xai",
    name: "xAI (Grok)",
    base_url: "https://api.x.ai/v1",
    services: &[Service {
        kind: Kind::Image,
        path: "/images/generations",
        models: &["grok-2-image-1212"],
        sizes: &["1024x1024"],
        ..Service::OPENAI
    }],
    models: &[
        ModelSpec::new("grok-4", "Grok 4"),
        ModelSpec::new("grok-4-fast-reasoning", "Grok 4 Fast Reasoning"),
        ModelSpec::new("grok-code-fast-1", "Grok Code Fast"),
        ModelSpec::new("grok-3", "Grok 3"),
    ],
    ..ProviderSpec::openai_chat()
};
