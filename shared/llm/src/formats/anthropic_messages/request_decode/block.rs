//! One content block to one part.

use super::super::json::{compact, non_empty, read, tag};
use super::{Content, cache_mark};
use crate::dialect::Dialect;
use crate::envelope::{self, Subject};
use crate::error::DecodeError;
use crate::request::{
    CacheMark, File, MediaSource, Opaque, Part, PartKind, ToolArguments, ToolCall, ToolResult,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Marked<'a> {
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireText {
    text: String,
    citations: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct WireImage<'a> {
    #[serde(borrow)]
    source: &'a RawValue,
}

#[derive(Deserialize)]
struct WireDocument<'a> {
    #[serde(borrow)]
    source: &'a RawValue,
    title: Option<String>,
    context: Option<String>,
    citations: Option<WireCitations>,
}

#[derive(Deserialize)]
struct WireCitations {
    enabled: Option<bool>,
}

#[derive(Deserialize)]
struct WireSearchResult<'a> {
    title: String,
    source: String,
    #[serde(borrow)]
    content: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireSource<'a> {
    #[serde(rename = "type")]
    kind: String,
    media_type: Option<String>,
    data: Option<String>,
    url: Option<String>,
    file_id: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireToolUse<'a> {
    #[serde(deserialize_with = "non_empty")]
    id: String,
    #[serde(deserialize_with = "non_empty")]
    name: String,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireToolResult<'a> {
    #[serde(deserialize_with = "non_empty")]
    tool_use_id: String,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    is_error: Option<bool>,
}

#[derive(Deserialize)]
struct WireThinking {
    thinking: String,
    signature: Option<String>,
}

#[derive(Deserialize)]
struct WireRedacted {
    data: String,
}

pub fn part(raw: &RawValue, path: &str) -> Result<Part, DecodeError> {
    let kind = match block_type(raw, path)?.as_ref() {
        "tool_use" => {
            let wire: WireToolUse<'_> = read(raw, path)?;
            PartKind::ToolCall(ToolCall {
                id: wire.id,
                name: wire.name,
                arguments: arguments(wire.input),
                opaque: None,
            })
        }
        "tool_result" => tool_result(raw, path)?,
        "thinking" => {
            let wire: WireThinking = read(raw, path)?;
            let signature = wire.signature.filter(|signature| !signature.is_empty());
            PartKind::Reasoning {
                text: wire.thinking,
                opaque: signature.map(|text| envelope::open(text, Dialect::AnthropicMessages)),
            }
        }
        "redacted_thinking" => {
            let wire: WireRedacted = read(raw, path)?;
            PartKind::RedactedReasoning(envelope::open(wire.data, Dialect::AnthropicMessages))
        }
        _ => return leaf(raw, path),
    };
    Ok(Part {
        kind,
        cache: mark(raw, path)?,
    })
}

/// Puts the signature of a call, which follows it as a block of its own, into the call.
pub fn sign_calls(blocks: &[&RawValue], parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    for (part, raw) in parts.into_iter().zip(blocks) {
        let signature = match &part.kind {
            PartKind::RedactedReasoning(_) => signature_of_call(raw),
            _ => None,
        };
        match (out.last_mut().map(|last| &mut last.kind), signature) {
            (Some(PartKind::ToolCall(call)), Some(opaque)) => call.opaque = Some(opaque),
            // without its call it says nothing
            (_, Some(_)) => {}
            (_, None) => out.push(part),
        }
    }
    out
}

fn signature_of_call(raw: &RawValue) -> Option<Opaque> {
    let wire: WireRedacted = serde_json::from_str(raw.get()).ok()?;
    match envelope::unwrap(&wire.data) {
        Some((opaque, Subject::Call)) => Some(opaque),
        _ => None,
    }
}

/// A block that holds no further blocks of its own kind. Results contain only these, which bounds recursion
/// whatever a client nests.
fn leaf(raw: &RawValue, path: &str) -> Result<Part, DecodeError> {
    let kind = match block_type(raw, path)?.as_ref() {
        "text" => {
            let wire: WireText = read(raw, path)?;
            PartKind::Text {
                text: wire.text,
                citations: wire.citations.unwrap_or_default(),
            }
        }
        "image" => image(raw, path)?,
        "document" => document(raw, path)?,
        "search_result" => search_result(raw, path)?,
        // server tools, container uploads, and blocks newer than this file
        _ => PartKind::Native {
            dialect: Dialect::AnthropicMessages,
            raw: read(raw, path)?,
        },
    };
    Ok(Part {
        kind,
        cache: mark(raw, path)?,
    })
}

fn block_type<'a>(raw: &'a RawValue, path: &str) -> Result<Cow<'a, str>, DecodeError> {
    match tag(raw) {
        Ok(kind) if kind.is_empty() => Err(DecodeError::at(path, format!("{path}.type: Field required"))),
        Ok(kind) => Ok(kind),
        Err(_) => Err(DecodeError::at(path, format!("{path}: expected a content block"))),
    }
}

fn mark(raw: &RawValue, path: &str) -> Result<Option<CacheMark>, DecodeError> {
    let marked: Marked<'_> = read(raw, path)?;
    cache_mark(marked.cache_control, path)
}

fn arguments(input: Option<&RawValue>) -> ToolArguments {
    let text = input.map_or("{}", RawValue::get);
    ToolArguments::Json(if text == "null" {
        "{}".to_owned()
    } else {
        compact(text)
    })
}

