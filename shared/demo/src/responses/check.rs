//! Reading a request, or saying why not.

use super::input;
use crate::answer::Question;
use crate::openai::check::{Refusal, in_bounds, is_name, open_schema};
use crate::schema;
use serde_json::Value;

/// Everything the vendor's SDK can send; the vendor refuses all else.
const FIELDS: &[&str] = &[
    "access_programs",
    "background",
    "background_options",
    "context_management",
    "conversation",
    "image",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];
const BOOLEANS: &[&str] = &["stream", "store", "background", "parallel_tool_calls"];
const STRINGS: &[&str] = &[
    "instructions",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "service_tier",
];
/// Inclusive bounds of whole numbers.
const INTEGERS: &[(&str, i64, i64)] = &[
    ("max_output_tokens", 16, i64::MAX),
    ("max_tool_calls", 1, i64::MAX),
    ("top_logprobs", 0, 20),
];
/// Inclusive bounds of decimals.
const DECIMALS: &[(&str, f64, f64)] = &[("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0)];
const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];
const SUMMARIES: &[&str] = &["auto", "concise", "detailed"];
const INCLUDES: &[&str] = &[
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
];

pub fn read(body: &Value, cached: bool) -> Result<Question, Refusal> {
    let fields = body.as_object().ok_or_else(|| Refusal::missing("model"))?;
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(unknown_parameter(unknown));
    }
    match &body["model"] {
        Value::String(model) if !model.is_empty() => {}
        Value::Null | Value::String(_) => return Err(Refusal::missing("model")),
        other => return Err(Refusal::kind("model", "a string", other)),
    }
    check_scalars(body)?;
    check_choices(body)?;
    let mut question = Question {
        cached,
        thinks: body["reasoning"]["effort"]
            .as_str()
            .is_some_and(|effort| effort != "none"),
        longest: body["max_output_tokens"].as_u64(),
        ..Question::default()
    };
    question.read(body["instructions"].as_str().unwrap_or_default());
    read_tools(body, &mut question)?;
    read_format(&body["text"]["format"], &mut question)?;
    input::read_input(&body["input"], &mut question)?;
    Ok(question)
}

pub fn unknown_parameter(name: &str) -> Refusal {
    Refusal {
        code: Some("unknown_parameter"),
        ..Refusal::new(name, format!("Unknown parameter: '{name}'."))
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
    Ok(())
}

fn check_choices(body: &Value) -> Result<(), Refusal> {
    one_of("reasoning.effort", &body["reasoning"]["effort"], EFFORTS)?;
    one_of("reasoning.summary", &body["reasoning"]["summary"], SUMMARIES)?;
    for (n, include) in body["include"].as_array().into_iter().flatten().enumerate() {
        one_of(&format!("include[{n}]"), include, INCLUDES)?;
    }
    if let Some(id) = body["previous_response_id"].as_str() {
        let message = format!("Previous response with id '{id}' not found.");
        return Err(Refusal {
            code: Some("previous_response_not_found"),
            ..Refusal::new("previous_response_id", message)
        });
    }
    let stream_options = &body["stream_options"];
    if !stream_options.is_null() && body["stream"] != true {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refusal::new("stream_options", message));
    }
    // a field of chat completions that many carry over
    if stream_options.get("include_usage").is_some() {
        return Err(unknown_parameter("stream_options.include_usage"));
    }
    Ok(())
}

fn one_of(param: &str, value: &Value, allowed: &[&str]) -> Result<(), Refusal> {
    match value {
        Value::Null => Ok(()),
        Value::String(text) if allowed.contains(&text.as_str()) => Ok(()),
        Value::String(text) => Err(unsupported(param, text, allowed)),
        other => Err(Refusal::kind(param, "a string", other)),
    }
}

pub fn unsupported(param: &str, value: &str, allowed: &[&str]) -> Refusal {
    let message = format!(
        "Invalid value: '{value}'. Supported values are: '{}'.",
        allowed.join("', '")
    );
    Refusal::new(param, message)
}

fn read_tools(body: &Value, question: &mut Question) -> Result<(), Refusal> {
    let none = Vec::new();
    let tools = match &body["tools"] {
        Value::Null => &none,
        Value::Array(tools) => tools,
        other => return Err(Refusal::kind("tools", "an array of objects", other)),
    };
    let choice = &body["tool_choice"];
    for (index, tool) in tools.iter().enumerate() {
        let place = format!("tools[{index}]");
        match tool["type"].as_str() {
            None => return Err(Refusal::missing(&format!("{place}.type"))),
            Some("function") => {}
            // the vendor's own tools, and those that take free text, may be offered and are never called
            Some(_) => continue,
        }
        let name = read_function(tool, &place)?;
        let chosen = choice["name"].as_str().is_none_or(|only| only == name);
        if choice != "none" && chosen {
            question.tools.push((name.to_owned(), tool["parameters"].clone()));
        }
    }
    question.tool_required = choice == "required" || choice["type"] == "function";
    if question.tool_required && tools.is_empty() {
        let message = format!("Tool choice '{choice}' must be specified with 'tools' parameter.");
        return Err(Refusal::new("tool_choice", message.replace('"', "")));
    }
    if choice["type"] == "function" && question.tools.is_empty() {
        let message = format!("Tool choice '{}' not found in 'tools' parameter.", choice["type"]);
        return Err(Refusal::new("tool_choice", message.replace('"', "")));
    }
    Ok(())
}

/// The name of a function tool, which stands in the tool itself and not in a `function` of it.
fn read_function<'a>(tool: &'a Value, place: &str) -> Result<&'a str, Refusal> {
    let param = format!("{place}.name");
    let name = tool["name"].as_str().ok_or_else(|| Refusal::missing(&param))?;
    if tool.get("function").is_some() {
        return Err(unknown_parameter(&format!("{place}.function")));
    }
    if !is_name(&tool["name"]) {
        let message = format!(
            "Invalid '{param}': string does not match pattern. Expected a string that matches the pattern \
             '^[a-zA-Z0-9_-]+$'."
        );
        return Err(Refusal::new(&param, message));
    }
    let parameters = &tool["parameters"];
    if !parameters.is_null() && parameters["type"] != "object" {
        let message = format!("Invalid schema for function '{name}': schema must have type 'object'.");
        return Err(Refusal::new(&format!("{place}.parameters"), message));
    }
    if tool["strict"] == true && !schema::is_closed(parameters) {
        return Err(open_schema(
            &format!("{place}.parameters"),
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
            if !is_name(&format["name"]) {
                return Err(Refusal::missing("text.format.name"));
            }
            if !format["schema"].is_object() {
                return Err(Refusal::missing("text.format.schema"));
            }
            if format["strict"] == true && !schema::is_closed(&format["schema"]) {
                let what = format!("response_format {}", format["name"]);
                return Err(open_schema("text.format.schema", &what));
            }
            question.schema = Some(format["schema"].clone());
        }
        _ => {
            let message = format!("Invalid value: {}.", format["type"]);
            return Err(Refusal::new("text.format.type", message));
        }
    }
    Ok(())
}
