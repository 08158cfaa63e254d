mod options;
mod tool;
mod turn;

use super::*;
use crate::caps::{ModelCaps, ThinkingCaps};
use crate::formats::anthropic_messages::request_decode;
use crate::note::Severity;
use crate::request::{
    CacheMark, Message, Opaque, Output, Part, PartKind, ReasoningMode, Role, Tool, ToolArguments, ToolCall,
    ToolChoice, ToolKind, ToolResult,
};
use serde_json::json;

fn target() -> Target {
    Target {
        dialect: Dialect::AnthropicMessages,
        model: "claude-x".to_owned(),
        caps: ModelCaps::of(Dialect::AnthropicMessages, "some-model"),
    }
}

fn encoded(request: &Request, target: &Target) -> (Value, Notes) {
    let mut notes = Notes::default();
    let bytes = encode(request, target, &mut notes).unwrap();
    (serde_json::from_slice(&bytes).unwrap(), notes)
}

fn request(messages: Vec<Message>) -> Request {
    Request {
        model: "m".to_owned(),
        messages,
        ..Request::default()
    }
}

fn text(role: Role, text: &str) -> Message {
    Message::new(role, vec![Part::text(text)])
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::new(PartKind::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: ToolArguments::Json(arguments.to_owned()),
        opaque: None,
    }))
}

fn result(id: &str, output: &str) -> Part {
    Part::new(PartKind::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: None,
        parts: vec![Part::text(output)],
        is_error: None,
    }))
}

fn function(name: &str) -> Tool {
    Tool {
        kind: ToolKind::Function,
        name: name.to_owned(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    }
}

#[test]
fn a_full_request_comes_out_as_it_went_in() {
    let body = include_bytes!("../../../../testdata/anthropic_messages/request_full.json");
    let request = request_decode::decode(body).unwrap();
    let mut capable = target();
    capable.caps.json_schema = true;
    let (mut out, notes) = encoded(&request, &capable);
    let mut expected: Value = serde_json::from_slice(body).unwrap();
    expected["model"] = json!("claude-x");
    // shorthands are written out
    expected["messages"][0]["content"] = json!([{"type": "text", "text": "What is in these?"}]);
    expected["messages"][2]["content"][1]["content"] = json!([{"type": "text", "text": "no such thing"}]);
    assert_eq!(notes, Notes::default());
    out.sort_all_objects();
    expected.sort_all_objects();
    assert_eq!(out, expected);
}
