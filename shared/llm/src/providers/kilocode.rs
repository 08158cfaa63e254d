//! Kilo Code's gateway, with an API key of its console. <https://kilo.ai/docs/gateway>

use crate::provider::{ModelSpec, ProviderSpec};

pub static KILOCODE: ProviderSpec = ProviderSpec {
    id: "kilocode",
    alias: "kc",
    name: "Kilo Code",
    base_url: "https://api.kilo.ai/api/gateway",
    models: &[
        ModelSpec::new("openrouter/free", "Free Models Router"),
        ModelSpec::new("qwen/qwen3-vl-235b-a22b-thinking", "Qwen3 VL 235B A22B Thinking"),
        ModelSpec::new(
            "qwen/qwen3-235b-a22b-thinking-2507",
            "Qwen3 235B A22B Thinking 2507",
        ),
        ModelSpec::new("qwen/qwen3-vl-30b-a3b-thinking", "Qwen3 VL 30B A3B Thinking"),
        ModelSpec::new("stepfun/step-3.5-flash:free", "StepFun Step 3.5 Flash"),
        ModelSpec::new(
            "arcee-ai/trinity-large-preview:free",
            "Arcee AI Trinity Large Preview",
        ),
        ModelSpec::new("openai/gpt-4o-mini", "GPT-4o Mini"),
        ModelSpec::new("openai/gpt-4.1-nano", "GPT-4.1 Nano"),
        ModelSpec::new("openai/gpt-5-nano", "GPT-5 Nano"),
        ModelSpec::new("openai/gpt-5-mini", "GPT-5 Mini"),
        ModelSpec::new("anthropic/claude-3-haiku", "Claude 3 Haiku"),
        ModelSpec::new("google/gemini-2.0-flash", "Gemini 2.0 Flash"),
        ModelSpec::new("google/gemini-2.5-flash-lite", "Gemini 2.5 Flash Lite"),
        ModelSpec::new("deepseek/deepseek-chat-v3.1", "DeepSeek V3.1"),
        ModelSpec::new("deepseek/deepseek-v3.2", "DeepSeek V3.2"),
        ModelSpec::new("meta-llama/llama-3.3-70b-instruct", "Llama 3.3 70B"),
        ModelSpec::new("meta-llama/llama-4-scout", "Llama 4 Scout"),
        ModelSpec::new("meta-llama/llama-4-maverick", "Llama 4 Maverick"),
        ModelSpec::new("qwen/qwen3-8b", "Qwen3 8B"),
        ModelSpec::new("qwen/qwen3-32b", "Qwen3 32B"),
        ModelSpec::new("qwen/qwen3-coder", "Qwen3 Coder 480B"),
        ModelSpec::new("qwen/qwq-32b", "QwQ 32B"),
        ModelSpec::new("mistralai/mistral-small-24b-instruct-2501", "Mistral Small 3"),
        ModelSpec::new("mistralai/mistral-7b-instruct", "Mistral 7B"),
        ModelSpec::new("x-ai/grok-code-fast-1", "Grok Code Fast 1"),
        ModelSpec::new("moonshotai/kimi-k2.5", "Kimi K2.5"),
    ],
    ..ProviderSpec::openai_chat()
};
