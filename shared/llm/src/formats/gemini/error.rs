//! This dialect's error envelope.

use crate::dialect::Dialect;
use crate::error::PublicError;
use serde::Serialize;

#[derive(Serialize)]
pub struct Envelope<'a> {
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
}

/// Status and body.
pub fn encode(error: &PublicError) -> (u16, Vec<u8>) {
    let body = serde_json::to_vec(&Envelope::of(error)).expect("every map key is a string");
    (error.status(Dialect::Gemini), body)
}

// === impl Envelope ===

impl<'a> Envelope<'a> {
    pub fn of(error: &'a PublicError) -> Self {
        Self {
            error: Detail {
                code: error.status(Dialect::Gemini),
                message: &error.message,
                status: error.kind.error_type(Dialect::Gemini),
            },
        }
    }
}
