//! Fallback chains: providers that are asked for the same model when those before them fail.
//!
//! `GET POST PUT DELETE /api/fallback/chains`

use std::collections::{BTreeMap, HashSet};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::types::Json as SqlJson;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::names::Names;
use crate::{
    api::Ctx,
    db::Audit,
    error::{ApiError, Violation},
    http::{Body, Json as JsonBody, Operator, Query, Reader, Violations, Wait, WaitQuery},
};

const WHAT: &str = "fallback chain";
const MODEL_CHARS: usize = 300;
const PROVIDER_CHARS: usize = 200;
const LINKS: usize = 32;
const MAX_PRIORITY: u32 = 10_000;

/// As stored, and as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
struct Link {
    /// Id of a provider or of a provider node.
    provider: String,
    /// Lower is tried first.
    priority: u32,
    enabled: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChainList {
    /// By model.
    #[schema(value_type = std::collections::HashMap<String, Vec<Link>>)]
    chains: BTreeMap<String, Vec<Link>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChainBody {
    /// The model's id, without a provider.
    model: String,
    chain: Vec<LinkBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LinkBody {
    /// Id or alias of a provider, or id or prefix of a provider node.
    provider: String,
    /// 0 to 10000. Without it, after the link before.
    priority: Option<u32>,
    /// Without it, `true`.
    enabled: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChainSet {
    success: bool,
    model: String,
    chain: Vec<Link>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    model: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeleteBody {
    model: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ChainDeleted {
    success: bool,
    removed: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, set, delete))
}

// === impl ChainBody ===

impl Body for ChainBody {
    const REQUIRED: &'static [&'static str] = &["model", "chain"];

    fn check(&self, violations: &mut Violations) {
        violations.length("model", self.model.trim(), 1..=MODEL_CHARS);
        if self.model.chars().any(char::is_control) {
            violations.add("model", "must not have control characters");
        }
        if !(1..=LINKS).contains(&self.chain.len()) {
            violations.add("chain", format!("must have 1 to {LINKS} links"));
        }
        for (index, link) in self.chain.iter().enumerate() {
            violations.length(
                &format!("chain.{index}.provider"),
                &link.provider,
                1..=PROVIDER_CHARS,
            );
            if let Some(priority) = link.priority {
                violations.range(&format!("chain.{index}.priority"), priority, 0..=MAX_PRIORITY);
            }
        }
    }
}

// === impl DeleteBody ===

impl Body for DeleteBody {
    const REQUIRED: &'static [&'static str] = &["model"];

    fn check(&self, violations: &mut Violations) {
        violations.length("model", self.model.trim(), 1..=MODEL_CHARS);
    }
}

/// All chains.
#[utoipa::path(get, path = "/api/fallback/chains", tag = "models", responses((status = 200, body = ChainList)))]
async fn list(State(ctx): State<Ctx>, _: Reader) -> Result<Json<ChainList>, ApiError> {
    let rows = sqlx::query!(
        r#"select model, chain as "chain: SqlJson<Vec<Link>>" from fallback_chain order by model"#
    )
    .fetch_all(ctx.db.pool())
    .await?;
    Ok(Json(ChainList {
        chains: rows.into_iter().map(|row| (row.model, row.chain.0)).collect(),
    }))
}

/// Sets the chain of a model, over the one it has.
#[utoipa::path(method(post, put), path = "/api/fallback/chains", tag = "models", request_body = ChainBody,
    params(WaitQuery), responses((status = 200, body = ChainSet), (status = 400)))]
async fn set(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<ChainBody>,
) -> Result<Response, ApiError> {
    let model = body.model.trim().to_owned();
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let names = Names::load(tx.conn()).await?;
    let chain = in_order(&names, body.chain)?;
    let previous = sqlx::query_scalar!("select chain from fallback_chain where model = $1", model)
        .fetch_optional(tx.conn())
        .await?;
    sqlx::query!(
        "insert into fallback_chain (model, chain) values ($1, $2)
         on conflict (model) do update set chain = excluded.chain",
        model,
        json!(chain),
    )
    .execute(tx.conn())
    .await?;
    let audit = Audit::of("model.fallbackChain.set")
        .target(WHAT, &model)
        .details(json!({ "from": previous, "to": chain }));
    let answer = ChainSet {
        success: true,
        model,
        chain,
    };
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Removes the chain of a model, named by `?model=` or in the body. One that does not exist is no error.
#[utoipa::path(delete, path = "/api/fallback/chains", tag = "models", params(DeleteQuery, WaitQuery),
    request_body = Option<DeleteBody>, responses((status = 200, body = ChainDeleted), (status = 400)))]
async fn delete(
    State(ctx): State<Ctx>,
    operator: Operator,
    Query(query): Query<DeleteQuery>,
    wait: Wait,
    body: Option<JsonBody<DeleteBody>>,
) -> Result<Response, ApiError> {
    let named = query.model.or(body.map(|JsonBody(body)| body.model));
    let model = named.ok_or_else(|| ApiError::Invalid(vec![Violation::missing("model")]))?;
    let model = model.trim().to_owned();
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let removed = sqlx::query_scalar!(
        "delete from fallback_chain where model = $1 returning chain",
        model
    )
    .fetch_optional(tx.conn())
    .await?;
    let answer = ChainDeleted {
        success: true,
        removed: removed.is_some(),
    };
    let Some(chain) = removed else {
        return Ok(Json(answer).into_response());
    };
    let audit = Audit::of("model.fallbackChain.deleted")
        .target(WHAT, &model)
        .details(json!({ "chain": chain }));
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// The links by priority, each provider under its id and once.
fn in_order(names: &Names, given: Vec<LinkBody>) -> Result<Vec<Link>, ApiError> {
    let mut violations = Violations::default();
    let mut seen = HashSet::new();
    let mut chain = Vec::with_capacity(given.len());
    let mut next = 1;
    for (index, link) in given.into_iter().enumerate() {
        let field = format!("chain.{index}.provider");
        let priority = link.priority.unwrap_or(next);
        next = priority.saturating_add(1);
        match names.provider_id(&link.provider) {
            None => violations.add(field, "is no provider and no provider node"),
            Some(id) if !seen.insert(id.clone()) => violations.add(field, "is in the chain twice"),
            Some(provider) => chain.push(Link {
                provider,
                priority,
                enabled: link.enabled.unwrap_or(true),
            }),
        }
    }
    violations.into_result()?;
    chain.sort_by_key(|link| link.priority);
    Ok(chain)
}
