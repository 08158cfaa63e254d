use crate::client::{anthropic, question, send};
use demo::{Dialect, Simulator};
use serde_json::{Value, json};

const NEWEST: &str =
    "POST /v1/messages HTTP/1.1\r\nauthorization: Bearer sk-test\r\nanthropic-version: 2026-10-21";

fn tool() -> Value {
    json!([{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}])
}

fn called() -> Value {
    json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}]})
}

fn result() -> Value {
    json!({"type": "tool_result", "tool_use_id": "t1", "content": "sunny"})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

#[tokio::test]
async fn what_the_vendor_refuses_is_refused() {
    let user = json!({"role": "user", "content": "Hi"});
    let asked = |content: Value| json!({"messages": [user, called(), {"role": "user", "content": content}]});
    let marked = json!({"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}});
    let table = [
        (json!({"model": null}), "model: Field required"),
        (json!({"max_tokens": null}), "max_tokens: Field required"),
        (
            json!({"max_tokens": 0}),
            "max_tokens: Input should be greater than or equal to 1",
        ),
        (
            json!({"max_tokens": "9"}),
            "max_tokens: Input should be a valid integer",
        ),
        (json!({"messages": null}), "messages: Field required"),
        (json!({"messages": []}), "at least one message"),
        (
            json!({"messages": [{"role": "assistant", "content": "Hi"}]}),
            "first message must use the \"user\" role",
        ),
        (
            json!({"messages": [{"role": "system", "content": "Hi"}]}),
            "messages.0.role",
        ),
        (
            json!({"messages": [{"role": "user", "content": ""}]}),
            "must be non-empty",
        ),
        (
            json!({"messages": [user, {"role": "assistant", "content": "So "}]}),
            "trailing whitespace",
        ),
        (
            json!({"messages": [user, called()]}),
            "without `tool_result` blocks immediately after: t1",
        ),
        (
            asked(json!("and now?")),
            "without `tool_result` blocks immediately after: t1",
        ),
        (
            asked(json!([text("first"), result()])),
            "messages.2.content.0: `tool_use` ids were found",
        ),
        (
            asked(json!([result(), result()])),
            "messages.2.content.1: unexpected `tool_use_id`",
        ),
        (
            json!({"messages": [{"role": "user", "content": [result()]}]}),
            "unexpected `tool_use_id`",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
            "'image_url' is not expected",
        ),
        (
            json!({"messages": [user, {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": "y"}, text("z")]}, user]}),
            "Invalid `signature`",
        ),
        (json!({"stream": 1}), "stream: Input should be a valid boolean"),
        (json!({"stop_sequences": [" "]}), "must contain non-whitespace"),
        (json!({"temperature": 1.5}), "temperature: Input should be"),
        (
            json!({"frequency_penalty": 1}),
            "frequency_penalty: Extra inputs are not permitted",
        ),
        (
            json!({"system": [text("")]}),
            "system: text content blocks must be non-empty",
        ),
        (
            json!({"system": [marked, marked, marked, marked, marked]}),
            "A maximum of 4 blocks with cache_control",
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 100}}),
            "greater than or equal to 1024",
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}),
            "must be greater than `thinking.budget_tokens`",
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000, "tools": tool(),
                "messages": [user, called(), {"role": "user", "content": [result()]}]}),
            "must start with a thinking block",
        ),
        (
            json!({"thinking": {"type": "adaptive"}, "tools": tool(), "tool_choice": {"type": "any"}}),
            "tool_choice forces",
        ),
        (
            json!({"tool_choice": {"type": "auto"}}),
            "only be specified while providing tools",
        ),
        (
            json!({"tools": tool(), "tool_choice": "auto"}),
            "tool_choice: Input tag",
        ),
        (
            json!({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}),
            "tools.0.name",
        ),
        (
            json!({"tools": [{"name": "a"}]}),
            "tools.0.custom.input_schema.type",
        ),
        (
            json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}),
            "'additionalProperties'",
        ),
    ];
    let simulator = Simulator::anthropic().await;
    for (changes, message) in table {
        let answer = anthropic(&simulator, changes.clone()).await;
        let body = answer.json();
        assert_eq!(answer.status, 400, "{changes}: {body}");
        assert_eq!(
            (&body["type"], &body["error"]["type"]),
            (&json!("error"), &json!("invalid_request_error"))
        );
        assert!(
            body["error"]["message"].as_str().unwrap().contains(message),
            "{changes}: {body}"
        );
    }
    assert!(simulator.bill().is_empty());
}

#[tokio::test]
async fn a_request_is_known_by_its_head_and_its_json() {
    let simulator = Simulator::anthropic().await;
    let body = question(Dialect::Anthropic, json!({})).to_string();
    let version = "anthropic-version: 2023-06-01";
    let table = [
        (
            format!("POST /v1/messages HTTP/1.1\r\n{version}"),
            body.as_str(),
            401,
            "authentication_error",
        ),
        (
            format!("POST /v1/messages HTTP/1.1\r\n{version}\r\nx-api-key: sk-revoked"),
            &body,
            401,
            "authentication_error",
        ),
        (
            "POST /v1/messages HTTP/1.1\r\nx-api-key: k".to_owned(),
            &body,
            400,
            "invalid_request_error",
        ),
        (
            "POST /v1/messages HTTP/1.1\r\nx-api-key: k\r\nanthropic-version: 1".to_owned(),
            &body,
            400,
            "invalid_request_error",
        ),
        (
            format!("POST /v1/messages HTTP/1.1\r\n{version}\r\nx-api-key: k"),
            "{",
            400,
            "invalid_request_error",
        ),
        (
            format!("POST /v1/chat/completions HTTP/1.1\r\n{version}\r\nx-api-key: k"),
            &body,
            404,
            "not_found_error",
        ),
    ];
    for (head, body, status, kind) in table {
        let answer = send(&simulator, &head, body).await;
        assert_eq!(answer.status, status, "{head}: {}", answer.text());
        assert_eq!(answer.json()["error"]["type"], kind, "{head}");
    }
}

