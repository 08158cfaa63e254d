//! An upstream that answers with exactly the bytes a test hands it, for what no simulator says.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Listens on a port of its own; stops when dropped.
pub struct Upstream {
    url: String,
    script: Arc<Script>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<(&'static str, String)>>,
    received: Mutex<Vec<Value>>,
}

// === impl Upstream ===

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let script = Arc::<Script>::default();
        let router = Router::new().fallback(answer).with_state(script.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, script, serving }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the next request without an answer yet gets.
    pub fn says(&self, body: &Value) {
        self.queue("application/json", body.to_string());
    }

    /// The same as server-sent events; one with a `type` carries it as its name.
    pub fn streams(&self, events: &[Value]) {
        let frame = |event: &Value| match event["type"].as_str() {
            Some(name) => format!("event: {name}\ndata: {event}\n\n"),
            None => format!("data: {event}\n\n"),
        };
        self.queue("text/event-stream", events.iter().map(frame).collect());
    }

    /// The body of the newest request.
    pub fn received(&self) -> Value {
        self.script.received.lock().last().unwrap().clone()
    }

    fn queue(&self, kind: &'static str, body: String) {
        self.script.answers.lock().push_back((kind, body));
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(script): State<Arc<Script>>, body: Bytes) -> Response {
    script
        .received
        .lock()
        .push(serde_json::from_slice(&body).unwrap());
    let (kind, body) = script.answers.lock().pop_front().unwrap();
    ([(CONTENT_TYPE, kind)], body).into_response()
}
