//! Responses as OpenAI streams them: one item after the other, each announced, filled and closed.

use super::{Script, Step, id};
use serde_json::{Value, json};

pub fn frames(script: &Script) -> Vec<String> {
    let mut events = vec![
        json!({"type": "response.created", "response": response("in_progress", vec![])}),
        json!({"type": "response.in_progress", "response": response("in_progress", vec![])}),
    ];
    for (index, step) in script.steps.iter().enumerate() {
        events.push(
            json!({"type": "response.output_item.added", "output_index": index, "item": opened(step, index)}),
        );
        events.extend(content(step, index));
        let item = item(script, step, index);
        events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    let last = reply(script);
    let name = format!("response.{}", status(script));
    events.push(json!({"type": name, "response": last}));
    events.into_iter().enumerate().map(event).collect()
}

pub fn reply(script: &Script) -> Value {
    let items = script.steps.iter().enumerate();
    let items = items.map(|(index, step)| item(script, step, index)).collect();
    let mut reply = response(status(script), items);
    if script.truncated {
        reply["incomplete_details"] = json!({"reason": "max_output_tokens"});
    }
    reply["usage"] = json!({
        "input_tokens": script.input, "input_tokens_details": {"cached_tokens": script.cached},
        "output_tokens": script.output, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": script.input + script.output,
    });
    reply
}

fn event((number, mut event): (usize, Value)) -> String {
    event["sequence_number"] = json!(number);
    let name = event["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {event}\n\n")
}

fn response(status: &str, output: Vec<Value>) -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "background": false,
        "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": null,
        "model": "n", "output": output, "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null}, "store": false, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": null, "user": null, "metadata": {},
    })
}

fn status(script: &Script) -> &'static str {
    if script.truncated {
        "incomplete"
    } else {
        "completed"
    }
}

/// The item as it is announced, still empty.
fn opened(step: &Step, index: usize) -> Value {
    match step {
        Step::Reasoning(_) => json!({"id": format!("rs_{index}"), "type": "reasoning", "summary": []}),
        Step::Text(_) => {
            json!({"id": format!("msg_{index}"), "type": "message", "status": "in_progress", "role": "assistant", "content": []})
        }
        Step::Call { name, .. } => json!({
            "id": format!("fc_{index}"), "type": "function_call", "status": "in_progress",
            "call_id": id(index), "name": name, "arguments": "",
        }),
    }
}

/// The item as it is closed.
fn item(script: &Script, step: &Step, index: usize) -> Value {
    let mut item = opened(step, index);
    match step {
        Step::Reasoning(all) => {
            item["summary"] = json!([{"type": "summary_text", "text": all.concat()}]);
            if script.signed {
                item["encrypted_content"] = json!("c2VhbGVk");
            }
        }
        Step::Text(all) => {
            item["status"] = json!("completed");
            item["content"] =
                json!([{"type": "output_text", "text": all.concat(), "annotations": [], "logprobs": []}]);
        }
        Step::Call { arguments, .. } => {
            item["status"] = json!("completed");
            item["arguments"] = json!(arguments.concat());
        }
    }
    item
}

fn content(step: &Step, index: usize) -> Vec<Value> {
    let at = |kind: &str, rest: Value| {
        let mut event = json!({"type": kind, "output_index": index});
        if let (Value::Object(event), Value::Object(rest)) = (&mut event, rest) {
            event.extend(rest);
        }
        event
    };
    let (item, all) = match step {
        Step::Reasoning(all) => (format!("rs_{index}"), all),
        Step::Text(all) => (format!("msg_{index}"), all),
        Step::Call { arguments, .. } => (format!("fc_{index}"), arguments),
    };
    let whole = all.concat();
    match step {
        Step::Reasoning(_) => {
            let part = |text: &str| json!({"item_id": item, "summary_index": 0, "part": {"type": "summary_text", "text": text}});
            let mut events = vec![at("response.reasoning_summary_part.added", part(""))];
            events.extend(all.iter().map(|text| {
                at(
                    "response.reasoning_summary_text.delta",
                    json!({"item_id": item, "summary_index": 0, "delta": text}),
                )
            }));
            events.push(at(
                "response.reasoning_summary_text.done",
                json!({"item_id": item, "summary_index": 0, "text": whole}),
            ));
            events.push(at("response.reasoning_summary_part.done", part(&whole)));
            events
        }
        Step::Text(_) => {
            let part = |text: &str| json!({"item_id": item, "content_index": 0, "part": {"type": "output_text", "text": text, "annotations": [], "logprobs": []}});
            let mut events = vec![at("response.content_part.added", part(""))];
            events.extend(all.iter().map(|text| {
                at(
                    "response.output_text.delta",
                    json!({"item_id": item, "content_index": 0, "delta": text, "logprobs": []}),
                )
            }));
            events.push(at(
                "response.output_text.done",
                json!({"item_id": item, "content_index": 0, "text": whole, "logprobs": []}),
            ));
            events.push(at("response.content_part.done", part(&whole)));
            events
        }
        Step::Call { name, .. } => {
            let delta = |text: &String| {
                at(
                    "response.function_call_arguments.delta",
                    json!({"item_id": item, "delta": text}),
                )
            };
            let mut events: Vec<Value> = all.iter().map(delta).collect();
            events.push(at(
                "response.function_call_arguments.done",
                json!({"item_id": item, "name": name, "arguments": whole}),
            ));
            events
        }
    }
}
