use super::*;
use crate::caps::{CacheMarks, EchoReasoning, ModelCaps, ThinkingCaps};
use crate::formats::openai_chat::request_decode;
use crate::note::Severity;
use crate::request::{
    CacheMark, File, MediaSource, Message, Opaque, Output, Part, PartKind, Reasoning, ReasoningMode, Role,
    SystemRole, Tool, ToolArguments, ToolCall, ToolChoice, ToolKind, ToolResult,
};
use serde_json::json;

const FULL: &str = include_str!("../../../../testdata/openai_chat/request_full.json");

fn target(refine: impl FnOnce(&mut ModelCaps)) -> Target {
    let mut caps = ModelCaps::of(Dialect::OpenAiChat, "unknown-model");
    refine(&mut caps);
    Target {
        dialect: Dialect::OpenAiChat,
        model: "up".to_owned(),
        caps,
    }
}

fn encoded(request: &Request, target: &Target) -> (Value, Notes) {
    let mut notes = Notes::default();
    let body = encode(request, target, &mut notes).unwrap();
    (serde_json::from_slice(&body).unwrap(), notes)
}

fn body(request: &Request) -> Value {
    encoded(request, &target(|_| {})).0
}

fn with_messages(messages: Vec<Message>) -> Request {
    Request {
        model: "m".to_owned(),
        messages,
        ..Request::default()
    }
}

fn image() -> Part {
    let source = MediaSource::Base64("AAAA".to_owned());
    Part::new(PartKind::Image {
        source,
        mime: Some("image/png".to_owned()),
        detail: None,
    })
}

fn result(id: &str, parts: Vec<Part>, is_error: Option<bool>) -> Part {
    let result = ToolResult {
        call_id: id.to_owned(),
        name: Some("f".to_owned()),
        parts,
        is_error,
    };
    Part::new(PartKind::ToolResult(result))
}

fn call(id: &str) -> Part {
    let arguments = ToolArguments::Json(String::new());
    Part::new(PartKind::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments,
        opaque: None,
    }))
}

fn reasoning(text: &str) -> Part {
    let opaque = Some(Opaque {
        issuer: Dialect::AnthropicMessages,
        payload: "SIG".to_owned(),
    });
    Part::new(PartKind::Reasoning {
        text: text.to_owned(),
        opaque,
    })
}

fn function(name: &str, schema: Option<&str>) -> Tool {
    Tool {
        kind: ToolKind::Function,
        name: name.to_owned(),
        description: None,
        schema: schema.map(|json| serde_json::value::RawValue::from_string(json.to_owned()).unwrap()),
        strict: None,
        cache: None,
    }
}

#[test]
fn every_documented_field_is_written_and_read_back_the_same() {
    let target = target(|caps| {
        caps.thinking = ThinkingCaps::Effort(&["low", "medium", "high"]);
        caps.max_tokens_key = MaxTokensKey::MaxCompletionTokens;
        caps.echo_reasoning = EchoReasoning::ToolTurns;
        caps.cache_marks = CacheMarks::CacheControl;
    });
    let request = request_decode::decode(FULL.as_bytes()).unwrap();
    let (body, notes) = encoded(&request, &target);
    insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
    assert_eq!(notes.count(Severity::Loss), 0, "{notes:?}");

    let again = request_decode::decode(body.to_string().as_bytes()).unwrap();
    assert_eq!(encoded(&again, &target).0, body);
}

#[test]
fn a_conversation_with_one_more_turn_begins_with_the_same_bytes() {
    let mut request = request_decode::decode(FULL.as_bytes()).unwrap();
    let target = target(|_| {});
    let bytes = || encode(&request, &target, &mut Notes::default()).unwrap();
    assert_eq!(bytes(), bytes());
    let before = bytes();
    request
        .messages
        .push(Message::new(Role::Assistant, vec![Part::text("Later.")]));
    let after = encode(&request, &target, &mut Notes::default()).unwrap();
    let end = before
        .windows(10)
        .position(|window| window == b"],\"tools\":")
        .unwrap();
    assert_eq!(before[..end], after[..end]);
}

