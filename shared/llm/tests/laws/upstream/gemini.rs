//! `streamGenerateContent?alt=sse` as Google streams it: whole objects, calls in one piece, no last word but the
//! finish reason.

use super::{Script, Step, id, object};
use serde_json::{Value, json};

pub fn frames(script: &Script) -> Vec<String> {
    let mut frames = Vec::new();
    for (index, step) in script.steps.iter().enumerate() {
        let parts = match step {
            Step::Reasoning(all) | Step::Text(all) => fragments(script, step, all),
            Step::Call { .. } => vec![part(script, step, index)],
        };
        frames.extend(parts.into_iter().map(|part| chunk(vec![part], None, script)));
    }
    frames.push(chunk(vec![json!({"text": ""})], Some(reason(script)), script));
    frames
}

pub fn reply(script: &Script) -> Value {
    let parts = script.steps.iter().enumerate();
    let parts = parts.map(|(index, step)| part(script, step, index)).collect();
    response(parts, Some(reason(script)), script)
}

fn fragments(script: &Script, step: &Step, all: &[String]) -> Vec<Value> {
    let mut parts: Vec<Value> = all.iter().map(|text| json!({"text": text})).collect();
    if matches!(step, Step::Reasoning(_)) {
        parts.iter_mut().for_each(|part| part["thought"] = json!(true));
        sign(script, parts.last_mut());
    }
    parts
}

fn part(script: &Script, step: &Step, index: usize) -> Value {
    match step {
        Step::Reasoning(all) => {
            let mut part = json!({"text": all.concat(), "thought": true});
            sign(script, Some(&mut part));
            part
        }
        Step::Text(all) => json!({"text": all.concat()}),
        Step::Call { name, arguments } => {
            json!({"functionCall": {"id": id(index), "name": name, "args": object(arguments)}})
        }
    }
}

fn sign(script: &Script, part: Option<&mut Value>) {
    if let (true, Some(part)) = (script.signed, part) {
        part["thoughtSignature"] = json!("c2lnbmVk");
    }
}

fn chunk(parts: Vec<Value>, reason: Option<&str>, script: &Script) -> String {
    format!("data: {}\r\n\r\n", response(parts, reason, script))
}

fn response(parts: Vec<Value>, reason: Option<&str>, script: &Script) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    let mut usage = json!({"promptTokenCount": script.input, "totalTokenCount": script.input});
    if let Some(reason) = reason {
        candidate["finishReason"] = json!(reason);
        usage = json!({
            "promptTokenCount": script.input, "candidatesTokenCount": script.output,
            "cachedContentTokenCount": script.cached, "totalTokenCount": script.input + script.output,
        });
    }
    json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "n", "responseId": "r1"})
}

fn reason(script: &Script) -> &'static str {
    if script.truncated { "MAX_TOKENS" } else { "STOP" }
}
