//! What was asked, what it took and what it cost.
//!
//! The log has a row for each request ([`logs`]); sums by hour are kept beside it by the transaction that stores the
//! rows ([`history`], [`analytics`]), so what is summed up is what is logged.

mod analytics;
mod history;
mod logs;
mod part;
mod proxy_logs;
mod quota;
mod sums;

use utoipa_axum::router::OpenApiRouter;

use crate::api::Ctx;

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .merge(logs::router())
        .merge(history::router())
        .merge(analytics::router())
        .merge(proxy_logs::router())
        .merge(quota::router())
}
