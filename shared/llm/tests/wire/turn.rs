//! The next turn of a conversation: the reply verbatim as history, every call answered.

use llm::Dialect;
use llm::request::{PartKind, Request};
use serde_json::{Value, json};

/// The client's next request after this reply of its dialect.
pub fn next_turn(client: Dialect, reply: &[u8]) -> Value {
    let reply: Value = serde_json::from_slice(reply).expect("a reply is JSON");
    match client {
        Dialect::OpenAiChat => {
            let said = reply["choices"][0]["message"].clone();
            let result = |call: &Value| json!({"role": "tool", "tool_call_id": call["id"], "content": "ok"});
            let results = members(&said["tool_calls"]).iter().map(result).collect();
            messages(said, results)
        }
        Dialect::OpenAiResponses => {
            let items = members(&reply["output"]);
            let calls = items.iter().filter(|item| item["type"] == "function_call");
            let result = |call: &Value| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "ok"});
            let results: Vec<Value> = calls.map(result).collect();
            let question = vec![json!({"role": "user", "content": "hi"})];
            let input = [question.clone(), items, results, question].concat();
            json!({"model": "m", "store": false, "include": ["reasoning.encrypted_content"], "input": input})
        }
        Dialect::AnthropicMessages => {
            let blocks = members(&reply["content"]);
            let calls = blocks.iter().filter(|block| block["type"] == "tool_use");
            let result =
                |call: &Value| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "ok"});
            let results: Vec<Value> = calls.map(result).collect();
            let turn = (!results.is_empty()).then(|| json!({"role": "user", "content": results}));
            messages(
                json!({"role": "assistant", "content": blocks}),
                turn.into_iter().collect(),
            )
        }
        Dialect::Gemini => {
            let said = reply["candidates"][0]["content"].clone();
            let parts = members(&said["parts"]);
            let calls = parts.iter().filter_map(|part| part.get("functionCall"));
            let result = |call: &Value| json!({"functionResponse": {"id": call["id"], "name": call["name"], "response": {"output": "ok"}}});
            let results: Vec<Value> = calls.map(result).collect();
            let question = json!({"role": "user", "parts": [{"text": "hi"}]});
            let mut contents = vec![question.clone(), said];
            contents.extend((!results.is_empty()).then(|| json!({"role": "user", "parts": results})));
            contents.push(question);
            json!({"contents": contents})
        }
        Dialect::OllamaChat => {
            let said = reply["message"].clone();
            let result = |call: &Value| json!({"role": "tool", "tool_name": call["function"]["name"], "tool_call_id": call["id"], "content": "ok"});
            let results = members(&said["tool_calls"]).iter().map(result).collect();
            let mut body = messages(said, results);
            body["stream"] = json!(false);
            body
        }
        // nobody asks in it
        Dialect::BedrockConverse => Value::Null,
    }
}

/// The tool calls of a history: name and arguments, and whether a result of the same id follows.
pub fn calls(request: &Request) -> Vec<String> {
    let parts = parts(request);
    let answered = |id: &str| {
        parts
            .iter()
            .any(|part| matches!(part, PartKind::ToolResult(result) if result.call_id == id))
    };
    let call = |part: &&PartKind| match part {
        PartKind::ToolCall(call) => Some(format!(
            "{} {} {}",
            call.name,
            call.arguments.as_str(),
            answered(&call.id)
        )),
        _ => None,
    };
    parts.iter().filter_map(call).collect()
}

pub fn parts(request: &Request) -> Vec<&PartKind> {
    let messages = request.messages.iter();
    messages
        .flat_map(|message| &message.parts)
        .map(|part| &part.kind)
        .collect()
}

fn messages(said: Value, results: Vec<Value>) -> Value {
    let question = vec![json!({"role": "user", "content": "hi"})];
    let messages = [question.clone(), vec![said], results, question].concat();
    json!({"model": "m", "max_tokens": 100, "messages": messages})
}

fn members(list: &Value) -> Vec<Value> {
    list.as_array().cloned().unwrap_or_default()
}
