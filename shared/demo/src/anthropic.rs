//! Anthropic Messages, as strict as the vendor.

use crate::answer::{Answer, Question, pieces};
use crate::behaviour::Behaviour;
use crate::openai::halves;
use crate::received::Billed;
use crate::wire::{self, Entry, Frame};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub fn answer(body: &Value, entry: Entry, behaviour: &Behaviour) -> Response {
    let question = match read(body, behaviour.cached) {
        Ok(question) => question,
        Err(message) => return refuse(400, &message),
    };
    let reply = question.answer();
    let model = body["model"].as_str().unwrap_or_default();
    let id = format!("msg_demo{}", entry.index);
    let stream = (body["stream"] == true || behaviour.streamed) && !behaviour.whole;
    if !stream {
        return wire::whole(&entry, &message(&id, model, &reply), reply.billed);
    }
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let error = Frame::event("error", &overloaded, 0);
    wire::streamed(
        entry,
        events(&id, model, &reply),
        error,
        reply.billed,
        behaviour.clone(),
    )
}

/// An error in the vendor's envelope.
pub fn refuse(status: u16, message: &str) -> Response {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    let body =
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_demo"});
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(body)).into_response()
}

pub fn models() -> Value {
    json!({"data": [{"type": "model", "id": "demo", "display_name": "Demo", "created_at": "2026-01-01T00:00:00Z"}],
        "has_more": false, "first_id": "demo", "last_id": "demo"})
}

// === reading ===

fn read(body: &Value, cached: bool) -> Result<Question, String> {
    if !body["model"].is_string() {
        return Err("model: Field required".into());
    }
    if body["max_tokens"].as_u64().is_none_or(|max| max == 0) {
        return Err("max_tokens: Field required".into());
    }
    if body.get("stream").is_some_and(|stream| !stream.is_boolean()) {
        return Err("stream: Input should be a valid boolean".into());
    }
    let messages = body["messages"].as_array().ok_or("messages: Field required")?;
    if messages.is_empty() {
        return Err("messages: at least one message is required".into());
    }
    let mut question = Question {
        cached,
        messages: messages.len() as u64,
        ..Question::default()
    };
    question.read(&system(&body["system"])?);
    read_tools(body, &mut question)?;
    question.thinks = matches!(body["thinking"]["type"].as_str(), Some("enabled" | "adaptive"));
    if body["output_config"]["format"]["type"] == "json_schema" {
        question.schema = Some(body["output_config"]["format"]["schema"].clone());
    }
    read_messages(messages, &mut question)?;
    Ok(question)
}

fn system(system: &Value) -> Result<String, String> {
    match system {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(blocks) => blocks
            .iter()
            .map(|block| block["text"].as_str().filter(|text| !text.is_empty()))
            .collect::<Option<Vec<_>>>()
            .map(|texts| texts.join(" "))
            .ok_or_else(|| "system: text content blocks must be non-empty".into()),
        _ => Err("system: Input should be a valid string or list".into()),
    }
}

/// Roles alternate from a user on; every tool_use is answered at the start of the next user message.
fn read_messages(messages: &[Value], question: &mut Question) -> Result<(), String> {
    let mut open: BTreeSet<String> = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        let expected = if index % 2 == 0 { "user" } else { "assistant" };
        if role != expected {
            return Err(format!(
                "messages.{index}: roles must alternate between \"user\" and \"assistant\""
            ));
        }
        let blocks = blocks(&message["content"], index)?;
        if role == "user" {
            read_user(&blocks, index, &mut open, question)?;
        } else {
            read_assistant(&blocks, index, index + 1 == messages.len(), &mut open, question)?;
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err("messages: `tool_use` ids were found without `tool_result` blocks".into())
    }
}

