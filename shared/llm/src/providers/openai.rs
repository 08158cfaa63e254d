//! OpenAI.

use crate::kind::Kind;
use crate::provider::{ModelSpec, ProviderSpec, Service};

pub static OPENAI: ProviderSpec = ProviderSpec {
    id: "openai",
    alias: "openai",
    name: "OpenAI",
    base_url: "https://api.openai.com/v1",
    services: &[
        Service {
            kind: Kind::Completion,
            path: "/completions",
            models: &["gpt-3.5-turbo-instruct", "davinci-002", "babbage-002"],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Embedding,
            path: "/embeddings",
            models: &[
                "text-embedding-3-small",
                "text-embedding-3-large",
                "text-embedding-ada-002",
            ],
            dimensions: &[
                ("text-embedding-3-small", 1536),
                ("text-embedding-3-large", 3072),
                ("text-embedding-ada-002", 1536),
            ],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Image,
            path: "/images/generations",
            models: &["gpt-image-1", "dall-e-3", "dall-e-2"],
            sizes: &["1024x1024", "1024x1792", "1792x1024", "256x256", "512x512"],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::ImageEdit,
            path: "/images/edits",
            models: &[],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Moderation,
            path: "/moderations",
            models: &["omni-moderation-latest", "text-moderation-latest"],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Speech,
            path: "/audio/speech",
            models: &["tts-1", "tts-1-hd", "gpt-4o-mini-tts"],
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Transcription,
            path: "/audio/transcriptions",
            models: &["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"],
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
        ModelSpec::new("gpt-4o", "GPT-4o"),
        ModelSpec::new("gpt-4o-mini", "GPT-4o Mini"),
        ModelSpec::new("gpt-4-turbo", "GPT-4 Turbo"),
        ModelSpec::new("o1", "O1"),
        ModelSpec::new("o1-mini", "O1 Mini"),
    ],
    ..ProviderSpec::openai_chat()
};
