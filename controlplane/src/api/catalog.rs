//! What can be connected and called: the built-in providers and the operator's own endpoints.
//!
//! `GET /api/models/catalog`

use std::collections::{BTreeMap, HashSet};

use axum::{Json, extract::State};
use llm::{provider::ProviderSpec, providers};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{api::Ctx, error::ApiError, http::Operator};

#[derive(Debug, Serialize, ToSchema)]
struct Catalog {
    /// By what clients write before the slash of a model.
    catalog: BTreeMap<String, ProviderEntry>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ProviderEntry {
    /// What a connection names as its provider.
    id: String,
    /// The provider's name for people.
    provider: String,
    /// An endpoint of the operator's own.
    custom: bool,
    /// Its servers usually ask for no credential: a connection needs no key.
    keyless: bool,
    /// Some enabled connection belongs to it.
    active: bool,
    /// Models known beforehand; a provider may serve more.
    models: Vec<ModelEntry>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ModelEntry {
    /// As clients write it, prefix included.
    id: String,
    name: &'static str,
    /// `chat`.
    r#type: &'static str,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(catalog))
}

// === impl ProviderEntry ===

impl ProviderEntry {
    fn of(spec: &ProviderSpec, active: &HashSet<String>) -> Self {
        let model = |id: &str| format!("{}/{id}", spec.alias);
        Self {
            id: spec.id.to_owned(),
            provider: spec.name.to_owned(),
            custom: false,
            keyless: spec.keyless,
            active: active.contains(spec.id),
            models: spec
                .models
                .iter()
                .map(|known| ModelEntry {
                    id: model(known.id),
                    name: known.name,
                    r#type: "chat",
                })
                .collect(),
        }
    }
}

/// Every provider a connection can be made for.
#[utoipa::path(get, path = "/api/models/catalog", tag = "models", responses((status = 200, body = Catalog)))]
async fn catalog(State(ctx): State<Ctx>, _: Operator) -> Result<Json<Catalog>, ApiError> {
    let active: HashSet<String> =
        sqlx::query_scalar!("select distinct provider from provider_connection where is_active")
            .fetch_all(ctx.db.pool())
            .await?
            .into_iter()
            .collect();
    let nodes = sqlx::query!("select id, prefix, name, type, api_type from provider_node")
        .fetch_all(ctx.db.pool())
        .await?;
    let built_in = providers::ALL
        .iter()
        .map(|spec| (spec.alias.to_owned(), ProviderEntry::of(spec, &active)));
    let custom = nodes.into_iter().map(|node| {
        let spec = providers::compatible(&node.r#type, node.api_type.as_deref().unwrap_or_default());
        let entry = ProviderEntry {
            keyless: spec.is_some_and(|spec| spec.keyless),
            active: active.contains(&node.id),
            id: node.id,
            provider: node.name,
            custom: true,
            models: Vec::new(),
        };
        (node.prefix, entry)
    });
    Ok(Json(Catalog {
        catalog: built_in.chain(custom).collect(),
    }))
}
