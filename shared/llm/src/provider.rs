//! Providers as data: who, where, and in which dialect. Code never asks which provider it is talking to.

use crate::dialect::Dialect;

/// One provider, or the template of a user-defined endpoint.
#[derive(Debug, Clone, Copy)]
pub struct ProviderSpec {
    pub id: &'static str,
    /// Short prefix of model names (`ds/deepseek-chat`).
    pub alias: &'static str,
    pub name: &'static str,
    pub dialect: Dialect,
    /// Without a trailing slash; empty for a template, whose address the user gives.
    pub base_url: &'static str,
    /// Appended to the base URL. `{model}` stands for the provider's model id, for dialects that carry it in the
    /// path instead of the body; see [`ProviderSpec::chat_path`].
    pub chat_path: &'static str,
    /// The same for a stream, where the dialect has another address for it; else empty.
    pub stream_path: &'static str,
    pub models_path: Option<&'static str>,
    pub auth: AuthScheme,
    /// Sent with every request, unless the dialect or the client says otherwise.
    pub headers: &'static [(&'static str, &'static str)],
    pub models: &'static [ModelSpec],
    pub auth_type: AuthType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// `Authorization: Bearer …`
    Bearer,
    /// The raw key in this header.
    Header(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthType {
    ApiKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSpec {
    pub id: &'static str,
    pub name: &'static str,
}

// === impl ProviderSpec ===

impl ProviderSpec {
    /// What most providers have in common: OpenAI's paths behind a bearer key. Files under `providers/` fill in
    /// the rest.
    pub(crate) const fn openai_chat() -> Self {
        Self {
            id: "",
            alias: "",
            name: "",
            dialect: Dialect::OpenAiChat,
            base_url: "",
            chat_path: "/chat/completions",
            stream_path: "",
            models_path: Some("/models"),
            auth: AuthScheme::Bearer,
            headers: &[],
            models: &[],
            auth_type: AuthType::ApiKey,
        }
    }

    /// Anthropic's paths behind its key header.
    pub(crate) const fn anthropic_messages() -> Self {
        Self {
            dialect: Dialect::AnthropicMessages,
            chat_path: "/messages",
            models_path: None,
            auth: AuthScheme::Header("x-api-key"),
            ..Self::openai_chat()
        }
    }

    /// The path of one request, for this model id.
    pub fn path_for(&self, model: &str, stream: bool) -> String {
        let path = match stream && !self.stream_path.is_empty() {
            true => self.stream_path,
            false => self.chat_path,
        };
        path.replace("{model}", model)
    }
}

// === impl ModelSpec ===

impl ModelSpec {
    pub(crate) const fn new(id: &'static str, name: &'static str) -> Self {
        Self { id, name }
    }
}
