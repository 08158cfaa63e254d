//! Anthropic's models on Google Cloud's Vertex AI. The model is in the address, and the API's version in the body.

use super::vertex::{CREDENTIAL, CREDENTIAL_HINT, REGIONS};
use crate::provider::{ModelSpec, Platform, ProviderSpec, Version};

/// As `AnthropicVertex` of the vendor's Python SDK 2.13 does it. The version of 2023 has a name of its own here.
const PLATFORM: Platform = Platform {
    in_address: "model",
    version: Version {
        header: "anthropic-version",
        member: "anthropic_version",
        names: &[("2023-06-01", "vertex-2023-10-16")],
    },
};

pub static VERTEX_ANTHROPIC: ProviderSpec = ProviderSpec {
    id: "vertex-anthropic",
    alias: "vertex-anthropic",
    name: "Claude on Vertex AI",
    base_url: "https://aiplatform.googleapis.com",
    chat_path: "/publishers/anthropic/models/{modelName}:rawPredict",
    stream_path: "/publishers/anthropic/models/{modelName}:streamRawPredict",
    count_path: Some("/publishers/anthropic/models/count-tokens:rawPredict"),
    auth: CREDENTIAL,
    credential_hint: CREDENTIAL_HINT,
    regions: Some(&REGIONS),
    platform: Some(&PLATFORM),
    models: &[
        ModelSpec::new("claude-haiku-4-5@20251001", "Claude Haiku 4.5"),
        ModelSpec::new("claude-sonnet-4-5@20250929", "Claude Sonnet 4.5"),
        ModelSpec::new("claude-opus-4-5@20251101", "Claude Opus 4.5"),
        ModelSpec::new("claude-opus-4-6", "Claude Opus 4.6"),
    ],
    ..ProviderSpec::anthropic_messages()
};
