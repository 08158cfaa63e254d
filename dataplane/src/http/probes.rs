//! For orchestrators and scrapers: alive, ready, numbers.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use runtime::metrics::{self, Registry};
use runtime::readiness::Readiness;

/// A state store or a control plane that is gone does not make a data plane unready: taking it out of rotation
/// would turn their outage into everybody's.
pub fn router(readiness: Readiness, registry: Registry) -> Router {
    Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(async move || ready(&readiness)))
        .route("/metrics", get(async move || ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], registry.encode())))
}

fn ready(readiness: &Readiness) -> Response {
    match readiness.missing().as_slice() {
        [] => "ready".into_response(),
        missing => (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}", missing.join(", "))).into_response(),
    }
}
