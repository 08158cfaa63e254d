//! Policies: an administrator's rules over requests. Beside them, what keeps requests and logins out by itself: open
//! circuit breakers, and locked identifiers, which can be unlocked here.
//!
//! `GET POST PUT DELETE /api/policies`

mod sql;

use std::time::Duration;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use proto::validate::{MAX_POLICY_PRIORITY, POLICY_TYPES};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, types::Json as SqlJson};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth,
    names::Names,
    outages::{self, BreakerView, Outages},
};
use crate::{
    api::Ctx,
    db::{Audit, Origin},
    error::{ApiError, Violation},
    http::{
        Body, Json as JsonBody, Operator, Query, Reader, Stamp, Violations, Wait, WaitQuery,
        edge::{AnswerHeaders, X_DEGRADED},
        uuid_or_missing,
    },
    policy::{Actions, Conditions},
};

const WHAT: &str = "policy";
const DEFAULT_PRIORITY: u32 = 100;
const FORMS: [&str; 3] = ["create", "update", "unlock"];

#[derive(Clone, Debug)]
struct Row {
    id: Uuid,
    name: String,
    r#type: String,
    enabled: bool,
    priority: i32,
    conditions: SqlJson<Conditions>,
    actions: SqlJson<Actions>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PolicyView {
    id: Uuid,
    name: String,
    r#type: String,
    enabled: bool,
    /// Lower first.
    priority: i32,
    conditions: Conditions,
    actions: Actions,
    created_at: Stamp,
    updated_at: Stamp,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PolicyList {
    /// In the order they are asked.
    policies: Vec<PolicyView>,
    circuit_breakers: Vec<BreakerView>,
    locked_identifiers: Vec<Lock>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Lock {
    /// `login:<address>`, or `login:*` while all logins are slowed down.
    identifier: String,
    /// Unix milliseconds.
    locked_until: i64,
    remaining_ms: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct PolicySaved {
    policy: PolicyView,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PolicyBody {
    /// `create`, `update` or `unlock`. Without it a body with an `id` is an update, and one without a create.
    action: Option<String>,
    /// What to unlock.
    identifier: Option<String>,
    /// Which policy to update.
    id: Option<String>,
    /// Required on create.
    name: Option<String>,
    /// `routing`, `access` or `budget`; required on create.
    r#type: Option<String>,
    enabled: Option<bool>,
    /// 0 to 10000, lower first; without it 100.
    priority: Option<u32>,
    /// Replaced as a whole.
    conditions: Option<Conditions>,
    /// Those of the type; replaced as a whole; required on create.
    actions: Option<Actions>,
}

/// What a body asks for.
enum Form {
    Create,
    Update(String),
    Unlock(String),
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// Which policy to remove.
    id: Option<String>,
    /// What to unlock instead.
    identifier: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyDeleteBody)]
struct DeleteBody {
    id: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyDeleted)]
struct Deleted {
    success: bool,
    removed: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct Unlocked {
    success: bool,
    /// `unlocked`
    action: &'static str,
    identifier: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = PolicyWritten)]
enum Written {
    Saved(Box<PolicySaved>),
    Unlocked(Unlocked),
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = PolicyEnded)]
enum Ended {
    Deleted(Deleted),
    Unlocked(Unlocked),
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, write, delete))
}

// === impl Row ===

impl Row {
    /// Nameless, and without a type.
    fn new() -> Self {
        let now = Utc::now();
        Self {
            id: Uuid::now_v7(),
            name: String::new(),
            r#type: String::new(),
            enabled: true,
            priority: DEFAULT_PRIORITY.cast_signed(),
            conditions: SqlJson(Conditions::default()),
            actions: SqlJson(Actions::default()),
            created_at: now,
            updated_at: now,
        }
    }

    /// Whole as it is after a change: the actions are those of the type.
    fn apply(&mut self, body: PolicyBody, names: &Names) -> Result<(), ApiError> {
        let mut violations = Violations::default();
        self.name = body
            .name
            .map_or_else(|| self.name.clone(), |name| name.trim().to_owned());
        self.r#type = body.r#type.unwrap_or_else(|| self.r#type.clone());
        self.enabled = body.enabled.unwrap_or(self.enabled);
        self.priority = body.priority.map_or(self.priority, u32::cast_signed);
        if let Some(mut conditions) = body.conditions {
            let providers = conditions.providers;
            conditions.providers = ids(names, "conditions.providers", providers, &mut violations);
            self.conditions = SqlJson(conditions);
        }
        if let Some(mut actions) = body.actions {
            let preferred = actions.prefer_provider;
            actions.prefer_provider = ids(names, "actions.prefer_provider", preferred, &mut violations);
            self.actions = SqlJson(actions);
        }
        self.actions.belong_to(&self.r#type, &mut violations);
        violations.into_result()
    }

    fn view(self) -> PolicyView {
        PolicyView {
            id: self.id,
            name: self.name,
            r#type: self.r#type,
            enabled: self.enabled,
            priority: self.priority,
            conditions: self.conditions.0,
            actions: self.actions.0,
            created_at: Stamp(self.created_at),
            updated_at: Stamp(self.updated_at),
        }
    }

    fn audited(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.r#type,
            "enabled": self.enabled,
            "priority": self.priority,
            "conditions": self.conditions,
            "actions": self.actions,
        })
    }
}

