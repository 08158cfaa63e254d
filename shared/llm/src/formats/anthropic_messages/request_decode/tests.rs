use super::*;
use crate::request::{MediaSource, Output, ReasoningMode, ToolArguments, ToolChoice, ToolKind};
use serde_json::{Value, json};

fn decode_json(body: &Value) -> Result<Request, DecodeError> {
    decode(body.to_string().as_bytes())
}

/// The smallest valid request with one member set.
fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    body[name] = value;
    body
}

fn user(content: Value) -> Value {
    with("messages", json!([{"role": "user", "content": content}]))
}

#[test]
fn what_has_no_neutral_name_is_kept_under_this_dialect() {
    let request = decode(include_bytes!(
        "../../../../testdata/anthropic_messages/request_full.json"
    ))
    .unwrap();
    let kept = &request.extensions[&Dialect::AnthropicMessages];
    assert_eq!(
        kept.keys().collect::<Vec<_>>(),
        ["container", "context_management"]
    );
    assert_eq!(
        request.service_tier.as_deref(),
        Some("default"),
        "tiers have their neutral names"
    );
    assert_eq!(
        (request.user.as_deref(), request.parallel_tools),
        (Some("user-1"), Some(false))
    );
    assert_eq!(
        (request.max_output, request.reasoning.budget),
        (Some(4096), Some(2048))
    );
}

#[test]
fn malformed_requests_are_refused_with_the_place() {
    let tool = json!({"name": "f", "input_schema": {}});
    for (body, message) in [
        (json!([]), "request body must be a JSON object"),
        (with("model", json!("")), "Missing model"),
        (with("max_tokens", json!(null)), "max_tokens: Field required"),
        (
            with("max_tokens", json!(0)),
            "max_tokens: must be greater than 0 for this model",
        ),
        (
            with("messages", json!(null)),
            "messages must contain at least one item",
        ),
        (
            with("messages", json!([])),
            "messages must contain at least one item",
        ),
        (
            with("messages", json!([{"role": "tool", "content": "x"}])),
            "messages[0].role: unsupported role 'tool'",
        ),
        (
            user(json!(7)),
            "messages[0].content: expected a string or a list of blocks",
        ),
        (
            user(json!([{"text": "x"}])),
            "messages[0].content[0].type: Field required",
        ),
        (
            user(json!([{"type": "text"}])),
            "messages[0].content[0]: missing field `text`",
        ),
        (
            user(json!([{"type": "image", "source": {"type": "base64", "data": "x"}}])),
            "invalid image source",
        ),
        (
            user(json!([{"type": "image", "source": {"type": "url"}}])),
            "invalid image source",
        ),
        (
            user(json!([{"type": "image", "source": {"type": "telepathy"}}])),
            "invalid image source",
        ),
        (
            user(json!([{"type": "tool_use", "id": "", "name": "f", "input": {}}])),
            "messages[0].content[0]: must not be empty",
        ),
        (
            with("system", json!([{"type": "image"}])),
            "system[0]: missing field `source`",
        ),
        (
            with("tools", json!([tool, tool])),
            "tools: duplicate tool name 'f'",
        ),
        (
            with("tool_choice", json!({"type": "any"})),
            "tool_choice requires a non-empty tools array",
        ),
        (
            with("thinking", json!({"type": "sideways"})),
            "thinking.type: unsupported value 'sideways'",
        ),
        (
            with("output_config", json!({"format": {"type": "json_schema"}})),
            "output_config.format.schema: Field required",
        ),
    ] {
        assert_eq!(decode_json(&body).unwrap_err().message, message, "{body}");
    }
    let mut body = with("tools", json!([tool]));
    body["tool_choice"] = json!({"type": "tool", "name": "g"});
    assert_eq!(
        decode_json(&body).unwrap_err().message,
        "tool_choice references unknown tool 'g'"
    );
}

#[test]
fn results_leave_the_user_message_and_come_first() {
    let request = decode_json(&user(json!([
        {"type": "text", "text": "see"},
        {"type": "tool_result", "tool_use_id": "A", "content": "1"},
        {"type": "image", "source": {"type": "url", "url": "https://e.x/i.png"}},
        {"type": "tool_result", "tool_use_id": "B"},
        {"type": "text", "text": "end"},
    ])))
    .unwrap();
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::Tool, Role::User]);
    let ids: Vec<&str> = request.messages[0]
        .parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::ToolResult(result) => Some(result.call_id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["A", "B"]);
    assert_eq!(request.messages[1].parts.len(), 3);
}

