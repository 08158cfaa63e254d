//! `content`: a string, or a list of parts.

use super::super::data_url;
use super::super::object::{Object, fault, items, value};
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::{CacheMark, File, MediaSource, Part, PartKind};
use serde_json::value::RawValue;

/// How every PDF begins, in base64.
const PDF_MAGIC: &str = "JVBERi";

/// An empty string says nothing, so it is no part.
pub fn parts(raw: Option<&RawValue>, path: &str) -> Result<Vec<Part>, DecodeError> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    match raw.get().as_bytes().first() {
        Some(b'"') => {
            let text: String = value(raw, path)?;
            Ok(if text.is_empty() {
                Vec::new()
            } else {
                vec![Part::text(text)]
            })
        }
        Some(b'[') => items(raw, path)?
            .into_iter()
            .map(|(path, raw)| part(raw, path))
            .collect(),
        _ => Err(fault(path, "expected a string or a list of parts")),
    }
}

fn part(raw: &RawValue, path: String) -> Result<Part, DecodeError> {
    if raw.get().starts_with('"') {
        return Ok(Part::text(value::<String>(raw, &path)?));
    }
    let part = Object::read(raw, path)?;
    let kind = match part.text("type")?.as_deref() {
        Some("text" | "input_text" | "output_text") => text(&part)?,
        None if part.raw("text").is_some() => text(&part)?,
        Some("refusal") => PartKind::Refusal(part.required_text("refusal")?),
        Some("image_url" | "input_image") => image(&part)?,
        Some("input_audio") => audio(&part)?,
        Some("file" | "input_file") => PartKind::File(file(&part)?),
        Some(_) => PartKind::Native {
            dialect: Dialect::OpenAiChat,
            raw: value(raw, part.path())?,
        },
        None => return Err(part.fault("type", "is required")),
    };
    Ok(Part {
        kind,
        cache: cache_mark(&part)?,
    })
}

/// Anthropic's `cache_control`, which several gateways accept here, or this vendor's own breakpoint.
pub(super) fn cache_mark(object: &Object<'_>) -> Result<Option<CacheMark>, DecodeError> {
    if let Some(mark) = object.object("cache_control")? {
        return Ok(Some(CacheMark {
            ttl: mark.text("ttl")?,
        }));
    }
    // its lifetimes are not Anthropic's, so only the place of the mark is kept
    Ok(object
        .raw("prompt_cache_breakpoint")
        .map(|_| CacheMark { ttl: None }))
}

fn text(part: &Object<'_>) -> Result<PartKind, DecodeError> {
    Ok(PartKind::Text {
        text: part.required_text("text")?,
        citations: Vec::new(),
    })
}

/// `image_url` is an object, but a bare string is common.
fn image(part: &Object<'_>) -> Result<PartKind, DecodeError> {
    let raw = part.raw("image_url").ok_or_else(|| invalid_image(part))?;
    let (url, detail) = if raw.get().starts_with('"') {
        (value::<String>(raw, &part.at("image_url"))?, part.text("detail")?)
    } else {
        let image = Object::read(raw, part.at("image_url"))?;
        (image.text("url")?.unwrap_or_default(), image.text("detail")?)
    };
    if url.is_empty() {
        return Err(invalid_image(part));
    }
    if !data_url::is_data_url(&url) {
        return Ok(PartKind::Image {
            source: MediaSource::Url(url),
            mime: None,
            detail,
        });
    }
    let inline = data_url::parse(&url).filter(|inline| !inline.data.is_empty());
    let inline = inline.ok_or_else(|| invalid_image(part))?;
    if inline.mime.as_deref() == Some("application/pdf") {
        return Ok(PartKind::File(document(inline.data, inline.mime, None)));
    }
    Ok(PartKind::Image {
        source: MediaSource::Base64(inline.data),
        mime: inline.mime,
        detail,
    })
}

fn audio(part: &Object<'_>) -> Result<PartKind, DecodeError> {
    let audio = part
        .object("input_audio")?
        .ok_or_else(|| part.fault("input_audio", "is required"))?;
    Ok(PartKind::Audio {
        data: audio.required_text("data")?,
        format: audio.required_text("format")?,
    })
}

fn file(part: &Object<'_>) -> Result<File, DecodeError> {
    let nested = part.object("file")?;
    let file = nested.as_ref().unwrap_or(part);
    let filename = file.text("filename")?;
    if let Some(data) = file.text("file_data")? {
        let (data, mime) = match data_url::parse(&data) {
            Some(inline) => (inline.data, inline.mime),
            None => (data, None),
        };
        let mime = mime.or_else(|| data.starts_with(PDF_MAGIC).then(|| "application/pdf".to_owned()));
        return Ok(document(data, mime, filename));
    }
    let source = match (file.text("file_id")?, file.text("file_url")?) {
        (Some(id), _) => MediaSource::FileId {
            id,
            issuer: Dialect::OpenAiChat,
        },
        (None, Some(url)) => MediaSource::Url(url),
        (None, None) => return Err(file.fault("file_data", "is required, unless file_id is given")),
    };
    Ok(File {
        source,
        mime: None,
        filename,
        title: None,
        context: None,
        citations: None,
    })
}

fn document(data: String, mime: Option<String>, filename: Option<String>) -> File {
    File {
        source: MediaSource::Base64(data),
        mime,
        filename,
        title: None,
        context: None,
        citations: None,
    }
}

fn invalid_image(part: &Object<'_>) -> DecodeError {
    DecodeError::at(part.path(), format!("{}: invalid image source", part.path()))
}
