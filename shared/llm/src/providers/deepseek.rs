//! DeepSeek.

use crate::provider::{ModelSpec, ProviderSpec};

pub static DEEPSEEK: ProviderSpec = ProviderSpec {
    id: "deepseek",
    alias: "ds",
    name: "DeepSeek",
    base_url: "https://api.deepseek.com/v1",
    models: &[
        ModelSpec::new("deepseek-chat", "DeepSeek V3.2 Chat"),
        ModelSpec::new("deepseek-reasoner", "DeepSeek V3.2 Reasoner"),
    ],
    ..ProviderSpec::openai_chat()
};
