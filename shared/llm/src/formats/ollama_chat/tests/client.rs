//! Clients of this dialect.

use super::*;
use crate::request::{MediaSource, Output, PartKind, ReasoningMode, Role};
use serde_json::{Value, json};

const ANTHROPIC: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"n\",\"content\":[],\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\u{2028}b\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1.0}\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":7}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

fn decode(request: Value) -> Request {
    OllamaChat.decode_request(request.to_string().as_bytes()).unwrap()
}

#[test]
fn a_client_gets_a_line_per_fragment_and_one_that_says_done() {
    let (out, _) = streamed(Dialect::OllamaChat, Dialect::AnthropicMessages, ANTHROPIC, 4096);
    let lines: Vec<Value> = out
        .split_terminator('\n')
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let at = "2023-11-14T22:13:20.000000000Z";
    assert_eq!(
        lines,
        [
            json!({"model": "m", "created_at": at, "message": {"role": "assistant", "content": "a\u{2028}b"}, "done": false}),
            json!({"model": "m", "created_at": at, "message": {"role": "assistant", "content": "", "tool_calls": [
                {"id": "toolu_1", "function": {"index": 0, "name": "f", "arguments": {"a": 1.0}}},
            ]}, "done": false}),
            json!({"model": "m", "created_at": at, "message": {"role": "assistant", "content": ""}, "done": true,
                "done_reason": "stop", "total_duration": 10_000_000, "load_duration": 0,
                "prompt_eval_count": 10, "prompt_eval_duration": 10_000_000, "eval_count": 7, "eval_duration": 0}),
        ]
    );
    assert!(
        out.contains(r"\u2028") && out.contains(r#""arguments":{"a":1.0}"#),
        "{out}"
    );
}

#[test]
fn how_long_it_took_is_told_in_nanoseconds() {
    let (out, _) = streamed(Dialect::OllamaChat, Dialect::AnthropicMessages, ANTHROPIC, 64);
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let of = |name: &str| last[name].as_u64().unwrap();
    assert!(of("total_duration") > of("prompt_eval_duration") && of("prompt_eval_duration") > 0);
    assert_eq!(
        of("eval_duration"),
        of("total_duration") - of("prompt_eval_duration")
    );
}

#[test]
fn a_cut_stream_ends_in_an_error_line() {
    let cut = &ANTHROPIC[..ANTHROPIC.find("event: message_delta").unwrap()];
    let (out, _) = streamed(Dialect::OllamaChat, Dialect::AnthropicMessages, cut, 33);
    assert!(!out.contains("\"done\":true"));
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(last.as_object().unwrap().len(), 1);
    assert!(last["error"].is_string());
}

#[test]
fn a_whole_reply_is_read_back_the_same() {
    let ask = crate::Ask::read(
        Dialect::OllamaChat,
        Bytes::from_static(br#"{"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}]}"#),
    );
    let upstream = Target {
        dialect: Dialect::AnthropicMessages,
        model: "n".to_owned(),
        caps: ModelCaps::of(Dialect::AnthropicMessages, "n"),
    };
    let call = ask.unwrap().call(&upstream).unwrap();
    let mut progress = crate::Progress {
        elapsed: Some(std::time::Duration::from_micros(3)),
        ..crate::Progress::default()
    };
    let body = call.fold(ANTHROPIC.into(), &seed(), &mut progress).unwrap();
    let reply: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(reply["message"]["content"], "a\u{2028}b");
    assert_eq!(
        reply["message"]["tool_calls"][0]["function"]["arguments"],
        json!({"a": 1.0})
    );
    assert_eq!(
        (&reply["done"], &reply["done_reason"]),
        (&json!(true), &json!("stop"))
    );
    assert_eq!(
        (&reply["total_duration"], &reply["eval_count"]),
        (&json!(3000), &json!(7))
    );
    assert!(OllamaChat.decode_reply(&body).is_ok());
}

#[test]
fn the_defaults_of_this_api_reach_an_upstream_of_another() {
    let body = json!({
        "model": "m", "options": {"num_predict": -1, "stop": ["X"]},
        "messages": [{"role": "user", "content": "hi", "images": ["iVBORw0KGgo="]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    });
    let ask = crate::Ask::read(Dialect::OllamaChat, body.to_string().into()).unwrap();
    assert!(ask.stream());
    let upstream = Target {
        dialect: Dialect::AnthropicMessages,
        model: "n".to_owned(),
        caps: ModelCaps::of(Dialect::AnthropicMessages, "n"),
    };
    let sent: Value = serde_json::from_slice(&ask.call(&upstream).unwrap().body()).unwrap();
    assert_eq!(
        (&sent["stream"], &sent["stop_sequences"]),
        (&json!(true), &json!(["X"]))
    );
    assert!(sent["max_tokens"].as_u64().unwrap() > 1);
    let image = &sent["messages"][0]["content"][1]["source"];
    assert_eq!(image["media_type"], "image/png");
}

#[test]
fn every_field_is_read() {
    let request = decode(json!({
        "model": "m", "stream": false, "think": "high", "logprobs": true, "top_logprobs": 3, "keep_alive": "5m",
        "format": {"type": "object"},
        "options": {"temperature": 0.5, "top_k": 40.0, "top_p": 0.9, "seed": 1, "num_predict": 64, "num_ctx": 4096,
            "presence_penalty": 0.1, "frequency_penalty": 0.2, "stop": "X"},
        "messages": [
            {"role": "system", "content": "A"},
            {"role": "user", "content": "hi", "images": ["data:image/jpg;base64,/9j/4AAQSkZJRgABAQAA"]},
            {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [
                {"function": {"name": "f", "arguments": {"b": 1.0, "a": 2}}},
                {"function": {"name": "g", "arguments": {}}},
                {"id": "mine", "function": {"name": "f", "arguments": {}}},
            ]},
            {"role": "tool", "tool_name": "g", "content": "G"},
            {"role": "tool", "tool_name": "f", "content": "F"},
            {"role": "tool", "tool_call_id": "mine", "content": "M"},
        ],
    }));
    assert_eq!(
        (request.model.as_str(), request.stream, request.system.len()),
        ("m", false, 1)
    );
    assert!(matches!(request.output, Output::JsonSchema(_)));
    assert_eq!(
        (request.reasoning.mode, request.reasoning.effort.as_deref()),
        (ReasoningMode::On, Some("high"))
    );
    assert_eq!(
        (request.sampling.top_k, request.max_output, request.logprobs),
        (Some(40), Some(64), Some(3))
    );
    assert_eq!(request.stop, ["X"]);
    assert_eq!(
        Value::Object(request.extensions[&Dialect::OllamaChat].clone()),
        json!({"keep_alive": "5m", "options": {"num_ctx": 4096}})
    );
    let image = &request.messages[0].parts[1].kind;
    assert!(
        matches!(image, PartKind::Image { source: MediaSource::Base64(_), mime: Some(mime), .. } if mime == "image/jpeg")
    );
    let calls: Vec<(&str, &str, &str)> = request.messages[1]
        .parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::ToolCall(call) => Some((call.id.as_str(), call.name.as_str(), call.arguments.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(calls[0].2, r#"{"b":1.0,"a":2}"#);
    let answered: Vec<&str> = request
        .messages
        .iter()
        .filter(|message| message.role == Role::Tool)
        .map(|message| match &message.parts[0].kind {
            PartKind::ToolResult(result) => result.call_id.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(answered, [calls[1].0, calls[0].0, "mine"]);
}

#[test]
fn what_is_read_is_written_the_same() {
    let request = json!({
        "model": "m", "stream": true, "format": "json", "think": false, "keep_alive": "5m",
        "options": {"temperature": 0.5, "num_predict": 64, "num_ctx": 4096},
        "messages": [
            {"role": "system", "content": "A"},
            {"role": "user", "content": "hi", "images": ["iVBORw0KGgo="]},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}},
            ]},
            {"role": "tool", "content": "done", "tool_name": "f", "tool_call_id": "call_1"},
        ],
    });
    let (neutral, mut notes) = (decode(request.clone()), Notes::default());
    let written = OllamaChat
        .encode_request(&neutral, &target("m"), &mut notes)
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), request);
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    for (request, message) in [
        (
            json!({"model": "m", "messages": []}),
            "messages must contain at least one item",
        ),
        (
            json!({"model": "m", "messages": [{"role": "wizard"}]}),
            "messages[0].role: unsupported role 'wizard'",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "format": "xml"}),
            "format: unsupported value 'xml'",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "think": 3}),
            "think: expected true, false or a level",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": "a", "images": [""]}]}),
            "invalid image source",
        ),
    ] {
        let error = OllamaChat
            .decode_request(request.to_string().as_bytes())
            .unwrap_err();
        assert_eq!(error.message, message);
    }
}
