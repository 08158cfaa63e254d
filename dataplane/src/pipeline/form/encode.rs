//! A form on its way to a provider. Its length is known beforehand, for some providers take no other.

use super::{Content, Upload};
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use llm::{ErrorKind, UpstreamError};
use runtime::crypto;
use runtime::egress::Payload;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::{JoinHandle, spawn_blocking};

const PIECE: u64 = 64 * 1024;
const BOUNDARY_LETTERS: usize = 32;

struct Encoded {
    left: VecDeque<Part>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// Bytes to come.
    size: u64,
}

enum Part {
    Bytes(Bytes),
    File { file: Arc<File>, at: u64, end: u64 },
}

/// The value of its `Content-Type`, and the form. `fields` is a JSON object of texts and lists of texts.
pub fn encode(fields: &[u8], files: &[Upload]) -> Result<(String, Payload), UpstreamError> {
    let fields: Map<String, Value> = serde_json::from_slice(fields)
        .map_err(|_| UpstreamError::new(ErrorKind::Internal, "the form cannot be written"))?;
    let boundary = crypto::random_token(BOUNDARY_LETTERS);
    let mut parts = VecDeque::new();
    let mut text = String::new();
    for (name, value) in &fields {
        for value in list(value) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let name = quoted(name);
            let _ = write!(
                text,
                "--{boundary}\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n"
            );
        }
    }
    for file in files {
        let (name, filename) = (quoted(&file.name), quoted(&file.filename));
        let media_type = file.media_type.as_deref().unwrap_or("application/octet-stream");
        let _ = write!(
            text,
            "--{boundary}\r\nContent-Disposition: form-data; name={name}; filename={filename}\r\n\
             Content-Type: {media_type}\r\n\r\n"
        );
        parts.push_back(Part::Bytes(std::mem::take(&mut text).into()));
        parts.push_back(Part::of(&file.content));
        text.push_str("\r\n");
    }
    let _ = write!(text, "--{boundary}--\r\n");
    parts.push_back(Part::Bytes(text.into()));
    let media_type = format!("multipart/form-data; boundary={boundary}");
    Ok((media_type, payload(parts)))
}

/// One file as it is.
pub fn file(file: &Upload) -> Payload {
    payload(VecDeque::from([Part::of(&file.content)]))
}

fn payload(parts: VecDeque<Part>) -> Payload {
    let encoded = Encoded {
        size: parts.iter().map(Part::len).sum(),
        left: parts,
        reading: None,
    };
    Payload::Pieces(encoded.boxed_unsync())
}

// === impl Encoded ===

impl Body for Encoded {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        loop {
            if let Some(reading) = &mut this.reading {
                let read = ready!(Pin::new(reading).poll(cx));
                this.reading = None;
                let piece = read.unwrap_or_else(|error| Err(io::Error::other(error)))?;
                this.size -= piece.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            match this.left.pop_front() {
                None => return Poll::Ready(None),
                Some(Part::Bytes(bytes)) if bytes.is_empty() => {}
                Some(Part::Bytes(bytes)) => {
                    this.size -= bytes.len() as u64;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Part::File { at, end, .. }) if at == end => {}
                Some(Part::File { file, at, end }) => {
                    let length = PIECE.min(end - at);
                    this.left.push_front(Part::File {
                        file: file.clone(),
                        at: at + length,
                        end,
                    });
                    this.reading = Some(spawn_blocking(move || read(&file, at, length)));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size)
    }
}

// === impl Part ===

impl Part {
    fn of(content: &Content) -> Self {
        match content {
            Content::Memory(bytes) => Self::Bytes(bytes.clone()),
            Content::Disk { file, len } => Self::File {
                file: file.clone(),
                at: 0,
                end: *len,
            },
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { at, end, .. } => end - at,
        }
    }
}

/// At its place, not where the file was read last: attempts that race each other read the same file.
fn read(file: &File, at: u64, length: u64) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut piece = BytesMut::zeroed(length);
    file.read_exact_at(&mut piece, at)?;
    Ok(piece.freeze())
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        one => std::slice::from_ref(one),
    }
}

/// As browsers write names in forms: <https://html.spec.whatwg.org/#multipart-form-data>.
fn quoted(name: &str) -> String {
    let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    format!("\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn upload(content: Content) -> Upload {
        Upload {
            name: "file".to_owned(),
            filename: "a \"b\".mp3".to_owned(),
            media_type: Some("audio/mpeg".to_owned()),
            head: Bytes::new(),
            content,
        }
    }

    async fn written(files: &[Upload]) -> (u64, String) {
        let fields = br#"{"model":"whisper-1","kinds[]":["word","segment"]}"#;
        let (media_type, payload) = encode(fields, files).unwrap();
        let boundary = media_type.split('=').nth(1).unwrap().to_owned();
        let announced = payload.size_hint().exact().unwrap();
        let bytes = payload.collect().await.unwrap().to_bytes();
        assert_eq!(announced, bytes.len() as u64);
        let text = String::from_utf8_lossy(&bytes).replace(&boundary, "BOUNDARY");
        (announced, text)
    }

    #[tokio::test]
    async fn a_form_is_what_it_says_it_is_and_as_long() {
        let (_, text) = written(&[upload(Content::Memory(Bytes::from_static(b"ID3")))]).await;
        let expected = "--BOUNDARY\r\nContent-Disposition: form-data; name=\"kinds[]\"\r\n\r\nword\r\n\
             --BOUNDARY\r\nContent-Disposition: form-data; name=\"kinds[]\"\r\n\r\nsegment\r\n\
             --BOUNDARY\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
             --BOUNDARY\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a %22b%22.mp3\"\r\n\
             Content-Type: audio/mpeg\r\n\r\nID3\r\n--BOUNDARY--\r\n";
        let sorted = |text: &str| {
            let mut parts: Vec<_> = text.split("--BOUNDARY").map(str::to_owned).collect();
            parts.sort();
            parts
        };
        assert_eq!(sorted(&text), sorted(expected));
    }

    #[tokio::test]
    async fn a_file_is_read_whole_by_each_of_two_that_read_it_at_once() {
        let content: Vec<u8> = (0..200_000_u32).map(|n| b'a' + (n % 26) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        let file = upload(Content::Disk {
            file: Arc::new(file),
            len: content.len() as u64,
        });
        let files = [file];
        let ((one_len, one), (_, other)) = tokio::join!(written(&files), written(&files));
        let content = String::from_utf8(content).unwrap();
        assert!(one_len > content.len() as u64);
        assert!(one.contains(&content) && other.contains(&content));
    }
}
