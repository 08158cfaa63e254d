//! Chat Completions requests.

use super::{Feature, PNG, schema};
use serde_json::{Value, json};

pub fn body(feature: Feature) -> Value {
    let hi = json!({"role": "user", "content": "hi"});
    let mut body = json!({"max_tokens": 4000, "messages": [hi]});
    match feature {
        Feature::MultiTurn => {
            body["messages"] =
                json!([hi, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more"}]);
        }
        Feature::System => body["messages"] = json!([{"role": "system", "content": "be brief"}, hi]),
        Feature::Tools => body["tools"] = tools(),
        Feature::ParallelTools => {
            body["tools"] = tools();
            let call = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{\"a\":1}"}});
            let result = |id: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
            body["messages"] = json!([
                hi,
                {"role": "assistant", "content": null, "tool_calls": [call("call_f", "f"), call("call_g", "g")]},
                result("call_f", "from f"), result("call_g", "from g"),
            ]);
        }
        Feature::Image => {
            let url = format!("data:image/png;base64,{PNG}");
            let image = json!({"type": "image_url", "image_url": {"url": url}});
            body["messages"] =
                json!([{"role": "user", "content": [{"type": "text", "text": "look"}, image]}]);
        }
        Feature::SignedReasoning => body["reasoning_effort"] = json!("low"),
        Feature::JsonSchema => {
            let schema = json!({"name": "answer", "schema": schema(), "strict": true});
            body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
        }
        Feature::Stop => body["stop"] = json!(["END"]),
        Feature::Plain | Feature::Length | Feature::CachedUsage | Feature::SplitEmoji => {}
    }
    body
}

fn tools() -> Value {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "description": "does", "parameters": schema()}});
    json!([tool("f"), tool("g")])
}
