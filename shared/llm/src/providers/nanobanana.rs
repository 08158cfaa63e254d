//! NanoBanana API: it draws.

use crate::kind::Kind;
use crate::provider::{ProviderSpec, Service};
use crate::vendor::Words;

pub static NANOBANANA: ProviderSpec = ProviderSpec {
    id: "nanobanana",
    alias: "nb",
    name: "NanoBanana",
    base_url: "https://api.nanobananaapi.ai/api/v1",
    chat_path: "",
    // the smallest thing that asks for a key
    models_path: Some("/common/credit"),
    services: &[Service {
        kind: Kind::Image,
        path: "/nanobanana/generate",
        models: &["nanobanana-flash", "nanobanana-pro"],
        words: Words::NanoBanana,
        sizes: &["1024x1024"],
        ..Service::OPENAI
    }],
    ..ProviderSpec::openai_chat()
};
