//! What an upstream's failure means, whoever in the chain of proxies worded it.

use crate::error::{ErrorKind, UpstreamError, redact};
use serde_json::Value;
use std::time::Duration;

/// Words of error types and codes that mean one thing wherever they appear.
const EXACT: &[(&str, ErrorKind)] = &[
    ("context_length_exceeded", ErrorKind::ContextLength),
    ("string_above_max_length", ErrorKind::ContextLength),
    ("insufficient_quota", ErrorKind::Quota),
    ("quota_exceeded", ErrorKind::Quota),
    ("billing_error", ErrorKind::Quota),
    ("billing_hard_limit_reached", ErrorKind::Quota),
    ("rate_limit_exceeded", ErrorKind::RateLimit),
    ("rate_limit_error", ErrorKind::RateLimit),
    ("RESOURCE_EXHAUSTED", ErrorKind::RateLimit),
    ("overloaded_error", ErrorKind::Overloaded),
    ("engine_overloaded", ErrorKind::Overloaded),
    ("engine_overloaded_error", ErrorKind::Overloaded),
    ("overloaded", ErrorKind::Overloaded),
    ("provider_unavailable", ErrorKind::Overloaded),
    ("UNAVAILABLE", ErrorKind::Overloaded),
    ("authentication_error", ErrorKind::UpstreamAuth),
    ("invalid_api_key", ErrorKind::UpstreamAuth),
    ("API_KEY_INVALID", ErrorKind::UpstreamAuth),
    ("UNAUTHENTICATED", ErrorKind::UpstreamAuth),
    ("permission_error", ErrorKind::UpstreamAuth),
    ("PERMISSION_DENIED", ErrorKind::UpstreamAuth),
    ("model_not_found", ErrorKind::ModelNotFound),
    ("not_found_error", ErrorKind::ModelNotFound),
    ("NOT_FOUND", ErrorKind::ModelNotFound),
    ("request_too_large", ErrorKind::TooLarge),
    ("timeout_error", ErrorKind::Timeout),
    ("DEADLINE_EXCEEDED", ErrorKind::Timeout),
    ("content_policy_violation", ErrorKind::ContentBlocked),
    ("content_filter", ErrorKind::ContentBlocked),
    ("invalid_prompt", ErrorKind::ContentBlocked),
];

/// What messages say where codes say nothing. Lower case.
const PHRASES: &[(&str, ErrorKind)] = &[
    ("prompt is too long", ErrorKind::ContextLength),
    ("maximum context length", ErrorKind::ContextLength),
    ("exceeds the maximum number of tokens", ErrorKind::ContextLength),
    ("exceeds the context window", ErrorKind::ContextLength),
    ("credit balance", ErrorKind::Quota),
    ("exceeded your current quota", ErrorKind::Quota),
];

/// Words so general that a telling status outranks them.
const GENERAL: &[(&str, ErrorKind)] = &[
    ("invalid_request_error", ErrorKind::InvalidRequest),
    ("INVALID_ARGUMENT", ErrorKind::InvalidRequest),
    ("FAILED_PRECONDITION", ErrorKind::InvalidRequest),
    ("api_error", ErrorKind::Upstream5xx),
    ("server_error", ErrorKind::Upstream5xx),
    ("INTERNAL", ErrorKind::Upstream5xx),
];

/// What an error envelope holds, in any dialect.
#[derive(Debug, Default)]
struct Envelope {
    message: Option<String>,
    kind: Option<String>,
    code: Option<String>,
    /// A reason inside `details`, where Google hides the exact cause.
    reason: Option<String>,
    param: Option<String>,
    /// Google's `RetryInfo`.
    retry_after: Option<Duration>,
}

/// Classifies a reply with a non-2xx status. Total: unknown shapes are classified by status.
pub fn classify(status: u16, body: &[u8]) -> UpstreamError {
    let envelope = match serde_json::from_slice::<Value>(body) {
        Ok(value) => Envelope::read(&value),
        Err(_) => {
            let text = String::from_utf8_lossy(&body[..body.len().min(16 << 10)]);
            Envelope {
                message: Some(text.into_owned()),
                ..Envelope::default()
            }
        }
    };
    envelope.classify(Some(status))
}

/// Classifies an error that came inside a 2xx reply or a stream: an envelope, or the error object itself.
pub fn classify_in_band(envelope: &Value) -> UpstreamError {
    let envelope = Envelope::read(envelope);
    // some aggregators put the status they got into the code
    let status = envelope.code.as_deref().and_then(|code| code.parse().ok());
    envelope.classify(status.filter(|status| (400..600).contains(status)))
}

// === impl Envelope ===

impl Envelope {
    fn read(value: &Value) -> Self {
        // Google wraps stream errors in an array
        let value = value.get(0).unwrap_or(value);
        let error = match value.get("error") {
            Some(error) if !error.is_null() => error,
            _ => value,
        };
        if let Some(message) = error.as_str() {
            return Self {
                message: Some(message.to_owned()),
                kind: value.get("type").and_then(word),
                code: value.get("code").and_then(word),
                ..Self::default()
            };
        }
        // the last two are Deepgram's and NanoBanana's
        let message = ["message", "detail", "error", "err_msg", "msg"]
            .into_iter()
            .find_map(|key| error.get(key))
            .and_then(word);
        let details = error.get("details").and_then(Value::as_array);
        Self {
            message: message.or_else(|| value.get("message").and_then(word)),
            kind: error.get("type").or_else(|| error.get("status")).and_then(word),
            code: error.get("code").and_then(word),
            reason: details
                .and_then(|all| all.iter().find_map(|detail| detail.get("reason")))
                .and_then(word),
            param: error.get("param").and_then(word),
            retry_after: details
                .and_then(|all| all.iter().find_map(|detail| detail.get("retryDelay")))
                .and_then(Value::as_str)
                .and_then(seconds),
        }
    }

