//! Errors of the service: with a status, and inside a stream. AWS names them in a header, in `__type`, or in the header
//! of a stream's message; the status alone does not tell a wrong request from an exhausted quota.

use crate::error::{ErrorKind, UpstreamError, classify, classify_in_band};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The response header with the name of the error, in lower case.
pub const NAME_HEADER: &str = "x-amzn-errortype";

/// Names that mean one thing. Sources: the errors of Converse in the API reference, and the common errors of AWS.
const NAMES: &[(&str, ErrorKind)] = &[
    ("ThrottlingException", ErrorKind::RateLimit),
    ("TooManyRequestsException", ErrorKind::RateLimit),
    ("ServiceQuotaExceededException", ErrorKind::Quota),
    ("ModelNotReadyException", ErrorKind::Overloaded),
    ("ServiceUnavailableException", ErrorKind::Overloaded),
    ("ServiceUnavailable", ErrorKind::Overloaded),
    ("ModelTimeoutException", ErrorKind::Timeout),
    ("InternalServerException", ErrorKind::Upstream5xx),
    ("InternalFailure", ErrorKind::Upstream5xx),
    ("ModelErrorException", ErrorKind::Upstream5xx),
    ("ModelStreamErrorException", ErrorKind::Upstream5xx),
    ("ResourceNotFoundException", ErrorKind::ModelNotFound),
    ("AccessDeniedException", ErrorKind::UpstreamAuth),
    ("AccessDenied", ErrorKind::UpstreamAuth),
    ("ExpiredTokenException", ErrorKind::UpstreamAuth),
    ("IncompleteSignature", ErrorKind::UpstreamAuth),
    ("IncompleteSignatureException", ErrorKind::UpstreamAuth),
    ("InvalidClientTokenId", ErrorKind::UpstreamAuth),
    ("InvalidSignatureException", ErrorKind::UpstreamAuth),
    ("MissingAuthenticationTokenException", ErrorKind::UpstreamAuth),
    ("NotAuthorized", ErrorKind::UpstreamAuth),
    ("OptInRequired", ErrorKind::UpstreamAuth),
    ("SignatureDoesNotMatch", ErrorKind::UpstreamAuth),
    ("UnrecognizedClientException", ErrorKind::UpstreamAuth),
];

/// What messages say where names say too little. Lower case.
const PHRASES: &[(&str, ErrorKind)] = &[
    ("input is too long", ErrorKind::ContextLength),
    ("too many input tokens", ErrorKind::ContextLength),
    // one model is out of reach, and not the account
    ("access to the model", ErrorKind::ModelNotFound),
    ("model access is denied", ErrorKind::ModelNotFound),
    ("model identifier is invalid", ErrorKind::ModelNotFound),
    ("with on-demand throughput", ErrorKind::ModelNotFound),
];

/// An answer with an error status. `name` is what the header says.
pub fn refusal(status: u16, name: Option<&str>, body: &[u8]) -> UpstreamError {
    let value = serde_json::from_slice::<Value>(body).ok();
    let mut error = match value.as_ref().and_then(capital_message) {
        Some(message) => classify(status, json!({ "message": message }).to_string().as_bytes()),
        None => classify(status, body),
    };
    if status == 424 {
        // the model failed, which the service says with a client's status
        error.kind = ErrorKind::Upstream5xx;
    }
    let inside = value.as_ref().and_then(|value| value["__type"].as_str());
    named(error, name.or(inside))
}

/// An exception inside a stream, by its name.
pub fn exception(name: &str, payload: &[u8]) -> UpstreamError {
    let payload = match serde_json::from_slice::<Value>(payload) {
        Ok(payload) => payload,
        Err(_) => json!({ "message": String::from_utf8_lossy(payload) }),
    };
    named(classify_in_band(&payload), Some(name))
}

/// The error of a 2xx body that is one.
pub fn in_band(body: &[u8]) -> Option<UpstreamError> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let name = value["__type"].as_str();
    let is_error = name.is_some()
        || value["message"].is_string()
        || value.get("error").is_some_and(|error| !error.is_null());
    is_error.then(|| named(classify_in_band(&value), name))
}

// === functions ===

/// What stands in front of AWS's services writes its message with a capital letter.
fn capital_message(body: &Value) -> Option<&str> {
    let message = body.get("Message")?.as_str()?;
    body.get("message").is_none().then_some(message)
}

fn named(mut error: UpstreamError, name: Option<&str>) -> UpstreamError {
    let message = error.message.to_ascii_lowercase();
    let phrase = PHRASES.iter().find(|(said, _)| message.contains(said));
    let name = name.map(bare).filter(|name| !name.is_empty());
    let of_name = |name: &str| NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((_, kind)) = phrase.or_else(|| name.and_then(of_name)) {
        error.kind = *kind;
    } else if name.is_some_and(|name| name.eq_ignore_ascii_case("ValidationException"))
        && error.kind == ErrorKind::Upstream5xx
    {
        error.kind = ErrorKind::InvalidRequest;
    }
    error.native_type = name.map(str::to_owned).or(error.native_type);
    if let Cow::Owned(message) = without_resources(&error.message) {
        error.message = message;
    }
    error
}

