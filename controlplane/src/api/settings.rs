//! Settings of the installation: how requests are routed, who may call, how the dashboard looks.
//!
//! `GET PUT PATCH /api/settings`
//!
//! The password, and whether a login, an API key or the guard of the login is asked for, takes a person to change: keys
//! and tokens are refused. They may send back what they have read.

mod body;
mod origins;
mod similarity;
mod stored;

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::Response,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{body::SettingsBody, stored::Stored};
use super::names::{Names, WildcardAlias};
use crate::{
    api::Ctx,
    db::{Audit, Committed},
    error::ApiError,
    http::{Access, AdminOrKey, Json as JsonBody, Reader, Violations, Visitor, Wait, WaitQuery},
    login::{Relogged, Whose},
};

/// As long as names of models may be.
const MODEL_CHARS: usize = 300;
const PATH: &str = "/api/settings";

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SettingsView {
    require_login: bool,
    has_password: bool,
    setup_complete: bool,
    #[serde(flatten)]
    stored: Stored,
    #[serde(flatten)]
    elsewhere: Elsewhere,
    version: &'static str,
    cluster_id: String,
    data_planes: usize,
    config_revision: i64,
}

/// What other paths under `/api/settings`, and `/api/resilience`, have stored; written there.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Elsewhere {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    combo_defaults: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    provider_overrides: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    provider_profiles: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    rate_limit_defaults: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    system_prompt: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    thinking_budget: Option<Value>,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read, change))
}

/// The settings, and what this installation is.
#[utoipa::path(get, path = "/api/settings", tag = "settings", responses((status = 200, body = SettingsView)))]
async fn read(State(ctx): State<Ctx>, _: Reader) -> Result<Json<SettingsView>, ApiError> {
    Ok(Json(view(&ctx).await?))
}

/// Changes what the body names.
#[utoipa::path(method(put, patch), path = "/api/settings", tag = "settings", request_body = SettingsBody,
    params(WaitQuery), responses((status = 200, body = SettingsView), (status = 400), (status = 401), (status = 403),
        (status = 409)))]
