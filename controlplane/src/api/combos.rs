//! Combos: named lists of models that a request falls back through.
//!
//! `GET POST /api/combos` · `GET PUT PATCH DELETE /api/combos/{id}`
//!
//! A member may name another combo. The graph is acyclic and at most three levels deep below any combo; it is
//! checked inside the transaction that changes it. A rename follows every reference.
//!
//! `GET PUT PATCH /api/settings/combo-defaults` holds what combos share.

mod defaults;
mod graph;
mod sql;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use proto::validate::STRATEGIES;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, types::Json as SqlJson};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::graph::Graph;
use super::names::{self, Names};
use crate::{
    api::Ctx,
    combo_config::{ComboConfig, ComboDefaults, DEFAULT_STRATEGY},
    db::Audit,
    error::{ApiError, Violation},
    http::{
        Body, IfMatch, Json as JsonBody, Operator, Query, Reader, Stamp, Violations, Wait, WaitQuery, etag,
        uuid_or_missing,
    },
};

const WHAT: &str = "combo";

/// A member, written as a bare string when it has no weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
enum Member {
    Model(String),
    Weighted(WeightedMember),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WeightedMember {
    model: String,
    #[serde(default)]
    weight: f64,
}

#[derive(Clone, Debug)]
struct Row {
    id: Uuid,
    name: String,
    strategy: String,
    is_active: bool,
    config: SqlJson<ComboConfig>,
    members: SqlJson<Vec<Member>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ComboView {
    id: Uuid,
    name: String,
    models: Vec<Member>,
    strategy: String,
    config: ComboConfig,
    is_active: bool,
    created_at: Stamp,
    updated_at: Stamp,
    /// Members that no provider, combo or alias answers to today.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// What named this combo and was rewritten by a rename.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    renamed_references: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ComboList {
    combos: Vec<ComboView>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ComboBody {
    /// `^[a-zA-Z0-9_/.-]+$`; required on create.
    name: Option<String>,
    models: Option<Vec<Member>>,
    /// Without it a new combo has the strategy of the combo defaults.
    strategy: Option<String>,
    config: Option<ComboConfig>,
    is_active: Option<bool>,
}

/// A create is a change of a combo that does not exist yet.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct CreateBody(ComboBody);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// Also remove what refers to the combo.
    #[serde(default)]
    force: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ComboDone)]
struct Done {
    success: bool,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .merge(defaults::router())
}

// === impl Member ===

impl Member {
    fn model(&self) -> &str {
        match self {
            Self::Model(model) => model,
            Self::Weighted(member) => &member.model,
        }
    }

    fn weight(&self) -> f64 {
        match self {
            Self::Model(_) => 0.0,
            Self::Weighted(member) => member.weight,
        }
    }
}

// === impl Row ===

impl Row {
    /// Nameless, without members.
    fn new(defaults: &ComboDefaults) -> Self {
        let now = Utc::now();
        let strategy = defaults.strategy.as_deref().unwrap_or(DEFAULT_STRATEGY);
        Self {
            id: Uuid::now_v7(),
            name: String::new(),
            strategy: strategy.to_owned(),
            is_active: true,
            config: SqlJson(ComboConfig::default()),
            members: SqlJson(Vec::new()),
            created_at: now,
            updated_at: now,
        }
    }

    fn view(self) -> ComboView {
        ComboView {
            id: self.id,
            name: self.name,
            models: self.members.0,
            strategy: self.strategy,
            config: self.config.0,
            is_active: self.is_active,
            created_at: Stamp(self.created_at),
            updated_at: Stamp(self.updated_at),
            warnings: Vec::new(),
            renamed_references: Vec::new(),
        }
    }

    fn models(&self) -> Vec<String> {
        self.members
            .iter()
            .map(|member| member.model().to_owned())
            .collect()
    }

    fn audited(&self) -> Value {
        json!({
            "name": self.name,
            "strategy": self.strategy,
            "models": self.members,
            "config": self.config,
            "isActive": self.is_active,
        })
    }

