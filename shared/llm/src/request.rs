//! The neutral chat request: what a client asked for, in no dialect.
//!
//! `Option` everywhere: absent and "explicitly the default" differ, and nothing here is ever invented. A message
//! is one ordered list of parts; encoders split it only where their wire format forces them to.

use crate::dialect::Dialect;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default)]
pub struct Request {
    pub model: String,
    pub stream: bool,
    /// The client asked for usage inside the stream (OpenAI `stream_options.include_usage`).
    pub include_usage: bool,
    /// The leading run of instructions. Text parts only; each may carry a cache mark.
    pub system: Vec<Part>,
    pub system_role: SystemRole,
    /// May contain mid-conversation system or developer messages, in place.
    pub messages: Vec<Message>,
    pub tools: Vec<Tool>,
    /// Which of the tools the client keeps in a namespace, by the name they have here.
    pub namespaces: BTreeMap<String, Namespaced>,
    pub tool_choice: ToolChoice,
    pub parallel_tools: Option<bool>,
    pub output: Output,
    pub verbosity: Option<String>,
    pub sampling: Sampling,
    pub stop: Vec<String>,
    pub max_output: Option<u64>,
    /// Number of top alternatives; `Some(0)` asks for log probabilities of the chosen tokens only.
    pub logprobs: Option<u8>,
    pub reasoning: Reasoning,
    pub prompt_cache_key: Option<String>,
    pub user: Option<String>,
    pub metadata: Map<String, Value>,
    pub service_tier: Option<String>,
    pub store: Option<bool>,
    /// Output modalities other than text that the client asked for.
    pub modalities: Vec<String>,
    /// Unknown top-level fields, kept under the dialect they came from and re-emitted only to it.
    pub extensions: BTreeMap<Dialect, Map<String, Value>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SystemRole {
    #[default]
    System,
    Developer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    System,
    Developer,
    User,
    Assistant,
    /// Only [`PartKind::ToolResult`] parts.
    Tool,
}

#[derive(Debug, Clone)]
pub struct Message {
    pub role: Role,
    pub parts: Vec<Part>,
    pub name: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Part {
    pub kind: PartKind,
    pub cache: Option<CacheMark>,
}

/// An Anthropic `cache_control` mark; `ttl` as the client wrote it (`5m`, `1h`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheMark {
    pub ttl: Option<String>,
}

#[derive(Debug, Clone)]
pub enum PartKind {
    Text {
        text: String,
        citations: Vec<Value>,
    },
    Image {
        source: MediaSource,
        mime: Option<String>,
        detail: Option<String>,
    },
    Audio {
        data: String,
        format: String,
    },
    File(File),
    ToolCall(ToolCall),
    ToolResult(ToolResult),
    Reasoning {
        text: String,
        opaque: Option<Opaque>,
    },
    RedactedReasoning(Opaque),
    Refusal(String),
    /// A block only its own dialect understands (server tools, container uploads, …).
    Native {
        dialect: Dialect,
        raw: Value,
    },
}

#[derive(Debug, Clone)]
pub enum MediaSource {
    Base64(String),
    Url(String),
    /// A file id is only meaningful to the dialect that issued it.
    FileId {
        id: String,
        issuer: Dialect,
    },
    Text(String),
}

/// A document: PDF or plain text.
#[derive(Debug, Clone)]
pub struct File {
    pub source: MediaSource,
    pub mime: Option<String>,
    pub filename: Option<String>,
    pub title: Option<String>,
    pub context: Option<String>,
    pub citations: Option<bool>,
}

#[derive(Debug, Clone)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: ToolArguments,
    /// A signature over the call: Gemini signs calls, and takes them back only signed.
    pub opaque: Option<Opaque>,
}

/// Arguments stay text: 64-bit ids, `1.0` against `1` and key order must survive.
#[derive(Debug, Clone)]
pub enum ToolArguments {
    /// JSON text as the client or model wrote it; not necessarily valid when a stream was cut.
    Json(String),
    /// Free text of an OpenAI "custom" tool.
    Freeform(String),
}

#[derive(Debug, Clone)]
pub struct ToolResult {
    pub call_id: String,
    pub name: Option<String>,
    pub parts: Vec<Part>,
    /// `None`: the dialect cannot say.
    pub is_error: Option<bool>,
}

/// Provider state that only its issuer can read: a signature, or encrypted reasoning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    pub issuer: Dialect,
    pub payload: String,
}

#[derive(Debug, Clone)]
pub struct Tool {
    pub kind: ToolKind,
    pub name: String,
    pub description: Option<String>,
    /// JSON Schema of the input, verbatim.
    pub schema: Option<Box<RawValue>>,
    pub strict: Option<bool>,
    pub cache: Option<CacheMark>,
}

/// A tool's name as a client with namespaces knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaced {
    pub namespace: String,
    pub name: String,
}

#[derive(Debug, Clone)]
pub enum ToolKind {
    Function,
    /// OpenAI custom tool: free text in, optionally constrained by a grammar.
    Custom {
        format: Option<Value>,
    },
    /// A tool the provider runs itself; only its own dialect can carry it.
    Hosted {
        dialect: Dialect,
        raw: Value,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToolChoice {
    #[default]
    Unset,
    Auto,
    None,
    Required,
    Named(String),
    Allowed {
        required: bool,
        names: Vec<String>,
    },
}

#[derive(Debug, Clone, Default)]
pub enum Output {
    #[default]
    Text,
    JsonObject,
    JsonSchema(JsonSchema),
}

#[derive(Debug, Clone)]
pub struct JsonSchema {
    pub name: Option<String>,
    pub description: Option<String>,
    pub schema: Box<RawValue>,
    pub strict: Option<bool>,
}

#[derive(Debug, Clone, Default)]
pub struct Sampling {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u64>,
    pub frequency_penalty: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub seed: Option<i64>,
    pub logit_bias: Option<Value>,
    /// Number of choices.
    pub n: Option<u32>,
}

/// What the client said about thinking; converted only by the encoder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasoning {
    pub mode: ReasoningMode,
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    pub effort: Option<String>,
    pub budget: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReasoningMode {
    #[default]
    Unset,
    Off,
    On,
    Adaptive,
}

// === impl Part ===

impl Part {
    pub fn new(kind: PartKind) -> Self {
        Self { kind, cache: None }
    }

    pub fn text(text: impl Into<String>) -> Self {
        Self::new(PartKind::Text {
            text: text.into(),
            citations: Vec::new(),
        })
    }
}

// === impl Message ===

impl Message {
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self {
            role,
            parts,
            name: None,
        }
    }
}

// === impl ToolArguments ===

impl ToolArguments {
    /// `{"value": …}` around JSON that is no object, for dialects that take nothing else. The text is kept: read as
    /// a value it would lose digits, or fail on a depth or a number that only the sender can make sense of.
    pub(crate) fn wrapped(json: &RawValue) -> Box<RawValue> {
        RawValue::from_string(format!("{{\"value\":{}}}", json.get())).unwrap_or_else(|_| json.to_owned())
    }

    /// The text as it goes on the wire; an empty JSON argument text means "no arguments".
    pub fn as_str(&self) -> &str {
        match self {
            Self::Json(text) | Self::Freeform(text) => text,
        }
    }
}
