//! Creating, changing and deleting connections.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::Utc;
use llm::{
    provider::{AuthScheme, AuthType, Endpoint, ProviderSpec, Whereabouts},
    providers,
};
use proto::validate::NODE_TYPES;
use runtime::{secret::Secret, service_account::ServiceAccount};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ConnectionAnswer, WHAT,
    row::{self, Row},
};
use crate::{
    api::{Ctx, guard},
    db::{Audit, Committed},
    error::{ApiError, Violation},
    http::{Body, IfMatch, Json, Operator, Patch, Violations, Wait, WaitQuery, uuid_or_missing},
    vault::{self, Cell},
};

/// What a compatible endpoint contributes to its connections; an operator changes it at the node.
const FROM_NODE: [&str; 4] = ["prefix", "apiType", "apiVersion", "nodeName"];
/// A server whose prompt ends with the opening tag, so that its text has only the closing one.
const THINKING_OPENED_BY_PROMPT: &str = "implicit";

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ConnectionCreate)]
pub struct CreateBody {
    /// A provider's id or alias, or the id of a provider node.
    provider: String,
    /// May be missing or empty for a node whose servers ask for no credential.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    api_key: Option<Secret<String>>,
    name: String,
    /// Appended after the others when absent.
    priority: Option<i32>,
    global_priority: Option<i32>,
    default_model: Option<String>,
    is_active: Option<bool>,
    rate_limit_protection: Option<bool>,
    allow_private_address: Option<bool>,
    #[schema(value_type = Option<Object>)]
    provider_specific_data: Option<Map<String, Value>>,
    /// Accepted and not believed: a test decides.
    test_status: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ConnectionUpdate)]
pub struct UpdateBody {
    name: Option<String>,
    priority: Option<i32>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    global_priority: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    default_model: Patch<String>,
    is_active: Option<bool>,
    #[schema(value_type = Option<String>)]
    api_key: Option<Secret<String>>,
    /// Minutes; 0 = never.
    health_check_interval: Option<i32>,
    rate_limit_protection: Option<bool>,
    allow_private_address: Option<bool>,
    /// Merged key by key; `null` removes a key.
    #[schema(value_type = Option<Object>)]
    provider_specific_data: Option<Map<String, Value>>,
    /// `unknown` forgets what tests found out; so does `null` in one of the fields below.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    test_status: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    last_tested: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    last_error: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    last_error_at: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    last_error_type: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    last_error_source: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    error_code: Patch<Value>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConnectionDeleted)]
pub struct Deleted {
    message: &'static str,
    id: Uuid,
}

/// What decides a new connection's provider: a registry entry, or a node with what it contributes.
struct Provider {
    id: String,
    /// Absent for a node of a type that cannot be called.
    spec: Option<&'static ProviderSpec>,
    node: Option<Node>,
}

struct Node {
    data: Map<String, Value>,
    allow_private_address: bool,
}

// === impl Provider ===

impl Provider {
    /// The key, if there is one and if it takes one.
    fn check_key(&self, key: Option<Secret<String>>) -> Result<Option<Secret<String>>, ApiError> {
        let keyless = self.spec.is_some_and(|spec| spec.keyless);
        match key {
            None if !keyless => Err(ApiError::Invalid(vec![Violation::missing("apiKey")])),
            Some(key) if !key.expose().trim().is_empty() => {
                check_form(self.spec, &key)?;
                Ok(Some(key))
            }
            Some(_) if !keyless => Err(ApiError::invalid("apiKey", "must have 1 to 10000 characters")),
            _ => Ok(None),
        }
    }
}

// === impl CreateBody ===

impl Body for CreateBody {
    const READ_ONLY: &'static [&'static str] = &[
        "id",
        "authType",
        "email",
        "displayName",
        "lastTested",
        "lastError",
        "lastErrorAt",
        "lastErrorType",
        "lastErrorSource",
        "errorCode",
        "healthCheckInterval",
        "hasApiKey",
        "maskedApiKey",
        "hasAccessToken",
        "hasRefreshToken",
        "tokenType",
        "scope",
        "expiresAt",
        "lastHealthCheckAt",
        "createdAt",
        "updatedAt",
    ];
    const REQUIRED: &'static [&'static str] = &["provider", "name"];

    fn check(&self, violations: &mut Violations) {
        violations.length("provider", &self.provider, 1..=100);
        if let Some(key) = &self.api_key {
            violations.length("apiKey", key.expose(), 0..=10_000);
        }
        violations.length("name", self.name.trim(), 1..=200);
        check_ranks(violations, self.priority, self.global_priority);
        if let Some(model) = &self.default_model {
            violations.length("defaultModel", model, 0..=200);
        }
        if let Some(status) = &self.test_status {
            violations.length("testStatus", status, 0..=50);
        }
    }
}

