//! Requests that bring files: a form, RFC 7578, with fields and files in any order.
//!
//! The fields become the JSON object that requests of other kinds are, so that routing, aliases and rewriting know
//! nothing of forms. Files wait until the whole form is there, small ones in memory and large ones in a file without a
//! name: only then is it known what is asked of whom, a failed attempt can be made good by the next account, and of a
//! client that leaves halfway nothing remains.

mod encode;
mod recording;

use super::arrival::{Arrival, ArrivalError, next};
use crate::config::EdgeConfig;
use bytes::{Bytes, BytesMut};
use futures::stream;
use http::header::CONTENT_TYPE;
use llm::{DecodeError, Kind};
use multer::{Constraints, Field, Multipart, SizeLimit};
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::fs;
use tokio::io::AsyncWriteExt;

pub use encode::{encode, file};

/// A voice note fits, a lecture does not.
const IN_MEMORY: usize = 1024 * 1024;
/// Of one field that is no file.
const MAX_FIELD: usize = 1024 * 1024;
const MAX_PARTS: usize = 100;
/// Of a file, to see what it is.
const HEAD: usize = 64;

/// What a request is, once it is read.
#[derive(Debug, Default)]
pub struct Form {
    /// The fields as a JSON object; of a request that is none, its body.
    pub fields: Bytes,
    pub files: Vec<Upload>,
}

#[derive(Debug, Clone)]
pub struct Upload {
    name: String,
    filename: String,
    media_type: Option<String>,
    /// Its first bytes.
    head: Bytes,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Memory(Bytes),
    Disk { file: Arc<std::fs::File>, len: u64 },
}

// === impl Form ===

impl Form {
    /// Of a request that brings no files.
    pub fn without_files(body: Bytes) -> Self {
        Self {
            fields: body,
            files: Vec::new(),
        }
    }

    pub async fn read(arrival: &mut Arrival, edge: &EdgeConfig) -> Result<Self, ArrivalError> {
        let media_type = arrival.parts.headers.get(CONTENT_TYPE);
        let boundary = media_type.and_then(|value| multer::parse_boundary(value.to_str().ok()?).ok());
        let boundary = boundary.ok_or(ArrivalError::NotAForm)?;
        let limit = edge.max_upload_bytes;
        arrival.refuse_announced(limit, edge.body_idle()).await?;
        let pieces = stream::try_unfold(arrival.take_body(), |mut body| async move {
            let piece = next(&mut body, edge.body_idle()).await?;
            Ok::<_, ArrivalError>(piece.map(|piece| (piece, body)))
        });
        let sizes = SizeLimit::new().whole_stream(limit as u64);
        let constraints = Constraints::new().size_limit(sizes);
        let mut parts = Multipart::with_constraints(pieces, boundary, constraints);

        let (mut fields, mut files) = (Map::new(), Vec::new());
        for _ in 0..MAX_PARTS {
            let part = parts.next_field().await.map_err(|error| explain(error, limit))?;
            let Some(mut part) = part else {
                let fields = Value::Object(fields).to_string().into();
                return Ok(Self { fields, files });
            };
            let name = part.name().unwrap_or_default().to_owned();
            match part.file_name().map(str::to_owned) {
                Some(filename) => {
                    let media_type = part.content_type().map(ToString::to_string);
                    let (head, content) = store(&mut part, edge.upload_dir.as_deref(), limit).await?;
                    files.push(Upload {
                        name,
                        filename,
                        media_type,
                        head,
                        content,
                    });
                }
                None => add(&mut fields, name, text(&mut part, limit).await?),
            }
        }
        Err(ArrivalError::Form(format!("it has more than {MAX_PARTS} parts")))
    }

    /// How long the recording that a request of this kind is about may be, in milliseconds.
    pub fn recording_ms(&self, kind: Kind) -> u64 {
        if !matches!(kind, Kind::Transcription | Kind::Translation) {
            return 0;
        }
        let recording = self
            .files
            .iter()
            .find(|file| kind.file().is_some_and(|name| file.is(name)));
        recording.map_or(0, |file| recording::guess_ms(&file.head, file.content.len()))
    }