    fn apply(&mut self, body: ComboBody) {
        self.name = body.name.unwrap_or_else(|| self.name.clone());
        self.strategy = body.strategy.unwrap_or_else(|| self.strategy.clone());
        self.is_active = body.is_active.unwrap_or(self.is_active);
        if let Some(config) = body.config {
            self.config = SqlJson(config);
        }
        if let Some(models) = body.models {
            self.members = SqlJson(models);
        }
    }

    /// Rules over the whole combo, after a change.
    fn check(&self) -> Result<(), ApiError> {
        if self.strategy == "weighted" && self.members.iter().map(Member::weight).sum::<f64>() <= 0.0 {
            return Err(ApiError::invalid(
                "models",
                "need a total weight above 0 with the strategy `weighted`",
            ));
        }
        Ok(())
    }
}

// === impl ComboBody ===

impl Body for ComboBody {
    const READ_ONLY: &'static [&'static str] =
        &["id", "createdAt", "updatedAt", "warnings", "renamedReferences"];

    fn check(&self, violations: &mut Violations) {
        if let Some(name) = &self.name {
            violations.length("name", name, 1..=100);
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '-');
            if !name.chars().all(legal) {
                violations.add("name", "must match ^[a-zA-Z0-9_/.-]+$");
            }
        }
        for (index, member) in self.models.iter().flatten().enumerate() {
            violations.length(&format!("models.{index}.model"), member.model(), 1..=300);
            violations.range(&format!("models.{index}.weight"), member.weight(), 0.0..=100.0);
        }
        if let Some(strategy) = &self.strategy {
            violations.one_of("strategy", strategy, &STRATEGIES);
        }
        if let Some(config) = &self.config {
            config.check("config", violations);
        }
    }
}

// === impl CreateBody ===

impl Body for CreateBody {
    const READ_ONLY: &'static [&'static str] = ComboBody::READ_ONLY;
    const REQUIRED: &'static [&'static str] = &["name"];

    fn check(&self, violations: &mut Violations) {
        self.0.check(violations);
    }
}

/// All combos, by name.
#[utoipa::path(get, path = "/api/combos", tag = "combos", responses((status = 200, body = ComboList)))]
async fn list(State(ctx): State<Ctx>, _: Reader) -> Result<Json<ComboList>, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    let rows = sql::all(&mut conn).await?;
    Ok(Json(ComboList {
        combos: rows.into_iter().map(Row::view).collect(),
    }))
}

/// One combo.
#[utoipa::path(get, path = "/api/combos/{id}", tag = "combos",
    responses((status = 200, body = ComboView), (status = 404)))]
async fn get(State(ctx): State<Ctx>, _: Reader, Path(id): Path<String>) -> Result<Response, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    let row = find(&mut conn, &id).await?;
    Ok((etag(row.updated_at), Json(row.view())).into_response())
}

/// Creates a combo.
#[utoipa::path(post, path = "/api/combos", tag = "combos", request_body = ComboBody, params(WaitQuery),
    responses((status = 201, body = ComboView), (status = 400), (status = 409)))]
async fn create(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(CreateBody(body)): JsonBody<CreateBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let defaults = sql::defaults(tx.conn()).await?;
    let mut row = Row::new(&defaults);
    row.apply(body);
    row.check()?;

    let names = Names::load(tx.conn()).await?;
    name_is_free(&names, &row.name)?;
    Graph::of(sql::all(tx.conn()).await?.iter(), &defaults)
        .with(&row)
        .check(&row.name)?;
    sql::save(tx.conn(), &row).await?;

    let saved = find(tx.conn(), &row.id.to_string()).await?;
    let audit = Audit::of("combo.created")
        .target(WHAT, saved.id)
        .details(saved.audited());
    let mut view = saved.view();
    view.warnings = warnings(&names, &view);
    let committed = tx.commit(audit, view).await?;
    Ok(wait.answer(StatusCode::CREATED, committed).await)
}

