//! The edge: paths to operations. Knows dialects by their address and nothing of what is behind them.

mod models;

use crate::error::GatewayError;
use crate::pipeline::{self, Arrival, Endpoint, Gateway};
use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, request};
use llm::Dialect;
use std::sync::Arc;
use tower_http::cors::{AllowOrigin, CorsLayer};

const CHAT: Endpoint = Endpoint {
    route: "/v1/chat/completions",
    dialect: Dialect::OpenAiChat,
};
const MESSAGES: Endpoint = Endpoint {
    route: "/v1/messages",
    dialect: Dialect::AnthropicMessages,
};

/// Where each operation answers: misconfigured SDKs double the version or leave it out.
const VERSIONED: [&str; 3] = ["/v1", "/v1/v1", "/api/v1"];

/// What a browser may send.
const REQUEST_HEADERS: [HeaderName; 8] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-dangerous-direct-browser-access"),
];

/// What a browser may read.
const RESPONSE_HEADERS: [HeaderName; 6] = [
    HeaderName::from_static("x-omniroute-attempts"),
    HeaderName::from_static("x-omniroute-cache"),
    HeaderName::from_static("x-omniroute-degraded"),
    HeaderName::from_static("x-omniroute-translation"),
    HeaderName::from_static("x-request-id"),
    RETRY_AFTER,
];

/// Everything clients may call. Has no fallback of its own: whoever mounts it decides what the rest of the port
/// says, see [`not_found`].
pub fn router(gateway: Arc<Gateway>) -> anyhow::Result<Router> {
    let mut router = Router::new()
        .route("/chat/completions", operation(post(chat)))
        .route("/models", operation(get(models::list)))
        .route("/v1beta/{*rest}", any(not_found))
        .route("/api/v1beta/{*rest}", any(not_found));
    for base in VERSIONED {
        router = router
            .route(base, operation(get(models::list)))
            .route(&format!("{base}/chat/completions"), operation(post(chat)))
            .route(&format!("{base}/messages"), operation(post(messages)))
            .route(&format!("{base}/models"), operation(get(models::list)))
            .route(&format!("{base}/models/{{*id}}"), operation(get(models::get)))
            .route(&format!("{base}/{{*rest}}"), any(not_found));
    }
    let cors = cors(&gateway.edge.cors_origin)?;
    Ok(router.layer(cors).with_state(gateway))
}

/// Answers any path that is no endpoint, in the dialect its caller most likely speaks.
pub async fn not_found(request: Request) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    refuse(request, &GatewayError::NotFound { method, path })
}

/// The framework adds the `Allow` header.
async fn method_not_allowed(request: Request) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    refuse(request, &GatewayError::MethodNotAllowed { method, path })
}

async fn chat(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    pipeline::serve(&gateway, Arrival::new(CHAT, request)).await
}

async fn messages(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    pipeline::serve(&gateway, Arrival::new(MESSAGES, request)).await
}

fn operation(methods: MethodRouter<Arc<Gateway>>) -> MethodRouter<Arc<Gateway>> {
    methods.fallback(method_not_allowed)
}

fn refuse(request: Request, error: &GatewayError) -> Response {
    let (parts, body) = request.into_parts();
    let endpoint = Endpoint {
        route: "unknown",
        dialect: likely_dialect(&parts),
    };
    pipeline::failure(&Arrival::new(endpoint, Request::from_parts(parts, body)), error)
}

fn likely_dialect(parts: &request::Parts) -> Dialect {
    if parts.uri.path().contains("/messages") || parts.headers.contains_key("anthropic-version") {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenAiChat
    }
}

fn cors(origin: &str) -> anyhow::Result<CorsLayer> {
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
