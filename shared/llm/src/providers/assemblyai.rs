//! AssemblyAI: it listens.

use crate::kind::Kind;
use crate::provider::{AuthScheme, ProviderSpec, Service};
use crate::vendor::Words;

pub static ASSEMBLYAI: ProviderSpec = ProviderSpec {
    id: "assemblyai",
    alias: "aai",
    name: "AssemblyAI",
    base_url: "https://api.assemblyai.com/v2",
    chat_path: "",
    // the smallest thing that asks for a key
    models_path: Some("/transcript?limit=1"),
    auth: AuthScheme::Header("authorization"),
    services: &[Service {
        kind: Kind::Transcription,
        path: "/upload",
        models: &["universal-3-pro", "universal-2"],
        words: Words::AssemblyAi,
        ..Service::OPENAI
    }],
    ..ProviderSpec::openai_chat()
};
