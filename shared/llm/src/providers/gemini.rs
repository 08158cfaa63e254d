//! Gemini, by the API of Google AI Studio.

use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};
use crate::vendor::Words;

/// Beside chat, by the names that clients of OpenAI have for it.
const SERVICES: &[Service] = &[
    Service {
        kind: Kind::Embedding,
        path: "/models/{model}:batchEmbedContents",
        models: &["gemini-embedding-001"],
        words: Words::GeminiEmbeddings,
        dimensions: &[("gemini-embedding-001", 3072)],
        ..Service::OPENAI
    },
    Service {
        kind: Kind::Image,
        path: "/models/{model}:generateContent",
        models: &["gemini-2.5-flash-image"],
        words: Words::GeminiImages,
        sizes: &["1024x1024"],
        ..Service::OPENAI
    },
];

pub static GEMINI: ProviderSpec = ProviderSpec {
    id: "gemini",
    alias: "gemini",
    name: "Gemini",
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    services: SERVICES,
    models: &[
        ModelSpec::new("gemini-3-pro-preview", "Gemini 3 Pro Preview"),
        ModelSpec::new("gemini-2.5-pro", "Gemini 2.5 Pro"),
        ModelSpec::new("gemini-2.5-flash", "Gemini 2.5 Flash"),
        ModelSpec::new("gemini-2.5-flash-lite", "Gemini 2.5 Flash Lite"),
    ],
    ..ProviderSpec::gemini()
};
