use crate::client::{openai, send};
use demo::Simulator;
use serde_json::{Value, json};

fn tool() -> Value {
    let parameters =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}])
}

fn called() -> Value {
    json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}},
    ]})
}

#[tokio::test]
async fn what_the_vendor_refuses_is_refused() {
    let user = json!({"role": "user", "content": "Hi"});
    let result = json!({"role": "tool", "tool_call_id": "c1", "content": "sunny"});
    let open_schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let table = [
        (json!({"model": null}), "must provide a model", None),
        (json!({"model": 5}), "Invalid type for 'model'", Some("model")),
        (
            json!({"messages": null}),
            "Missing required parameter: 'messages'",
            Some("messages"),
        ),
        (json!({"messages": []}), "empty array", Some("messages")),
        (
            json!({"messages": "Hi"}),
            "Invalid type for 'messages'",
            Some("messages"),
        ),
        (
            json!({"messages": [{"content": "Hi"}]}),
            "'messages[0].role'",
            Some("messages[0].role"),
        ),
        (
            json!({"messages": [{"role": "robot", "content": "Hi"}]}),
            "'robot'",
            Some("messages[0].role"),
        ),
        (
            json!({"messages": [{"role": "user"}]}),
            "got null",
            Some("messages[0].content"),
        ),
        (
            json!({"messages": [{"role": "assistant", "content": null}]}),
            "got null",
            Some("messages[0].content"),
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}),
            "'tool_result'",
            Some("messages[0].content[0].type"),
        ),
        (
            json!({"messages": [user, result]}),
            "preceeding message",
            Some("messages[1].role"),
        ),
        (
            json!({"messages": [user, called()]}),
            "did not have response messages: c1",
            Some("messages"),
        ),
        (
            json!({"messages": [user, called(), user]}),
            "did not have response messages: c1",
            Some("messages"),
        ),
        (
            json!({"messages": [user, called(), result, result]}),
            "preceeding message",
            Some("messages[3].role"),
        ),
        (
            json!({"stream": "yes"}),
            "Invalid type for 'stream'",
            Some("stream"),
        ),
        (json!({"n": 0}), "below minimum", Some("n")),
        (
            json!({"max_tokens": 1.5}),
            "expected an integer, but got a decimal",
            Some("max_tokens"),
        ),
        (json!({"temperature": 3}), "above maximum", Some("temperature")),
        (
            json!({"stop": ["a", "b", "c", "d", "e"]}),
            "array too long",
            Some("stop"),
        ),
        (
            json!({"stream_options": {"include_usage": true}}),
            "only allowed when 'stream'",
            Some("stream_options"),
        ),
        (
            json!({"top_k": 5}),
            "Unrecognized request argument supplied: top_k",
            None,
        ),
        (json!({"tools": []}), "empty array", Some("tools")),
        (
            json!({"tool_choice": "auto"}),
            "only allowed when 'tools'",
            Some("tool_choice"),
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}),
            "does not match pattern",
            Some("tools[0].function.name"),
        ),
        (
            json!({"tools": [{"name": "a", "input_schema": {}}]}),
            "Invalid value",
            Some("tools[0].type"),
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "a", "strict": true, "parameters": open_schema}}]}),
            "'additionalProperties' is required",
            Some("tools[0].function.parameters"),
        ),
        (
            json!({"response_format": {"type": "json_schema"}}),
            "response_format.json_schema.name",
            Some("response_format.json_schema.name"),
        ),
        (
            json!({"response_format": "json"}),
            "Invalid value",
            Some("response_format.type"),
        ),
    ];
    let simulator = Simulator::openai().await;
    for (changes, message, param) in table {
        let answer = openai(&simulator, changes.clone()).await;
        let error = &answer.json()["error"];
        assert_eq!(answer.status, 400, "{changes}: {error}");
        assert!(
            error["message"].as_str().unwrap().contains(message),
            "{changes}: {error}"
        );
        assert_eq!(error["type"], "invalid_request_error", "{changes}");
        assert_eq!(error["param"].as_str(), param, "{changes}: {error}");
    }
    assert!(simulator.bill().is_empty());
    assert!(simulator.requests().iter().all(|request| !request.dropped));
}

#[tokio::test]
async fn a_request_is_known_by_its_head_and_its_json() {
    let simulator = Simulator::openai().await;
    let table = [
        ("POST /v1/chat/completions HTTP/1.1", "{}", 401, Value::Null),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer sk-revoked-1",
            "{}",
            401,
            json!("invalid_api_key"),
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k",
            "{\"model\":",
            400,
            Value::Null,
        ),
        (
            "POST /v1/responses HTTP/1.1\r\nauthorization: Bearer k",
            "{}",
            404,
            json!("unknown_url"),
        ),
        (
            "GET /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k",
            "",
            405,
            Value::Null,
        ),
    ];
    for (head, body, status, code) in table {
        let answer = send(&simulator, head, body).await;
        assert_eq!(answer.status, status, "{head}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code, "{head}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error", "{head}");
    }
    let models = send(
        &simulator,
        "GET /v1/models HTTP/1.1\r\nauthorization: Bearer k",
        "",
    )
    .await
    .ok();
    assert_eq!(models.json()["data"][0]["id"], "demo");
    let last = simulator.requests().pop().unwrap();
    assert_eq!((last.method.as_str(), last.path.as_str()), ("GET", "/v1/models"));
    assert_eq!(last.headers["authorization"], "Bearer k");
}

