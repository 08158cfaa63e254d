use super::*;
use crate::caps::ModelCaps;
use crate::dialect::Dialect;
use crate::formats;
use crate::note::Severity;
use crate::request::{CacheMark, File, MediaSource, Message, Opaque, Part, PartKind, Role};
use crate::translate::{Ask, Call};
use bytes::Bytes;
use serde_json::{Value, json};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OLDER_CLAUDE: &str = "anthropic.claude-3-7-sonnet-20250219-v1:0";
const LLAMA: &str = "us.meta.llama4-scout-17b-instruct-v1:0";

fn target(model: &str) -> Target {
    Target {
        dialect: Dialect::BedrockConverse,
        model: model.to_owned(),
        caps: ModelCaps::of(Dialect::BedrockConverse, model),
    }
}

/// What a client's request becomes.
fn call(client: Dialect, model: &str, body: &Value) -> Call {
    let mut body = body.clone();
    body["model"] = json!("m");
    let ask = Ask::read(client, Bytes::from(body.to_string())).unwrap();
    ask.call(&target(model)).unwrap()
}

fn sent(client: Dialect, model: &str, body: &Value) -> Value {
    serde_json::from_slice(&call(client, model, body).body()).unwrap()
}

fn of_openai(model: &str, body: &Value) -> Value {
    sent(Dialect::OpenAiChat, model, body)
}

fn of_anthropic(model: &str, body: &Value) -> Value {
    let mut body = body.clone();
    body["max_tokens"] = json!(4000);
    sent(Dialect::AnthropicMessages, model, &body)
}

fn losses(call: &Call) -> Vec<&str> {
    let losses = call.notes().iter().filter(|note| note.severity == Severity::Loss);
    losses.map(|note| note.field.as_str()).collect()
}

fn encoded(request: &Request, model: &str) -> (Value, Notes) {
    let mut notes = Notes::default();
    let bytes = encode(request, &target(model), &mut notes).unwrap();
    (serde_json::from_slice(&bytes).unwrap(), notes)
}

fn user(parts: Vec<Part>) -> Request {
    Request {
        messages: vec![Message::new(Role::User, parts)],
        ..Request::default()
    }
}

#[test]
fn a_full_conversation_is_said_in_the_words_of_converse() {
    let body = json!({
        "max_tokens": 2000,
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "tools": [
            {"name": "look", "description": "looks", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}},
            {"name": "wait", "input_schema": {"type": "object", "properties": {}}, "cache_control": {"type": "ephemeral"}},
        ],
        "tool_choice": {"type": "any"},
        "stop_sequences": ["END"],
        "temperature": 0.5,
        "top_k": 7,
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "what is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAANSUhEUg=="}},
            ]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look"},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": 12345678901234567890u64, "b": 1.0}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": "no eyes"},
                {"type": "text", "text": "try again", "cache_control": {"type": "ephemeral"}},
            ]},
        ],
    });
    let call = call(Dialect::AnthropicMessages, CLAUDE, &body);
    let out: Value = serde_json::from_slice(&call.body()).unwrap();
    assert_eq!(losses(&call), [] as [&str; 0]);
    let text = String::from_utf8(call.body().to_vec()).unwrap();
    assert!(
        text.contains(r#""input":{"a":12345678901234567890,"b":1.0}"#),
        "{text}"
    );
    assert_eq!(
        out,
        json!({
            "system": [{"text": "be brief"}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
            "messages": [
                {"role": "user", "content": [
                    {"text": "what is this?"},
                    {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgoAAAANSUhEUg=="}}},
                ]},
                {"role": "assistant", "content": [
                    {"text": "I look"},
                    {"toolUse": {"toolUseId": "toolu_1", "name": "look", "input": {"a": 12345678901234567890u64, "b": 1.0}}},
                ]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "toolu_1", "content": [{"text": "no eyes"}], "status": "error"}},
                    {"text": "try again"},
                    {"cachePoint": {"type": "default"}},
                ]},
            ],
            "inferenceConfig": {"maxTokens": 2000, "temperature": 0.5, "stopSequences": ["END"]},
            "toolConfig": {
                "tools": [
                    {"toolSpec": {"name": "look", "description": "looks",
                        "inputSchema": {"json": {"type": "object", "properties": {"a": {"type": "integer"}}}}}},
                    {"toolSpec": {"name": "wait", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
                    {"cachePoint": {"type": "default"}},
                ],
                "toolChoice": {"any": {}},
            },
            "additionalModelRequestFields": {"top_k": 7},
            "additionalModelResponseFieldPaths": ["/stop_sequence"],
        })
    );
}

#[test]
fn the_least_request_is_the_least_body() {
    let body = json!({"messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(
        of_openai(LLAMA, &body),
        json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]})
    );
}

