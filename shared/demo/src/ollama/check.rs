//! Reading a request, or saying why not.

use crate::answer::Question;
use serde_json::Value;

const ROLES: &[&str] = &["system", "user", "assistant", "tool"];
/// Options that are numbers, and whether they are whole.
const NUMBERS: &[(&str, bool)] = &[
    ("num_predict", true),
    ("num_ctx", true),
    ("num_keep", true),
    ("seed", true),
    ("top_k", true),
    ("repeat_last_n", true),
    ("temperature", false),
    ("top_p", false),
    ("min_p", false),
    ("typical_p", false),
    ("repeat_penalty", false),
    ("presence_penalty", false),
    ("frequency_penalty", false),
];

pub fn read(body: &Value, cached: bool) -> Result<Question, String> {
    if !body.is_object() {
        return Err(unmarshal(body, "", "api.ChatRequest"));
    }
    match &body["model"] {
        Value::String(model) if !model.is_empty() => {}
        Value::String(_) | Value::Null => return Err("model is required".into()),
        other => return Err(unmarshal(other, "ChatRequest.model", "string")),
    }
    if !body["stream"].is_null() && !body["stream"].is_boolean() {
        return Err(unmarshal(&body["stream"], "ChatRequest.stream", "bool"));
    }
    let options = &body["options"];
    check_options(options)?;
    let mut question = Question {
        cached,
        // less than nothing is no limit
        longest: options["num_predict"].as_u64(),
        stops: stops(&options["stop"])?,
        thinks: thinks(&body["think"])?,
        ..Question::default()
    };
    read_tools(&body["tools"], &mut question)?;
    read_format(&body["format"], &mut question)?;
    let messages = match &body["messages"] {
        Value::Null => &[][..],
        Value::Array(messages) => messages,
        other => return Err(unmarshal(other, "ChatRequest.messages", "[]api.Message")),
    };
    question.messages = messages.len() as u64;
    for message in messages {
        read_message(message, &mut question)?;
    }
    Ok(question)
}

/// What Go says of a value that its type cannot hold.
fn unmarshal(value: &Value, field: &str, kind: &str) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let place = if field.is_empty() {
        "value".to_owned()
    } else {
        format!("Go struct field {field}")
    };
    format!("json: cannot unmarshal {found} into {place} of type {kind}").replace("Go value", "value")
}

fn check_options(options: &Value) -> Result<(), String> {
    if !options.is_null() && !options.is_object() {
        return Err(unmarshal(
            options,
            "ChatRequest.options",
            "map[string]interface {}",
        ));
    }
    for (name, whole) in NUMBERS {
        let value = &options[name];
        let good = value.is_null()
            || value
                .as_f64()
                .is_some_and(|number| !whole || number.fract() == 0.0);
        if !good {
            let kind = if *whole { "integer" } else { "float32" };
            return Err(format!("option \"{name}\" must be of type {kind}"));
        }
    }
    Ok(())
}

