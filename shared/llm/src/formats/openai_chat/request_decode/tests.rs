use super::*;
use crate::request::{
    MediaSource, Part, PartKind, ReasoningMode, Role, SystemRole, ToolArguments, ToolChoice, ToolKind,
};
use serde_json::json;

const FULL: &str = include_str!("../../../../testdata/openai_chat/request_full.json");

fn read(body: serde_json::Value) -> Request {
    decode(body.to_string().as_bytes()).unwrap()
}

fn conversation(messages: serde_json::Value) -> Request {
    read(json!({"model": "m", "messages": messages}))
}

/// A request with one more member.
fn with(name: &str, value: serde_json::Value) -> Request {
    read(json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], name: value}))
}

/// What one part of a user message is read as.
fn part(part: serde_json::Value) -> PartKind {
    let mut request = conversation(json!([{"role": "user", "content": [part]}]));
    request.messages.remove(0).parts.remove(0).kind
}

#[test]
fn every_documented_field_is_read() {
    insta::assert_debug_snapshot!(decode(FULL.as_bytes()).unwrap());
}

#[test]
fn a_bad_request_is_refused_with_the_path_of_the_field() {
    let user = r#"{"role":"user","content":"hi"}"#;
    let message = |json: &str| format!(r#"{{"model":"m","messages":[{user},{json}]}}"#);
    let member = |json: &str| format!(r#"{{"model":"m","messages":[{user}],{json}}}"#);
    for (body, param, said) in [
        ("[]".to_owned(), None, "request body must be a JSON object"),
        (r#"{"messages":[]}"#.to_owned(), Some("model"), "Missing model"),
        (
            r#"{"model":"m"}"#.to_owned(),
            Some("messages"),
            "messages must contain at least one item",
        ),
        (
            r#"{"model":"m","messages":[]}"#.to_owned(),
            Some("messages"),
            "messages must contain at least one item",
        ),
        (
            r#"{"model":"m","messages":5}"#.to_owned(),
            Some("messages"),
            "messages: invalid type: integer `5`, expected a sequence",
        ),
        (
            message("5"),
            Some("messages[1]"),
            "messages[1]: expected an object",
        ),
        (
            message(r#"{"content":"x"}"#),
            Some("messages[1].role"),
            "messages[1].role: is required",
        ),
        (
            message(r#"{"role":"bot"}"#),
            Some("messages[1].role"),
            "messages[1].role: unsupported role 'bot'",
        ),
        (
            message(r#"{"role":"tool","content":"x"}"#),
            Some("messages[1].tool_call_id"),
            "messages[1].tool_call_id is required for role 'tool'",
        ),
        (
            message(r#"{"role":"user","content":7}"#),
            Some("messages[1].content"),
            "messages[1].content: expected a string or a list of parts",
        ),
        (
            message(r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":""}}]}"#),
            Some("messages[1].content[0]"),
            "messages[1].content[0]: invalid image source",
        ),
        (
            message(
                r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png"}}]}"#,
            ),
            Some("messages[1].content[0]"),
            "messages[1].content[0]: invalid image source",
        ),
        (
            message(r#"{"role":"user","content":[{"type":"file","file":{}}]}"#),
            Some("messages[1].content[0].file.file_data"),
            "messages[1].content[0].file.file_data: is required, unless file_id is given",
        ),
        (
            message(r#"{"role":"assistant","tool_calls":[{"id":"a","function":{"arguments":"{}"}}]}"#),
            Some("messages[1].tool_calls[0].function.name"),
            "messages[1].tool_calls[0].function.name: is required",
        ),
        (
            member(r#""tools":[{"type":"function","function":{}}]"#),
            Some("tools[0].function.name"),
            "tools[0].function.name: is required",
        ),
        (
            member(r#""tool_choice":"maybe""#),
            Some("tool_choice"),
            "tool_choice: unsupported value 'maybe'",
        ),
        (
            member(r#""response_format":{"type":"json_schema","json_schema":{"name":"x"}}"#),
            Some("response_format"),
            "response_format.json_schema.schema is required",
        ),
        (
            member(r#""response_format":{"type":"xml"}"#),
            Some("response_format.type"),
            "response_format.type: unsupported value 'xml'",
        ),
        (
            member(r#""max_tokens":0"#),
            Some("max_tokens"),
            "max_tokens: must be greater than 0",
        ),
        (
            member(r#""max_tokens":-1"#),
            Some("max_tokens"),
            "max_tokens: expected a whole number that is not negative",
        ),
        (
            member(r#""temperature":"hot""#),
            Some("temperature"),
            "temperature: invalid type: string \"hot\", expected f64",
        ),
        (
            member(r#""stream":"true""#),
            Some("stream"),
            "stream: invalid type: string \"true\", expected a boolean",
        ),
    ] {
        let error = decode(body.as_bytes()).unwrap_err();
        assert_eq!(
            (error.param.as_deref(), error.message.as_str()),
            (param, said),
            "{body}"
        );
    }
}

#[test]
fn only_the_leading_instructions_are_moved_out_of_the_conversation() {
    let request = conversation(json!([
        {"role": "system", "content": "S0"},
        {"role": "developer", "content": [{"type": "text", "text": "S1"}]},
        {"role": "user", "content": "u"},
        {"role": "system", "content": "note"},
    ]));
    assert_eq!(
        (request.system.len(), request.system_role),
        (2, SystemRole::System)
    );
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::System]);
    let developer =
        conversation(json!([{"role": "developer", "content": "S0"}, {"role": "user", "content": "u"}]));
    assert_eq!(developer.system_role, SystemRole::Developer);
}

#[test]
fn retired_functions_become_calls_with_ids_that_pair() {
    let request = read(json!({
        "model": "m",
        "functions": [{"name": "f", "parameters": {"type": "object"}}, {"name": "g"}],
        "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "assistant", "content": null, "function_call": {"name": "g", "arguments": "{}"}},
            {"role": "function", "name": "g", "content": "2"},
            {"role": "function", "name": "f", "content": "1"},
            {"role": "function", "name": "f", "content": "orphan"},
        ],
    }));
    assert_eq!(request.tools.len(), 2);
    assert_eq!(request.tool_choice, ToolChoice::Named("f".to_owned()));
    let ids: Vec<&str> = request
        .messages
        .iter()
        .flat_map(|message| &message.parts)
        .filter_map(|part| match &part.kind {
            PartKind::ToolCall(call) => Some(call.id.as_str()),
            PartKind::ToolResult(result) => Some(result.call_id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        ids,
        [
            "fc_legacy_1",
            "fc_legacy_2",
            "fc_legacy_2",
            "fc_legacy_1",
            "fc_legacy_3"
        ]
    );
}

#[test]
fn arguments_are_kept_as_text() {
    for (arguments, expected) in [
        (
            r#""{\"id\":12345678901234567890, \"f\":1.0}""#,
            "{\"id\":12345678901234567890, \"f\":1.0}",
        ),
        (r#"{ "a b" : [ 1.0, "x \" y" ] }"#, r#"{"a b":[1.0,"x \" y"]}"#),
        (r#""""#, ""),
        ("null", ""),
        (r#""{\"path\": \"/tm""#, "{\"path\": \"/tm"),
    ] {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","tool_calls":[{{"id":"a","function":{{"name":"f","arguments":{arguments}}}}}]}}]}}"#
        );
        let request = decode(body.as_bytes()).unwrap();
        let PartKind::ToolCall(call) = &request.messages[0].parts[0].kind else {
            panic!("no call")
        };
        assert!(
            matches!(&call.arguments, ToolArguments::Json(text) if text == expected),
            "{arguments}"
        );
    }
}

#[test]
fn reasoning_comes_first_and_is_read_once() {
    let reasoning = |fields: serde_json::Value| {
        let mut message = json!({"role": "assistant", "content": "t"});
        message
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let parts = conversation(json!([message])).messages.remove(0).parts;
        let said: Vec<String> = parts
            .into_iter()
            .map(|part| match part.kind {
                PartKind::Reasoning { text, opaque } => {
                    format!(
                        "{text}/{}",
                        opaque.map_or("-".to_owned(), |opaque| opaque.payload)
                    )
                }
                PartKind::RedactedReasoning(opaque) => format!("redacted {}", opaque.payload),
                PartKind::Text { text, .. } => text,
                other => panic!("{other:?}"),
            })
            .collect();
        said.join(" ")
    };
    let format = "anthropic-claude-v1";
    for (fields, expected) in [
        (json!({"reasoning_content": "r"}), "r/- t"),
        (json!({"reasoning": "r", "reasoning_content": ""}), "r/- t"),
        (json!({"reasoning": {"effort": "high"}}), "t"),
        (
            json!({"reasoning_content": "a\n\nb", "reasoning_details": [
                {"type": "reasoning.text", "text": "a", "signature": "S1", "format": format},
                {"type": "reasoning.encrypted", "data": "X", "format": format},
                {"type": "reasoning.text", "text": "b", "signature": "S2", "format": format},
            ]}),
            "a/S1 redacted X b/S2 t",
        ),
        (
            json!({"reasoning_content": "r", "reasoning_details": [{"type": "reasoning.text", "signature": "S", "format": format}]}),
            "r/S t",
        ),
        (
            json!({"thinking_blocks": [{"type": "thinking", "thinking": "r", "signature": "S"}]}),
            "r/S t",
        ),
    ] {
        assert_eq!(reasoning(fields.clone()), expected, "{fields}");
    }
}

#[test]
fn parts_are_read_in_every_shape_clients_send() {
    let url = part(json!({"type": "image_url", "image_url": "https://e.x/a.png"}));
    assert!(
        matches!(url, PartKind::Image { source: MediaSource::Url(url), mime: None, .. } if url == "https://e.x/a.png")
    );
    let data = part(
        json!({"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA", "detail": "high"}}),
    );
    assert!(
        matches!(data, PartKind::Image { source: MediaSource::Base64(data), mime: Some(mime), detail: Some(_) }
            if data == "AAAA" && mime == "image/jpeg")
    );
    for pdf in [
        json!({"type": "image_url", "image_url": {"url": "data:application/pdf;base64,JVBERi0="}}),
        json!({"type": "file", "file": {"file_data": "JVBERi0="}}),
        json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}}),
    ] {
        let PartKind::File(file) = part(pdf.clone()) else {
            panic!("{pdf}")
        };
        assert!(
            matches!(file.source, MediaSource::Base64(data) if data == "JVBERi0="),
            "{pdf}"
        );
        assert_eq!(file.mime.as_deref(), Some("application/pdf"), "{pdf}");
    }
    assert!(matches!(part(json!("bare")), PartKind::Text { text, .. } if text == "bare"));
    assert!(matches!(part(json!({"text": "untyped"})), PartKind::Text { text, .. } if text == "untyped"));
    let unknown = json!({"type": "video_url", "video_url": {"url": "https://e.x/v"}});
    assert!(matches!(part(unknown.clone()), PartKind::Native { raw, .. } if raw == unknown));
}

#[test]
fn an_empty_content_has_no_parts() {
    for content in [json!(""), json!(null), json!([])] {
        let request = conversation(json!([{"role": "user", "content": content}]));
        assert!(request.messages[0].parts.is_empty());
    }
}

#[test]
fn cache_marks_are_kept() {
    let mark = |request: &Request| request.messages[0].parts[0].cache.clone().map(|mark| mark.ttl);
    let marked = |name: &str, value: serde_json::Value| {
        conversation(json!([{"role": "user", "content": [{"type": "text", "text": "a", name: value}]}]))
    };
    assert_eq!(
        mark(&marked(
            "cache_control",
            json!({"type": "ephemeral", "ttl": "1h"})
        )),
        Some(Some("1h".to_owned()))
    );
    assert_eq!(
        mark(&marked(
            "prompt_cache_breakpoint",
            json!({"mode": "explicit", "ttl": "30m"})
        )),
        Some(None)
    );
    assert_eq!(mark(&marked("cache_control", json!(null))), None);
}

#[test]
fn tools_are_read_in_every_shape_clients_send() {
    for tool in [
        json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}),
        json!({"function": {"name": "f", "parameters": {"type": "object"}}}),
        json!({"type": "function", "name": "f", "parameters": {"type": "object"}}),
        json!({"name": "f", "input_schema": {"type": "object"}}),
    ] {
        let request = with("tools", json!([tool]));
        assert!(matches!(request.tools[0].kind, ToolKind::Function));
        assert_eq!(request.tools[0].name, "f");
        assert_eq!(
            request.tools[0].schema.as_ref().unwrap().get(),
            r#"{"type":"object"}"#
        );
    }
    let hosted = with(
        "tools",
        json!([{"type": "web_search", "search_context_size": "low"}]),
    );
    assert!(matches!(hosted.tools[0].kind, ToolKind::Hosted { .. }));
}

#[test]
fn tool_choices_are_read_in_every_shape_clients_send() {
    let named = || ToolChoice::Named("f".to_owned());
    for (choice, expected) in [
        (json!("auto"), ToolChoice::Auto),
        (json!("none"), ToolChoice::None),
        (json!("required"), ToolChoice::Required),
        (json!("any"), ToolChoice::Required),
        (json!({"type": "function", "function": {"name": "f"}}), named()),
        (json!({"type": "custom", "custom": {"name": "f"}}), named()),
        (json!({"type": "function", "name": "f"}), named()),
        (json!({"type": "tool", "name": "f"}), named()),
        (
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}),
            ToolChoice::Allowed {
                required: false,
                names: vec!["f".to_owned()],
            },
        ),
    ] {
        assert_eq!(
            with("tool_choice", choice.clone()).tool_choice,
            expected,
            "{choice}"
        );
    }
}

#[test]
fn options_are_read_in_every_spelling() {
    let both = read(
        json!({"model": "m", "messages": [{"role": "user"}], "max_tokens": 10, "max_completion_tokens": 20.0}),
    );
    assert_eq!(both.max_output, Some(20));
    assert_eq!(with("max_tokens", json!(10)).max_output, Some(10));
    assert_eq!(with("stop", json!("a")).stop, ["a"]);
    assert_eq!(with("stop", json!(["a", "b"])).stop, ["a", "b"]);
    assert_eq!(with("logprobs", json!(true)).logprobs, Some(0));
    assert_eq!(with("top_logprobs", json!(3)).logprobs, None);
    assert_eq!(with("safety_identifier", json!("u")).user.as_deref(), Some("u"));
    assert!(with("modalities", json!(["text"])).modalities.is_empty());
    let kept = with("min_p", json!(0.1)).extensions;
    assert_eq!(kept[&Dialect::OpenAiChat]["min_p"], json!(0.1));
}

#[test]
fn reasoning_is_asked_for_in_three_ways() {
    let of = |name: &str, value: serde_json::Value| {
        let reasoning = with(name, value).reasoning;
        (reasoning.mode, reasoning.effort, reasoning.budget)
    };
    let effort = |word: &str| Some(word.to_owned());
    assert_eq!(
        of("reasoning_effort", json!("xhigh")),
        (ReasoningMode::On, effort("xhigh"), None)
    );
    assert_eq!(
        of("reasoning", json!({"effort": "low", "exclude": true})),
        (ReasoningMode::Unset, effort("low"), None)
    );
    assert_eq!(
        of("reasoning_effort", json!("none")),
        (ReasoningMode::Off, effort("none"), None)
    );
    assert_eq!(
        of("reasoning", json!({"max_tokens": 2000})),
        (ReasoningMode::Unset, None, Some(2000))
    );
    assert_eq!(
        of("reasoning", json!({"enabled": false})),
        (ReasoningMode::Off, None, None)
    );
    assert_eq!(
        of("thinking", json!({"type": "enabled", "budget_tokens": 4096})),
        (ReasoningMode::On, None, Some(4096))
    );
}

#[test]
fn text_of_a_tool_result_may_be_a_list() {
    let request = conversation(json!([
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ]));
    let PartKind::ToolResult(result) = &request.messages[0].parts[0].kind else {
        panic!("no result")
    };
    let texts: Vec<&Part> = result.parts.iter().collect();
    assert_eq!((texts.len(), result.is_error), (2, None));
}
