//! OpenAI Chat Completions, as strict as the vendor.
//!
//! Fields, enums and event shapes are those of the vendor's Python SDK 3.57. Error messages are modelled on its
//! API's: status, type, code and param are what to rely on, not the words.

pub mod check;
mod completions;
mod content;
pub mod reply;
mod service_events;
mod services;

use crate::dialect::{Address, Ask, Key, Operation, Vendor};
use crate::wire::{Frame, Framing, Reply};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use check::Refusal;
use serde_json::{Value, json};
use services::Service;

pub const NO_KEY: &str = "You didn't provide an API key. You need to provide your API key in an Authorization header \
                          using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
pub const FAILED: &str = "The server had an error while processing your request";
pub const WRONG_KEY: &str = "Incorrect API key provided.";
pub const UNREADABLE: &str = "We could not parse the JSON body of your request. (HINT: This likely means you aren't \
                              using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was \
                              sent was not valid JSON.)";

pub struct OpenAi;

// === impl OpenAi ===

impl Vendor for OpenAi {
    fn operation(&self, path: &str, _query: &str) -> Option<Operation> {
        match path {
            "/v1/chat/completions" => Some(Operation::Answer(Address::default())),
            "/v1/models" => Some(Operation::Tell(Method::GET, models())),
            _ => Service::at(path).map(|_| Operation::Answer(Address::default())),
        }
    }

    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        turn_away(&parts.headers)
    }

    fn answer(&self, Ask { body, path, .. }: Ask<'_>, mut reply: Reply) -> Response {
        if let Some(service) = Service::at(path) {
            return service.answer(body, reply);
        }
        let question = match check::read(body, reply.behaviour.cached) {
            Ok(question) => question,
            Err(refusal) => {
                reply.exchange.finish();
                return refusal.response();
            }
        };
        let answer = question.answer();
        reply.id.insert_str(0, "chatcmpl-");
        let wanted = reply::Wanted {
            id: reply.id.clone(),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            choices: body["n"].as_u64().unwrap_or(1),
            usage: !reply.behaviour.unmetered,
            usage_chunk: body["stream_options"]["include_usage"] == true && !reply.behaviour.unmetered,
        };
        let answer = wanted.price(answer);
        if !reply.streams(body["stream"] == true) {
            return reply.whole(&wanted.completion(&answer), &answer);
        }
        let failed = envelope(500, FAILED, None, None);
        let frames = wanted.chunks(&answer);
        reply.streamed(Framing::Events, frames, Frame::data(&failed, 0), &answer)
    }

    /// Chat completions have no such operation.
    fn count_tokens(&self, _ask: Ask<'_>) -> Response {
        self.refuse(404, "Invalid URL")
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        refuse(status, message, None, None)
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }

    fn unreadable(&self) -> &'static str {
        UNREADABLE
    }
}

// === impl Refusal ===

impl Refusal {
    pub fn response(&self) -> Response {
        refuse(400, &self.message, self.param.as_deref(), self.code)
    }
}

pub fn turn_away(headers: &HeaderMap) -> Option<Response> {
    match Key::read(headers, None) {
        Key::Good => None,
        Key::None => Some(refuse(401, NO_KEY, None, None)),
        Key::Revoked => Some(refuse(401, WRONG_KEY, None, None)),
    }
}

/// An error in the vendor's envelope.
pub fn refuse(status: u16, message: &str, param: Option<&str>, code: Option<&str>) -> Response {
    let code_of_status = match status {
        401 if !message.starts_with("You didn't") => Some("invalid_api_key"),
        404 if message.starts_with("Invalid URL") => Some("unknown_url"),
        404 => Some("model_not_found"),
        429 => Some("rate_limit_exceeded"),
        _ => None,
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = envelope(status.as_u16(), message, param, code.or(code_of_status));
    (status, axum::Json(body)).into_response()
}

pub fn models() -> Value {
    json!({"object": "list", "data": [{"id": "demo", "object": "model", "created": 1_700_000_000, "owned_by": "omniroute"}]})
}

fn envelope(status: u16, message: &str, param: Option<&str>, code: Option<&str>) -> Value {
    let kind = match status {
        429 => "requests",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}
