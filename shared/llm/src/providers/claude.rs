//! Claude accounts: Anthropic's API, called with the access token of an account that signed in.

use crate::provider::{AuthScheme, AuthType, ModelSpec, ProviderSpec};

pub static CLAUDE: ProviderSpec = ProviderSpec {
    id: "claude",
    alias: "cc",
    name: "Claude accounts",
    base_url: "https://api.anthropic.com/v1",
    models_path: Some("/models"),
    auth: AuthScheme::Bearer,
    // without it the API takes no access token: the vendor's Python SDK 2.13, lib/credentials
    headers: &[("anthropic-beta", "oauth-2025-04-20")],
    auth_type: AuthType::OAuth,
    models: &[
        ModelSpec::new("claude-opus-4-6", "Claude Opus 4.6"),
        ModelSpec::new("claude-opus-4-5-20251101", "Claude Opus 4.5"),
        ModelSpec::new("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5"),
        ModelSpec::new("claude-haiku-4-5-20251001", "Claude Haiku 4.5"),
    ],
    ..ProviderSpec::anthropic_messages()
};
