//! A whole reply, folded from the events of a stream. Unary translation is nothing but this fold.

use crate::finish::Finish;
use crate::request::{Opaque, ToolCall};
use crate::usage::Usage;
use serde_json::Value;

#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The provider's own id.
    pub id: String,
    pub model: String,
    pub created: Option<u64>,
    pub choices: Vec<Choice>,
    pub usage: Usage,
}

#[derive(Debug, Clone, Default)]
pub struct Choice {
    pub parts: Vec<ReplyPart>,
    pub finish: Option<Finish>,
    pub logprobs: Option<Value>,
}

#[derive(Debug, Clone)]
pub enum ReplyPart {
    Text { text: String, citations: Vec<Value> },
    Reasoning { text: String, opaque: Option<Opaque> },
    RedactedReasoning(Opaque),
    Refusal(String),
    ToolCall(ToolCall),
}
