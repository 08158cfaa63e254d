//! `GET /v1/models`: what a caller may ask for, and what all lists of models have in common. OpenAI's shape, which
//! every listing client reads, unless the client says that it is Anthropic's.

use crate::error::GatewayError;
use crate::pipeline::{self, Arrival, AuthError, Caller, Endpoint, Gateway, PlanError};
use crate::routing::{ListedModel, ResolveError, Table};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use http::HeaderMap;
use llm::provider::Service;
use llm::{Dialect, Kind, ProviderSpec, providers};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

const MODELS: Endpoint = Endpoint::chat("/v1/models", Dialect::OpenAiChat);

const EMBEDDING_MODELS: Endpoint = Endpoint::of(Kind::Embedding, "/v1/embeddings");
const IMAGE_MODELS: Endpoint = Endpoint::of(Kind::Image, "/v1/images/generations");

/// The same path is Anthropic's, whose clients always name the version of its API.
const ANTHROPIC_MODELS: Endpoint = Endpoint::chat("/v1/models", Dialect::AnthropicMessages);

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<ModelView<'a>>,
}

#[derive(Serialize)]
struct ModelView<'a> {
    id: &'a str,
    object: &'static str,
    /// Unix seconds; providers do not tell, so it is the time of the answer.
    created: i64,
    owned_by: &'a str,
    permission: [(); 0],
    root: &'a str,
    parent: Option<&'a str>,
    /// An operator added it.
    #[serde(skip_serializing_if = "is_false")]
    custom: bool,
    /// Of what is no chat model.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtype: Option<&'a str>,
}

/// One that does something else than converse, of any provider there is, whether it is connected or not.
#[derive(Serialize)]
struct ServiceView {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supported_sizes: Option<&'static [&'static str]>,
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicView<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicView<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
}

pub async fn list(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let arrival = Arrival::new(endpoint(&request), request);
    let listed = enter(&gateway, &arrival).map(|(table, caller)| {
        let (visible, now) = (table.visible(caller.key.as_deref()), Utc::now());
        match arrival.endpoint.dialect {
            Dialect::AnthropicMessages => {
                let chat = visible.filter(|row| row.is_chat());
                let data: Vec<_> = chat.map(|row| anthropic_view(row, now)).collect();
                let (first_id, last_id) = (data.first().map(|row| row.id), data.last().map(|row| row.id));
                axum::Json(AnthropicList {
                    data,
                    has_more: false,
                    first_id,
                    last_id,
                })
                .into_response()
            }
            _ => {
                let data = visible.map(|row| view(row, now)).collect();
                axum::Json(List { object: "list", data }).into_response()
            }
        }
    });
    answer(&gateway, &arrival, listed)
}

pub async fn embeddings(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    services(&gateway, &Arrival::new(EMBEDDING_MODELS, request))
}

pub async fn images(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    services(&gateway, &Arrival::new(IMAGE_MODELS, request))
}

/// All that the registry knows of a kind.
fn services(gateway: &Gateway, arrival: &Arrival) -> Response {
    let kind = arrival.endpoint.kind;
    let listed = enter(gateway, arrival).map(|_| {
        let now = Utc::now().timestamp();
        let of = |spec: &&'static ProviderSpec| {
            let (spec, service) = (*spec, spec.service(kind)?);
            Some(
                service
                    .models
                    .iter()
                    .map(move |model| service_view(spec, service, model, now)),
            )
        };
        let data: Vec<ServiceView> = providers::ALL.iter().filter_map(of).flatten().collect();
        axum::Json(json!({ "object": "list", "data": data })).into_response()
    });
    answer(gateway, arrival, listed)
}

/// The id may contain slashes.
pub async fn get(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, request: Request) -> Response {
    let arrival = Arrival::new(endpoint(&request), request);
    let found = enter(&gateway, &arrival).and_then(|(table, caller)| {
        let row = find(&table, &caller, &id)?;
        Ok(match arrival.endpoint.dialect {
            Dialect::AnthropicMessages => axum::Json(anthropic_view(row, Utc::now())).into_response(),
            _ => axum::Json(view(row, Utc::now())).into_response(),
        })
    });
    answer(&gateway, &arrival, found)
}

