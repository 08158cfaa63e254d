//! The models of the built-in providers, in one list.
//!
//! `GET /api/models`
//!
//! What can be called at all, endpoints of one's own included, is in the catalog.

use std::collections::{HashMap, HashSet};

use axum::{Json, extract::State};
use llm::providers;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{api::Ctx, error::ApiError, http::Reader};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BuiltInModelList)]
struct ModelList {
    models: Vec<ModelView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BuiltInModel)]
struct ModelView {
    provider: &'static str,
    /// The provider's own id.
    model: &'static str,
    name: &'static str,
    /// As clients write it.
    full_model: String,
    /// A name that was given to it; its own id without one.
    alias: String,
    /// Some enabled connection belongs to its provider.
    available: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Every model that is known beforehand.
#[utoipa::path(get, path = "/api/models", tag = "models", responses((status = 200, body = ModelList)))]
async fn list(State(ctx): State<Ctx>, _: Reader) -> Result<Json<ModelList>, ApiError> {
    let active = sqlx::query_scalar!("select distinct provider from provider_connection where is_active")
        .fetch_all(ctx.db.pool())
        .await?;
    let active: HashSet<String> = active.into_iter().collect();
    // of several aliases the last by name counts
    let aliases = sqlx::query!("select alias, target from model_alias order by alias")
        .fetch_all(ctx.db.pool())
        .await?;
    let aliases: HashMap<String, String> = aliases.into_iter().map(|row| (row.target, row.alias)).collect();
    let models = providers::ALL.iter().flat_map(|spec| {
        let available = active.contains(spec.id);
        spec.models.iter().map({
            let aliases = &aliases;
            move |model| {
                let full_model = format!("{}/{}", spec.alias, model.id);
                let by_id = format!("{}/{}", spec.id, model.id);
                let alias = aliases.get(&full_model).or(aliases.get(&by_id));
                ModelView {
                    provider: spec.id,
                    model: model.id,
                    name: model.name,
                    alias: alias.map_or_else(|| model.id.to_owned(), String::clone),
                    full_model,
                    available,
                }
            }
        })
    });
    Ok(Json(ModelList {
        models: models.collect(),
    }))
}
