//! The error envelope, `{"error":{"message","type","param","code"}}`. Every key is always there.

use crate::dialect::Dialect;
use crate::error::{Detail, PublicError};
use crate::frame;
use serde::Serialize;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    detections: Option<usize>,
    #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
    details: &'a [Detail],
}

/// Before the first byte: status and body.
pub fn encode(error: &PublicError) -> (u16, Vec<u8>) {
    let mut body = Vec::new();
    frame::write_json(&mut body, &envelope(error));
    (error.status(Dialect::OpenAiChat), body)
}

/// After the first byte: a frame without `[DONE]` behind it, because the stream is not done.
pub fn write_frame(error: &PublicError, out: &mut Vec<u8>) {
    frame::write_event(out, None, &envelope(error));
}

fn envelope(error: &PublicError) -> Envelope<'_> {
    let dialect = Dialect::OpenAiChat;
    Envelope {
        error: Body {
            message: &error.message,
            kind: match error.detections {
                Some(_) => "injection_detected",
                None => error.kind.error_type(dialect),
            },
            param: error.param.as_deref(),
            code: error.code.as_deref().or_else(|| error.kind.code(dialect)),
            detections: error.detections,
            details: &error.details,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_refusal_of_the_guard_says_how_much_it_found() {
        let error = PublicError {
            upstream_status: None,
            kind: ErrorKind::InvalidRequest,
            message: "blocked".to_owned(),
            code: Some("SECURITY_001".to_owned()),
            param: None,
            detections: Some(2),
            details: Vec::new(),
            request_id: "r".to_owned(),
        };
        let (status, body) = encode(&error);
        assert_eq!(status, 400);
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"error":{"message":"blocked","type":"injection_detected","param":null,"code":"SECURITY_001","detections":2}}"#
        );
    }

    #[test]
    fn what_became_of_each_model_is_told() {
        let detail = Detail {
            model: "openai/gpt".to_owned(),
            status: 500,
            message: "broken".to_owned(),
        };
        let error = PublicError {
            upstream_status: None,
            kind: ErrorKind::Unavailable,
            message: "no".to_owned(),
            code: Some("all_accounts_unavailable".to_owned()),
            param: None,
            detections: None,
            details: vec![detail],
            request_id: "r".to_owned(),
        };
        assert_eq!(
            String::from_utf8(encode(&error).1).unwrap(),
            r#"{"error":{"message":"no","type":"server_error","param":null,"code":"all_accounts_unavailable","details":[{"model":"openai/gpt","status":500,"message":"broken"}]}}"#
        );
    }

    #[test]
    fn every_key_is_always_there() {
        let mut error = PublicError {
            upstream_status: None,
            kind: ErrorKind::Overloaded,
            message: "no capacity".to_owned(),
            code: None,
            param: None,
            detections: None,
            details: Vec::new(),
            request_id: "r".to_owned(),
        };
        let (status, body) = encode(&error);
        assert_eq!(status, 503);
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"error":{"message":"no capacity","type":"server_error","param":null,"code":"overloaded"}}"#
        );
        error.param = Some("n".to_owned());
        error.code = Some("mine".to_owned());
        let mut frame = Vec::new();
        write_frame(&error, &mut frame);
        assert_eq!(
            String::from_utf8(frame).unwrap(),
            "data: {\"error\":{\"message\":\"no capacity\",\"type\":\"server_error\",\"param\":\"n\",\"code\":\"mine\"}}\n\n"
        );
    }
}
