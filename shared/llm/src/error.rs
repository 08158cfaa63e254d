//! Errors of three parties: the client's bytes, what a target cannot express, and what an upstream said.

mod classify;
mod redact;
mod table;

pub use classify::{classify, classify_in_band};
pub use redact::redact;

use crate::dialect::Dialect;
use serde::Serialize;
use std::time::Duration;
use thiserror::Error;

/// The client's request cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct DecodeError {
    /// For the client: what is wrong, where, and what was expected.
    pub message: String,
    /// The offending field, in the client's own words.
    pub param: Option<String>,
}

/// The request is sound but the upstream's dialect cannot express it without changing its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct EncodeError {
    pub message: String,
    pub param: Option<String>,
}

/// What went wrong, in words every dialect has an envelope for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    InvalidRequest,
    ContextLength,
    /// The gateway key is missing or wrong.
    ClientAuth,
    /// Our credential at the provider is wrong. Never shown as 401: the client would drop its own key.
    UpstreamAuth,
    Permission,
    ModelNotFound,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    RateLimit,
    Quota,
    Overloaded,
    Timeout,
    Upstream5xx,
    ContentBlocked,
    /// The client went away.
    Cancelled,
    Unsupported,
    MalformedUpstream,
    StreamIncomplete,
    /// The gateway itself cannot serve: no configuration, draining, or a bug.
    Unavailable,
    Internal,
}

/// An upstream's refusal or failure, classified. `message` is redacted and safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct UpstreamError {
    pub kind: ErrorKind,
    /// HTTP status, when the failure came as one.
    pub status: Option<u16>,
    pub message: String,
    pub native_type: Option<String>,
    pub native_code: Option<String>,
    pub param: Option<String>,
    pub retry_after: Option<Duration>,
}

/// Why one of several models did not answer. The message is redacted and safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// As clients write it.
    pub model: String,
    /// The provider's, or what the failure amounts to.
    pub status: u16,
    pub message: String,
}

/// An error as the client will read it, before it is put into its dialect's envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicError {
    pub kind: ErrorKind,
    /// What the provider answered, when that is what failed.
    pub upstream_status: Option<u16>,
    pub message: String,
    /// Overrides the kind's own code.
    pub code: Option<String>,
    pub param: Option<String>,
    /// How many turns of phrase the guard refused a request for; OpenAI's clients are told.
    pub detections: Option<usize>,
    /// What became of each model behind a name that nobody answered for; OpenAI's clients are told.
    pub details: Vec<Detail>,
    pub request_id: String,
}

// === impl PublicError ===

impl PublicError {
    /// The status before the first byte. A provider's own 500 stays one for OpenAI's clients, who tell it from a
    /// gateway that could not reach its provider.
    pub fn status(&self, dialect: Dialect) -> u16 {
        let openai = matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses);
        match (self.kind, self.upstream_status) {
            (ErrorKind::Upstream5xx, Some(500)) if openai => 500,
            (kind, _) => kind.status(dialect),
        }
    }
}

// === impl DecodeError ===

impl DecodeError {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            param: None,
        }
    }

    pub fn at(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            param: Some(param.into()),
        }
    }
}

// === impl EncodeError ===

impl EncodeError {
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            param: Some(param.into()),
        }
    }
}

// === impl UpstreamError ===

impl UpstreamError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: None,
            message: message.into(),
            native_type: None,
            native_code: None,
            param: None,
            retry_after: None,
        }
    }

    /// What a client may read of it. The upstream's own code is only kept where ours says nothing more exact.
    pub fn public(&self, request_id: impl Into<String>) -> PublicError {
        PublicError {
            kind: self.kind,
            upstream_status: self.status,
            message: self.message.clone(),
            code: self
                .native_code
                .clone()
                .filter(|_| self.kind == ErrorKind::InvalidRequest),
            param: self.param.clone(),
            detections: None,
            details: Vec::new(),
            request_id: request_id.into(),
        }
    }
}
