//! Which models are out of service on which connections, and for how long.
//!
//! `GET POST DELETE /api/models/availability`

mod names;

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use chrono::DateTime;
use llm::providers;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::names::Directory;
use super::outages::{Outage, Outages, Scope};
use crate::{
    api::Ctx,
    db::Audit,
    error::{ApiError, Violation},
    http::{Body, Json as JsonBody, Operator, Query, Reader, Stamp, Violations},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Also list what is available.
    #[serde(default)]
    all: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ClearQuery {
    provider: Option<String>,
    model: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AvailabilityView)]
struct ListView {
    unavailable_count: usize,
    models: Vec<UnavailableView>,
    /// Models of the built-in catalogue that some connection can serve now.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<Vec<AvailableView>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UnavailableView {
    provider: String,
    /// Absent when it is about all models of the connection or the provider.
    model: Option<String>,
    connection_id: Option<String>,
    scope: Scope,
    reason: String,
    remaining_ms: u64,
    unavailable_since: Option<Stamp>,
    until: Option<Stamp>,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct AvailableView {
    provider: String,
    model: String,
    /// How many connections can serve it now.
    connections: usize,
}

/// With `provider` it clears, without it only looks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AvailabilityBody)]
struct AskBody {
    provider: Option<String>,
    model: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ModelAvailabilityView)]
struct CheckView {
    model: String,
    available: bool,
    /// As `provider/model`, after aliases and combos.
    resolved_to: Vec<String>,
    providers: Vec<AccountView>,
}

/// One connection that may serve the model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ModelAvailabilityAccount)]
struct AccountView {
    provider: String,
    model: String,
    connection_id: Uuid,
    connection_name: String,
    available: bool,
    reason: Option<String>,
    remaining_ms: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AvailabilityCleared)]
struct ClearedView {
    success: bool,
    /// Something was out of service.
    removed: bool,
}

/// An enabled connection of a provider that is not blocked.
struct Account {
    id: Uuid,
    provider: String,
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = AvailabilityAnswer)]
enum Answer {
    Check(CheckView),
    Cleared(ClearedView),
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list, ask, clear))
}

// === impl AskBody ===

impl Body for AskBody {
    fn check(&self, violations: &mut Violations) {
        for (field, value) in [("provider", &self.provider), ("model", &self.model)] {
            if let Some(value) = value {
                violations.length(field, value, 1..=300);
            }
        }
    }
}

// === impl UnavailableView ===

impl UnavailableView {
    fn of(outage: &Outage) -> Self {
        Self {
            provider: outage.provider().to_owned(),
            model: outage.model().map(str::to_owned),
            connection_id: outage.connection().map(str::to_owned),
            scope: outage.scope(),
            reason: outage.reason.clone(),
            remaining_ms: outage.remaining_ms(),
            unavailable_since: DateTime::from_timestamp_millis(outage.since_ms).map(Stamp),
            until: outage.until(),
        }
    }
}

/// What is out of service, with `all` also what is not.
#[utoipa::path(get, path = "/api/models/availability", tag = "models", params(ListQuery),
    responses((status = 200, body = ListView), (status = 503)))]
async fn list(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<ListQuery>,
) -> Result<Json<ListView>, ApiError> {
    let outages = down(&ctx).await?;
    let available = if query.all {
        let accounts = accounts(ctx.db.pool()).await?;
        Some(available(&accounts, &outages))
    } else {
        None
    };
    let models: Vec<UnavailableView> = outages.iter().map(UnavailableView::of).collect();
    Ok(Json(ListView {
        unavailable_count: models.len(),
        models,
        available,
    }))
}

/// Whether a model can be served now; or, when the body names a provider, ends what keeps it out of service.
#[utoipa::path(post, path = "/api/models/availability", tag = "models", request_body = AskBody,
    responses((status = 200, body = Answer), (status = 400), (status = 404), (status = 503)))]
async fn ask(
    State(ctx): State<Ctx>,
    operator: Operator,
    JsonBody(body): JsonBody<AskBody>,
) -> Result<Json<Answer>, ApiError> {
    match body {
        AskBody {
            provider: None,
            model: Some(model),
        } => Ok(Json(Answer::Check(check(&ctx, model).await?))),
        AskBody { provider, model } => {
            let Json(cleared) = end(&ctx, &operator, provider, model).await?;
            Ok(Json(Answer::Cleared(cleared)))
        }
    }
}

/// Ends what keeps a model out of service: on every connection of the provider, with every provider when none is
/// named, and everything about a provider when no model is.
#[utoipa::path(delete, path = "/api/models/availability", tag = "models", params(ClearQuery),
    responses((status = 200, body = ClearedView), (status = 400), (status = 503)))]
