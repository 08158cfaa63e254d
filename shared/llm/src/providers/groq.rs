//! Groq.

use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};

pub static GROQ: ProviderSpec = ProviderSpec {
    id: "groq",
    alias: "groq",
    name: "Groq",
    base_url: "https://api.groq.com/openai/v1",
    services: &[
        Service {
            kind: Kind::Transcription,
            path: "/audio/transcriptions",
            models: &["whisper-large-v3", "whisper-large-v3-turbo"],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Translation,
            path: "/audio/translations",
            models: &[],
            ..Service::OPENAI
        },
    ],
    models: &[
        ModelSpec::new("llama-3.3-70b-versatile", "Llama 3.3 70B"),
        ModelSpec::new(
            "meta-llama/llama-4-maverick-17b-128e-instruct",
            "Llama 4 Maverick",
        ),
        ModelSpec::new("qwen/qwen3-32b", "Qwen3 32B"),
        ModelSpec::new("openai/gpt-oss-120b", "GPT-OSS 120B"),
    ],
    ..ProviderSpec::openai_chat()
};
