//! Documents: every one has a name of a small alphabet, and no two the same.

use super::block::Source;
use crate::error::EncodeError;
use crate::formats::anthropic_messages::request_encode::block::{Place, unaccepted};
use crate::formats::anthropic_messages::request_encode::media::provider_scoped;
use crate::note::Notes;
use crate::request::{File, MediaSource};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::borrow::Cow;

/// The service model's limit.
const MAX_NAME_CHARS: usize = 200;
/// Neutral, as the API reference advises: the model reads it.
const UNNAMED: &str = "Document";

#[derive(Debug, Serialize)]
pub struct Document<'a> {
    format: &'static str,
    name: String,
    source: Source<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    citations: Option<Citations>,
}

#[derive(Debug, Serialize)]
struct Citations {
    enabled: bool,
}

pub fn encode<'a>(
    file: &'a File,
    place: &Place<'_>,
    names: &mut Vec<String>,
    notes: &mut Notes,
) -> Result<Document<'a>, EncodeError> {
    let (format, data) = match &file.source {
        MediaSource::Base64(data) => {
            let mime = file.mime.as_deref().unwrap_or("application/pdf");
            let format = format(mime).ok_or_else(|| unaccepted(mime, place))?;
            (format, Cow::Borrowed(data.as_str()))
        }
        MediaSource::Text(text) => {
            let format = file.mime.as_deref().and_then(format).unwrap_or("txt");
            (format, Cow::Owned(STANDARD.encode(text)))
        }
        MediaSource::FileId { .. } => return Err(provider_scoped(place)),
        MediaSource::Url(_) => {
            let message = format!("{}: the upstream takes documents only as base64", place.path);
            return Err(EncodeError::unsupported(&place.path, message));
        }
    };
    let wanted = file.title.as_deref().or(file.filename.as_deref());
    let name = unique(&fitting(wanted.unwrap_or_default()), names);
    if wanted.is_some_and(|wanted| wanted != name) {
        notes.info(&place.path, format!("the document is sent as '{name}'"));
    }
    names.push(name.clone());
    Ok(Document {
        format,
        name,
        source: Source::Bytes(data),
        context: file.context.as_deref(),
        citations: file.citations.map(|enabled| Citations { enabled }),
    })
}

// === functions ===

fn format(mime: &str) -> Option<&'static str> {
    let essence = mime.split(';').next().unwrap_or_default();
    let format = match essence.trim().to_ascii_lowercase().as_str() {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "text/html" => "html",
        "text/markdown" | "text/x-markdown" => "md",
        other if other.starts_with("text/") => "txt",
        _ => return None,
    };
    Some(format)
}

/// Letters, digits, single spaces, hyphens, parentheses and square brackets are all that is allowed.
fn fitting(name: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-()[]".contains(c);
    let words: Vec<&str> = name
        .split(|c| !legal(c))
        .filter(|word| !word.is_empty())
        .collect();
    match words.join(" ") {
        name if name.is_empty() => UNNAMED.to_owned(),
        // what tells two of one name apart must fit behind it
        name => name
            .chars()
            .take(MAX_NAME_CHARS - 8)
            .collect::<String>()
            .trim_end()
            .to_owned(),
    }
}

fn unique(name: &str, taken: &[String]) -> String {
    let numbered = (2..).map(|n| format!("{name} ({n})"));
    let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
    candidates
        .find(|candidate| !taken.contains(candidate))
        .unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_to_the_apis_alphabet() {
        for (name, fits) in [
            ("report.pdf", "report pdf"),
            ("Q3  report_[final] (1)", "Q3 report [final] (1)"),
            ("../../etc", "etc"),
            ("\u{e9}t\u{e9}", "t"),
            ("", UNNAMED),
        ] {
            assert_eq!(fitting(name), fits, "{name}");
        }
        assert!(fitting(&"long ".repeat(100)).len() <= MAX_NAME_CHARS);
    }

    #[test]
    fn no_two_documents_have_one_name() {
        let mut names = Vec::new();
        for expected in ["a", "a (2)", "a (3)"] {
            let name = unique("a", &names);
            assert_eq!(name, expected);
            names.push(name);
        }
    }
}
