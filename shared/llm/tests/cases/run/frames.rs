//! An upstream's stream from the short form of the fixtures: what every frame of a dialect has is filled in here.

use crate::laws::upstream::bedrock_converse::{event, exception};
use llm::Dialect;
use serde_json::{Value, json};

pub fn render(upstream: Dialect, frames: &Value) -> Vec<u8> {
    let frames = frames.as_array().map(Vec::as_slice).unwrap_or_default();
    if upstream == Dialect::BedrockConverse {
        return frames.iter().flat_map(bedrock_converse).collect();
    }
    let frame = |(number, frame): (usize, &Value)| match (upstream, frame) {
        // bytes as they are, but for OpenAI's last word
        (_, Value::String(raw)) if raw != "[DONE]" => raw.clone(),
        (Dialect::OpenAiChat, frame) => openai_chat(frame),
        (Dialect::OpenAiResponses, frame) => openai_responses(number, frame),
        (Dialect::AnthropicMessages, frame) => anthropic_messages(frame),
        (Dialect::Gemini, frame) => gemini(frame),
        (Dialect::OllamaChat | Dialect::BedrockConverse, frame) => ollama_chat(frame),
    };
    let frames: String = frames.iter().enumerate().map(frame).collect();
    frames.into_bytes()
}

fn openai_chat(frame: &Value) -> String {
    if let Some(raw) = frame.as_str() {
        return format!("data: {raw}\n\n");
    }
    let mut chunk =
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "n"});
    let choice = match (frame.get("delta"), frame.get("finish")) {
        (Some(delta), _) => Some(json!({"index": 0, "delta": delta, "finish_reason": null})),
        (_, Some(finish)) => Some(json!({"index": 0, "delta": {}, "finish_reason": finish})),
        _ => None,
    };
    if let Some(choice) = choice {
        chunk["choices"] = json!([choice]);
    }
    let rest = frame.as_object().into_iter().flatten();
    for (key, value) in rest.filter(|(key, _)| !["delta", "finish"].contains(&key.as_str())) {
        chunk[key] = value.clone();
    }
    format!("data: {chunk}\n\n")
}

fn openai_responses(number: usize, frame: &Value) -> String {
    let mut event = frame.clone();
    event["sequence_number"] = json!(number);
    let kind = event["type"].as_str().unwrap_or_default().to_owned();
    let status = match kind.as_str() {
        "response.created" => Some("in_progress"),
        "response.completed" => Some("completed"),
        _ => None,
    };
    if let Some(status) = status {
        let usage = json!({"input_tokens": 5, "output_tokens": 2, "total_tokens": 7});
        event["response"] = json!({
            "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "n", "output": [],
            "usage": if status == "completed" { usage } else { Value::Null },
        });
    }
    format!("event: {kind}\ndata: {event}\n\n")
}

fn anthropic_messages(frame: &Value) -> String {
    let mut event = frame.clone();
    let kind = event["type"].as_str().unwrap_or_default().to_owned();
    if kind == "message_start" && event.get("message").is_none() {
        event["message"] = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "n", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 1},
        });
    }
    format!("event: {kind}\ndata: {event}\n\n")
}

fn gemini(frame: &Value) -> String {
    let mut chunk = frame.clone();
    if let Some(parts) = frame.get("parts") {
        let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
        if let Some(finish) = frame.get("finish") {
            candidate["finishReason"] = finish.clone();
        }
        chunk = json!({"candidates": [candidate], "modelVersion": "n", "responseId": "r1"});
    }
    format!("data: {chunk}\r\n\r\n")
}

/// `type` is the name of the event or, where it ends so, of the exception.
fn bedrock_converse(frame: &Value) -> Vec<u8> {
    let name = frame["type"].as_str().unwrap_or_default();
    let mut payload = frame.clone();
    if let Some(members) = payload.as_object_mut() {
        members.remove("type");
    }
    match name.ends_with("Exception") {
        true => exception(name, &payload),
        false => event(name, &payload),
    }
}

fn ollama_chat(frame: &Value) -> String {
    let mut line = frame.clone();
    if line.get("message").is_some() {
        line["model"] = json!("n");
        line["created_at"] = json!("2026-01-01T00:00:00.000000001Z");
    }
    format!("{line}\n")
}
