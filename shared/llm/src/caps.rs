//! What one upstream model accepts. Encoders ask this record and never look at model names.

mod catalogue;

use crate::dialect::Dialect;
use crate::request::SystemRole;
use crate::think_tags::ThinkTags;

#[derive(Debug, Clone, PartialEq)]
pub struct ModelCaps {
    /// The largest output the model accepts, when known.
    pub max_output: Option<u64>,
    pub max_tokens_key: MaxTokensKey,
    /// Whether temperature, top_p, top_k and the penalties are accepted at all.
    pub sampling_ok: bool,
    /// Whether temperature and top_p may both be sent.
    pub temp_and_top_p_ok: bool,
    pub thinking: ThinkingCaps,
    /// The role instructions are sent in, where the dialect has a choice.
    pub system_role: SystemRole,
    /// Whether a system message is legal in the middle of a conversation.
    pub mid_system: bool,
    /// Whether structured output by JSON schema is native.
    pub json_schema: bool,
    pub images: bool,
    /// Whether the upstream fetches an image by its address.
    pub image_urls: bool,
    /// The same for documents.
    pub file_urls: bool,
    pub pdf: bool,
    pub audio_input: bool,
    pub video: bool,
    /// Whether a tool result may contain images.
    pub tool_media: bool,
    /// Whether schemas must keep to the OpenAPI subset of JSON Schema.
    pub openapi_schema: bool,
    /// Whether structured output and tools may be combined.
    pub schema_with_tools: bool,
    /// Whether tools of the provider's own and functions may be combined.
    pub hosted_with_functions: bool,
    pub call_signatures: CallSignatures,
    /// Whether a tool may take free text instead of an object.
    pub custom_tools: bool,
    pub tool_name: WireName,
    pub tool_id: WireName,
    /// How many stop sequences; with 0 the gateway looks for them itself.
    pub max_stop: Option<usize>,
    /// The largest `n`.
    pub max_choices: u32,
    pub echo_reasoning: EchoReasoning,
    pub cache_marks: CacheMarks,
    /// Whether a reasoning effort and function tools may be combined.
    pub effort_with_tools: bool,
    pub model_fields: ModelFields,
    /// Whether the model goes on with a text where it is served, beside or instead of conversing. A property of the
    /// provider, so no name tells it.
    pub completions: bool,
    /// Whether thinking comes inside the text. A property of how a model is served, so no name tells it.
    pub think_tags: ThinkTags,
    /// The same goes for how usage comes to be in a stream.
    pub stream_usage: StreamUsage,
}

/// How an upstream of OpenAI's dialect reports usage in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamUsage {
    /// When `stream_options` asks for it.
    WhenAsked,
    /// By itself; it refuses to be asked.
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokensKey {
    MaxTokens,
    MaxCompletionTokens,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingCaps {
    None,
    /// Anthropic `enabled` with a budget only.
    Budget,
    /// Anthropic `enabled` with a budget, or `adaptive` with an effort.
    BudgetOrAdaptive,
    /// Anthropic `adaptive` only; a budget is refused.
    AdaptiveOnly,
    /// OpenAI `reasoning_effort`, one of these levels, ascending.
    Effort(&'static [&'static str]),
    /// Ollama `think`: on or off.
    Switch,
    /// Gemini `thinkingBudget`.
    BudgetWithin {
        least: u64,
        most: u64,
        can_be_off: bool,
    },
}

/// A rule for tool names or call ids on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireName {
    /// `[A-Za-z0-9_-]`, from 1 to this many.
    UpTo(usize),
    /// `[A-Za-z0-9]`, exactly this many.
    Exactly(usize),
    /// `[A-Za-z_][A-Za-z0-9_.:-]*`, up to this many.
    Identifier(usize),
}

/// Whether the model signs its tool calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallSignatures {
    /// It does not, and its API may refuse them.
    Never,
    Taken,
    /// It refuses a call of the current turn that came back without.
    Required,
}

/// Whether earlier reasoning text goes back to the upstream as `reasoning_content`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoReasoning {
    Never,
    /// On assistant messages that call tools.
    ToolTurns,
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheMarks {
    None,
    /// `cache_control` on content parts.
    CacheControl,
}

/// In whose words a model takes what Bedrock's Converse has no field for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelFields {
    None,
    /// Anthropic's: `thinking`, `top_k`.
    Anthropic,
    /// Amazon's own models: `inferenceConfig.topK`.
    Nova,
    /// OpenAI's: `reasoning_effort`.
    OpenAi,
}

// === impl ModelCaps ===