#[test]
fn media_of_results_follow_the_whole_batch_in_one_message() {
    let request = with_messages(vec![
        Message::new(Role::Assistant, vec![call("A"), call("B")]),
        Message::new(
            Role::Tool,
            vec![
                result("A", vec![Part::text("shot"), image()], None),
                result("B", vec![Part::text("ok")], None),
            ],
        ),
        Message::new(Role::User, vec![Part::text("see"), image(), Part::text("end")]),
    ]);
    let (body, notes) = encoded(&request, &target(|_| {}));
    let url = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}});
    assert_eq!(
        body["messages"].as_array().unwrap()[1..],
        [
            json!({"role": "tool", "content": "shot\n[1 attachment in the next user message]", "tool_call_id": "A"}),
            json!({"role": "tool", "content": "ok", "tool_call_id": "B"}),
            json!({"role": "user", "content": [{"type": "text", "text": "Media returned by tool f (A):"}, url]}),
            json!({"role": "user", "content": [{"type": "text", "text": "see"}, url, {"type": "text", "text": "end"}]}),
        ]
    );
    assert_eq!((notes.count(Severity::Info), notes.count(Severity::Loss)), (1, 0));
    let (inline, _) = encoded(&request, &target(|caps| caps.tool_media = true));
    assert_eq!(
        inline["messages"][1]["content"],
        json!([{"type": "text", "text": "shot"}, url])
    );
    assert_eq!(inline["messages"].as_array().unwrap().len(), 4);
}

#[test]
fn a_failed_result_says_so() {
    let failed = result("A", vec![Part::text("no such file")], Some(true));
    let request = with_messages(vec![Message::new(Role::Tool, vec![failed])]);
    assert_eq!(
        body(&request)["messages"][0]["content"],
        json!("[tool error] no such file")
    );
}