/// `com.amazon.coral.service#ThrottlingException:http://…` is a `ThrottlingException`.
fn bare(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().trim()
}

/// Names of resources hold the operator's account number and users, which are no client's business.
fn without_resources(message: &str) -> Cow<'_, str> {
    if !message.contains("arn:aws") {
        return Cow::Borrowed(message);
    }
    let hidden = |word: &str| match word.find("arn:aws") {
        Some(start) => format!("{}(an AWS resource)", &word[..start]),
        None => word.to_owned(),
    };
    Cow::Owned(message.split(' ').map(hidden).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_what_its_name_says() {
        for (status, name, body, kind) in [
            (
                429,
                Some("ThrottlingException:http://internal.amazon.com/coral/"),
                r#"{"message":"Too many requests"}"#,
                ErrorKind::RateLimit,
            ),
            (
                429,
                Some("ModelNotReadyException"),
                r#"{"message":"not ready"}"#,
                ErrorKind::Overloaded,
            ),
            (429, None, r#"{"message":"slow"}"#, ErrorKind::RateLimit),
            (
                400,
                Some("ServiceQuotaExceededException"),
                r#"{"message":"quota"}"#,
                ErrorKind::Quota,
            ),
            (
                400,
                Some("ValidationException"),
                r#"{"message":"bad"}"#,
                ErrorKind::InvalidRequest,
            ),
            (
                400,
                Some("ValidationException"),
                r#"{"message":"Input is too long for requested model."}"#,
                ErrorKind::ContextLength,
            ),
            (
                400,
                Some("ValidationException"),
                r#"{"message":"The provided model identifier is invalid."}"#,
                ErrorKind::ModelNotFound,
            ),
            (
                400,
                None,
                r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"m"}"#,
                ErrorKind::UpstreamAuth,
            ),
            (
                403,
                Some("AccessDeniedException"),
                r#"{"message":"no"}"#,
                ErrorKind::UpstreamAuth,
            ),
            (
                403,
                Some("AccessDeniedException"),
                r#"{"message":"You don't have access to the model with the specified model ID."}"#,
                ErrorKind::ModelNotFound,
            ),
            (
                403,
                Some("InvalidSignatureException"),
                r#"{"message":"The request signature we calculated does not match"}"#,
                ErrorKind::UpstreamAuth,
            ),
            (
                404,
                Some("ResourceNotFoundException"),
                r#"{"message":"m"}"#,
                ErrorKind::ModelNotFound,
            ),
            (
                408,
                Some("ModelTimeoutException"),
                r#"{"message":"m"}"#,
                ErrorKind::Timeout,
            ),
            (
                424,
                Some("ModelErrorException"),
                r#"{"message":"m","originalStatusCode":500}"#,
                ErrorKind::Upstream5xx,
            ),
            (424, None, r#"{"message":"m"}"#, ErrorKind::Upstream5xx),
            (
                500,
                Some("InternalServerException"),
                r#"{"message":"m"}"#,
                ErrorKind::Upstream5xx,
            ),
            (
                503,
                Some("ServiceUnavailableException"),
                r#"{"message":"m"}"#,
                ErrorKind::Overloaded,
            ),
            (502, None, "<html>", ErrorKind::Upstream5xx),
        ] {
            let error = refusal(status, name, body.as_bytes());
            assert_eq!(
                (error.kind, error.status),
                (kind, Some(status)),
                "{status} {name:?} {body}"
            );
        }
    }

    #[test]
    fn exceptions_of_a_stream_are_named_in_its_own_spelling() {
        for (name, payload, kind) in [
            (
                "throttlingException",
                r#"{"message":"slow"}"#,
                ErrorKind::RateLimit,
            ),
            (
                "validationException",
                r#"{"message":"bad"}"#,
                ErrorKind::InvalidRequest,
            ),
            (
                "validationException",
                r#"{"message":"Input is too long for requested model."}"#,
                ErrorKind::ContextLength,
            ),
            (
                "modelStreamErrorException",
                r#"{"message":"m","originalStatusCode":500,"originalMessage":"x"}"#,
                ErrorKind::Upstream5xx,
            ),
            (
                "serviceUnavailableException",
                r#"{"message":"m"}"#,
                ErrorKind::Overloaded,
            ),
            ("internalServerException", "not json", ErrorKind::Upstream5xx),
            (
                "somethingNewException",
                r#"{"message":"m"}"#,
                ErrorKind::Upstream5xx,
            ),
        ] {
            let error = exception(name, payload.as_bytes());
            assert_eq!(
                (error.kind, error.native_type.as_deref()),
                (kind, Some(name)),
                "{name}"
            );
        }
    }

    #[test]
    fn nobody_is_told_the_operators_account() {
        let body = r#"{"Message":"User: arn:aws:iam::123456789012:user/ana is not authorized to perform: bedrock:InvokeModel"}"#;
        let error = refusal(403, Some("AccessDeniedException"), body.as_bytes());
        assert_eq!(
            error.message,
            "User: (an AWS resource) is not authorized to perform: bedrock:InvokeModel"
        );
    }
}
