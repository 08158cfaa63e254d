//! What can be connected and called: the built-in providers, the operator's own endpoints, and their models.
//!
//! `GET /api/models/catalog`

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::{Json, extract::State};
use llm::{
    provider::{AuthScheme, AuthType, ProviderSpec},
    providers,
};
use proto::validate::MODEL_TYPES;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    error::ApiError,
    http::{Query, Reader, one_of},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CatalogQuery {
    /// Only models of this type, and only providers that have some.
    r#type: Option<String>,
    /// Only this provider: its id, its alias, or the prefix of a provider node.
    provider: Option<String>,
    /// Only providers with, or without, an enabled connection.
    active: Option<bool>,
}

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
    /// How its credential is written, where that is not plain.
    #[serde(rename = "credentialHint", skip_serializing_if = "Option::is_none")]
    credential_hint: Option<&'static str>,
    /// `key`, or `service-account`: the JSON key of one.
    credential: &'static str,
    /// What else a connection may say in `providerSpecificData`: `region`, `project`.
    fields: Vec<&'static str>,
    /// `apikey`, or `oauth`: accounts are signed in to, and take no key.
    #[serde(rename = "authType")]
    auth_type: &'static str,
    /// Some enabled connection belongs to it.
    active: bool,
    /// Models known beforehand and those that were added; a provider may serve more.
    models: Vec<ModelEntry>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ModelEntry {
    /// As clients write it, prefix included.
    id: String,
    name: String,
    /// `chat`, `embedding`, `image`, `audio`, `audio-transcription`, `audio-speech`, `moderation` or `rerank`.
    r#type: String,
    /// An operator added it by hand; what was imported from the provider is not.
    custom: bool,
}

/// Models that were added, by the id of their provider.
struct Added(HashMap<String, Vec<AddedModel>>);

struct AddedModel {
    provider: String,
    model: String,
    name: String,
    source: String,
    r#type: String,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(catalog))
}

// === impl CatalogQuery ===

impl CatalogQuery {
    /// Leaves out what was not asked for.
    fn admits(&self, prefix: &str, entry: &mut ProviderEntry) -> bool {
        let named = |name: &str| name == prefix || name == entry.id;
        let asked = self.provider.as_deref().is_none_or(named)
            && self.active.is_none_or(|active| active == entry.active);
        let Some(kind) = &self.r#type else { return asked };
        entry.models.retain(|model| model.r#type == *kind);
        asked && !entry.models.is_empty()
    }
}

// === impl ProviderEntry ===

impl ProviderEntry {
    fn of(spec: &ProviderSpec, active: &HashSet<String>) -> Self {
        Self {
            id: spec.id.to_owned(),
            provider: spec.name.to_owned(),
            custom: false,
            keyless: spec.keyless,
            credential_hint: hint(spec),
            credential: credential(spec),
            fields: fields(spec),
            auth_type: match spec.auth_type {
                AuthType::ApiKey => "apikey",
                AuthType::OAuth => "oauth",
            },
            active: active.contains(spec.id),
            models: spec
                .models
                .iter()
                .map(|known| ModelEntry {
                    id: format!("{}/{}", spec.alias, known.id),
                    name: known.name.to_owned(),
                    r#type: "chat".to_owned(),
                    custom: false,
                })
                .collect(),
        }
    }

    /// With the models that were added, each id once.
    fn with(mut self, prefix: &str, added: &mut Added) -> Self {
        for model in added.0.remove(&self.id).unwrap_or_default() {
            let id = format!("{prefix}/{}", model.model);
            if !self.models.iter().any(|known| known.id == id) {
                self.models.push(ModelEntry {
                    id,
                    name: model.name,
                    r#type: model.r#type,
                    custom: model.source != "imported",
                });
            }
        }
        self
    }
}

// === impl Added ===

impl Added {
    async fn load(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query_as!(
            AddedModel,
            "select provider, model, name, source, type from custom_model order by provider, model"
        )
        .fetch_all(pool)
        .await?;
        let mut by_provider: HashMap<String, Vec<AddedModel>> = HashMap::new();
        for row in rows {
            by_provider.entry(row.provider.clone()).or_default().push(row);
        }
        Ok(Self(by_provider))
    }
}

/// Every provider a connection can be made for, and its models.
#[utoipa::path(get, path = "/api/models/catalog", tag = "models", params(CatalogQuery),
    responses((status = 200, body = Catalog), (status = 400)))]
async fn catalog(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<CatalogQuery>,
) -> Result<Json<Catalog>, ApiError> {
    if let Some(kind) = &query.r#type {
        one_of("type", kind, &MODEL_TYPES)?;
    }
    let active: HashSet<String> =
        sqlx::query_scalar!("select distinct provider from provider_connection where is_active")
            .fetch_all(ctx.db.pool())
            .await?
            .into_iter()
            .collect();
    let nodes = sqlx::query!("select id, prefix, name, type, api_type from provider_node")
        .fetch_all(ctx.db.pool())
        .await?;
    let mut added = Added::load(ctx.db.pool()).await?;
    let built_in = providers::ALL
        .iter()
        .map(|spec| (spec.alias.to_owned(), ProviderEntry::of(spec, &active)));
    let custom = nodes.into_iter().map(|node| {
        let spec = providers::compatible(&node.r#type, node.api_type.as_deref().unwrap_or_default());
        let entry = ProviderEntry {
            keyless: spec.is_some_and(|spec| spec.keyless),
            credential_hint: spec.and_then(hint),
            credential: spec.map_or("key", credential),
            fields: spec.map(fields).unwrap_or_default(),
            auth_type: "apikey",
            active: active.contains(&node.id),
            id: node.id,
            provider: node.name,
            custom: true,
            models: Vec::new(),
        };
        (node.prefix, entry)
    });
    let entries = built_in.chain(custom).map(|(prefix, entry)| {
        let entry = entry.with(&prefix, &mut added);
        (prefix, entry)
    });
    let entries = entries.filter_map(|(prefix, mut entry)| {
        let admitted = query.admits(&prefix, &mut entry);
        admitted.then_some((prefix, entry))
    });
    Ok(Json(Catalog {
        catalog: entries.collect(),
    }))
}

fn hint(spec: &ProviderSpec) -> Option<&'static str> {
    Some(spec.credential_hint).filter(|hint| !hint.is_empty())
}

fn credential(spec: &ProviderSpec) -> &'static str {
    match spec.auth {
        AuthScheme::Google { .. } => "service-account",
        AuthScheme::Bearer | AuthScheme::Header(_) | AuthScheme::Word(_) | AuthScheme::Aws { .. } => "key",
    }
}

fn fields(spec: &ProviderSpec) -> Vec<&'static str> {
    let all = [("region", spec.takes_region()), ("project", spec.takes_project())];
    all.into_iter()
        .filter(|(_, taken)| *taken)
        .map(|(name, _)| name)
        .collect()
}
