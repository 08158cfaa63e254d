//! `generateContent` requests.

use super::{Feature, PNG, schema};
use serde_json::{Value, json};

pub fn body(feature: Feature) -> Value {
    let hi = json!({"role": "user", "parts": [{"text": "hi"}]});
    let mut body = json!({"contents": [hi], "generationConfig": {"maxOutputTokens": 4000}});
    match feature {
        Feature::MultiTurn => {
            body["contents"] = json!([
                hi, {"role": "model", "parts": [{"text": "hello"}]}, {"role": "user", "parts": [{"text": "more"}]},
            ]);
        }
        Feature::System => body["systemInstruction"] = json!({"parts": [{"text": "be brief"}]}),
        Feature::Tools => body["tools"] = tools(),
        Feature::ParallelTools => {
            body["tools"] = tools();
            let call =
                |id: &str, name: &str| json!({"functionCall": {"id": id, "name": name, "args": {"a": 1}}});
            let result = |id: &str, name: &str, text: &str| json!({"functionResponse": {"id": id, "name": name, "response": {"output": text}}});
            body["contents"] = json!([
                hi,
                {"role": "model", "parts": [call("call_f", "f"), call("call_g", "g")]},
                {"role": "user", "parts": [result("call_f", "f", "from f"), result("call_g", "g", "from g")]},
            ]);
        }
        Feature::Image => {
            let image = json!({"inlineData": {"mimeType": "image/png", "data": PNG}});
            body["contents"] = json!([{"role": "user", "parts": [{"text": "look"}, image]}]);
        }
        Feature::SignedReasoning => {
            body["generationConfig"]["thinkingConfig"] =
                json!({"includeThoughts": true, "thinkingBudget": 1024});
        }
        Feature::JsonSchema => {
            body["generationConfig"]["responseMimeType"] = json!("application/json");
            body["generationConfig"]["responseJsonSchema"] = schema();
        }
        Feature::Stop => body["generationConfig"]["stopSequences"] = json!(["END"]),
        Feature::Plain | Feature::Length | Feature::CachedUsage | Feature::SplitEmoji => {}
    }
    body
}

fn tools() -> Value {
    let tool = |name: &str| json!({"name": name, "description": "does", "parametersJsonSchema": schema()});
    json!([{"functionDeclarations": [tool("f"), tool("g")]}])
}
