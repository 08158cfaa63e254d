//! What vendors that draw, listen and speak have in common here: one answer, whole, and the same each time.

use crate::received::Billed;
use crate::wire::Reply;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// One transparent pixel.
pub const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// Of a recording.
const BYTES_PER_SECOND: u64 = 16_000;

/// An answer that ends its exchange, whether it is one or a refusal.
pub fn told(mut reply: Reply, answered: Result<Response, Response>) -> Response {
    let response = match answered {
        Ok(response) => {
            reply.exchange.begin(&reply.id, Billed::default());
            response
        }
        Err(refusal) => refusal,
    };
    reply.exchange.finish();
    response
}

pub fn with_status(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(body)).into_response()
}

/// The first field that the vendor does not know.
pub fn unknown<'a>(body: &'a Value, known: &[&str]) -> Option<&'a str> {
    let mut fields = body.as_object()?.keys().map(String::as_str);
    fields.find(|name| !known.contains(name))
}

pub fn seconds(bytes: u64) -> u64 {
    1 + bytes / BYTES_PER_SECOND
}

/// A value of a query, as it is written.
pub fn in_query<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
