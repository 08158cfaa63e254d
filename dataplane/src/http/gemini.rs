//! Gemini's API: the model and the operation are in the path, and the framing of a stream in the query.
//!
//! `GET /v1beta/models` · `GET /v1beta/models/{model}` · `POST /v1beta/models/{model}:{operation}`

use super::{count, models, not_found};
use crate::pipeline::{self, Arrival, Endpoint, Gateway};
use crate::routing::{ListedModel, Table};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use llm::{Address, Dialect, Framing, ModelCaps};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use url::form_urlencoded;

const MODELS: Endpoint = Endpoint::chat("/v1beta/models", Dialect::Gemini);
const GENERATE: Endpoint = Endpoint::chat("/v1beta/models/{model}:generateContent", Dialect::Gemini);
const STREAM: Endpoint = Endpoint::chat("/v1beta/models/{model}:streamGenerateContent", Dialect::Gemini);
const COUNT: Endpoint = Endpoint::chat("/v1beta/models/{model}:countTokens", Dialect::Gemini);

const METHODS: [&str; 3] = ["generateContent", "streamGenerateContent", "countTokens"];

#[derive(Serialize)]
struct List {
    models: Vec<ModelView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelView {
    name: String,
    display_name: String,
    description: String,
    supported_generation_methods: [&'static str; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    input_token_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u64>,
}

/// The whole list is one page, whatever page is asked for.
pub async fn list(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let arrival = Arrival::new(MODELS, request);
    let listed = models::enter(&gateway, &arrival).map(|(table, caller)| {
        let models = models::rows(&table, &caller)
            .map(|row| view(&table, row))
            .collect();
        axum::Json(List { models }).into_response()
    });
    models::answer(&gateway, &arrival, listed)
}

pub async fn get(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, request: Request) -> Response {
    let arrival = Arrival::new(MODELS, request);
    let found = models::enter(&gateway, &arrival).and_then(|(table, caller)| {
        let row = models::find(&table, &caller, &id)?;
        Ok(axum::Json(view(&table, row)).into_response())
    });
    models::answer(&gateway, &arrival, found)
}

/// A model id may contain slashes and colons, so the operation is what follows the last colon.
pub async fn call(
    State(gateway): State<Arc<Gateway>>,
    Path(rest): Path<String>,
    request: Request,
) -> Response {
    let Some((model, operation)) = rest.rsplit_once(':') else {
        return not_found(request).await;
    };
    let address = |stream, framing| Address {
        model: model.to_owned(),
        stream,
        framing,
    };
    match operation {
        "generateContent" => {
            let address = address(false, Framing::Native);
            pipeline::serve(&gateway, Arrival::new(GENERATE, request).at(address)).await
        }
        "streamGenerateContent" => {
            let address = address(true, framing(&request));
            pipeline::serve(&gateway, Arrival::new(STREAM, request).at(address)).await
        }
        "countTokens" => {
            let arrival = Arrival::new(COUNT, request).at(address(false, Framing::Native));
            count::answer(&gateway, arrival, |tokens| json!({"totalTokens": tokens})).await
        }
        _ => not_found(request).await,
    }
}

fn framing(request: &Request) -> Framing {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    match pairs.any(|(name, value)| name == "alt" && value == "sse") {
        true => Framing::Native,
        false => Framing::JsonArray,
    }
}

fn view(table: &Table, row: &ListedModel) -> ModelView {
    let route = table
        .resolve(&row.id)
        .ok()
        .and_then(|resolution| resolution.routes().first().cloned());
    ModelView {
        name: format!("models/{}", row.id),
        display_name: row.name().to_owned(),
        description: format!("{} model: {}", row.owned_by, row.name()),
        supported_generation_methods: METHODS,
        input_token_limit: row.custom.as_ref().and_then(|custom| custom.context_window),
        output_token_limit: route
            .and_then(|route| ModelCaps::of(route.provider.spec.dialect, &route.model).max_output),
    }
}
