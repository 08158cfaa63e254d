//! Combos: named lists of models that a request falls back through.
//!
//! `GET POST /api/combos` · `GET PUT PATCH DELETE /api/combos/{id}`
//!
//! A member may name another combo. The graph is acyclic and at most three levels deep below any combo; it is
//! checked inside the transaction that changes it. A rename follows every reference.

mod graph;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
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
    db::Audit,
    error::{ApiError, Violation},
    http::{
        Body, IfMatch, Json as JsonBody, Operator, Query, Stamp, Violations, Wait, WaitQuery, etag,
        uuid_or_missing,
    },
};

const WHAT: &str = "combo";
const STRATEGIES: [&str; 6] = [
    "priority",
    "weighted",
    "round-robin",
    "random",
    "least-used",
    "cost-optimized",
];

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

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct ComboConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_delay_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check_timeout_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency_per_model: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_timeout_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_combo_depth: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    track_metrics: Option<bool>,
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

// === impl ComboConfig ===

impl ComboConfig {
    fn check(&self, violations: &mut Violations) {
        let limits = [
            ("config.maxRetries", self.max_retries, 0..=10),
            ("config.retryDelayMs", self.retry_delay_ms, 0..=60_000),
            ("config.timeoutMs", self.timeout_ms, 1_000..=600_000),
            (
                "config.healthCheckTimeoutMs",
                self.health_check_timeout_ms,
                100..=60_000,
            ),
            ("config.concurrencyPerModel", self.concurrency_per_model, 1..=100),
            ("config.queueTimeoutMs", self.queue_timeout_ms, 100..=600_000),
            ("config.maxComboDepth", self.max_combo_depth, 1..=3),
        ];
        for (field, value, allowed) in limits {
            if let Some(value) = value {
                violations.range(field, value, allowed);
            }
        }
    }
}

// === impl Row ===

impl Row {
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
            config.check(violations);
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
async fn list(State(ctx): State<Ctx>, _: Operator) -> Result<Json<ComboList>, ApiError> {
    let mut conn = ctx.db.pool().acquire().await?;
    let rows = sql::all(&mut conn).await?;
    Ok(Json(ComboList {
        combos: rows.into_iter().map(Row::view).collect(),
    }))
}

/// One combo.
#[utoipa::path(get, path = "/api/combos/{id}", tag = "combos",
    responses((status = 200, body = ComboView), (status = 404)))]
