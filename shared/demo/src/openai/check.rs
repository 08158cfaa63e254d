//! Reading a request, or saying why not.

use super::content;
use crate::answer::Question;
use crate::schema;
use serde_json::Value;

/// Everything the vendor's SDK can send; the vendor refuses all else.
const FIELDS: &[&str] = &[
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];
const BOOLEANS: &[&str] = &["stream", "store", "logprobs", "parallel_tool_calls"];
const STRINGS: &[&str] = &[
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "service_tier",
    "verbosity",
];
/// Inclusive bounds of whole numbers.
const INTEGERS: &[(&str, i64, i64)] = &[
    ("n", 1, 128),
    ("max_tokens", 1, i64::MAX),
    ("max_completion_tokens", 1, i64::MAX),
    ("top_logprobs", 0, 20),
    ("seed", i64::MIN, i64::MAX),
];
/// Inclusive bounds of decimals.
const DECIMALS: &[(&str, f64, f64)] = &[
    ("temperature", 0.0, 2.0),
    ("top_p", 0.0, 1.0),
    ("frequency_penalty", -2.0, 2.0),
    ("presence_penalty", -2.0, 2.0),
];
const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];
const MAX_STOPS: usize = 4;

/// What is wrong, and where.
#[derive(Debug)]
pub struct Refusal {
    pub message: String,
    pub param: Option<String>,
    pub code: Option<&'static str>,
}

// === impl Refusal ===

impl Refusal {
    pub fn new(param: &str, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            param: Some(param.to_owned()),
            code: Some("invalid_value"),
        }
    }

    pub fn kind(param: &str, expected: &str, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(number) if number.is_f64() => "a decimal",
            Value::Number(_) => "an integer",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        let message = format!("Invalid type for '{param}': expected {expected}, but got {found} instead.");
        Self {
            code: Some("invalid_type"),
            ..Self::new(param, message)
        }
    }

    pub fn missing(param: &str) -> Self {
        Self {
            code: Some("missing_required_parameter"),
            ..Self::new(param, format!("Missing required parameter: '{param}'."))
        }
    }
}

pub fn read(body: &Value, cached: bool) -> Result<Question, Refusal> {
    let fields = body.as_object().ok_or_else(no_model)?;
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let message = format!("Unrecognized request argument supplied: {unknown}");
        return Err(Refusal {
            message,
            param: None,
            code: None,
        });
    }
    match &body["model"] {
        Value::String(model) if !model.is_empty() => {}
        Value::Null | Value::String(_) => return Err(no_model()),
        other => return Err(Refusal::kind("model", "a string", other)),
    }
    check_scalars(body)?;
    let messages = match &body["messages"] {
        Value::Array(messages) if messages.is_empty() => {
            let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an \
                           empty array instead.";
            return Err(Refusal::new("messages", message));
        }
        Value::Array(messages) => messages,
        Value::Null => return Err(Refusal::missing("messages")),
        other => return Err(Refusal::kind("messages", "an array of objects", other)),
    };
    let longest = [&body["max_completion_tokens"], &body["max_tokens"]];
    let mut question = Question {
        cached,
        messages: messages.len() as u64,
        thinks: body["reasoning_effort"]
            .as_str()
            .is_some_and(|effort| effort != "none"),
        longest: longest.into_iter().find_map(Value::as_u64),
        stops: stops(&body["stop"])?,
        ..Question::default()
    };
    read_tools(body, &mut question)?;
    read_format(&body["response_format"], &mut question)?;
    content::read_messages(messages, &mut question)?;
    Ok(question)
}

fn no_model() -> Refusal {
    Refusal {
        message: "you must provide a model parameter".into(),
        param: None,
        code: None,
    }
}

fn check_scalars(body: &Value) -> Result<(), Refusal> {
    let given = |name: &'static str| Some((name, body.get(name).filter(|value| !value.is_null())?));
    for (name, value) in BOOLEANS.iter().copied().filter_map(given) {
        if !value.is_boolean() {
            return Err(Refusal::kind(name, "a boolean", value));
        }
    }
    for (name, value) in STRINGS.iter().copied().filter_map(given) {
        if !value.is_string() {
            return Err(Refusal::kind(name, "a string", value));
        }
    }
    for (name, least, most) in INTEGERS {
        let Some((_, value)) = given(name) else { continue };
        let number = value
            .as_i64()
            .ok_or_else(|| Refusal::kind(name, "an integer", value))?;
        in_bounds(name, &number, least, most)?;
    }
    for (name, least, most) in DECIMALS {
        let Some((_, value)) = given(name) else { continue };
        let number = value
            .as_f64()
            .ok_or_else(|| Refusal::kind(name, "a decimal", value))?;
        in_bounds(name, &number, least, most)?;
    }
    if let Some((name, value)) = given("reasoning_effort")
        && !value.as_str().is_some_and(|effort| EFFORTS.contains(&effort))
    {
        return Err(Refusal::new(name, format!("Invalid value: {value}.")));
    }
    if given("max_tokens").is_some() && given("max_completion_tokens").is_some() {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(Refusal::new("max_tokens", message));
    }
    if given("stream_options").is_some() && body["stream"] != true {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refusal::new("stream_options", message));
    }
    Ok(())
}