#[test]
fn turns_alternate_and_the_user_opens() {
    let body = json!({"messages": [
        {"role": "assistant", "content": "welcome"},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "system", "content": "now in French"},
        {"role": "assistant", "content": "bien \n"},
    ]});
    assert_eq!(
        of_openai(LLAMA, &body)["messages"],
        json!([
            {"role": "user", "content": [{"text": "."}]},
            {"role": "assistant", "content": [{"text": "welcome"}]},
            {"role": "user", "content": [{"text": "a"}, {"text": "b"},
                {"text": "<system-reminder>\nnow in French\n</system-reminder>"}]},
            {"role": "assistant", "content": [{"text": "bien"}]},
        ])
    );
    let only_instructions = json!({"messages": [{"role": "system", "content": "be brief"}]});
    assert_eq!(
        of_openai(LLAMA, &only_instructions),
        json!({"messages": [{"role": "user", "content": [{"text": "be brief"}]}]})
    );
}

#[test]
fn nothing_blank_is_sent() {
    let request = user(vec![Part::text(" \n"), Part::text("")]);
    let (out, notes) = encoded(&request, CLAUDE);
    assert_eq!(
        out["messages"],
        json!([{"role": "user", "content": [{"text": "."}]}])
    );
    assert_eq!(notes.count(Severity::Synth), 1);
    let body = json!({"messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c", "content": ""},
    ]});
    let out = of_openai(CLAUDE, &body);
    assert_eq!(
        out["messages"][2]["content"],
        json!([{"toolResult": {"toolUseId": "c", "content": [{"text": "."}]}}])
    );
}

#[test]
fn tools_are_declared_wherever_calls_are() {
    let history = json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "ok"},
    ]);
    let declared = json!({"tools": [
        {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
    ]});
    let out = of_openai(CLAUDE, &json!({"messages": history}));
    assert_eq!(out["toolConfig"], declared);

    let tool = json!({"type": "function", "function": {"name": "f", "description": "", "parameters": {"type": "object", "properties": {}}}});
    let forbidden = json!({"messages": history, "tools": [tool], "tool_choice": "none"});
    assert_eq!(of_openai(CLAUDE, &forbidden)["toolConfig"], declared);
    assert_eq!(
        losses(&call(Dialect::OpenAiChat, CLAUDE, &forbidden)),
        ["tool_choice"]
    );

    let unused =
        json!({"messages": [{"role": "user", "content": "hi"}], "tools": [tool], "tool_choice": "none"});
    assert_eq!(of_openai(CLAUDE, &unused).get("toolConfig"), None);
}

#[test]
fn a_choice_of_tools_is_said_as_a_union() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}});
    let with = |choice: Value| {
        let body = json!({"messages": [{"role": "user", "content": "hi"}], "tools": [tool("f"), tool("g")], "tool_choice": choice});
        of_openai(CLAUDE, &body)["toolConfig"].clone()
    };
    assert_eq!(with(json!("auto")).get("toolChoice"), None);
    assert_eq!(with(json!("required"))["toolChoice"], json!({"any": {}}));
    let named = with(json!({"type": "function", "function": {"name": "g"}}));
    assert_eq!(named["toolChoice"], json!({"tool": {"name": "g"}}));
}

