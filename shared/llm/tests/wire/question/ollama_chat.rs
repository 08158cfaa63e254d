//! `/api/chat` requests.

use super::{Feature, PNG, schema};
use serde_json::{Value, json};

pub fn body(feature: Feature) -> Value {
    let hi = json!({"role": "user", "content": "hi"});
    let mut body = json!({"messages": [hi], "options": {"num_predict": 4000}});
    match feature {
        Feature::MultiTurn => {
            body["messages"] =
                json!([hi, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more"}]);
        }
        Feature::System => body["messages"] = json!([{"role": "system", "content": "be brief"}, hi]),
        Feature::Tools => body["tools"] = tools(),
        Feature::ParallelTools => {
            body["tools"] = tools();
            let call =
                |id: &str, name: &str| json!({"id": id, "function": {"name": name, "arguments": {"a": 1}}});
            let result = |id: &str, name: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "tool_name": name, "content": text});
            body["messages"] = json!([
                hi,
                {"role": "assistant", "content": "", "tool_calls": [call("call_f", "f"), call("call_g", "g")]},
                result("call_f", "f", "from f"), result("call_g", "g", "from g"),
            ]);
        }
        Feature::Image => body["messages"] = json!([{"role": "user", "content": "look", "images": [PNG]}]),
        Feature::SignedReasoning => body["think"] = json!(true),
        Feature::JsonSchema => body["format"] = schema(),
        Feature::Stop => body["options"]["stop"] = json!(["END"]),
        Feature::Plain | Feature::Length | Feature::CachedUsage | Feature::SplitEmoji => {}
    }
    body
}

fn tools() -> Value {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "description": "does", "parameters": schema()}});
    json!([tool("f"), tool("g")])
}
