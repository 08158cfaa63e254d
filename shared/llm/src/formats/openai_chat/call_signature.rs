//! Gemini's signature over a tool call, as Google's own server of this dialect carries it:
//! `tool_calls[].extra_content.google.thought_signature`.

use crate::dialect::Dialect;
use crate::request::Opaque;
use serde_json::{Value, json};

/// The signature inside an `extra_content`.
pub fn read(extra_content: &Value) -> Option<Opaque> {
    let signature = extra_content.pointer("/google/thought_signature")?.as_str()?;
    (!signature.is_empty()).then(|| Opaque {
        issuer: Dialect::Gemini,
        payload: signature.to_owned(),
    })
}

/// The `extra_content` for a signature; only Google's has a place here.
pub fn write(opaque: &Opaque) -> Option<Value> {
    (opaque.issuer == Dialect::Gemini).then(|| json!({"google": {"thought_signature": opaque.payload}}))
}
