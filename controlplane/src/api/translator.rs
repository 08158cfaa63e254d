//! A place to try what the gateway does to requests.
//!
//! `POST /api/translator/{detect,translate,send}` · `GET /api/translator/history`
//!
//! Translating is pure, and is done here by the code that data planes run. Sending is done by a data plane, with the
//! gateway's accounts and past API keys, budgets and caches. What was tried is remembered without its text.

mod detect;
mod history;

use std::time::Duration;

use axum::{Json, extract::State};
use llm::{Address, Ask, Dialect, Framing, ModelCaps, Target, providers, translate::CallError};
use proto::v1;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::history::Event;
use crate::{
    api::{Ctx, translation_note::TranslationNote},
    db::{Audit, Outcome},
    error::ApiError,
    http::{Body, Json as JsonBody, Operator, Query, Reader, Violations},
};

const WHAT: &str = "model";
const MODEL_CHARS: usize = 300;
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// For a data plane to tell of it.
const SLACK: Duration = Duration::from_secs(5);
/// Stands for a model that nobody named.
const ANY_MODEL: &str = "model";

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DetectBody {
    /// A request in any dialect.
    #[schema(value_type = Object)]
    body: Map<String, Value>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Detected {
    success: bool,
    /// `openai_chat`, `openai_responses`, `anthropic_messages`, `gemini` or `ollama_chat`.
    format: &'static str,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TranslateBody {
    /// The dialect of `body`; found out when absent.
    source_format: Option<String>,
    /// The dialect to say it in; that of `provider` when absent.
    target_format: Option<String>,
    /// Id or alias of a built-in provider.
    provider: Option<String>,
    /// The provider's own model id; as the body says when absent.
    model: Option<String>,
    #[schema(value_type = Object)]
    body: Map<String, Value>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Translated {
    success: bool,
    source_format: &'static str,
    target_format: &'static str,
    /// As the provider would get it.
    #[schema(value_type = Object)]
    result: Value,
    /// What was lost, changed or made up.
    notes: Vec<TranslationNote>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SendBody {
    /// The dialect of `body`, and of the answer; found out when absent.
    source_format: Option<String>,
    /// As clients write it; as the body says when absent.
    model: Option<String>,
    #[schema(value_type = Object)]
    body: Map<String, Value>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Sent {
    success: bool,
    source_format: &'static str,
    /// Who answered.
    provider: String,
    model: String,
    latency_ms: u32,
    #[schema(value_type = Object)]
    result: Value,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// 1 to 200, 50 unless told otherwise.
    limit: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TranslatorHistory)]
struct History {
    success: bool,
    /// Newest first.
    events: Vec<Event>,
    total: i64,
}

pub fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(detect))
        .routes(routes!(translate))
        .routes(routes!(send))
        .routes(routes!(history))
}

// === impl DetectBody ===

impl Body for DetectBody {
    const REQUIRED: &'static [&'static str] = &["body"];

    fn check(&self, _: &mut Violations) {}
}

// === impl TranslateBody ===

impl Body for TranslateBody {
    const REQUIRED: &'static [&'static str] = &["body"];

    fn check(&self, violations: &mut Violations) {
        check_source(self.source_format.as_deref(), violations);
        check_format(
            "targetFormat",
            self.target_format.as_deref(),
            |_| true,
            violations,
        );
        if let Some(model) = &self.model {
            violations.length("model", model, 1..=MODEL_CHARS);
        }
        match &self.provider {
            Some(provider) if providers::find(provider).is_none() => {
                violations.add("provider", "is no built-in provider");
            }
            None if self.target_format.is_none() => {
                violations.add("targetFormat", "is required without a provider")
            }
            _ => {}
        }
    }
}

// === impl SendBody ===

impl Body for SendBody {
    const REQUIRED: &'static [&'static str] = &["body"];

    fn check(&self, violations: &mut Violations) {
        check_source(self.source_format.as_deref(), violations);
        if let Some(model) = &self.model {
            violations.length("model", model, 1..=MODEL_CHARS);
        }
    }
}

/// A dialect that only upstreams speak is nobody's to write.
fn check_source(name: Option<&str>, violations: &mut Violations) {
    check_format("sourceFormat", name, Dialect::is_for_clients, violations);
}

fn check_format(field: &str, name: Option<&str>, fits: fn(Dialect) -> bool, violations: &mut Violations) {
    let is_one = |name: &str| detect::named(name).is_some_and(fits);
    if name.is_some_and(|name| !is_one(name)) {
        let fitting = Dialect::ALL.into_iter().filter(|dialect| fits(*dialect));
        let known: Vec<_> = fitting.map(Dialect::name).collect();
        violations.add(field, format!("must be one of {}", known.join(", ")));
    }
}

/// Finds out which dialect a request is in.
#[utoipa::path(post, path = "/api/translator/detect", tag = "translator", request_body = DetectBody,
    responses((status = 200, body = Detected), (status = 400)))]
async fn detect(_: Operator, JsonBody(body): JsonBody<DetectBody>) -> Result<Json<Detected>, ApiError> {
    Ok(Json(Detected {
        success: true,
        format: detect::dialect(&body.body).name(),
    }))
}

/// Says a request in another dialect.
#[utoipa::path(post, path = "/api/translator/translate", tag = "translator", request_body = TranslateBody,
    responses((status = 200, body = Translated), (status = 400)))]