// === impl UpdateBody ===

impl Body for UpdateBody {
    const READ_ONLY: &'static [&'static str] = &[
        "id",
        "provider",
        "authType",
        "email",
        "displayName",
        "hasApiKey",
        "maskedApiKey",
        "hasAccessToken",
        "hasRefreshToken",
        "tokenType",
        "scope",
        "expiresAt",
        "lastHealthCheckAt",
        "createdAt",
        "updatedAt",
    ];

    fn check(&self, violations: &mut Violations) {
        if let Some(name) = &self.name {
            violations.length("name", name.trim(), 1..=200);
        }
        if let Some(key) = &self.api_key {
            violations.length("apiKey", key.expose(), 1..=10_000);
        }
        check_ranks(violations, self.priority, self.global_priority.set().copied());
        if let Some(model) = self.default_model.set() {
            violations.length("defaultModel", model, 0..=200);
        }
        if let Some(minutes) = self.health_check_interval {
            violations.range("healthCheckInterval", minutes, 0..=10_080);
        }
    }
}

impl UpdateBody {
    fn health_fields(&self) -> [(&'static str, &Patch<Value>); 7] {
        [
            ("testStatus", &self.test_status),
            ("lastTested", &self.last_tested),
            ("lastError", &self.last_error),
            ("lastErrorAt", &self.last_error_at),
            ("lastErrorType", &self.last_error_type),
            ("lastErrorSource", &self.last_error_source),
            ("errorCode", &self.error_code),
        ]
    }

    /// Whether the caller asks to forget the health. A value may only be the one it already has: tests write these.
    fn clears_health(&self, before: &Row) -> Result<bool, ApiError> {
        let shown = serde_json::to_value(before.clone().view()).map_err(ApiError::internal)?;
        let mut clears = false;
        for (field, patch) in self.health_fields() {
            match patch {
                Patch::Keep => {}
                Patch::Set(value) if shown.get(field) == Some(value) => {}
                Patch::Set(value) if field == "testStatus" && value == "unknown" => clears = true,
                Patch::Set(_) => {
                    return Err(ApiError::invalid(
                        field,
                        "is found out by testing: only null may be sent",
                    ));
                }
                Patch::Clear => clears |= shown.get(field).is_some_and(|value| value != "unknown"),
            }
        }
        Ok(clears)
    }
}

/// Stores a credential. A connection of the same provider and name is updated in place.
#[utoipa::path(post, path = "/api/providers", tag = "providers", request_body = CreateBody, params(WaitQuery),
    responses((status = 201, body = ConnectionAnswer), (status = 200, body = ConnectionAnswer), (status = 400),
        (status = 404), (status = 409), (status = 422)))]
