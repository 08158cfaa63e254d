//! Reasoning and signatures that a client does not bring back, restored from one request to the next.

use crate::harness::{DataPlane, KEY, Setup, frames, json};
use crate::scripted::Upstream;
use serde_json::{Value, json};
use state::RedisStore;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const OTHER_KEY: &str = "sk-other-key";

struct World {
    data_plane: DataPlane,
    upstream: Upstream,
}

async fn world(provider: &str) -> World {
    let upstream = Upstream::start().await;
    let data_plane = Setup::new()
        .key(OTHER_KEY, |_| {})
        .account_at("a", provider, upstream.url())
        .start()
        .await;
    World { data_plane, upstream }
}

fn tool() -> Value {
    json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}})
}

/// The first turn, or, with calls, the second one of a client that kept nothing but them.
fn chat(model: &str, stream: bool, calls: Option<&Value>) -> Value {
    let mut messages = vec![json!({"role": "user", "content": "Use the tool."})];
    if let Some(calls) = calls {
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
        for call in calls.as_array().unwrap() {
            messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "42"}));
        }
    }
    json!({
        "model": model, "stream": stream, "max_tokens": 8000, "reasoning_effort": "low",
        "tools": [tool()], "messages": messages,
    })
}

fn thinking_message() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": "T", "signature": "SIG"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 2},
    })
}

fn thinking_events() -> Vec<Value> {
    let start = |index, block| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index, delta| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index| json!({"type": "content_block_stop", "index": index});
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
        "stop_reason": null, "usage": {"input_tokens": 1, "output_tokens": 0},
    });
    vec![
        json!({"type": "message_start", "message": message}),
        start(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "T"})),
        delta(0, json!({"type": "signature_delta", "signature": "SIG"})),
        stop(0),
        start(
            1,
            json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}),
        ),
        delta(1, json!({"type": "input_json_delta", "partial_json": "{}"})),
        stop(1),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}}),
        json!({"type": "message_stop"}),
    ]
}

/// The calls of an answer, whole or streamed.
async fn calls(data_plane: &DataPlane, body: &Value) -> Value {
    let answer = data_plane.ask("/v1/chat/completions", body).await;
    assert_eq!(answer.status(), 200);
    if body["stream"] == false {
        return json(answer).await["choices"][0]["message"]["tool_calls"].clone();
    }
    let text = answer.text().await.unwrap();
    let chunks = frames(&text);
    let chunks = chunks
        .iter()
        .filter_map(|chunk| serde_json::from_str::<Value>(chunk).ok());
    let deltas = chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0).cloned());
    let calls = deltas.filter(|delta| delta["id"].is_string()).map(|delta| {
        let name = &delta["function"]["name"];
        json!({"id": delta["id"], "type": "function", "function": {"name": name, "arguments": "{}"}})
    });
    calls.collect()
}

/// The calls as a client keeps them that knows no more than the fields of OpenAI's API.
fn bare(calls: &Value) -> Value {
    let bare = |call: &Value| json!({"id": call["id"], "type": "function", "function": call["function"]});
    calls.as_array().unwrap().iter().map(bare).collect()
}