    /// Whether what a request of this kind is about is there.
    pub fn check(&self, kind: Kind) -> Result<(), DecodeError> {
        let Some(wanted) = kind.file() else {
            return Ok(());
        };
        let is_it = |file: &Upload| file.is(wanted) && file.content.len() > 0;
        match self.files.iter().any(is_it) {
            true => Ok(()),
            false => Err(DecodeError::at(
                wanted,
                format!("{wanted} is required, as a file"),
            )),
        }
    }
}

// === impl Upload ===

impl Upload {
    pub fn media_type(&self) -> Option<&str> {
        self.media_type.as_deref()
    }

    /// What a field is called that may come more than once.
    pub fn is(&self, name: &str) -> bool {
        self.name.trim_end_matches("[]") == name
    }
}

// === impl Content ===

impl Content {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Disk { len, .. } => *len,
        }
    }
}

/// A field that comes again, or whose name says that it may, is a list.
fn add(fields: &mut Map<String, Value>, name: String, text: String) {
    let is_list = name.ends_with("[]");
    match fields.get_mut(&name) {
        Some(Value::Array(values)) => values.push(text.into()),
        Some(value) => *value = Value::Array(vec![value.take(), text.into()]),
        None if is_list => drop(fields.insert(name, Value::Array(vec![text.into()]))),
        None => drop(fields.insert(name, text.into())),
    }
}

async fn text(part: &mut Field<'_>, limit: usize) -> Result<String, ArrivalError> {
    let mut whole = BytesMut::new();
    while let Some(piece) = part.chunk().await.map_err(|error| explain(error, limit))? {
        whole.extend_from_slice(&piece);
        if whole.len() > MAX_FIELD {
            return Err(ArrivalError::TooLarge { limit: MAX_FIELD });
        }
    }
    String::from_utf8(whole.into()).map_err(|_| ArrivalError::Form("a field of it is no UTF-8".to_owned()))
}

/// The first bytes, and all of it.
async fn store(
    part: &mut Field<'_>,
    dir: Option<&Path>,
    limit: usize,
) -> Result<(Bytes, Content), ArrivalError> {
    let first = |whole: &[u8]| Bytes::copy_from_slice(&whole[..whole.len().min(HEAD)]);
    let mut head = BytesMut::new();
    while let Some(piece) = part.chunk().await.map_err(|error| explain(error, limit))? {
        head.extend_from_slice(&piece);
        if head.len() > IN_MEMORY {
            let start = first(&head);
            let content = spill(part, head, dir.map(Path::to_owned), limit).await?;
            return Ok((start, content));
        }
    }
    Ok((first(&head), Content::Memory(head.freeze())))
}

async fn spill(
    part: &mut Field<'_>,
    head: BytesMut,
    dir: Option<PathBuf>,
    limit: usize,
) -> Result<Content, ArrivalError> {
    let made = tokio::task::spawn_blocking(move || match dir {
        Some(dir) => tempfile::tempfile_in(dir),
        None => tempfile::tempfile(),
    });
    let made = made.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let mut file = fs::File::from_std(made.map_err(ArrivalError::Disk)?);
    file.write_all(&head).await.map_err(ArrivalError::Disk)?;
    let mut len = head.len() as u64;
    drop(head);
    while let Some(piece) = part.chunk().await.map_err(|error| explain(error, limit))? {
        file.write_all(&piece).await.map_err(ArrivalError::Disk)?;
        len += piece.len() as u64;
    }
    file.flush().await.map_err(ArrivalError::Disk)?;
    Ok(Content::Disk {
        file: Arc::new(file.into_std().await),
        len,
    })
}

fn explain(error: multer::Error, limit: usize) -> ArrivalError {
    match error {
        multer::Error::StreamSizeExceeded { .. } => ArrivalError::TooLarge { limit },
        multer::Error::StreamReadFailed(source) => match source.downcast() {
            Ok(arrival) => *arrival,
            Err(_) => ArrivalError::Broken,
        },
        other => ArrivalError::Form(other.to_string()),
    }
}