async fn translate(
    State(ctx): State<Ctx>,
    _: Operator,
    JsonBody(body): JsonBody<TranslateBody>,
) -> Result<Json<Translated>, ApiError> {
    let source = source(body.source_format.as_deref(), &body.body);
    let provider = body.provider.as_deref().and_then(providers::find);
    let target = body.target_format.as_deref().and_then(detect::named);
    let target = target
        .or(provider.map(|provider| provider.dialect))
        .ok_or_else(|| ApiError::invalid("targetFormat", "is required without a provider"))?;
    let model = body
        .model
        .or_else(|| text(&body.body, "model"))
        .unwrap_or_else(|| ANY_MODEL.to_owned());
    let ask = ask(source, &model, body.body)?;
    let call = ask.call(&Target {
        dialect: target,
        caps: match provider.filter(|provider| provider.dialect == target) {
            Some(provider) => ModelCaps::of(target, &model).with_stream_usage(provider.stream_usage),
            None => ModelCaps::of(target, &model),
        },
        model: model.clone(),
    });
    let call = call.map_err(|error| match error {
        CallError::Decode(error) => ApiError::invalid("body", error.to_string()),
        CallError::Encode(error) => ApiError::invalid("body", error.to_string()),
    })?;
    let event = Event::new("translate", source, &model).to(target);
    history::remember(ctx.db.pool(), event).await?;
    Ok(Json(Translated {
        success: true,
        source_format: source.name(),
        target_format: target.name(),
        result: serde_json::from_slice(&call.body()).map_err(ApiError::internal)?,
        notes: call.notes().iter().map(TranslationNote::from).collect(),
    }))
}

/// Sends a request as a client would, through a data plane. The answer comes whole, whatever the request says.
#[utoipa::path(post, path = "/api/translator/send", tag = "translator", request_body = SendBody,
    responses((status = 200, body = Sent), (status = 400), (status = 502), (status = 503)))]
async fn send(
    State(ctx): State<Ctx>,
    operator: Operator,
    JsonBody(body): JsonBody<SendBody>,
) -> Result<Json<Sent>, ApiError> {
    let source = source(body.source_format.as_deref(), &body.body);
    let named = body.model.or_else(|| text(&body.body, "model"));
    let model = named.ok_or_else(|| ApiError::invalid("model", "is required: the body names none"))?;
    // what cannot be read is the operator's to know, and no matter for a data plane
    ask(source, &model, body.body.clone())?;
    let question = v1::Ask {
        dialect: source.name().to_owned(),
        model: model.clone(),
        body: whole(source, &model, body.body).into(),
        timeout_ms: u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX),
        api_key_id: String::new(),
    };
    let asked = ctx.fleet.question(question, PATIENCE + SLACK).await?;
    let event = Event::new("send", source, &model).answered(&asked);
    history::remember(ctx.db.pool(), event).await?;
    let audit = Audit::of("translator.sent")
        .target(WHAT, &model)
        .outcome(if asked.ok {
            Outcome::Success
        } else {
            Outcome::Failed
        })
        .details(json!({ "provider": asked.provider, "latencyMs": asked.latency_ms }));
    ctx.db.record(&operator.origin, audit).await?;
    // no provider was asked: the gateway itself could not, for what the operator wrote
    if !asked.ok && asked.provider.is_empty() && (400..500).contains(&asked.http_status) {
        return Err(ApiError::invalid("model", asked.error));
    }
    if !asked.ok {
        return Err(ApiError::Upstream {
            status: u16::try_from(asked.http_status).ok().filter(|status| *status > 0),
            message: asked.error,
        });
    }
    Ok(Json(Sent {
        success: true,
        source_format: source.name(),
        provider: asked.provider,
        model: asked.model,
        latency_ms: asked.latency_ms,
        result: serde_json::from_slice(&asked.body).map_err(ApiError::internal)?,
    }))
}

/// What was tried lately.
#[utoipa::path(get, path = "/api/translator/history", tag = "translator", params(HistoryQuery),
    responses((status = 200, body = History), (status = 400)))]
async fn history(
    State(ctx): State<Ctx>,
    _: Reader,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<History>, ApiError> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=history::KEPT).contains(&limit) {
        return Err(ApiError::invalid("limit", "must be 1 to 200"));
    }
    let (events, total) = history::newest(ctx.db.pool(), limit).await?;
    Ok(Json(History {
        success: true,
        events,
        total,
    }))
}

fn source(named: Option<&str>, body: &Map<String, Value>) -> Dialect {
    named
        .and_then(detect::named)
        .unwrap_or_else(|| detect::dialect(body))
}

fn text(body: &Map<String, Value>, name: &str) -> Option<String> {
    let text = body.get(name)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The request, read as far as routing needs it.
fn ask(dialect: Dialect, model: &str, body: Map<String, Value>) -> Result<Ask, ApiError> {
    let stream = body.get("stream") == Some(&Value::Bool(true));
    let read = match dialect {
        Dialect::Gemini => {
            let address = Address {
                model: model.to_owned(),
                stream,
                framing: Framing::Native,
            };
            Ask::read_at(dialect, address, Value::Object(body).to_string().into())
        }
        _ => {
            let mut body = body;
            body.insert("model".to_owned(), model.into());
            Ask::read(dialect, Value::Object(body).to_string().into())
        }
    };
    read.map_err(|error| ApiError::invalid("body", error.to_string()))
}

/// The request for a whole answer.
fn whole(dialect: Dialect, model: &str, mut body: Map<String, Value>) -> String {
    body.remove("stream_options");
    match dialect {
        Dialect::Gemini => drop(body.remove("stream")),
        _ => {
            body.insert("model".to_owned(), model.into());
            body.insert("stream".to_owned(), false.into());
        }
    }
    Value::Object(body).to_string()
}
