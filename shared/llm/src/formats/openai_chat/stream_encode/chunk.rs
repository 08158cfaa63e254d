//! One chunk as clients of this dialect read it.

use super::super::usage::UsageReport;
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
pub struct Chunk<'a> {
    pub id: &'a str,
    pub object: &'static str,
    pub created: u64,
    pub model: &'a str,
    pub choices: Vec<Choice<'a>>,
    /// `null` in every chunk but the last when usage was asked for, else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<UsageReport>>,
}

#[derive(Serialize)]
pub struct Choice<'a> {
    pub index: u32,
    pub delta: Delta<'a>,
    pub logprobs: Option<&'a Value>,
    pub finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_finish_reason: Option<&'a str>,
}

#[derive(Serialize, Default)]
pub struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_details: Option<[&'a Value; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<[Call<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<&'a [Value]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<[Value; 1]>,
}

/// A fragment of a call. Only the first one carries id, type and name.
#[derive(Serialize)]
pub struct Call<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<Function<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<Custom<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Value>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Custom<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    input: &'a str,
}

// === impl Choice ===

impl<'a> Choice<'a> {
    pub fn of(delta: Delta<'a>) -> Self {
        Self {
            index: 0,
            delta,
            logprobs: None,
            finish_reason: None,
            native_finish_reason: None,
        }
    }
}

// === impl Delta ===

impl<'a> Delta<'a> {
    pub fn role(content: Option<&'a str>) -> Self {
        Self {
            role: Some("assistant"),
            content: Some(content),
            ..Self::default()
        }
    }

    pub fn call(call: Call<'a>) -> Self {
        Self {
            tool_calls: Some([call]),
            ..Self::default()
        }
    }
}

// === impl Call ===

impl<'a> Call<'a> {
    pub fn first(index: usize, id: &'a str, name: &'a str, freeform: bool) -> Self {
        let kind = Some(if freeform { "custom" } else { "function" });
        Self {
            id: Some(id),
            kind,
            ..Self::fragment(index, Some(name), "", freeform)
        }
    }

    pub fn more(index: usize, text: &'a str, freeform: bool) -> Self {
        Self::fragment(index, None, text, freeform)
    }

    /// A fragment without arguments, for what belongs to the call as a whole.
    pub fn signed(index: usize, extra_content: Value, freeform: bool) -> Self {
        Self {
            extra_content: Some(extra_content),
            ..Self::fragment(index, None, "", freeform)
        }
    }

    fn fragment(index: usize, name: Option<&'a str>, text: &'a str, freeform: bool) -> Self {
        let (function, custom) = if freeform {
            (None, Some(Custom { name, input: text }))
        } else {
            (
                Some(Function {
                    name,
                    arguments: text,
                }),
                None,
            )
        };
        Self {
            index,
            id: None,
            kind: None,
            function,
            custom,
            extra_content: None,
        }
    }
}
