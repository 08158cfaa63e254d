//! `GET /v1/models`: what a caller may ask for. Always in OpenAI's shape, which every listing client reads.

use crate::error::GatewayError;
use crate::pipeline::{self, Arrival, AuthError, Caller, Endpoint, Gateway, PlanError};
use crate::routing::{ListedModel, ResolveError, Table};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use http::HeaderMap;
use llm::Dialect;
use serde::Serialize;
use std::sync::Arc;

const MODELS: Endpoint = Endpoint {
    route: "/v1/models",
    dialect: Dialect::OpenAiChat,
};

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
}

pub async fn list(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let arrival = Arrival::new(MODELS, request);
    let listed = enter(&gateway, &arrival).map(|(table, caller)| {
        let created = Utc::now().timestamp();
        let data = table
            .visible(caller.key.as_deref())
            .map(|row| view(row, created))
            .collect();
        axum::Json(List { object: "list", data }).into_response()
    });
    answer(&gateway, &arrival, listed)
}

/// The id may contain slashes.
pub async fn get(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, request: Request) -> Response {
    let arrival = Arrival::new(MODELS, request);
    let found = enter(&gateway, &arrival).and_then(|(table, caller)| {
        let mut visible = table.visible(caller.key.as_deref());
        let row = visible.find(|row| row.id == id).ok_or_else(|| unknown(&id))?;
        Ok(axum::Json(view(row, Utc::now().timestamp())).into_response())
    });
    answer(&gateway, &arrival, found)
}

fn enter(gateway: &Gateway, arrival: &Arrival) -> Result<(Arc<Table>, Caller), GatewayError> {
    if gateway.availability.draining.is_cancelled() {
        return Err(GatewayError::Draining);
    }
    let table = gateway.routing.load().ok_or(GatewayError::Unconfigured)?;
    let caller = match pipeline::caller(&table, &arrival.parts, table.require_auth_for_models()) {
        Ok(caller) => caller,
        Err(AuthError::Missing) => return Err(AuthError::Required.into()),
        // a public list is public, whatever key comes along
        Err(_) if !table.require_auth_for_models() => Caller::default(),
        Err(error) => return Err(error.into()),
    };
    Ok((table, caller))
}

fn answer(gateway: &Gateway, arrival: &Arrival, answer: Result<Response, GatewayError>) -> Response {
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

fn view(row: &ListedModel, created: i64) -> ModelView<'_> {
    ModelView {
        id: &row.id,
        object: "model",
        created,
        owned_by: &row.owned_by,
        permission: [],
        root: &row.root,
        parent: row.parent.as_deref(),
    }
}

fn unknown(id: &str) -> GatewayError {
    let instead = "GET /v1/models lists what this gateway serves.".to_owned();
    PlanError::from(ResolveError::Unknown {
        model: id.to_owned(),
        instead,
    })
    .into()
}
