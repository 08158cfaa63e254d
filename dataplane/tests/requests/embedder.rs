//! An embedding model whose vectors a test puts where it wants them.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, response::IntoResponse, response::Response};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Texts, without case and signs at their ends, and where they lie, in degrees.
type Places = &'static [(&'static str, f32)];

pub struct Embedder {
    address: SocketAddr,
    model: Arc<Model>,
    serving: JoinHandle<()>,
}

struct Model {
    places: Places,
    behaviour: Mutex<Behaviour>,
    asked: Mutex<Vec<Value>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Behaviour {
    delay: Duration,
    fails: bool,
}

// === impl Embedder ===

impl Embedder {
    pub async fn start(places: Places) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let model = Arc::new(Model {
            places,
            behaviour: Mutex::default(),
            asked: Mutex::default(),
        });
        let router = Router::new()
            .route("/v1/embeddings", post(embed))
            .with_state(model.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            model,
            serving,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What is asked from now on is answered so much later.
    pub fn delay(&self, delay: Duration) {
        self.model.behaviour.lock().delay = delay;
    }

    pub fn fail(&self, fails: bool) {
        self.model.behaviour.lock().fails = fails;
    }

    /// Every `body` and its `authorization`, the oldest first.
    pub fn asked(&self) -> Vec<Value> {
        self.model.asked.lock().clone()
    }

    pub async fn close(self) {
        self.serving.abort();
        self.serving.await.unwrap_err();
    }
}

async fn embed(State(model): State<Arc<Model>>, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap());
    let asked = json!({"authorization": authorization, "body": body});
    model.asked.lock().push(asked);
    let Behaviour { delay, fails } = *model.behaviour.lock();
    tokio::time::sleep(delay).await;
    if fails {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let text = body["input"].as_str().unwrap().to_lowercase();
    let text = text.trim_end_matches(|char: char| !char.is_alphanumeric());
    let place = model.places.iter().find(|(place, _)| *place == text);
    let (sin, cos) = place
        .unwrap_or_else(|| panic!("nobody said where this lies: {text}"))
        .1
        .to_radians()
        .sin_cos();
    Json(json!({
        "object": "list", "model": body["model"],
        "data": [{"object": "embedding", "index": 0, "embedding": [3.0 * cos, 3.0 * sin]}],
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }))
    .into_response()
}
