//! Settings that data planes act on.
//!
//! `GET PUT PATCH /api/settings`

use axum::{Json, extract::State, http::StatusCode, response::Response};
use llm::providers;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgExecutor;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::Ctx,
    db::Audit,
    error::ApiError,
    http::{Access, Body, Json as JsonBody, Operator, Violations, Wait, WaitQuery},
};

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SettingsView {
    require_login: bool,
    has_password: bool,
    setup_complete: bool,
    /// Listing models asks for a key.
    require_auth_for_models: bool,
    /// Provider ids or aliases that are hidden and route nowhere.
    blocked_providers: Vec<String>,
    version: &'static str,
    cluster_id: String,
    data_planes: usize,
    config_revision: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SettingsBody {
    require_auth_for_models: Option<bool>,
    blocked_providers: Option<Vec<String>>,
}

/// The stored settings of this slice, with defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    require_auth_for_models: bool,
    blocked_providers: Vec<String>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, change))
}

// === impl SettingsBody ===

impl Body for SettingsBody {
    const READ_ONLY: &'static [&'static str] = &[
        "requireLogin",
        "hasPassword",
        "setupComplete",
        "version",
        "clusterId",
        "dataPlanes",
        "configRevision",
    ];

    fn check(&self, violations: &mut Violations) {
        for (index, provider) in self.blocked_providers.iter().flatten().enumerate() {
            violations.length(&format!("blockedProviders.{index}"), provider, 1..=100);
        }
        if self.require_auth_for_models.is_none() && self.blocked_providers.is_none() {
            violations.add("", "there is nothing to change");
        }
    }
}

/// The settings, and what this installation is.
#[utoipa::path(get, path = "/api/settings", tag = "settings", responses((status = 200, body = SettingsView)))]
async fn read(State(ctx): State<Ctx>, _: Operator) -> Result<Json<SettingsView>, ApiError> {
    Ok(Json(view(&ctx).await?))
}

/// Changes what the body names.
#[utoipa::path(method(put, patch), path = "/api/settings", tag = "settings", request_body = SettingsBody,
    params(WaitQuery), responses((status = 200, body = SettingsView), (status = 400)))]
async fn change(
    State(ctx): State<Ctx>,
    operator: Operator,
    wait: Wait,
    JsonBody(body): JsonBody<SettingsBody>,
) -> Result<Response, ApiError> {
    let mut tx = ctx.db.config_tx(&operator.origin).await?;
    let before = stored(&mut *tx.conn()).await?;
    let mut details = serde_json::Map::new();
    if let Some(on) = body.require_auth_for_models {
        put(&mut *tx.conn(), "requireAuthForModels", &on.into()).await?;
        details.insert(
            "requireAuthForModels".to_owned(),
            json!({ "from": before.require_auth_for_models, "to": on }),
        );
    }
    if let Some(given) = body.blocked_providers {
        let blocked = canonical(given);
        put(&mut *tx.conn(), "blockedProviders", &json!(blocked)).await?;
        details.insert(
            "blockedProviders".to_owned(),
            json!({ "from": before.blocked_providers, "to": blocked }),
        );
    }
    let committed = tx
        .commit(Audit::of("settings.updated").details(Value::Object(details)), ())
        .await?;
    let value = view(&ctx).await?;
    Ok(wait
        .answer(
            StatusCode::OK,
            crate::db::Committed {
                revision: committed.revision,
                value,
            },
        )
        .await)
}

async fn view(ctx: &Ctx) -> Result<SettingsView, ApiError> {
    let access = Access::load(ctx.db.pool()).await?;
    let stored = stored(ctx.db.pool()).await?;
    let config_revision = sqlx::query_scalar!("select revision from config_head")
        .fetch_one(ctx.db.pool())
        .await?;
    let has_password = access.can_log_in(ctx);
    Ok(SettingsView {
        require_login: access.require_login,
        has_password,
        setup_complete: has_password,
        require_auth_for_models: stored.require_auth_for_models,
        blocked_providers: stored.blocked_providers,
        version: env!("CARGO_PKG_VERSION"),
        cluster_id: ctx.db.cluster_id().to_owned(),
        data_planes: ctx
            .fleet
            .list()
            .await?
            .iter()
            .filter(|plane| plane.connected)
            .count(),
        config_revision,
    })
}

/// Ids rather than aliases, each once: data planes compare ids.
fn canonical(given: Vec<String>) -> Vec<String> {
    let ids = given
        .into_iter()
        .map(|name| providers::find(&name).map_or(name, |spec| spec.id.to_owned()));
    ids.collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

async fn stored(executor: impl PgExecutor<'_>) -> Result<Stored, sqlx::Error> {
    let rows = sqlx::query!(
        "select key, value from setting where key in ('requireAuthForModels', 'blockedProviders')"
    )
    .fetch_all(executor)
    .await?;
    let find = |key: &str| rows.iter().find(|row| row.key == key).map(|row| &row.value);
    let blocked = find("blockedProviders").and_then(Value::as_array);
    Ok(Stored {
        require_auth_for_models: find("requireAuthForModels")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        blocked_providers: blocked
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    })
}

async fn put(executor: impl PgExecutor<'_>, key: &str, value: &Value) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into setting (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value",
        key,
        value,
    )
    .execute(executor)
    .await?;
    Ok(())
}
