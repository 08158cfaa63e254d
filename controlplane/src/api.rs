//! The management API. One module per noun an operator sees; each holds its DTOs, handlers and SQL.
//!
//! Slices never import each other's internals. What they share is in [`crate::http`], and the few facts about
//! names that span tables are in [`names`].

pub mod aliases;
pub mod audit;
pub mod auth;
pub mod combos;
pub mod data_planes;
pub mod health;
pub mod init;
pub mod keys;
mod names;
pub mod provider_nodes;
pub mod providers;
pub mod require_login;
pub mod settings;
pub mod usage;

use std::{fmt, net::SocketAddr, sync::Arc};

use axum::{Json, Router, middleware, routing::get};
use runtime::egress::Egress;
use state::StateStore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    config::ApiConfig,
    db::Db,
    http::{Limiter, edge},
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
    pub vault: Arc<Vault>,
    pub sessions: Arc<Sessions>,
    pub passwords: Passwords,
    pub limiter: Arc<Limiter>,
    pub slow_lane: auth::SlowLane,
    pub config: Arc<ApiConfig>,
    /// Where this process listens: decides whether login may be off.
    pub listen: SocketAddr,
    pub drain: CancellationToken,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "OmniRoute management API",
    description = "Configuration, credentials and observation of an OmniRoute gateway.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Document;

// === impl Ctx ===

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// Every `/api` route, with the edge around it.
pub fn router(ctx: Ctx) -> Router {
    let (router, document) = routes().split_for_parts();
    let document = Arc::new(document);
    router
        .route("/api/openapi.json", get(move || async move { Json(document.as_ref().clone()) }))
        .fallback(edge::unknown_path)
        .method_not_allowed_fallback(edge::unknown_method)
        .layer(CatchPanicLayer::custom(edge::caught_panic))
        .layer(middleware::from_fn_with_state(ctx.clone(), edge::edge))
        .with_state(ctx)
}

/// The description of every route, as served at `/api/openapi.json`.
pub fn document() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}

fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(auth::router())
        .merge(require_login::router())
        .merge(settings::router())
        .merge(providers::router())
        .merge(provider_nodes::router())
        .merge(keys::router())
        .merge(aliases::router())
        .merge(combos::router())
        .merge(data_planes::router())
        .merge(health::router())
        .merge(init::router())
        .merge(usage::router())
        .merge(audit::router())
}
