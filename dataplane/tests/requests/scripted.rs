//! Upstreams that answer with exactly the bytes a test hands them, for what no simulator says.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

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

/// An upstream whose answers a test says piece by piece, each when it is its time. Stops when dropped.
pub struct Slow {
    url: String,
    asked: mpsc::UnboundedReceiver<Telling>,
    serving: JoinHandle<()>,
}

/// The answer to one request. What is dropped has come to its end.
pub struct Telling {
    pub body: Bytes,
    pieces: mpsc::Sender<io::Result<Bytes>>,
}

#[derive(Clone)]
struct SlowScript {
    media_type: &'static str,
    asked: mpsc::UnboundedSender<Telling>,
}

// === impl Slow ===

impl Slow {
    pub async fn start(media_type: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (sender, asked) = mpsc::unbounded_channel();
        let script = SlowScript {
            media_type,
            asked: sender,
        };
        let router = Router::new().fallback(tell).with_state(script);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, serving }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next request.
    pub async fn asked(&mut self) -> Telling {
        timeout(PATIENCE, self.asked.recv()).await.unwrap().unwrap()
    }

    pub fn was_asked(&mut self) -> bool {
        self.asked.try_recv().is_ok()
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

// === impl Telling ===

impl Telling {
    pub async fn say(&self, piece: &[u8]) {
        let sent = self.pieces.send(Ok(Bytes::copy_from_slice(piece)));
        timeout(PATIENCE, sent).await.unwrap().unwrap();
    }

    /// Breaks the connection off.
    pub async fn cut(self) {
        let cut = io::Error::new(io::ErrorKind::ConnectionReset, "cut by the test");
        timeout(PATIENCE, self.pieces.send(Err(cut)))
            .await
            .unwrap()
            .unwrap();
        timeout(PATIENCE, self.pieces.closed()).await.unwrap();
    }

    /// Goes on until nobody listens any more.
    pub async fn until_nobody_listens(&self, piece: &[u8]) {
        let talking = async { while self.pieces.send(Ok(Bytes::copy_from_slice(piece))).await.is_ok() {} };
        timeout(PATIENCE, talking).await.unwrap();
    }
}

async fn tell(State(script): State<SlowScript>, body: Bytes) -> Response {
    let (pieces, told) = mpsc::channel(1);
    script.asked.send(Telling { body, pieces }).unwrap();
    let told = stream::unfold(told, async |mut told| Some((told.recv().await?, told)));
    ([(CONTENT_TYPE, script.media_type)], Body::from_stream(told)).into_response()
}