#[test]
fn thinking_is_told_in_the_words_of_the_models_vendor() {
    let hi = json!([{"role": "user", "content": "hi"}]);
    let budget =
        json!({"messages": hi, "thinking": {"type": "enabled", "budget_tokens": 2000}, "temperature": 1.0});
    let out = of_anthropic(OLDER_CLAUDE, &budget);
    assert_eq!(
        out["additionalModelRequestFields"],
        json!({"thinking": {"type": "enabled", "budget_tokens": 2000}})
    );
    assert_eq!(out["inferenceConfig"], json!({"maxTokens": 4000}));

    let effort = json!({"messages": hi, "reasoning_effort": "low"});
    let adaptive = of_openai("anthropic.claude-opus-4-7-v1:0", &effort);
    assert_eq!(
        adaptive["additionalModelRequestFields"]["thinking"],
        json!({"type": "adaptive", "display": "summarized"})
    );
    assert_eq!(adaptive["outputConfig"], json!({"effort": "low"}));
    // a budget is part of an answer whose limit must then be known
    let open = of_openai(CLAUDE, &effort);
    assert_eq!(
        open["additionalModelRequestFields"]["thinking"]["budget_tokens"],
        2048
    );
    assert_eq!(open["inferenceConfig"]["maxTokens"], 64_000);

    let oss = of_openai("openai.gpt-oss-120b-1:0", &effort);
    assert_eq!(
        oss["additionalModelRequestFields"],
        json!({"reasoning_effort": "low"})
    );
    let llama = call(Dialect::OpenAiChat, LLAMA, &effort);
    assert_eq!(losses(&llama), ["reasoning_effort"]);
}

#[test]
fn top_k_goes_where_the_models_vendor_looks_for_it() {
    let mut request = user(vec![Part::text("hi")]);
    request.sampling.top_k = Some(3);
    let fields = |model: &str| encoded(&request, model).0["additionalModelRequestFields"].clone();
    assert_eq!(fields(CLAUDE), json!({"top_k": 3}));
    assert_eq!(
        fields("us.amazon.nova-pro-v1:0"),
        json!({"inferenceConfig": {"topK": 3}})
    );
    assert_eq!(fields(LLAMA), Value::Null);
    assert_eq!(encoded(&request, LLAMA).1.count(Severity::Loss), 1);
}

#[test]
fn only_this_providers_reasoning_goes_back_to_it() {
    let reasoning = |issuer| {
        let opaque = Some(Opaque {
            issuer,
            payload: "sig".to_owned(),
        });
        Part::new(PartKind::Reasoning {
            text: "so".to_owned(),
            opaque,
        })
    };
    let redacted = Part::new(PartKind::RedactedReasoning(Opaque {
        issuer: Dialect::BedrockConverse,
        payload: "c2VjcmV0".to_owned(),
    }));
    let request = Request {
        messages: vec![
            Message::new(Role::User, vec![Part::text("hi")]),
            Message::new(
                Role::Assistant,
                vec![
                    reasoning(Dialect::BedrockConverse),
                    redacted,
                    reasoning(Dialect::AnthropicMessages),
                    Part::text("yes"),
                ],
            ),
            Message::new(Role::User, vec![Part::text("go on")]),
        ],
        ..Request::default()
    };
    let (out, notes) = encoded(&request, CLAUDE);
    assert_eq!(
        out["messages"][1]["content"],
        json!([
            {"reasoningContent": {"reasoningText": {"text": "so", "signature": "sig"}}},
            {"reasoningContent": {"redactedContent": "c2VjcmV0"}},
            {"text": "yes"},
        ])
    );
    assert_eq!(notes.count(Severity::Loss), 1);
}

