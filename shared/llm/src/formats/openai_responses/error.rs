//! The error envelope, which is that of Chat Completions, and its forms inside a stream.

use crate::dialect::Dialect;
use crate::error::{Detail, ErrorKind, PublicError};
use crate::frame;
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
    details: &'a [Detail],
}

#[derive(Serialize)]
struct ErrorEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'a str,
    message: &'a str,
    param: Option<&'a str>,
    sequence_number: u64,
}

/// Before the first byte: status and body.
pub fn encode(error: &PublicError) -> (u16, Vec<u8>) {
    let dialect = Dialect::OpenAiResponses;
    let envelope = Envelope {
        error: Body {
            message: &error.message,
            kind: error.kind.error_type(dialect),
            param: error.param.as_deref(),
            code: error.code.as_deref().or_else(|| error.kind.code(dialect)),
            details: &error.details,
        },
    };
    let mut body = Vec::new();
    frame::write_json(&mut body, &envelope);
    (error.status(dialect), body)
}

/// In a stream in which no response was announced.
pub fn write_event(error: &PublicError, sequence_number: u64, out: &mut Vec<u8>) {
    let event = ErrorEvent {
        kind: "error",
        code: code(error),
        message: &error.message,
        param: error.param.as_deref(),
        sequence_number,
    };
    frame::write_event(out, Some("error"), &event);
}

/// `response.error` of a response that failed.
pub fn of_response(error: &PublicError) -> Value {
    json!({"code": code(error), "message": error.message})
}

/// The words clients tell failures of a stream by.
fn code(error: &PublicError) -> &str {
    match error.kind {
        ErrorKind::RateLimit => "rate_limit_exceeded",
        ErrorKind::Quota => "insufficient_quota",
        ErrorKind::ContextLength => "context_length_exceeded",
        ErrorKind::ContentBlocked => "invalid_prompt",
        ErrorKind::Overloaded | ErrorKind::Timeout | ErrorKind::Upstream5xx | ErrorKind::Internal => {
            "server_error"
        }
        _ => error.code.as_deref().unwrap_or("upstream_error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> PublicError {
        PublicError {
            upstream_status: None,
            kind,
            message: "no".to_owned(),
            code: None,
            param: None,
            detections: None,
            details: Vec::new(),
            request_id: "r".to_owned(),
        }
    }

    #[test]
    fn every_key_of_the_envelope_is_always_there() {
        let (status, body) = encode(&error(ErrorKind::Overloaded));
        assert_eq!(status, 503);
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"error":{"message":"no","type":"server_error","param":null,"code":"overloaded"}}"#
        );
    }

    #[test]
    fn failures_of_a_stream_have_the_vendors_codes() {
        for (kind, expected) in [
            (ErrorKind::RateLimit, "rate_limit_exceeded"),
            (ErrorKind::ContentBlocked, "invalid_prompt"),
            (ErrorKind::Overloaded, "server_error"),
            (ErrorKind::StreamIncomplete, "upstream_error"),
        ] {
            assert_eq!(of_response(&error(kind))["code"], expected, "{kind:?}");
        }
    }
}
