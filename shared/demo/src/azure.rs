//! Azure OpenAI, as strict as the service: OpenAI's API behind a resource's key, under `/openai/v1` or, with a dated
//! version, under the deployment of a model.
//!
//! Paths and keys are those of `AzureOpenAI` in OpenAI's Python SDK 3.57 and of Microsoft's REST reference; refusals are
//! modelled on the service's: status and code are what to rely on, not the words.

use crate::answer::Answer;
use crate::dialect::{Address, Ask, Operation, Vendor};
use crate::openai::check::{self, Refusal};
use crate::openai::{OpenAi, reply};
use crate::responses::Responses;
use crate::wire::{Frame, Framing, Reply};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

const WRONG_KEY: &str = "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a \
                         valid key for an active subscription and use a correct regional API endpoint for your resource.";
const NOT_FOUND: &str = "Resource not found";
const NO_DEPLOYMENT: &str = "The API deployment for this resource does not exist. If you created the deployment within \
                             the last 5 minutes, please wait a moment and try again.";
const FILTERED: &str = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. \
                        Please modify your prompt and retry. To learn more about our content filtering policies please \
                        read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766";
/// What is taken for a prompt that the policy does not let through.
const OFFENCE: &str = "(violence)";
/// Deployments that begin so are not there; any other is.
const MISSING: &str = "missing";

pub struct Azure;

/// What a path asks for, in OpenAI's words.
struct Place {
    /// As OpenAI has it: `/v1/chat/completions`.
    path: String,
    /// Of the API with a dated version.
    deployment: Option<String>,
}

// === impl Place ===

impl Place {
    fn read(path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/openai/v1/") {
            return Some(Self {
                path: format!("/v1/{rest}"),
                deployment: None,
            });
        }
        let rest = path.strip_prefix("/openai/deployments/")?;
        let (deployment, rest) = rest.split_once('/')?;
        let deployment = percent_decode_str(deployment).decode_utf8().ok()?.into_owned();
        Some(Self {
            path: format!("/v1/{rest}"),
            deployment: Some(deployment),
        })
    }
}

// === impl Azure ===

impl Vendor for Azure {
    fn base(&self) -> &'static str {
        ""
    }

    fn operation(&self, path: &str, query: &str) -> Option<Operation> {
        let listing = path == "/openai/models" && is_dated(version(query)?);
        if listing {
            return Some(Operation::Tell(Method::GET, models()));
        }
        let place = Place::read(path)?;
        match &place.deployment {
            Some(_) if !version(query).is_some_and(is_dated) => return None,
            None if version(query).is_some_and(is_dated) => return None,
            _ => {}
        }
        match place.path.as_str() {
            "/v1/responses" if place.deployment.is_none() => Some(Operation::Answer(Address::default())),
            "/v1/models" if place.deployment.is_none() => Some(Operation::Tell(Method::GET, models())),
            // what the service does not have
            "/v1/responses" | "/v1/models" | "/v1/moderations" | "/v1/rerank" => None,
            path => match OpenAi.operation(path, "")? {
                Operation::Answer(_) => Some(Operation::Answer(Address {
                    model: place.deployment,
                    stream: None,
                })),
                other => Some(other),
            },
        }
    }

    /// The key has a header of its own. The newer API takes it as a bearer, too.
    fn turn_away(&self, parts: &Parts) -> Option<Response> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let newer = parts.uri.path().starts_with("/openai/v1/");
        let bearer = || text("authorization")?.strip_prefix("Bearer ").filter(|_| newer);
        let key = text("api-key").or_else(bearer).unwrap_or_default();
        (key.is_empty() || key.starts_with("sk-revoked")).then(|| self.refuse(401, WRONG_KEY))
    }

    fn answer(&self, ask: Ask<'_>, mut reply: Reply) -> Response {
        let Some(place) = Place::read(ask.path) else {
            reply.exchange.finish();
            return self.refuse(404, NOT_FOUND);
        };
        let mut body = ask.body.clone();
        // with a deployment in the address what the body says of the model means nothing
        if let (Some(deployment), Some(fields)) = (&place.deployment, body.as_object_mut()) {
            fields.insert("model".to_owned(), json!(deployment));
        }
        if body["model"]
            .as_str()
            .is_some_and(|model| model.starts_with(MISSING))
        {
            reply.exchange.finish();
            return error(404, "DeploymentNotFound", NO_DEPLOYMENT);
        }
        if body.to_string().contains(OFFENCE) {
            reply.exchange.finish();
            return filtered();
        }
        let own = Ask {
            path: &place.path,
            body: &body,
            ..ask
        };
        match place.path.as_str() {
            "/v1/responses" => Responses.answer(own, reply),
            "/v1/chat/completions" => chat(&body, reply),
            _ => OpenAi.answer(own, reply),
        }
    }

    fn count_tokens(&self, _ask: Ask<'_>) -> Response {
        self.refuse(404, NOT_FOUND)
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        let message = if status == 404 { NOT_FOUND } else { message };
        error(status, &status.to_string(), message)
    }

    fn wrong_key(&self) -> &'static str {
        WRONG_KEY
    }
}

