//! SiliconFlow.

use crate::provider::{ModelSpec, ProviderSpec};

pub static SILICONFLOW: ProviderSpec = ProviderSpec {
    id: "siliconflow",
    alias: "siliconflow",
    name: "SiliconFlow",
    base_url: "https://api.siliconflow.com/v1",
    models: &[
        ModelSpec::new("deepseek-ai/DeepSeek-V3.2", "DeepSeek V3.2"),
        ModelSpec::new("deepseek-ai/DeepSeek-V3.1", "DeepSeek V3.1"),
        ModelSpec::new("deepseek-ai/DeepSeek-R1", "DeepSeek R1"),
        ModelSpec::new("Qwen/Qwen3-235B-A22B-Instruct-2507", "Qwen3 235B"),
        ModelSpec::new("Qwen/Qwen3-Coder-480B-A35B-Instruct", "Qwen3 Coder 480B"),
        ModelSpec::new("Qwen/Qwen3-32B", "Qwen3 32B"),
        ModelSpec::new("moonshotai/Kimi-K2.5", "Kimi K2.5"),
        ModelSpec::new("zai-org/GLM-4.7", "GLM 4.7"),
        ModelSpec::new("openai/gpt-oss-120b", "GPT OSS 120B"),
        ModelSpec::new("baidu/ERNIE-4.5-300B-A47B", "ERNIE 4.5 300B"),
    ],
    ..ProviderSpec::openai_chat()
};
