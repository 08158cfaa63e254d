//! Custom models: what a provider has beyond the models that are known beforehand.
//!
//! `GET POST DELETE /api/provider-models`
//!
//! A custom model is listed to clients and its bare name leads to its provider. Any other model of a provider can be
//! called as well, if it is named together with the provider.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use proto::validate::MODEL_TYPES;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::names::Names;
use crate::{
    api::Ctx,
    db::Audit,
    error::{ApiError, Violation},
    http::{Body, Json as JsonBody, Operator, Query, Reader, Violations, Wait, WaitQuery},
};

const WHAT: &str = "custom model";
const SOURCES: [&str; 2] = ["manual", "imported"];
const MAX_CONTEXT_WINDOW: u32 = 1_000_000_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Id or alias of a provider, or id or prefix of a provider node.
    provider: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomModelList)]
struct ModelList {
    models: Models,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Models {
    /// When a provider is asked about.
    OfOne(Vec<ModelView>),
    /// By the id of the provider or of the provider node.
    #[schema(value_type = std::collections::HashMap<String, Vec<ModelView>>)]
    ByProvider(BTreeMap<String, Vec<ModelView>>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CustomModelView)]
struct ModelView {
    /// The provider's own id.
    id: String,
    name: String,
    /// `manual` or `imported`.
    source: String,
    /// `chat`, `embedding`, `image`, `audio`, `audio-transcription`, `audio-speech`, `moderation` or `rerank`.
    r#type: String,
    /// Tokens, if somebody said how many.
    context_window: Option<i32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = CustomModelBody)]
struct ModelBody {
    /// Id or alias of a provider, or id or prefix of a provider node.
    provider: String,
    /// The provider's own id of the model.
    model_id: String,
    /// Without it, the id.
    model_name: Option<String>,
    /// `manual` or `imported`; without it, `manual`.
    source: Option<String>,
    /// Without it, `chat`.
    r#type: Option<String>,
    /// Tokens.
    context_window: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomModelAnswer)]
struct ModelAnswer {
    model: ModelView,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// Id or alias of a provider, or id or prefix of a provider node.
    provider: Option<String>,
    /// The provider's own id of the model.
    model: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomModelRemoved)]
struct Removed {
    removed: bool,
}

struct Row {
    provider: String,
    model: String,
    name: String,
    source: String,
    r#type: String,
    context_window: Option<i32>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, add, remove))
}

// === impl ModelBody ===

impl Body for ModelBody {
    const REQUIRED: &'static [&'static str] = &["provider", "modelId"];

    fn check(&self, violations: &mut Violations) {
        violations.length("provider", &self.provider, 1..=200);
        let id = self.model_id.trim();
        violations.length("modelId", id, 1..=300);
        if id.chars().any(char::is_control) || id.contains("../") || id.contains("..\\") {
            violations.add("modelId", "must not have control characters or `../`");
        }
        if let Some(name) = &self.model_name {
            violations.length("modelName", name.trim(), 1..=200);
        }
        if let Some(source) = &self.source {
            violations.one_of("source", source, &SOURCES);
        }
        if let Some(kind) = &self.r#type {
            violations.one_of("type", kind, &MODEL_TYPES);
        }
        if let Some(tokens) = self.context_window {
            violations.range("contextWindow", tokens, 1..=MAX_CONTEXT_WINDOW);
        }
    }
}

// === impl Row ===

impl Row {
    fn new(body: ModelBody, provider: String) -> Self {
        let model = body.model_id.trim().to_owned();
        let name = body.model_name.map(|name| name.trim().to_owned());
        Self {
            provider,
            name: name.unwrap_or_else(|| model.clone()),
            model,
            source: body.source.unwrap_or_else(|| SOURCES[0].to_owned()),
            r#type: body.r#type.unwrap_or_else(|| MODEL_TYPES[0].to_owned()),
            context_window: body.context_window.map(u32::cast_signed),
        }
    }

    fn view(self) -> ModelView {
        ModelView {
            id: self.model,
            name: self.name,
            source: self.source,
            r#type: self.r#type,
            context_window: self.context_window,
        }
    }
}

