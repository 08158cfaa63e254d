//! Google Cloud's Vertex AI, as strict as the service: Gemini and Anthropic's models under the project of an account,
//! for whoever brings a token; and the endpoint that gives tokens to a service account.
//!
//! Paths, roles and refusals are those of the API's reference, of `google-genai` 3.6 and of the Python SDK of Anthropic
//! 2.13. What is inside a request is judged as by the vendors' own APIs.

mod token;

use crate::anthropic::Anthropic;
use crate::dialect::{Address, Ask, Operation, Vendor};
use crate::gemini::Gemini;
use crate::wire::{Framing, Reply};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use token::PROJECT;
pub use token::{other_service_account, service_account};

/// Where tokens are asked for.
const TOKEN_PATH: &str = "/token";
const WRONG_TOKEN: &str = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie \
                           or other valid authentication credential.";
/// Of Anthropic's API, under the names that they have here.
const VERSIONS: [(&str, &str); 2] = [("vertex-2023-10-16", "2023-06-01"), ("2026-10-21", "2026-10-21")];
const COUNT_TOKENS: &str = "count-tokens";

pub struct Vertex;

/// Whose models are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Publisher {
    Google,
    Anthropic,
}

/// `/v1/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:{method}`
struct Place<'a> {
    project: &'a str,
    publisher: Publisher,
    model: String,
    method: &'a str,
}

// === impl Place ===

impl<'a> Place<'a> {
    fn read(path: &'a str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').collect();
        let [
            "",
            "v1" | "v1beta1",
            "projects",
            project,
            "locations",
            location,
            "publishers",
            publisher,
            "models",
            model,
        ] = segments[..]
        else {
            return None;
        };
        let (model, method) = model.rsplit_once(':')?;
        let publisher = match publisher {
            "google" => Publisher::Google,
            "anthropic" => Publisher::Anthropic,
            _ => return None,
        };
        let known = !location.is_empty() && !model.is_empty();
        known.then_some(Self {
            project,
            publisher,
            model: percent_decode_str(model).decode_utf8().ok()?.into_owned(),
            method,
        })
    }
}

// === impl Vertex ===

impl Vendor for Vertex {
    fn base(&self) -> &'static str {
        ""
    }

    fn beside(&self, parts: &Parts, body: &[u8]) -> Option<Response> {
        (parts.method == Method::POST && parts.uri.path() == TOKEN_PATH).then(|| token::give(parts, body))
    }

    fn operation(&self, path: &str, query: &str) -> Option<Operation> {
        let place = Place::read(path)?;
        let address = |stream| Address {
            model: Some(place.model.clone()),
            stream,
        };
        let framing = if query.split('&').any(|pair| pair == "alt=sse") {
            Framing::Events
        } else {
            Framing::Array
        };
        match (place.publisher, place.method) {
            (Publisher::Google, "generateContent") => Some(Operation::Answer(address(None))),
            (Publisher::Google, "streamGenerateContent") => Some(Operation::Answer(address(Some(framing)))),
            (Publisher::Google, "countTokens") => Some(Operation::CountTokens(address(None))),
            (Publisher::Anthropic, "rawPredict") if place.model == COUNT_TOKENS => {
                Some(Operation::CountTokens(Address::default()))
            }
            (Publisher::Anthropic, "rawPredict") => Some(Operation::Answer(address(None))),
            (Publisher::Anthropic, "streamRawPredict") => {
                Some(Operation::Answer(address(Some(Framing::Events))))
            }
            _ => None,
        }
    }

    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        let authorization = parts.headers.get(header::AUTHORIZATION);
        let bearer = authorization
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        if !bearer.is_some_and(token::is_good) {
            return Some(self.refuse(401, WRONG_TOKEN));
        }
        let place = Place::read(parts.uri.path())?;
        let message = format!(
            "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/{}' (or \
             it may not exist).",
            place.project
        );
        (place.project != PROJECT).then(|| self.refuse(403, &message))
    }

    fn answer(&self, ask: Ask<'_>, mut reply: Reply) -> Response {
        match Place::read(ask.path).map(|place| place.publisher) {
            Some(Publisher::Anthropic) => {
                let streams = ask.address.stream.is_some();
                let own = in_own_words(&ask).and_then(|own| match own.0["stream"] == streams || !streams {
                    true => Ok(own),
                    false => Err("stream: must be true for streamRawPredict".to_owned()),
                });
                match own {
                    Ok((body, headers)) => Anthropic.answer(
                        Ask {
                            body: &body,
                            headers: &headers,
                            ..ask
                        },
                        reply,
                    ),
                    Err(message) => {
                        reply.exchange.finish();
                        Anthropic.refuse(400, &message)
                    }
                }
            }
            _ if !has_roles(ask.body) => {
                reply.exchange.finish();
                self.refuse(400, "Please use a valid role: user, model.")
            }
            _ => Gemini.answer(ask, reply),
        }
    }

    fn count_tokens(&self, ask: Ask<'_>) -> Response {
        if Place::read(ask.path).is_some_and(|place| place.publisher == Publisher::Google) {
            return match has_roles(ask.body) {
                true => Gemini.count_tokens(ask),
                false => self.refuse(400, "Please use a valid role: user, model."),
            };
        }
        match versioned(&ask) {
            Ok((body, headers)) => Anthropic.count_tokens(Ask {
                body: &body,
                headers: &headers,
                ..ask
            }),
            Err(message) => Anthropic.refuse(400, &message),
        }
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        if status != 401 {
            return Gemini.refuse(status, message);
        }
        let body = json!({"error": {"code": 401, "message": message, "status": "UNAUTHENTICATED", "details": [
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_EXPIRED",
                "domain": "googleapis.com", "metadata": {"service": "aiplatform.googleapis.com"}},
        ]}});
        (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response()
    }

    fn fail(&self, status: u16, message: &str, retry_after: Option<u64>) -> Response {
        match status {
            401 => self.refuse(status, message),
            _ => Gemini.fail(status, message, retry_after),
        }
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_TOKEN
    }

    fn unreadable(&self) -> &'static str {
        Gemini.unreadable()
    }
}

/// Here every turn says whose it is.
fn has_roles(body: &Value) -> bool {
    let mut turns = body["contents"].as_array().into_iter().flatten();
    turns.all(|turn| turn["role"] == "user" || turn["role"] == "model")
}

/// The message as the vendor's own API takes it: with the model of the address inside, and the version outside.
fn in_own_words(ask: &Ask<'_>) -> Result<(Value, HeaderMap), String> {
    if ask.body.get("model").is_some() {
        return Err("model: Extra inputs are not permitted".to_owned());
    }
    let (mut body, headers) = versioned(ask)?;
    body["model"] = json!(ask.address.model);
    Ok((body, headers))
}

fn versioned(ask: &Ask<'_>) -> Result<(Value, HeaderMap), String> {
    let mut body = ask.body.clone();
    let version = body
        .as_object_mut()
        .and_then(|fields| fields.remove("anthropic_version"))
        .ok_or("anthropic_version: Field required")?;
    let own = VERSIONS.iter().find(|(name, _)| version == *name);
    let (_, own) = own.ok_or_else(|| format!("anthropic_version: {version} is not a valid version"))?;
    let mut headers = ask.headers.clone();
    headers.insert("anthropic-version", HeaderValue::from_static(own));
    Ok((body, headers))
}
