//! Messages as Anthropic streams them.

use super::{Script, Step, id, object};
use serde_json::{Value, json};

pub fn frames(script: &Script) -> Vec<String> {
    let mut frames = vec![event(json!({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "n", "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": script.input - script.cached, "cache_read_input_tokens": script.cached, "output_tokens": 1},
    }}))];
    for (index, step) in script.steps.iter().enumerate() {
        let (block, mut deltas): (Value, Vec<Value>) = match step {
            Step::Reasoning(all) => (
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                all.iter()
                    .map(|text| json!({"type": "thinking_delta", "thinking": text}))
                    .collect(),
            ),
            Step::Text(all) => (
                json!({"type": "text", "text": ""}),
                all.iter()
                    .map(|text| json!({"type": "text_delta", "text": text}))
                    .collect(),
            ),
            Step::Call { name, arguments } => (
                json!({"type": "tool_use", "id": id(index), "name": name, "input": {}}),
                arguments
                    .iter()
                    .map(|json| json!({"type": "input_json_delta", "partial_json": json}))
                    .collect(),
            ),
        };
        if script.signed && matches!(step, Step::Reasoning(_)) {
            deltas.push(json!({"type": "signature_delta", "signature": "c2lnbmVk"}));
        }
        frames.push(event(
            json!({"type": "content_block_start", "index": index, "content_block": block}),
        ));
        let delta =
            |delta: Value| event(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        frames.extend(deltas.into_iter().map(delta));
        frames.push(event(json!({"type": "content_block_stop", "index": index})));
    }
    let delta = json!({"stop_reason": reason(script), "stop_sequence": null});
    frames.push(event(
        json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": script.output}}),
    ));
    frames.push(event(json!({"type": "message_stop"})));
    frames
}

pub fn reply(script: &Script) -> Value {
    let signature = if script.signed { "c2lnbmVk" } else { "" };
    let block = |(index, step): (usize, &Step)| match step {
        Step::Reasoning(all) => {
            json!({"type": "thinking", "thinking": all.concat(), "signature": signature})
        }
        Step::Text(all) => json!({"type": "text", "text": all.concat()}),
        Step::Call { name, arguments } => {
            json!({"type": "tool_use", "id": id(index), "name": name, "input": object(arguments)})
        }
    };
    let content: Vec<Value> = script.steps.iter().enumerate().map(block).collect();
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "n", "content": content,
        "stop_reason": reason(script), "stop_sequence": null,
        "usage": {
            "input_tokens": script.input - script.cached, "cache_read_input_tokens": script.cached,
            "output_tokens": script.output,
        },
    })
}

fn event(value: Value) -> String {
    let name = value["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {value}\n\n")
}

fn reason(script: &Script) -> &'static str {
    match (script.truncated, script.has_calls()) {
        (true, _) => "max_tokens",
        (false, true) => "tool_use",
        (false, false) => "end_turn",
    }
}
