//! The edge: paths to operations. Knows dialects by their address and nothing of what is behind them.

mod cors;
mod count;
mod gemini;
mod models;
mod ollama;

use crate::error::GatewayError;
use crate::pipeline::{self, Arrival, Endpoint, Gateway};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post};
use cors::CorsRules;
use http::request;
use llm::{Dialect, Kind};
use std::sync::Arc;

const CHAT: Endpoint = Endpoint::chat("/v1/chat/completions", Dialect::OpenAiChat);
const CHAT_AT_PROVIDER: Endpoint =
    Endpoint::chat("/v1/providers/{provider}/chat/completions", Dialect::OpenAiChat);
const RESPONSES: Endpoint = Endpoint::chat("/v1/responses", Dialect::OpenAiResponses);
const STORED_RESPONSE: Endpoint = Endpoint::chat("/v1/responses/{id}", Dialect::OpenAiResponses);
const MESSAGES: Endpoint = Endpoint::chat("/v1/messages", Dialect::AnthropicMessages);
const OLLAMA_CHAT: Endpoint = Endpoint::chat("/api/chat", Dialect::OllamaChat);

const COMPLETIONS: Endpoint = Endpoint::of(Kind::Completion, "/v1/completions");
const EMBEDDINGS: Endpoint = Endpoint::of(Kind::Embedding, "/v1/embeddings");
const EMBEDDINGS_AT_PROVIDER: Endpoint = Endpoint::of(Kind::Embedding, "/v1/providers/{provider}/embeddings");
const IMAGES: Endpoint = Endpoint::of(Kind::Image, "/v1/images/generations");
const IMAGES_AT_PROVIDER: Endpoint = Endpoint::of(Kind::Image, "/v1/providers/{provider}/images/generations");
const MODERATIONS: Endpoint = Endpoint::of(Kind::Moderation, "/v1/moderations");
const RERANK: Endpoint = Endpoint::of(Kind::Rerank, "/v1/rerank");
const SPEECH: Endpoint = Endpoint::of(Kind::Speech, "/v1/audio/speech");
const TRANSCRIPTIONS: Endpoint = Endpoint::of(Kind::Transcription, "/v1/audio/transcriptions");
const TRANSLATIONS: Endpoint = Endpoint::of(Kind::Translation, "/v1/audio/translations");
const IMAGE_EDITS: Endpoint = Endpoint::of(Kind::ImageEdit, "/v1/images/edits");

/// Where each operation answers: misconfigured SDKs double the version or leave it out.
const VERSIONED: [&str; 3] = ["/v1", "/v1/v1", "/api/v1"];
const GEMINI: [&str; 2] = ["/v1beta", "/api/v1beta"];
/// Ollama's own clients, and those that were told the address of the OpenAI endpoints.
const OLLAMA: [&str; 2] = ["/api", "/v1/api"];

