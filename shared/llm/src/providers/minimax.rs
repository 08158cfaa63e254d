//! MiniMax, which speaks Anthropic Messages.

use crate::provider::{ModelSpec, ProviderSpec};

pub static MINIMAX: ProviderSpec = ProviderSpec {
    id: "minimax",
    alias: "minimax",
    name: "Minimax Coding",
    base_url: "https://api.minimax.io/anthropic/v1",
    chat_path: "/messages?beta=true",
    headers: &[("anthropic-beta", "interleaved-thinking-2025-05-14")],
    models: &[ModelSpec::new("MiniMax-M2.1", "MiniMax M2.1")],
    ..ProviderSpec::anthropic_messages()
};
