//! What an orchestrator asks every process: is it alive, may it get traffic, how is it doing.

use crate::metrics::{self, Registry};
use crate::readiness::Readiness;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};

/// `/livez`, `/readyz` (503 with the missing conditions until all are fulfilled) and `/metrics`.
pub fn router(readiness: Readiness, registry: Registry) -> Router {
    Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(async move || ready(&readiness)))
        .route(
            "/metrics",
            get(async move || ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], registry.encode())),
        )
}

fn ready(readiness: &Readiness) -> axum::response::Response {
    let missing = readiness.missing();
    let status = if missing.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(serde_json::json!({ "ready": missing.is_empty(), "waitingFor": missing })),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    async fn get(router: &Router, path: &str) -> (StatusCode, String) {
        let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn not_ready_says_what_it_waits_for() {
        let readiness = Readiness::new();
        let latch = readiness.latch("configuration");
        let router = router(readiness, Registry::new());
        assert_eq!(get(&router, "/livez").await.0, StatusCode::OK);
        let (status, body) = get(&router, "/readyz").await;
        assert_eq!(
            (status, body.contains("configuration")),
            (StatusCode::SERVICE_UNAVAILABLE, true)
        );
        latch.set(true);
        assert_eq!(get(&router, "/readyz").await.0, StatusCode::OK);
        assert!(get(&router, "/metrics").await.1.ends_with("# EOF\n"));
    }
}
