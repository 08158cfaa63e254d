//! One part to one content block.

use super::{input, media};
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{CacheMark, Opaque, Part, PartKind, ToolCall, ToolResult};
use crate::translate::Target;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    Document {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Citations>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Box<RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    ToolResult {
        tool_use_id: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    #[serde(untagged)]
    Native(&'a Value),
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Source<'a> {
    Base64 {
        media_type: Cow<'a, str>,
        data: &'a str,
    },
    Text {
        media_type: &'static str,
        data: Cow<'a, str>,
    },
    Url {
        url: &'a str,
    },
    File {
        file_id: &'a str,
    },
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Citations {
    pub enabled: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct CacheControl<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'a str>,
}

/// Where a part stands, for notes and errors.
pub struct Place<'t> {
    pub path: String,
    pub target: &'t Target,
}

// === impl Block ===

impl<'a> Block<'a> {
    pub fn owned_text(text: String) -> Self {
        Self::Text {
            text: Cow::Owned(text),
            cache_control: None,
        }
    }

    pub fn mark(&mut self) -> Option<&mut Option<CacheControl<'a>>> {
        match self {
            Self::Text { cache_control, .. }
            | Self::Image { cache_control, .. }
            | Self::Document { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => Some(cache_control),
            Self::Thinking { .. } | Self::RedactedThinking { .. } | Self::Native(_) => None,
        }
    }
}

// === impl CacheControl ===

impl<'a> CacheControl<'a> {
    pub fn new(mark: &'a CacheMark) -> Self {
        Self {
            kind: "ephemeral",
            ttl: mark.ttl.as_deref(),
        }
    }
}

// === functions ===

/// System blocks keep their boundaries: the vendor caches by block.
pub fn system(parts: &[Part]) -> Vec<Block<'_>> {
    parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::Text { text, .. } => text_block(text, part),
            _ => None,
        })
        .collect()
}

/// `None` when nothing of the part can or needs to be said; a loss is noted.
pub fn encode<'a>(
    part: &'a Part,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Option<Block<'a>>, EncodeError> {
    let cache_control = part.cache.as_ref().map(CacheControl::new);
    let block = match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => return Ok(text_block(text, part)),
        PartKind::Image { source, mime, .. } => Block::Image {
            source: media::image(source, mime.as_deref(), place, notes)?,
            cache_control,
        },
        PartKind::Audio { .. } => return Err(unaccepted("audio", place)),
        PartKind::File(file) => media::document(file, cache_control, place)?,
        PartKind::ToolCall(call) => tool_use(call, cache_control, place, notes),
        PartKind::ToolResult(result) => tool_result(result, cache_control, place, notes)?,
        PartKind::Reasoning { text, opaque } => match native(opaque.as_ref()) {
            Some(signature) => Block::Thinking {
                thinking: text,
                signature,
            },
            None => {
                notes.loss(
                    &place.path,
                    "reasoning without a signature of this vendor cannot be replayed",
                );
                return Ok(None);
            }
        },
        PartKind::RedactedReasoning(opaque) => match native(Some(opaque)) {
            Some(data) => Block::RedactedThinking { data },
            None => {
                notes.loss(
                    &place.path,
                    "encrypted reasoning of another vendor cannot be replayed",
                );
                return Ok(None);
            }
        },
        PartKind::Native {
            dialect: Dialect::AnthropicMessages,
            raw,
        } => Block::Native(raw),
        PartKind::Native { dialect, .. } => {
            notes.loss(&place.path, format!("a block only {dialect} understands"));
            return Ok(None);
        }
    };
    Ok(Some(block))
}

/// Blank text is refused by the API.
fn text_block<'a>(text: &'a str, part: &'a Part) -> Option<Block<'a>> {
    if text.trim().is_empty() {
        return None;
    }
    let cache_control = part.cache.as_ref().map(CacheControl::new);
    Some(Block::Text {
        text: Cow::Borrowed(text),
        cache_control,
    })
}

fn native(opaque: Option<&Opaque>) -> Option<&str> {
    opaque
        .filter(|opaque| opaque.issuer == Dialect::AnthropicMessages)
        .map(|opaque| opaque.payload.as_str())
}

pub fn unaccepted(kind: &str, place: &Place<'_>) -> EncodeError {
    let message = format!("model '{}' does not accept {kind} input", place.target.model);
    EncodeError::unsupported(&place.path, message)
}

fn tool_use<'a>(
    call: &'a ToolCall,
    cache_control: Option<CacheControl<'a>>,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Block<'a> {
    let input = input::object(&call.arguments, &place.path, notes);
    Block::ToolUse {
        id: &call.id,
        name: &call.name,
        input,
        cache_control,
    }
}

fn tool_result<'a>(
    result: &'a ToolResult,
    cache_control: Option<CacheControl<'a>>,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Block<'a>, EncodeError> {
    let mut content = Vec::with_capacity(result.parts.len());
    for (i, part) in result.parts.iter().enumerate() {
        let place = Place {
            path: format!("{}.content[{i}]", place.path),
            target: place.target,
        };
        content.extend(encode(part, &place, notes)?);
    }
    Ok(Block::ToolResult {
        tool_use_id: &result.call_id,
        content,
        is_error: result.is_error,
        cache_control,
    })
}
