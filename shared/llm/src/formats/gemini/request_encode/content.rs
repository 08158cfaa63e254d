//! Parts of one message.

use super::super::chunk::{Part, raw_of};
use super::super::signature;
use super::media;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{self, Opaque, PartKind, ToolArguments, ToolCall};
use crate::translate::Target;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Where a part stands, for notes and errors.
pub struct Place<'t> {
    pub path: String,
    pub target: &'t Target,
}

pub fn parts<'a>(
    parts: &'a [request::Part],
    path: &str,
    target: &Target,
    notes: &mut Notes,
) -> Result<Vec<Part<'a>>, EncodeError> {
    let mut out: Vec<Part<'a>> = Vec::with_capacity(parts.len());
    // state of the vendor's that came without text belongs to what follows
    let mut waiting: Option<&'a str> = None;
    for (i, part) in parts.iter().enumerate() {
        let place = Place {
            path: format!("{path}.content[{i}]"),
            target,
        };
        if let PartKind::RedactedReasoning(opaque) = &part.kind
            && let Some(signature) = own(Some(opaque))
        {
            waiting = Some(signature);
            continue;
        }
        let Some(mut wire) = one(part, &place, notes)? else {
            continue;
        };
        if wire.thought_signature.is_none() {
            wire.thought_signature = waiting.take().map(Cow::Borrowed);
        }
        out.push(wire);
    }
    Ok(out)
}

/// `None` when nothing of the part can or needs to be said; a loss is noted.
pub fn one<'a>(
    part: &'a request::Part,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Option<Part<'a>>, EncodeError> {
    Ok(match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => (!text.is_empty()).then(|| Part::text(text)),
        PartKind::Image { source, mime, .. } => Some(media::image(source, mime.as_deref(), place, notes)?),
        PartKind::Audio { data, format } => Some(media::audio(data, format)),
        PartKind::File(file) => Some(media::document(file, place, notes)?),
        PartKind::ToolCall(call) => Some(Part {
            thought_signature: own(call.opaque.as_ref()).map(Cow::Borrowed),
            ..Part::call(&call.id, &call.name, arguments(call, place, notes))
        }),
        // a message of its own
        PartKind::ToolResult(_) => None,
        PartKind::Reasoning { text, opaque } => match own(opaque.as_ref()) {
            Some(signature) => Some(Part::thought(text, Some(Cow::Borrowed(signature)))),
            None => {
                notes.loss(&place.path, "reasoning of another vendor cannot be replayed");
                None
            }
        },
        PartKind::RedactedReasoning(_) => {
            notes.loss(
                &place.path,
                "encrypted reasoning of another vendor cannot be replayed",
            );
            None
        }
        PartKind::Native {
            dialect: Dialect::Gemini,
            raw,
        } => Some(Part {
            native: Some(raw),
            ..Part::default()
        }),
        PartKind::Native { dialect, .. } => {
            notes.loss(&place.path, format!("a block only {dialect} understands"));
            None
        }
    })
}

// === functions ===

fn own(opaque: Option<&Opaque>) -> Option<&str> {
    opaque
        .filter(|opaque| opaque.issuer == Dialect::Gemini)
        .map(|opaque| opaque.payload.as_str())
        .filter(|payload| *payload != signature::UNKNOWN)
}

/// Arguments as the object the API insists on. An object keeps its bytes; what is not one is wrapped.
fn arguments(call: &ToolCall, place: &Place<'_>, notes: &mut Notes) -> Box<RawValue> {
    let text = match &call.arguments {
        ToolArguments::Freeform(text) => return raw_of(&json!({ "input": text })),
        ToolArguments::Json(text) => text.trim(),
    };
    if text.is_empty() || text == "null" {
        return raw_of(&json!({}));
    }
    let Ok(json) = RawValue::from_string(text.to_owned()) else {
        notes.loss(&place.path, "arguments are not JSON; sent as text");
        return raw_of(&json!({ "raw_arguments": text }));
    };
    if text.starts_with('{') {
        return json;
    }
    // several servers encode the arguments twice
    let inner = serde_json::from_str::<String>(text).ok();
    let inner = inner.filter(|inner| inner.trim_start().starts_with('{'));
    if let Some(object) = inner.and_then(|inner| RawValue::from_string(inner).ok()) {
        notes.info(&place.path, "arguments were encoded twice");
        return object;
    }
    notes.info(&place.path, "arguments are not an object; wrapped as value");
    ToolArguments::wrapped(&json)
}
