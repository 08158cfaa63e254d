//! The provider's HTTP interface.

use crate::behaviour::Behaviour;
use crate::listen::Line;
use crate::received::{Exchange, Log, Received};
use crate::wire::{self, Reply};
use crate::{anthropic, openai};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

const MAX_BODY: usize = 64 << 20;
/// Keys that start so are refused, as revoked ones are; any other key will do.
const REVOKED: &str = "sk-revoked";

/// Whose API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    OpenAi,
    Anthropic,
}

#[derive(Debug)]
pub struct Provider {
    dialect: Dialect,
    log: Log,
    script: Mutex<VecDeque<Behaviour>>,
    answers: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Answer,
    ListModels,
}

// === impl Provider ===

impl Provider {
    /// One that can be asked what it received.
    pub fn remembering(dialect: Dialect) -> Self {
        Self {
            log: Log::remembering(),
            ..Self::forgetting(dialect)
        }
    }

    fn forgetting(dialect: Dialect) -> Self {
        Self {
            dialect,
            log: Log::default(),
            script: Mutex::default(),
            answers: AtomicU64::default(),
        }
    }

    pub fn script(&self, behaviour: Behaviour) {
        self.script.lock().push_back(behaviour);
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    fn behaviour(&self, model: &str) -> Behaviour {
        let scripted = self.script.lock().pop_front();
        scripted.unwrap_or_else(|| Behaviour::from_model(model))
    }

    async fn respond(&self, parts: Parts, raw: Bytes) -> Response {
        let body = serde_json::from_slice::<Value>(&raw);
        let well_formed = body.is_ok();
        let body = body.unwrap_or_default();
        let mut exchange = self.log.open(received(&parts, &body, raw));
        if let Err((status, message)) = self.admit(&parts.headers) {
            exchange.finish();
            return self.refuse(status, &message);
        }
        match (&parts.method, self.operation(parts.uri.path())) {
            (&Method::POST, Some(Operation::Answer)) if !well_formed => {
                exchange.finish();
                self.refuse(400, self.unreadable())
            }
            (&Method::POST, Some(Operation::Answer)) => self.answer(&body, exchange, &parts).await,
            (&Method::GET, Some(Operation::ListModels)) => {
                exchange.finish();
                axum::Json(self.models()).into_response()
            }
            (method, operation) => {
                exchange.finish();
                let status = if operation.is_some() { 405 } else { 404 };
                self.refuse(status, &format!("Invalid URL ({method} {})", parts.uri.path()))
            }
        }
    }

    async fn answer(&self, body: &Value, mut exchange: Exchange, parts: &Parts) -> Response {
        let behaviour = self.behaviour(body["model"].as_str().unwrap_or_default());
        if behaviour.hang {
            return std::future::pending().await;
        }
        if !behaviour.first_byte.is_zero() {
            tokio::time::sleep(behaviour.first_byte).await;
        }
        if let Some(status) = behaviour.html {
            exchange.finish();
            return wire::html(status);
        }
        if let Some(status) = behaviour.fail {
            exchange.finish();
            return self.fail(status, &behaviour);
        }
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        let reply = |prefix: &str| Reply {
            id: format!("{prefix}demo{number}"),
            exchange,
            behaviour,
            line: parts.extensions.get::<Line>().cloned(),
        };
        match self.dialect {
            Dialect::OpenAi => openai::answer(body, reply("chatcmpl-")),
            Dialect::Anthropic => anthropic::answer(body, &parts.headers, reply("msg_")),
        }
    }

    /// The key, and what else must stand in the head of a request; else a status and a message.
    fn admit(&self, headers: &HeaderMap) -> Result<(), (u16, String)> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let key = match self.dialect {
            Dialect::OpenAi => bearer,
            Dialect::Anthropic => text(HeaderName::from_static("x-api-key")).or(bearer),
        };
        match key {
            None | Some("") => return Err((401, self.no_key().to_owned())),
            Some(key) if key.starts_with(REVOKED) => return Err((401, self.wrong_key().to_owned())),
            Some(_) => {}
        }
        if self.dialect == Dialect::Anthropic {
            anthropic::check_version(headers).map_err(|message| (400, message))?;
        }
        Ok(())
    }

    fn operation(&self, path: &str) -> Option<Operation> {
        match (self.dialect, path) {
            (Dialect::OpenAi, "/v1/chat/completions") | (Dialect::Anthropic, "/v1/messages") => {
                Some(Operation::Answer)
            }
            (_, "/v1/models") => Some(Operation::ListModels),
            _ => None,
        }
    }

    fn models(&self) -> Value {
        match self.dialect {
            Dialect::OpenAi => openai::models(),
            Dialect::Anthropic => anthropic::models(),
        }
    }

    fn fail(&self, status: u16, behaviour: &Behaviour) -> Response {
        let mut response = match &behaviour.body {
            Some(body) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, [(header::CONTENT_TYPE, "application/json")], body.clone()).into_response()
            }
            None => self.refuse(status, &self.excuse(status)),
        };
        if let Some(seconds) = behaviour.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    fn excuse(&self, status: u16) -> String {
        match status {
            401 => self.wrong_key().to_owned(),
            429 => "Rate limit reached, as asked. Please try again later.".to_owned(),
            503 | 529 => "Overloaded, as asked.".to_owned(),
            _ => {
                let reason = StatusCode::from_u16(status)
                    .ok()
                    .and_then(|s| s.canonical_reason());
                format!("{}, as asked.", reason.unwrap_or("Failed"))
            }
        }
    }

    fn no_key(&self) -> &'static str {
        match self.dialect {
            Dialect::OpenAi => {
                "You didn't provide an API key. You need to provide your API key in an Authorization header using \
                 Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            }
            Dialect::Anthropic => "x-api-key header is required",
        }
    }

    fn wrong_key(&self) -> &'static str {
        match self.dialect {
            Dialect::OpenAi => "Incorrect API key provided.",
            Dialect::Anthropic => "invalid x-api-key",
        }
    }

    fn unreadable(&self) -> &'static str {
        match self.dialect {
            Dialect::OpenAi => {
                "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
                 HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
            }
            Dialect::Anthropic => "The request body is not valid JSON.",
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
    routes(Arc::new(Provider::forgetting(dialect)))
}

pub fn routes(provider: Arc<Provider>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .fallback(respond)
        .with_state(provider)
}

async fn respond(State(provider): State<Arc<Provider>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, MAX_BODY).await {
        Ok(raw) => provider.respond(parts, raw).await,
        Err(_) => provider.refuse(413, "Request exceeds the maximum size"),
    }
}

fn received(parts: &Parts, body: &Value, raw: Bytes) -> Received {
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Received {
        at: SystemTime::now(),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: headers.collect(),
        body: body.clone(),
        raw,
        dropped: false,
        answer: None,
        billed: None,
    }
}
