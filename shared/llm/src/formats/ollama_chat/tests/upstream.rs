//! Upstreams of this dialect.

use super::*;
use crate::finish::FinishReason;
use crate::reply::{Fold, ReplyPart};
use serde_json::json;

const STREAM: &str = concat!(
    r#"{"model":"n","created_at":"2026-11-24T00:00:00.1Z","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
    "\n",
    r#"{"model":"n","message":{"role":"assistant","content":"Hé"},"done":false}"#,
    "\r\n\n",
    r#"{"model":"n","message":{"role":"assistant","content":"","tool_calls":[{"function":{"index":0,"name":"f","arguments":{"b": 1.0, "a": "x y"}}},{"id":"call_g","function":{"name":"g","arguments":{}}}]},"done":false}"#,
    "\n",
    r#"{"model":"n","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":5,"prompt_eval_count":10,"eval_count":7}"#,
    "\n",
);

fn decoded(stream: &str, step: usize) -> Vec<Event> {
    let (mut decoder, mut events) = (OllamaChat.stream_decoder(), Vec::new());
    stream
        .as_bytes()
        .chunks(step)
        .for_each(|chunk| decoder.push(chunk, &mut events));
    decoder.finish(&mut events);
    events
}

fn folded(events: Vec<Event>) -> Reply {
    let mut fold = Fold::new();
    events.into_iter().for_each(|event| fold.push(event));
    fold.finish().unwrap()
}

fn parts(reply: &Reply) -> Vec<String> {
    let part = |part: &ReplyPart| match part {
        ReplyPart::Text { text, .. } => format!("text {text}"),
        ReplyPart::Reasoning { text, .. } => format!("reasoning {text}"),
        ReplyPart::ToolCall(call) => format!("{} {}", call.name, call.arguments.as_str()),
        other => format!("{other:?}"),
    };
    reply.choices[0].parts.iter().map(part).collect()
}

