//! `GET /api/pricing/models`: what can have a price.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use llm::{
    provider::{AuthType, ProviderSpec},
    providers,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{api::Ctx, error::ApiError, http::Reader};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PricedProvider {
    id: String,
    alias: String,
    name: String,
    /// `apikey` or `oauth`.
    #[serde(rename = "authType")]
    auth_type: &'static str,
    /// The dialect its servers speak.
    format: &'static str,
    models: Vec<PricedModel>,
    #[serde(rename = "modelCount")]
    model_count: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PricedModel {
    id: String,
    name: String,
    /// An operator added it by hand.
    custom: bool,
}

// === impl PricedProvider ===

impl PricedProvider {
    fn of(spec: &ProviderSpec) -> Self {
        let chat = spec.models.iter().map(|model| (model.id, model.name));
        let beside = spec.services.iter().flat_map(|service| service.models);
        let models = chat
            .chain(beside.map(|id| (*id, *id)))
            .map(|(id, name)| PricedModel {
                id: id.to_owned(),
                name: name.to_owned(),
                custom: false,
            });
        let models: Vec<PricedModel> = models.collect();
        Self {
            id: spec.id.to_owned(),
            alias: spec.alias.to_owned(),
            name: spec.name.to_owned(),
            auth_type: match spec.auth_type {
                AuthType::ApiKey => "apikey",
                AuthType::OAuth => "oauth",
            },
            format: spec.dialect.name(),
            model_count: models.len(),
            models,
        }
    }
}

/// Models that can have a price, by what clients write before the slash.
#[utoipa::path(get, path = "/api/pricing/models", tag = "pricing",
    responses((status = 200, body = std::collections::HashMap<String, PricedProvider>)))]
pub(super) async fn models(
    State(ctx): State<Ctx>,
    _: Reader,
) -> Result<Json<BTreeMap<String, PricedProvider>>, ApiError> {
    let nodes = sqlx::query!("select id, prefix, name, type, api_type from provider_node")
        .fetch_all(ctx.db.pool())
        .await?;
    let added =
        sqlx::query!("select provider, model, name, source from custom_model order by provider, model")
            .fetch_all(ctx.db.pool())
            .await?;
    let built_in = providers::ALL.iter().copied().map(PricedProvider::of);
    let own = nodes.into_iter().filter_map(|node| {
        let spec = providers::compatible(&node.r#type, node.api_type.as_deref().unwrap_or_default())?;
        let own = PricedProvider {
            id: node.id,
            alias: node.prefix,
            name: node.name,
            ..PricedProvider::of(spec)
        };
        Some(own)
    });
    let mut providers: BTreeMap<String, PricedProvider> = built_in
        .chain(own)
        .map(|provider| (provider.alias.clone(), provider))
        .collect();
    for model in added {
        let mut known = providers.values_mut();
        let Some(provider) = known.find(|provider| provider.id == model.provider) else {
            continue;
        };
        if provider.models.iter().any(|known| known.id == model.model) {
            continue;
        }
        provider.models.push(PricedModel {
            id: model.model,
            name: model.name,
            custom: model.source != "imported",
        });
        provider.model_count = provider.models.len();
    }
    Ok(Json(providers))
}