fn read_user(
    blocks: &[Value],
    index: usize,
    open: &mut BTreeSet<String>,
    question: &mut Question,
) -> Result<(), String> {
    question.tool_results.clear();
    let mut text = String::new();
    for (n, block) in blocks.iter().enumerate() {
        let place = format!("messages.{index}.content.{n}");
        match block["type"].as_str() {
            Some("tool_result") => {
                let id = block["tool_use_id"].as_str().unwrap_or_default();
                if !open.remove(id) {
                    return Err(format!(
                        "{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id}"
                    ));
                }
                let result = result_text(&block["content"]);
                question.read(&result);
                question.tool_results.push(result);
            }
            _ if !open.is_empty() => {
                return Err(format!(
                    "{place}: `tool_use` ids were found without `tool_result` blocks immediately after"
                ));
            }
            Some("text") => text.push_str(non_empty(&block["text"], &place)?),
            Some("image") if block["source"]["type"].is_string() => text.push_str("[image]"),
            Some("document") => text.push_str("[document]"),
            other => return Err(format!("{place}.type: unexpected {}", other.unwrap_or("block"))),
        }
    }
    if !open.is_empty() {
        return Err(format!(
            "messages.{index}: `tool_use` ids were found without `tool_result` blocks"
        ));
    }
    question.read(&text);
    if !text.is_empty() {
        question.last_user = text;
    }
    Ok(())
}

fn read_assistant(
    blocks: &[Value],
    index: usize,
    last: bool,
    open: &mut BTreeSet<String>,
    question: &mut Question,
) -> Result<(), String> {
    for (n, block) in blocks.iter().enumerate() {
        let place = format!("messages.{index}.content.{n}");
        match block["type"].as_str() {
            Some("text") => {
                let text = non_empty(&block["text"], &place)?;
                if last && text.ends_with(char::is_whitespace) {
                    return Err(
                        "messages: final assistant content cannot end with trailing whitespace".into(),
                    );
                }
                question.read(text);
            }
            Some("tool_use") => {
                let id = block["id"]
                    .as_str()
                    .filter(|id| is_name(id, 256))
                    .ok_or(format!("{place}.id: invalid"))?;
                if !block["input"].is_object() {
                    return Err(format!("{place}.input: Input should be a valid dictionary"));
                }
                open.insert(id.to_owned());
            }
            Some("thinking")
                if block["signature"]
                    .as_str()
                    .is_some_and(|s| s.starts_with("demo-signature-")) => {}
            Some("thinking") => return Err(format!("{place}: Invalid `signature` in `thinking` block")),
            Some("redacted_thinking") => {}
            other => return Err(format!("{place}.type: unexpected {}", other.unwrap_or("block"))),
        }
    }
    Ok(())
}

fn blocks(content: &Value, index: usize) -> Result<Vec<Value>, String> {
    match content {
        Value::String(text) => Ok(vec![json!({"type": "text", "text": text})]),
        Value::Array(blocks) if !blocks.is_empty() => Ok(blocks.clone()),
        _ => Err(format!(
            "messages.{index}.content: Input should be a valid string or non-empty list"
        )),
    }
}

fn non_empty<'a>(text: &'a Value, place: &str) -> Result<&'a str, String> {
    text.as_str()
        .filter(|text| !text.trim().is_empty())
        .ok_or(format!("{place}: text content blocks must be non-empty"))
}

fn result_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect::<Vec<_>>()
            .join(" "),
        _ => String::new(),
    }
}

