//! One part of a content.

use super::super::address::is_uploaded;
use super::super::object::{Object, compact, fault};
use super::super::{mime, signature};
use crate::dialect::Dialect;
use crate::envelope::Subject;
use crate::error::DecodeError;
use crate::request::{File, MediaSource, Opaque, Part, PartKind, ToolArguments, ToolCall, ToolResult};
use serde_json::Value;
use serde_json::value::RawValue;
use std::mem;

/// `None` for a part that says nothing, such as empty text.
pub fn part(wire: &Object<'_>) -> Result<Option<Part>, DecodeError> {
    let opaque = wire.text("thoughtSignature")?.filter(|text| !text.is_empty());
    let opaque = opaque.as_deref().map(signature::open);
    if wire.get::<bool>("thought")? == Some(true) {
        let text = wire.text("text")?.unwrap_or_default();
        return Ok(thought(text, opaque).map(Part::new));
    }
    if let Some(call) = wire.object("functionCall")? {
        return Ok(Some(Part::new(PartKind::ToolCall(tool_call(
            &call,
            opaque.map(|(opaque, _)| opaque),
        )?))));
    }
    if let Some(response) = wire.object("functionResponse")? {
        return Ok(Some(Part::new(PartKind::ToolResult(tool_result(&response)?))));
    }
    if let Some(kind) = media(wire)? {
        return Ok(Some(Part::new(kind)));
    }
    if wire.raw("text").is_some() {
        let text = wire.text("text")?.unwrap_or_default();
        return Ok((!text.is_empty()).then(|| Part::text(text)));
    }
    if wire.names().next().is_none() {
        return Ok(None);
    }
    Ok(Some(Part::new(PartKind::Native {
        dialect: Dialect::Gemini,
        raw: wire.value(),
    })))
}

fn thought(text: String, state: Option<(Opaque, Subject)>) -> Option<PartKind> {
    match state {
        Some((opaque, Subject::Redacted)) => Some(PartKind::RedactedReasoning(opaque)),
        None if text.is_empty() => None,
        state => Some(PartKind::Reasoning {
            text,
            opaque: state.map(|(opaque, _)| opaque),
        }),
    }
}

/// Puts a turn's parts behind those of the same turn so far: clients keep a streamed turn in the pieces it came in,
/// but a signature covers the whole of a thought.
pub fn join(parts: &mut Vec<Part>, more: Vec<Part>) {
    let mut at_seam = true;
    for part in more {
        let seam = mem::replace(&mut at_seam, false);
        match (parts.last_mut().map(|last| &mut last.kind), part.kind) {
            (
                Some(PartKind::Reasoning {
                    text: so_far,
                    opaque: state @ None,
                }),
                PartKind::Reasoning { text, opaque },
            ) => {
                so_far.push_str(&text);
                *state = opaque;
            }
            (Some(PartKind::Text { text: so_far, .. }), PartKind::Text { text, .. }) if seam => {
                so_far.push_str(&text);
            }
            (_, kind) => parts.push(Part { kind, ..part }),
        }
    }
}

fn tool_call(wire: &Object<'_>, opaque: Option<Opaque>) -> Result<ToolCall, DecodeError> {
    let arguments = wire.raw("args").map_or("{}".to_owned(), |raw| compact(raw.get()));
    Ok(ToolCall {
        id: wire.text("id")?.unwrap_or_default(),
        name: wire.required_text("name")?,
        arguments: ToolArguments::Json(arguments),
        opaque,
    })
}

fn tool_result(wire: &Object<'_>) -> Result<ToolResult, DecodeError> {
    let (text, is_error) = match wire.raw("response") {
        None => (String::new(), None),
        Some(raw) => outcome(raw, wire.at("response"))?,
    };
    let mut parts = Vec::new();
    if !text.is_empty() {
        parts.push(Part::text(text));
    }
    for (path, raw) in wire.list("parts")? {
        parts.extend(media(&Object::read(raw, path)?)?.map(Part::new));
    }
    Ok(ToolResult {
        call_id: wire.text("id")?.unwrap_or_default(),
        name: wire.text("name")?.filter(|name| !name.is_empty()),
        parts,
        is_error,
    })
}

/// The object is the API's own wrapping where it has only the member that the vendor suggests for it.
fn outcome(raw: &RawValue, path: String) -> Result<(String, Option<bool>), DecodeError> {
    if !raw.get().starts_with('{') {
        return Ok((plain(raw), None));
    }
    let object = Object::read(raw, path)?;
    let only: Vec<&str> = object.names().collect();
    Ok(match only.as_slice() {
        [name @ ("output" | "result" | "error")] => {
            let text = object.raw(name).map(plain).unwrap_or_default();
            (text, (*name == "error").then_some(true))
        }
        _ => (compact(raw.get()), None),
    })
}

/// A string as its text, anything else as JSON.
fn plain(raw: &RawValue) -> String {
    serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| compact(raw.get()))
}

/// The vendor reads both alphabets of base64, and its SDK for Python writes the one for addresses; most other vendors
/// read only the common one, padded.
fn common_base64(mut data: String) -> String {
    if data.contains(['-', '_']) {
        data = data.replace('-', "+").replace('_', "/");
    }
    while !data.len().is_multiple_of(4) {
        data.push('=');
    }
    data
}

fn media(wire: &Object<'_>) -> Result<Option<PartKind>, DecodeError> {
    if let Some(blob) = wire.object("inlineData")? {
        let data = blob.text("data")?.filter(|data| !data.is_empty());
        let data = data.ok_or_else(|| fault(&blob.at("data"), "is required"))?;
        let data = common_base64(data);
        let declared = blob.text("mimeType")?.map(|declared| mime::canonical(&declared));
        let sniffed = mime::sniffed(&data).map(str::to_owned);
        let mime = sniffed.or(declared);
        let mime = mime.ok_or_else(|| fault(&blob.at("mimeType"), "is required"))?;
        return Ok(Some(inline(data, mime, blob.text("displayName")?)));
    }
    let Some(file) = wire.object("fileData")? else {
        return Ok(None);
    };
    let uri = file.required_text("fileUri")?;
    let declared = file.text("mimeType")?.map(|declared| mime::canonical(&declared));
    let mime = declared.or_else(|| mime::of_url(&uri).map(str::to_owned));
    let source = match is_uploaded(&uri) {
        true => MediaSource::FileId {
            id: uri,
            issuer: Dialect::Gemini,
        },
        false => MediaSource::Url(uri),
    };
    Ok(Some(match mime {
        Some(mime) if mime.starts_with("image/") => PartKind::Image {
            source,
            mime: Some(mime),
            detail: None,
        },
        mime => PartKind::File(document(source, mime, file.text("displayName")?)),
    }))
}

fn inline(data: String, mime: String, filename: Option<String>) -> PartKind {
    if mime.starts_with("image/") {
        return PartKind::Image {
            source: MediaSource::Base64(data),
            mime: Some(mime),
            detail: None,
        };
    }
    match mime.strip_prefix("audio/") {
        Some(format) => PartKind::Audio {
            format: match format {
                "mpeg" => "mp3",
                "x-wav" | "wave" => "wav",
                format => format,
            }
            .to_owned(),
            data,
        },
        None => PartKind::File(document(MediaSource::Base64(data), Some(mime), filename)),
    }
}

fn document(source: MediaSource, mime: Option<String>, filename: Option<String>) -> File {
    File {
        source,
        mime,
        filename,
        title: None,
        context: None,
        citations: None,
    }
}

/// Only the vendor can read what was uploaded to it.
/// For values that are kept whole.
pub fn value(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or_default()
}