pub(super) async fn create(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    Json(body): Json<CreateBody>,
) -> Result<Response, ApiError> {
    may_allow_private(&operator, body.allow_private_address)?;
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let provider = provider(tx.conn(), &body.provider).await?;
    let key = provider.check_key(body.api_key)?;
    let name = body.name.trim();
    let existing = row::find_named(tx.conn(), &provider.id, name).await?;
    if existing.is_none() && provider.node.is_some() && !ctx.config.allow_multi_connections_per_compat_node {
        refuse_second(tx.conn(), &provider.id).await?;
    }

    let before = match existing {
        Some(id) => row::find(&mut *tx.conn(), id).await?,
        None => None,
    };
    let mut row = before.clone().unwrap_or_else(|| new_row(&provider, name));
    row.global_priority = body.global_priority.or(row.global_priority);
    row.default_model = body.default_model.or(row.default_model);
    row.is_active = body.is_active.unwrap_or(row.is_active);
    row.rate_limit_protection = body.rate_limit_protection.or(row.rate_limit_protection);
    row.allow_private_address = body.allow_private_address.unwrap_or(row.allow_private_address);
    if let Some(patch) = body.provider_specific_data {
        merge_data(&mut row, provider.spec, patch)?;
    }
    match &key {
        Some(key) => drop(set_credential(&ctx, &mut row, key)),
        None => (row.api_key, row.api_key_hint) = (None, None),
    }
    if let Err(error) = check_address(&ctx, &row) {
        drop(tx);
        return Err(guard::recorded(&ctx, &operator.origin, error).await);
    }

    row::save(tx.conn(), &row).await?;
    row::renumber(
        tx.conn(),
        &row.provider,
        body.priority.map(|place| (row.id, place)),
    )
    .await?;
    if before.is_some() {
        row::clear_health(tx.conn(), row.id).await?;
    }
    let saved = row::find(&mut *tx.conn(), row.id)
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, row.id))?;
    let action = if before.is_some() {
        "provider.connection.updated"
    } else {
        "provider.connection.created"
    };
    let details = json!({ "provider": saved.provider, "name": saved.name, "upserted": before.is_some(),
        "credentialRotated": before.is_some() });
    let audit = Audit::of(action).target(WHAT, saved.id).details(details);
    let answer = ConnectionAnswer {
        connection: saved.view(),
        upserted: before.is_some(),
    };
    let committed = tx.commit(audit, answer).await?;
    let status = if before.is_some() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok(wait.answer(status, committed).await)
}

/// Changes what the body names and leaves the rest.
#[utoipa::path(method(put, patch), path = "/api/providers/{id}", tag = "providers", request_body = UpdateBody,
    params(WaitQuery), responses((status = 200, body = ConnectionAnswer), (status = 400), (status = 404),
        (status = 409), (status = 412), (status = 422)))]
pub(super) async fn update(
    State(ctx): State<Ctx>,
    operator: Operator,
    Path(id): Path<String>,
    if_match: IfMatch,
    wait: Wait,
    Json(body): Json<UpdateBody>,
) -> Result<Response, ApiError> {
    let uuid = uuid_or_missing(WHAT, &id)?;
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let before = row::find(&mut *tx.conn(), uuid)
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, &id))?;
    if_match.check(before.updated_at)?;
    let changed_private = body
        .allow_private_address
        .filter(|allow| *allow != before.allow_private_address);
    may_allow_private(&operator, changed_private)?;
    let clears_health = body.clears_health(&before)?;
    if before.is_oauth() && body.api_key.is_some() {
        let text = "is not for an account that somebody signed in to: sign in again at /api/oauth";
        return Err(ApiError::invalid("apiKey", text));
    }

    let mut row = before.clone();
    if let Some(name) = &body.name {
        row.name = Some(name.trim().to_owned());
        let namesake = row::find_named(tx.conn(), &row.provider, name.trim()).await?;
        if namesake.is_some_and(|other| other != uuid) {
            return Err(ApiError::conflict(format!(
                "{} has a connection named `{}` already",
                row.provider,
                name.trim()
            )));
        }
    }
    row.global_priority = body.global_priority.over(row.global_priority);
    row.default_model = body.default_model.over(row.default_model);
    row.is_active = body.is_active.unwrap_or(row.is_active);
    row.rate_limit_protection = body.rate_limit_protection.or(row.rate_limit_protection);
    row.health_check_interval_min = body.health_check_interval.or(row.health_check_interval_min);
    row.allow_private_address = body.allow_private_address.unwrap_or(row.allow_private_address);
    let spec = provider(tx.conn(), &row.provider)
        .await
        .ok()
        .and_then(|one| one.spec);
    if let Some(patch) = body.provider_specific_data {
        merge_data(&mut row, spec, patch)?;
    }
    let is_kept = |key: &Secret<String>| row.api_key_hint.as_deref() == Some(key.expose().trim());
    if let Some(key) = body.api_key.as_ref().filter(|key| !is_kept(key)) {
        check_form(spec, key)?;
    }
    let rotated = body
        .api_key
        .as_ref()
        .is_some_and(|key| set_credential(&ctx, &mut row, key));
    if let Err(error) = check_address(&ctx, &row) {
        drop(tx);
        return Err(guard::recorded(&ctx, &operator.origin, error).await);
    }

    row::save(tx.conn(), &row).await?;
    if let Some(place) = body.priority.filter(|place| *place != before.priority) {
        row::renumber(tx.conn(), &row.provider, Some((uuid, place))).await?;
    }
    if clears_health || rotated {
        row::clear_health(tx.conn(), uuid).await?;
    }
    let saved = row::find(&mut *tx.conn(), uuid)
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, &id))?;
    let details = json!({ "changed": changed_fields(&before, &saved)?, "credentialRotated": rotated });
    let audit = Audit::of("provider.connection.updated")
        .target(WHAT, uuid)
        .details(details);
    let answer = ConnectionAnswer {
        connection: saved.view(),
        upserted: false,
    };
    let committed = tx.commit(audit, answer).await?;
    Ok(wait.answer(StatusCode::OK, committed).await)
}

