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

use super::names::{self, Names};
use crate::{
    api::Ctx,
    db::Audit,
    error::{ApiError, Violation},
    http::{Body, Json as JsonBody, Operator, Query, Reader, Violations, Wait, WaitQuery},
};

/// Aliases that may follow one another before the model.
const MAX_CHAIN: usize = 3;

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

/// Where a chain of aliases ends: a provider's model, or a combo.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
enum Resolved {
    Combo { combo: String },
    Model { provider: String, model: String },
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
        violations.length("alias", &self.alias, 1..=200);
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        if !self.alias.chars().all(legal) {
            violations.add("alias", "must match ^[A-Za-z0-9._:-]+$");
        }
        violations.length("model", self.model.trim(), 1..=300);
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
    let target = body.model.trim().to_owned();
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let mut names = Names::load(tx.conn()).await?;
    if names.combos.contains(&body.alias) {
        return Err(ApiError::conflict(format!("a combo is named `{}`", body.alias)));
    }
    if !body.allow_shadow.unwrap_or(false) && names::is_any_catalogued_id(&body.alias) {
        return Err(ApiError::Conflict {
            message: format!("`{}` is a model of the built-in catalogue", body.alias),
            details: vec![Violation::new(
                "allowShadow",
                "send true to hide the model behind the alias",
            )],
        });
    }
    let previous = names.aliases.insert(body.alias.clone(), target.clone());
    resolve(&names, &target)?;

    sqlx::query!(
        "insert into model_alias (alias, target) values ($1, $2)
         on conflict (alias) do update set target = excluded.target",
        body.alias,
        target,
    )
    .execute(tx.conn())
    .await?;
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

/// Follows aliases to their end. Combo names win over aliases, as they do when a request is routed.
fn resolve(names: &Names, target: &str) -> Result<Resolved, ApiError> {
    let mut target = target;
    for _ in 0..MAX_CHAIN {
        if names.combos.contains(target) {
            return Ok(Resolved::Combo {
                combo: target.to_owned(),
            });
        }
        if let Some((provider, model)) = names::split(target).filter(|_| names.is_provider_model(target)) {
            return Ok(Resolved::Model {
                provider: provider.to_owned(),
                model: model.to_owned(),
            });
        }
        target = names.aliases.get(target).ok_or_else(|| {
            ApiError::invalid(
                "model",
                format!("`{target}` is no provider/model, no combo and no alias"),
            )
        })?;
    }
    Err(ApiError::invalid(
        "model",
        "leads through more than three aliases, or back to itself",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(aliases: &[(&str, &str)]) -> Names {
        Names {
            nodes: [("vllm".to_owned(), "openai-compatible-1".to_owned())].into(),
            combos: ["premium".to_owned()].into(),
            aliases: aliases
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect(),
            ..Names::default()
        }
    }

    #[test]
    fn a_chain_ends_in_a_model_or_a_combo() {
        let names = names(&[("a", "b"), ("b", "vllm/org/model"), ("p", "premium")]);
        let model = Resolved::Model {
            provider: "vllm".to_owned(),
            model: "org/model".to_owned(),
        };
        assert_eq!(resolve(&names, "a").unwrap(), model);
        assert_eq!(
            resolve(&names, "p").unwrap(),
            Resolved::Combo {
                combo: "premium".to_owned()
            }
        );
    }

    #[test]
    fn a_circle_a_long_chain_and_a_dead_end_are_refused() {
        let circle = names(&[("a", "b"), ("b", "a")]);
        assert!(resolve(&circle, "a").is_err());
        let long = names(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "vllm/m")]);
        assert!(resolve(&long, "b").is_err());
        assert!(resolve(&long, "c").is_ok());
        assert!(resolve(&long, "nobody/model").is_err());
    }
}