impl ModelCaps {
    /// The capabilities of a model reached over a dialect: what is safe for any server of that dialect, refined
    /// by what is known about the model. A vendor prefix (`openai/gpt-5`) is ignored.
    pub fn of(dialect: Dialect, model: &str) -> Self {
        let mut caps = match dialect {
            Dialect::OpenAiChat => Self::OPENAI_CHAT,
            Dialect::OpenAiResponses => Self::OPENAI_RESPONSES,
            Dialect::Gemini => Self::GEMINI,
            Dialect::OllamaChat => Self::OLLAMA_CHAT,
            Dialect::AnthropicMessages => Self::ANTHROPIC_MESSAGES,
            Dialect::BedrockConverse => Self::BEDROCK_CONVERSE,
        };
        catalogue::refine(&mut caps, dialect, model);
        caps
    }

    /// The same for an upstream that is known to send its thinking between tags.
    pub fn with_think_tags(self, think_tags: ThinkTags) -> Self {
        Self { think_tags, ..self }
    }

    /// The same where texts can be gone on with.
    pub fn with_completions(self, completions: bool) -> Self {
        Self { completions, ..self }
    }

    /// The same for an upstream that is known to report usage in its own way.
    pub fn with_stream_usage(self, stream_usage: StreamUsage) -> Self {
        Self { stream_usage, ..self }
    }

    const OPENAI_CHAT: Self = Self {
        max_output: None,
        max_tokens_key: MaxTokensKey::MaxTokens,
        sampling_ok: true,
        temp_and_top_p_ok: true,
        thinking: ThinkingCaps::None,
        system_role: SystemRole::System,
        mid_system: true,
        json_schema: true,
        images: true,
        image_urls: true,
        file_urls: false,
        pdf: true,
        audio_input: true,
        video: false,
        tool_media: false,
        openapi_schema: false,
        schema_with_tools: true,
        hosted_with_functions: true,
        call_signatures: CallSignatures::Never,
        custom_tools: false,
        tool_name: WireName::UpTo(64),
        tool_id: WireName::UpTo(64),
        max_stop: Some(4),
        max_choices: u32::MAX,
        echo_reasoning: EchoReasoning::Never,
        cache_marks: CacheMarks::None,
        effort_with_tools: true,
        model_fields: ModelFields::None,
        completions: false,
        think_tags: ThinkTags::Off,
        stream_usage: StreamUsage::WhenAsked,
    };

    /// Stop sequences are not a field of this API, so the gateway looks for them itself.
    const OPENAI_RESPONSES: Self = Self {
        system_role: SystemRole::Developer,
        file_urls: true,
        audio_input: false,
        tool_media: true,
        custom_tools: true,
        max_stop: Some(0),
        max_choices: 1,
        ..Self::OPENAI_CHAT
    };

    /// What the oldest models understand; the catalogue knows more of the newer ones.
    const GEMINI: Self = Self {
        mid_system: false,
        // of addresses only its own uploads are taken by every model
        image_urls: false,
        video: true,
        openapi_schema: true,
        schema_with_tools: false,
        hosted_with_functions: false,
        call_signatures: CallSignatures::Taken,
        tool_name: WireName::Identifier(64),
        max_stop: Some(5),
        max_choices: 8,
        ..Self::OPENAI_CHAT
    };

    /// The server fetches nothing, reads no documents, and gives one answer. Any number of stop sequences.
    const OLLAMA_CHAT: Self = Self {
        thinking: ThinkingCaps::Switch,
        image_urls: false,
        pdf: false,
        audio_input: false,
        max_stop: None,
        max_choices: 1,
        ..Self::OPENAI_CHAT
    };

    /// What every model behind this API is asked the same way. It fetches nothing; a file is not kept by it.
    const BEDROCK_CONVERSE: Self = Self {
        mid_system: false,
        json_schema: false,
        image_urls: false,
        audio_input: false,
        tool_media: true,
        max_stop: None,
        max_choices: 1,
        ..Self::OPENAI_CHAT
    };

    const ANTHROPIC_MESSAGES: Self = Self {
        max_output: None,
        max_tokens_key: MaxTokensKey::MaxTokens,
        sampling_ok: true,
        temp_and_top_p_ok: true,
        thinking: ThinkingCaps::Budget,
        system_role: SystemRole::System,
        mid_system: false,
        json_schema: false,
        images: true,
        image_urls: true,
        file_urls: true,
        pdf: true,
        audio_input: false,
        video: false,
        tool_media: true,
        openapi_schema: false,
        schema_with_tools: true,
        hosted_with_functions: true,
        call_signatures: CallSignatures::Never,
        custom_tools: false,
        tool_name: WireName::UpTo(128),
        tool_id: WireName::UpTo(64),
        max_stop: None,
        max_choices: 1,
        echo_reasoning: EchoReasoning::Never,
        cache_marks: CacheMarks::CacheControl,
        effort_with_tools: true,
        model_fields: ModelFields::None,
        completions: false,
        think_tags: ThinkTags::Off,
        stream_usage: StreamUsage::WhenAsked,
    };
}
