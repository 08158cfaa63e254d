//! Images, audio and documents; the API wants a MIME type with each.

use super::super::address;
use super::super::chunk::{Blob, FileData, Part};
use super::super::mime;
use super::content::Place;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{File, MediaSource};
use std::borrow::Cow;

/// What an address without a telling end is taken for.
const LIKELY_IMAGE: &str = "image/jpeg";
const LIKELY_DOCUMENT: &str = "application/pdf";

pub fn image<'a>(
    source: &'a MediaSource,
    declared: Option<&'a str>,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Part<'a>, EncodeError> {
    match source {
        MediaSource::Base64(data) => {
            let mime = mime::sniffed(data).or(declared);
            let mime = mime.ok_or_else(|| EncodeError::unsupported(&place.path, "invalid image source"))?;
            if let Some(declared) = declared.filter(|declared| *declared != mime) {
                notes.info(&place.path, format!("declared as {declared}, is {mime}"));
            }
            Ok(inline(mime, data))
        }
        MediaSource::Url(uri) if !place.target.caps.image_urls && !address::is_own(uri) => Err(
            EncodeError::unsupported(&place.path, "image_url must be a data: URL for this model"),
        ),
        MediaSource::Url(uri) => by_uri(uri, declared, LIKELY_IMAGE, place, notes),
        MediaSource::FileId { id, issuer } => uploaded(id, *issuer, declared, LIKELY_IMAGE, place, notes),
        MediaSource::Text(_) => Err(EncodeError::unsupported(&place.path, "invalid image source")),
    }
}

pub fn audio<'a>(data: &'a str, format: &str) -> Part<'a> {
    let mime = match format.contains('/') {
        true => format.to_owned(),
        false => format!("audio/{format}"),
    };
    inline(mime, data)
}

pub fn document<'a>(file: &'a File, place: &Place<'_>, notes: &mut Notes) -> Result<Part<'a>, EncodeError> {
    let declared = file.mime.as_deref();
    Ok(match &file.source {
        MediaSource::Text(text) => match file.title.as_deref().or(file.filename.as_deref()) {
            Some(title) => Part::text(format!("{title}\n\n{text}")),
            None => Part::text(text),
        },
        MediaSource::Base64(data) => {
            let mime = declared
                .or_else(|| mime::sniffed(data))
                .unwrap_or(LIKELY_DOCUMENT);
            inline(mime, data)
        }
        MediaSource::Url(uri) => by_uri(uri, declared, LIKELY_DOCUMENT, place, notes)?,
        MediaSource::FileId { id, issuer } => uploaded(id, *issuer, declared, LIKELY_DOCUMENT, place, notes)?,
    })
}

// === functions ===

fn inline<'a>(mime_type: impl Into<Cow<'a, str>>, data: &'a str) -> Part<'a> {
    Part {
        inline_data: Some(Blob {
            mime_type: mime_type.into(),
            data: Cow::Borrowed(data),
        }),
        ..Part::default()
    }
}

fn uploaded<'a>(
    id: &'a str,
    issuer: Dialect,
    declared: Option<&'a str>,
    likely: &'static str,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Part<'a>, EncodeError> {
    if issuer != Dialect::Gemini {
        let message = "file references are provider-scoped; send file_data instead";
        return Err(EncodeError::unsupported(&place.path, message));
    }
    by_uri(id, declared, likely, place, notes)
}

fn by_uri<'a>(
    file_uri: &'a str,
    declared: Option<&'a str>,
    likely: &'static str,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Part<'a>, EncodeError> {
    let known = declared.or_else(|| mime::of_url(file_uri));
    if known.is_none() && file_uri.starts_with("gs://") {
        return Err(EncodeError::unsupported(
            &place.path,
            "a gs:// address needs a MIME type",
        ));
    }
    if known.is_none() {
        notes.synth(
            &place.path,
            format!("the upstream wants a MIME type; {likely} was assumed"),
        );
    }
    Ok(Part {
        file_data: Some(FileData {
            mime_type: Cow::Borrowed(known.unwrap_or(likely)),
            file_uri,
        }),
        ..Part::default()
    })
}