#[tokio::test]
async fn a_stream_says_the_same_as_a_whole_answer() {
    let simulator = Simulator::openai().await;
    let whole = openai(&simulator, json!({})).await.ok().json();
    let stream = openai(
        &simulator,
        json!({"stream": true, "stream_options": {"include_usage": true}}),
    )
    .await
    .ok();
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(
        text.contains("demo provider") && text.contains("\"Hi 🌍\"") && text.contains("dashboard"),
        "{text}"
    );

    let chunks = stream.events();
    let (last, chunks) = chunks.split_last().unwrap();
    let deltas = chunks.iter().map(|chunk| &chunk["choices"][0]);
    let said: Vec<_> = deltas
        .clone()
        .filter_map(|choice| choice["delta"]["content"].as_str())
        .collect();
    assert_eq!(said.concat(), text);
    assert!(said.len() > 10, "word by word: {said:?}");
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["usage"].is_null() && chunk["id"] == last["id"])
    );
    let reasons: Vec<_> = deltas
        .filter_map(|choice| choice["finish_reason"].as_str())
        .collect();
    assert_eq!(reasons, ["stop"]);
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]));
    assert!(stream.text().ends_with("data: [DONE]\n\n"));
    assert!(stream.head.contains("content-type: text/event-stream"));
}

#[tokio::test]
async fn usage_is_streamed_only_when_asked_for() {
    let simulator = Simulator::openai().await;
    let chunks = openai(&simulator, json!({"stream": true})).await.ok().events();
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.get("usage").is_none() && chunk["choices"] != json!([]))
    );
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_answered() {
    let simulator = Simulator::openai().await;
    let user = json!({"role": "user", "content": "Please call the tool for Paris."});
    let ask = json!({"tools": tool(), "messages": [user]});
    let whole = openai(&simulator, ask.clone()).await.ok().json();
    let message = &whole["choices"][0]["message"];
    assert_eq!(
        (&whole["choices"][0]["finish_reason"], &message["content"]),
        (&json!("tool_calls"), &Value::Null)
    );
    assert_eq!(
        message["tool_calls"][0]["function"]["arguments"],
        r#"{"city":"Paris"}"#
    );

    let mut streamed = ask.clone();
    streamed["stream"] = json!(true);
    let chunks = openai(&simulator, streamed).await.ok().events();
    let calls: Vec<_> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0))
        .collect();
    assert_eq!(calls[0]["function"]["name"], "get_weather");
    assert!(calls.len() > 2 && calls[1].get("id").is_none(), "{calls:?}");
    let arguments: String = calls
        .iter()
        .map(|call| call["function"]["arguments"].as_str().unwrap())
        .collect();
    assert_eq!(arguments, r#"{"city":"Paris"}"#);

    let result = json!({"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "sunny"});
    let ask = json!({"tools": tool(), "messages": [user, message, result]});
    let told = openai(&simulator, ask).await.ok().json();
    assert_eq!(
        told["choices"][0]["message"]["content"],
        "The tool answered: sunny"
    );
}

#[tokio::test]
async fn an_answer_keeps_to_the_form_asked_for() {
    let simulator = Simulator::openai().await;
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["n"],
        "properties": {"n": {"type": "integer", "minimum": 3}}});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}});
    let table = [
        (json!({"response_format": format}), "{\"n\":3}", "stop"),
        (json!({"max_completion_tokens": 2}), "Hello from ", "length"),
        (json!({"stop": "OmniRoute"}), "Hello from ", "stop"),
    ];
    for (changes, text, reason) in table {
        let choice = &openai(&simulator, changes.clone()).await.ok().json()["choices"][0];
        assert_eq!(choice["message"]["content"], text, "{changes}");
        assert_eq!(choice["finish_reason"], reason, "{changes}");
    }
}

#[tokio::test]
async fn every_choice_is_given_and_paid_for() {
    let simulator = Simulator::openai().await;
    let one = openai(&simulator, json!({})).await.ok().json();
    let two = openai(&simulator, json!({"n": 2})).await.ok().json();
    assert_eq!(two["choices"].as_array().unwrap().len(), 2);
    let tokens = |reply: &Value| reply["usage"]["completion_tokens"].as_u64().unwrap();
    assert_eq!(tokens(&two), 2 * tokens(&one));
    let chunks = openai(&simulator, json!({"n": 2, "stream": true}))
        .await
        .ok()
        .events();
    let finished: Vec<_> = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0])
        .filter(|choice| choice["finish_reason"] == "stop")
        .map(|choice| choice["index"].as_u64().unwrap())
        .collect();
    assert_eq!(finished, [0, 1]);
    assert_eq!(simulator.requests()[2].billed.unwrap().output, tokens(&two));
}
