use super::*;
use crate::request::{
    MediaSource, Message, Namespaced, Opaque, Output, PartKind, ReasoningMode, SystemRole, ToolArguments,
    ToolChoice, ToolKind,
};
use serde_json::{Value, json};

fn read(body: Value) -> Request {
    decode(body.to_string().as_bytes()).unwrap()
}

fn input(items: Value) -> Request {
    read(json!({"model": "m", "input": items}))
}

/// Role and parts of a message, in a line.
fn told(message: &Message) -> String {
    let part = |kind: &PartKind| match kind {
        PartKind::Text { text, .. } => text.clone(),
        PartKind::Refusal(text) => format!("refusal {text}"),
        PartKind::Reasoning { text, opaque } => {
            format!("thought {text} {:?}", opaque.as_ref().map(|opaque| opaque.issuer))
        }
        PartKind::RedactedReasoning(opaque) => format!("redacted {:?}", opaque.issuer),
        PartKind::ToolCall(call) => format!("call {} {} {}", call.id, call.name, call.arguments.as_str()),
        PartKind::ToolResult(result) => format!("result {} {}", result.call_id, result.parts.len()),
        PartKind::Native { raw, .. } => format!("native {}", raw["type"]),
        other => format!("{other:?}"),
    };
    let parts: Vec<String> = message.parts.iter().map(|p| part(&p.kind)).collect();
    format!("{:?}: {}", message.role, parts.join(" | "))
}

fn story(request: &Request) -> Vec<String> {
    request.messages.iter().map(told).collect()
}

#[test]
fn items_are_read_whatever_they_leave_out() {
    let request = input(json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        "c",
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "d"}]},
    ]));
    assert_eq!(
        story(&request),
        ["User: a", "Assistant: b", "User: c", "Developer: d"]
    );
    assert_eq!(story(&input(json!("hi"))), ["User: hi"]);
}

#[test]
fn a_run_of_what_the_model_made_is_one_message() {
    let request = input(json!([
        {"role": "user", "content": "go"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "x"}, {"type": "summary_text", "text": "y"}], "encrypted_content": "E"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b", "annotations": []}, {"type": "refusal", "refusal": "r"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1.0}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "free"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "2"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]},
        {"type": "local_shell_call", "call_id": "c3", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "c3", "output": "x"},
    ]));
    assert_eq!(
        story(&request),
        [
            "User: go",
            "Assistant: thought x\n\ny Some(OpenAiResponses) | b | refusal r | call c1 f {\"a\":1.0} | call c2 g free | native \"web_search_call\"",
            "Tool: result c1 1 | result c2 2",
            "Assistant: call c3 local_shell {\"type\":\"exec\",\"command\":[\"ls\"]}",
            "Tool: result c3 1",
        ]
    );
    let PartKind::ToolCall(call) = &request.messages[1].parts[4].kind else {
        panic!("not a call")
    };
    assert!(matches!(call.arguments, ToolArguments::Freeform(_)));
}

#[test]
fn leading_instructions_are_the_requests_own() {
    let request = read(json!({"model": "m", "instructions": "be brief", "input": [
        {"role": "developer", "content": "and kind"},
        {"role": "user", "content": "a"},
        {"role": "system", "content": "later"},
    ]}));
    assert_eq!(
        (request.system.len(), request.system_role),
        (2, SystemRole::System)
    );
    assert_eq!(story(&request), ["User: a", "System: later"]);
    let request = input(json!([{"role": "developer", "content": "d"}, "a"]));
    assert_eq!(request.system_role, SystemRole::Developer);
}

#[test]
fn state_of_other_vendors_comes_home_out_of_the_envelope() {
    let opaque = |issuer| Opaque {
        issuer,
        payload: "sig".to_owned(),
    };
    let item = |issuer, subject| {
        let wrapped = crate::envelope::wrap(&opaque(issuer), subject);
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": wrapped})
    };
    use crate::envelope::Subject;
    let request = input(json!([
        item(Dialect::AnthropicMessages, Subject::Reasoning),
        item(Dialect::AnthropicMessages, Subject::Redacted),
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        item(Dialect::Gemini, Subject::Call),
        {"type": "function_call_output", "call_id": "c", "output": ""},
    ]));
    assert_eq!(
        story(&request)[0],
        "Assistant: thought  Some(AnthropicMessages) | redacted AnthropicMessages | call c f {}"
    );
    let PartKind::ToolCall(call) = &request.messages[0].parts[2].kind else {
        panic!("not a call")
    };
    assert_eq!(call.opaque, Some(opaque(Dialect::Gemini)));
}

