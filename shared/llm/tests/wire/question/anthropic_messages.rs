//! Messages requests.

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
        Feature::System => body["system"] = json!("be brief"),
        Feature::Tools => body["tools"] = tools(),
        Feature::ParallelTools => {
            body["tools"] = tools();
            let call =
                |id: &str, name: &str| json!({"type": "tool_use", "id": id, "name": name, "input": {"a": 1}});
            let result =
                |id: &str, text: &str| json!({"type": "tool_result", "tool_use_id": id, "content": text});
            body["messages"] = json!([
                hi,
                {"role": "assistant", "content": [call("call_f", "f"), call("call_g", "g")]},
                {"role": "user", "content": [result("call_f", "from f"), result("call_g", "from g")]},
            ]);
        }
        Feature::Image => {
            let source = json!({"type": "base64", "media_type": "image/png", "data": PNG});
            body["messages"] = json!([{"role": "user", "content": [
                {"type": "text", "text": "look"}, {"type": "image", "source": source},
            ]}]);
        }
        Feature::SignedReasoning => body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024}),
        Feature::JsonSchema => {
            body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema()}})
        }
        Feature::Stop => body["stop_sequences"] = json!(["END"]),
        Feature::Plain | Feature::Length | Feature::CachedUsage | Feature::SplitEmoji => {}
    }
    body
}

fn tools() -> Value {
    let tool = |name: &str| json!({"name": name, "description": "does", "input_schema": schema()});
    json!([tool("f"), tool("g")])
}
