//! OpenAI Responses, as strict as the vendor.
//!
//! Fields, items and events are those of the vendor's Python SDK 3.57. Error messages are modelled on its API's:
//! status, type, code and param are what to rely on, not the words. Nothing is stored: an item that is only
//! referred to is not found.

mod check;
mod input;
mod reply;

use crate::dialect::{Address, Ask, Operation, Vendor};
use crate::openai::check::Refusal;
use crate::openai::{self, FAILED, UNREADABLE, WRONG_KEY};
use crate::wire::{Frame, Framing, Reply};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub struct Responses;

// === impl Responses ===

impl Vendor for Responses {
    fn operation(&self, path: &str, _query: &str) -> Option<Operation> {
        match path {
            "/v1/responses" => Some(Operation::Answer(Address::default())),
            "/v1/responses/input_tokens" => Some(Operation::CountTokens(Address::default())),
            "/v1/models" => Some(Operation::Tell(Method::GET, openai::models())),
            _ => None,
        }
    }

    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        openai::turn_away(&parts.headers)
    }

    fn answer(&self, Ask { body, .. }: Ask<'_>, mut reply: Reply) -> Response {
        let question = match check::read(body, reply.behaviour.cached) {
            Ok(question) => question,
            Err(refusal) => {
                reply.exchange.finish();
                return refused(&refusal);
            }
        };
        let answer = question.answer();
        reply.id.insert_str(0, "resp_");
        let wanted = reply::Wanted::new(reply.id.clone(), body, !reply.behaviour.unmetered);
        if !reply.streams(body["stream"] == true) {
            return reply.whole(&wanted.response(&answer), &answer);
        }
        let failed = json!({
            "type": "error", "code": "server_error", "message": FAILED, "param": null,
            "sequence_number": reply.behaviour.error_after,
        });
        let failed = Frame::event("error", &failed, 0);
        reply.streamed(Framing::Events, wanted.events(&answer), failed, &answer)
    }

    fn count_tokens(&self, Ask { body, .. }: Ask<'_>) -> Response {
        match check::read(body, false) {
            Ok(question) => {
                let counted = json!({"object": "response.input_tokens", "input_tokens": question.input()});
                axum::Json(counted).into_response()
            }
            Err(refusal) => refused(&refusal),
        }
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        openai::refuse(status, message, None, None)
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }

    fn unreadable(&self) -> &'static str {
        UNREADABLE
    }
}

/// An item that the vendor does not have is a wrong question of another kind.
fn refused(refusal: &Refusal) -> Response {
    let status = if refusal.message.starts_with("Item with id") {
        404
    } else {
        400
    };
    openai::refuse(
        status,
        &refusal.message,
        refusal.param.as_deref(),
        refusal.code.or(Some("invalid_request")),
    )
}