    fn classify(self, status: Option<u16>) -> UpstreamError {
        let kind = self.kind_of(status);
        let message = redact(self.message.as_deref().unwrap_or_default());
        let message = match (message.is_empty(), status) {
            (false, _) => message,
            (true, Some(status)) => format!("upstream answered with status {status}"),
            (true, None) => "upstream reported an error without a message".to_owned(),
        };
        UpstreamError {
            kind,
            status,
            message,
            native_type: self.kind,
            native_code: self.code,
            param: self.param,
            retry_after: self.retry_after,
        }
    }

    fn kind_of(&self, status: Option<u16>) -> ErrorKind {
        let words = [self.reason.as_deref(), self.code.as_deref(), self.kind.as_deref()];
        let among = |table: &[(&str, ErrorKind)]| {
            let found = |word: &str| {
                table
                    .iter()
                    .find(|(name, _)| *name == word)
                    .map(|(_, kind)| *kind)
            };
            words.into_iter().flatten().find_map(found)
        };
        let message = self.message.as_deref().unwrap_or_default().to_ascii_lowercase();
        let phrase = || {
            PHRASES
                .iter()
                .find(|(said, _)| message.contains(said))
                .map(|(_, kind)| *kind)
        };
        among(EXACT)
            .or_else(phrase)
            .or_else(|| status.and_then(telling))
            .or_else(|| among(GENERAL))
            .unwrap_or(match status {
                Some(400..500) => ErrorKind::InvalidRequest,
                _ => ErrorKind::Upstream5xx,
            })
    }
}

// === functions ===

/// Statuses that mean one thing.
fn telling(status: u16) -> Option<ErrorKind> {
    Some(match status {
        401 | 403 => ErrorKind::UpstreamAuth,
        402 => ErrorKind::Quota,
        404 => ErrorKind::ModelNotFound,
        408 | 504 => ErrorKind::Timeout,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimit,
        503 | 529 => ErrorKind::Overloaded,
        _ => return None,
    })
}

/// `38s` or `38.5s`, as JSON of protocol buffers writes a duration.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A scalar as text; anything else as JSON, because compatible servers put objects into `message`.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_every_shape_are_classified() {
        for (status, body, kind, message) in [
            (
                400,
                r#"{"error":{"message":"m","type":"invalid_request_error","param":"x","code":null}}"#,
                ErrorKind::InvalidRequest,
                "m",
            ),
            (
                400,
                r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#,
                ErrorKind::ContextLength,
                "m",
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens"}}"#,
                ErrorKind::ContextLength,
                "prompt is too long: 9 tokens",
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
                ErrorKind::Quota,
                "Your credit balance is too low",
            ),
            (
                401,
                r#"{"error":{"message":"bad","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                ErrorKind::UpstreamAuth,
                "bad",
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"bad key","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
                ErrorKind::UpstreamAuth,
                "bad key",
            ),
            (
                429,
                r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}]"#,
                ErrorKind::RateLimit,
                "quota",
            ),
            (
                429,
                r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                ErrorKind::Quota,
                "m",
            ),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                ErrorKind::Overloaded,
                "Overloaded",
            ),
            (
                500,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                ErrorKind::Overloaded,
                "Overloaded",
            ),
            (
                502,
                "<html><body>502 Bad Gateway</body></html>",
                ErrorKind::Upstream5xx,
                "an HTML page instead of an answer; something in front of the provider may be down",
            ),
            (
                400,
                r#"{"error":{"message":"m","code":400}}"#,
                ErrorKind::InvalidRequest,
                "m",
            ),
            (
                404,
                r#"{"error":"model \"x\" not found"}"#,
                ErrorKind::ModelNotFound,
                "model \"x\" not found",
            ),
            (
                422,
                r#"{"detail":"Field required"}"#,
                ErrorKind::InvalidRequest,
                "Field required",
            ),
            (
                400,
                r#"{"err_code":"Bad Request","err_msg":"failed to process audio","request_id":"r"}"#,
                ErrorKind::InvalidRequest,
                "failed to process audio",
            ),
            (
                402,
                r#"{"code":402,"msg":"Insufficient credits","data":null}"#,
                ErrorKind::Quota,
                "Insufficient credits",
            ),
            (418, "plain", ErrorKind::InvalidRequest, "plain"),
            (
                503,
                "",
                ErrorKind::Overloaded,
                "upstream answered with status 503",
            ),
            (500, "\u{0}", ErrorKind::Upstream5xx, "\u{0}"),
        ] {
            let error = classify(status, body.as_bytes());
            assert_eq!(
                (error.kind, error.message.as_str()),
                (kind, message),
                "{status} {body}"
            );
            assert_eq!(error.status, Some(status));
        }
    }

    #[test]
    fn a_status_inside_a_code_counts_in_band() {
        let envelope = serde_json::json!({"id": "x", "error": {"code": 429, "message": "slow down"}});
        assert_eq!(classify_in_band(&envelope).kind, ErrorKind::RateLimit);
        assert_eq!(
            classify_in_band(&serde_json::json!("boom")).kind,
            ErrorKind::Upstream5xx
        );
    }

    #[test]
    fn no_upstream_failure_shows_the_client_a_401_or_403() {
        for status in 400..600 {
            for dialect in [crate::Dialect::OpenAiChat, crate::Dialect::AnthropicMessages] {
                let shown = classify(status, b"{}").kind.status(dialect);
                assert!(!matches!(shown, 401 | 403), "{status} became {shown}");
            }
        }
    }
}
