//! Media that a client named by address, for an upstream that takes only the bytes.
//!
//! Nothing is fetched here: [`wanted`] lists what a target needs, the caller brings the bytes, and
//! [`Fetched::inline`] puts them where the addresses stood. Whatever is not brought stays an address, and the
//! encoder refuses it: media are never left out and never become a text about themselves.

use crate::caps::ModelCaps;
use crate::dialect::Dialect;
use crate::error::EncodeError;
use crate::formats::gemini;
use crate::note::Notes;
use crate::request::{File, MediaSource, Message, Part, PartKind, Request};
use crate::translate::Target;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use thiserror::Error;

/// Of an address, an error repeats this much.
const SHOWN_CHARS: usize = 200;

/// Types that say nothing about what the bytes are; object stores serve everything as these.
const UNTYPED: [&str; 2] = ["application/octet-stream", "binary/octet-stream"];

/// One address whose bytes a target needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub url: String,
    pub kind: MediaKind,
    /// Where it stands first, for the client to find it.
    path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MediaKind {
    Image,
    Document,
}

/// What was found behind the addresses of one request.
#[derive(Debug, Clone, Default)]
pub struct Fetched(BTreeMap<(MediaKind, String), Medium>);

/// Bytes that are known to be what they are used as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    source: Source,
    mime: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Base64(String),
    Text(String),
}

/// Why bytes are not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MediumError {
    #[error("it is not a PNG, JPEG, GIF or WebP image")]
    NotAnImage,
    #[error("it is not a PDF or text")]
    NotADocument,
}

// === impl MediaKind ===

impl MediaKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Document => "file",
        }
    }

    /// Whether a server that declares its answer so may have sent what is wanted. What it really sent is told by
    /// [`Medium::read`]; an error page need not be read for that.
    pub fn may_be(self, content_type: Option<&str>) -> Result<(), MediumError> {
        let mime = content_type.map(essence).unwrap_or_default();
        if mime.is_empty() || UNTYPED.contains(&mime.as_str()) {
            return Ok(());
        }
        match self {
            Self::Image if mime.starts_with("image/") => Ok(()),
            Self::Image => Err(MediumError::NotAnImage),
            Self::Document if mime == "application/pdf" || is_plain(&mime) => Ok(()),
            Self::Document => Err(MediumError::NotADocument),
        }
    }
}

// === impl Medium ===

impl Medium {
    /// The first bytes decide: several providers refuse an image whose declared type is not its real one.
    pub fn read(kind: MediaKind, content_type: Option<&str>, bytes: &[u8]) -> Result<Self, MediumError> {
        kind.may_be(content_type)?;
        let declared = content_type.map(essence).unwrap_or_default();
        match kind {
            MediaKind::Image => {
                let mime = image_type(bytes).ok_or(MediumError::NotAnImage)?;
                Ok(Self::encoded(mime, bytes))
            }
            MediaKind::Document if bytes.starts_with(b"%PDF") => Ok(Self::encoded("application/pdf", bytes)),
            MediaKind::Document if is_plain(&declared) => {
                let text = std::str::from_utf8(bytes).map_err(|_| MediumError::NotADocument)?;
                Ok(Self {
                    source: Source::Text(text.to_owned()),
                    mime: declared,
                })
            }
            MediaKind::Document => Err(MediumError::NotADocument),
        }
    }

    fn encoded(mime: &str, bytes: &[u8]) -> Self {
        Self {
            source: Source::Base64(STANDARD.encode(bytes)),
            mime: mime.to_owned(),
        }
    }

    fn source(&self) -> MediaSource {
        match &self.source {
            Source::Base64(data) => MediaSource::Base64(data.clone()),
            Source::Text(text) => MediaSource::Text(text.clone()),
        }
    }
}

// === impl Wanted ===

impl Wanted {
    /// What the client is told when the bytes cannot be had.
    pub fn refused(&self, reason: impl std::fmt::Display) -> EncodeError {
        let (path, kind, url) = (&self.path, self.kind.name(), shown(&self.url));
        EncodeError::unsupported(
            path.as_str(),
            format!("{path}: the {kind} at {url} cannot be fetched: {reason}"),
        )
    }
}

// === impl Fetched ===