#[test]
fn a_result_survives_whatever_is_inside_it() {
    for content in [
        json!(""),
        json!([]),
        json!(null),
        json!([{"type": "tool_reference", "tool_name": "f"}]),
        json!([{"type": "tool_result", "tool_use_id": "nested", "content": []}]),
        json!([{"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "x"}]}]),
    ] {
        let block = json!({"type": "tool_result", "tool_use_id": "A", "content": content});
        let request = decode_json(&user(json!([block]))).unwrap();
        let PartKind::ToolResult(result) = &request.messages[0].parts[0].kind else {
            panic!("{content}")
        };
        assert_eq!(result.call_id, "A");
        assert!(
            result
                .parts
                .iter()
                .all(|part| matches!(part.kind, PartKind::Text { .. })),
            "{content}"
        );
    }
}

#[test]
fn arguments_keep_their_bytes_but_not_their_whitespace() {
    let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[
        {"type":"tool_use","id":"a","name":"f","input": { "id" : 123456789012345678901234, "f": 1.0, "s": "a b" } }]}]}"#;
    let request = decode(body.as_bytes()).unwrap();
    let PartKind::ToolCall(call) = &request.messages[0].parts[0].kind else {
        panic!()
    };
    let ToolArguments::Json(text) = &call.arguments else {
        panic!()
    };
    assert_eq!(text, r#"{"id":123456789012345678901234,"f":1.0,"s":"a b"}"#);
}

#[test]
fn a_system_message_in_mid_conversation_stays_in_place() {
    let mut body = with(
        "messages",
        json!([
            {"role": "user", "content": "u1"},
            {"role": "system", "content": "reminder"},
            {"role": "assistant", "content": "a1"},
        ]),
    );
    body["system"] = json!("S0");
    let request = decode_json(&body).unwrap();
    assert_eq!(request.system.len(), 1);
    assert_eq!(request.messages[1].role, Role::System);
}

#[test]
fn a_document_of_text_blocks_becomes_text_and_one_with_images_stays_native() {
    let document =
        |content: Value| json!([{"type": "document", "source": {"type": "content", "content": content}}]);
    let request = decode_json(&user(document(json!([
        {"type": "text", "text": "a"}, {"type": "text", "text": "b"}
    ]))))
    .unwrap();
    let PartKind::File(file) = &request.messages[0].parts[0].kind else {
        panic!()
    };
    assert!(matches!(&file.source, MediaSource::Text(text) if text == "a\nb"));
    let request = decode_json(&user(document(json!([{"type": "image", "source": {}}])))).unwrap();
    assert!(matches!(
        &request.messages[0].parts[0].kind,
        PartKind::Native { .. }
    ));
}

#[test]
fn thinking_effort_and_format_are_read() {
    let mut body = with("thinking", json!({"type": "adaptive", "display": "summarized"}));
    body["output_config"] =
        json!({"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}});
    let request = decode_json(&body).unwrap();
    assert_eq!(request.reasoning.mode, ReasoningMode::Adaptive);
    assert_eq!(request.reasoning.effort.as_deref(), Some("low"));
    assert!(
        matches!(&request.output, Output::JsonSchema(spec) if spec.schema.get() == r#"{"type":"object"}"#)
    );
    let request = decode_json(&with("thinking", json!({"type": "disabled"}))).unwrap();
    assert_eq!(request.reasoning.mode, ReasoningMode::Off);
}

#[test]
fn tool_choices_are_read() {
    let tools =
        json!([{"name": "f", "input_schema": {}}, {"type": "web_search_20250305", "name": "web_search"}]);
    for (wire, choice) in [
        ("auto", ToolChoice::Auto),
        ("any", ToolChoice::Required),
        ("none", ToolChoice::None),
        ("tool", ToolChoice::Named("web_search".to_owned())),
    ] {
        let mut body = with("tools", tools.clone());
        body["tool_choice"] = json!({"type": wire, "name": "web_search", "disable_parallel_tool_use": false});
        let request = decode_json(&body).unwrap();
        assert_eq!(request.tool_choice, choice);
        assert_eq!(request.parallel_tools, Some(true));
        assert!(matches!(&request.tools[1].kind, ToolKind::Hosted { .. }));
    }
}

#[test]
fn deep_nesting_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let nested = "[{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":".repeat(50_000);
    for content in [deep, nested] {
        let body =
            format!(r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":{content}}}]}}"#);
        assert!(decode(body.as_bytes()).is_err());
    }
}
