//! `content` of a message and `output` of a tool: a string, or a list of typed parts.

use super::super::super::openai_chat::data_url;
use super::super::super::openai_chat::object::{Object, fault, items, value};
use super::super::annotation;
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::{CacheMark, File, MediaSource, Part, PartKind};
use serde_json::Value;
use serde_json::value::RawValue;

/// How every PDF begins, in base64.
const PDF_MAGIC: &str = "JVBERi";

/// An empty string says nothing, so it is no part.
pub fn parts(raw: Option<&RawValue>, path: &str) -> Result<Vec<Part>, DecodeError> {
    let Some(raw) = raw else { return Ok(Vec::new()) };
    match raw.get().as_bytes().first() {
        Some(b'"') => {
            let text: String = value(raw, path)?;
            let part = (!text.is_empty()).then(|| Part::text(text));
            Ok(part.into_iter().collect())
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
        Some("input_text" | "output_text" | "text" | "summary_text") => text(&part)?,
        None if part.raw("text").is_some() => text(&part)?,
        Some("refusal") => PartKind::Refusal(part.required_text("refusal")?),
        Some("input_image" | "image_url") => image(&part)?,
        Some("input_file") => file(&part)?,
        Some("input_audio") => audio(&part)?,
        Some(_) => PartKind::Native {
            dialect: Dialect::OpenAiResponses,
            raw: value(raw, part.path())?,
        },
        None => return Err(part.fault("type", "is required")),
    };
    let cache = part
        .raw("prompt_cache_breakpoint")
        .map(|_| CacheMark { ttl: None });
    Ok(Part { kind, cache })
}

fn text(part: &Object<'_>) -> Result<PartKind, DecodeError> {
    let annotations: Vec<Value> = part.get("annotations")?.unwrap_or_default();
    Ok(PartKind::Text {
        text: part.required_text("text")?,
        citations: annotations.iter().map(annotation::read).collect(),
    })
}

/// `image_url` is a string here, but the object of the vendor's other API is common.
fn image(part: &Object<'_>) -> Result<PartKind, DecodeError> {
    let detail = part.text("detail")?;
    let raw = match (part.raw("image_url"), part.text("file_id")?) {
        (Some(raw), _) => raw,
        (None, Some(id)) => {
            return Ok(PartKind::Image {
                source: file_id(id),
                mime: None,
                detail,
            });
        }
        (None, None) => return Err(invalid_image(part)),
    };
    let (url, detail) = if raw.get().starts_with('{') {
        let nested = Object::read(raw, part.at("image_url"))?;
        (nested.required_text("url")?, nested.text("detail")?.or(detail))
    } else {
        (value::<String>(raw, &part.at("image_url"))?, detail)
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
    let source = MediaSource::Base64(inline.data);
    if inline.mime.as_deref() == Some("application/pdf") {
        return Ok(PartKind::File(document(source, inline.mime, None)));
    }
    Ok(PartKind::Image {
        source,
        mime: inline.mime,
        detail,
    })
}

fn file(part: &Object<'_>) -> Result<PartKind, DecodeError> {
    let filename = part.text("filename")?;
    if let Some(data) = part.text("file_data")? {
        let (data, mime) = match data_url::parse(&data) {
            Some(inline) => (inline.data, inline.mime),
            None => (data, None),
        };
        let mime = mime.or_else(|| data.starts_with(PDF_MAGIC).then(|| "application/pdf".to_owned()));
        return Ok(PartKind::File(document(
            MediaSource::Base64(data),
            mime,
            filename,
        )));
    }
    let source = match (part.text("file_id")?, part.text("file_url")?) {
        (Some(id), _) => file_id(id),
        (None, Some(url)) => MediaSource::Url(url),
        (None, None) => {
            return Err(part.fault("file_data", "is required, unless file_id or file_url is given"));
        }
    };
    Ok(PartKind::File(document(source, None, filename)))
}

fn audio(part: &Object<'_>) -> Result<PartKind, DecodeError> {
    let nested = part.object("input_audio")?;
    let audio = nested.as_ref().unwrap_or(part);
    Ok(PartKind::Audio {
        data: audio.required_text("data")?,
        format: audio.required_text("format")?,
    })
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

fn file_id(id: String) -> MediaSource {
    MediaSource::FileId {
        id,
        issuer: Dialect::OpenAiResponses,
    }
}

fn invalid_image(part: &Object<'_>) -> DecodeError {
    fault(part.path(), "invalid image source")
}