#[test]
fn a_document_has_a_format_a_name_of_its_own_and_a_text_beside_it() {
    let file = |mime: &str, source| {
        Part::new(PartKind::File(File {
            source,
            mime: Some(mime.to_owned()),
            filename: Some("report_1.pdf".to_owned()),
            title: None,
            context: None,
            citations: None,
        }))
    };
    let request = user(vec![
        file("application/pdf", MediaSource::Base64("JVBERi0=".to_owned())),
        file("text/plain", MediaSource::Text("hé".to_owned())),
    ]);
    let (out, _) = encoded(&request, CLAUDE);
    assert_eq!(
        out["messages"][0]["content"],
        json!([
            {"document": {"format": "pdf", "name": "report 1 pdf", "source": {"bytes": "JVBERi0="}}},
            {"document": {"format": "txt", "name": "report 1 pdf (2)", "source": {"bytes": "aMOp"}}},
            {"text": "."},
        ])
    );
    for (part, why) in [
        (
            file("application/zip", MediaSource::Base64("UEs=".to_owned())),
            "application/zip",
        ),
        (
            file(
                "application/pdf",
                MediaSource::Url("https://e.x/a.pdf".to_owned()),
            ),
            "base64",
        ),
    ] {
        let refused = encode(&user(vec![part]), &target(CLAUDE), &mut Notes::default()).unwrap_err();
        assert!(refused.message.contains(why), "{}", refused.message);
    }
}

#[test]
fn a_schema_is_native_forced_or_asked_for_by_what_the_model_can() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
    let body = json!({"messages": [{"role": "user", "content": "hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}});
    let native = of_openai(CLAUDE, &body);
    assert_eq!(
        native["outputConfig"],
        json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema.to_string(), "name": "n"}}}})
    );
    let forced = of_openai(OLDER_CLAUDE, &body);
    assert_eq!(
        forced["toolConfig"]["toolChoice"],
        json!({"tool": {"name": "gateway_structured_output"}})
    );
    let asked = of_openai(LLAMA, &body);
    assert!(
        asked["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains(&schema.to_string())
    );
    assert_eq!(asked.get("toolConfig"), None);
}

#[test]
fn four_cache_points_are_kept_and_no_more() {
    let marked = |text: &str| Part {
        cache: Some(CacheMark { ttl: None }),
        ..Part::text(text)
    };
    let request = Request {
        system: vec![marked("a"), marked("b"), marked("c")],
        ..user(vec![marked("d"), marked("e"), marked("f")])
    };
    let (out, notes) = encoded(&request, CLAUDE);
    let point = json!({"cachePoint": {"type": "default"}});
    assert_eq!(
        out["system"],
        json!([{"text": "a"}, {"text": "b"}, point, {"text": "c"}, point])
    );
    assert_eq!(
        out["messages"][0]["content"],
        json!([{"text": "d"}, {"text": "e"}, point, {"text": "f"}, point])
    );
    assert_eq!(notes.count(Severity::Loss), 1);
    // a model without a cache is sent none, and the client is told
    let (out, notes) = encoded(&request, LLAMA);
    assert!(!out.to_string().contains("cachePoint"));
    assert_eq!(notes.count(Severity::Loss), 1);
}

#[test]
fn what_has_no_field_is_noted() {
    let body = json!({
        "messages": [{"role": "user", "content": "hi", "name": "ana"}],
        "seed": 1, "logit_bias": {"1": 2}, "frequency_penalty": 0.5, "user": "u", "parallel_tool_calls": false,
        "service_tier": "scale", "unknown_option": true, "metadata": {"team": "blue", "bad": "<>"},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    });
    let call = call(Dialect::OpenAiChat, LLAMA, &body);
    let mut lost = losses(&call);
    lost.sort_unstable();
    assert_eq!(
        lost,
        [
            "frequency_penalty",
            "logit_bias",
            "messages[0].name",
            "metadata.bad",
            "parallel_tool_calls",
            "seed",
            "service_tier",
            "unknown_option",
            "user",
        ]
    );
    let out: Value = serde_json::from_slice(&call.body()).unwrap();
    assert_eq!(out["requestMetadata"], json!({"team": "blue"}));
    assert!(
        formats::UPSTREAMS
            .iter()
            .any(|format| format.dialect() == Dialect::BedrockConverse)
    );
}
