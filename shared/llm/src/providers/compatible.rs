//! Templates of endpoints that users add themselves: the dialect is known, the address is theirs.

use crate::provider::ProviderSpec;

static OPENAI_CHAT: ProviderSpec = ProviderSpec {
    id: "openai-compatible",
    alias: "openai-compatible",
    name: "OpenAI-compatible endpoint",
    ..ProviderSpec::openai_chat()
};

static ANTHROPIC: ProviderSpec = ProviderSpec {
    id: "anthropic-compatible",
    alias: "anthropic-compatible",
    name: "Anthropic-compatible endpoint",
    models_path: Some("/models"),
    ..ProviderSpec::anthropic_messages()
};

/// The template of a node type; `api_type` tells dialects of one type apart, and empty means the usual one.
/// `None` when nothing here speaks it.
pub fn compatible(node_type: &str, api_type: &str) -> Option<&'static ProviderSpec> {
    match (node_type, api_type) {
        ("openai-compatible", "" | "chat") => Some(&OPENAI_CHAT),
        ("anthropic-compatible", _) => Some(&ANTHROPIC),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    #[test]
    fn a_template_speaks_the_dialect_of_its_type() {
        for (node_type, api_type, dialect) in [
            ("openai-compatible", "chat", Some(Dialect::OpenAiChat)),
            ("openai-compatible", "", Some(Dialect::OpenAiChat)),
            ("openai-compatible", "responses", None),
            ("anthropic-compatible", "", Some(Dialect::AnthropicMessages)),
            ("carrier-pigeon", "", None),
        ] {
            assert_eq!(
                compatible(node_type, api_type).map(|spec| spec.dialect),
                dialect,
                "{node_type}/{api_type}"
            );
        }
    }
}
