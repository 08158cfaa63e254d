//! Amazon Bedrock's Converse and ConverseStream, as strict as the service.
//!
//! Fields and shapes are those of the service model `bedrock-runtime/2023-09-30`; what it does not say is taken from the
//! service's own refusals. Error messages are modelled on them: status and type are what to rely on, not the words.

mod check;
mod conversation;
pub(crate) mod message;
mod reply;
mod signature;

pub use signature::{ACCESS_KEY, TEMPORARY_ACCESS_KEY};

use crate::dialect::{Address, Ask, Key, Operation, Vendor};
use crate::wire::{Frame, Framing, Reply};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::json;

const WRONG_KEY: &str = "The security token included in the request is invalid.";
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

pub struct Bedrock;

// === impl Bedrock ===

impl Vendor for Bedrock {
    fn base(&self) -> &'static str {
        ""
    }

    /// A model's id is one segment of the path, so that the slashes in it come escaped.
    fn operation(&self, path: &str, _query: &str) -> Option<Operation> {
        let (model, operation) = path.strip_prefix("/model/")?.split_once('/')?;
        let model = percent_decode_str(model).decode_utf8().ok()?.into_owned();
        let stream = match operation {
            "converse" => None,
            "converse-stream" => Some(Framing::Messages),
            _ => return None,
        };
        Some(Operation::Answer(Address {
            model: Some(model),
            stream,
        }))
    }

    /// A key is a bearer; a signature can only be told from the body, too.
    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        let authorization = parts.headers.get(header::AUTHORIZATION);
        if authorization.is_some_and(|value| value.as_bytes().starts_with(signature::ALGORITHM.as_bytes())) {
            return None;
        }
        match Key::read(&parts.headers, None) {
            Key::Good => None,
            Key::None => Some(refuse(
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            )),
            Key::Revoked => Some(self.refuse(403, WRONG_KEY)),
        }
    }

    fn turn_away_unsigned(&self, parts: &Parts, body: &[u8]) -> Option<Response> {
        let refusal = signature::verify(parts, body).err()?;
        Some(refuse(refusal.status, refusal.name, refusal.message))
    }

    fn answer(&self, ask: Ask<'_>, mut reply: Reply) -> Response {
        let question = match check::read(ask.body, reply.behaviour.cached) {
            Ok(question) => question,
            Err(message) => {
                reply.exchange.finish();
                return self.refuse(400, &message);
            }
        };
        let answer = question.answer();
        let wanted = reply::Wanted {
            id: reply.id.clone(),
            usage: !reply.behaviour.unmetered,
            stop_sequence: check::shows_stop_sequence(ask.body),
        };
        if !reply.streams(ask.address.stream.is_some()) {
            return reply.whole(&wanted.reply(&answer), &answer);
        }
        let failed = json!({"message": "The system encountered an unexpected error during processing. Try your request again."});
        let failed = Frame::event("modelStreamErrorException", &failed, 0);
        reply.streamed(Framing::Messages, wanted.events(&answer), failed, &answer)
    }

    /// The service counts elsewhere, and in other words.
    fn count_tokens(&self, _ask: Ask<'_>) -> Response {
        self.refuse(404, "Unable to determine service/operation name to be authorized")
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        let name = match status {
            401 | 403 if message == WRONG_KEY => "UnrecognizedClientException",
            401 | 403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            408 => "ModelTimeoutException",
            424 => "ModelErrorException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            400..=499 => "ValidationException",
            _ => "InternalServerException",
        };
        refuse(status, name, message)
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }

    fn unreadable(&self) -> &'static str {
        "Unable to parse the request body as JSON"
    }
}

/// The name of an error is in a header, with an address behind it that means nothing.
fn refuse(status: u16, name: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let name = format!("{name}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    (
        status,
        [(ERROR_TYPE, name)],
        axum::Json(json!({ "message": message })),
    )
        .into_response()
}
