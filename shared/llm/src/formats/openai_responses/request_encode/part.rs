//! Content of a user, of instructions and of a tool's result.

use super::super::super::openai_chat::data_url;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::note::Notes;
use crate::request::{File, MediaSource, Part, PartKind};
use crate::translate::Target;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

const DEFAULT_FILENAME: &str = "document.pdf";

#[derive(Serialize)]
#[serde(tag = "type")]
pub enum Input<'a> {
    #[serde(rename = "input_text")]
    Text { text: Cow<'a, str> },
    #[serde(rename = "input_image")]
    Image {
        #[serde(skip_serializing_if = "Option::is_none")]
        image_url: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        detail: &'a str,
    },
    #[serde(rename = "input_file")]
    File {
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<&'a str>,
    },
    #[serde(rename = "input_audio")]
    Audio { input_audio: Audio<'a> },
    #[serde(untagged)]
    Native(&'a Value),
}

#[derive(Serialize)]
pub struct Audio<'a> {
    data: &'a str,
    format: &'a str,
}

/// `None` when the part has no place in content.
pub fn encode<'a>(
    part: &'a Part,
    path: &str,
    target: &Target,
    notes: &mut Notes,
) -> Result<Option<Input<'a>>, EncodeError> {
    Ok(Some(match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => Input::Text {
            text: Cow::Borrowed(text),
        },
        PartKind::Image { source, mime, detail } => {
            image(source, mime.as_deref(), detail.as_deref(), path, target)?
        }
        PartKind::File(file) => document(file, path)?,
        PartKind::Audio { data, format } => Input::Audio {
            input_audio: Audio { data, format },
        },
        PartKind::Native {
            dialect: Dialect::OpenAiResponses,
            raw,
        } => Input::Native(raw),
        PartKind::Native { dialect, .. } => {
            notes.loss(path, format!("a block only {dialect} understands"));
            return Ok(None);
        }
        PartKind::ToolCall(_)
        | PartKind::ToolResult(_)
        | PartKind::Reasoning { .. }
        | PartKind::RedactedReasoning(_) => return Ok(None),
    }))
}

fn image<'a>(
    source: &'a MediaSource,
    mime: Option<&str>,
    detail: Option<&'a str>,
    path: &str,
    target: &Target,
) -> Result<Input<'a>, EncodeError> {
    let (image_url, file_id) = match source {
        MediaSource::Base64(data) => {
            let url = data_url::write(mime.unwrap_or("image/png"), data);
            (Some(Cow::Owned(url)), None)
        }
        MediaSource::Url(url) if target.caps.image_urls => (Some(Cow::Borrowed(url.as_str())), None),
        MediaSource::Url(_) => {
            let message = "image_url must be a data: URL for this model";
            return Err(EncodeError::unsupported(path, message));
        }
        MediaSource::FileId { id, .. } => (None, Some(id.as_str())),
        MediaSource::Text(_) => return Err(EncodeError::unsupported(path, "invalid image source")),
    };
    Ok(Input::Image {
        image_url,
        file_id,
        detail: detail.unwrap_or("auto"),
    })
}

fn document<'a>(file: &'a File, path: &str) -> Result<Input<'a>, EncodeError> {
    let name = file.filename.as_deref().or(file.title.as_deref());
    let name = name.filter(|name| !name.is_empty());
    let (file_data, file_url, file_id, filename) = match &file.source {
        MediaSource::Text(text) => {
            let above = [name, file.context.as_deref()].into_iter().flatten();
            let lines: Vec<&str> = above.chain([text.as_str()]).collect();
            return Ok(Input::Text {
                text: Cow::Owned(lines.join("\n")),
            });
        }
        MediaSource::Base64(data) if data.is_empty() => {
            return Err(EncodeError::unsupported(path, "invalid file source"));
        }
        MediaSource::Base64(data) => {
            let mime = file.mime.as_deref().unwrap_or("application/pdf");
            let filename = name.unwrap_or(DEFAULT_FILENAME);
            (Some(data_url::write(mime, data)), None, None, Some(filename))
        }
        // the vendor refuses a name beside an address or an id
        MediaSource::Url(url) => (None, Some(url.as_str()), None, None),
        MediaSource::FileId { id, .. } => (None, None, Some(id.as_str()), None),
    };
    Ok(Input::File {
        file_data,
        file_url,
        file_id,
        filename,
    })
}
