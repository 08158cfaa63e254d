//! Responses requests.

use super::{Feature, PNG, schema};
use serde_json::{Value, json};

pub fn body(feature: Feature) -> Value {
    let hi = json!({"role": "user", "content": "hi"});
    let mut body = json!({"max_output_tokens": 4000, "input": [hi], "store": false});
    match feature {
        Feature::Plain => body["input"] = json!("hi"),
        Feature::MultiTurn => {
            let said = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello", "annotations": []}]});
            body["input"] = json!([hi, said, {"role": "user", "content": "more"}]);
        }
        Feature::System => body["instructions"] = json!("be brief"),
        Feature::Tools => body["tools"] = tools(),
        Feature::ParallelTools => {
            body["tools"] = tools();
            let call = |id: &str, name: &str| json!({"type": "function_call", "call_id": id, "name": name, "arguments": "{\"a\":1}"});
            let result =
                |id: &str, text: &str| json!({"type": "function_call_output", "call_id": id, "output": text});
            body["input"] = json!([
                hi,
                call("call_f", "f"),
                call("call_g", "g"),
                result("call_f", "from f"),
                result("call_g", "from g"),
            ]);
        }
        Feature::Image => {
            let image = json!({"type": "input_image", "image_url": format!("data:image/png;base64,{PNG}")});
            body["input"] =
                json!([{"role": "user", "content": [{"type": "input_text", "text": "look"}, image]}]);
        }
        Feature::SignedReasoning => {
            body["reasoning"] = json!({"effort": "low", "summary": "auto"});
            body["include"] = json!(["reasoning.encrypted_content"]);
        }
        Feature::JsonSchema => {
            let format = json!({"type": "json_schema", "name": "answer", "schema": schema(), "strict": true});
            body["text"] = json!({"format": format});
        }
        // Responses has no stop sequences
        Feature::Stop | Feature::Length | Feature::CachedUsage | Feature::SplitEmoji => {}
    }
    body
}

fn tools() -> Value {
    let tool = |name: &str| json!({"type": "function", "name": name, "description": "does", "parameters": schema(), "strict": false});
    json!([tool("f"), tool("g")])
}
