//! Reading a request, or saying why not.

use super::content;
use crate::answer::Question;
use crate::schema;
use axum::http::HeaderMap;
use serde_json::Value;

/// Versions that exist, the newest last.
const VERSIONS: &[&str] = &["2023-01-01", OLD, "2026-10-21"];
const OLD: &str = "2023-06-01";
/// What every version takes; beta headers open the door to more.
const FIELDS: &[&str] = &[
    "cache_control",
    "container",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "prefill",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "thinking",
    "tool_choice",
    "tools",
    "user_profile_id",
    "workspace_id",
];
/// What versions up to [`OLD`] take besides, with the inclusive upper bound.
const SAMPLING: &[(&str, f64)] = &[("temperature", 1.0), ("top_p", 1.0), ("top_k", f64::MAX)];
const LEAST_THINKING: u64 = 1_024;
const MAX_CACHE_MARKS: usize = 4;

pub fn check_version(headers: &HeaderMap) -> Result<(), String> {
    let version = text(headers, "anthropic-version").ok_or("anthropic-version: header is required")?;
    if VERSIONS.contains(&version) {
        return Ok(());
    }
    Err(format!("anthropic-version: \"{version}\" is not a valid version"))
}

pub fn read(body: &Value, headers: &HeaderMap, cached: bool) -> Result<Question, String> {
    check_fields(body, headers)?;
    match &body["model"] {
        Value::Null => return Err("model: Field required".into()),
        Value::String(model) if model.is_empty() => {
            return Err("model: String should have at least 1 character".into());
        }
        Value::String(_) => {}
        _ => return Err("model: Input should be a valid string".into()),
    }
    let longest = max_tokens(&body["max_tokens"])?;
    if body
        .get("stream")
        .is_some_and(|stream| !stream.is_boolean() && !stream.is_null())
    {
        return Err("stream: Input should be a valid boolean".into());
    }
    let messages = match &body["messages"] {
        Value::Null => return Err("messages: Field required".into()),
        Value::Array(messages) if messages.is_empty() => {
            return Err("messages: at least one message is required".into());
        }
        Value::Array(messages) => messages,
        _ => return Err("messages: Input should be a valid list".into()),
    };
    let mut question = Question {
        cached,
        messages: messages.len() as u64,
        longest: Some(longest),
        stops: stops(&body["stop_sequences"])?,
        thinks: thinks(body, longest)?,
        ..Question::default()
    };
    question.read(&content::system(&body["system"])?);
    read_tools(body, &mut question)?;
    read_format(&body["output_config"]["format"], &mut question)?;
    if question.thinks && question.tool_required {
        return Err("Thinking may not be enabled when tool_choice forces tool use.".into());
    }
    let must_think = body["thinking"]["type"] == "enabled";
    content::read_messages(messages, must_think, &mut question)?;
    Ok(question)
}

fn check_fields(body: &Value, headers: &HeaderMap) -> Result<(), String> {
    let fields = body
        .as_object()
        .ok_or("Input should be a valid dictionary or object to extract fields from")?;
    let version = text(headers, "anthropic-version").unwrap_or_default();
    let sampling = if version <= OLD { SAMPLING } else { &[] };
    for (name, value) in fields {
        let bound = sampling.iter().find(|(sampling, _)| sampling == name);
        let known =
            bound.is_some() || FIELDS.contains(&name.as_str()) || headers.contains_key("anthropic-beta");
        if !known {
            return Err(format!("{name}: Extra inputs are not permitted"));
        }
        let in_bounds = |most: f64| {
            value
                .as_f64()
                .is_some_and(|number| (0.0..=most).contains(&number))
        };
        if let Some((_, most)) = bound
            && !value.is_null()
            && !in_bounds(*most)
        {
            return Err(format!("{name}: Input should be a number from 0 to {most}"));
        }
    }
    let marks = cache_marks(body);
    if marks > MAX_CACHE_MARKS {
        return Err(format!(
            "A maximum of {MAX_CACHE_MARKS} blocks with cache_control may be provided. Found {marks}."
        ));
    }
    Ok(())
}

/// In blocks and tools, not in what tools take.
fn cache_marks(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(cache_marks).sum(),
        Value::Object(fields) => {
            let own = fields.get("cache_control").is_some_and(Value::is_object);
            let inner = fields
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "input" | "input_schema" | "output_config"));
            usize::from(own) + inner.map(|(_, value)| cache_marks(value)).sum::<usize>()
        }
        _ => 0,
    }
}