/// Removes a connection and closes the gap in its provider's order.
#[utoipa::path(delete, path = "/api/providers/{id}", tag = "providers", params(WaitQuery),
    responses((status = 200, body = Deleted), (status = 404), (status = 412)))]
pub(super) async fn delete(
    State(ctx): State<Ctx>,
    operator: Operator,
    Path(id): Path<String>,
    if_match: IfMatch,
    wait: Wait,
) -> Result<Response, ApiError> {
    let uuid = uuid_or_missing(WHAT, &id)?;
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let row = row::find(&mut *tx.conn(), uuid)
        .await?
        .ok_or_else(|| ApiError::not_found(WHAT, &id))?;
    if_match.check(row.updated_at)?;
    let refresh_token = sqlx::query_scalar!(
        "delete from provider_connection where id = $1 returning refresh_token",
        uuid
    )
    .fetch_optional(tx.conn())
    .await?;
    row::renumber(tx.conn(), &row.provider, None).await?;
    let audit = Audit::of("provider.connection.deleted")
        .target(WHAT, uuid)
        .details(json!({ "provider": row.provider, "name": row.name }));
    let token = refresh_token.flatten().or(row.access_token);
    let committed: Committed<Deleted> = tx
        .commit(
            audit,
            Deleted {
                message: "the connection is deleted",
                id: uuid,
            },
        )
        .await?;
    if let Some(token) = token {
        ctx.renewals.revoke(uuid, &row.provider, token);
    }
    Ok(wait.answer(StatusCode::OK, committed).await)
}

fn check_ranks(violations: &mut Violations, priority: Option<i32>, global: Option<i32>) {
    if let Some(priority) = priority {
        violations.range("priority", priority, 1..=100);
    }
    if let Some(priority) = global {
        violations.range("globalPriority", priority, 1..=100);
    }
}

/// Reaching into private networks is for a person to decide.
fn may_allow_private(operator: &Operator, asked: Option<bool>) -> Result<(), ApiError> {
    if asked == Some(true) && !operator.is_admin {
        return Err(ApiError::Forbidden(
            "log in to allow a private address: a key may not do this".into(),
        ));
    }
    Ok(())
}

