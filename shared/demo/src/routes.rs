//! The provider's HTTP interface.

use crate::behaviour::Behaviour;
use crate::dialect::{Address, Ask, Dialect, Operation};
use crate::form;
use crate::listen::Line;
use crate::received::{Exchange, Log, Received};
use crate::wire::{self, Reply};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

const MAX_BODY: usize = 128 << 20;
#[derive(Debug)]
pub struct Provider {
    dialect: Dialect,
    log: Log,
    script: Mutex<VecDeque<Behaviour>>,
    answers: AtomicU64,
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

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    fn behaviour(&self, model: &str) -> Behaviour {
        let scripted = self.script.lock().pop_front();
        scripted.unwrap_or_else(|| Behaviour::from_model(model))
    }

    async fn respond(&self, parts: Parts, raw: Bytes) -> Response {
        let body = match form::boundary(&parts) {
            Some(boundary) => form::read(boundary, raw.clone()).await,
            None => form::file(&parts, &raw).or_else(|| serde_json::from_slice::<Value>(&raw).ok()),
        };
        let well_formed = body.is_some();
        let body = body.unwrap_or_default();
        let mut exchange = self.log.open(received(&parts, &body, raw.clone()));
        let vendor = self.dialect.vendor();
        if let Some(answer) = vendor.beside(&parts, &raw) {
            exchange.finish();
            return answer;
        }
        let unsigned = || vendor.turn_away_unsigned(&parts, &raw);
        if let Some(refusal) = vendor.turn_away(&parts).or_else(unsigned) {
            exchange.finish();
            return refusal;
        }
        let path = parts.uri.path();
        let operation = vendor.operation(path, parts.uri.query().unwrap_or_default());
        match (&parts.method, operation) {
            (&Method::POST, Some(Operation::Answer(_) | Operation::CountTokens(_))) if !well_formed => {
                exchange.finish();
                vendor.refuse(400, vendor.unreadable())
            }
            (&Method::POST, Some(Operation::Answer(address))) => {
                self.answer(&body, exchange, &parts, &address).await
            }
            (&Method::POST, Some(Operation::CountTokens(address))) => {
                exchange.finish();
                vendor.count_tokens(Ask {
                    path,
                    body: &body,
                    headers: &parts.headers,
                    address: &address,
                })
            }
            (asked, Some(Operation::Tell(method, what))) if *asked == method => {
                exchange.finish();
                axum::Json(what).into_response()
            }
            (method, operation) => {
                exchange.finish();
                let status = if operation.is_some() { 405 } else { 404 };
                vendor.refuse(status, &format!("Invalid URL ({method} {path})"))
            }
        }
    }

    async fn answer(
        &self,
        body: &Value,
        mut exchange: Exchange,
        parts: &Parts,
        address: &Address,
    ) -> Response {
        // as most vendors call it, and as some do
        let named = [&body["model"], &body["model_name"]]
            .into_iter()
            .find_map(Value::as_str);
        let model = address.model.as_deref().or(named);
        let behaviour = self.behaviour(model.unwrap_or_default());
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
        let reply = Reply {
            id: format!("demo{number}"),
            exchange,
            behaviour,
            line: parts.extensions.get::<Line>().cloned(),
        };
        let ask = Ask {
            path: parts.uri.path(),
            body,
            headers: &parts.headers,
            address,
        };
        self.dialect.vendor().answer(ask, reply)
    }

    fn fail(&self, status: u16, behaviour: &Behaviour) -> Response {
        let mut response = match &behaviour.body {
            Some(body) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, [(header::CONTENT_TYPE, "application/json")], body.clone()).into_response()
            }
            None => {
                let vendor = self.dialect.vendor();
                vendor.fail(status, &self.excuse(status), behaviour.retry_after)
            }
        };
        if let Some(seconds) = behaviour.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    fn excuse(&self, status: u16) -> String {
        match status {
            401 => self.dialect.vendor().wrong_key().to_owned(),
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
        Err(_) => provider
            .dialect
            .vendor()
            .refuse(413, "Request exceeds the maximum size"),
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
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: body.clone(),
        raw,
        dropped: false,
        answer: None,
        billed: None,
    }
}
