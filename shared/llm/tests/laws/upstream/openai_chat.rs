//! Chat Completions as OpenAI streams them.

use super::{Script, Step, id};
use serde_json::{Value, json};

pub fn frames(script: &Script) -> Vec<String> {
    let mut frames = vec![delta(json!({"role": "assistant", "content": ""}))];
    let mut calls = 0;
    for (index, step) in script.steps.iter().enumerate() {
        match step {
            Step::Reasoning(all) => {
                frames.extend(all.iter().map(|text| delta(json!({"reasoning_content": text}))))
            }
            Step::Text(all) => frames.extend(all.iter().map(|text| delta(json!({"content": text})))),
            Step::Call { name, arguments } => {
                let head = json!({"index": calls, "id": id(index), "type": "function", "function": {"name": name, "arguments": ""}});
                frames.push(delta(json!({"tool_calls": [head]})));
                let more = |text: &String| {
                    delta(json!({"tool_calls": [{"index": calls, "function": {"arguments": text}}]}))
                };
                frames.extend(arguments.iter().map(more));
                calls += 1;
            }
        }
    }
    frames.push(chunk(
        json!([{"index": 0, "delta": {}, "finish_reason": reason(script)}]),
        Value::Null,
    ));
    frames.push(chunk(json!([]), usage(script)));
    frames.push("data: [DONE]\n\n".to_owned());
    frames
}

pub fn reply(script: &Script) -> Value {
    let mut message = json!({"role": "assistant", "content": null, "refusal": null});
    for (index, step) in script.steps.iter().enumerate() {
        match step {
            Step::Reasoning(all) => message["reasoning_content"] = json!(all.concat()),
            Step::Text(all) => message["content"] = json!(all.concat()),
            Step::Call { name, arguments } => {
                let call = json!({"id": id(index), "type": "function", "function": {"name": name, "arguments": arguments.concat()}});
                match message["tool_calls"].as_array_mut() {
                    Some(calls) => calls.push(call),
                    None => message["tool_calls"] = json!([call]),
                }
            }
        }
    }
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "n",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason(script)}],
        "usage": usage(script),
    })
}

fn delta(delta: Value) -> String {
    chunk(
        json!([{"index": 0, "delta": delta, "finish_reason": null}]),
        Value::Null,
    )
}

fn chunk(choices: Value, usage: Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "n",
        "choices": choices, "usage": usage,
    });
    format!("data: {chunk}\n\n")
}

fn reason(script: &Script) -> &'static str {
    match (script.truncated, script.has_calls()) {
        (true, _) => "length",
        (false, false) => "stop",
        (false, true) => "tool_calls",
    }
}

fn usage(script: &Script) -> Value {
    json!({
        "prompt_tokens": script.input, "completion_tokens": script.output,
        "total_tokens": script.input + script.output,
        "prompt_tokens_details": {"cached_tokens": script.cached},
    })
}
