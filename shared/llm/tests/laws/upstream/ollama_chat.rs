//! `/api/chat` as Ollama streams it: a JSON document per line, calls in one piece.

use super::{Script, Step, id, object};
use serde_json::{Value, json};

pub fn frames(script: &Script) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, step) in script.steps.iter().enumerate() {
        let messages: Vec<Value> = match step {
            Step::Reasoning(all) => all
                .iter()
                .map(|text| json!({"role": "assistant", "content": "", "thinking": text}))
                .collect(),
            Step::Text(all) => all
                .iter()
                .map(|text| json!({"role": "assistant", "content": text}))
                .collect(),
            Step::Call { .. } => {
                vec![json!({"role": "assistant", "content": "", "tool_calls": [call(step, index, script)]})]
            }
        };
        let line = |message: Value| {
            let line = json!({"model": "n", "created_at": "2026-01-01T00:00:00.000000001Z", "message": message, "done": false});
            format!("{line}\n")
        };
        lines.extend(messages.into_iter().map(line));
    }
    let last = last(json!({"role": "assistant", "content": ""}), script);
    lines.push(format!("{last}\n"));
    lines
}

pub fn reply(script: &Script) -> Value {
    let mut message = json!({"role": "assistant", "content": ""});
    for (index, step) in script.steps.iter().enumerate() {
        match step {
            Step::Reasoning(all) => message["thinking"] = json!(all.concat()),
            Step::Text(all) => message["content"] = json!(all.concat()),
            Step::Call { .. } => {
                let call = call(step, index, script);
                match message["tool_calls"].as_array_mut() {
                    Some(calls) => calls.push(call),
                    None => message["tool_calls"] = json!([call]),
                }
            }
        }
    }
    last(message, script)
}

fn call(step: &Step, index: usize, script: &Script) -> Value {
    let Step::Call { name, arguments } = step else {
        return Value::Null;
    };
    let earlier = script.steps[..index].iter();
    let number = earlier.filter(|step| matches!(step, Step::Call { .. })).count();
    json!({"id": id(index), "function": {"index": number, "name": name, "arguments": object(arguments)}})
}

fn last(message: Value, script: &Script) -> Value {
    json!({
        "model": "n", "created_at": "2026-01-01T00:00:00.000000002Z", "message": message, "done": true,
        "done_reason": if script.truncated { "length" } else { "stop" },
        "total_duration": 9, "load_duration": 1, "prompt_eval_count": script.input,
        "prompt_eval_duration": 3, "eval_count": script.output, "eval_duration": 5,
    })
}
