//! What a simulator remembers of the requests it got.

use serde_json::Value;
use std::collections::BTreeMap;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    /// Lower-case names; of repeated headers the last.
    pub headers: BTreeMap<String, String>,
    pub body: Value,
    /// The bytes of the body, for tests about passthrough.
    pub raw: bytes::Bytes,
    /// The peer went away before the whole answer was sent.
    pub dropped: bool,
    /// What it would cost, once the answer has begun.
    pub billed: Option<Billed>,
}

/// Tokens in the vendor's sense: `input` includes `cached`, `output` includes `reasoning`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Billed {
    pub input: u64,
    pub cached: u64,
    pub output: u64,
    pub reasoning: u64,
}
