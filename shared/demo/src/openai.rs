//! OpenAI Chat Completions, as strict as the vendor: what it refuses is refused with its own words for it.

use crate::answer::{Answer, Question, pieces};
use crate::behaviour::Behaviour;
use crate::received::Billed;
use crate::wire::{self, Entry, Frame};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::HashSet;

/// A refusal: the message, and the parameter it is about.
type Refusal = (String, Option<String>);

pub fn answer(body: &Value, entry: Entry, behaviour: &Behaviour) -> Response {
    let question = match read(body, behaviour.cached) {
        Ok(question) => question,
        Err((message, param)) => return refuse(400, &message, param.as_deref(), None),
    };
    let reply = question.answer();
    let model = body["model"].as_str().unwrap_or_default();
    let id = format!("chatcmpl-demo{}", entry.index);
    let stream = (body["stream"] == true || behaviour.streamed) && !behaviour.whole;
    if !stream {
        return wire::whole(&entry, &completion(&id, model, &reply), reply.billed);
    }
    let usage = body["stream_options"]["include_usage"] == true;
    let error = Frame::data(
        &envelope(
            500,
            "The server had an error while processing your request",
            None,
            None,
        ),
        0,
    );
    wire::streamed(
        entry,
        chunks(&id, model, &reply, usage),
        error,
        reply.billed,
        behaviour.clone(),
    )
}

/// An error in the vendor's envelope.
pub fn refuse(status: u16, message: &str, param: Option<&str>, code: Option<&str>) -> Response {
    let code_of_status = match status {
        401 => Some("invalid_api_key"),
        404 => Some("model_not_found"),
        429 => Some("rate_limit_exceeded"),
        _ => None,
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = envelope(status.as_u16(), message, param, code.or(code_of_status));
    (status, axum::Json(body)).into_response()
}

pub fn models() -> Value {
    json!({"object": "list", "data": [{"id": "demo", "object": "model", "created": 1_700_000_000, "owned_by": "omniroute"}]})
}

fn envelope(status: u16, message: &str, param: Option<&str>, code: Option<&str>) -> Value {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

// === reading ===

fn read(body: &Value, cached: bool) -> Result<Question, Refusal> {
    if !body["model"].is_string() {
        return Err(("you must provide a model parameter".into(), None));
    }
    let messages = body["messages"].as_array().ok_or_else(|| missing("messages"))?;
    if messages.is_empty() {
        return Err(("Invalid 'messages': empty array.".into(), Some("messages".into())));
    }
    for (name, is) in [
        ("stream", Value::is_boolean as fn(&Value) -> bool),
        ("n", Value::is_u64),
        ("max_tokens", Value::is_u64),
    ] {
        if body.get(name).is_some_and(|value| !value.is_null() && !is(value)) {
            return Err((format!("Invalid type for '{name}'."), Some(name.into())));
        }
    }
    if body.get("stream_options").is_some_and(|o| !o.is_null()) && body["stream"] != true {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err((message.into(), Some("stream_options".into())));
    }
    let mut question = Question {
        cached,
        messages: messages.len() as u64,
        ..Question::default()
    };
    read_tools(body, &mut question)?;
    read_format(&body["response_format"], &mut question)?;
    question.thinks = body["reasoning_effort"]
        .as_str()
        .is_some_and(|effort| effort != "none");
    read_messages(messages, &mut question)?;
    Ok(question)
}

fn read_messages(messages: &[Value], question: &mut Question) -> Result<(), Refusal> {
    let mut open: HashSet<String> = HashSet::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role != "tool" && !open.is_empty() {
            let ids = open.iter().cloned().collect::<Vec<_>>().join(", ");
            let text = format!(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
                 'tool_call_id'. The following tool_call_ids did not have response messages: {ids}"
            );
            return Err((text, Some("messages".into())));
        }
        let text = text_of(&message["content"], index)?;
        question.read(&text);
        match role {
            "user" => {
                question.last_user = text;
                question.tool_results.clear();
            }
            "assistant" => {
                question.tool_results.clear();
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    open.insert(call_id(call, index)?);
                }
            }
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                if !open.remove(id) {
                    let text = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
                    return Err((text.into(), Some(format!("messages.[{index}].role"))));
                }
                question.tool_results.push(text);
            }
            "system" | "developer" => {}
            _ => {
                return Err((
                    format!("Invalid value: '{role}'."),
                    Some(format!("messages[{index}].role")),
                ));
            }
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(("tool_calls without tool messages".into(), Some("messages".into())))
    }
}

fn call_id(call: &Value, index: usize) -> Result<String, Refusal> {
    let whole = call["function"]["name"].is_string() && call["function"]["arguments"].is_string();
    match call["id"].as_str() {
        Some(id) if whole => Ok(id.to_owned()),
        _ => Err((
            "Invalid tool call.".into(),
            Some(format!("messages[{index}].tool_calls")),
        )),
    }
}