async fn get(State(ctx): State<Ctx>, _: Operator, Path(id): Path<String>) -> Result<Response, ApiError> {
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
    let now = Utc::now();
    let mut row = Row {
        id: Uuid::now_v7(),
        name: String::new(),
        strategy: STRATEGIES[0].to_owned(),
        is_active: true,
        config: SqlJson(ComboConfig::default()),
        members: SqlJson(Vec::new()),
        created_at: now,
        updated_at: now,
    };
    row.apply(body);
    row.check()?;

    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let names = Names::load(tx.conn()).await?;
    name_is_free(&names, &row.name)?;
    Graph::of(sql::all(tx.conn()).await?.iter())
        .with(&row)
        .check(&row.name)?;
    sql::save(tx.conn(), &row).await?;

    let saved = find(tx.conn(), &row.id.to_string()).await?;
    let details = json!({ "name": saved.name, "strategy": saved.strategy, "models": saved.models() });
    let audit = Audit::of("combo.created").target(WHAT, saved.id).details(details);
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
    let mut renamed_references = Vec::new();
    if row.name != before.name {
        name_is_free(&names, &row.name)?;
        renamed_references = sql::rename(tx.conn(), &before.name, &row.name).await?;
    }
    // After the rename: the graph is checked under the names it will have.
    Graph::of(sql::all(tx.conn()).await?.iter().filter(|one| one.id != row.id))
        .with(&row)
        .check(&row.name)?;
    sql::save(tx.conn(), &row).await?;

    let saved = find(tx.conn(), &id).await?;
    let details = json!({
        "from": { "name": before.name, "strategy": before.strategy, "models": before.models(), "isActive": before.is_active },
        "to": { "name": saved.name, "strategy": saved.strategy, "models": saved.models(), "isActive": saved.is_active },
    });
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
    let known = |model: &str| {
        names.is_provider_model(model)
            || names.combos.contains(model)
            || names.aliases.contains_key(model)
            || names::is_any_catalogued_id(model)
    };
    let unknown = view
        .models
        .iter()
        .map(Member::model)
        .filter(|model| !known(model));
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

// === sql ===

mod sql {
    use sqlx::{PgConnection, types::Json as SqlJson};
    use uuid::Uuid;

    use super::{ComboConfig, Member, Row, Value};

    pub(super) async fn all(conn: &mut PgConnection) -> Result<Vec<Row>, sqlx::Error> {
        sqlx::query_as!(
            Row,
            r#"select c.id, c.name, c.strategy, c.is_active, c.config as "config: SqlJson<ComboConfig>",
                      (select coalesce(jsonb_agg(case when m.weight = 0 then to_jsonb(m.model)
                                                      else jsonb_build_object('model', m.model, 'weight', m.weight)
                                                 end order by m.position), '[]')
                       from combo_member m where m.combo_id = c.id) as "members!: SqlJson<Vec<Member>>",
                      c.created_at, c.updated_at
               from combo c order by c.name"#
        )
        .fetch_all(conn)
        .await
    }

    pub(super) async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
        sqlx::query_as!(
            Row,
            r#"select c.id, c.name, c.strategy, c.is_active, c.config as "config: SqlJson<ComboConfig>",
                      (select coalesce(jsonb_agg(case when m.weight = 0 then to_jsonb(m.model)
                                                      else jsonb_build_object('model', m.model, 'weight', m.weight)
                                                 end order by m.position), '[]')
                       from combo_member m where m.combo_id = c.id) as "members!: SqlJson<Vec<Member>>",
                      c.created_at, c.updated_at
               from combo c where c.id = $1"#,
            id,
        )
        .fetch_optional(conn)
        .await
    }

    pub(super) async fn save(conn: &mut PgConnection, row: &Row) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "insert into combo (id, name, strategy, is_active, config) values ($1, $2, $3, $4, $5)
             on conflict (id) do update set name = excluded.name, strategy = excluded.strategy,
                 is_active = excluded.is_active, config = excluded.config",
            row.id,
            row.name,
            row.strategy,
            row.is_active,
            serde_json::to_value(&row.config.0).unwrap_or(Value::Null),
        )
        .execute(&mut *conn)
        .await?;
        sqlx::query!("delete from combo_member where combo_id = $1", row.id)
            .execute(&mut *conn)
            .await?;
        let models: Vec<String> = row.models();
        let weights: Vec<f64> = row.members.iter().map(Member::weight).collect();
        sqlx::query!(
            "insert into combo_member (combo_id, position, model, weight)
             select $1, m.position::int, m.model, m.weight
             from unnest($2::text[], $3::float8[]) with ordinality as m (model, weight, position)",
            row.id,
            &models,
            &weights,
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Combos and aliases that name `name`, as `combo:<name>` and `alias:<name>`.
    pub(super) async fn references(conn: &mut PgConnection, name: &str) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar!(
            r#"select 'combo:' || c.name as "reference!" from combo c
                   where exists (select from combo_member m where m.combo_id = c.id and m.model = $1)
               union all
               select 'alias:' || alias from model_alias where target = $1
               order by 1"#,
            name,
        )
        .fetch_all(conn)
        .await
    }

    pub(super) async fn rename(
        conn: &mut PgConnection,
        from: &str,
        to: &str,
    ) -> Result<Vec<String>, sqlx::Error> {
        let references = references(&mut *conn, from).await?;
        sqlx::query!("update combo_member set model = $2 where model = $1", from, to)
            .execute(&mut *conn)
            .await?;
        sqlx::query!("update model_alias set target = $2 where target = $1", from, to)
            .execute(conn)
            .await?;
        Ok(references)
    }

    /// Deletes a combo and everything that names it.
    pub(super) async fn forget(conn: &mut PgConnection, id: Uuid, name: &str) -> Result<(), sqlx::Error> {
        sqlx::query!("delete from combo_member where model = $1", name)
            .execute(&mut *conn)
            .await?;
        sqlx::query!("delete from model_alias where target = $1", name)
            .execute(&mut *conn)
            .await?;
        sqlx::query!("delete from combo where id = $1", id)
            .execute(conn)
            .await?;
        Ok(())
    }
}
