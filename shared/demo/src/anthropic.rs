//! Anthropic Messages, as strict as the vendor.
//!
//! Fields and event shapes are those of the vendor's Python SDK 2.13 and of the API version of 2023 it grew from.
//! Error messages are modelled on its API's: status and type are what to rely on, not the words.

mod check;
mod content;
mod reply;

use crate::dialect::{Address, Ask, Key, Operation, Vendor};
use crate::wire::{Frame, Framing, Reply};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

const WRONG_KEY: &str = "invalid x-api-key";

pub struct Anthropic;

// === impl Anthropic ===

impl Vendor for Anthropic {
    fn operation(&self, path: &str, _query: &str) -> Option<Operation> {
        match path {
            "/v1/messages" => Some(Operation::Answer(Address::default())),
            "/v1/messages/count_tokens" => Some(Operation::CountTokens(Address::default())),
            "/v1/models" => Some(Operation::Tell(Method::GET, models())),
            _ => None,
        }
    }

    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        match Key::read(&parts.headers, Some("x-api-key")) {
            Key::Good => {}
            Key::None => return Some(refuse(401, "x-api-key header is required")),
            Key::Revoked => return Some(refuse(401, WRONG_KEY)),
        }
        let version = check::check_version(&parts.headers);
        version.err().map(|message| refuse(400, &message))
    }

    fn answer(&self, ask: Ask<'_>, mut reply: Reply) -> Response {
        let Ask { body, headers, .. } = ask;
        let question = match check::read(body, headers, reply.behaviour.cached) {
            Ok(question) => question,
            Err(message) => {
                reply.exchange.finish();
                return refuse(400, &message);
            }
        };
        let answer = question.answer();
        reply.id.insert_str(0, "msg_");
        let wanted = reply::Wanted {
            id: reply.id.clone(),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            usage: !reply.behaviour.unmetered,
        };
        if !reply.streams(body["stream"] == true) {
            return reply.whole(&wanted.message(&answer), &answer);
        }
        let overloaded =
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        let failed = Frame::event("error", &overloaded, 0);
        reply.streamed(Framing::Events, wanted.events(&answer), failed, &answer)
    }

    /// Takes what a question takes, but none of what shapes the answer.
    fn count_tokens(&self, ask: Ask<'_>) -> Response {
        let mut body = ask.body.clone();
        for field in ["max_tokens", "stream", "metadata", "stop_sequences"] {
            if body.get(field).is_some() {
                return refuse(400, &format!("{field}: Extra inputs are not permitted"));
            }
        }
        if let Some(fields) = body.as_object_mut() {
            fields.insert("max_tokens".into(), json!(i64::MAX));
        }
        match check::read(&body, ask.headers, false) {
            Ok(question) => axum::Json(json!({"input_tokens": question.input()})).into_response(),
            Err(message) => refuse(400, &message),
        }
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        refuse(status, message)
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }
}

/// An error in the vendor's envelope.
fn refuse(status: u16, message: &str) -> Response {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    let body =
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_demo"});
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(body)).into_response()
}

fn models() -> Value {
    json!({"data": [{"type": "model", "id": "demo", "display_name": "Demo", "created_at": "2026-01-01T00:00:00Z"}],
        "has_more": false, "first_id": "demo", "last_id": "demo"})
}
