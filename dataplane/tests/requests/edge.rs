//! Paths: every operation under every name it has, and each answered in the dialect of its path.

use crate::harness::{DataPlane, KEY, Setup, header, json, question};
use proto::v1;
use serde_json::{Value, json};
use testkit::Simulator;

/// An operation: where, with what, and how its dialect says that a key is missing.
const OPERATIONS: [(&str, &str); 14] = [
    ("/v1/chat/completions", "/error/message"),
    ("/v1/providers/openai/chat/completions", "/error/message"),
    ("/v1/responses", "/error/message"),
    ("/responses", "/error/message"),
    ("/codex/v1/anything", "/error/message"),
    ("/v1/v1/responses", "/error/message"),
    ("/v1/responses/input_tokens", "/error/message"),
    ("/v1/messages", "/error/message"),
    ("/v1/messages/count_tokens", "/error/message"),
    ("/v1beta/models/demo:generateContent", "/error/message"),
    ("/api/v1beta/models/demo:streamGenerateContent", "/error/message"),
    ("/v1beta/models/demo:countTokens", "/error/message"),
    ("/api/chat", "/error"),
    ("/v1/api/chat", "/error"),
];

async fn data_plane() -> (DataPlane, Simulator) {
    let simulator = Simulator::openai().await;
    let data_plane = Setup::new()
        .account("o", "openai", &simulator)
        .combo("smart", &["openai/demo"])
        .key("sk-small", |key| {
            key.allowed_models = vec!["openai/small".to_owned()]
        })
        .start()
        .await;
    (data_plane, simulator)
}

async fn without_key(data_plane: &DataPlane, method: &str, path: &str) -> (u16, Value) {
    let response = data_plane
        .request(method, path)
        .header("content-type", "application/json")
        .body(if method == "GET" { "" } else { "{}" })
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), json(response).await)
}

#[tokio::test]
async fn a_missing_key_is_missed_in_the_dialect_of_the_path() {
    let (data_plane, simulator) = data_plane().await;
    for (path, message) in OPERATIONS {
        let (status, body) = without_key(&data_plane, "POST", path).await;
        assert_eq!(
            (status, body.pointer(message)),
            (401, Some(&json!("Missing API key"))),
            "{path}: {body}"
        );
    }
    assert!(simulator.requests().is_empty());
}

#[tokio::test]
async fn a_wrong_path_or_method_is_answered_in_the_dialect_of_the_path() {
    let (data_plane, _simulator) = data_plane().await;
    for (method, path, status, shape) in [
        ("GET", "/v1beta/models/demo:generateContent", 404, "/error/status"),
        ("POST", "/v1beta/models/demo:embedContent", 404, "/error/status"),
        ("POST", "/v1beta/models/demo", 404, "/error/status"),
        ("DELETE", "/v1beta/models", 405, "/error/status"),
        ("GET", "/v1beta/nothing", 404, "/error/status"),
        ("GET", "/v1/messages/count_tokens", 405, "/type"),
        ("GET", "/v1/responses", 405, "/error/type"),
        ("GET", "/v1/responses/resp_1", 404, "/error/type"),
        ("DELETE", "/v1/responses/resp_1", 404, "/error/type"),
        ("GET", "/v1/responses/resp_1/input_items", 404, "/error/type"),
        ("GET", "/codex/responses", 405, "/error/type"),
        ("GET", "/api/chat", 405, "/error"),
        ("GET", "/api/nothing", 404, "/error"),
        ("POST", "/v1/api/nothing", 404, "/error"),
        ("GET", "/v1/providers/openai/chat/completions", 405, "/error/type"),
    ] {
        let (got, body) = without_key(&data_plane, method, path).await;
        assert_eq!(got, status, "{method} {path}: {body}");
        assert!(
            body.pointer(shape).is_some_and(Value::is_string),
            "{method} {path}: {body}"
        );
    }
    let (_, kept) = without_key(&data_plane, "GET", "/v1/responses/resp_1").await;
    let said = kept["error"]["message"].as_str().unwrap();
    assert!(said.starts_with("Response with id 'resp_1' not found"), "{said}");
}

