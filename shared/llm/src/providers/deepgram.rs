//! Deepgram: it listens and speaks.

use crate::kind::Kind;
use crate::provider::{AuthScheme, ProviderSpec, Service};
use crate::vendor::Words;

pub static DEEPGRAM: ProviderSpec = ProviderSpec {
    id: "deepgram",
    alias: "dg",
    name: "Deepgram",
    base_url: "https://api.deepgram.com/v1",
    chat_path: "",
    // the smallest thing that asks for a key
    models_path: Some("/projects"),
    auth: AuthScheme::Word("Token"),
    services: &[
        Service {
            kind: Kind::Transcription,
            path: "/listen",
            models: &["nova-3", "nova-2", "whisper-large"],
            words: Words::DeepgramListen,
            ..Service::OPENAI
        },
        Service {
            kind: Kind::Speech,
            path: "/speak",
            models: &["aura-asteria-en", "aura-luna-en", "aura-stella-en"],
            words: Words::DeepgramSpeak,
            ..Service::OPENAI
        },
    ],
    ..ProviderSpec::openai_chat()
};
