//! Which status, type and code a kind of error has in each dialect.
//!
//! Whoever speaks a dialect that no client speaks is answered in OpenAI's words.
//!
//! An upstream's 401 or 403 never becomes the client's: SDKs would drop the client's own, perfectly good key.

use crate::dialect::Dialect;
use crate::error::ErrorKind;

/// One row: what the dialects say for a kind.
struct Row {
    name: &'static str,
    openai: (u16, &'static str, Option<&'static str>),
    anthropic: (u16, &'static str),
}

// === impl ErrorKind ===

impl ErrorKind {
    /// The stable name used in logs, metrics and usage events.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The HTTP status of an error before the first byte.
    pub const fn status(self, dialect: Dialect) -> u16 {
        match dialect {
            // what a client did to itself is not the server's timeout
            Dialect::OllamaChat if matches!(self, Self::Cancelled) => 499,
            Dialect::OpenAiChat
            | Dialect::OpenAiResponses
            | Dialect::OllamaChat
            | Dialect::BedrockConverse => self.row().openai.0,
            Dialect::Gemini => self.google().0,
            Dialect::AnthropicMessages => self.row().anthropic.0,
        }
    }

    /// The `type` inside the dialect's envelope.
    pub const fn error_type(self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::OpenAiChat
            | Dialect::OpenAiResponses
            | Dialect::OllamaChat
            | Dialect::BedrockConverse => self.row().openai.1,
            Dialect::Gemini => self.google().1,
            Dialect::AnthropicMessages => self.row().anthropic.1,
        }
    }

    /// The `code` inside the dialect's envelope, where it has one.
    pub const fn code(self, dialect: Dialect) -> Option<&'static str> {
        match dialect {
            Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::BedrockConverse => self.row().openai.2,
            Dialect::AnthropicMessages | Dialect::Gemini | Dialect::OllamaChat => None,
        }
    }

    /// `code` and `status` of Google's envelope, by the canonical mapping of `google.rpc.Code` to HTTP.
    const fn google(self) -> (u16, &'static str) {
        match self {
            Self::InvalidRequest
            | Self::ContextLength
            | Self::TooLarge
            | Self::ContentBlocked
            | Self::Unsupported => (400, "INVALID_ARGUMENT"),
            Self::ClientAuth => (401, "UNAUTHENTICATED"),
            Self::Permission => (403, "PERMISSION_DENIED"),
            Self::ModelNotFound | Self::NotFound => (404, "NOT_FOUND"),
            Self::MethodNotAllowed => (405, "INVALID_ARGUMENT"),
            Self::RateLimit | Self::Quota => (429, "RESOURCE_EXHAUSTED"),
            Self::Cancelled => (499, "CANCELLED"),
            Self::Upstream5xx | Self::MalformedUpstream | Self::StreamIncomplete | Self::Internal => {
                (500, "INTERNAL")
            }
            Self::UpstreamAuth | Self::Overloaded | Self::Unavailable => (503, "UNAVAILABLE"),
            Self::Timeout => (504, "DEADLINE_EXCEEDED"),
        }
    }

    const fn row(self) -> Row {
        const INVALID: &str = "invalid_request_error";
        const SERVER: &str = "server_error";
        match self {
            Self::InvalidRequest => row(
                "invalid_request",
                (400, INVALID, Some("bad_request")),
                (400, INVALID),
            ),
            Self::ContextLength => row(
                "context_length",
                (400, INVALID, Some("context_length_exceeded")),
                (400, INVALID),
            ),
            Self::ClientAuth => row(
                "client_auth",
                (401, "authentication_error", Some("invalid_api_key")),
                (401, "authentication_error"),
            ),
            Self::UpstreamAuth => row(
                "upstream_auth",
                (502, "upstream_error", Some("upstream_auth")),
                (502, "api_error"),
            ),
            Self::Permission => row(
                "permission",
                (403, "permission_error", Some("permission_denied")),
                (403, "permission_error"),
            ),
            Self::ModelNotFound => row(
                "model_not_found",
                (404, INVALID, Some("model_not_found")),
                (404, "not_found_error"),
            ),
            Self::NotFound => row(
                "not_found",
                (404, INVALID, Some("not_found")),
                (404, "not_found_error"),
            ),
            Self::MethodNotAllowed => row(
                "method_not_allowed",
                (405, INVALID, Some("method_not_allowed")),
                (405, INVALID),
            ),
            Self::TooLarge => row(
                "too_large",
                (413, INVALID, Some("request_too_large")),
                (413, "request_too_large"),
            ),
            Self::RateLimit => row(
                "rate_limit",
                (429, "rate_limit_error", Some("rate_limit_exceeded")),
                (429, "rate_limit_error"),
            ),
            Self::Quota => row(
                "quota",
                (429, "insufficient_quota", Some("insufficient_quota")),
                (402, "billing_error"),
            ),
            Self::Overloaded => row(
                "overloaded",
                (503, SERVER, Some("overloaded")),
                (529, "overloaded_error"),
            ),
            Self::Timeout => row(
                "timeout",
                (504, SERVER, Some("gateway_timeout")),
                (504, "timeout_error"),
            ),
            Self::Upstream5xx => row(
                "upstream_5xx",
                (502, SERVER, Some("bad_gateway")),
                (500, "api_error"),
            ),
            Self::ContentBlocked => row(
                "content_blocked",
                (400, INVALID, Some("content_filter")),
                (400, INVALID),
            ),
            Self::Cancelled => row(
                "cancelled",
                (408, INVALID, Some("cancelled")),
                (408, "timeout_error"),
            ),
            Self::Unsupported => row(
                "unsupported",
                (400, INVALID, Some("unsupported_parameter")),
                (400, INVALID),
            ),
            Self::MalformedUpstream => row(
                "upstream_malformed",
                (502, SERVER, Some("bad_gateway")),
                (500, "api_error"),
            ),
            Self::StreamIncomplete => row(
                "stream_incomplete",
                (502, SERVER, Some("stream_incomplete")),
                (500, "api_error"),
            ),
            Self::Unavailable => row(
                "unavailable",
                (503, SERVER, Some("service_unavailable")),
                (503, "overloaded_error"),
            ),
            Self::Internal => row(
                "internal",
                (500, SERVER, Some("internal_server_error")),
                (500, "api_error"),
            ),
        }
    }
}

// === functions ===

const fn row(
    name: &'static str,
    openai: (u16, &'static str, Option<&'static str>),
    anthropic: (u16, &'static str),
) -> Row {
    Row {
        name,
        openai,
        anthropic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::UpstreamError;

    #[test]
    fn a_providers_own_500_stays_one_for_openais_clients() {
        let failed = |status| UpstreamError {
            status,
            ..UpstreamError::new(ErrorKind::Upstream5xx, "boom")
        };
        for (dialect, own, unreachable) in [
            (Dialect::OpenAiChat, 500, 502),
            (Dialect::OpenAiResponses, 500, 502),
            (Dialect::AnthropicMessages, 500, 500),
            (Dialect::Gemini, 500, 500),
            (Dialect::OllamaChat, 502, 502),
        ] {
            assert_eq!(failed(Some(500)).public("").status(dialect), own, "{dialect}");
            assert_eq!(failed(None).public("").status(dialect), unreachable, "{dialect}");
            assert_eq!(
                failed(Some(502)).public("").status(dialect),
                unreachable,
                "{dialect}"
            );
        }
    }
}
