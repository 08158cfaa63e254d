//! What clients of this dialect get, from upstreams of others.

use crate::caps::ModelCaps;
use crate::dialect::Dialect;
use crate::format::{Framing, ReplySeed};
use crate::translate::{Ask, Call, Progress, Target};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn seed() -> ReplySeed {
    ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "asked".to_owned(),
        include_usage: false,
        injected_usage: false,
        framing: Framing::default(),
        request: None,
    }
}

fn call(upstream: Dialect, mut extra: Value) -> Call {
    extra["model"] = json!("m");
    extra["stream"] = json!(true);
    extra["input"] = json!("hi");
    let ask = Ask::read(Dialect::OpenAiResponses, Bytes::from(extra.to_string())).unwrap();
    ask.call(&Target {
        dialect: upstream,
        model: "n".to_owned(),
        caps: ModelCaps::of(upstream, "n"),
    })
    .unwrap()
}

fn chunk(delta: Value, finish: Value) -> String {
    let chunk =
        json!({"id": "c", "model": "n", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    format!("data: {chunk}\n\n")
}

fn usage(usage: Value) -> String {
    format!(
        "data: {}\n\ndata: [DONE]\n\n",
        json!({"id": "c", "choices": [], "usage": usage})
    )
}

fn streamed(call: &Call, upstream: &str) -> String {
    let (mut pump, mut out) = (call.pump(&seed()), Vec::new());
    for byte in upstream.as_bytes().chunks(13) {
        pump.push(Bytes::copy_from_slice(byte), &mut out);
    }
    pump.finish(&mut out);
    String::from_utf8(out.concat()).unwrap()
}

/// The events of a stream, which must follow the grammar of the API.
fn events(stream: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for frame in stream
        .split_terminator("\n\n")
        .filter(|frame| !frame.starts_with(':'))
    {
        let (name, data) = frame.split_once('\n').unwrap();
        let event: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: ").unwrap(), event["type"]);
        assert_eq!(event["sequence_number"], events.len(), "{event}");
        events.push(event);
    }
    check(&events);
    events
}

fn check(events: &[Value]) {
    let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
    assert_eq!(kind(&events[0]), "response.created");
    assert_eq!(kind(&events[1]), "response.in_progress");
    let mut added: BTreeMap<u64, String> = BTreeMap::new();
    let mut done: Vec<Value> = Vec::new();
    let mut said: BTreeMap<(String, String), String> = BTreeMap::new();
    for event in events {
        let kind = kind(event);
        let index = event["output_index"].as_u64();
        let item_id = event["item_id"].as_str().map(str::to_owned);
        match kind.as_str() {
            "response.output_item.added" => {
                assert_eq!(index, Some(added.len() as u64), "{event}");
                assert_eq!(added.len(), done.len(), "one item is open at a time");
                added.insert(index.unwrap(), event["item"]["id"].as_str().unwrap().to_owned());
            }
            "response.output_item.done" => {
                assert_eq!(event["item"]["id"], added[&index.unwrap()].as_str());
                assert_eq!(index, Some(done.len() as u64));
                done.push(event["item"].clone());
            }
            _ if item_id.is_some() => {
                assert_eq!(item_id.as_ref(), added.get(&index.unwrap()), "{event}");
                assert_eq!(index, Some(done.len() as u64), "{event}");
            }
            _ => {}
        }
        let Some(id) = item_id else { continue };
        if let Some(source) = kind.strip_suffix(".delta") {
            let text = event["delta"].as_str().unwrap();
            assert!(!text.is_empty());
            said.entry((id, source.to_owned())).or_default().push_str(text);
        } else if let Some(source) = kind.strip_suffix(".done") {
            let full = ["text", "refusal", "arguments", "input"]
                .into_iter()
                .find_map(|name| event[name].as_str());
            if let Some(full) = full {
                let said = said.get(&(id, source.to_owned())).map(String::as_str);
                assert_eq!(said.unwrap_or_default(), full, "{event}");
            }
        }
    }
    let last = events.last().unwrap();
    let response = &last["response"];
    match kind(last).as_str() {
        "response.failed" => assert!(response["error"]["code"].is_string()),
        ending => {
            assert_eq!(
                ending,
                format!("response.{}", response["status"].as_str().unwrap())
            );
            assert_eq!(response["output"], Value::from(done.clone()));
            assert_eq!(added.len(), done.len());
            for path in [
                "/input_tokens",
                "/output_tokens",
                "/total_tokens",
                "/input_tokens_details/cached_tokens",
                "/output_tokens_details/reasoning_tokens",
            ] {
                assert!(response["usage"].pointer(path).unwrap().is_u64(), "{path}");
            }
        }
    }
}

fn last(stream: &str) -> Value {
    events(stream).pop().unwrap()["response"].take()
}

fn interleaved() -> String {
    let head = |index: u64, id: &str| {
        chunk(
            json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": "f", "arguments": ""}}]}),
            Value::Null,
        )
    };
    let more = |index: u64, text: &str| {
        chunk(
            json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]}),
            Value::Null,
        )
    };
    [
        chunk(
            json!({"role": "assistant", "content": "", "reasoning_content": "a"}),
            Value::Null,
        ),
        chunk(json!({"content": "b"}), Value::Null),
        head(0, "c0"),
        head(1, "c1"),
        more(0, "{\"x\":"),
        more(1, "{}"),
        more(0, "1}"),
        chunk(json!({}), json!("tool_calls")),
        usage(json!({"prompt_tokens": 5, "completion_tokens": 2})),
    ]
    .concat()
}

