//! What clients of Ollama ask before they chat: which models there are, what one of them can do, and which version
//! of Ollama this is.
//!
//! Nothing here is a file on a disk, so sizes are zero and digests are of names: they tell models apart, which is
//! what clients use them for.

use super::models;
use crate::error::GatewayError;
use crate::pipeline::{Arrival, Endpoint, Gateway};
use crate::routing::{ListedModel, Table};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use chrono::{SecondsFormat, Utc};
use llm::{DecodeError, Dialect, ModelCaps};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

const TAGS: Endpoint = Endpoint::chat("/api/tags", Dialect::OllamaChat);
const SHOW: Endpoint = Endpoint::chat("/api/show", Dialect::OllamaChat);

/// The version whose API is spoken here. Clients compare it with the one they need.
const VERSION: &str = "0.13.0";

#[derive(Serialize)]
struct Tags<'a> {
    models: Vec<Tag<'a>>,
}

#[derive(Serialize)]
struct Tag<'a> {
    name: &'a str,
    model: &'a str,
    modified_at: String,
    size: u64,
    digest: String,
    details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    parent_model: &'static str,
    format: &'static str,
    family: &'a str,
    families: [&'a str; 1],
    parameter_size: &'static str,
    quantization_level: &'static str,
}

#[derive(Serialize)]
struct Shown<'a> {
    modelfile: &'static str,
    parameters: &'static str,
    template: &'static str,
    details: Details<'a>,
    model_info: Map<String, Value>,
    capabilities: Vec<&'static str>,
    modified_at: String,
}

/// Older clients call the model `name`.
#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    model: String,
    #[serde(default)]
    name: String,
}

pub async fn tags(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let arrival = Arrival::new(TAGS, request);
    let listed = models::enter(&gateway, &arrival).map(|(table, caller)| {
        let models = models::rows(&table, &caller).map(tag).collect();
        axum::Json(Tags { models }).into_response()
    });
    models::answer(&gateway, &arrival, listed)
}

pub async fn show(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let mut arrival = Arrival::new(SHOW, request);
    let shown = describe(&gateway, &mut arrival).await;
    models::answer(&gateway, &arrival, shown)
}

pub async fn version() -> Response {
    axum::Json(json!({"version": VERSION})).into_response()
}

async fn describe(gateway: &Gateway, arrival: &mut Arrival) -> Result<Response, GatewayError> {
    let (table, caller) = models::enter(gateway, arrival)?;
    let body = arrival.read_body(&gateway.edge).await?;
    let which: Which = serde_json::from_slice(&body)
        .map_err(|error| DecodeError::new(format!("Invalid JSON body: {error}")))?;
    let name = match which.model.is_empty() {
        true => which.name,
        false => which.model,
    };
    if name.is_empty() {
        return Err(DecodeError::at("model", "Missing model").into());
    }
    let row = models::find(&table, &caller, &name)?;
    Ok(axum::Json(shown(&table, row)).into_response())
}

fn tag(row: &ListedModel) -> Tag<'_> {
    let digest = Sha256::digest(row.id.as_bytes());
    Tag {
        name: &row.id,
        model: &row.id,
        modified_at: now(),
        size: 0,
        digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        details: details(row),
    }
}

fn shown<'a>(table: &Table, row: &'a ListedModel) -> Shown<'a> {
    let route = table
        .resolve(&row.id)
        .ok()
        .and_then(|resolution| resolution.routes().first().cloned());
    let caps = route.map(|route| ModelCaps::of(route.provider.spec.dialect, &route.model));
    let mut capabilities = vec!["completion", "tools"];
    capabilities.extend(caps.is_some_and(|caps| caps.images).then_some("vision"));
    let architecture = ("general.architecture".to_owned(), Value::from(&*row.owned_by));
    let context = row.custom.as_ref().and_then(|custom| custom.context_window);
    let context = context.map(|tokens| (format!("{}.context_length", row.owned_by), Value::from(tokens)));
    Shown {
        modelfile: "",
        parameters: "",
        template: "",
        details: details(row),
        model_info: std::iter::once(architecture).chain(context).collect(),
        capabilities,
        modified_at: now(),
    }
}

fn details(row: &ListedModel) -> Details<'_> {
    Details {
        parent_model: "",
        format: "gateway",
        family: &row.owned_by,
        families: [&row.owned_by],
        parameter_size: "",
        quantization_level: "",
    }
}

/// Providers do not tell when a model changed, so it is the time of the answer.
fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}
