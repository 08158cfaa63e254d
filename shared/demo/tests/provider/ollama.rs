use crate::client::{ollama, send};
use demo::Simulator;
use serde_json::{Value, json};

fn tools() -> Value {
    let parameters =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}])
}

#[tokio::test]
async fn what_the_vendor_refuses_is_refused() {
    let message = |message: Value| json!({"messages": [message]});
    let call = |arguments: Value| {
        message(
            json!({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}),
        )
    };
    let table = [
        (json!({"model": null}), "model is required"),
        (json!({"messages": "Hi"}), "cannot unmarshal string"),
        (json!({"stream": "yes"}), "of type bool"),
        (message(json!({"role": "robot", "content": "Hi"})), "invalid role"),
        (
            message(json!({"role": "user", "content": [{"type": "text", "text": "Hi"}]})),
            "cannot unmarshal array",
        ),
        (
            message(json!({"role": "user", "content": "", "images": ["data:image/png;base64,aGk="]})),
            "illegal base64",
        ),
        (
            message(json!({"role": "user", "content": "", "images": [{"url": "x"}]})),
            "cannot unmarshal object",
        ),
        (call(json!("{}")), "cannot unmarshal string"),
        (json!({"tools": {}}), "cannot unmarshal object"),
        (json!({"think": "much"}), "invalid think value"),
        (json!({"format": "yaml"}), "invalid format"),
        (
            json!({"options": {"temperature": "hot"}}),
            "must be of type float32",
        ),
        (
            json!({"options": {"num_predict": 1.5}}),
            "must be of type integer",
        ),
        (json!({"options": {"stop": "a"}}), "must be of type array"),
    ];
    let simulator = Simulator::ollama().await;
    for (changes, text) in table {
        let answer = ollama(&simulator, changes.clone()).await;
        assert_eq!(answer.status, 400, "{changes}: {}", answer.text());
        let body = answer.json();
        assert!(
            body["error"].as_str().unwrap().contains(text),
            "{changes}: {body}"
        );
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    }
    assert!(simulator.bill().is_empty());
}

#[tokio::test]
async fn names_it_does_not_know_are_no_reason_to_refuse() {
    let simulator = Simulator::ollama().await;
    let ask = json!({"tool_choice": "auto", "options": {"novel": true}});
    ollama(&simulator, ask).await.ok();
}

#[tokio::test]
async fn it_tells_what_it_has_and_needs_no_key() {
    let simulator = Simulator::ollama().await;
    let table = [
        ("GET /api/tags HTTP/1.1", 200, "/models/0/name"),
        ("POST /api/show HTTP/1.1", 200, "/capabilities/0"),
        ("GET /api/version HTTP/1.1", 200, "/version"),
        ("GET /api/show HTTP/1.1", 405, "/error"),
        ("POST /v1/messages HTTP/1.1", 404, "/error"),
        (
            "GET /api/tags HTTP/1.1\r\nauthorization: Bearer sk-revoked",
            401,
            "/error",
        ),
    ];
    for (head, status, pointer) in table {
        let answer = send(&simulator, head, "{\"model\":\"demo\"}").await;
        assert_eq!(answer.status, status, "{head}");
        let body = answer.json();
        assert!(
            body.pointer(pointer).is_some_and(Value::is_string),
            "{head}: {body}"
        );
    }
}

#[tokio::test]
async fn lines_say_what_a_whole_answer_says_and_are_the_default() {
    let simulator = Simulator::ollama().await;
    let whole = ollama(&simulator, json!({"think": true})).await.ok().json();
    let stream = ollama(&simulator, json!({"think": "low", "stream": null}))
        .await
        .ok();
    assert!(stream.head.contains("content-type: application/x-ndjson"));
    let lines = stream.lines();
    for field in ["content", "thinking"] {
        let said = lines.iter().filter_map(|line| line["message"][field].as_str());
        assert_eq!(said.collect::<String>(), whole["message"][field], "{field}");
    }
    let (last, before) = lines.split_last().unwrap();
    assert!(before.len() > 10 && before.iter().all(|line| line["done"] == false));
    for field in ["done", "done_reason", "prompt_eval_count", "eval_count"] {
        assert_eq!(last[field], whole[field], "{field}");
    }
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_answered() {
    let simulator = Simulator::ollama().await;
    let user = json!({"role": "user", "content": "Please call the tool and the tool for Paris."});
    for stream in [false, true] {
        let ask = json!({"tools": tools(), "messages": [user], "stream": stream});
        let lines = ollama(&simulator, ask).await.ok().lines();
        let calls = lines
            .iter()
            .filter_map(|line| line["message"]["tool_calls"].as_array());
        let calls: Vec<_> = calls.flatten().cloned().collect();
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[1]["function"]["arguments"], json!({"city": "Paris"}));

        let said = json!({"role": "assistant", "content": "", "tool_calls": calls});
        let given = json!({"role": "tool", "content": "sunny", "tool_name": "get_weather"});
        let ask = json!({"tools": tools(), "messages": [user, said, given, given]});
        let told = ollama(&simulator, ask).await.ok().json();
        assert_eq!(told["message"]["content"], "The tool answered: sunny; sunny");
    }
}

#[tokio::test]
async fn an_answer_keeps_to_the_form_asked_for() {
    let simulator = Simulator::ollama().await;
    let schema =
        json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 3}}});
    let table = [
        (json!({"format": schema}), "{\"n\":3}", "stop"),
        (json!({"options": {"num_predict": 2}}), "Hello from ", "length"),
        (
            json!({"options": {"num_predict": -1, "stop": ["OmniRoute"]}}),
            "Hello from ",
            "stop",
        ),
    ];
    for (changes, text, reason) in table {
        let answer = ollama(&simulator, changes.clone()).await.ok().json();
        assert_eq!(answer["message"]["content"], text, "{changes}");
        assert_eq!(answer["done_reason"], reason, "{changes}");
    }
}