async fn clear(
    State(ctx): State<Ctx>,
    operator: Operator,
    Query(ClearQuery { provider, model }): Query<ClearQuery>,
) -> Result<Json<ClearedView>, ApiError> {
    end(&ctx, &operator, provider, model).await
}

async fn end(
    ctx: &Ctx,
    operator: &Operator,
    provider: Option<String>,
    model: Option<String>,
) -> Result<Json<ClearedView>, ApiError> {
    if provider.is_none() && model.is_none() {
        return Err(ApiError::Invalid(vec![
            Violation::missing("model"),
            Violation::missing("provider"),
        ]));
    }
    let mut ending = Outages::read(&*ctx.store).await?;
    ending.retain(|outage| {
        let of_provider = provider.as_deref().is_none_or(|id| id == outage.provider());
        let of_model = model.is_none() || model.as_deref() == outage.model();
        of_provider && of_model
    });
    let count = ending.iter().count();
    ending.end(&*ctx.store).await?;
    let details = json!({ "provider": provider, "model": model, "cleared": count });
    let audit = Audit::of("model.cooldown.cleared").details(details);
    ctx.db.record(&operator.origin, audit).await?;
    Ok(Json(ClearedView {
        success: true,
        removed: count > 0,
    }))
}

async fn check(ctx: &Ctx, model: String) -> Result<CheckView, ApiError> {
    let accounts = accounts(ctx.db.pool()).await?;
    let active = accounts.iter().map(|account| account.provider.clone()).collect();
    let targets = Directory::load(ctx.db.pool(), active).await?.resolve(&model);
    if targets.is_empty() {
        return Err(ApiError::UnknownModel(model));
    }
    let outages = down(ctx).await?;
    let mut providers = Vec::new();
    for (provider, served) in &targets {
        for account in accounts.iter().filter(|account| account.provider == *provider) {
            let outage = hindrance(&outages, account, served);
            providers.push(AccountView {
                provider: provider.clone(),
                model: served.clone(),
                connection_id: account.id,
                connection_name: account.name.clone(),
                available: outage.is_none(),
                reason: outage.map(|outage| outage.reason.clone()),
                remaining_ms: outage.map_or(0, Outage::remaining_ms),
            });
        }
    }
    Ok(CheckView {
        available: providers.iter().any(|account| account.available),
        resolved_to: targets
            .iter()
            .map(|(provider, served)| format!("{provider}/{served}"))
            .collect(),
        model,
        providers,
    })
}

/// What will be out of service for some time. A breaker that only waits for a probe is not.
async fn down(ctx: &Ctx) -> Result<Outages, ApiError> {
    let mut outages = Outages::read(&*ctx.store).await?;
    outages.retain(|outage| !outage.left.is_zero());
    Ok(outages)
}

/// What keeps a connection from serving a model, the longest of it.
fn hindrance<'a>(outages: &'a Outages, account: &Account, model: &str) -> Option<&'a Outage> {
    let id = account.id.to_string();
    let concerns = |outage: &&Outage| {
        outage.provider() == account.provider
            && outage.connection().is_none_or(|connection| connection == id)
            && outage.model().is_none_or(|one| one == model)
    };
    outages.iter().filter(concerns).max_by_key(|outage| outage.left)
}

fn available(accounts: &[Account], outages: &Outages) -> Vec<AvailableView> {
    let in_use: BTreeSet<&str> = accounts.iter().map(|account| account.provider.as_str()).collect();
    let catalogued = in_use
        .into_iter()
        .filter_map(providers::find)
        .flat_map(|spec| spec.models.iter().map(move |model| (spec.id, model.id)));
    let able = |provider: &str, model: &str| {
        let fine =
            |account: &&Account| account.provider == provider && hindrance(outages, account, model).is_none();
        accounts.iter().filter(fine).count()
    };
    catalogued
        .map(|(provider, model)| AvailableView {
            provider: provider.to_owned(),
            model: model.to_owned(),
            connections: able(provider, model),
        })
        .filter(|view| view.connections > 0)
        .collect()
}

async fn accounts(pool: &PgPool) -> Result<Vec<Account>, sqlx::Error> {
    sqlx::query_as!(
        Account,
        r#"select c.id, c.provider, coalesce(c.name, c.display_name, c.email, left(c.id::text, 8)) as "name!"
           from provider_connection c left join provider_node n on n.id = c.provider
           where c.is_active
             and not exists (select from setting where key = 'blockedProviders'
                                                   and (value ? c.provider or value ? n.prefix))
           order by c.provider, c.priority, c.id"#
    )
    .fetch_all(pool)
    .await
}
