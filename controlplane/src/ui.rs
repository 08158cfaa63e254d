//! The dashboard, embedded in the binary.
//!
//! Every answer that can run scripts carries a content security policy with a fresh nonce, which replaces the
//! placeholder the dashboard was built with. A binary built without the dashboard serves a page that says how to
//! build it.
//!
//! Beside it, `/callback`: where providers send people back to after signing in, see [`crate::api::oauth`].

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};
use tower_http::compression::{CompressionLayer, CompressionLevel};

/// What `vite.config.ts` puts where a nonce belongs.
const NONCE_PLACEHOLDER: &str = "__CSP_NONCE__";
const INDEX: &str = "index.html";

const MISSING: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>OmniRoute</title>
<h1>This binary was built without the dashboard</h1>
<p>The gateway and its management API work. For the dashboard, install Node and npm, run <code>make dashboard</code>,
and build again; <code>make run</code> does all of it.</p>
<p>The API describes itself at <a href=\"/api/openapi.json\">/api/openapi.json</a>.</p>
</html>
";

const CALLBACK_PAGE: &str = include_str!("ui/callback.html");
const CALLBACK_SCRIPT: &str = include_str!("ui/callback.js");
/// Its address has a code in it: nothing of it goes anywhere but here.
const CALLBACK_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
                               form-action 'none'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "dashboard/dist"]
#[allow_missing = true]
struct Dashboard;

/// `/`, `/dashboard` and `/callback`.
pub fn router() -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/dashboard/") }))
        .route("/dashboard", get(|| async { Redirect::temporary("/dashboard/") }))
        .route("/dashboard/", get(|| async { index() }))
        .route("/dashboard/{*path}", get(file))
        .route(
            "/callback",
            get(|| async { callback("text/html; charset=utf-8", CALLBACK_PAGE) }),
        )
        .route(
            "/callback.js",
            get(|| async { callback("text/javascript; charset=utf-8", CALLBACK_SCRIPT) }),
        )
        // a megabyte of scripts, of which a browser keeps all but the page; nothing here is secret
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
}

/// A file, or for the paths that exist only inside the application, the application.
async fn file(Path(path): Path<String>) -> Response {
    if path == INDEX {
        return index();
    }
    if let Some(file) = Dashboard::get(&path) {
        return asset(&path, file);
    }
    // A missing script must not be answered by a page: the browser would run into it.
    let looks_like_a_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if looks_like_a_file {
        return StatusCode::NOT_FOUND.into_response();
    }
    index()
}

fn index() -> Response {
    let nonce = runtime::crypto::random_token(22);
    let page = match Dashboard::get(INDEX) {
        Some(file) => String::from_utf8_lossy(&file.data).replace(NONCE_PLACEHOLDER, &nonce),
        None => MISSING.to_owned(),
    };
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).expect("a nonce is letters and digits");
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, hardening(), page).into_response()
}

fn callback(media: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, CALLBACK_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    (headers, text).into_response()
}

fn asset(path: &str, file: EmbeddedFile) -> Response {
    // The names in assets/ contain a hash of the content.
    let cache = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type(path))),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ),
    ];
    (headers, hardening(), Body::from(file.data.into_owned())).into_response()
}

fn hardening() -> [(HeaderName, HeaderValue); 3] {
    [
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ]
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn answer(path: &str) -> Response {
        router()
            .oneshot(Request::get(path).body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn every_page_has_a_policy_with_a_nonce_of_its_own() {
        let policy = |response: &Response| {
            response.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .to_owned()
        };
        let (first, second) = (answer("/dashboard/").await, answer("/dashboard/keys").await);
        assert_eq!(
            (first.status(), second.status()),
            (StatusCode::OK, StatusCode::OK)
        );
        assert!(policy(&first).contains("frame-ancestors 'none'") && !policy(&first).contains("unsafe"));
        assert_ne!(policy(&first), policy(&second));
    }

    #[tokio::test]
    async fn who_takes_it_compressed_gets_it_compressed() {
        let ask = |encoding: &'static str| {
            let request = Request::get("/callback.js").header("accept-encoding", encoding);
            router().oneshot(request.body(Body::empty()).unwrap())
        };
        let (plain, compressed) = (ask("identity").await.unwrap(), ask("gzip, br").await.unwrap());
        assert!(!plain.headers().contains_key("content-encoding"));
        assert_eq!(compressed.headers()["content-encoding"], "gzip");
        assert_eq!(compressed.headers()["vary"], "accept-encoding");
    }

    #[tokio::test]
    async fn a_missing_file_is_not_answered_by_the_page() {
        assert_eq!(
            answer("/dashboard/assets/gone-1a2b.js").await.status(),
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            answer("/dashboard/../Cargo.toml").await.status(),
            StatusCode::NOT_FOUND
        );
    }

    #[tokio::test]
    async fn the_page_after_signing_in_runs_no_script_but_its_own_and_tells_nobody_its_address() {
        for path in ["/callback?code=secret&state=qwen.x", "/callback.js"] {
            let answer = answer(path).await;
            assert_eq!(answer.status(), StatusCode::OK);
            let headers = answer.headers();
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(
                policy.contains("script-src 'self'") && !policy.contains("unsafe"),
                "{policy}"
            );
            assert_eq!(headers["referrer-policy"], "no-referrer");
            assert_eq!(headers["cache-control"], "no-store");
        }
        assert!(!CALLBACK_PAGE.contains("onload") && !CALLBACK_PAGE.contains("<style"));
    }
}
