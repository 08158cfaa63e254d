//! One part of a message to one content part.

use super::super::data_url;
use crate::caps::CacheMarks;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{CacheMark, File, MediaSource, Part, PartKind};
use crate::translate::Target;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// The API requires a name for inline files.
const DEFAULT_FILENAME: &str = "document.pdf";

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum WirePart<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    ImageUrl {
        image_url: ImageUrl<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    InputAudio {
        input_audio: InputAudio<'a>,
    },
    File {
        file: WireFile<'a>,
    },
    #[serde(untagged)]
    Native(&'a Value),
}

#[derive(Serialize)]
pub struct ImageUrl<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
pub struct InputAudio<'a> {
    data: &'a str,
    format: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum WireFile<'a> {
    Inline { file_data: String, filename: &'a str },
    Id { file_id: &'a str },
}

#[derive(Serialize)]
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

// === impl WirePart ===

impl<'a> WirePart<'a> {
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text {
            text: text.into(),
            cache_control: None,
        }
    }
}

// === impl Place ===

impl Place<'_> {
    fn unsupported(&self, message: impl Into<String>) -> EncodeError {
        EncodeError::unsupported(&self.path, message)
    }
}

// === functions ===

/// The mark, where this upstream takes one.
pub fn cache_control<'a>(mark: Option<&'a CacheMark>, target: &Target) -> Option<CacheControl<'a>> {
    match target.caps.cache_marks {
        CacheMarks::CacheControl => mark.map(|mark| CacheControl {
            kind: "ephemeral",
            ttl: mark.ttl.as_deref(),
        }),
        CacheMarks::None => None,
    }
}

/// `None` when the part has no place in `content`.
pub fn encode<'a>(
    part: &'a Part,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Option<WirePart<'a>>, EncodeError> {
    let cache_control = cache_control(part.cache.as_ref(), place.target);
    let wire = match &part.kind {
        PartKind::Text { text, .. } => WirePart::Text {
            text: Cow::Borrowed(text),
            cache_control,
        },
        PartKind::Image { source, mime, detail } => {
            let url = image(source, mime.as_deref(), place)?;
            WirePart::ImageUrl {
                image_url: ImageUrl {
                    url,
                    detail: detail.as_deref(),
                },
                cache_control,
            }
        }
        PartKind::Audio { data, format } => WirePart::InputAudio {
            input_audio: InputAudio { data, format },
        },
        PartKind::File(file) => document(file, place, notes)?,
        PartKind::Native {
            dialect: Dialect::OpenAiChat,
            raw,
        } => WirePart::Native(raw),
        PartKind::Native { dialect, .. } => {
            notes.loss(&place.path, format!("a block only {dialect} understands"));
            return Ok(None);
        }
        PartKind::ToolCall(_)
        | PartKind::ToolResult(_)
        | PartKind::Reasoning { .. }
        | PartKind::RedactedReasoning(_)
        | PartKind::Refusal(_) => return Ok(None),
    };
    Ok(Some(wire))
}

fn image<'a>(
    source: &'a MediaSource,
    mime: Option<&str>,
    place: &Place<'_>,
) -> Result<Cow<'a, str>, EncodeError> {
    match source {
        MediaSource::Base64(data) => Ok(Cow::Owned(data_url::write(mime.unwrap_or_default(), data))),
        MediaSource::Url(url) if place.target.caps.image_urls => Ok(Cow::Borrowed(url)),
        MediaSource::Url(_) => Err(place.unsupported("image_url must be a data: URL for this model")),
        MediaSource::FileId { .. } => Err(provider_scoped(place)),
        MediaSource::Text(_) => Err(place.unsupported("invalid image source")),
    }
}

fn document<'a>(file: &'a File, place: &Place<'_>, notes: &mut Notes) -> Result<WirePart<'a>, EncodeError> {
    let wire = match &file.source {
        MediaSource::Text(text) => {
            notes.info(&place.path, "a text document became text");
            return Ok(WirePart::text(titled(file, text)));
        }
        MediaSource::Url(_) => {
            return Err(
                place.unsupported("file URLs are not supported by this model; send file_data instead")
            );
        }
        MediaSource::FileId {
            id,
            issuer: Dialect::OpenAiChat,
        } => WireFile::Id { file_id: id },
        MediaSource::FileId { .. } => return Err(provider_scoped(place)),
        MediaSource::Base64(data) => {
            let mime = file.mime.as_deref().unwrap_or("application/pdf");
            let filename = file
                .filename
                .as_deref()
                .or(file.title.as_deref())
                .filter(|name| !name.is_empty());
            WireFile::Inline {
                file_data: data_url::write(mime, data),
                filename: filename.unwrap_or(DEFAULT_FILENAME),
            }
        }
    };
    Ok(WirePart::File { file: wire })
}

/// What a reader of a document sees above it.
fn titled<'a>(file: &File, text: &'a str) -> Cow<'a, str> {
    let title = file.title.as_deref().or(file.filename.as_deref());
    let above: Vec<&str> = [title, file.context.as_deref()].into_iter().flatten().collect();
    if above.is_empty() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}\n\n{text}", above.join("\n")))
}

fn provider_scoped(place: &Place<'_>) -> EncodeError {
    place.unsupported("file references are provider-scoped; send file_data instead")
}
