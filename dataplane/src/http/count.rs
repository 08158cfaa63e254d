//! Token counts, in the words of each API that has them.

use crate::pipeline::{self, Arrival, Endpoint, Gateway};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use llm::Dialect;
use serde_json::{Value, json};
use std::sync::Arc;

const MESSAGES: Endpoint = Endpoint::chat("/v1/messages/count_tokens", Dialect::AnthropicMessages);
const RESPONSES: Endpoint = Endpoint::chat("/v1/responses/input_tokens", Dialect::OpenAiResponses);

pub async fn messages(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    answer(
        &gateway,
        Arrival::new(MESSAGES, request),
        |tokens| json!({"input_tokens": tokens}),
    )
    .await
}

pub async fn responses(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    answer(
        &gateway,
        Arrival::new(RESPONSES, request),
        |tokens| json!({"object": "response.input_tokens", "input_tokens": tokens}),
    )
    .await
}

pub async fn answer(gateway: &Arc<Gateway>, mut arrival: Arrival, shape: fn(u64) -> Value) -> Response {
    let counted = pipeline::count(gateway, &mut arrival).await;
    let counted = counted.map(|tokens| axum::Json(shape(tokens)).into_response());
    super::models::answer(gateway, &arrival, counted)
}
