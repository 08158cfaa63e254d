//! Requests that bring files, as one JSON object: fields as they are, and of a file its name, its type and its length.

use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use bytes::Bytes;
use futures::stream;
use multer::Multipart;
use serde_json::{Map, Value, json};
use std::convert::Infallible;

/// Of a request that is a form.
pub fn boundary(parts: &Parts) -> Option<String> {
    let media_type = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(media_type).ok()
}

/// Of a request that is a file and nothing else.
pub fn file(parts: &Parts, raw: &Bytes) -> Option<Value> {
    let media_type = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let is_file = ["audio/", "video/", "application/octet-stream"];
    let is_file = is_file.iter().any(|start| media_type.starts_with(start));
    is_file.then(|| json!({ "file": { "type": media_type, "bytes": raw.len() } }))
}

/// None for what is no form.
pub async fn read(boundary: String, raw: Bytes) -> Option<Value> {
    let whole = stream::iter([Ok::<_, Infallible>(raw)]);
    let mut parts = Multipart::new(whole, boundary);
    let mut fields = Map::new();
    while let Some(part) = parts.next_field().await.ok()? {
        let name = part.name().unwrap_or_default().to_owned();
        let filename = part.file_name().map(str::to_owned);
        let media_type = part.content_type().map(ToString::to_string);
        let content = part.bytes().await.ok()?;
        let value = match filename {
            Some(filename) => json!({ "filename": filename, "type": media_type, "bytes": content.len() }),
            None => String::from_utf8_lossy(&content).into(),
        };
        match fields.get_mut(&name) {
            None if name.ends_with("[]") => drop(fields.insert(name, json!([value]))),
            None => drop(fields.insert(name, value)),
            Some(Value::Array(values)) => values.push(value),
            Some(other) => *other = json!([other.take(), value]),
        }
    }
    Some(Value::Object(fields))
}