async fn provider(conn: &mut PgConnection, id: &str) -> Result<Provider, ApiError> {
    if let Some(spec) = providers::find(id) {
        return match spec.auth_type {
            AuthType::ApiKey => Ok(Provider {
                id: spec.id.to_owned(),
                spec: Some(spec),
                node: None,
            }),
            AuthType::OAuth => Err(ApiError::UnknownProvider(id.to_owned())),
        };
    }
    let node = sqlx::query!(
        "select id, name, prefix, type, api_type, base_url, api_version, allow_private_address
         from provider_node where id = $1",
        id,
    )
    .fetch_optional(conn)
    .await?;
    let Some(node) = node else {
        let is_node_id = NODE_TYPES
            .iter()
            .any(|family| id.strip_prefix(family).is_some_and(|rest| rest.starts_with('-')));
        return Err(if is_node_id {
            ApiError::not_found("provider node", id)
        } else {
            ApiError::UnknownProvider(id.to_owned())
        });
    };
    let spec = providers::compatible(&node.r#type, node.api_type.as_deref().unwrap_or_default());
    let mut data = Map::new();
    data.insert("prefix".to_owned(), node.prefix.into());
    if let Some(api_type) = node.api_type {
        data.insert("apiType".to_owned(), api_type.into());
    }
    data.insert("baseUrl".to_owned(), node.base_url.into());
    if let Some(version) = node.api_version {
        data.insert("apiVersion".to_owned(), version.into());
    }
    data.insert("nodeName".to_owned(), node.name.into());
    let node = Node {
        data,
        allow_private_address: node.allow_private_address,
    };
    Ok(Provider {
        id: id.to_owned(),
        spec,
        node: Some(node),
    })
}

async fn refuse_second(conn: &mut PgConnection, provider: &str) -> Result<(), ApiError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from provider_connection where provider = $1"#,
        provider
    )
    .fetch_one(conn)
    .await?;
    if count > 0 {
        return Err(ApiError::conflict(
            "this provider node has a connection already: change that one, \
             or start with ALLOW_MULTI_CONNECTIONS_PER_COMPAT_NODE=true",
        ));
    }
    Ok(())
}

fn new_row(provider: &Provider, name: &str) -> Row {
    let now = Utc::now();
    let node = provider.node.as_ref();
    Row {
        id: Uuid::now_v7(),
        provider: provider.id.clone(),
        auth_type: "apikey".to_owned(),
        name: Some(name.to_owned()),
        email: None,
        display_name: None,
        priority: 0,
        global_priority: None,
        is_active: true,
        api_key: None,
        api_key_hint: None,
        access_token: None,
        has_refresh_token: false,
        token_type: None,
        scope: None,
        token_expires_at: None,
        token_generation: 0,
        last_health_check_at: None,
        default_model: None,
        provider_specific_data: Value::Object(node.map(|node| node.data.clone()).unwrap_or_default()),
        allow_private_address: node.is_some_and(|node| node.allow_private_address),
        test_status: "unknown".to_owned(),
        last_tested: None,
        last_error: None,
        last_error_type: None,
        last_error_source: None,
        last_error_at: None,
        error_code: None,
        rate_limit_protection: None,
        health_check_interval_min: None,
        created_at: now,
        updated_at: now,
    }
}

/// A key that its provider takes in one form only is refused where it is typed in, rather than where it is used.
fn check_form(spec: Option<&ProviderSpec>, key: &Secret<String>) -> Result<(), ApiError> {
    let is_google = spec.is_some_and(|spec| matches!(spec.auth, AuthScheme::Google { .. }));
    if !is_google || !ServiceAccount::is_meant(key.expose()) {
        return Ok(());
    }
    match ServiceAccount::read(key.expose()) {
        Ok(_) => Ok(()),
        Err(error) => Err(ApiError::invalid("apiKey", error.to_string())),
    }
}

