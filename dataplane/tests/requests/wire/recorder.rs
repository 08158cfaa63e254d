//! A proxy that passes nothing on: it remembers what it was asked for, and refuses it in words that end the search for
//! an answer.

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// In full, as proxies are told it.
    pub url: String,
    pub headers: BTreeMap<String, String>,
    /// Of a JSON object, or the fields of a form.
    pub keys: Vec<String>,
    pub model: Option<String>,
}

pub struct Recorder {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    serving: JoinHandle<()>,
}

// === impl Recorder ===

impl Recorder {
    pub async fn start() -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(seen.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            seen,
            serving,
        }
    }

    /// What came since it was last asked.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

// === impl Seen ===

impl Seen {
    fn of(parts: &axum::http::request::Parts, body: &Bytes) -> Self {
        let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: BTreeMap<String, String> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect();
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let form = String::from_utf8_lossy(body);
        let fields = form
            .split("; name=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let keys = match json.as_ref().and_then(Value::as_object) {
            Some(object) => object.keys().cloned().collect(),
            None => fields.map(str::to_owned).collect(),
        };
        let in_form = || {
            let (_, rest) = form.split_once("; name=\"model\"")?;
            rest.trim_start().lines().next().map(str::to_owned)
        };
        let model = json
            .as_ref()
            .and_then(|json| json["model"].as_str().map(str::to_owned));
        Self {
            method: parts.method.to_string(),
            url: parts.uri.to_string(),
            headers,
            keys,
            model: model.or_else(in_form),
        }
    }
}

async fn answer(State(seen): State<Arc<Mutex<Vec<Seen>>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let asks_for_token = parts.uri.path() == "/token";
    seen.lock().push(Seen::of(&parts, &body));
    if asks_for_token {
        return axum::Json(json!({ "access_token": "ya29.token", "expires_in": 3600 })).into_response();
    }
    let refusal = json!({ "error": { "message": "recorded", "type": "invalid_request_error" } });
    (
        StatusCode::BAD_REQUEST,
        [(header::CONTENT_TYPE, "application/json")],
        refusal.to_string(),
    )
        .into_response()
}
