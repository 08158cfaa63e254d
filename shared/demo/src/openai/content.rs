//! The messages of a request: who may say what, and after whom.

use super::check::Refusal;
use crate::answer::Question;
use serde_json::Value;

/// Tool calls that still need their result, in the order they were made.
type Open = Vec<String>;

pub fn read_messages(messages: &[Value], question: &mut Question) -> Result<(), Refusal> {
    let mut open = Open::new();
    for (index, message) in messages.iter().enumerate() {
        let place = format!("messages[{index}]");
        let role = match &message["role"] {
            Value::String(role) => role.as_str(),
            Value::Null => return Err(Refusal::missing(&format!("{place}.role"))),
            other => return Err(Refusal::kind(&format!("{place}.role"), "a string", other)),
        };
        if role != "tool" {
            all_answered(&open)?;
        }
        let text = text_of(message, role, &place)?;
        question.read(&text);
        match role {
            "user" => {
                question.last_user = text;
                question.tool_results.clear();
            }
            "assistant" => {
                question.tool_results.clear();
                open = calls(message, &place)?;
            }
            "tool" => {
                answer_call(message, &mut open, &place)?;
                question.tool_results.push(text);
            }
            // the vendor's old form of a tool
            "function" => question.tool_results.push(text),
            "system" | "developer" => {}
            other => {
                let message = format!(
                    "Invalid value: '{other}'. Supported values are: 'system', 'assistant', 'user', 'function', \
                     'tool', and 'developer'."
                );
                return Err(Refusal::new(&format!("{place}.role"), message));
            }
        }
    }
    all_answered(&open)
}

fn all_answered(open: &Open) -> Result<(), Refusal> {
    if open.is_empty() {
        return Ok(());
    }
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
         'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    );
    Err(Refusal {
        code: None,
        ..Refusal::new("messages", message)
    })
}

fn answer_call(message: &Value, open: &mut Open, place: &str) -> Result<(), Refusal> {
    let id = message["tool_call_id"]
        .as_str()
        .ok_or_else(|| Refusal::missing(&format!("{place}.tool_call_id")))?;
    let Some(at) = open.iter().position(|call| call == id) else {
        // the vendor's own spelling
        let text = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with \
                    'tool_calls'.";
        return Err(Refusal {
            code: None,
            ..Refusal::new(&format!("{place}.role"), text)
        });
    };
    open.remove(at);
    Ok(())
}

fn calls(message: &Value, place: &str) -> Result<Open, Refusal> {
    let place = format!("{place}.tool_calls");
    match &message["tool_calls"] {
        Value::Null => Ok(Open::new()),
        Value::Array(calls) if calls.is_empty() => Err(Refusal::new(
            &place,
            format!("Invalid '{place}': empty array. Expected an array with minimum length 1."),
        )),
        Value::Array(calls) => calls
            .iter()
            .enumerate()
            .map(|(n, call)| call_id(call, &format!("{place}[{n}]")))
            .collect(),
        other => Err(Refusal::kind(&place, "an array of objects", other)),
    }
}

fn call_id(call: &Value, place: &str) -> Result<String, Refusal> {
    let id = call["id"]
        .as_str()
        .ok_or_else(|| Refusal::missing(&format!("{place}.id")))?;
    let (kind, input) = match call["type"].as_str() {
        Some("function") => ("function", "arguments"),
        Some("custom") => ("custom", "input"),
        _ => return Err(Refusal::missing(&format!("{place}.type"))),
    };
    for field in ["name", input] {
        let value = &call[kind][field];
        if !value.is_string() {
            return Err(Refusal::kind(
                &format!("{place}.{kind}.{field}"),
                "a string",
                value,
            ));
        }
    }
    Ok(id.to_owned())
}

fn text_of(message: &Value, role: &str, place: &str) -> Result<String, Refusal> {
    let place = format!("{place}.content");
    let parts = match &message["content"] {
        Value::String(text) => return Ok(text.clone()),
        Value::Array(parts) if !parts.is_empty() => parts,
        Value::Null if role == "assistant" && speaks_otherwise(message) => return Ok(String::new()),
        other => {
            let message = Refusal::kind(&place, "a string or an array of objects", other);
            return Err(message);
        }
    };
    let mut text = String::new();
    for (n, part) in parts.iter().enumerate() {
        text.push_str(part_text(part, role, &format!("{place}[{n}]"))?);
    }
    Ok(text)
}

fn speaks_otherwise(message: &Value) -> bool {
    ["tool_calls", "function_call", "refusal", "audio"]
        .into_iter()
        .any(|name| !message[name].is_null())
}

fn part_text<'a>(part: &'a Value, role: &str, place: &str) -> Result<&'a str, Refusal> {
    let kind = part["type"].as_str().unwrap_or_default();
    let allowed = match role {
        "user" => matches!(kind, "text" | "image_url" | "input_audio" | "file"),
        "assistant" => matches!(kind, "text" | "refusal"),
        _ => kind == "text",
    };
    if !allowed {
        let message = format!("Invalid value: '{kind}' is no content part of the role '{role}'.");
        return Err(Refusal::new(&format!("{place}.type"), message));
    }
    let (text, required) = match kind {
        "text" | "refusal" => (part[kind].as_str(), &part[kind]),
        "image_url" => (Some("[image]"), &part["image_url"]["url"]),
        "input_audio" => (Some("[audio]"), &part["input_audio"]["data"]),
        _ if part["file"].is_object() => return Ok("[file]"),
        _ => return Err(Refusal::missing(&format!("{place}.file"))),
    };
    match text {
        Some(text) if required.is_string() => Ok(text),
        _ => Err(Refusal::kind(&format!("{place}.{kind}"), "a string", required)),
    }
}