// === impl Lock ===

impl Lock {
    fn of((identifier, left): (String, Duration)) -> Self {
        let remaining_ms = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        Self {
            identifier,
            locked_until: Utc::now().timestamp_millis().saturating_add(remaining_ms),
            remaining_ms,
        }
    }
}

// === impl PolicyBody ===

impl Body for PolicyBody {
    const READ_ONLY: &'static [&'static str] = &["createdAt", "updatedAt"];

    fn check(&self, violations: &mut Violations) {
        if let Some(action) = &self.action {
            violations.one_of("action", action, &FORMS);
        }
        if let Some(identifier) = &self.identifier {
            violations.length("identifier", identifier, 1..=200);
        }
        if let Some(name) = &self.name {
            violations.length("name", name.trim(), 1..=100);
        }
        if let Some(r#type) = &self.r#type {
            violations.one_of("type", r#type, &POLICY_TYPES);
        }
        if let Some(priority) = self.priority {
            violations.range("priority", priority, 0..=MAX_POLICY_PRIORITY);
        }
        if let Some(conditions) = &self.conditions {
            conditions.check(violations);
        }
        if let Some(actions) = &self.actions {
            actions.check(violations);
        }
    }
}

impl PolicyBody {
    fn form(&mut self) -> Result<Form, ApiError> {
        let missing = |field: &str| ApiError::Invalid(vec![Violation::missing(field)]);
        match (self.action.as_deref(), self.id.take(), self.identifier.take()) {
            (Some("unlock"), _, identifier) => {
                Ok(Form::Unlock(identifier.ok_or_else(|| missing("identifier"))?))
            }
            (_, _, Some(_)) => Err(ApiError::invalid("action", "must be unlock with an identifier")),
            (Some("create"), Some(_), _) => Err(ApiError::invalid("id", "is given by the server")),
            (Some("create") | None, None, _) => self.complete().map(|()| Form::Create),
            (_, Some(id), _) => Ok(Form::Update(id)),
            (_, None, _) => Err(missing("id")),
        }
    }

    fn complete(&self) -> Result<(), ApiError> {
        let given = [
            ("name", self.name.is_some()),
            ("type", self.r#type.is_some()),
            ("actions", self.actions.is_some()),
        ];
        let missing = given.into_iter().filter(|(_, is_given)| !is_given);
        let missing: Vec<Violation> = missing.map(|(field, _)| Violation::missing(field)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ApiError::Invalid(missing))
    }
}

// === impl DeleteBody ===

impl Body for DeleteBody {
    const REQUIRED: &'static [&'static str] = &["id"];

    fn check(&self, _: &mut Violations) {}
}

/// Policies, circuit breakers and locked identifiers. Without the state store there are only the policies.
#[utoipa::path(get, path = "/api/policies", tag = "policies", responses((status = 200, body = PolicyList)))]
async fn list(
    State(ctx): State<Ctx>,
    _: Reader,
    Extension(headers): Extension<AnswerHeaders>,
) -> Result<Json<PolicyList>, ApiError> {
    let policies = sql::all(ctx.db.pool()).await?;
    let (circuit_breakers, locked_identifiers) = match kept_out(&ctx).await {
        Ok(found) => found,
        Err(ApiError::Store(error)) => {
            tracing::warn!(%error, "cannot ask for circuit breakers and locked identifiers");
            headers.add(X_DEGRADED, HeaderValue::from_static("provider-health"));
            (Vec::new(), Vec::new())
        }
        Err(error) => return Err(error),
    };
    Ok(Json(PolicyList {
        policies: policies.into_iter().map(Row::view).collect(),
        circuit_breakers,
        locked_identifiers,
    }))
}

/// What is kept out without a policy.
async fn kept_out(ctx: &Ctx) -> Result<(Vec<BreakerView>, Vec<Lock>), ApiError> {
    let providers = outages::providers_in_use(ctx.db.pool()).await?;
    let breakers = Outages::read(ctx.store.as_ref()).await?.breakers(providers);
    let locked = auth::locked(ctx).await?;
    Ok((breakers, locked.into_iter().map(Lock::of).collect()))
}

/// Creates a policy, changes what the body names of one, or unlocks an identifier.
#[utoipa::path(method(post, put), path = "/api/policies", tag = "policies", request_body = PolicyBody,
    params(WaitQuery), responses((status = 200, body = Written), (status = 201, body = PolicySaved),
        (status = 400), (status = 404), (status = 409)))]
async fn write(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(mut body): JsonBody<PolicyBody>,
) -> Result<Response, ApiError> {
    match body.form()? {
        Form::Unlock(identifier) => {
            let Json(unlocked) = unlock(&ctx, &operator.origin, identifier).await?;
            Ok(Json(Written::Unlocked(unlocked)).into_response())
        }
        Form::Create => create(&ctx, &operator.origin, wait, body).await,
        Form::Update(id) => update(&ctx, &operator.origin, wait, &id, body).await,
    }
}