#[test]
fn one_item_is_open_at_a_time_and_keeps_its_place() {
    let stream = streamed(&call(Dialect::OpenAiChat, json!({})), &interleaved());
    let response = last(&stream);
    let kinds: Vec<&str> = response["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "function_call"]);
    assert_eq!(response["output"][2]["arguments"], "{\"x\":1}");
    insta::assert_snapshot!(stream);
}

#[test]
fn a_stream_and_a_whole_reply_say_the_same() {
    let call = call(Dialect::OpenAiChat, json!({}));
    let streamed = last(&streamed(&call, &interleaved()));
    let whole = call
        .fold(interleaved().into(), &seed(), &mut Progress::default())
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), streamed);
}

#[test]
fn usage_is_complete_even_when_there_is_none() {
    let text = [
        chunk(json!({"content": "a"}), Value::Null),
        chunk(json!({}), json!("stop")),
    ]
    .concat();
    let told = usage(json!({"prompt_tokens": 5, "completion_tokens": 2}));
    let call = call(Dialect::OpenAiChat, json!({}));
    let response = last(&streamed(&call, &format!("{text}{told}")));
    assert_eq!(response["usage"]["total_tokens"], 7);
    let response = last(&streamed(&call, &format!("{text}data: [DONE]\n\n")));
    assert_eq!(response["usage"]["total_tokens"], 0);
}

fn anthropic(blocks: &str, stop: &str) -> String {
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"n\",\"content\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n";
    let end = json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": {"output_tokens": 2}});
    format!(
        "{start}{blocks}event: message_delta\ndata: {end}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
    )
}

const TEXT_BLOCK: &str = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"no\"}}\n\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n";

#[test]
fn why_it_is_incomplete_is_told() {
    let chat = |reason: &str| {
        let all = [
            chunk(json!({"content": "a"}), Value::Null),
            chunk(json!({}), json!(reason)),
        ];
        (Dialect::OpenAiChat, format!("{}data: [DONE]\n\n", all.concat()))
    };
    let messages = |blocks, stop| (Dialect::AnthropicMessages, anthropic(blocks, stop));
    for ((upstream, stream), status, reason) in [
        (chat("length"), "incomplete", json!("max_output_tokens")),
        (chat("content_filter"), "incomplete", json!("content_filter")),
        (
            messages(TEXT_BLOCK, "max_tokens"),
            "incomplete",
            json!("max_output_tokens"),
        ),
        (messages(TEXT_BLOCK, "refusal"), "completed", Value::Null),
        (messages("", "refusal"), "incomplete", json!("content_filter")),
    ] {
        let call = call(upstream, json!({}));
        let response = last(&streamed(&call, &stream));
        let told = response["incomplete_details"]["reason"].clone();
        assert_eq!(
            (response["status"].as_str(), told),
            (Some(status), reason),
            "{stream}"
        );
        let whole = call
            .fold(stream.clone().into(), &seed(), &mut Progress::default())
            .unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), response);
    }
    let call = call(Dialect::AnthropicMessages, json!({}));
    let response = last(&streamed(&call, &anthropic(TEXT_BLOCK, "refusal")));
    assert_eq!(
        response["output"][0]["content"][1],
        json!({"type": "refusal", "refusal": "no"})
    );
}

#[test]
fn a_free_text_tool_gets_free_text() {
    let tools = json!({"tools": [{"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/s"}}]});
    let call = call(Dialect::OpenAiChat, tools);
    let sent: Value = serde_json::from_slice(&call.body()).unwrap();
    let function = &sent["tools"][0]["function"];
    assert_eq!(function["parameters"]["properties"]["input"]["type"], "string");
    assert!(function["description"].as_str().unwrap().contains("start: /.+/s"));

    let fragments = [
        "{\"inp",
        "ut\":\"*** Begin Patch\\n+a \\u00e9\\u4e",
        "2d\\n*** End Patch\"}",
    ];
    let mut upstream = chunk(
        json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "apply_patch", "arguments": ""}}]}),
        Value::Null,
    );
    for text in fragments {
        upstream += &chunk(
            json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}),
            Value::Null,
        );
    }
    upstream += &chunk(json!({}), json!("tool_calls"));
    upstream += "data: [DONE]\n\n";
    let stream = streamed(&call, &upstream);
    let response = last(&stream);
    assert_eq!(
        response["output"][0]["input"],
        "*** Begin Patch\n+a é中\n*** End Patch"
    );
    assert_eq!(response["output"][0]["type"], "custom_tool_call");
    assert!(!stream.contains("function_call"), "{stream}");
}