#[test]
fn a_stream_is_read_however_it_is_cut() {
    let whole = folded(decoded(STREAM, STREAM.len()));
    assert_eq!(
        parts(&whole),
        ["reasoning hm", "text Hé", r#"f {"b":1.0,"a":"x y"}"#, "g {}"]
    );
    let finish = whole.choices[0].finish.as_ref().unwrap();
    assert_eq!(
        (finish.reason, finish.native.as_str()),
        (FinishReason::ToolCalls, "stop")
    );
    assert_eq!(
        (whole.usage.input_total, whole.usage.output_total),
        (Some(10), Some(7))
    );
    for step in 1..20 {
        assert_eq!(
            format!("{:?}", folded(decoded(STREAM, step))),
            format!("{whole:?}")
        );
    }
}

#[test]
fn a_call_without_an_id_gets_one_that_differs_from_reply_to_reply() {
    let id = |stream: &str| match &folded(decoded(stream, 64)).choices[0].parts[2] {
        ReplyPart::ToolCall(call) => call.id.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(id(STREAM), id(STREAM));
    assert_ne!(id(STREAM), id(&STREAM.replace("00.1Z", "00.2Z")));
    assert!(id(STREAM).starts_with("call_"));
}

#[test]
fn a_cut_stream_is_not_a_success() {
    for cut in 0..STREAM.find(r#""done":true"#).unwrap() {
        if !STREAM.is_char_boundary(cut) {
            continue;
        }
        let events = decoded(&STREAM[..cut], 16);
        assert!(
            error(&events).is_some_and(|error| error.starts_with("stream_incomplete")),
            "{cut}"
        );
    }
    assert_eq!(
        error(&decoded(STREAM.trim_end(), 16)),
        None,
        "the last line needs no end"
    );
}

#[test]
fn an_error_line_ends_the_stream_for_clients_of_other_dialects() {
    let stream = concat!(
        "{\"message\":{\"content\":\"Yes\"},\"done\":false}\n",
        "{\"error\":\"an error was encountered while running the model\"}\n",
    );
    for client in [
        Dialect::OpenAiChat,
        Dialect::OpenAiResponses,
        Dialect::AnthropicMessages,
        Dialect::OllamaChat,
    ] {
        let (out, progress) = streamed(client, Dialect::OllamaChat, stream, 7);
        assert!(out.contains("Yes"), "{client}: {out}");
        assert!(out.contains("an error was encountered"), "{client}: {out}");
        assert!(!out.contains("[DONE]") && !out.contains("completed\"") && !out.contains("\"done\":true"));
        assert!(progress.error.is_some() && !progress.ended);
    }
}

#[test]
fn what_is_no_stream_of_this_dialect_is_malformed() {
    let page = "<html>\n<body>\nBad gateway\n</body>\n";
    assert_eq!(
        error(&decoded(page, 9)).as_deref(),
        Some("upstream_malformed: upstream sent a stream that cannot be read")
    );
}

#[test]
fn a_whole_reply_is_the_last_line_with_everything_in_it() {
    let body = json!({
        "model": "n", "created_at": "2026-11-24T00:00:00Z",
        "message": {"role": "assistant", "content": "Hi", "thinking": "hm"},
        "done": true, "done_reason": "length", "prompt_eval_count": 3, "eval_count": 2,
    });
    let reply = folded(OllamaChat.decode_reply(body.to_string().as_bytes()).unwrap());
    assert_eq!(parts(&reply), ["reasoning hm", "text Hi"]);
    assert_eq!(
        reply.choices[0].finish.as_ref().unwrap().reason,
        FinishReason::Length
    );
    let streamed = OllamaChat.decode_reply(STREAM.as_bytes()).unwrap();
    assert_eq!(parts(&folded(streamed)).len(), 4, "a server that streams unasked");
}

#[test]
fn a_body_that_is_no_reply_is_an_error() {
    for (body, kind) in [
        ("", "upstream_malformed"),
        ("<html></html>", "upstream_malformed"),
        ("{}", "upstream_malformed"),
        (r#"{"error":"model requires more system memory"}"#, "upstream_5xx"),
        (r#"{"message":{"content":"a"},"done":false}"#, "stream_incomplete"),
        (
            "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"error\":\"x\"}\n",
            "upstream_5xx",
        ),
    ] {
        let error = OllamaChat.decode_reply(body.as_bytes()).unwrap_err();
        assert_eq!(error.kind.name(), kind, "{body}");
    }
}

#[test]
fn passthrough_keeps_every_byte_and_sees_the_end() {
    for step in [1, 7, 4096] {
        let (out, progress) = streamed(Dialect::OllamaChat, Dialect::OllamaChat, STREAM, step);
        assert_eq!(out, STREAM);
        assert!(progress.started && progress.ended && progress.error.is_none());
        assert_eq!(
            (progress.usage.input_total, progress.usage.output_total),
            (Some(10), Some(7))
        );
    }
    let cut = &STREAM[..STREAM.find(r#""done":true"#).unwrap()];
    let (out, progress) = streamed(Dialect::OllamaChat, Dialect::OllamaChat, cut, 16);
    let last = out.lines().last().unwrap();
    assert!(last.starts_with("{\"error\":\""), "{last}");
    assert!(progress.error.is_some() && !progress.ended);
}

fn encoded(request: serde_json::Value, client: Dialect, model: &str) -> (serde_json::Value, Notes) {
    let ask = crate::Ask::read(client, request.to_string().into()).unwrap();
    let call = ask.call(&target(model)).unwrap();
    (
        serde_json::from_slice(&call.body()).unwrap(),
        call.notes().clone(),
    )
}

#[test]
fn a_request_of_another_dialect_is_written_in_the_words_of_this_one() {
    let request = json!({
        "model": "m", "stream": true, "max_tokens": 64, "temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": "X",
        "logprobs": true, "top_logprobs": 2, "reasoning_effort": "high", "logit_bias": {"1": 1},
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
        "tools": [{"type": "function", "function": {"name": "f", "description": "F"}}],
        "messages": [
            {"role": "system", "content": "A"},
            {"role": "developer", "content": "B"},
            {"role": "user", "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
            ]},
            {"role": "user", "content": "more"},
            {"role": "assistant", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"b\":1.0}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "done"},
            {"role": "system", "content": "mid"},
        ],
    });
    let (body, notes) = encoded(request, Dialect::OpenAiChat, "llama3.2");
    assert_eq!(
        body,
        json!({
            "model": "llama3.2", "stream": true, "think": true, "logprobs": true, "top_logprobs": 2,
            "format": {"type": "object"},
            "options": {"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["X"], "num_predict": 64},
            "tools": [{"type": "function", "function": {
                "name": "f", "description": "F", "parameters": {"type": "object", "properties": {}},
            }}],
            "messages": [
                {"role": "system", "content": "A\nB"},
                {"role": "user", "content": "see\nmore", "images": ["iVBORw0KGgo="]},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"b": 1.0}}},
                ]},
                {"role": "tool", "content": "done", "tool_name": "f", "tool_call_id": "call_1"},
                {"role": "system", "content": "mid"},
            ],
        })
    );
    assert!(notes.iter().any(|note| note.field == "logit_bias"));
}

#[test]
fn thinking_is_a_switch_or_a_level() {
    let think = |model: &str, said: serde_json::Value| {
        let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        request["reasoning_effort"] = said;
        encoded(request, Dialect::OpenAiChat, model).0["think"].clone()
    };
    for (model, said, sent) in [
        ("qwen3", json!("low"), json!(true)),
        ("qwen3", json!("none"), json!(false)),
        ("qwen3", json!(null), json!(null)),
        ("gpt-oss:20b", json!("low"), json!("low")),
        ("gpt-oss:20b", json!("xhigh"), json!("high")),
    ] {
        assert_eq!(think(model, said.clone()), sent, "{model} {said}");
    }
}

#[test]
fn which_tools_are_sent_stands_for_a_tool_choice() {
    let names = |choice: serde_json::Value| {
        let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
        let request = json!({
            "model": "m", "messages": [{"role": "user", "content": "hi"}],
            "tools": [tool("f"), tool("g")], "tool_choice": choice,
        });
        let (body, notes) = encoded(request, Dialect::OpenAiChat, "m");
        let tools = body["tools"].as_array().cloned().unwrap_or_default();
        let names: Vec<String> = tools
            .iter()
            .map(|tool| tool["function"]["name"].as_str().unwrap().to_owned())
            .collect();
        (names.join(" "), notes.count(crate::Severity::Loss))
    };
    assert_eq!(names(json!("auto")), ("f g".to_owned(), 0));
    assert_eq!(names(json!("none")), (String::new(), 0));
    assert_eq!(names(json!("required")), ("f g".to_owned(), 1));
    let named = json!({"type": "function", "function": {"name": "g"}});
    assert_eq!(names(named), ("g".to_owned(), 1));
}

#[test]
fn an_image_of_a_tool_result_follows_the_batch() {
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAAN"}});
    let request = json!({
        "model": "m", "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [image]},
                {"type": "tool_result", "tool_use_id": "b", "content": "no", "is_error": true},
                {"type": "text", "text": "and?"},
            ]},
        ],
    });
    let (body, _) = encoded(request, Dialect::AnthropicMessages, "m");
    assert_eq!(
        body["messages"].as_array().unwrap()[2..],
        [
            json!({"role": "tool", "content": "\n[1 image attached in the next user message]", "tool_name": "f", "tool_call_id": "a"}),
            json!({"role": "tool", "content": "[tool error] no", "tool_name": "f", "tool_call_id": "b"}),
            json!({"role": "user", "content": "Media returned by tool f (a):\nand?", "images": ["iVBORw0KGgoAAAAN"]}),
        ]
    );
}

#[test]
fn an_image_the_server_would_have_to_fetch_is_refused() {
    let request = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]}]});
    let ask = crate::Ask::read(Dialect::OpenAiChat, request.to_string().into()).unwrap();
    let error = ask.call(&target("m")).unwrap_err().to_string();
    assert_eq!(error, "image_url must be a data: URL for this model");
}

#[test]
fn a_stream_is_asked_for_as_lines() {
    let request = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let ask = crate::Ask::read(Dialect::OpenAiChat, request.to_string().into()).unwrap();
    let headers = ask.call(&target("m")).unwrap().headers(&|_| None);
    assert!(headers.contains(&("accept", "application/x-ndjson".to_owned())));
}