/// Changes what the body names. `models` and `config` are replaced as a whole.
#[utoipa::path(method(put, patch), path = "/api/combos/{id}", tag = "combos", request_body = ComboBody,
    params(WaitQuery), responses((status = 200, body = ComboView), (status = 400), (status = 404), (status = 409),
        (status = 412)))]
async fn update(
    State(ctx): State<Ctx>,
    operator: Operator,
    Path(id): Path<String>,
    if_match: IfMatch,
    wait: Wait,
    JsonBody(body): JsonBody<ComboBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let before = find(tx.conn(), &id).await?;
    if_match.check(before.updated_at)?;
    let mut row = before.clone();
    row.apply(body);
    row.check()?;

    let names = Names::load(tx.conn()).await?;
    let defaults = sql::defaults(tx.conn()).await?;
    let mut renamed_references = Vec::new();
    if row.name != before.name {
        name_is_free(&names, &row.name)?;
        renamed_references = sql::rename(tx.conn(), &before.name, &row.name).await?;
    }
    // After the rename: the graph is checked under the names it will have.
    let all = sql::all(tx.conn()).await?;
    Graph::of(all.iter().filter(|one| one.id != row.id), &defaults)
        .with(&row)
        .check(&row.name)?;
    sql::save(tx.conn(), &row).await?;

    let saved = find(tx.conn(), &id).await?;
    let details = json!({ "from": before.audited(), "to": saved.audited() });
    let audit = Audit::of("combo.updated").target(WHAT, saved.id).details(details);
    let mut view = saved.view();
    view.warnings = warnings(&names, &view);
    view.renamed_references = renamed_references;
    let committed = tx.commit(audit, view).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Removes a combo that nothing refers to, or with `force` its references too.
#[utoipa::path(delete, path = "/api/combos/{id}", tag = "combos", params(DeleteQuery, WaitQuery),
    responses((status = 200, body = Done), (status = 404), (status = 409), (status = 412)))]
async fn delete(
    State(ctx): State<Ctx>,
    operator: Operator,
    Path(id): Path<String>,
    Query(query): Query<DeleteQuery>,
    if_match: IfMatch,
    wait: Wait,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let row = find(tx.conn(), &id).await?;
    if_match.check(row.updated_at)?;
    let references = sql::references(tx.conn(), &row.name).await?;
    if !references.is_empty() && !query.force {
        return Err(ApiError::Conflict {
            message: format!(
                "`{}` is in use: send ?force=true to remove what refers to it as well",
                row.name
            ),
            details: references
                .into_iter()
                .map(|one| Violation::new(one, "refers to this combo"))
                .collect(),
        });
    }
    sql::forget(tx.conn(), row.id, &row.name).await?;
    let details = json!({ "name": row.name, "removedReferences": references });
    let audit = Audit::of("combo.deleted").target(WHAT, row.id).details(details);
    let committed = tx.commit(audit, Done { success: true }).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

fn name_is_free(names: &Names, name: &str) -> Result<(), ApiError> {
    let taken = if names.combos.contains(name) {
        "another combo has this name"
    } else if names.aliases.contains_key(name) {
        "an alias has this name"
    } else if names::is_catalogued(name) {
        "a model of the built-in catalogue has this name"
    } else {
        return Ok(());
    };
    Err(ApiError::conflict(format!("`{name}`: {taken}")))
}

fn warnings(names: &Names, view: &ComboView) -> Vec<String> {
    let unknown = view
        .models
        .iter()
        .map(Member::model)
        .filter(|model| !names.is_known(model));
    unknown
        .map(|model| format!("no provider, combo or alias answers to `{model}`"))
        .collect()
}

async fn find(conn: &mut PgConnection, id: &str) -> Result<Row, ApiError> {
    let uuid = uuid_or_missing(WHAT, id)?;
    sql::find(conn, uuid)
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, id))
}