/// Applies a patch of `providerSpecificData`. Only `baseUrl`, `thinkTags`, `onDisconnect`, and where an account is are an
/// operator's to set; what a node contributes may be sent back unchanged.
fn merge_data(row: &mut Row, spec: Option<&ProviderSpec>, patch: Map<String, Value>) -> Result<(), ApiError> {
    let field = |key: &str| format!("providerSpecificData.{key}");
    let is_node = row.provider_specific_data.get("prefix").is_some();
    let Value::Object(data) = &mut row.provider_specific_data else {
        return Err(ApiError::internal("provider_specific_data is no object"));
    };
    for (key, value) in patch {
        if data.get(&key) == Some(&value) {
            continue;
        }
        if is_node && (key == "baseUrl" || FROM_NODE.contains(&key.as_str())) {
            return Err(ApiError::invalid(
                field(&key),
                "comes from the provider node: change it there",
            ));
        }
        match (key.as_str(), value) {
            ("baseUrl", Value::Null) => {
                data.remove("baseUrl");
            }
            ("baseUrl", Value::String(url)) => {
                data.insert(key, url.trim().trim_end_matches('/').into());
            }
            ("baseUrl", _) => return Err(ApiError::invalid(field(&key), "must be a string or null")),
            ("region" | "project", Value::Null) => {
                data.remove(&key);
            }
            ("region", _) if !spec.is_some_and(ProviderSpec::takes_region) => {
                return Err(ApiError::invalid(
                    field(&key),
                    "is for providers that have regions",
                ));
            }
            ("project", _) if !spec.is_some_and(ProviderSpec::takes_project) => {
                return Err(ApiError::invalid(
                    field(&key),
                    "is for providers that have projects",
                ));
            }
            ("region" | "project", Value::String(name)) => {
                let name = name.trim();
                let (region, project) = if key == "region" { (name, "p") } else { ("", name) };
                let whereabouts = Whereabouts {
                    region,
                    project,
                    ..Whereabouts::default()
                };
                if let Some(Err(error)) = spec.map(|spec| Endpoint::of(spec, whereabouts)) {
                    return Err(ApiError::invalid(field(&key), error.to_string()));
                }
                match name.is_empty() {
                    true => drop(data.remove(&key)),
                    false => drop(data.insert(key, name.into())),
                }
            }
            ("region" | "project", _) => {
                return Err(ApiError::invalid(field(&key), "must be a string or null"));
            }
            ("thinkTags", Value::Null) => {
                data.remove("thinkTags");
            }
            ("thinkTags", value) if value.is_boolean() || value == THINKING_OPENED_BY_PROMPT => {
                data.insert(key, value);
            }
            ("thinkTags", _) => {
                return Err(ApiError::invalid(
                    field(&key),
                    "must be true (the server sends <think>…</think> inside its text), false (it does not), \
                     `implicit` (it sends only the closing tag), or null (as the provider is known)",
                ));
            }
            ("onDisconnect", Value::Null) => {
                data.remove("onDisconnect");
            }
            ("onDisconnect", value) if value == "cancel" || value == "drain" => {
                data.insert(key, value);
            }
            ("onDisconnect", _) => {
                return Err(ApiError::invalid(
                    field(&key),
                    "must be `cancel` (a call whose client has left is ended), `drain` (its answer is read to the \
                     end, so that what it costs is known), or null (as `cancel`)",
                ));
            }
            _ => {
                return Err(ApiError::invalid(
                    field(&key),
                    "is not known: baseUrl, region, project, thinkTags and onDisconnect are",
                ));
            }
        }
    }
    Ok(())
}

/// Seals a new credential; the mask of the stored one, sent back, changes nothing. Says whether it changed.
fn set_credential(ctx: &Ctx, row: &mut Row, key: &Secret<String>) -> bool {
    let plain = key.expose().trim();
    if row.api_key.is_some() && row.api_key_hint.as_deref() == Some(plain) {
        return false;
    }
    row.api_key = Some(
        ctx.vault
            .seal(Cell::connection_api_key(&row.id.to_string()), plain),
    );
    row.api_key_hint = Some(vault::mask(plain));
    true
}

fn check_address(ctx: &Ctx, row: &Row) -> Result<(), ApiError> {
    let Some(text) = row.base_url() else { return Ok(()) };
    let url = Url::parse(text)
        .map_err(|_| ApiError::invalid("providerSpecificData.baseUrl", "must be an http or https address"))?;
    let allow_private = ctx.config.allow_private_provider_urls || row.allow_private_address;
    ctx.egress
        .check(&url, allow_private)
        .map_err(|error| ApiError::UrlBlocked(error.to_string()))
}

fn changed_fields(before: &Row, after: &Row) -> Result<Vec<String>, ApiError> {
    let show = |row: &Row| serde_json::to_value(row.clone().view()).map_err(ApiError::internal);
    let (before, after) = (show(before)?, show(after)?);
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return Ok(Vec::new());
    };
    let names = before
        .keys()
        .chain(after.keys())
        .collect::<std::collections::BTreeSet<_>>();
    let changed = names
        .into_iter()
        .filter(|name| *name != "updatedAt" && before.get(*name) != after.get(*name));
    Ok(changed.cloned().collect())
}