fn text_of(content: &Value, index: usize) -> Result<String, Refusal> {
    let parts = match content {
        Value::Null => return Ok(String::new()),
        Value::String(text) => return Ok(text.clone()),
        Value::Array(parts) => parts,
        _ => {
            return Err((
                "Invalid type for content.".into(),
                Some(format!("messages[{index}].content")),
            ));
        }
    };
    let mut text = String::new();
    for (part_index, part) in parts.iter().enumerate() {
        match part["type"].as_str() {
            Some("text") if part["text"].is_string() => {
                text.push_str(part["text"].as_str().unwrap_or_default())
            }
            Some("image_url") if part["image_url"]["url"].is_string() => text.push_str("[image]"),
            Some("input_audio" | "file" | "refusal") => {}
            _ => {
                let place = format!("messages[{index}].content[{part_index}]");
                return Err((format!("Invalid value at '{place}.type'."), Some(place)));
            }
        }
    }
    Ok(text)
}

fn read_tools(body: &Value, question: &mut Question) -> Result<(), Refusal> {
    let choice = &body["tool_choice"];
    for (index, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        let function = &tool["function"];
        let Some(name) = function["name"].as_str() else {
            return Err((
                format!("Missing required parameter: 'tools[{index}].function.name'."),
                Some("tools".into()),
            ));
        };
        let legal = !name.is_empty()
            && name.len() <= 64
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        if !legal {
            let message = format!("Invalid 'tools[{index}].function.name': string does not match pattern.");
            return Err((message, Some(format!("tools[{index}].function.name"))));
        }
        let chosen = choice["function"]["name"]
            .as_str()
            .is_none_or(|only| only == name);
        if choice != "none" && chosen {
            question
                .tools
                .push((name.to_owned(), function["parameters"].clone()));
        }
    }
    question.tool_required = choice == "required" || choice.is_object();
    Ok(())
}

fn read_format(format: &Value, question: &mut Question) -> Result<(), Refusal> {
    match format["type"].as_str() {
        None | Some("text") => {}
        Some("json_object") => question.json = true,
        Some("json_schema") if format["json_schema"]["name"].is_string() => {
            question.schema = Some(format["json_schema"]["schema"].clone());
        }
        _ => {
            return Err((
                "Invalid 'response_format'.".into(),
                Some("response_format".into()),
            ));
        }
    }
    Ok(())
}

fn missing(name: &str) -> Refusal {
    (
        format!("Missing required parameter: '{name}'."),
        Some(name.into()),
    )
}

// === writing ===

fn completion(id: &str, model: &str, reply: &Answer) -> Value {
    let mut message = json!({"role": "assistant", "content": reply.text, "refusal": null, "annotations": []});
    if !reply.calls.is_empty() {
        message["content"] = Value::Null;
        message["tool_calls"] = reply
            .calls
            .iter()
            .enumerate()
            .map(|(n, call)| tool_call(id, n, call))
            .collect();
    }
    json!({
        "id": id, "object": "chat.completion", "created": 1_700_000_000, "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish(reply)}],
        "usage": usage(reply.billed), "service_tier": "default", "system_fingerprint": "fp_demo",
    })
}

fn chunks(id: &str, model: &str, reply: &Answer, include_usage: bool) -> Vec<Frame> {
    let total = reply.billed.output;
    let chunk = |choices: Value| {
        let mut chunk = json!({
            "id": id, "object": "chat.completion.chunk", "created": 1_700_000_000, "model": model,
            "system_fingerprint": "fp_demo", "choices": choices,
        });
        if include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let delta =
        |delta: Value| chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}]));

    let mut frames = vec![Frame::data(
        &delta(json!({"role": "assistant", "content": "", "refusal": null})),
        reply.billed.reasoning,
    )];
    for (n, piece) in pieces(&reply.text).iter().enumerate() {
        frames.push(Frame::data(
            &delta(json!({"content": piece})),
            reply.billed.reasoning + n as u64 + 1,
        ));
    }
    for (n, call) in reply.calls.iter().enumerate() {
        let mut opening = tool_call(id, n, call);
        opening["index"] = json!(n);
        opening["function"]["arguments"] = json!("");
        frames.push(Frame::data(&delta(json!({"tool_calls": [opening]})), total));
        for piece in halves(&call.1) {
            let fragment = json!({"tool_calls": [{"index": n, "function": {"arguments": piece}}]});
            frames.push(Frame::data(&delta(fragment), total));
        }
    }
    let last = json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": finish(reply)}]);
    frames.push(Frame::data(&chunk(last), total));
    if include_usage {
        let mut closing = chunk(json!([]));
        closing["usage"] = usage(reply.billed);
        frames.push(Frame::data(&closing, total));
    }
    frames.push(Frame {
        event: None,
        data: "[DONE]".into(),
        output: total,
    });
    frames
}

fn tool_call(id: &str, n: usize, (name, arguments): &(String, String)) -> Value {
    json!({"id": format!("call_{id}_{n}"), "type": "function", "function": {"name": name, "arguments": arguments}})
}

/// Arguments arrive in two fragments, cut at a character.
pub fn halves(text: &str) -> Vec<&str> {
    let middle = (text.len() / 2..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let (first, second) = text.split_at(middle);
    [first, second]
        .into_iter()
        .filter(|piece| !piece.is_empty())
        .collect()
}

fn finish(reply: &Answer) -> &'static str {
    if reply.calls.is_empty() {
        "stop"
    } else {
        "tool_calls"
    }
}

fn usage(billed: Billed) -> Value {
    json!({
        "prompt_tokens": billed.input, "completion_tokens": billed.output, "total_tokens": billed.input + billed.output,
        "prompt_tokens_details": {"cached_tokens": billed.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": billed.reasoning, "audio_tokens": 0},
    })
}
