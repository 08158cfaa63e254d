//! Images and documents.

use super::block::{Block, CacheControl, Citations, Place, Source, unaccepted};
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{File, MediaSource};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

pub fn provider_scoped(place: &Place<'_>) -> EncodeError {
    EncodeError::unsupported(
        &place.path,
        "file references are provider-scoped; send file_data instead",
    )
}

pub fn image<'a>(
    source: &'a MediaSource,
    mime: Option<&'a str>,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Source<'a>, EncodeError> {
    match source {
        MediaSource::Base64(data) => Ok(Source::Base64 {
            media_type: media_type(data, mime, place, notes)?,
            data,
        }),
        MediaSource::Url(url) => Ok(Source::Url { url }),
        MediaSource::FileId {
            id,
            issuer: Dialect::AnthropicMessages,
        } => Ok(Source::File { file_id: id }),
        MediaSource::FileId { .. } => Err(provider_scoped(place)),
        MediaSource::Text(_) => Err(EncodeError::unsupported(&place.path, "invalid image source")),
    }
}

/// The API refuses an image whose declared type is not what its first bytes say.
pub fn media_type<'a>(
    data: &str,
    declared: Option<&'a str>,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Cow<'a, str>, EncodeError> {
    let sniffed = sniff(data);
    match (declared, sniffed) {
        (Some(declared), Some(sniffed)) if declared != sniffed => {
            notes.info(&place.path, format!("declared as {declared}, is {sniffed}"));
            Ok(Cow::Borrowed(sniffed))
        }
        (Some(declared), _) => Ok(Cow::Borrowed(declared)),
        (None, Some(sniffed)) => Ok(Cow::Borrowed(sniffed)),
        (None, None) => Err(EncodeError::unsupported(&place.path, "invalid image source")),
    }
}

fn sniff(data: &str) -> Option<&'static str> {
    // 16 characters are 12 bytes, enough for every signature below
    let bytes = STANDARD.decode(data.get(..16)?).ok()?;
    match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

pub fn document<'a>(
    file: &'a File,
    cache_control: Option<CacheControl<'a>>,
    place: &Place<'_>,
) -> Result<Block<'a>, EncodeError> {
    let mime = file.mime.as_deref().unwrap_or("application/pdf");
    let source = match &file.source {
        MediaSource::Text(text) => Source::Text {
            media_type: "text/plain",
            data: Cow::Borrowed(text),
        },
        MediaSource::Url(url) => Source::Url { url },
        MediaSource::FileId {
            id,
            issuer: Dialect::AnthropicMessages,
        } => Source::File { file_id: id },
        MediaSource::FileId { .. } => return Err(provider_scoped(place)),
        MediaSource::Base64(data) if mime == "application/pdf" => Source::Base64 {
            media_type: Cow::Borrowed(mime),
            data,
        },
        MediaSource::Base64(data) if mime.starts_with("text/") => {
            let text = STANDARD
                .decode(data)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| EncodeError::unsupported(&place.path, "file is not UTF-8 text"))?;
            Source::Text {
                media_type: "text/plain",
                data: Cow::Owned(text),
            }
        }
        MediaSource::Base64(_) => return Err(unaccepted(mime, place)),
    };
    if !place.target.caps.pdf && !matches!(source, Source::Text { .. }) {
        return Err(unaccepted("PDF", place));
    }
    Ok(Block::Document {
        source,
        title: file.title.as_deref().or(file.filename.as_deref()),
        context: file.context.as_deref(),
        citations: file.citations.map(|enabled| Citations { enabled }),
        cache_control,
    })
}
