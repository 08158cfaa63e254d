//! MiniMax in China: the same service at another address.

use crate::provider::{ModelSpec, ProviderSpec};

pub static MINIMAX_CN: ProviderSpec = ProviderSpec {
    id: "minimax-cn",
    alias: "minimax-cn",
    name: "Minimax (China)",
    base_url: "https://api.minimaxi.com/anthropic/v1",
    chat_path: "/messages?beta=true",
    headers: &[("anthropic-beta", "interleaved-thinking-2025-05-14")],
    models: &[ModelSpec::new("MiniMax-M2.1", "MiniMax M2.1")],
    ..ProviderSpec::anthropic_messages()
};
