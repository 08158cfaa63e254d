//! Qwen accounts, called with the access token of an account that signed in.

use crate::provider::{AuthType, ModelSpec, ProviderSpec};

pub static QWEN: ProviderSpec = ProviderSpec {
    id: "qwen",
    alias: "qw",
    name: "Qwen accounts",
    base_url: "https://portal.qwen.ai/v1",
    auth_type: AuthType::OAuth,
    models: &[
        ModelSpec::new("qwen3-coder-plus", "Qwen3 Coder Plus"),
        ModelSpec::new("qwen3-coder-flash", "Qwen3 Coder Flash"),
        ModelSpec::new("vision-model", "Qwen3 Vision Model"),
    ],
    ..ProviderSpec::openai_chat()
};
