//! A response, its items and its events, as upstreams of this dialect send them. Read tolerantly: whatever a server
//! leaves out reads as nothing, and unknown fields are skipped.

use super::super::openai_chat::scalar::Scalar;
use super::usage::WireUsage;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StreamEvent<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Scalar<'a>,
    #[serde(borrow)]
    pub response: Option<Response<'a>>,
    #[serde(borrow)]
    pub item: Option<Item<'a>>,
    #[serde(borrow)]
    pub item_id: Scalar<'a>,
    #[serde(borrow)]
    pub output_index: Scalar<'a>,
    #[serde(borrow)]
    pub content_index: Scalar<'a>,
    #[serde(borrow)]
    pub summary_index: Scalar<'a>,
    #[serde(borrow)]
    pub delta: Scalar<'a>,
    #[serde(borrow)]
    pub text: Scalar<'a>,
    #[serde(borrow)]
    pub refusal: Scalar<'a>,
    #[serde(borrow)]
    pub arguments: Scalar<'a>,
    #[serde(borrow)]
    pub input: Scalar<'a>,
    #[serde(borrow)]
    pub name: Scalar<'a>,
    pub annotation: Option<Value>,
    pub logprobs: Option<Vec<Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Response<'a> {
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub object: Scalar<'a>,
    #[serde(borrow)]
    pub model: Scalar<'a>,
    #[serde(borrow)]
    pub created_at: Scalar<'a>,
    #[serde(borrow)]
    pub status: Scalar<'a>,
    #[serde(borrow)]
    pub output: Option<Vec<Item<'a>>>,
    #[serde(borrow)]
    pub usage: Option<WireUsage<'a>>,
    pub error: Option<Value>,
    #[serde(borrow)]
    pub incomplete_details: Option<Incomplete<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Incomplete<'a> {
    #[serde(borrow)]
    pub reason: Scalar<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Item<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Scalar<'a>,
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub call_id: Scalar<'a>,
    #[serde(borrow)]
    pub name: Scalar<'a>,
    #[serde(borrow)]
    pub arguments: Scalar<'a>,
    #[serde(borrow)]
    pub input: Scalar<'a>,
    #[serde(borrow)]
    pub encrypted_content: Scalar<'a>,
    #[serde(borrow)]
    pub summary: Option<Vec<Content<'a>>>,
    #[serde(borrow)]
    pub content: Option<Vec<Content<'a>>>,
}

/// One part of a message, or of reasoning.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Content<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Scalar<'a>,
    #[serde(borrow)]
    pub text: Scalar<'a>,
    #[serde(borrow)]
    pub refusal: Scalar<'a>,
    pub annotations: Option<Vec<Value>>,
    pub logprobs: Option<Vec<Value>>,
}