impl Fetched {
    pub fn insert(&mut self, wanted: &Wanted, medium: Medium) {
        self.0.insert((wanted.kind, wanted.url.clone()), medium);
    }

    pub fn has(&self, wanted: &Wanted) -> bool {
        self.0.contains_key(&(wanted.kind, wanted.url.clone()))
    }

    /// Replaces the addresses that the target does not take.
    pub(crate) fn inline(&self, request: &mut Request, target: &Target, notes: &mut Notes) {
        if self.0.is_empty() {
            return;
        }
        for (index, message) in request.messages.iter_mut().enumerate() {
            for part in &mut message.parts {
                let parts = match &mut part.kind {
                    PartKind::ToolResult(result) => result.parts.as_mut_slice(),
                    _ => std::slice::from_mut(part),
                };
                for part in parts {
                    self.inline_part(part, index, target, notes);
                }
            }
        }
    }

    fn inline_part(&self, part: &mut Part, message: usize, target: &Target, notes: &mut Notes) {
        let Some((kind, url)) = needed(&part.kind, target) else {
            return;
        };
        let Some(medium) = self.0.get(&(kind, url.to_owned())) else {
            return;
        };
        notes.info(
            format!("messages[{message}].content"),
            format!(
                "the upstream fetches nothing; the {} was fetched for it",
                kind.name()
            ),
        );
        match &mut part.kind {
            PartKind::Image { source, mime, .. } | PartKind::File(File { source, mime, .. }) => {
                *source = medium.source();
                *mime = Some(medium.mime.clone());
            }
            _ => {}
        }
    }
}

// === functions ===

/// What the target needs the bytes of, each address once.
pub fn wanted(request: &Request, target: &Target) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for (i, message) in request.messages.iter().enumerate() {
        for (k, part) in media_of(message) {
            let Some((kind, url)) = needed(&part.kind, target) else {
                continue;
            };
            if all.iter().any(|known| known.kind == kind && known.url == url) {
                continue;
            }
            all.push(Wanted {
                url: url.to_owned(),
                kind,
                path: format!("messages[{i}].content[{k}]"),
            });
        }
    }
    all
}

/// The parts of a message with those inside its tool results, and the place of each.
fn media_of(message: &Message) -> impl Iterator<Item = (usize, &Part)> {
    message.parts.iter().enumerate().flat_map(|(k, part)| {
        let parts = match &part.kind {
            PartKind::ToolResult(result) => result.parts.as_slice(),
            _ => std::slice::from_ref(part),
        };
        parts.iter().map(move |part| (k, part))
    })
}

/// The address, when the target could use what is there but does not fetch it itself.
fn needed<'a>(kind: &'a PartKind, target: &Target) -> Option<(MediaKind, &'a str)> {
    let (kind, url) = match kind {
        PartKind::Image {
            source: MediaSource::Url(url),
            ..
        } if target.caps.images && !target.caps.image_urls => (MediaKind::Image, url),
        PartKind::File(file) => match &file.source {
            MediaSource::Url(url) if reads(&target.caps, file) => (MediaKind::Document, url),
            _ => return None,
        },
        _ => return None,
    };
    let own = target.dialect == Dialect::Gemini && gemini::is_own_address(url);
    (!own).then_some((kind, url.as_str()))
}

/// Sound and film are too large to be carried along, and no address of them is refused here.
fn reads(caps: &ModelCaps, file: &File) -> bool {
    let document = file.mime.as_deref().is_none_or(|mime| {
        let mime = essence(mime);
        mime == "application/pdf" || is_plain(&mime)
    });
    document && caps.pdf && !caps.file_urls
}

/// A MIME type without its parameters, in lower case.
fn essence(mime: &str) -> String {
    let mime = mime.split(';').next().unwrap_or_default();
    mime.trim().to_ascii_lowercase()
}

/// A page of the web is no document: most often it is a login form where a file was meant to be.
fn is_plain(mime: &str) -> bool {
    mime.starts_with("text/") && mime != "text/html"
}

fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// An address without what may be secret in it: signed addresses carry their signature in the query.
fn shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let bare = match bare.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{path}")
        }
        None => bare.to_owned(),
    };
    match bare.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &bare[..end]),
        None => bare,
    }
}

#[cfg(test)]
mod tests;
