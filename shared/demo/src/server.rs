//! The provider as an HTTP server.

use crate::behaviour::Behaviour;
use crate::received::Received;
use crate::wire::{self, Entry};
use crate::{anthropic, openai};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const MAX_BODY: usize = 64 << 20;

/// Whose API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    OpenAi,
    Anthropic,
}

/// A running provider on a port of its own; stops when dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    dialect: Dialect,
    log: Arc<Mutex<Vec<Received>>>,
    script: Mutex<VecDeque<Behaviour>>,
    /// A demo forgets: its memory would grow for ever.
    remembers: bool,
}

// === impl Simulator ===

impl Simulator {
    pub async fn openai() -> Self {
        Self::start(Dialect::OpenAi).await
    }

    pub async fn anthropic() -> Self {
        Self::start(Dialect::Anthropic).await
    }

    pub async fn start(dialect: Dialect) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::new(dialect, true));
        let router = routes(shared.clone());
        let serving = tokio::spawn(async move {
            // ends with the task; an error here means the listener is gone, and so is the test
            let _ = axum::serve(listener, router).await;
        });
        Self {
            address,
            shared,
            serving,
        }
    }

    /// What a client is given as the base address.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Queues what happens to the next request; before this the name of the model decides.
    pub fn script(&self, behaviour: Behaviour) {
        self.shared.script.lock().push_back(behaviour);
    }

    /// Everything received so far, oldest first.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.log.lock().clone()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

// === impl Shared ===

impl Shared {
    fn new(dialect: Dialect, remembers: bool) -> Self {
        Self {
            dialect,
            log: Arc::default(),
            script: Mutex::default(),
            remembers,
        }
    }

    fn enter(&self, received: Received) -> Entry {
        let mut log = self.log.lock();
        if !self.remembers {
            return Entry {
                log: self.log.clone(),
                index: usize::MAX,
            };
        }
        log.push(received);
        Entry {
            log: self.log.clone(),
            index: log.len() - 1,
        }
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        match self.dialect {
            Dialect::OpenAi => openai::refuse(status, message, None, None),
            Dialect::Anthropic => anthropic::refuse(status, message),
        }
    }
}

/// The demo provider, to be served by somebody else.
pub fn router(dialect: Dialect) -> Router {
    routes(Arc::new(Shared::new(dialect, false)))
}

fn routes(shared: Arc<Shared>) -> Router {
    let router = match shared.dialect {
        Dialect::OpenAi => Router::new().route("/v1/chat/completions", post(chat)),
        Dialect::Anthropic => Router::new().route("/v1/messages", post(chat)),
    };
    router
        .route("/v1/models", get(models))
        .route("/healthz", get(async || "ok"))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

async fn models(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if !has_key(shared.dialect, &headers) {
        return shared.refuse(401, "You didn't provide an API key.");
    }
    axum::Json(match shared.dialect {
        Dialect::OpenAi => openai::models(),
        Dialect::Anthropic => anthropic::models(),
    })
    .into_response()
}

async fn chat(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let raw = match axum::body::to_bytes(body, MAX_BODY).await {
        Ok(raw) => raw,
        Err(_) => return shared.refuse(413, "Request too large."),
    };
    let body: Value = serde_json::from_slice(&raw).unwrap_or_default();
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let behaviour = shared
        .script
        .lock()
        .pop_front()
        .unwrap_or_else(|| Behaviour::from_model(&model));
    let entry = shared.enter(received(&parts.headers, parts.uri.path(), &body, raw));

    if !has_key(shared.dialect, &parts.headers) {
        return shared.refuse(401, "You didn't provide an API key.");
    }
    if shared.dialect == Dialect::Anthropic && !parts.headers.contains_key("anthropic-version") {
        return shared.refuse(400, "anthropic-version: header is required");
    }
    if behaviour.hang {
        return std::future::pending().await;
    }
    if !behaviour.first_byte.is_zero() {
        tokio::time::sleep(behaviour.first_byte).await;
    }
    if let Some(status) = behaviour.html {
        return wire::html(status);
    }
    if let Some(status) = behaviour.fail {
        return failed(&shared, status, behaviour.retry_after);
    }
    match shared.dialect {
        Dialect::OpenAi => openai::answer(&body, entry, &behaviour),
        Dialect::Anthropic => anthropic::answer(&body, entry, &behaviour),
    }
}

fn failed(shared: &Shared, status: u16, retry_after: Option<u64>) -> Response {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason())
        .unwrap_or("Overloaded");
    let mut response = shared.refuse(status, &format!("{reason}, as asked"));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Any key will do; none will not.
fn has_key(dialect: Dialect, headers: &HeaderMap) -> bool {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = bearer.is_some_and(|value| value.len() > "Bearer ".len());
    bearer || (dialect == Dialect::Anthropic && headers.contains_key("x-api-key"))
}

fn received(headers: &HeaderMap, path: &str, body: &Value, raw: Bytes) -> Received {
    let headers = headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect::<BTreeMap<_, _>>();
    Received {
        path: path.to_owned(),
        headers,
        body: body.clone(),
        raw,
        dropped: false,
        billed: None,
    }
}