/// Who asks, and of which configuration.
pub(super) fn enter(gateway: &Gateway, arrival: &Arrival) -> Result<(Arc<Table>, Caller), GatewayError> {
    let table = pipeline::configuration(gateway, &arrival.parts)?;
    let caller = match pipeline::caller(&table, &arrival.parts, table.require_auth_for_models()) {
        Ok(caller) => caller,
        Err(AuthError::Missing) => return Err(AuthError::Required.into()),
        // a public list is public, whatever key comes along
        Err(_) if !table.require_auth_for_models() => Caller::default(),
        Err(error) => return Err(error.into()),
    };
    Ok((table, caller))
}

/// The chat models that a caller may see, every one once: the second names that some have are left out.
pub(super) fn rows<'a>(table: &'a Table, caller: &'a Caller) -> impl Iterator<Item = &'a ListedModel> {
    table
        .visible(caller.key.as_deref())
        .filter(|row| row.parent.is_none() && row.is_chat())
}

/// One model by any of its names.
pub(super) fn find<'a>(table: &'a Table, caller: &Caller, id: &str) -> Result<&'a ListedModel, GatewayError> {
    let key = caller.key.as_deref();
    let row = table.listing().iter().find(|row| row.id == id);
    row.filter(|row| key.is_none_or(|key| table.is_visible(row, key)))
        .ok_or_else(|| unknown(id))
}

pub(super) fn answer(
    gateway: &Gateway,
    arrival: &Arrival,
    answer: Result<Response, GatewayError>,
) -> Response {
    match answer {
        Ok(mut response) => {
            let headers: &mut HeaderMap = response.headers_mut();
            headers.insert("x-request-id", arrival.request_id.clone());
            pipeline::note_degraded(gateway, headers);
            response
        }
        Err(error) => pipeline::failure(arrival, &error),
    }
}

fn endpoint(request: &Request) -> Endpoint {
    match request.headers().contains_key("anthropic-version") {
        true => ANTHROPIC_MODELS,
        false => MODELS,
    }
}

fn view(row: &ListedModel, now: DateTime<Utc>) -> ModelView<'_> {
    let kind: &str = &row.kind;
    let (kind, subtype) = match kind.split_once('-') {
        Some((kind, subtype)) => (kind, Some(subtype)),
        None => (kind, None),
    };
    ModelView {
        id: &row.id,
        object: "model",
        created: now.timestamp(),
        owned_by: &row.owned_by,
        permission: [],
        root: &row.root,
        parent: row.parent.as_deref(),
        custom: row.custom.is_some(),
        r#type: (kind != "chat").then_some(kind),
        subtype,
    }
}

fn service_view(
    spec: &'static ProviderSpec,
    service: &'static Service,
    model: &'static str,
    now: i64,
) -> ServiceView {
    let known = service.dimensions.iter().find(|(known, _)| *known == model);
    ServiceView {
        id: format!("{}/{model}", spec.id),
        object: "model",
        created: now,
        owned_by: spec.id,
        r#type: service.kind.name(),
        dimensions: known.map(|(_, dimensions)| *dimensions),
        supported_sizes: (service.kind == Kind::Image).then_some(service.sizes),
    }
}

fn anthropic_view(row: &ListedModel, now: DateTime<Utc>) -> AnthropicView<'_> {
    AnthropicView {
        r#type: "model",
        id: &row.id,
        display_name: row.name(),
        created_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn unknown(id: &str) -> GatewayError {
    let instead = "GET /v1/models lists what this gateway serves.".to_owned();
    PlanError::from(ResolveError::Unknown {
        model: id.to_owned(),
        instead,
    })
    .into()
}
