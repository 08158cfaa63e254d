//! Z.ai's coding plan, which speaks Anthropic Messages.

use crate::provider::{ModelSpec, ProviderSpec};

pub static GLM: ProviderSpec = ProviderSpec {
    id: "glm",
    alias: "glm",
    name: "GLM Coding",
    base_url: "https://api.z.ai/api/anthropic/v1",
    chat_path: "/messages?beta=true",
    headers: &[("anthropic-beta", "interleaved-thinking-2025-05-14")],
    models: &[
        ModelSpec::new("glm-4.7-flash", "GLM 4.7 Flash"),
        ModelSpec::new("glm-4.7", "GLM 4.7"),
        ModelSpec::new("glm-4.6v", "GLM 4.6V (Vision)"),
        ModelSpec::new("glm-4.6", "GLM 4.6"),
        ModelSpec::new("glm-4.5v", "GLM 4.5V (Vision)"),
        ModelSpec::new("glm-4.5", "GLM 4.5"),
        ModelSpec::new("glm-4.5-air", "GLM 4.5 Air"),
        ModelSpec::new("glm-4-32b", "GLM 4 32B"),
    ],
    ..ProviderSpec::anthropic_messages()
};
