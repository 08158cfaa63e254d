//! The management API. One module per noun an operator sees; each holds its DTOs, handlers and SQL.
//!
//! Slices never import each other's internals. What they share is in [`crate::http`], and the few facts about
//! names that span tables are in [`names`].

pub mod accounts;
pub mod aliases;
mod attempt;
pub mod audit;
pub mod auth;
pub mod availability;
pub mod budget;
pub mod cache;
pub mod catalog;
pub mod cli_tools;
pub mod cloud;
pub mod combo_metrics;
pub mod combo_test;
pub mod combos;
pub mod console;
pub mod data_planes;
pub mod db_backups;
pub mod evals;
pub mod explain;
pub mod fallback_chains;
pub mod figures;
mod guard;
pub mod health;
pub mod init;
pub mod ip_filter;
pub mod keys;
pub mod models;
mod names;
pub mod oauth;
pub mod operations;
mod outages;
pub mod policies;
pub mod price_periods;
pub mod pricing;
pub mod provider_models;
pub mod provider_nodes;
pub mod providers;
pub mod proxy;
pub mod rate_limits;
pub mod repricing;
pub mod require_login;
pub mod resilience;
pub mod sessions;
pub mod settings;
pub mod sync;
pub mod system_prompt;
pub mod telemetry;
pub mod thinking_budget;
pub mod tokens;
pub mod translation_note;
pub mod translator;
pub mod usage;

use std::{fmt, net::SocketAddr, sync::Arc};

use axum::{Json, Router, middleware, routing::get};
use runtime::{egress::Egress, telemetry::Lines};
use state::StateStore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::{
    OpenApi,
    openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, path::Operation},
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    arrivals::Arrivals,
    backup::Backups,
    bodies::Bodies,
    cloud::Cloud,
    config::ApiConfig,
    db::Db,
    http::{Gate, Limiter, edge},
    oauth::Renewals,
    operations::Operations,
    password::Passwords,
    publish::{Fleet, Wake},
    session::Sessions,
    vault::Vault,
};

/// What handlers need. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    pub db: Db,
    pub store: Arc<dyn StateStore>,
    pub fleet: Fleet,
    /// Makes this process's publisher look at once.
    pub wake: Wake,
    pub egress: Arc<Egress>,
    pub backups: Backups,
    pub bodies: Bodies,
    pub arrivals: Arrivals,
    pub cloud: Cloud,
    pub renewals: Renewals,
    pub vault: Arc<Vault>,
    pub sessions: Arc<Sessions>,
    pub passwords: Passwords,
    pub limiter: Arc<Limiter>,
    pub gate: Arc<Gate>,
    pub slow_lane: auth::SlowLane,
    pub operations: Operations,
    /// Both planes are this process.
    pub single_process: bool,
    pub config: Arc<ApiConfig>,
    /// Where this process listens: decides whether login may be off.
    pub listen: SocketAddr,
    /// What this process logged last.
    pub lines: Lines,
    pub drain: CancellationToken,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "OmniRoute management API",
    description = "Configuration, credentials and observation of an OmniRoute gateway.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
), components(schemas(edge::Refusal<'static>)))]
struct Document;

// === impl Ctx ===

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// Every `/api` route, with the edge around it.
pub fn router(ctx: Ctx) -> Router {
    let (router, document) = described();
    let document = Arc::new(document);
    router
        .route(
            "/api/openapi.json",
            get(move || async move { Json(document.as_ref().clone()) }),
        )
        .fallback(edge::unknown_path)
        .method_not_allowed_fallback(edge::unknown_method)
        .layer(CatchPanicLayer::custom(edge::caught_panic))
        .layer(middleware::from_fn_with_state(ctx.clone(), edge::edge))
        .with_state(ctx)
}

/// The description of every route, as served at `/api/openapi.json`.
pub fn document() -> utoipa::openapi::OpenApi {
    described().1
}

/// Slices name their handlers alike, and an operation's id is to be its own in the whole document: method and path. Any
/// of them may refuse, in the one form there is.
fn described() -> (Router<Ctx>, utoipa::openapi::OpenApi) {
    let (router, mut document) = routes().split_for_parts();
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        let id = path
            .trim_start_matches("/api/")
            .replace(['/', '-'], "_")
            .replace(['{', '}'], "");
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}_{id}"));
                describe_refusals(operation);
            }
        }
    }
    (router, document)
}

fn describe_refusals(operation: &mut Operation) {
    let schema = Ref::from_schema_name("Refusal");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
            && response.content.is_empty()
        {
            response
                .content
                .insert("application/json".to_owned(), RefOr::T(content.clone()));
        }
    }
    for (range, what) in [
        ("4XX", "what was asked cannot be done"),
        ("5XX", "something it takes is out of order"),
    ] {
        let refusal = ResponseBuilder::new()
            .description(what)
            .content("application/json", content.clone())
            .build();
        responses.insert(range.to_owned(), RefOr::T(refusal));
    }
}

fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(auth::router())
        .merge(require_login::router())
        .merge(accounts::router())
        .merge(tokens::router())
        .merge(settings::router())
        .merge(system_prompt::router())
        .merge(thinking_budget::router())
        .merge(ip_filter::router())
        .merge(proxy::router())
        .merge(providers::router())
        .merge(provider_nodes::router())
        .merge(oauth::router())
        .merge(keys::router())
        .merge(provider_models::router())
        .merge(aliases::router())
        .merge(catalog::router())
        .merge(models::router())
        .merge(availability::router())
        .merge(combos::router())
        .merge(fallback_chains::router())
        .merge(policies::router())
        .merge(pricing::router())
        .merge(price_periods::router())
        .merge(repricing::router())
        .merge(combo_metrics::router())
        .merge(combo_test::router())
        .merge(evals::router())
        .merge(translator::router())
        .merge(cli_tools::router())
        .merge(resilience::router())
        .merge(rate_limits::router())
        .merge(sessions::router())
        .merge(cache::router())
        .merge(data_planes::router())
        .merge(operations::router())
        .merge(explain::router())
        .merge(health::router())
        .merge(figures::router())
        .merge(console::router())
        .merge(init::router())
        .merge(budget::router())
        .merge(telemetry::router())
        .merge(usage::router())
        .merge(audit::router())
        .merge(db_backups::router())
        .merge(sync::router())
        .merge(cloud::router())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_operation_of_the_document_has_an_id_of_its_own() {
        let document = serde_json::to_value(document()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|item| item.as_object().unwrap().values());
        let ids: Vec<_> = operations
            .filter_map(|operation| operation["operationId"].as_str())
            .collect();
        let distinct: HashSet<_> = ids.iter().collect();
        assert!(ids.len() > 30);
        assert_eq!(ids.len(), distinct.len(), "{ids:?}");
    }
}
