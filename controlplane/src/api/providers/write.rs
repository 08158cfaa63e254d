//! Creating, changing and deleting connections.

mod body;
mod provider;
mod specific;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::Utc;
use llm::provider::ProviderSpec;
use runtime::secret::Secret;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use url::Url;
use uuid::Uuid;

use self::{
    body::{CreateBody, Deleted, UpdateBody},
    provider::{Provider, check_form},
};
use super::{
    ConnectionAnswer, WHAT,
    row::{self, Row},
};
use crate::{
    api::{Ctx, guard},
    db::{Audit, Committed},
    error::ApiError,
    http::{IfMatch, Json, Operator, Wait, WaitQuery, uuid_or_missing},
    vault::{self, Cell},
};

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
    let provider = Provider::find(tx.conn(), &body.provider).await?;
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
        merge_specific(&mut row, provider.spec, patch)?;
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
    let spec = Provider::find(tx.conn(), &row.provider)
        .await
        .ok()
        .and_then(|one| one.spec);
    if let Some(patch) = body.provider_specific_data {
        merge_specific(&mut row, spec, patch)?;
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

/// Reaching into private networks is for a person to decide.
fn may_allow_private(operator: &Operator, asked: Option<bool>) -> Result<(), ApiError> {
    if asked == Some(true) && !operator.is_admin {
        return Err(ApiError::Forbidden(
            "log in to allow a private address: a key may not do this".into(),
        ));
    }
    Ok(())
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

fn merge_specific(
    row: &mut Row,
    spec: Option<&ProviderSpec>,
    patch: Map<String, Value>,
) -> Result<(), ApiError> {
    let Value::Object(data) = &mut row.provider_specific_data else {
        return Err(ApiError::internal("provider_specific_data is no object"));
    };
    specific::merge(data, spec, patch)
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
