//! Anthropic Messages, as strict as the vendor.
//!
//! Fields and event shapes are those of the vendor's Python SDK 2.13 and of the API version of 2023 it grew from.
//! Error messages are modelled on its API's: status and type are what to rely on, not the words.

mod check;
mod content;
mod reply;

use crate::wire::{Frame, Reply};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub use check::check_version;

pub fn answer(body: &Value, headers: &HeaderMap, mut reply: Reply) -> Response {
    let question = match check::read(body, headers, reply.behaviour.cached) {
        Ok(question) => question,
        Err(message) => {
            reply.exchange.finish();
            return refuse(400, &message);
        }
    };
    let answer = question.answer();
    let wanted = reply::Wanted {
        id: reply.id.clone(),
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        usage: !reply.behaviour.unmetered,
    };
    let stream = (body["stream"] == true || reply.behaviour.streamed) && !reply.behaviour.whole;
    if !stream {
        return reply.whole(&wanted.message(&answer), &answer);
    }
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    reply.streamed(
        wanted.events(&answer),
        Frame::event("error", &overloaded, 0),
        &answer,
    )
}

/// An error in the vendor's envelope.
pub fn refuse(status: u16, message: &str) -> Response {
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

pub fn models() -> Value {
    json!({"data": [{"type": "model", "id": "demo", "display_name": "Demo", "created_at": "2026-01-01T00:00:00Z"}],
        "has_more": false, "first_id": "demo", "last_id": "demo"})
}