#[tokio::test]
async fn every_path_may_be_asked_for_by_a_browser() {
    let (data_plane, _simulator) = data_plane().await;
    let lists = [
        "/v1/models",
        "/v1beta/models",
        "/api/tags",
        "/api/show",
        "/api/version",
    ];
    for path in OPERATIONS.iter().map(|(path, _)| *path).chain(lists) {
        let response = data_plane
            .request("OPTIONS", path)
            .header("origin", "https://app.example")
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "x-stainless-os, x-goog-api-client",
            )
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            Some("*"),
            "{path}"
        );
        let allowed = header(&response, "access-control-allow-headers").unwrap();
        for name in [
            "authorization",
            "x-goog-api-key",
            "x-stainless-os",
            "x-goog-api-client",
        ] {
            assert!(allowed.contains(name), "{path}: {allowed}");
        }
    }
}

#[tokio::test]
async fn an_answer_is_readable_by_pages_and_says_nothing_of_it_to_programs() {
    let (data_plane, _simulator) = data_plane().await;
    let ask = |origin: Option<&str>| {
        let request = data_plane.post("/v1/chat/completions").bearer_auth(KEY);
        let request = match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        };
        request.body(question("openai/demo", false).to_string()).send()
    };
    let page = ask(Some("https://app.example")).await.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(header(&page, "access-control-allow-origin"), Some("*"));
    let readable = header(&page, "access-control-expose-headers").unwrap();
    assert!(readable.contains("x-request-id"), "{readable}");

    let program = ask(None).await.unwrap();
    assert_eq!(program.status(), 200);
    assert_eq!(header(&program, "access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_page_of_a_listed_origin_may_call_and_read_what_the_gateway_says() {
    let simulator = Simulator::openai().await;
    let setup = Setup::new().account("o", "openai", &simulator).config(|config| {
        config.edge.cors_origin = "https://app.example, http://localhost:3000".to_owned();
    });
    let data_plane = setup.start().await;
    for (origin, allowed) in [
        (Some("https://app.example"), Some("https://app.example")),
        (Some("http://localhost:3000"), Some("http://localhost:3000")),
        (Some("https://evil.example"), None),
        (None, None),
    ] {
        let mut request = data_plane.request("GET", "/v1/models");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{origin:?}");
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            allowed,
            "{origin:?}"
        );
        assert!(header(&response, "vary").unwrap().contains("origin"));
        let readable = header(&response, "access-control-expose-headers").unwrap();
        for name in [
            "x-request-id",
            "retry-after",
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-requests",
            "x-omniroute-attempts",
            "x-omniroute-budget-warning",
            "x-omniroute-cache-similarity",
        ] {
            assert!(readable.split(',').any(|one| one == name), "{name}: {readable}");
        }
    }
}

#[tokio::test]
async fn a_provider_in_the_path_is_where_the_request_goes() {
    let (openai, together) = (Simulator::openai().await, Simulator::openai().await);
    let slashed = llm::providers::find("together")
        .unwrap()
        .models
        .iter()
        .find(|model| model.id.contains('/'))
        .unwrap()
        .id;
    let data_plane = Setup::new()
        .account("o", "openai", &openai)
        .account("t", "together", &together)
        .alias("demo", "together/other")
        .key("sk-small", |key| {
            key.allowed_models = vec!["openai/small".to_owned()]
        })
        .start()
        .await;
    let at = |provider: &str| format!("/v1/providers/{provider}/chat/completions");
    let question = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
    for (provider, model, sent) in [
        ("openai", "demo", "demo"),
        ("openai", "openai/demo", "demo"),
        ("together", slashed, slashed),
        ("together", &format!("together/{slashed}"), slashed),
    ] {
        let response = data_plane.ask(&at(provider), &question(model)).await;
        assert_eq!(response.status(), 200, "{provider} {model}");
        let simulator = if provider == "openai" { &openai } else { &together };
        let last = simulator.requests().pop().unwrap();
        let body = last.body;
        assert_eq!(body["model"], sent, "{provider} {model}");
    }
    for (provider, model, words) in [
        ("nobody", "demo", "Unknown provider: nobody"),
        (
            "openai",
            "together/demo",
            "Model \"together/demo\" does not belong to provider \"openai\". Expected prefix: openai/",
        ),
        ("groq", "demo", "No credentials for provider: groq"),
        ("openai", "", "Missing model"),
    ] {
        let response = data_plane.ask(&at(provider), &question(model)).await;
        assert_eq!(response.status(), 400, "{provider} {model}");
        assert_eq!(json(response).await["error"]["message"], words);
    }
    // before a byte of the body is read
    let response = data_plane
        .post(&at("nobody"))
        .bearer_auth(KEY)
        .body("{")
        .send()
        .await
        .unwrap();
    assert_eq!(
        json(response).await["error"]["message"],
        "Unknown provider: nobody"
    );
    // a bare name is judged as what it stands for here
    for (model, status) in [("small", 200), ("demo", 403)] {
        let request = data_plane.post(&at("openai")).bearer_auth("sk-small");
        let response = request.body(question(model).to_string()).send().await.unwrap();
        assert_eq!(response.status(), status, "{model}");
    }
}