fn stops(stop: &Value) -> Result<Vec<String>, String> {
    let wrong = || "option \"stop\" must be of type array".to_owned();
    match stop {
        Value::Null => Ok(Vec::new()),
        Value::Array(stops) => stops
            .iter()
            .map(|stop| stop.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect(),
        _ => Err(wrong()),
    }
}

fn thinks(think: &Value) -> Result<bool, String> {
    match think {
        Value::Null => Ok(false),
        Value::Bool(think) => Ok(*think),
        Value::String(level) if matches!(level.as_str(), "low" | "medium" | "high") => Ok(true),
        other => Err(format!(
            "invalid think value: {other} (must be \"high\", \"medium\", \"low\", true, or false)"
        )),
    }
}

fn read_tools(tools: &Value, question: &mut Question) -> Result<(), String> {
    let tools = match tools {
        Value::Null => return Ok(()),
        Value::Array(tools) => tools,
        other => return Err(unmarshal(other, "ChatRequest.tools", "api.Tools")),
    };
    for tool in tools {
        let function = &tool["function"];
        if !function.is_object() {
            return Err(unmarshal(
                function,
                "ChatRequest.tools.function",
                "api.ToolFunction",
            ));
        }
        let Some(name) = function["name"].as_str() else {
            return Err(unmarshal(
                &function["name"],
                "ToolFunction.tools.function.name",
                "string",
            ));
        };
        let parameters = &function["parameters"];
        if !parameters.is_null() && !parameters.is_object() {
            let field = "ToolFunction.tools.function.parameters";
            return Err(unmarshal(parameters, field, "api.ToolFunctionParameters"));
        }
        question.tools.push((name.to_owned(), parameters.clone()));
    }
    Ok(())
}

fn read_format(format: &Value, question: &mut Question) -> Result<(), String> {
    match format {
        Value::Null => {}
        Value::String(format) if format.is_empty() => {}
        Value::String(format) if format == "json" => question.json = true,
        Value::Object(_) => question.schema = Some(format.clone()),
        other => {
            return Err(format!(
                "invalid format: {other}; expected \"json\" or a valid JSON Schema object"
            ));
        }
    }
    Ok(())
}

fn read_message(message: &Value, question: &mut Question) -> Result<(), String> {
    if !message.is_object() {
        return Err(unmarshal(message, "ChatRequest.messages", "api.Message"));
    }
    let role = match &message["role"] {
        Value::String(role) if ROLES.contains(&role.as_str()) => role.as_str(),
        Value::String(role) => return Err(format!("invalid role: {role}, must be one of {ROLES:?}")),
        Value::Null => return Err(format!("invalid role: , must be one of {ROLES:?}")),
        other => return Err(unmarshal(other, "Message.messages.role", "string")),
    };
    for field in ["content", "thinking", "tool_name", "tool_call_id"] {
        let value = &message[field];
        if !value.is_null() && !value.is_string() {
            return Err(unmarshal(
                value,
                &format!("ChatRequest.messages.{field}"),
                "string",
            ));
        }
    }
    check_images(&message["images"])?;
    check_calls(&message["tool_calls"])?;
    let mut text = message["content"].as_str().unwrap_or_default().to_owned();
    question.read(&text);
    text.push_str(&"[image]".repeat(message["images"].as_array().map_or(0, Vec::len)));
    match role {
        "user" => {
            question.last_user = text;
            question.tool_results.clear();
        }
        "assistant" => question.tool_results.clear(),
        "tool" => question.tool_results.push(text),
        _ => {}
    }
    Ok(())
}

/// Bare base64, without the head that a data URL has.
fn check_images(images: &Value) -> Result<(), String> {
    let images = match images {
        Value::Null => return Ok(()),
        Value::Array(images) => images,
        other => return Err(unmarshal(other, "Message.messages.images", "[]api.ImageData")),
    };
    let legal = |letter: u8| letter.is_ascii_alphanumeric() || b"+/=".contains(&letter);
    for image in images {
        let Some(image) = image.as_str() else {
            return Err(unmarshal(image, "Message.messages.images", "[]uint8"));
        };
        let wrong = image.bytes().position(|letter| !legal(letter));
        if let Some(at) = wrong.or_else(|| (image.len() % 4 != 0).then_some(image.len())) {
            return Err(format!("illegal base64 data at input byte {at}"));
        }
    }
    Ok(())
}

fn check_calls(calls: &Value) -> Result<(), String> {
    let calls = match calls {
        Value::Null => return Ok(()),
        Value::Array(calls) => calls,
        other => return Err(unmarshal(other, "Message.messages.tool_calls", "[]api.ToolCall")),
    };
    for call in calls {
        let function = &call["function"];
        if !function["name"].is_string() {
            let field = "ToolCallFunction.messages.tool_calls.function.name";
            return Err(unmarshal(&function["name"], field, "string"));
        }
        if !function["arguments"].is_object() {
            let field = "ToolCallFunction.messages.tool_calls.function.arguments";
            return Err(unmarshal(
                &function["arguments"],
                field,
                "api.ToolCallFunctionArguments",
            ));
        }
    }
    Ok(())
}