async fn change(
    State(ctx): State<Ctx>,
    visitor: Visitor,
    admin: AdminOrKey,
    wait: Wait,
    JsonBody(body): JsonBody<SettingsBody>,
) -> Result<Response, ApiError> {
    let whose = Whose(admin.account.as_ref().map(|account| account.id));
    let refusal = |stored: &Stored, require_login: bool| {
        let field = body.takes_a_person(stored, require_login);
        let field = field.filter(|_| !admin.is_admin)?;
        Some(format!(
            "log in to change `{field}`: neither a key nor a token may do this"
        ))
    };
    let stored = Stored::load(ctx.db.pool()).await?;
    if let Some(why) = refusal(&stored, visitor.access.require_login) {
        return Err(admin.deny(&ctx, PATH, why).await);
    }
    let login = body.login().permit(&ctx, visitor.access, whose).await?;

    let mut tx = ctx.db.config_tx(&admin.origin).await?;
    let mut details = Map::new();
    let changed = login.write(tx.conn()).await?;
    let (from, to) = changed.require_login;
    if from != to {
        details.insert("requireLogin".to_owned(), json!({ "from": from, "to": to }));
    }
    if let Some(Relogged { account, .. }) = &changed.password_of {
        details.insert("newPassword".to_owned(), json!({ "changed": true }));
        let audit = Audit::of("auth.password.changed").target("account", account.id);
        tx.record(audit).await?;
    }
    let set_up = visitor.access.is_set_up(&ctx);
    if let Some(is_set_up) = body.setup_complete().filter(|given| *given != set_up) {
        stored::put(&mut *tx.conn(), "setupComplete", &json!(is_set_up)).await?;
        details.insert(
            "setupComplete".to_owned(),
            json!({ "from": set_up, "to": is_set_up }),
        );
    }

    let before = Stored::load(&mut *tx.conn()).await?;
    // what was no change a moment ago may be one now
    if let Some(why) = refusal(&before, from) {
        drop(tx);
        return Err(admin.deny(&ctx, PATH, why).await);
    }
    let mut after = body.over(&before);
    let names = Names::load(tx.conn()).await?;
    after.blocked_providers = known(&names, &before.blocked_providers, after.blocked_providers)?;
    lead_somewhere(&names, &before.wildcard_aliases, &after.wildcard_aliases)?;
    similarity::can_embed(
        tx.conn(),
        &before.semantic_cache_rules,
        &after.semantic_cache_rules,
    )
    .await?;
    if before.enable_socks5_proxy && !after.enable_socks5_proxy && stored::has_socks(&mut *tx.conn()).await? {
        return Err(ApiError::conflict(
            "there are socks5 proxies: remove them in /api/settings/proxy first",
        ));
    }

    for (key, from, to) in before.differences(&after) {
        stored::put(&mut *tx.conn(), &key, &to).await?;
        details.insert(key, json!({ "from": from, "to": to }));
    }
    let audit = Audit::of("settings.updated").details(Value::Object(details));
    let Committed { revision, .. } = tx.commit(audit, ()).await?;
    let value = view(&ctx).await?;
    let mut response = wait.answer(StatusCode::OK, Committed { revision, value }).await;
    if let Some(relogged) = &changed.password_of {
        let cookie = relogged.cookie(&ctx, visitor.client.https)?;
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn view(ctx: &Ctx) -> Result<SettingsView, ApiError> {
    let access = Access::stored(ctx.db.pool()).await?;
    let stored = Stored::load(ctx.db.pool()).await?;
    let mut others = stored::others(ctx.db.pool()).await?;
    let mut resilience = others.remove("resilience").unwrap_or_default();
    let mut part = |name: &str| Some(resilience[name].take()).filter(|part| !part.is_null());
    let elsewhere = Elsewhere {
        provider_profiles: part("profiles"),
        rate_limit_defaults: part("defaults"),
        combo_defaults: others.remove("comboDefaults"),
        provider_overrides: others.remove("providerOverrides"),
        system_prompt: others.remove("systemPrompt"),
        thinking_budget: others.remove("thinkingBudget"),
    };
    let config_revision = sqlx::query_scalar!("select revision from config_head")
        .fetch_one(ctx.db.pool())
        .await?;
    let has_password = access.can_log_in(ctx);
    Ok(SettingsView {
        require_login: access.require_login,
        has_password,
        setup_complete: access.is_set_up(ctx),
        stored,
        elsewhere,
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

/// What an alias leads to may disappear later, so those that were there before are not asked again.
fn lead_somewhere(names: &Names, before: &[WildcardAlias], after: &[WildcardAlias]) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    for (index, alias) in after.iter().enumerate() {
        if before.contains(alias) || names.is_exact(&alias.target) {
            continue;
        }
        let problem = format!("`{}` is no provider/model, no combo and no alias", alias.target);
        violations.add(format!("wildcardAliases.{index}.target"), problem);
    }
    violations.into_result()
}

/// Ids, each once: data planes compare ids. A provider may disappear later, so what was blocked before is not asked
/// again.
fn known(names: &Names, before: &[String], given: Vec<String>) -> Result<Vec<String>, ApiError> {
    let mut violations = Violations::default();
    let mut ids = BTreeSet::new();
    for (index, name) in given.into_iter().enumerate() {
        let id = names.provider_id(&name);
        match id.or_else(|| before.contains(&name).then(|| name.clone())) {
            Some(id) => drop(ids.insert(id)),
            None => violations.add(
                format!("blockedProviders.{index}"),
                format!("`{name}` is neither a provider's id or alias nor a node's prefix"),
            ),
        }
    }
    violations.into_result()?;
    Ok(ids.into_iter().collect())
}