/// The custom models of one provider, or of all.
#[utoipa::path(get, path = "/api/provider-models", tag = "models", params(ListQuery),
    responses((status = 200, body = ModelList)))]
async fn list(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<ListQuery>,
) -> Result<Json<ModelList>, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    let provider = match query.provider {
        Some(name) => Some(Names::load(&mut conn).await?.provider_id(&name).unwrap_or(name)),
        None => None,
    };
    let rows = sqlx::query_as!(
        Row,
        r#"select provider, model, name, source, type as "type!", context_window from custom_model
           where $1::text is null or provider = $1 order by provider, model"#,
        provider,
    )
    .fetch_all(&mut *conn)
    .await?;
    if provider.is_some() {
        let models = rows.into_iter().map(Row::view).collect();
        return Ok(Json(ModelList {
            models: Models::OfOne(models),
        }));
    }
    let mut models: BTreeMap<String, Vec<ModelView>> = BTreeMap::new();
    for row in rows {
        models.entry(row.provider.clone()).or_default().push(row.view());
    }
    Ok(Json(ModelList {
        models: Models::ByProvider(models),
    }))
}

/// Adds a model to a provider. One that is there already stays as it is, and is the answer.
#[utoipa::path(post, path = "/api/provider-models", tag = "models", request_body = ModelBody, params(WaitQuery),
    responses((status = 201, body = ModelAnswer), (status = 200, body = ModelAnswer), (status = 400), (status = 404)))]
async fn add(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<ModelBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let provider = Names::load(tx.conn())
        .await?
        .provider_id(&body.provider)
        .ok_or_else(|| ApiError::not_found("provider", &body.provider))?;
    let row = Row::new(body, provider);
    let stored = sqlx::query_as!(
        Row,
        "select provider, model, name, source, type, context_window from custom_model
         where provider = $1 and model = $2",
        row.provider,
        row.model,
    )
    .fetch_optional(tx.conn())
    .await?;
    if let Some(stored) = stored {
        let answer = ModelAnswer { model: stored.view() };
        return Ok(Json(answer).into_response());
    }
    sqlx::query!(
        "insert into custom_model (provider, model, name, source, type, context_window)
         values ($1, $2, $3, $4, $5, $6)",
        row.provider,
        row.model,
        row.name,
        row.source,
        row.r#type,
        row.context_window,
    )
    .execute(tx.conn())
    .await?;
    let target = format!("{}/{}", row.provider, row.model);
    let model = row.view();
    let audit = Audit::of("model.custom.added")
        .target(WHAT, target)
        .details(json!(model));
    let committed = tx.commit(audit, ModelAnswer { model }).await?;
    Ok(wait.answer(StatusCode::CREATED, committed).await)
}

/// Takes a model from a provider. One that is not there is no error.
#[utoipa::path(delete, path = "/api/provider-models", tag = "models", params(DeleteQuery, WaitQuery),
    responses((status = 200, body = Removed), (status = 400)))]
async fn remove(
    State(ctx): State<Ctx>,
    operator: Operator,
    Query(query): Query<DeleteQuery>,
    wait: Wait,
) -> Result<Response, ApiError> {
    let (provider, model) = match query {
        DeleteQuery {
            provider: Some(provider),
            model: Some(model),
        } => (provider, model),
        DeleteQuery { provider, model } => {
            let absent = [("provider", provider.is_none()), ("model", model.is_none())];
            let absent = absent.into_iter().filter(|(_, is_absent)| *is_absent);
            return Err(ApiError::Invalid(
                absent.map(|(field, _)| Violation::missing(field)).collect(),
            ));
        }
    };
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let provider = Names::load(tx.conn())
        .await?
        .provider_id(&provider)
        .unwrap_or(provider);
    let removed = sqlx::query!(
        "delete from custom_model where provider = $1 and model = $2",
        provider,
        model
    )
    .execute(tx.conn())
    .await?;
    if removed.rows_affected() == 0 {
        return Ok(Json(Removed { removed: false }).into_response());
    }
    let audit = Audit::of("model.custom.removed").target(WHAT, format!("{provider}/{model}"));
    let committed = tx.commit(audit, Removed { removed: true }).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}
