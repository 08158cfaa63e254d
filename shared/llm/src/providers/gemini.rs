//! Gemini, by the API of Google AI Studio.

use crate::provider::{ModelSpec, ProviderSpec};

pub static GEMINI: ProviderSpec = ProviderSpec {
    id: "gemini",
    alias: "gemini",
    name: "Gemini",
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    models: &[
        ModelSpec::new("gemini-3-pro-preview", "Gemini 3 Pro Preview"),
        ModelSpec::new("gemini-2.5-pro", "Gemini 2.5 Pro"),
        ModelSpec::new("gemini-2.5-flash", "Gemini 2.5 Flash"),
        ModelSpec::new("gemini-2.5-flash-lite", "Gemini 2.5 Flash Lite"),
    ],
    ..ProviderSpec::gemini()
};
