//! Model aliases: short names for models.
//!
//! `GET PUT POST DELETE /api/models/alias`
//!
//! An alias names a provider's model, a combo, or another alias; chains are at most three long and never circular.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::names::{
    Names,
    alias::{Resolved, Wanted, resolve},
};
use crate::{
    api::Ctx,
    db::Audit,
    error::{ApiError, Violation},
    http::{Body, Json as JsonBody, Operator, Query, Reader, Violations, Wait, WaitQuery},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AliasQuery {
    alias: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AliasList {
    /// Alias to target.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    aliases: Map<String, Value>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AliasView {
    alias: String,
    target: String,
    resolved: Resolved,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum AliasAnswer {
    All(AliasList),
    One(AliasView),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AliasBody {
    /// `^[A-Za-z0-9._:-]+$`
    alias: String,
    model: String,
    /// Let the alias hide a model of the built-in catalogue.
    allow_shadow: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AliasSet {
    success: bool,
    model: String,
    alias: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AliasDeleted {
    success: bool,
    removed: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, set, delete))
}

// === impl AliasBody ===

impl Body for AliasBody {
    const REQUIRED: &'static [&'static str] = &["alias", "model"];

    fn check(&self, violations: &mut Violations) {
        self.wanted().check(violations);
    }
}

impl AliasBody {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            alias: &self.alias,
            model: self.model.trim(),
            allow_shadow: self.allow_shadow.unwrap_or(false),
        }
    }
}

/// All aliases, or one and where it leads.
#[utoipa::path(get, path = "/api/models/alias", tag = "models", params(AliasQuery),
    responses((status = 200, body = AliasAnswer), (status = 404)))]
async fn read(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<AliasQuery>,
) -> Result<Json<AliasAnswer>, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    let names = Names::load(&mut conn).await?;
    drop(conn);
    let Some(alias) = query.alias else {
        let mut aliases: Vec<_> = names.aliases.into_iter().collect();
        aliases.sort();
        let aliases = aliases
            .into_iter()
            .map(|(alias, target)| (alias, Value::String(target)))
            .collect();
        return Ok(Json(AliasAnswer::All(AliasList { aliases })));
    };
    let target = names
        .aliases
        .get(&alias)
        .ok_or_else(|| ApiError::not_found("alias", &alias))?;
    let resolved = resolve(&names, target)?;
    Ok(Json(AliasAnswer::One(AliasView {
        target: target.clone(),
        alias,
        resolved,
    })))
}

/// Sets an alias, over the one of that name if there is one.
#[utoipa::path(method(put, post), path = "/api/models/alias", tag = "models", request_body = AliasBody,
    params(WaitQuery), responses((status = 200, body = AliasSet), (status = 400), (status = 409)))]
async fn set(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<AliasBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let mut names = Names::load(tx.conn()).await?;
    let previous = body.wanted().put(tx.conn(), &mut names).await?;
    let target = body.model.trim().to_owned();
    let audit = Audit::of("model.alias.set")
        .target("alias", &body.alias)
        .details(json!({ "from": previous, "to": target }));
    let answer = AliasSet {
        success: true,
        model: target,
        alias: body.alias,
        previous,
    };
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Removes an alias. One that does not exist is no error.
#[utoipa::path(delete, path = "/api/models/alias", tag = "models", params(AliasQuery, WaitQuery),
    responses((status = 200, body = AliasDeleted), (status = 400)))]
async fn delete(
    State(ctx): State<Ctx>,
    operator: Operator,
    Query(query): Query<AliasQuery>,
    wait: Wait,
) -> Result<Response, ApiError> {
    let alias = query
        .alias
        .ok_or_else(|| ApiError::Invalid(vec![Violation::missing("alias")]))?;
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let deleted = sqlx::query!("delete from model_alias where alias = $1", alias)
        .execute(tx.conn())
        .await?;
    if deleted.rows_affected() == 0 {
        return Ok(Json(AliasDeleted {
            success: true,
            removed: false,
        })
        .into_response());
    }
    let audit = Audit::of("model.alias.deleted").target("alias", &alias);
    let committed = tx
        .commit(
            audit,
            AliasDeleted {
                success: true,
                removed: true,
            },
        )
        .await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}