#[tokio::test]
async fn the_newest_version_takes_bearer_keys_and_no_sampling() {
    let simulator = Simulator::anthropic().await;
    let body = |changes| question(Dialect::Anthropic, changes).to_string();
    send(&simulator, NEWEST, &body(json!({}))).await.ok();
    let refused = send(&simulator, NEWEST, &body(json!({"temperature": 0.5}))).await;
    assert!(
        refused
            .text()
            .contains("temperature: Extra inputs are not permitted"),
        "{}",
        refused.text()
    );
    anthropic(&simulator, json!({"temperature": 0.5, "top_k": 40}))
        .await
        .ok();
    let beta = format!("{NEWEST}\r\nanthropic-beta: context-management-2025-06-27");
    send(&simulator, &beta, &body(json!({"context_management": {}})))
        .await
        .ok();
}

#[tokio::test]
async fn a_stream_says_the_same_as_a_whole_answer() {
    let simulator = Simulator::anthropic().await;
    let thinking = json!({"type": "adaptive"});
    let whole = anthropic(&simulator, json!({"thinking": thinking}))
        .await
        .ok()
        .json();
    let stream = anthropic(&simulator, json!({"thinking": thinking, "stream": true}))
        .await
        .ok();
    let events = stream.events();
    let names: Vec<_> = stream
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .map(str::to_owned)
        .collect();
    let types: Vec<_> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(names, types);
    assert_eq!(
        (types[0], types[1], *types.last().unwrap()),
        ("message_start", "ping", "message_stop")
    );

    let said = |kind: &str| {
        events
            .iter()
            .filter_map(|event| event["delta"][kind].as_str())
            .collect::<String>()
    };
    assert_eq!(whole["content"][0]["thinking"], said("thinking"));
    assert_eq!(whole["content"][1]["text"], said("text"));
    assert!(
        whole["content"][1]["text"]
            .as_str()
            .unwrap()
            .contains("\"Hi 🌍\"")
    );
    let kinds = ["content_block_start", "content_block_stop"];
    let blocks: Vec<_> = events
        .iter()
        .filter(|event| kinds.iter().any(|kind| event["type"] == *kind))
        .map(|event| event["index"].as_u64().unwrap())
        .collect();
    assert_eq!(blocks, [0, 0, 1, 1]);
    let last = &events[events.len() - 2];
    assert_eq!(
        (&last["delta"]["stop_reason"], &last["usage"]),
        (&json!("end_turn"), &whole["usage"])
    );
    assert!(
        whole["usage"]["output_tokens_details"]["thinking_tokens"]
            .as_u64()
            .unwrap()
            > 0
    );
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_answered() {
    let simulator = Simulator::anthropic().await;
    let user = json!({"role": "user", "content": "Please call the tool for Paris."});
    let whole = anthropic(&simulator, json!({"tools": tool(), "messages": [user]}))
        .await
        .ok()
        .json();
    assert_eq!(whole["stop_reason"], "tool_use");
    assert_eq!(whole["content"][0]["input"], json!({"city": "Paris"}));

    let events = anthropic(
        &simulator,
        json!({"tools": tool(), "messages": [user], "stream": true}),
    )
    .await
    .ok()
    .events();
    let input: String = events
        .iter()
        .filter_map(|event| event["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(input, r#"{"city":"Paris"}"#);

    let result =
        json!({"type": "tool_result", "tool_use_id": whole["content"][0]["id"], "content": [text("sunny")]});
    let messages = json!([
        user, {"role": "assistant", "content": whole["content"]}, {"role": "user", "content": [result, text("and?")]},
    ]);
    let told = anthropic(&simulator, json!({"tools": tool(), "messages": messages}))
        .await
        .ok()
        .json();
    assert_eq!(told["content"][0]["text"], "The tool answered: sunny");
}

#[tokio::test]
async fn messages_of_one_role_are_read_as_one_turn() {
    let simulator = Simulator::anthropic().await;
    let user = |content: Value| json!({"role": "user", "content": content});
    let split = json!([
        user(json!("Hi")),
        called(),
        user(json!([result()])),
        user(json!("thanks"))
    ]);
    anthropic(&simulator, json!({"tools": tool(), "messages": split}))
        .await
        .ok();
}

#[tokio::test]
async fn an_answer_keeps_to_the_form_asked_for() {
    let simulator = Simulator::anthropic().await;
    let schema =
        json!({"type": "object", "additionalProperties": false, "properties": {"ok": {"type": "boolean"}}});
    let format = json!({"format": {"type": "json_schema", "schema": schema}});
    let table = [
        (
            json!({"output_config": format}),
            "{\"ok\":true}",
            "end_turn",
            Value::Null,
        ),
        (json!({"max_tokens": 2}), "Hello from ", "max_tokens", Value::Null),
        (
            json!({"stop_sequences": ["Omni"]}),
            "Hello from ",
            "stop_sequence",
            json!("Omni"),
        ),
    ];
    for (changes, text, reason, sequence) in table {
        let message = anthropic(&simulator, changes.clone()).await.ok().json();
        assert_eq!(message["content"][0]["text"], text, "{changes}");
        assert_eq!(
            (&message["stop_reason"], &message["stop_sequence"]),
            (&json!(reason), &sequence),
            "{changes}"
        );
    }
}