fn read_tools(body: &Value, question: &mut Question) -> Result<(), String> {
    let choice = &body["tool_choice"];
    for (index, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        let name = tool["name"].as_str().filter(|name| is_name(name, 128));
        let name = name.ok_or(format!(
            "tools.{index}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        ))?;
        if tool["input_schema"]["type"] != "object" {
            return Err(format!(
                "tools.{index}.input_schema.type: Input should be 'object'"
            ));
        }
        let chosen = choice["name"].as_str().is_none_or(|only| only == name);
        if choice["type"] != "none" && chosen {
            question
                .tools
                .push((name.to_owned(), tool["input_schema"].clone()));
        }
    }
    question.tool_required = matches!(choice["type"].as_str(), Some("any" | "tool"));
    Ok(())
}

fn is_name(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

// === writing ===

fn message(id: &str, model: &str, reply: &Answer) -> Value {
    let mut content = Vec::new();
    if let Some(thinking) = &reply.thinking {
        content.push(json!({"type": "thinking", "thinking": thinking, "signature": signature(id)}));
    }
    if !reply.text.is_empty() {
        content.push(json!({"type": "text", "text": reply.text, "citations": null}));
    }
    for (n, (name, arguments)) in reply.calls.iter().enumerate() {
        let input: Value = serde_json::from_str(arguments).unwrap_or_default();
        content
            .push(json!({"type": "tool_use", "id": format!("toolu_{id}_{n}"), "name": name, "input": input}));
    }
    json!({
        "id": id, "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": stop_reason(reply), "stop_sequence": null, "usage": usage(reply.billed, reply.billed.output),
    })
}

fn events(id: &str, model: &str, reply: &Answer) -> Vec<Frame> {
    let (reasoning, total) = (reply.billed.reasoning, reply.billed.output);
    let start = json!({"type": "message_start", "message": {
        "id": id, "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(reply.billed, 1),
    }});
    let mut frames = vec![
        Frame::event("message_start", &start, 0),
        Frame::event("ping", &json!({"type": "ping"}), 0),
    ];
    let mut index = 0;
    if let Some(thinking) = &reply.thinking {
        let block = json!({"type": "thinking", "thinking": "", "signature": ""});
        let mut deltas = vec![(json!({"type": "thinking_delta", "thinking": thinking}), reasoning)];
        deltas.push((
            json!({"type": "signature_delta", "signature": signature(id)}),
            reasoning,
        ));
        push_block(&mut frames, &mut index, &block, deltas);
    }
    if !reply.text.is_empty() {
        let deltas = pieces(&reply.text).into_iter().enumerate();
        let deltas = deltas.map(|(n, piece)| {
            (
                json!({"type": "text_delta", "text": piece}),
                reasoning + n as u64 + 1,
            )
        });
        push_block(
            &mut frames,
            &mut index,
            &json!({"type": "text", "text": ""}),
            deltas.collect(),
        );
    }
    for (n, (name, arguments)) in reply.calls.iter().enumerate() {
        let block = json!({"type": "tool_use", "id": format!("toolu_{id}_{n}"), "name": name, "input": {}});
        let deltas = [""].into_iter().chain(halves(arguments));
        let deltas = deltas
            .map(|piece| (json!({"type": "input_json_delta", "partial_json": piece}), total))
            .collect();
        push_block(&mut frames, &mut index, &block, deltas);
    }
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": stop_reason(reply), "stop_sequence": null},
        "usage": usage(reply.billed, total)});
    frames.push(Frame::event("message_delta", &delta, total));
    frames.push(Frame::event(
        "message_stop",
        &json!({"type": "message_stop"}),
        total,
    ));
    frames
}

fn push_block(frames: &mut Vec<Frame>, index: &mut u64, block: &Value, deltas: Vec<(Value, u64)>) {
    let before = frames.last().map_or(0, |frame| frame.output);
    let start = json!({"type": "content_block_start", "index": index, "content_block": block});
    frames.push(Frame::event("content_block_start", &start, before));
    for (delta, output) in deltas {
        let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
        frames.push(Frame::event("content_block_delta", &delta, output));
    }
    let after = frames.last().map_or(before, |frame| frame.output);
    frames.push(Frame::event(
        "content_block_stop",
        &json!({"type": "content_block_stop", "index": index}),
        after,
    ));
    *index += 1;
}

fn signature(id: &str) -> String {
    format!("demo-signature-{id}")
}

fn stop_reason(reply: &Answer) -> &'static str {
    if reply.calls.is_empty() {
        "end_turn"
    } else {
        "tool_use"
    }
}

/// The vendor's input count leaves cached tokens out.
fn usage(billed: Billed, output: u64) -> Value {
    json!({
        "input_tokens": billed.input - billed.cached, "cache_read_input_tokens": billed.cached,
        "cache_creation_input_tokens": 0, "output_tokens": output, "service_tier": "standard",
    })
}