pub fn in_bounds<T: PartialOrd + std::fmt::Display>(
    name: &str,
    number: &T,
    least: &T,
    most: &T,
) -> Result<(), Refusal> {
    if number < least {
        let message = format!("Invalid '{name}': below minimum value. Expected a value >= {least}.");
        return Err(Refusal::new(name, message));
    }
    if number > most {
        let message = format!("Invalid '{name}': above maximum value. Expected a value <= {most}.");
        return Err(Refusal::new(name, message));
    }
    Ok(())
}

fn stops(stop: &Value) -> Result<Vec<String>, Refusal> {
    let stops = match stop {
        Value::Null => return Ok(Vec::new()),
        Value::String(stop) => return Ok(vec![stop.clone()]),
        Value::Array(stops) if stops.len() <= MAX_STOPS => stops,
        Value::Array(_) => {
            return Err(Refusal::new(
                "stop",
                "Invalid 'stop': array too long. Expected at most 4.",
            ));
        }
        other => return Err(Refusal::kind("stop", "a string or an array of strings", other)),
    };
    let texts = stops.iter().map(|stop| stop.as_str().map(str::to_owned));
    texts
        .collect::<Option<_>>()
        .ok_or_else(|| Refusal::kind("stop", "an array of strings", stop))
}

fn read_tools(body: &Value, question: &mut Question) -> Result<(), Refusal> {
    let tools = match &body["tools"] {
        Value::Null => {
            let needs_tools = ["tool_choice", "parallel_tool_calls"];
            let stray = needs_tools.into_iter().find(|name| !body[name].is_null());
            return stray.map_or(Ok(()), |name| {
                let message = format!("Invalid value for '{name}': only allowed when 'tools' are specified.");
                Err(Refusal::new(name, message))
            });
        }
        Value::Array(tools) if tools.is_empty() => {
            let message = "Invalid 'tools': empty array. Expected an array with minimum length 1.";
            return Err(Refusal::new("tools", message));
        }
        Value::Array(tools) => tools,
        other => return Err(Refusal::kind("tools", "an array of objects", other)),
    };
    let choice = &body["tool_choice"];
    for (index, tool) in tools.iter().enumerate() {
        // tools without a schema take free text; they may be offered and are never called
        if tool["type"] == "custom" && is_name(&tool["custom"]["name"]) {
            continue;
        }
        let function = read_function(tool, &format!("tools[{index}]"))?;
        let chosen = choice["function"]["name"]
            .as_str()
            .is_none_or(|only| only == function);
        if choice != "none" && chosen {
            let parameters = tool["function"]["parameters"].clone();
            question.tools.push((function.to_owned(), parameters));
        }
    }
    if choice["function"]["name"].is_string() && question.tools.is_empty() {
        return Err(Refusal::new(
            "tool_choice",
            "Tool choice names a tool not in 'tools'.",
        ));
    }
    question.tool_required = choice == "required" || choice.is_object();
    Ok(())
}

/// The name of a function tool.
fn read_function<'a>(tool: &'a Value, place: &str) -> Result<&'a str, Refusal> {
    if tool["type"] != "function" {
        return Err(Refusal::new(
            &format!("{place}.type"),
            format!("Invalid value: {}.", tool["type"]),
        ));
    }
    let function = &tool["function"];
    let name = function["name"]
        .as_str()
        .ok_or_else(|| Refusal::missing(&format!("{place}.function.name")))?;
    if !is_name(&function["name"]) {
        let message = format!(
            "Invalid '{place}.function.name': string does not match pattern. Expected a string that matches the \
             pattern '^[a-zA-Z0-9_-]+$'."
        );
        return Err(Refusal::new(&format!("{place}.function.name"), message));
    }
    let parameters = &function["parameters"];
    if !parameters.is_null() && parameters["type"] != "object" {
        let message = format!("Invalid schema for function '{name}': schema must have type 'object'.");
        return Err(Refusal::new(&format!("{place}.function.parameters"), message));
    }
    if function["strict"] == true && !schema::is_closed(parameters) {
        return Err(open_schema(
            &format!("{place}.function.parameters"),
            &format!("function '{name}'"),
        ));
    }
    Ok(name)
}

fn read_format(format: &Value, question: &mut Question) -> Result<(), Refusal> {
    match format["type"].as_str() {
        None if format.is_null() => {}
        Some("text") => {}
        Some("json_object") => question.json = true,
        Some("json_schema") => {
            let named = &format["json_schema"];
            if !is_name(&named["name"]) {
                return Err(Refusal::missing("response_format.json_schema.name"));
            }
            if named["strict"] == true && !schema::is_closed(&named["schema"]) {
                let what = format!("response_format {}", named["name"]);
                return Err(open_schema("response_format", &what));
            }
            question.schema = Some(named["schema"].clone());
        }
        _ => {
            return Err(Refusal::new(
                "response_format.type",
                format!("Invalid value: {}.", format["type"]),
            ));
        }
    }
    Ok(())
}

pub fn open_schema(param: &str, what: &str) -> Refusal {
    let message = format!(
        "Invalid schema for {what}: 'additionalProperties' is required to be supplied and to be false."
    );
    Refusal {
        code: Some("invalid_function_parameters"),
        ..Refusal::new(param, message)
    }
}

pub fn is_name(name: &Value) -> bool {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    name.as_str()
        .is_some_and(|name| !name.is_empty() && name.len() <= 64 && name.chars().all(legal))
}
