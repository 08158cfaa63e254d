//! What failures and notes are called in the log and in metrics. The names are part of the management API: they only
//! grow.

use llm::{ErrorKind, Note, Severity, UpstreamError};
use proto::v1::{TranslationNote, translation_note};

/// Of one attempt.
pub fn outcome(error: &UpstreamError) -> &'static str {
    match error.kind {
        ErrorKind::RateLimit | ErrorKind::Quota => "rate_limited",
        ErrorKind::UpstreamAuth | ErrorKind::ClientAuth | ErrorKind::Permission => "auth",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Upstream5xx | ErrorKind::Unavailable if error.status.is_none() => "connect",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::StreamIncomplete => "stream_error",
        ErrorKind::InvalidRequest
        | ErrorKind::ContextLength
        | ErrorKind::ModelNotFound
        | ErrorKind::NotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::TooLarge
        | ErrorKind::ContentBlocked
        | ErrorKind::Unsupported => "client_error",
        ErrorKind::Overloaded
        | ErrorKind::Upstream5xx
        | ErrorKind::MalformedUpstream
        | ErrorKind::Unavailable
        | ErrorKind::Internal => "server_error",
    }
}

/// Of a request.
pub fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest => "invalid_request",
        ErrorKind::ContextLength => "context_length",
        ErrorKind::ClientAuth => "client_auth",
        ErrorKind::UpstreamAuth => "upstream_auth",
        ErrorKind::Permission => "permission",
        ErrorKind::ModelNotFound => "model_not_found",
        ErrorKind::NotFound => "not_found",
        ErrorKind::MethodNotAllowed => "method_not_allowed",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::RateLimit => "rate_limit",
        ErrorKind::Quota => "quota",
        ErrorKind::Overloaded => "overloaded",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Upstream5xx => "upstream_5xx",
        ErrorKind::ContentBlocked => "content_blocked",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::MalformedUpstream => "malformed_upstream",
        ErrorKind::StreamIncomplete => "stream_incomplete",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Internal => "internal",
    }
}

/// A note of translation.
pub fn in_log(note: &Note) -> TranslationNote {
    let severity = match note.severity {
        Severity::Info => translation_note::Severity::Info,
        Severity::Loss => translation_note::Severity::Loss,
        Severity::Synth => translation_note::Severity::Synth,
    };
    TranslationNote {
        severity: severity.into(),
        field: note.field.clone(),
        detail: note.detail.clone(),
    }
}
