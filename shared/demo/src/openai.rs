//! OpenAI Chat Completions, as strict as the vendor.
//!
//! Fields, enums and event shapes are those of the vendor's Python SDK 3.57. Error messages are modelled on its
//! API's: status, type, code and param are what to rely on, not the words.

mod check;
mod content;
pub mod reply;

use crate::wire::{Frame, Reply};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use check::Refusal;
use serde_json::{Value, json};

pub fn answer(body: &Value, mut reply: Reply) -> Response {
    let question = match check::read(body, reply.behaviour.cached) {
        Ok(question) => question,
        Err(Refusal { message, param, code }) => {
            reply.exchange.finish();
            return refuse(400, &message, param.as_deref(), code);
        }
    };
    let answer = question.answer();
    let wanted = reply::Wanted {
        id: reply.id.clone(),
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        choices: body["n"].as_u64().unwrap_or(1),
        usage: !reply.behaviour.unmetered,
        usage_chunk: body["stream_options"]["include_usage"] == true && !reply.behaviour.unmetered,
    };
    let answer = wanted.price(answer);
    let stream = (body["stream"] == true || reply.behaviour.streamed) && !reply.behaviour.whole;
    if !stream {
        return reply.whole(&wanted.completion(&answer), &answer);
    }
    let failed = envelope(
        500,
        "The server had an error while processing your request",
        None,
        None,
    );
    reply.streamed(wanted.chunks(&answer), Frame::data(&failed, 0), &answer)
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
