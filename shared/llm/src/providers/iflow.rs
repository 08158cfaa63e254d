//! iFlow, with an API key of its console. <https://platform.iflow.cn/en/docs>

use crate::provider::{ModelSpec, ProviderSpec};

pub static IFLOW: ProviderSpec = ProviderSpec {
    id: "iflow",
    alias: "if",
    name: "iFlow",
    base_url: "https://apis.iflow.cn/v1",
    models: &[
        ModelSpec::new("qwen3-coder-plus", "Qwen3 Coder Plus"),
        ModelSpec::new("kimi-k2", "Kimi K2"),
        ModelSpec::new("kimi-k2-thinking", "Kimi K2 Thinking"),
        ModelSpec::new("kimi-k2.5", "Kimi K2.5"),
        ModelSpec::new("deepseek-r1", "DeepSeek R1"),
        ModelSpec::new("deepseek-v3.2-chat", "DeepSeek V3.2 Chat"),
        ModelSpec::new("deepseek-v3.2-reasoner", "DeepSeek V3.2 Reasoner"),
        ModelSpec::new("minimax-m2.1", "MiniMax M2.1"),
        ModelSpec::new("glm-4.7", "GLM 4.7"),
    ],
    ..ProviderSpec::openai_chat()
};
