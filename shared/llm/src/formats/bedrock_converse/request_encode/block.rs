//! One part to one content block, or to two where the prompt is to be cached up to it.

use super::document::{self, Document};
use crate::caps::{CacheMarks, ModelCaps, ModelFields};
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::formats::anthropic_messages::request_encode::block::{Place, unaccepted};
use crate::formats::anthropic_messages::request_encode::{input, media, turn::PLACEHOLDER};
use crate::note::Notes;
use crate::request::{CacheMark, MediaSource, Opaque, Part, PartKind, ToolResult};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A union: exactly one of these is the key of the object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Block<'a> {
    Text(Cow<'a, str>),
    Image(Image<'a>),
    Document(Document<'a>),
    ToolUse(ToolUse<'a>),
    ToolResult(ResultBlock<'a>),
    ReasoningContent(Reasoning<'a>),
    CachePoint(CachePoint),
}

#[derive(Debug, Serialize)]
pub struct Image<'a> {
    format: &'static str,
    source: Source<'a>,
}

/// Base64 of what a binary SDK would take as it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source<'a> {
    Bytes(Cow<'a, str>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolUse<'a> {
    tool_use_id: &'a str,
    name: &'a str,
    input: Box<RawValue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultBlock<'a> {
    tool_use_id: &'a str,
    content: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Reasoning<'a> {
    ReasoningText { text: &'a str, signature: &'a str },
    RedactedContent(&'a str),
}

/// Everything before it may be cached.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CachePoint {
    #[serde(rename = "type")]
    kind: &'static str,
    /// The API knows two, of which five minutes is what it does unasked.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

// === impl Block ===

impl Block<'_> {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    pub fn is_cache_point(&self) -> bool {
        matches!(self, Self::CachePoint(_))
    }
}

// === impl CachePoint ===

impl CachePoint {
    /// Where the client marked a part, and the model has a cache.
    pub fn of(mark: Option<&CacheMark>, caps: &ModelCaps) -> Option<Self> {
        let mark = mark.filter(|_| caps.cache_marks != CacheMarks::None)?;
        let ttl = (mark.ttl.as_deref() == Some("1h")).then_some("1h");
        Some(Self { kind: "default", ttl })
    }
}

// === functions ===

/// The boundaries between instructions stay: caches count by block.
pub fn system<'a>(parts: &'a [Part], caps: &ModelCaps) -> Vec<Block<'a>> {
    let texts = parts.iter().filter_map(|part| match &part.kind {
        PartKind::Text { text, .. } => Some((text_block(text)?, part)),
        _ => None,
    });
    texts
        .flat_map(|(block, part)| [Some(block), cache_point(part, caps)])
        .flatten()
        .collect()
}

/// Nothing when nothing of the part can or needs to be said; a loss is noted. `names` are those of the documents so
/// far.
pub fn encode<'a>(
    part: &'a Part,
    place: &Place<'_>,
    names: &mut Vec<String>,
    notes: &mut Notes,
) -> Result<Vec<Block<'a>>, EncodeError> {
    let block = match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => text_block(text),
        PartKind::Image { source, mime, .. } => {
            Some(Block::Image(image(source, mime.as_deref(), place, notes)?))
        }
        PartKind::File(file) => Some(Block::Document(document::encode(file, place, names, notes)?)),
        PartKind::Audio { .. } => return Err(unaccepted("audio", place)),
        PartKind::ToolCall(call) => Some(Block::ToolUse(ToolUse {
            tool_use_id: &call.id,
            name: &call.name,
            input: input::object(&call.arguments, &place.path, notes),
        })),
        PartKind::ToolResult(result) => Some(Block::ToolResult(tool_result(result, place, names, notes)?)),
        PartKind::Reasoning { text, opaque } => reasoning(text, opaque.as_ref(), place, notes),
        PartKind::RedactedReasoning(opaque) => redacted(opaque, place, notes),
        PartKind::Native { dialect, .. } => {
            notes.loss(&place.path, format!("a block only {dialect} understands"));
            None
        }
    };
    let Some(block) = block else {
        return Ok(Vec::new());
    };
    let cache_point = cache_point(part, &place.target.caps);
    Ok([Some(block), cache_point].into_iter().flatten().collect())
}