#[test]
fn a_tool_of_a_namespace_gets_its_own_name_back() {
    let tools = json!({"tools": [{"type": "namespace", "name": "mcp__fs", "description": "", "tools": [{"type": "function", "name": "read"}]}]});
    let call = call(Dialect::OpenAiChat, tools);
    let sent: Value = serde_json::from_slice(&call.body()).unwrap();
    assert_eq!(sent["tools"][0]["function"]["name"], "mcp__fs__read");
    let upstream = [
        chunk(
            json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "mcp__fs__read", "arguments": "{}"}}]}),
            Value::Null,
        ),
        chunk(json!({}), json!("tool_calls")),
    ];
    let stream = streamed(&call, &format!("{}data: [DONE]\n\n", upstream.concat()));
    let response = last(&stream);
    let item = &response["output"][0];
    assert_eq!(
        (&item["namespace"], &item["name"]),
        (&json!("mcp__fs"), &json!("read"))
    );
    assert!(!stream.contains("mcp__fs__read"), "{stream}");
}

#[test]
fn a_stream_that_breaks_off_fails_with_what_there_is() {
    let call = call(Dialect::OpenAiChat, json!({}));
    let stream = streamed(&call, &chunk(json!({"content": "a"}), Value::Null));
    let response = last(&stream);
    assert_eq!(response["status"], "failed");
    assert_eq!(response["output"][0]["status"], "incomplete");
    assert_eq!(response["output"][0]["content"][0]["text"], "a");

    let stream = streamed(
        &call,
        "data: {\"error\":{\"message\":\"slow\",\"code\":\"rate_limit_exceeded\"}}\n\n",
    );
    assert_eq!(
        stream,
        "event: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"slow\",\"param\":null,\"sequence_number\":0}\n\n"
    );
}

#[test]
fn state_that_only_its_vendor_reads_goes_through_the_client() {
    let thinking = [
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "EqQB"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "Emw="}}),
        json!({"type": "content_block_stop", "index": 1}),
    ];
    let blocks: String = thinking
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    let text = TEXT_BLOCK.replace("\"index\":0", "\"index\":2");
    let call = call(
        Dialect::AnthropicMessages,
        json!({"reasoning": {"effort": "high"}}),
    );
    let response = last(&streamed(
        &call,
        &anthropic(&format!("{blocks}{text}"), "end_turn"),
    ));

    let mut input = vec![json!("hi")];
    input.extend(response["output"].as_array().unwrap().iter().cloned());
    input.push(json!("and?"));
    let body =
        json!({"model": "m", "input": input, "reasoning": {"effort": "high"}, "max_output_tokens": 40000});
    let ask = Ask::read(Dialect::OpenAiResponses, Bytes::from(body.to_string())).unwrap();
    let next = ask.call(&Target {
        dialect: Dialect::AnthropicMessages,
        model: "n".to_owned(),
        caps: ModelCaps::of(Dialect::AnthropicMessages, "n"),
    });
    let sent: Value = serde_json::from_slice(&next.unwrap().body()).unwrap();
    assert_eq!(
        sent["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
            {"type": "redacted_thinking", "data": "Emw="},
            {"type": "text", "text": "no"},
        ])
    );
}

#[test]
fn a_reply_says_again_what_was_asked() {
    let asked = json!({"instructions": "be brief", "temperature": 0.5, "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}], "tool_choice": "required", "metadata": {"a": "b"}});
    let all = [
        chunk(json!({"content": "a"}), Value::Null),
        chunk(json!({}), json!("stop")),
    ]
    .concat();
    let response = last(&streamed(
        &call(Dialect::OpenAiChat, asked),
        &format!("{all}data: [DONE]\n\n"),
    ));
    assert_eq!(response["instructions"], "be brief");
    assert_eq!(response["temperature"], 0.5);
    assert_eq!(response["tools"][0]["name"], "f");
    assert_eq!(response["tool_choice"], "required");
    assert_eq!(response["metadata"], json!({"a": "b"}));
    assert_eq!(response["model"], "asked");
}

#[test]
fn the_gateway_looks_for_stop_sequences_itself() {
    let body = json!({"model": "m", "stop": ["STOP"], "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let ask = Ask::read(Dialect::OpenAiChat, Bytes::from(body.to_string())).unwrap();
    let call = ask
        .call(&Target {
            dialect: Dialect::OpenAiResponses,
            model: "n".to_owned(),
            caps: ModelCaps::of(Dialect::OpenAiResponses, "n"),
        })
        .unwrap();
    assert!(!String::from_utf8_lossy(&call.body()).contains("STOP"));
    let delta = |text: &str| {
        format!(
            "data: {}\n\n",
            json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": text})
        )
    };
    // the upstream goes on, and may even break off
    let upstream = [delta("abcST"), delta("OPdef"), delta("ghi")].concat();
    let stream = streamed(&call, &upstream);
    let text: String = stream
        .split("\n\n")
        .filter_map(|frame| serde_json::from_str::<Value>(frame.strip_prefix("data: ")?).ok())
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(text, "abc");
    assert!(stream.contains("\"finish_reason\":\"stop\"") && stream.ends_with("data: [DONE]\n\n"));
}
