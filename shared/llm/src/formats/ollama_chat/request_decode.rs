//! A client's chat request to the neutral one.
//!
//! Options are read where the neutral model has a word for them; the others, like every field nobody knows, are kept
//! for an upstream of this dialect. Calls and results carry no ids in older clients: they get ids that depend on
//! nothing but the conversation, and a result belongs to the first open call of its name.

mod message;

use super::super::openai_chat::object::{Object, value};
use crate::dialect::Dialect;
use crate::error::DecodeError;
use crate::request::{JsonSchema, Output, Reasoning, ReasoningMode, Request, Sampling, Tool, ToolKind};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

const KNOWN: &[&str] = &[
    "model",
    "messages",
    "stream",
    "tools",
    "format",
    "options",
    "think",
    "logprobs",
    "top_logprobs",
];

const KNOWN_OPTIONS: &[&str] = &[
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "stop",
    "num_predict",
];

pub fn decode(body: &[u8]) -> Result<Request, DecodeError> {
    let root = Object::root(body)?;
    let mut request = Request {
        model: root.text("model")?.unwrap_or_default(),
        stream: root
            .get("stream")?
            .unwrap_or(Dialect::OllamaChat.streams_by_default()),
        ..Request::default()
    };
    if request.model.is_empty() {
        return Err(DecodeError::at("model", "Missing model"));
    }
    message::decode(&root, &mut request)?;
    for (path, raw) in root.list("tools")? {
        request.tools.push(tool(raw, path)?);
    }
    request.output = output(&root)?;
    request.reasoning = reasoning(&root)?;
    request.logprobs = logprobs(&root)?;
    let mut unknown = root.unknown(KNOWN)?;
    if let Some(options) = root.object("options")? {
        let others = read_options(&options, &mut request)?;
        if !others.is_empty() {
            unknown.insert("options".to_owned(), Value::Object(others));
        }
    }
    if !unknown.is_empty() {
        request.extensions.insert(Dialect::OllamaChat, unknown);
    }
    Ok(request)
}

// === functions ===

fn tool(raw: &RawValue, path: String) -> Result<Tool, DecodeError> {
    let wire = Object::read(raw, path)?;
    let nested = wire.object("function")?;
    let function = nested.as_ref().unwrap_or(&wire);
    let name = function.required_text("name")?;
    if name.is_empty() {
        return Err(function.fault("name", "must not be empty"));
    }
    Ok(Tool {
        kind: ToolKind::Function,
        name,
        description: function.text("description")?,
        schema: function.raw("parameters").map(ToOwned::to_owned),
        strict: None,
        cache: None,
    })
}

/// `""` is what the vendor's client sends for no format.
fn output(root: &Object<'_>) -> Result<Output, DecodeError> {
    let Some(raw) = root.raw("format") else {
        return Ok(Output::Text);
    };
    if raw.get().starts_with('{') {
        return Ok(Output::JsonSchema(JsonSchema {
            name: None,
            description: None,
            schema: raw.to_owned(),
            strict: None,
        }));
    }
    match value::<String>(raw, "format")?.as_str() {
        "" => Ok(Output::Text),
        "json" => Ok(Output::JsonObject),
        other => Err(root.fault("format", format!("unsupported value '{other}'"))),
    }
}

/// A switch, or a level for models that have levels.
fn reasoning(root: &Object<'_>) -> Result<Reasoning, DecodeError> {
    let (mode, effort) = match root.get::<Value>("think")? {
        None => (ReasoningMode::Unset, None),
        Some(Value::Bool(true)) => (ReasoningMode::On, None),
        Some(Value::Bool(false)) => (ReasoningMode::Off, None),
        Some(Value::String(level)) if level.is_empty() => (ReasoningMode::Unset, None),
        Some(Value::String(level)) => (ReasoningMode::On, Some(level)),
        Some(_) => return Err(root.fault("think", "expected true, false or a level")),
    };
    Ok(Reasoning {
        mode,
        effort,
        budget: None,
    })
}

fn logprobs(root: &Object<'_>) -> Result<Option<u8>, DecodeError> {
    let top = root.count("top_logprobs")?.unwrap_or(0);
    let top = u8::try_from(top).map_err(|_| root.fault("top_logprobs", "must not be greater than 20"))?;
    let wanted = root.get("logprobs")?.unwrap_or(false);
    Ok((wanted || top > 0).then_some(top))
}

/// Returns the options that the neutral model has no word for.
fn read_options(options: &Object<'_>, request: &mut Request) -> Result<Map<String, Value>, DecodeError> {
    request.sampling = Sampling {
        temperature: options.get("temperature")?,
        top_p: options.get("top_p")?,
        top_k: whole(options, "top_k")?.and_then(|k| u64::try_from(k).ok()),
        frequency_penalty: options.get("frequency_penalty")?,
        presence_penalty: options.get("presence_penalty")?,
        seed: whole(options, "seed")?,
        ..Sampling::default()
    };
    request.stop = match options.raw("stop") {
        None => Vec::new(),
        Some(raw) if raw.get().starts_with('"') => vec![value(raw, &options.at("stop"))?],
        Some(raw) => value(raw, &options.at("stop"))?,
    };
    // -1 and -2 are the vendor's words for "no limit"
    let limit = whole(options, "num_predict")?.and_then(|n| u64::try_from(n).ok());
    request.max_output = limit.filter(|n| *n > 0);
    options.unknown(KNOWN_OPTIONS)
}

/// A whole number, also where a client writes it as a float.
fn whole(options: &Object<'_>, name: &str) -> Result<Option<i64>, DecodeError> {
    let Some(number) = options.get::<Number>(name)? else {
        return Ok(None);
    };
    let float = || {
        let float = number.as_f64()?;
        (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
    };
    match number.as_i64().or_else(float) {
        Some(whole) => Ok(Some(whole)),
        None => Err(options.fault(name, "expected a whole number")),
    }
}