/// Blank text is refused by the API.
fn text_block(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then_some(Block::Text(Cow::Borrowed(text)))
}

fn cache_point<'a>(part: &Part, caps: &ModelCaps) -> Option<Block<'a>> {
    CachePoint::of(part.cache.as_ref(), caps).map(Block::CachePoint)
}

fn image<'a>(
    source: &'a MediaSource,
    mime: Option<&'a str>,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Image<'a>, EncodeError> {
    let data = match source {
        MediaSource::Base64(data) => data,
        MediaSource::FileId { .. } => return Err(media::provider_scoped(place)),
        MediaSource::Url(_) | MediaSource::Text(_) => {
            let message = format!("{}: the upstream takes images only as base64", place.path);
            return Err(EncodeError::unsupported(&place.path, message));
        }
    };
    let mime = media::media_type(data, mime, place, notes)?;
    let format = match mime.as_ref() {
        "image/png" => "png",
        "image/jpeg" | "image/jpg" => "jpeg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        other => return Err(unaccepted(other, place)),
    };
    Ok(Image {
        format,
        source: Source::Bytes(Cow::Borrowed(data)),
    })
}

fn tool_result<'a>(
    result: &'a ToolResult,
    place: &Place<'_>,
    names: &mut Vec<String>,
    notes: &mut Notes,
) -> Result<ResultBlock<'a>, EncodeError> {
    let mut content = Vec::with_capacity(result.parts.len());
    for (i, part) in result.parts.iter().enumerate() {
        let place = Place {
            path: format!("{}.content[{i}]", place.path),
            target: place.target,
        };
        // where a prompt is cached up to is said between blocks, not inside a result
        let said = encode(part, &place, names, notes)?.into_iter();
        content.extend(said.filter(|block| !block.is_cache_point()));
    }
    if content.is_empty() {
        // a failure must say something, and no model is served worse by a dot than by silence
        content.push(Block::text(PLACEHOLDER));
    }
    Ok(ResultBlock {
        tool_use_id: &result.call_id,
        content,
        status: status(result.is_error, place, notes),
    })
}

/// Not every vendor's models take it; Anthropic's and Amazon's do.
fn status(is_error: Option<bool>, place: &Place<'_>, notes: &mut Notes) -> Option<&'static str> {
    is_error.filter(|failed| *failed)?;
    match place.target.caps.model_fields {
        ModelFields::Anthropic | ModelFields::Nova => Some("error"),
        ModelFields::None | ModelFields::OpenAi => {
            notes.loss(
                &place.path,
                "that the tool failed is only in its text for this model",
            );
            None
        }
    }
}

fn reasoning<'a>(
    text: &'a str,
    opaque: Option<&'a Opaque>,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Option<Block<'a>> {
    let Some(signature) = own(opaque) else {
        notes.loss(
            &place.path,
            "reasoning without a signature of this provider cannot be replayed",
        );
        return None;
    };
    Some(Block::ReasoningContent(Reasoning::ReasoningText {
        text,
        signature,
    }))
}

fn redacted<'a>(opaque: &'a Opaque, place: &Place<'_>, notes: &mut Notes) -> Option<Block<'a>> {
    let Some(data) = own(Some(opaque)) else {
        notes.loss(
            &place.path,
            "encrypted reasoning of another provider cannot be replayed",
        );
        return None;
    };
    Some(Block::ReasoningContent(Reasoning::RedactedContent(data)))
}

fn own(opaque: Option<&Opaque>) -> Option<&str> {
    opaque
        .filter(|opaque| opaque.issuer == Dialect::BedrockConverse)
        .map(|opaque| opaque.payload.as_str())
}
