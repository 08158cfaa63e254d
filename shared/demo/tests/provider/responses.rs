use crate::client::{responses, send};
use demo::Simulator;
use serde_json::{Value, json};

fn tool() -> Value {
    let parameters =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([{"type": "function", "name": "get_weather", "parameters": parameters}])
}

fn call() -> Value {
    json!({"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"})
}

#[tokio::test]
async fn what_the_vendor_refuses_is_refused() {
    let user = json!({"role": "user", "content": "Hi"});
    let result = json!({"type": "function_call_output", "call_id": "c1", "output": "sunny"});
    let thought =
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "demo-encrypted-1"});
    let said =
        |kind: &str| json!([user, {"role": "assistant", "content": [{"type": kind, "text": "Ho"}]}, user]);
    let with = |field: &str, value: Value| {
        let mut call = call();
        call[field] = value;
        json!({"input": [user, call, result]})
    };
    let table = [
        (
            json!({"model": null}),
            "Missing required parameter: 'model'",
            Some("model"),
        ),
        (
            json!({"input": null}),
            "Missing required parameter: 'input'",
            Some("input"),
        ),
        (json!({"input": []}), "empty array", Some("input")),
        (
            json!({"messages": [user]}),
            "Unknown parameter: 'messages'",
            Some("messages"),
        ),
        (json!({"stop": ["a"]}), "Unknown parameter: 'stop'", Some("stop")),
        (
            json!({"max_output_tokens": 5}),
            "below minimum",
            Some("max_output_tokens"),
        ),
        (
            json!({"stream": true, "stream_options": {"include_usage": true}}),
            "Unknown parameter",
            Some("stream_options.include_usage"),
        ),
        (
            json!({"input": said("input_text")}),
            "'input_text'",
            Some("input[1].content[0].type"),
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}),
            "'text'",
            Some("input[0].content[0].type"),
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": {"url": "x"}}]}]}),
            "expected an image URL, but got an object",
            Some("input[0].content[0].image_url"),
        ),
        (
            json!({"input": [{"role": "tool", "content": "Hi"}]}),
            "'tool'",
            Some("input[0].role"),
        ),
        (
            json!({"input": [user, result]}),
            "No tool call found",
            Some("input"),
        ),
        (
            json!({"input": [user, call()]}),
            "No tool output found for function call c1",
            Some("input"),
        ),
        (
            json!({"input": [user, call(), result, result]}),
            "No tool call found",
            Some("input"),
        ),
        (
            with("id", json!("call_1")),
            "begins with 'fc'",
            Some("input[1].id"),
        ),
        (
            with("arguments", json!({})),
            "expected a string",
            Some("input[1].arguments"),
        ),
        (
            with("call_id", json!("c".repeat(65))),
            "string too long",
            Some("input[1].call_id"),
        ),
        (
            json!({"input": [user, thought]}),
            "without its required following item",
            Some("input"),
        ),
        (
            json!({"input": [user, thought, user]}),
            "without its required following item",
            Some("input"),
        ),
        (
            json!({"previous_response_id": "resp_1"}),
            "not found",
            Some("previous_response_id"),
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "a"}}]}),
            "Missing required parameter: 'tools[0].name'",
            Some("tools[0].name"),
        ),
        (
            json!({"tool_choice": "required"}),
            "must be specified with 'tools'",
            Some("tool_choice"),
        ),
        (
            json!({"include": ["everything"]}),
            "'everything'",
            Some("include[0]"),
        ),
        (
            json!({"text": {"format": {"type": "json_schema", "json_schema": {}}}}),
            "text.format.name",
            Some("text.format.name"),
        ),
    ];
    let simulator = Simulator::responses().await;
    for (changes, message, param) in table {
        let answer = responses(&simulator, changes.clone()).await;
        let error = &answer.json()["error"];
        assert_eq!(answer.status, 400, "{changes}: {error}");
        let text = error["message"].as_str().unwrap();
        assert!(text.contains(message), "{changes}: {error}");
        assert_eq!(error["param"].as_str(), param, "{changes}: {error}");
    }
    // what is only referred to is not there, and what others encrypted is not trusted
    let thought = |content: Value| json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": content});
    let answered = json!({"role": "assistant", "content": [{"type": "output_text", "text": "Ho"}]});
    for (content, status) in [(Value::Null, 404), (json!("foreign"), 400)] {
        let ask = json!({"input": [user, thought(content), answered, user]});
        assert_eq!(responses(&simulator, ask).await.status, status);
    }
    assert!(simulator.bill().is_empty());
}