#[tokio::test]
async fn models_are_listed_in_the_words_of_each_dialect() {
    let (data_plane, _simulator) = data_plane().await;
    for base in ["/v1beta", "/api/v1beta"] {
        let list = json(
            data_plane
                .get(&format!("{base}/models?pageSize=2"))
                .send()
                .await
                .unwrap(),
        )
        .await;
        let first = &list["models"][0];
        assert_eq!(first["name"], "models/smart", "{list}");
        assert_eq!(first["supportedGenerationMethods"][1], "streamGenerateContent");
        let one = json(
            data_plane
                .get(&format!("{base}/models/smart"))
                .send()
                .await
                .unwrap(),
        )
        .await;
        assert_eq!(&one, first);
    }
    let missing = data_plane.get("/v1beta/models/no/such").send().await.unwrap();
    assert_eq!(missing.status(), 404);

    for path in ["/api/tags", "/v1/api/tags"] {
        let tags = json(data_plane.get(path).send().await.unwrap()).await;
        let first = &tags["models"][0];
        assert_eq!(
            (&first["name"], &first["model"]),
            (&json!("smart"), &json!("smart")),
            "{tags}"
        );
        assert_eq!(first["digest"].as_str().unwrap().len(), 64);
        assert_eq!(first["details"]["family"], "combo");
    }
    for field in ["model", "name"] {
        let shown = data_plane
            .post("/api/show")
            .body(json!({field: "smart"}).to_string())
            .send()
            .await
            .unwrap();
        let shown = json(shown).await;
        assert_eq!(shown["capabilities"][0], "completion", "{shown}");
        assert!(shown["model_info"]["general.architecture"].is_string(), "{shown}");
    }
    for (body, status) in [(r#"{"model":"nothing"}"#, 404), ("{}", 400), ("{", 400)] {
        let shown = data_plane.post("/api/show").body(body).send().await.unwrap();
        assert_eq!(shown.status(), status, "{body}");
    }
    let version = json(data_plane.get("/api/version").send().await.unwrap()).await;
    assert!(
        version["version"].as_str().unwrap().split('.').count() == 3,
        "{version}"
    );

    let anthropic = data_plane
        .get("/v1/models")
        .header("anthropic-version", "2023-06-01");
    let anthropic = json(anthropic.send().await.unwrap()).await;
    assert_eq!(
        (
            &anthropic["has_more"],
            &anthropic["data"][0]["type"],
            &anthropic["first_id"]
        ),
        (&json!(false), &json!("model"), &json!("smart")),
        "{anthropic}"
    );
}

#[tokio::test]
async fn a_custom_model_is_in_every_list_and_its_bare_name_is_answered() {
    let simulator = Simulator::openai().await;
    let custom = |model: &str, kind: &str| v1::CustomModel {
        provider: "node-mine".to_owned(),
        model: model.to_owned(),
        name: "My Model".to_owned(),
        r#type: kind.to_owned(),
        context_window: 4096,
    };
    let data_plane = Setup::new()
        .node("mine", "openai-compatible", "chat", &simulator)
        .resource(
            "node-mine/org/demo",
            v1::resource::Body::CustomModel(custom("org/demo", "chat")),
        )
        .resource(
            "node-mine/ear",
            v1::resource::Body::CustomModel(custom("ear", "audio-transcription")),
        )
        .start()
        .await;
    let get = async |path: &str| json(data_plane.get(path).send().await.unwrap()).await;

    let listed = get("/v1/models").await["data"].clone();
    let pick = |fields: &[&str]| {
        let of = |row: &Value| fields.iter().map(|field| row[field].clone()).collect::<Vec<_>>();
        listed.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let expected = [
        vec![
            json!("mine/ear"),
            json!(true),
            json!("audio"),
            json!("transcription"),
        ],
        vec![json!("mine/org/demo"), json!(true), json!(null), json!(null)],
    ];
    assert_eq!(pick(&["id", "custom", "type", "subtype"]), expected);

    let gemini = get("/v1beta/models").await["models"].clone();
    assert_eq!(
        gemini.as_array().unwrap().len(),
        1,
        "what does not converse is not listed: {gemini}"
    );
    assert_eq!(
        (
            &gemini[0]["name"],
            &gemini[0]["displayName"],
            &gemini[0]["inputTokenLimit"]
        ),
        (&json!("models/mine/org/demo"), &json!("My Model"), &json!(4096)),
    );
    let tags = get("/api/tags").await["models"].clone();
    assert_eq!(
        (tags.as_array().unwrap().len(), &tags[0]["name"]),
        (1, &json!("mine/org/demo"))
    );

    for (path, model) in [
        ("/v1/chat/completions", "org/demo"),
        ("/v1/chat/completions", "mine/org/demo"),
        ("/v1/providers/mine/chat/completions", "org/demo"),
        ("/v1/providers/node-mine/chat/completions", "org/demo"),
    ] {
        let question = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
        assert_eq!(
            data_plane.ask(path, &question).await.status(),
            200,
            "{path} {model}"
        );
        assert_eq!(
            simulator.requests().pop().unwrap().body["model"],
            "org/demo",
            "{path} {model}"
        );
    }
}

#[tokio::test]
async fn a_list_shows_a_key_only_what_it_may_use() {
    let (data_plane, _simulator) = data_plane().await;
    for path in ["/v1beta/models", "/api/tags"] {
        let list = data_plane.get(path).bearer_auth("sk-small").send().await.unwrap();
        assert_eq!(json(list).await["models"], json!([]), "{path}");
    }
}

#[tokio::test]
async fn tokens_are_estimated_where_nobody_counts() {
    let (data_plane, simulator) = data_plane().await;
    let text = "x".repeat(400);
    let turns = json!([{"role": "user", "content": text}]);
    for (path, body, field) in [
        (
            "/v1/messages/count_tokens",
            json!({"model": "openai/demo", "messages": turns}),
            "input_tokens",
        ),
        (
            "/v1/messages/count_tokens",
            json!({"messages": turns}),
            "input_tokens",
        ),
        (
            "/v1/responses/input_tokens",
            json!({"model": "openai/demo", "input": text}),
            "input_tokens",
        ),
        (
            "/v1beta/models/openai/demo:countTokens",
            json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
            "totalTokens",
        ),
    ] {
        let response = data_plane.ask(path, &body).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(json(response).await[field], 100, "{path}");
    }
    let empty = data_plane
        .ask("/v1/messages/count_tokens", &json!({"model": "openai/demo"}))
        .await;
    assert_eq!(json(empty).await, json!({"input_tokens": 0}));
    for (body, status) in [
        ("{", 400),
        (r#"{"messages":[null]}"#, 400),
        (r#"{"model":7,"messages":[]}"#, 400),
        (r#"{"model":"groq/x","messages":[]}"#, 400),
    ] {
        let request = data_plane.post("/v1/messages/count_tokens").bearer_auth(KEY);
        let response = request.body(body).send().await.unwrap();
        assert_eq!(response.status(), status, "{body}");
        assert_eq!(json(response).await["type"], "error", "{body}");
    }
    let request = data_plane
        .post("/v1/messages/count_tokens")
        .bearer_auth("sk-small");
    let response = request
        .body(r#"{"model":"openai/demo","messages":[]}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
    assert!(simulator.requests().is_empty());
}

#[tokio::test]
async fn a_provider_that_does_not_count_is_no_failure() {
    let data_plane = Setup::new()
        .account_at("a", "anthropic", "http://127.0.0.1:1/v1")
        .start()
        .await;
    let body = json!({"model": "anthropic/demo", "messages": [{"role": "user", "content": "four"}]});
    let response = data_plane.ask("/v1/messages/count_tokens", &body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(json(response).await, json!({"input_tokens": 1}));
    assert!(data_plane.events().is_empty());
}

#[tokio::test]
async fn a_provider_that_counts_knows_best() {
    let simulator = Simulator::anthropic().await;
    let data_plane = Setup::new().account("a", "anthropic", &simulator).start().await;
    let body = json!({"model": "anthropic/demo", "messages": [{"role": "user", "content": "How far?"}]});
    let response = data_plane.ask("/v1/messages/count_tokens", &body).await;
    assert!(json(response).await["input_tokens"].as_u64().unwrap() > 0);
    let received = simulator.requests().pop().unwrap();
    assert_eq!(received.path, "/v1/messages/count_tokens");
    assert_eq!(received.headers["x-api-key"], "sk-a");
    let sent = &received.body;
    assert_eq!(sent["model"], "demo");
}