/// Everything clients may call. Has no fallback of its own: whoever mounts it decides what the rest of the port
/// says, see [`not_found`].
pub fn router(gateway: Arc<Gateway>) -> anyhow::Result<Router> {
    let mut router = Router::new()
        .route("/chat/completions", operation(post(chat)))
        .route("/responses", operation(post(responses)))
        .route("/codex", operation(post(responses)))
        .route("/codex/{*rest}", operation(post(responses)))
        .route("/models", operation(get(models::list)));
    for base in VERSIONED {
        router = router
            .route(base, operation(get(models::list)))
            .route(&format!("{base}/chat/completions"), operation(post(chat)))
            .route(
                &format!("{base}/providers/{{provider}}/chat/completions"),
                operation(pinned(CHAT_AT_PROVIDER)),
            )
            .route(&format!("{base}/completions"), operation(service(COMPLETIONS)))
            .route(
                &format!("{base}/embeddings"),
                operation(service(EMBEDDINGS).get(models::embeddings)),
            )
            .route(
                &format!("{base}/providers/{{provider}}/embeddings"),
                operation(pinned(EMBEDDINGS_AT_PROVIDER)),
            )
            .route(
                &format!("{base}/images/generations"),
                operation(service(IMAGES).get(models::images)),
            )
            .route(
                &format!("{base}/providers/{{provider}}/images/generations"),
                operation(pinned(IMAGES_AT_PROVIDER)),
            )
            .route(&format!("{base}/moderations"), operation(service(MODERATIONS)))
            .route(&format!("{base}/rerank"), operation(service(RERANK)))
            .route(&format!("{base}/audio/speech"), operation(service(SPEECH)))
            .route(
                &format!("{base}/audio/transcriptions"),
                operation(service(TRANSCRIPTIONS)),
            )
            .route(
                &format!("{base}/audio/translations"),
                operation(service(TRANSLATIONS)),
            )
            .route(&format!("{base}/images/edits"), operation(service(IMAGE_EDITS)))
            .route(&format!("{base}/responses"), operation(post(responses)))
            .route(
                &format!("{base}/responses/input_tokens"),
                operation(post(count::responses)),
            )
            .route(
                &format!("{base}/responses/{{id}}"),
                operation(get(stored_response).delete(stored_response)),
            )
            .route(&format!("{base}/messages"), operation(post(messages)))
            .route(
                &format!("{base}/messages/count_tokens"),
                operation(post(count::messages)),
            )
            .route(&format!("{base}/models"), operation(get(models::list)))
            .route(
                &format!("{base}/models/{{*id}}"),
                // Google's SDK for Python calls the stable version of its API
                operation(get(models::get).post(gemini::call)),
            )
            .route(&format!("{base}/{{*rest}}"), any(not_found));
    }
    for base in GEMINI {
        router = router
            .route(&format!("{base}/models"), operation(get(gemini::list)))
            .route(
                &format!("{base}/models/{{*rest}}"),
                operation(get(gemini::get).post(gemini::call)),
            )
            .route(&format!("{base}/{{*rest}}"), any(not_found));
    }
    for base in OLLAMA {
        router = router
            .route(&format!("{base}/chat"), operation(post(ollama_chat)))
            .route(&format!("{base}/tags"), operation(get(ollama::tags)))
            .route(&format!("{base}/show"), operation(post(ollama::show)))
            .route(&format!("{base}/version"), operation(get(ollama::version)));
    }
    let router = router.layer(CorsRules::new(gateway.clone())?);
    Ok(router.with_state(gateway))
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

/// Something else than chat.
fn service(endpoint: Endpoint) -> MethodRouter<Arc<Gateway>> {
    post(
        move |State(gateway): State<Arc<Gateway>>, request: Request| async move {
            pipeline::serve(&gateway, Arrival::new(endpoint, request)).await
        },
    )
}

/// At the one provider that the address names.
fn pinned(endpoint: Endpoint) -> MethodRouter<Arc<Gateway>> {
    post(
        move |State(gateway): State<Arc<Gateway>>, Path(provider): Path<String>, request: Request| async move {
            pipeline::serve(&gateway, Arrival::new(endpoint, request).at_provider(provider)).await
        },
    )
}

async fn responses(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    pipeline::serve(&gateway, Arrival::new(RESPONSES, request)).await
}

async fn messages(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    pipeline::serve(&gateway, Arrival::new(MESSAGES, request)).await
}

async fn ollama_chat(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    pipeline::serve(&gateway, Arrival::new(OLLAMA_CHAT, request)).await
}

/// Responses are not kept, so none can be read again or deleted.
async fn stored_response(Path(id): Path<String>, request: Request) -> Response {
    let arrival = Arrival::new(STORED_RESPONSE, request);
    pipeline::failure(&arrival, &GatewayError::NotKept { id })
}

fn operation(methods: MethodRouter<Arc<Gateway>>) -> MethodRouter<Arc<Gateway>> {
    methods.fallback(method_not_allowed)
}

fn refuse(request: Request, error: &GatewayError) -> Response {
    let (parts, body) = request.into_parts();
    let endpoint = Endpoint::chat("unknown", likely_dialect(&parts));
    pipeline::failure(&Arrival::new(endpoint, Request::from_parts(parts, body)), error)
}

fn likely_dialect(parts: &request::Parts) -> Dialect {
    let path = parts.uri.path();
    if path.contains("/v1beta") {
        Dialect::Gemini
    } else if path.contains("/responses") || path.starts_with("/codex") {
        Dialect::OpenAiResponses
    } else if path.contains("/messages") || parts.headers.contains_key("anthropic-version") {
        Dialect::AnthropicMessages
    } else if path.starts_with("/v1/api/") || path.starts_with("/api/") && !path.starts_with("/api/v1") {
        Dialect::OllamaChat
    } else {
        Dialect::OpenAiChat
    }
}