#[tokio::test]
async fn a_chat_client_that_drops_signed_thinking_gets_it_restored() {
    for stream in [false, true] {
        let World { data_plane, upstream } = world("anthropic").await;
        match stream {
            true => upstream.streams(&thinking_events()),
            false => upstream.says(&thinking_message()),
        }
        let model = "anthropic/claude-sonnet-4-5";
        let calls = calls(&data_plane, &chat(model, stream, None)).await;
        assert_eq!(calls[0]["id"], "toolu_1", "{calls}");
        upstream.says(&thinking_message());
        let second = chat(model, false, Some(&bare(&calls)));
        data_plane.ask("/v1/chat/completions", &second).await;
        let sent = upstream.received();
        assert_eq!(
            sent["messages"][1]["content"],
            json!([
                {"type": "thinking", "thinking": "T", "signature": "SIG"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
            ]),
            "streamed: {stream}"
        );
        assert_eq!(sent["messages"][2]["content"][0]["type"], "tool_result", "{sent}");
        assert_eq!(sent["thinking"]["type"], "enabled", "{sent}");
    }
}

#[tokio::test]
async fn another_key_gets_nothing_of_it() {
    let World { data_plane, upstream } = world("anthropic").await;
    upstream.says(&thinking_message());
    let model = "anthropic/claude-sonnet-4-5";
    let calls = calls(&data_plane, &chat(model, false, None)).await;
    let second = chat(model, false, Some(&bare(&calls)));
    for (key, blocks) in [(OTHER_KEY, 1), (KEY, 2)] {
        upstream.says(&thinking_message());
        let request = data_plane.post("/v1/chat/completions").bearer_auth(key);
        let answer = request.body(second.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let sent = upstream.received();
        let content = sent["messages"][1]["content"].as_array().unwrap();
        assert_eq!(content.len(), blocks, "{key}: {sent}");
        // unsigned, the model cannot think on
        assert_eq!(sent.get("thinking").is_some(), blocks == 2, "{key}: {sent}");
    }
}

#[tokio::test]
async fn hidden_reasoning_that_a_model_wants_echoed_is_restored() {
    let World { data_plane, upstream } = world("openai").await;
    let answer = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "kimi-k2.5",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": null, "reasoning_content": "T",
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        }}],
    });
    let mut body = json!({
        "model": "openai/kimi-k2.5", "max_tokens": 200,
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": "Use the tool."}],
    });
    upstream.says(&answer);
    let message = json(data_plane.ask("/v1/messages", &body).await).await;
    assert_eq!(message["content"][0]["type"], "tool_use", "{message}");
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": message["content"]}));
    messages.push(json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "42"},
    ]}));
    upstream.says(&answer);
    data_plane.ask("/v1/messages", &body).await;
    let sent = upstream.received();
    assert_eq!(sent["messages"][1]["reasoning_content"], "T", "{sent}");
}

#[tokio::test]
async fn a_signed_call_of_gemini_is_signed_again() {
    let World { data_plane, upstream } = world("gemini").await;
    let call = |name: &str| json!({"functionCall": {"name": name, "args": {}}});
    let mut signed = call("f");
    signed["thoughtSignature"] = json!("U0lH");
    let answer = json!({
        "responseId": "r", "modelVersion": "gemini-3-pro",
        "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [signed, call("f")]}}],
    });
    upstream.says(&answer);
    let model = "gemini/gemini-3-pro-preview";
    let calls = calls(&data_plane, &chat(model, false, None)).await;
    upstream.says(&answer);
    let second = chat(model, false, Some(&bare(&calls)));
    assert_eq!(
        data_plane.ask("/v1/chat/completions", &second).await.status(),
        200
    );
    let sent = upstream.received();
    let parts = &sent["contents"][1]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "U0lH", "{sent}");
    assert!(parts[1].get("thoughtSignature").is_none(), "{sent}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_costs_its_deadlines_and_the_reasoning() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let store = RedisStore::connect(&url, "test").await.unwrap();
    let upstream = Upstream::start().await;
    let data_plane = Setup::new()
        .store(Arc::new(store))
        .account_at("a", "anthropic", upstream.url())
        .start()
        .await;
    let model = "anthropic/claude-sonnet-4-5";
    let asked = Instant::now();
    upstream.streams(&thinking_events());
    let calls = calls(&data_plane, &chat(model, true, None)).await;
    upstream.says(&thinking_message());
    let second = chat(model, false, Some(&bare(&calls)));
    assert_eq!(
        data_plane.ask("/v1/chat/completions", &second).await.status(),
        200
    );
    assert_eq!(
        upstream.received()["messages"][1]["content"][0]["type"],
        "tool_use"
    );
    // it was waited for three times, for 50 ms each
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}