#[tokio::test]
async fn a_request_is_known_by_its_head_and_its_json() {
    let simulator = Simulator::responses().await;
    let table = [
        ("POST /v1/responses HTTP/1.1", "{}", 401),
        (
            "POST /v1/responses HTTP/1.1\r\nauthorization: Bearer sk-revoked-1",
            "{}",
            401,
        ),
        (
            "POST /v1/responses HTTP/1.1\r\nauthorization: Bearer k",
            "{\"model\":",
            400,
        ),
        (
            "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k",
            "{}",
            404,
        ),
        ("GET /v1/responses HTTP/1.1\r\nauthorization: Bearer k", "", 405),
        ("GET /v1/models HTTP/1.1\r\nauthorization: Bearer k", "", 200),
    ];
    for (head, body, status) in table {
        let answer = send(&simulator, head, body).await;
        assert_eq!(answer.status, status, "{head}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_stream_ends_with_what_a_whole_answer_is() {
    let asks = [
        json!({}),
        json!({"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}),
        json!({"tools": tool(), "input": "Please call the tool and the tool for Paris."}),
        json!({"max_output_tokens": 16}),
    ];
    for mut ask in asks {
        let whole = responses(&Simulator::responses().await, ask.clone())
            .await
            .ok()
            .json();
        ask["stream"] = json!(true);
        let stream = responses(&Simulator::responses().await, ask.clone()).await.ok();
        let events = stream.events();
        for (n, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], json!(n), "{ask}");
        }
        let last = &events.last().unwrap()["response"];
        for field in ["status", "output", "usage", "incomplete_details"] {
            assert_eq!(last[field], whole[field], "{ask}: {field}");
        }
        let done = events
            .iter()
            .filter(|event| event["type"] == "response.output_item.done");
        let done: Vec<_> = done.map(|event| event["item"].clone()).collect();
        assert_eq!(json!(done), whole["output"], "{ask}");
        let deltas = |kind: &str| {
            let deltas = events.iter().filter(|event| event["type"] == kind);
            deltas
                .filter_map(|event| event["delta"].as_str())
                .collect::<String>()
        };
        let items = whole["output"].as_array().unwrap();
        let said = items
            .iter()
            .filter_map(|item| item["content"][0]["text"].as_str());
        assert_eq!(
            deltas("response.output_text.delta"),
            said.collect::<String>(),
            "{ask}"
        );
        let given = items.iter().filter_map(|item| item["arguments"].as_str());
        let streamed = deltas("response.function_call_arguments.delta");
        assert_eq!(streamed, given.collect::<String>(), "{ask}");
    }
}

#[tokio::test]
async fn a_tool_is_called_after_a_thought_and_its_result_answered() {
    let simulator = Simulator::responses().await;
    let user = json!({"role": "user", "content": "Please call the tool for Paris."});
    let thinking = json!({"effort": "low"});
    let include = json!(["reasoning.encrypted_content"]);
    let ask = json!({"tools": tool(), "input": [user], "reasoning": thinking, "include": include});
    let output = responses(&simulator, ask).await.ok().json()["output"].clone();
    let (thought, call) = (&output[0], &output[1]);
    assert_eq!(
        (&thought["type"], &thought["summary"]),
        (&json!("reasoning"), &json!([]))
    );
    assert_eq!(call["arguments"], r#"{"city":"Paris"}"#);

    let result = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"});
    let ask = json!({"tools": tool(), "input": [user, thought, call, result]});
    let told = responses(&simulator, ask).await.ok().json();
    assert_eq!(
        told["output"][0]["content"][0]["text"],
        "The tool answered: sunny"
    );
}

#[tokio::test]
async fn an_answer_keeps_to_its_schema() {
    let simulator = Simulator::responses().await;
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["n"],
        "properties": {"n": {"type": "integer", "minimum": 3}}});
    let format = json!({"type": "json_schema", "name": "n", "strict": true, "schema": schema});
    let answer = responses(&simulator, json!({"text": {"format": format}}))
        .await
        .ok()
        .json();
    assert_eq!(answer["output"][0]["content"][0]["text"], "{\"n\":3}");
}
