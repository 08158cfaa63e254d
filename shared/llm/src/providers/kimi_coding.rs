//! Kimi for coding: a subscription, called with the access token of an account that signed in.

use crate::provider::{AuthType, ModelSpec, ProviderSpec};

pub static KIMI_CODING: ProviderSpec = ProviderSpec {
    id: "kimi-coding",
    alias: "kmc",
    name: "Kimi for coding",
    base_url: "https://api.kimi.com/coding/v1",
    models_path: Some("/models"),
    count_path: None,
    auth_type: AuthType::OAuth,
    models: &[
        ModelSpec::new("kimi-k2.5", "Kimi K2.5"),
        ModelSpec::new("kimi-k2.5-thinking", "Kimi K2.5 Thinking"),
        ModelSpec::new("kimi-latest", "Kimi Latest"),
    ],
    ..ProviderSpec::anthropic_messages()
};