#[test]
fn an_assistant_without_text_has_null_content_only_beside_calls() {
    let request = with_messages(vec![
        Message::new(Role::Assistant, vec![call("A")]),
        Message::new(Role::Assistant, vec![]),
        Message::new(
            Role::Assistant,
            vec![Part::new(PartKind::Refusal("no".to_owned()))],
        ),
    ]);
    assert_eq!(
        body(&request)["messages"],
        json!([
            {"role": "assistant", "content": null,
             "tool_calls": [{"id": "A", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "assistant", "content": ""},
            {"role": "assistant", "content": null, "refusal": "no"},
        ])
    );
}

#[test]
fn instructions_stay_where_they_were_said() {
    let mut request = with_messages(vec![
        Message::new(Role::User, vec![Part::text("u1")]),
        Message::new(Role::Developer, vec![Part::text("reminder")]),
    ]);
    request.system = vec![Part::text("S0"), Part::text("S1")];
    let message = |role: &str, content: &str| json!({"role": role, "content": content});
    assert_eq!(
        body(&request)["messages"],
        json!([
            message("system", "S0"),
            message("system", "S1"),
            message("user", "u1"),
            message("system", "reminder")
        ])
    );
    let (developer, _) = encoded(&request, &target(|caps| caps.system_role = SystemRole::Developer));
    assert_eq!(developer["messages"][3], message("developer", "reminder"));
    let (first_only, notes) = encoded(&request, &target(|caps| caps.mid_system = false));
    assert_eq!(
        first_only["messages"][3],
        message("user", "<system>reminder</system>")
    );
    assert_eq!(notes.count(Severity::Info), 1);
}

#[test]
fn reasoning_goes_back_only_where_it_is_wanted() {
    let request = with_messages(vec![
        Message::new(Role::Assistant, vec![reasoning("why"), call("A")]),
        Message::new(Role::Assistant, vec![reasoning("w2"), Part::text("done")]),
    ]);
    let echoed = |echo| {
        let (body, notes) = encoded(&request, &target(|caps| caps.echo_reasoning = echo));
        let texts = [0, 1].map(|i| body["messages"][i]["reasoning_content"].clone());
        assert!(
            body["messages"].to_string().find("SIG").is_none(),
            "a foreign signature was sent"
        );
        (texts, notes.count(Severity::Loss))
    };
    assert_eq!(echoed(EchoReasoning::Never), ([Value::Null, Value::Null], 2));
    assert_eq!(echoed(EchoReasoning::ToolTurns), ([json!("why"), Value::Null], 1));
    assert_eq!(echoed(EchoReasoning::Always), ([json!("why"), json!("w2")], 0));
}

#[test]
fn an_upstream_gets_its_own_state_back() {
    let item = json!({"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"});
    let opaque = Opaque {
        issuer: Dialect::OpenAiChat,
        payload: item.to_string(),
    };
    let parts = vec![Part::new(PartKind::RedactedReasoning(opaque)), call("A")];
    let request = with_messages(vec![Message::new(Role::Assistant, parts)]);
    let (body, _) = encoded(
        &request,
        &target(|caps| caps.echo_reasoning = EchoReasoning::Always),
    );
    assert_eq!(body["messages"][0]["reasoning_details"], json!([item]));
    assert_eq!(body["messages"][0]["reasoning_content"], json!("[redacted]"));
}

#[test]
fn cache_marks_are_sent_only_where_they_are_understood() {
    let mut marked = Part::text("a");
    marked.cache = Some(CacheMark {
        ttl: Some("1h".to_owned()),
    });
    let mut request = with_messages(vec![Message::new(Role::User, vec![marked.clone()])]);
    request.system = vec![marked];
    assert!(!body(&request).to_string().contains("cache_control"));
    let (body, _) = encoded(
        &request,
        &target(|caps| caps.cache_marks = CacheMarks::CacheControl),
    );
    let expected =
        json!([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    assert_eq!(body["messages"][0]["content"], expected);
    assert_eq!(body["messages"][1]["content"], expected);
}

#[test]
fn a_file_is_inline_and_has_a_name() {
    let file = |source: MediaSource, mime: &str, title: Option<&str>| {
        let file = File {
            source,
            mime: Some(mime.to_owned()),
            filename: None,
            title: title.map(str::to_owned),
            context: None,
            citations: None,
        };
        with_messages(vec![Message::new(
            Role::User,
            vec![Part::new(PartKind::File(file))],
        )])
    };
    let pdf = || MediaSource::Base64("JVBERi0=".to_owned());
    for (title, filename) in [(None, "document.pdf"), (Some("spec"), "spec")] {
        let body = body(&file(pdf(), "application/pdf", title));
        let expected = json!({"file_data": "data:application/pdf;base64,JVBERi0=", "filename": filename});
        assert_eq!(body["messages"][0]["content"][0]["file"], expected);
    }
    let text = file(MediaSource::Text("words".to_owned()), "text/plain", Some("Notes"));
    assert_eq!(body(&text)["messages"][0]["content"], json!("Notes\n\nwords"));
    for source in [
        MediaSource::FileId {
            id: "f".to_owned(),
            issuer: Dialect::AnthropicMessages,
        },
        MediaSource::Url("https://e.x/a.pdf".to_owned()),
    ] {
        let error = encode(
            &file(source, "application/pdf", None),
            &target(|_| {}),
            &mut Notes::default(),
        )
        .unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[0].content[0]"));
        assert!(
            error.message.ends_with("send file_data instead"),
            "{}",
            error.message
        );
    }
}

#[test]
fn an_image_url_is_refused_where_only_data_is_accepted() {
    let url = PartKind::Image {
        source: MediaSource::Url("https://e.x".to_owned()),
        mime: None,
        detail: None,
    };
    let request = with_messages(vec![Message::new(Role::User, vec![Part::new(url)])]);
    let error = encode(
        &request,
        &target(|caps| caps.image_urls = false),
        &mut Notes::default(),
    )
    .unwrap_err();
    assert_eq!(error.message, "image_url must be a data: URL for this model");
}

#[test]
fn a_schema_always_has_what_the_vendor_insists_on() {
    for (schema, expected) in [
        (None, r#"{"type":"object","properties":{}}"#),
        (Some("{}"), r#"{"type":"object","properties":{}}"#),
        (Some("true"), r#"{"type":"object","properties":{}}"#),
        (
            Some(r#"{"type":"object"}"#),
            r#"{"properties":{},"type":"object"}"#,
        ),
        (
            Some(r#"{"properties":{"a":{}}}"#),
            r#"{"type":"object","properties":{"a":{}}}"#,
        ),
        (
            Some(r#"{"type":"object","properties":{"n":{"maximum":1.0}}}"#),
            r#"{"type":"object","properties":{"n":{"maximum":1.0}}}"#,
        ),
        (
            Some(r#"{"anyOf":[{"type":"object"}]}"#),
            r#"{"anyOf":[{"type":"object"}]}"#,
        ),
    ] {
        let request = Request {
            tools: vec![function("f", schema)],
            ..with_messages(vec![])
        };
        let body =
            String::from_utf8(encode(&request, &target(|_| {}), &mut Notes::default()).unwrap()).unwrap();
        assert!(
            body.contains(&format!("\"parameters\":{expected}")),
            "{schema:?}: {body}"
        );
    }
}

#[test]
fn tool_options_are_not_sent_without_tools() {
    let request = Request {
        parallel_tools: Some(true),
        tool_choice: ToolChoice::Auto,
        ..with_messages(vec![Message::new(Role::User, vec![Part::text("hi")])])
    };
    assert_eq!(
        body(&request),
        json!({"model": "up", "messages": [{"role": "user", "content": "hi"}]})
    );
}

#[test]
fn another_vendors_tool_is_dropped_unless_the_answer_depends_on_it() {
    let hosted = Tool {
        kind: ToolKind::Hosted {
            dialect: Dialect::AnthropicMessages,
            raw: json!({"type": "code_execution_20250825", "name": "code_execution"}),
        },
        ..function("code_execution", None)
    };
    let mut request = Request {
        tools: vec![hosted, function("f", None)],
        ..with_messages(vec![])
    };
    let (body, notes) = encoded(&request, &target(|_| {}));
    assert_eq!(
        (
            body["tools"].as_array().unwrap().len(),
            notes.count(Severity::Loss)
        ),
        (1, 1)
    );
    let refused = |request: &Request| {
        encode(request, &target(|_| {}), &mut Notes::default())
            .unwrap_err()
            .message
    };
    let message = "tool type 'code_execution_20250825' is not supported by the selected model";
    request.tool_choice = ToolChoice::Named("code_execution".to_owned());
    assert_eq!(refused(&request), message);
    request.tool_choice = ToolChoice::Unset;
    request.tools.truncate(1);
    assert_eq!(refused(&request), message);
}

#[test]
fn effort_is_fitted_to_the_levels_of_the_model() {
    const LEVELS: &[&str] = &["low", "medium", "high"];
    const WIDE: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh"];
    let effort = |mode, effort: Option<&str>, budget| Reasoning {
        mode,
        effort: effort.map(str::to_owned),
        budget,
    };
    let (unset, off) = (ReasoningMode::Unset, ReasoningMode::Off);
    for (reasoning, narrow, wide) in [
        (effort(unset, None, None), None, None),
        (effort(unset, Some("low"), Some(60_000)), Some("low"), Some("low")),
        (effort(unset, Some("minimal"), None), Some("low"), Some("minimal")),
        (effort(unset, Some("max"), None), Some("high"), Some("xhigh")),
        (effort(unset, None, Some(2_048)), Some("low"), Some("low")),
        (effort(unset, None, Some(8_000)), Some("medium"), Some("medium")),
        (effort(unset, None, Some(32_000)), Some("high"), Some("xhigh")),
        (
            effort(ReasoningMode::Adaptive, None, None),
            Some("high"),
            Some("high"),
        ),
        (
            effort(ReasoningMode::On, None, None),
            Some("medium"),
            Some("medium"),
        ),
        (effort(off, None, None), None, Some("none")),
        (effort(off, Some("none"), None), None, Some("none")),
    ] {
        for (levels, expected) in [(LEVELS, narrow), (WIDE, wide)] {
            let target = target(|caps| caps.thinking = ThinkingCaps::Effort(levels));
            let request = Request {
                reasoning: reasoning.clone(),
                ..with_messages(vec![])
            };
            let (body, _) = encoded(&request, &target);
            assert_eq!(
                body.get("reasoning_effort").and_then(Value::as_str),
                expected,
                "{reasoning:?} {levels:?}"
            );
        }
    }
    let request = Request {
        reasoning: effort(unset, Some("high"), None),
        ..with_messages(vec![])
    };
    let (body, notes) = encoded(&request, &target(|_| {}));
    assert_eq!(
        (body.get("reasoning_effort"), notes.count(Severity::Loss)),
        (None, 1)
    );
}

#[test]
fn effort_gives_way_to_tools_where_both_are_too_much() {
    let target = target(|caps| {
        caps.thinking = ThinkingCaps::Effort(&["low"]);
        caps.effort_with_tools = false;
    });
    let mut request = with_messages(vec![]);
    request.reasoning.effort = Some("low".to_owned());
    assert_eq!(encoded(&request, &target).0["reasoning_effort"], json!("low"));
    request.tools = vec![function("f", None)];
    assert_eq!(encoded(&request, &target).0.get("reasoning_effort"), None);
}

#[test]
fn options_keep_to_the_limits_of_the_model() {
    let mut request = with_messages(vec![]);
    request.max_output = Some(10_000);
    request.stop = ["a", "b", "c"].map(str::to_owned).to_vec();
    request.sampling.temperature = Some(0.5);
    request.sampling.top_p = Some(0.5);
    request.sampling.top_k = Some(5);
    request.sampling.seed = Some(1);
    request.user = Some("u".repeat(65));
    request.logprobs = Some(2);
    let (body, notes) = encoded(
        &request,
        &target(|caps| {
            caps.max_output = Some(4_096);
            caps.max_tokens_key = MaxTokensKey::MaxCompletionTokens;
            caps.max_stop = Some(2);
            caps.sampling_ok = false;
        }),
    );
    assert_eq!(
        (body.get("max_tokens"), &body["max_completion_tokens"]),
        (None, &json!(4_096))
    );
    assert_eq!(body["stop"], json!(["a", "b"]));
    assert_eq!(
        (body.get("temperature"), body.get("top_p"), body.get("top_k")),
        (None, None, None)
    );
    assert_eq!(body["seed"], json!(1));
    assert_eq!(body["user"].as_str().unwrap().len(), 64);
    // max_tokens, stop, temperature, top_p, top_k, logprobs
    assert_eq!((notes.count(Severity::Loss), notes.count(Severity::Info)), (6, 1));
    let (one_of_two, _) = encoded(&request, &target(|caps| caps.temp_and_top_p_ok = false));
    assert_eq!(
        (&one_of_two["temperature"], one_of_two.get("top_p")),
        (&json!(0.5), None)
    );
}

#[test]
fn a_schema_becomes_an_instruction_where_it_is_not_native() {
    let request = request_decode::decode(
        br#"{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"u"}],
            "response_format":{"type":"json_schema","json_schema":{"name":"a b","schema":{"type":"object"}}}}"#,
    )
    .unwrap();
    assert!(matches!(request.output, Output::JsonSchema(_)));
    assert_eq!(
        body(&request)["response_format"]["json_schema"]["name"],
        json!("a_b")
    );
    let (body, notes) = encoded(&request, &target(|caps| caps.json_schema = false));
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
    assert_eq!(
        (&body["messages"][1]["role"], &body["messages"][2]["role"]),
        (&json!("system"), &json!("user"))
    );
    assert!(
        body["messages"][1]["content"]
            .as_str()
            .unwrap()
            .ends_with(r#"{"type":"object"}"#)
    );
    assert_eq!(notes.count(Severity::Loss), 1);
}

#[test]
fn a_stream_always_reports_usage_to_the_gateway() {
    let request = Request {
        stream: true,
        include_usage: false,
        ..with_messages(vec![])
    };
    let body = body(&request);
    assert_eq!(
        (&body["stream"], &body["stream_options"]),
        (&json!(true), &json!({"include_usage": true}))
    );
}

#[test]
fn what_only_another_dialect_knows_is_dropped_and_noted() {
    let mut request = with_messages(vec![]);
    request.metadata.insert("team".to_owned(), json!("blue"));
    request.extensions.insert(
        Dialect::AnthropicMessages,
        json!({"context_management": {}}).as_object().unwrap().clone(),
    );
    let (body, notes) = encoded(&request, &target(|_| {}));
    assert_eq!(
        (body.get("context_management"), body.get("metadata")),
        (None, None)
    );
    assert_eq!(notes.count(Severity::Loss), 2);
}