async fn create(ctx: &Ctx, origin: &Origin, wait: Wait, body: PolicyBody) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(origin).await?;
    let names = Names::load(tx.conn()).await?;
    check_keys(tx.conn(), &body).await?;
    let mut row = Row::new();
    row.apply(body, &names)?;
    check_name(tx.conn(), &row).await?;
    let saved = sql::save(tx.conn(), &row).await?;
    let audit = Audit::of("policy.created")
        .target(WHAT, saved.id)
        .details(saved.audited());
    let answer = PolicySaved { policy: saved.view() };
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::CREATED, committed).await)
}

async fn update(
    ctx: &Ctx,
    origin: &Origin,
    wait: Wait,
    id: &str,
    body: PolicyBody,
) -> Result<Response, ApiError> {
    let uuid = uuid_or_missing(WHAT, id)?;
    let mut tx = ctx.db.config_tx(origin).await?;
    let before = sql::find(tx.conn(), uuid)
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, id))?;
    let names = Names::load(tx.conn()).await?;
    check_keys(tx.conn(), &body).await?;
    let mut row = before.clone();
    row.apply(body, &names)?;
    check_name(tx.conn(), &row).await?;
    let saved = sql::save(tx.conn(), &row).await?;
    let audit = Audit::of("policy.updated")
        .target(WHAT, saved.id)
        .details(json!({ "from": before.audited(), "to": saved.audited() }));
    let answer = Written::Saved(Box::new(PolicySaved { policy: saved.view() }));
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Removes a policy, named by `?id=` or in the body, or unlocks `?identifier=`.
#[utoipa::path(delete, path = "/api/policies", tag = "policies", params(DeleteQuery, WaitQuery),
    request_body = Option<DeleteBody>,
    responses((status = 200, body = Ended), (status = 400), (status = 404)))]
async fn delete(
    State(ctx): State<Ctx>,
    operator: Operator,
    Query(query): Query<DeleteQuery>,
    wait: Wait,
    body: Option<JsonBody<DeleteBody>>,
) -> Result<Response, ApiError> {
    let named = query.id.or(body.map(|JsonBody(body)| body.id));
    let id = match (named, query.identifier) {
        (Some(id), None) => id,
        (None, Some(identifier)) => {
            let Json(unlocked) = unlock(&ctx, &operator.origin, identifier).await?;
            return Ok(Json(Ended::Unlocked(unlocked)).into_response());
        }
        (None, None) => return Err(ApiError::Invalid(vec![Violation::missing("id")])),
        (Some(_), Some(_)) => return Err(ApiError::invalid("identifier", "cannot stand beside an id")),
    };
    let uuid = uuid_or_missing(WHAT, &id)?;
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let row = sql::find(tx.conn(), uuid)
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, &id))?;
    sql::forget(tx.conn(), uuid).await?;
    let audit = Audit::of("policy.deleted")
        .target(WHAT, uuid)
        .details(row.audited());
    let answer = Ended::Deleted(Deleted {
        success: true,
        removed: true,
    });
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Changes no configuration. One that is not locked is no error: the lock may have ended meanwhile.
async fn unlock(ctx: &Ctx, origin: &Origin, identifier: String) -> Result<Json<Unlocked>, ApiError> {
    ctx.store.login_clear(&identifier).await?;
    let audit = Audit::of("policy.unlock").target("identifier", &identifier);
    ctx.db.record(origin, audit).await?;
    let answer = Unlocked {
        success: true,
        action: "unlocked",
        identifier,
    };
    Ok(Json(answer))
}

async fn check_name(conn: &mut PgConnection, row: &Row) -> Result<(), ApiError> {
    if sql::is_name_taken(conn, row).await? {
        return Err(ApiError::conflict(format!(
            "another policy is named `{}`",
            row.name
        )));
    }
    Ok(())
}

/// A key may be deleted later; one that is named anew must exist.
async fn check_keys(conn: &mut PgConnection, body: &PolicyBody) -> Result<(), ApiError> {
    let Some(conditions) = &body.conditions else {
        return Ok(());
    };
    let unknown = sql::unknown_keys(conn, &conditions.api_key_ids).await?;
    let problem = |id: Uuid| Violation::new("conditions.api_key_ids", format!("there is no API key `{id}`"));
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ApiError::Invalid(unknown.into_iter().map(problem).collect()))
}

/// Data planes compare ids.
fn ids(names: &Names, field: &str, given: Vec<String>, violations: &mut Violations) -> Vec<String> {
    let mut ids: Vec<String> = Vec::with_capacity(given.len());
    for (index, name) in given.into_iter().enumerate() {
        match names.provider_id(&name) {
            None => violations.add(
                format!("{field}.{index}"),
                format!("`{name}` is no provider and no provider node"),
            ),
            Some(id) if ids.contains(&id) => {}
            Some(id) => ids.push(id),
        }
    }
    ids
}