#[test]
fn tools_of_a_namespace_get_one_name_and_keep_their_own() {
    let request = read(json!({"model": "m", "input": [
        {"type": "function_call", "namespace": "mcp__fs", "name": "read", "call_id": "c", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ], "tools": [
        {"type": "namespace", "name": "mcp__fs", "description": "files", "tools": [
            {"type": "function", "name": "read", "parameters": {"type": "object"}},
            {"type": "custom", "name": "patch"},
        ]},
        {"type": "function", "name": "top", "strict": null},
        {"type": "web_search"},
    ], "tool_choice": {"type": "function", "namespace": "mcp__fs", "name": "read"}}));
    let names: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["mcp__fs__read", "mcp__fs__patch", "top", "web_search"]);
    assert!(matches!(request.tools[1].kind, ToolKind::Custom { .. }));
    assert!(matches!(request.tools[3].kind, ToolKind::Hosted { .. }));
    assert_eq!(request.tools[2].strict, None);
    assert_eq!(
        request.namespaces["mcp__fs__read"],
        Namespaced {
            namespace: "mcp__fs".to_owned(),
            name: "read".to_owned()
        }
    );
    assert_eq!(request.tool_choice, ToolChoice::Named("mcp__fs__read".to_owned()));
    assert_eq!(story(&request)[0], "Assistant: call c mcp__fs__read {}");
    assert_eq!(tool::flat_name("mcp_", "x"), "mcp_x");
}

#[test]
fn every_choice_of_tools_is_read() {
    for (wire, expected) in [
        (json!("auto"), ToolChoice::Auto),
        (json!("none"), ToolChoice::None),
        (json!("required"), ToolChoice::Required),
        (
            json!({"type": "custom", "name": "c"}),
            ToolChoice::Named("c".into()),
        ),
        (
            json!({"type": "web_search"}),
            ToolChoice::Named("web_search".into()),
        ),
        (
            json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}),
            ToolChoice::Allowed {
                required: true,
                names: vec!["f".into()],
            },
        ),
    ] {
        let request = read(json!({"model": "m", "input": "a", "tool_choice": wire}));
        assert_eq!(request.tool_choice, expected);
    }
}

#[test]
fn options_are_read() {
    let request = read(json!({
        "model": "m", "input": "a", "stream": true, "store": false, "max_output_tokens": 100.0, "top_logprobs": 3,
        "temperature": 0.5, "reasoning": {"effort": "none", "summary": "auto"}, "safety_identifier": "u",
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}},
        "include": ["reasoning.encrypted_content"], "truncation": "auto", "previous_response_id": null, "novel": 1,
    }));
    assert_eq!(
        (request.stream, request.store, request.max_output),
        (true, Some(false), Some(100))
    );
    assert_eq!(
        (request.logprobs, request.sampling.temperature),
        (Some(3), Some(0.5))
    );
    assert_eq!(request.reasoning.mode, ReasoningMode::Off);
    assert_eq!(
        (request.user.as_deref(), request.verbosity.as_deref()),
        (Some("u"), Some("low"))
    );
    assert!(matches!(&request.output, Output::JsonSchema(schema) if schema.strict == Some(true)));
    assert_eq!(
        Value::Object(request.extensions[&Dialect::OpenAiResponses].clone()),
        json!({"novel": 1})
    );
}

#[test]
fn media_are_read() {
    let request = input(json!([{"role": "user", "content": [
        {"type": "input_image", "image_url": "https://e.x/a.png", "detail": "low"},
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        {"type": "input_file", "file_url": "https://e.x/a.pdf"},
    ]}]));
    let kinds: Vec<&PartKind> = request.messages[0].parts.iter().map(|part| &part.kind).collect();
    assert!(
        matches!(kinds[0], PartKind::Image { source: MediaSource::Url(_), detail: Some(detail), .. } if detail == "low")
    );
    assert!(
        matches!(kinds[1], PartKind::Image { source: MediaSource::FileId { issuer, .. }, .. } if *issuer == Dialect::OpenAiResponses)
    );
    assert!(
        matches!(kinds[2], PartKind::File(file) if file.mime.as_deref() == Some("application/pdf") && file.filename.as_deref() == Some("a.pdf"))
    );
    assert!(matches!(kinds[3], PartKind::File(file) if matches!(file.source, MediaSource::Url(_))));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    for (body, param) in [
        (json!({"input": "a"}), "model"),
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": []}), "input"),
        (json!({"model": "m", "input": 7}), "input"),
        (
            json!({"model": "m", "input": [{"role": "robot", "content": ""}]}),
            "input[0].role",
        ),
        (json!({"model": "m", "input": [{"content": ""}]}), "input[0].type"),
        (
            json!({"model": "m", "input": [{"type": "function_call", "name": "f"}]}),
            "input[0].call_id",
        ),
        (
            json!({"model": "m", "input": "a", "max_output_tokens": 0}),
            "max_output_tokens",
        ),
        (
            json!({"model": "m", "input": "a", "text": {"format": {"type": "json_schema"}}}),
            "text.format.schema",
        ),
        (
            json!({"model": "m", "input": "a", "tools": [{"type": "function", "name": ""}]}),
            "tools[0].name",
        ),
    ] {
        let error = decode(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {}", error.message);
    }
    assert_eq!(
        story(&input(json!([{"role": "user", "content": ""}]))),
        ["User: "]
    );
}
