//! Gemini, as strict as the vendor.
//!
//! Fields and shapes are those of the vendor's Python SDK 3.6 and of its API reference: the API reads JSON as
//! protocol buffers, so names may be in camel or in snake case and an unknown one is refused wherever it stands.
//! Error messages are modelled on its API's: code, status and details are what to rely on, not the words.

mod check;
mod contents;
mod media;
mod proto;
mod reply;
mod schema;

use crate::dialect::{Address, Ask, Key, Operation, Vendor};
use crate::media::told;
use crate::wire::{Frame, Framing, Reply};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

const NO_KEY: &str = "Method doesn't allow unregistered callers (callers without established identity). Please use API \
                      Key or other form of API consumer identity to call this API.";
const WRONG_KEY: &str = "API key not valid. Please pass a valid API key.";

pub struct Gemini;

// === impl Gemini ===

impl Vendor for Gemini {
    fn base(&self) -> &'static str {
        "/v1beta"
    }

    fn operation(&self, path: &str, query: &str) -> Option<Operation> {
        let path = path
            .strip_prefix("/v1beta/models")
            .or_else(|| path.strip_prefix("/v1/models"))?;
        if path.is_empty() {
            return Some(Operation::Tell(Method::GET, json!({"models": [model("demo")]})));
        }
        let name = path.strip_prefix('/')?;
        let Some((name, method)) = name.rsplit_once(':') else {
            return Some(Operation::Tell(Method::GET, model(name)));
        };
        let address = |stream| Address {
            model: Some(name.to_owned()),
            stream,
        };
        let framing = if query.split('&').any(|pair| pair == "alt=sse") {
            Framing::Events
        } else {
            Framing::Array
        };
        match method {
            "generateContent" => Some(Operation::Answer(address(None))),
            "streamGenerateContent" => Some(Operation::Answer(address(Some(framing)))),
            "batchEmbedContents" => Some(Operation::Answer(address(None))),
            "countTokens" => Some(Operation::CountTokens(address(None))),
            _ => None,
        }
    }

    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        let query = parts.uri.query().unwrap_or_default();
        let in_query = query.split('&').find_map(|pair| pair.strip_prefix("key="));
        let key = in_query.map_or_else(|| Key::read(&parts.headers, Some("x-goog-api-key")), Key::of);
        match key {
            Key::Good => None,
            Key::None => Some(refuse(403, NO_KEY, None)),
            Key::Revoked => Some(self.refuse(401, WRONG_KEY)),
        }
    }

    fn answer(&self, ask: Ask<'_>, mut reply: Reply) -> Response {
        let model = ask.address.model.as_deref().unwrap_or_default();
        if ask.path.ends_with(":batchEmbedContents") {
            let embedded = media::embeddings(ask.body, model).map(|told| axum::Json(told).into_response());
            return told(reply, embedded.map_err(|message| invalid(&message)));
        }
        let (question, shown) = match check::read(ask.body, model, reply.behaviour.cached) {
            Ok(read) => read,
            Err(message) => {
                reply.exchange.finish();
                return invalid(&message);
            }
        };
        if media::draws(ask.body) {
            let drawn = media::picture(question.input());
            return told(reply, Ok(axum::Json(drawn).into_response()));
        }
        let answer = question.answer();
        let wanted = reply::Wanted {
            id: reply.id.clone(),
            model: model.to_owned(),
            usage: !reply.behaviour.unmetered,
            thoughts: shown,
        };
        if !reply.streams(ask.address.stream.is_some()) {
            return reply.whole(&wanted.response(&answer), &answer);
        }
        let failed = envelope(503, "The model is overloaded. Please try again later.", None);
        let framing = ask.address.stream.unwrap_or(Framing::Events);
        reply.streamed(framing, wanted.chunks(&answer), Frame::data(&failed, 0), &answer)
    }

    fn count_tokens(&self, ask: Ask<'_>) -> Response {
        let model = ask.address.model.as_deref().unwrap_or_default();
        match check::read_count(ask.body, model) {
            Ok(question) => {
                let tokens = question.input();
                let details = json!([{"modality": "TEXT", "tokenCount": tokens}]);
                axum::Json(json!({"totalTokens": tokens, "promptTokensDetails": details})).into_response()
            }
            Err(message) => invalid(&message),
        }
    }

    /// A wrong key is a wrong argument to this vendor.
    fn refuse(&self, status: u16, message: &str) -> Response {
        if message == WRONG_KEY {
            let info = json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"},
            });
            return refuse(400, message, Some(info));
        }
        refuse(status, message, None)
    }

    fn fail(&self, status: u16, message: &str, retry_after: Option<u64>) -> Response {
        let Some(seconds) = retry_after else {
            return self.refuse(status, message);
        };
        let info = json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s"),
        });
        refuse(status, message, Some(info))
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }

    fn unreadable(&self) -> &'static str {
        "Invalid JSON payload received. Expected an object key or }."
    }
}

fn refuse(status: u16, message: &str, detail: Option<Value>) -> Response {
    let body = envelope(status, message, detail);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(body)).into_response()
}

/// A wrong argument; of one that could not be read, with the place where it stands.
fn invalid(message: &str) -> Response {
    let place = message
        .split('\'')
        .nth(1)
        .filter(|_| message.starts_with("Invalid"));
    let detail = place.map(|field| {
        json!({"@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": field, "description": message}]})
    });
    refuse(400, message, detail)
}

fn envelope(code: u16, message: &str, detail: Option<Value>) -> Value {
    let status = match code {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500..=599 => "INTERNAL",
        _ => "FAILED_PRECONDITION",
    };
    let mut error = json!({"code": code, "message": message, "status": status});
    if let Some(detail) = detail {
        error["details"] = json!([detail]);
    }
    json!({"error": error})
}

fn model(name: &str) -> Value {
    json!({
        "name": format!("models/{name}"), "version": "001", "displayName": "Demo", "description": "Costs nothing",
        "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536, "thinking": true,
        "supportedGenerationMethods": ["generateContent", "countTokens"], "temperature": 1, "maxTemperature": 2,
        "topP": 0.95, "topK": 64,
    })
}
