//! What browsers may do here: one rule for every path.

use anyhow::Context;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// What a browser may send. SDKs that run in one add headers about themselves, and a single one that is not named
/// fails the whole request.
const REQUEST_HEADERS: [HeaderName; 29] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-goog-api-client"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-omniroute-cache-threshold"),
    HeaderName::from_static("x-omniroute-no-cache"),
    HeaderName::from_static("x-omniroute-progress"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-dangerous-direct-browser-access"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
    HeaderName::from_static("user-agent"),
    HeaderName::from_static("x-stainless-arch"),
    HeaderName::from_static("x-stainless-async"),
    HeaderName::from_static("x-stainless-custom-poll-interval"),
    HeaderName::from_static("x-stainless-helper-method"),
    HeaderName::from_static("x-stainless-lang"),
    HeaderName::from_static("x-stainless-os"),
    HeaderName::from_static("x-stainless-package-version"),
    HeaderName::from_static("x-stainless-poll-helper"),
    HeaderName::from_static("x-stainless-retry-count"),
    HeaderName::from_static("x-stainless-runtime"),
    HeaderName::from_static("x-stainless-runtime-version"),
    HeaderName::from_static("x-stainless-timeout"),
];

/// What a browser may read.
const RESPONSE_HEADERS: [HeaderName; 9] = [
    HeaderName::from_static("x-omniroute-attempts"),
    HeaderName::from_static("x-omniroute-cache"),
    HeaderName::from_static("x-omniroute-cache-similarity"),
    HeaderName::from_static("x-omniroute-degraded"),
    HeaderName::from_static("x-omniroute-idempotent"),
    HeaderName::from_static("x-omniroute-progress"),
    HeaderName::from_static("x-omniroute-translation"),
    HeaderName::from_static("x-request-id"),
    RETRY_AFTER,
];

/// `*` or the one origin that may call from a browser.
pub fn layer(origin: &str) -> anyhow::Result<CorsLayer> {
    let origin = match origin {
        "*" => AllowOrigin::any(),
        one => AllowOrigin::exact(HeaderValue::from_str(one).context("CORS_ORIGIN is not an origin")?),
    };
    // a bare `*` would not cover Authorization, so every header is named
    Ok(CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
        .allow_headers(REQUEST_HEADERS)
        .expose_headers(RESPONSE_HEADERS))
}