/// As OpenAI answers, with what the content filter found: nothing.
fn chat(body: &Value, mut reply: Reply) -> Response {
    let question = match check::read(body, reply.behaviour.cached) {
        Ok(question) => question,
        Err(refusal) => {
            reply.exchange.finish();
            return Refusal::response(&refusal);
        }
    };
    reply.id.insert_str(0, "chatcmpl-");
    let metered = !reply.behaviour.unmetered;
    let wanted = reply::Wanted {
        id: reply.id.clone(),
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        choices: body["n"].as_u64().unwrap_or(1),
        usage: metered,
        usage_chunk: body["stream_options"]["include_usage"] == true && metered,
    };
    let answer: Answer = wanted.price(question.answer());
    let found = json!([{ "prompt_index": 0, "content_filter_results": clean() }]);
    if !reply.streams(body["stream"] == true) {
        let mut completion = wanted.completion(&answer);
        for choice in completion["choices"].as_array_mut().into_iter().flatten() {
            choice["content_filter_results"] = clean();
        }
        completion["prompt_filter_results"] = found;
        return reply.whole(&completion, &answer);
    }
    // a chunk about the prompt comes first, without a name or a choice
    let first = json!({
        "id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": found,
    });
    let mut frames = vec![Frame::data(&first, 0)];
    frames.extend(wanted.chunks(&answer));
    let failed =
        json!({ "error": { "code": "500", "message": "The server had an error processing your request." } });
    reply.streamed(Framing::Events, frames, Frame::data(&failed, 0), &answer)
}

fn clean() -> Value {
    let safe = json!({ "filtered": false, "severity": "safe" });
    json!({ "hate": safe, "self_harm": safe, "sexual": safe, "violence": safe })
}

fn filtered() -> Response {
    let mut found = clean();
    found["violence"] = json!({ "filtered": true, "severity": "high" });
    let body = json!({ "error": {
        "message": FILTERED, "type": null, "param": "prompt", "code": "content_filter", "status": 400,
        "innererror": { "code": "ResponsibleAIPolicyViolation", "content_filter_result": found },
    } });
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "error": { "code": code, "message": message } });
    (status, axum::Json(body)).into_response()
}

fn version(query: &str) -> Option<&str> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("api-version="))
}

/// `2024-10-21`, `2025-04-01-preview`.
fn is_dated(version: &str) -> bool {
    let date = version.strip_suffix("-preview").unwrap_or(version);
    let parts: Vec<&str> = date.split('-').collect();
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    matches!(parts[..], [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2))
}

/// The models that could be deployed, not those that are.
fn models() -> Value {
    json!({ "object": "list", "data": [
        { "id": "gpt-4o-2024-11-20", "object": "model", "created_at": 1_732_060_800, "status": "succeeded",
            "capabilities": { "chat_completion": true, "inference": true }, "lifecycle_status": "generally-available" },
    ] })
}
