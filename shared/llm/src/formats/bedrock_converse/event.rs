//! What an upstream sends: the payloads of stream events, and the whole reply.
//!
//! From the service model `bedrock-runtime/2023-09-30`, lenient where a field may be missing. Unions are objects of
//! which one member is there.

use super::usage::WireUsage;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Any event's payload. One flat record: the fields of different events never differ in shape.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Payload {
    pub content_block_index: u64,
    pub start: Option<BlockStart>,
    pub delta: Option<Delta>,
    pub stop_reason: Option<String>,
    pub additional_model_response_fields: Option<ModelFields>,
    pub usage: Option<WireUsage>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BlockStart {
    pub tool_use: Option<ToolUseStart>,
    pub image: Option<ImageStart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolUseStart {
    #[serde(default)]
    pub tool_use_id: String,
    #[serde(default)]
    pub name: String,
    /// `server_tool_use` when the provider runs the tool itself.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

#[derive(Deserialize)]
pub struct ImageStart {
    pub format: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Delta {
    pub text: Option<String>,
    pub tool_use: Option<InputDelta>,
    pub reasoning_content: Option<ReasoningDelta>,
    pub citation: Option<Value>,
    pub image: Option<ImageDelta>,
}

#[derive(Deserialize)]
pub struct InputDelta {
    #[serde(default)]
    pub input: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReasoningDelta {
    pub text: Option<String>,
    pub signature: Option<String>,
    pub redacted_content: Option<String>,
}

#[derive(Deserialize)]
pub struct ImageDelta {
    pub source: Option<Source>,
}

#[derive(Deserialize)]
pub struct Source {
    /// Base64.
    pub bytes: Option<String>,
}

/// What the model was asked to show of its own fields.
#[derive(Deserialize)]
pub struct ModelFields {
    pub stop_sequence: Option<String>,
}

/// The body of a whole reply.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply<'a> {
    #[serde(borrow)]
    pub output: Output<'a>,
    pub stop_reason: Option<String>,
    pub additional_model_response_fields: Option<ModelFields>,
    pub usage: Option<WireUsage>,
}

#[derive(Deserialize)]
pub struct Output<'a> {
    #[serde(borrow)]
    pub message: Message<'a>,
}

#[derive(Deserialize)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub content: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentBlock<'a> {
    pub text: Option<String>,
    #[serde(borrow)]
    pub tool_use: Option<ToolUse<'a>>,
    pub reasoning_content: Option<Reasoning>,
    pub citations_content: Option<Cited>,
    pub image: Option<Image>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolUse<'a> {
    #[serde(default)]
    pub tool_use_id: String,
    #[serde(default)]
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    #[serde(borrow)]
    pub input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reasoning {
    pub reasoning_text: Option<ReasoningText>,
    pub redacted_content: Option<String>,
}

#[derive(Deserialize)]
pub struct ReasoningText {
    #[serde(default)]
    pub text: String,
    pub signature: Option<String>,
}

/// A text with what it cites.
#[derive(Deserialize)]
pub struct Cited {
    #[serde(default)]
    pub content: Vec<CitedText>,
    #[serde(default)]
    pub citations: Vec<Value>,
}

#[derive(Deserialize)]
pub struct CitedText {
    pub text: Option<String>,
}

#[derive(Deserialize)]
pub struct Image {
    pub format: String,
    pub source: Option<Source>,
}
