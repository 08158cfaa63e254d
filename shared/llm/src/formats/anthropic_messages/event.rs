//! What an upstream sends: stream events and the whole message, which share their blocks and their usage.
//!
//! From the vendor's SDK types (anthropic 2.x, `types/raw_*_event.py`, `types/message.py`), lenient where
//! compatible servers are known to differ.

use super::tokens::WireUsage;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Any stream event. One flat record: the fields of different events never differ in shape.
#[derive(Deserialize)]
pub struct StreamEvent<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Cow<'a, str>,
    pub index: Option<u64>,
    #[serde(borrow)]
    pub message: Option<Message<'a>>,
    #[serde(borrow)]
    pub content_block: Option<&'a RawValue>,
    pub delta: Option<Delta>,
    pub usage: Option<WireUsage>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

/// The message of `message_start`, and the whole body of a unary reply.
#[derive(Deserialize)]
pub struct Message<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Cow<'a, str>,
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    pub model: String,
    #[serde(borrow)]
    pub content: Option<Vec<&'a RawValue>>,
    pub stop_reason: Option<String>,
    pub stop_sequence: Option<String>,
    pub usage: Option<WireUsage>,
}

/// The delta of a block or, with the stop fields, of the message.
#[derive(Deserialize)]
pub struct Delta {
    #[serde(rename = "type", default)]
    pub kind: String,
    pub text: Option<String>,
    pub thinking: Option<String>,
    pub partial_json: Option<String>,
    pub signature: Option<String>,
    pub citation: Option<Value>,
    pub stop_reason: Option<String>,
    pub stop_sequence: Option<String>,
}

#[derive(Deserialize)]
pub struct ContentBlock<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Cow<'a, str>,
    pub text: Option<String>,
    pub citations: Option<Vec<Value>>,
    pub thinking: Option<String>,
    pub signature: Option<String>,
    pub data: Option<String>,
    pub id: Option<String>,
    pub name: Option<String>,
    #[serde(borrow)]
    pub input: Option<&'a RawValue>,
}