fn image(raw: &RawValue, path: &str) -> Result<PartKind, DecodeError> {
    let wire: WireImage<'_> = read(raw, path)?;
    let source: WireSource<'_> = read(wire.source, &format!("{path}.source"))?;
    let invalid = || DecodeError::at(path, "invalid image source");
    let (media, mime) = match source.kind.as_str() {
        "base64" => {
            let mime = source.media_type.ok_or_else(invalid)?;
            (
                MediaSource::Base64(source.data.ok_or_else(invalid)?),
                Some(image_type(mime)),
            )
        }
        "url" => (MediaSource::Url(source.url.ok_or_else(invalid)?), None),
        "file" => (file_id(source.file_id.ok_or_else(invalid)?), None),
        _ => return Err(invalid()),
    };
    Ok(PartKind::Image {
        source: media,
        mime,
        detail: None,
    })
}

fn image_type(mime: String) -> String {
    if mime == "image/jpg" {
        "image/jpeg".to_owned()
    } else {
        mime
    }
}

fn file_id(id: String) -> MediaSource {
    MediaSource::FileId {
        id,
        issuer: Dialect::AnthropicMessages,
    }
}

fn document(raw: &RawValue, path: &str) -> Result<PartKind, DecodeError> {
    let wire: WireDocument<'_> = read(raw, path)?;
    let source_path = format!("{path}.source");
    let source: WireSource<'_> = read(wire.source, &source_path)?;
    let invalid = || DecodeError::at(&source_path, "invalid document source");
    let (media, mime) = match source.kind.as_str() {
        "base64" => {
            let mime = source.media_type.unwrap_or_else(|| "application/pdf".to_owned());
            (MediaSource::Base64(source.data.ok_or_else(invalid)?), Some(mime))
        }
        "text" => (
            MediaSource::Text(source.data.ok_or_else(invalid)?),
            Some("text/plain".to_owned()),
        ),
        "url" => (
            MediaSource::Url(source.url.ok_or_else(invalid)?),
            Some("application/pdf".to_owned()),
        ),
        "file" => (file_id(source.file_id.ok_or_else(invalid)?), None),
        "content" => {
            let content = source.content.ok_or_else(invalid)?;
            match joined_text(content, &format!("{source_path}.content"))? {
                Some(text) => (MediaSource::Text(text), Some("text/plain".to_owned())),
                // with images among the text, only this dialect can carry it
                None => {
                    return Ok(PartKind::Native {
                        dialect: Dialect::AnthropicMessages,
                        raw: read(raw, path)?,
                    });
                }
            }
        }
        _ => return Err(invalid()),
    };
    Ok(PartKind::File(File {
        source: media,
        mime,
        filename: None,
        title: wire.title,
        context: wire.context,
        citations: wire.citations.and_then(|citations| citations.enabled),
    }))
}

/// The text of a content list, or `None` when it holds anything else.
fn joined_text(raw: &RawValue, path: &str) -> Result<Option<String>, DecodeError> {
    let blocks = match Content::read(raw, path)? {
        Content::Text(text) => return Ok(Some(text)),
        Content::Blocks(blocks) => blocks,
    };
    let mut lines = Vec::with_capacity(blocks.len());
    for raw in blocks {
        if block_type(raw, path)? != "text" {
            return Ok(None);
        }
        let block: WireText = read(raw, path)?;
        lines.push(block.text);
    }
    Ok(Some(lines.join("\n")))
}

/// Flattened to text: no other dialect has the block, and within this one requests pass through unread.
fn search_result(raw: &RawValue, path: &str) -> Result<PartKind, DecodeError> {
    let wire: WireSearchResult<'_> = read(raw, path)?;
    let mut lines = vec![wire.title, wire.source];
    for raw in wire.content {
        let block: WireText = read(raw, path)?;
        lines.push(block.text);
    }
    Ok(PartKind::Text {
        text: lines.join("\n"),
        citations: Vec::new(),
    })
}

fn tool_result(raw: &RawValue, path: &str) -> Result<PartKind, DecodeError> {
    let wire: WireToolResult<'_> = read(raw, path)?;
    let path = format!("{path}.content");
    let content = wire.content.filter(|raw| raw.get() != "null");
    let parts = match content.map(|raw| Content::read(raw, &path)).transpose()? {
        None => Vec::new(),
        Some(Content::Text(text)) if text.is_empty() => Vec::new(),
        Some(Content::Text(text)) => vec![Part::text(text)],
        Some(Content::Blocks(blocks)) => blocks
            .into_iter()
            .enumerate()
            .map(|(i, raw)| Ok(readable(leaf(raw, &format!("{path}[{i}]"))?)))
            .collect::<Result<_, DecodeError>>()?,
    };
    Ok(PartKind::ToolResult(ToolResult {
        call_id: wire.tool_use_id,
        name: None,
        parts,
        is_error: wire.is_error,
    }))
}

/// An inner block that only this dialect knows becomes its JSON text: a model can read that, and dropping it
/// would leave the call without its answer.
fn readable(part: Part) -> Part {
    match part.kind {
        PartKind::Native { raw, .. } => Part {
            kind: PartKind::Text {
                text: raw.to_string(),
                citations: Vec::new(),
            },
            cache: part.cache,
        },
        _ => part,
    }
}
