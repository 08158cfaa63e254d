//! The error envelope, `{"error":"…"}`: one key, and the status says the rest.

use crate::dialect::Dialect;
use crate::error::PublicError;
use crate::frame::write_line;
use serde::Serialize;

#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a str,
}

/// Before the first byte: status and body.
pub fn encode(error: &PublicError) -> (u16, Vec<u8>) {
    (error.status(Dialect::OllamaChat), line(error))
}

/// After the first byte: the line that ends a stream instead of one that says `done`.
pub fn line(error: &PublicError) -> Vec<u8> {
    let mut out = Vec::new();
    write_line(
        &mut out,
        &Envelope {
            error: &error.message,
        },
    );
    out
}
