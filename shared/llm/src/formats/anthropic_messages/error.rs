//! This dialect's error envelope, as a body and as the last event of a stream.

use crate::dialect::Dialect;
use crate::error::{ErrorKind, PublicError, UpstreamError, classify_in_band};
use crate::frame::write_event;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: Detail<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: Cow<'a, str>,
}

/// Status and body.
pub fn encode(error: &PublicError) -> (u16, Vec<u8>) {
    let body = serde_json::to_vec(&Envelope::of(error)).expect("every map key is a string");
    (error.status(Dialect::AnthropicMessages), body)
}

/// `event: error`, after which a stream says nothing more.
pub fn frame(error: &PublicError) -> Vec<u8> {
    let mut out = Vec::new();
    write_event(&mut out, Some("error"), &Envelope::of(error));
    out
}

/// The error object of an `error` event; of any shape, since proxies word their own.
pub fn in_band(json: &str) -> UpstreamError {
    match serde_json::from_str::<Value>(json) {
        Ok(value) => classify_in_band(&value),
        Err(_) => UpstreamError::new(
            ErrorKind::Upstream5xx,
            "upstream reported an error that cannot be read",
        ),
    }
}

/// The error of a body that is an envelope, whatever its status was.
pub fn envelope(body: &[u8]) -> Option<UpstreamError> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let first = value.get(0).unwrap_or(&value);
    first
        .get("error")
        .is_some_and(|error| !error.is_null())
        .then(|| classify_in_band(&value))
}

// === impl Envelope ===

impl<'a> Envelope<'a> {
    fn of(error: &'a PublicError) -> Self {
        let kind = error.kind.error_type(Dialect::AnthropicMessages);
        Self {
            kind: "error",
            error: Detail {
                kind,
                message: message(error),
            },
            request_id: &error.request_id,
        }
    }
}

// === functions ===

/// Clients recognise an overlong prompt by how the message begins; the API has no code for it.
fn message(error: &PublicError) -> Cow<'_, str> {
    const PREFIX: &str = "prompt is too long";
    if error.kind == ErrorKind::ContextLength && !error.message.starts_with(PREFIX) {
        return Cow::Owned(format!("{PREFIX}: {}", error.message));
    }
    Cow::Borrowed(&error.message)
}