fn max_tokens(max: &Value) -> Result<u64, String> {
    match max.as_i64() {
        Some(1..) => Ok(max.as_u64().unwrap_or_default()),
        Some(_) => Err("max_tokens: Input should be greater than or equal to 1".into()),
        None if max.is_null() => Err("max_tokens: Field required".into()),
        None => Err("max_tokens: Input should be a valid integer".into()),
    }
}

fn stops(stops: &Value) -> Result<Vec<String>, String> {
    let Some(stops) = stops.as_array() else {
        return if stops.is_null() {
            Ok(Vec::new())
        } else {
            Err("stop_sequences: Input should be a valid list".into())
        };
    };
    stops
        .iter()
        .map(|stop| stop.as_str().filter(|stop| !stop.trim().is_empty()))
        .map(|stop| stop.map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| "stop_sequences: each stop sequence must contain non-whitespace".into())
}

fn thinks(body: &Value, longest: u64) -> Result<bool, String> {
    let thinking = &body["thinking"];
    match thinking["type"].as_str() {
        None if thinking.is_null() => Ok(false),
        Some("disabled") => Ok(false),
        Some("adaptive" | "between_tools") => Ok(true),
        Some("enabled") => {
            let budget = thinking["budget_tokens"].as_u64();
            let budget = budget.ok_or("thinking.enabled.budget_tokens: Field required")?;
            if budget < LEAST_THINKING {
                return Err(format!(
                    "thinking.enabled.budget_tokens: Input should be greater than or equal to {LEAST_THINKING}"
                ));
            }
            if budget >= longest {
                return Err("`max_tokens` must be greater than `thinking.budget_tokens`.".into());
            }
            let temperature = body["temperature"].as_f64();
            if temperature.is_some_and(|temperature| temperature < 1.0) {
                return Err("`temperature` may only be set to 1 when thinking is enabled.".into());
            }
            Ok(true)
        }
        _ => Err("thinking: Input tag should be one of 'enabled', 'disabled', 'adaptive'".into()),
    }
}

fn read_tools(body: &Value, question: &mut Question) -> Result<(), String> {
    let choice = &body["tool_choice"];
    let tools = body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    if !choice.is_null() && tools.is_empty() {
        return Err("tool_choice: may only be specified while providing tools".into());
    }
    if !choice.is_null() && !matches!(choice["type"].as_str(), Some("auto" | "any" | "tool" | "none")) {
        return Err("tool_choice: Input tag should be one of 'auto', 'any', 'tool', 'none'".into());
    }
    for (index, tool) in tools.iter().enumerate() {
        let name = tool["name"].as_str().filter(|name| is_name(name, 128));
        let name = name.ok_or(format!(
            "tools.{index}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        ))?;
        // the vendor's own tools have a dated type and bring their schema; they are never called here
        if tool["type"].as_str().is_some_and(|kind| kind != "custom") {
            continue;
        }
        if tool["input_schema"]["type"] != "object" {
            return Err(format!(
                "tools.{index}.custom.input_schema.type: Input should be 'object'"
            ));
        }
        let chosen = choice["name"].as_str().is_none_or(|only| only == name);
        if choice["type"] != "none" && chosen {
            question
                .tools
                .push((name.to_owned(), tool["input_schema"].clone()));
        }
    }
    if choice["type"] == "tool" && question.tools.is_empty() {
        return Err(format!(
            "Tool '{}' not found in provided tools",
            choice["name"].as_str().unwrap_or_default()
        ));
    }
    question.tool_required = matches!(choice["type"].as_str(), Some("any" | "tool"));
    Ok(())
}

fn read_format(format: &Value, question: &mut Question) -> Result<(), String> {
    if format.is_null() {
        return Ok(());
    }
    if format["type"] != "json_schema" {
        return Err("output_config.format.type: Input should be 'json_schema'".into());
    }
    if !schema::is_closed(&format["schema"]) {
        return Err(
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
                .into(),
        );
    }
    question.schema = Some(format["schema"].clone());
    Ok(())
}

pub fn is_name(text: &str, longest: usize) -> bool {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    !text.is_empty() && text.len() <= longest && text.chars().all(legal)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
