//! Ollama's chat, as strict as the vendor: what its Go types cannot hold is refused, an unknown name is not.
//!
//! Fields and shapes are those of the vendor's Python SDK 0.6 and of its API reference. Error messages are modelled
//! on its server's: the status and that there is an `error` are what to rely on, not the words.

mod check;
mod reply;

use crate::dialect::{Address, Ask, Key, Operation, Vendor};
use crate::wire::{Frame, Framing, Reply};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

const WRONG_KEY: &str = "unauthorized";

pub struct Ollama;

// === impl Ollama ===

impl Vendor for Ollama {
    fn base(&self) -> &'static str {
        ""
    }

    fn operation(&self, path: &str, _query: &str) -> Option<Operation> {
        match path {
            "/api/chat" => Some(Operation::Answer(Address::default())),
            "/api/tags" => Some(Operation::Tell(Method::GET, json!({"models": [model()]}))),
            "/api/show" => Some(Operation::Tell(Method::POST, description())),
            "/api/version" => Some(Operation::Tell(Method::GET, json!({"version": "0.13.0"}))),
            _ => None,
        }
    }

    /// A server of one's own asks for no key; the vendor's cloud does.
    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        match Key::read(&parts.headers, None) {
            Key::Good | Key::None => None,
            Key::Revoked => Some(self.refuse(401, WRONG_KEY)),
        }
    }

    fn answer(&self, Ask { body, .. }: Ask<'_>, mut reply: Reply) -> Response {
        let question = match check::read(body, reply.behaviour.cached) {
            Ok(question) => question,
            Err(message) => {
                reply.exchange.finish();
                return self.refuse(400, &message);
            }
        };
        let answer = question.answer();
        let wanted = reply::Wanted {
            id: reply.id.clone(),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            usage: !reply.behaviour.unmetered,
        };
        if !reply.streams(body["stream"] != false) {
            return reply.whole(&wanted.message(&answer), &answer);
        }
        let failed = json!({"error": "model runner has unexpectedly stopped"});
        let frames = wanted.lines(&answer);
        reply.streamed(Framing::Lines, frames, Frame::data(&failed, 0), &answer)
    }

    /// The vendor has no such operation.
    fn count_tokens(&self, _ask: Ask<'_>) -> Response {
        self.refuse(404, "404 page not found")
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(json!({"error": message}))).into_response()
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }

    fn unreadable(&self) -> &'static str {
        "invalid character in the JSON of the request body"
    }
}

fn model() -> Value {
    json!({
        "name": "demo:latest", "model": "demo:latest", "modified_at": "2026-01-01T00:00:00Z", "size": 1,
        "digest": "0000000000000000000000000000000000000000000000000000000000000000", "details": details(),
    })
}

fn description() -> Value {
    json!({
        "license": "", "modelfile": "FROM demo", "parameters": "", "template": "{{ .Prompt }}", "details": details(),
        "model_info": {"general.architecture": "demo", "demo.context_length": 131_072},
        "capabilities": ["completion", "tools", "thinking", "vision"], "modified_at": "2026-01-01T00:00:00Z",
    })
}

fn details() -> Value {
    json!({
        "parent_model": "", "format": "gguf", "family": "demo", "families": ["demo"], "parameter_size": "1B",
        "quantization_level": "Q4_K_M",
    })
}
