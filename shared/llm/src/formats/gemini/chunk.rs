//! Contents and replies as this gateway writes them, to upstreams and to clients.

use super::usage::ClientUsage;
use crate::event::Media;
use crate::format::ReplySeed;
use crate::request::{ToolArguments, ToolCall};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::borrow::Cow;

#[derive(Debug, Serialize)]
pub struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    pub parts: Vec<Part<'a>>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inline_data: Option<Blob<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_data: Option<FileData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_response: Option<FunctionResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thought_signature: Option<Cow<'a, str>>,
    /// A part that only this dialect knows, as it came.
    #[serde(flatten)]
    pub native: Option<&'a Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blob<'a> {
    pub mime_type: Cow<'a, str>,
    pub data: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileData<'a> {
    pub mime_type: Cow<'a, str>,
    pub file_uri: &'a str,
}

#[derive(Debug, Serialize)]
pub struct FunctionCall<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub args: Box<RawValue>,
}

#[derive(Debug, Serialize)]
pub struct FunctionResponse<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub response: Box<RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply<'a> {
    pub candidates: Vec<Candidate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_metadata: Option<ClientUsage>,
    pub model_version: &'a str,
    pub response_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate<'a> {
    pub content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<&'static str>,
    pub index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs_result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grounding_metadata: Option<Value>,
}

// === impl Content ===

impl<'a> Content<'a> {
    pub fn model(parts: Vec<Part<'a>>) -> Self {
        Self {
            role: Some("model"),
            parts,
        }
    }
}

// === impl Part ===

impl<'a> Part<'a> {
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }

    pub fn thought(text: impl Into<Cow<'a, str>>, signature: Option<Cow<'a, str>>) -> Self {
        Self {
            thought: Some(true),
            thought_signature: signature,
            ..Self::text(text)
        }
    }

    pub fn media(media: &'a Media) -> Self {
        Self {
            inline_data: Some(Blob {
                mime_type: media.mime.as_str().into(),
                data: media.data.as_str().into(),
            }),
            ..Self::default()
        }
    }

    pub fn call(id: &'a str, name: &'a str, args: Box<RawValue>) -> Self {
        Self {
            function_call: Some(FunctionCall { id, name, args }),
            ..Self::default()
        }
    }
}

// === impl Reply ===

impl<'a> Reply<'a> {
    pub fn of(seed: &'a ReplySeed, candidates: Vec<Candidate<'a>>) -> Self {
        Self {
            candidates,
            usage_metadata: None,
            model_version: &seed.model,
            response_id: &seed.id,
        }
    }
}

// === impl Candidate ===

impl<'a> Candidate<'a> {
    pub fn of(index: u32, parts: Vec<Part<'a>>) -> Self {
        Self {
            content: Content::model(parts),
            finish_reason: None,
            index,
            logprobs_result: None,
            grounding_metadata: None,
        }
    }
}

// === functions ===

/// The arguments of a call to a client, which must be an object. A call that was cut off keeps what can be read.
pub fn arguments(call: &ToolCall) -> Box<RawValue> {
    let value = match &call.arguments {
        ToolArguments::Freeform(text) => json!({ "input": text }),
        ToolArguments::Json(text) => match RawValue::from_string(text.trim().to_owned()) {
            Ok(raw) if raw.get().starts_with('{') => return raw,
            Ok(raw) if raw.get() == "null" => json!({}),
            Ok(raw) => return ToolArguments::wrapped(&raw),
            Err(_) => super::super::anthropic_messages::partial::object(text).unwrap_or_else(|| json!({})),
        },
    };
    raw_of(&value)
}

pub fn raw_of(value: &Value) -> Box<RawValue> {
    to_raw_value(value).expect("a JSON value always serialises")
}
