//! What is refused, with which words, in whose dialect.

use crate::harness::{KEY, Setup, header, json};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use testkit::{Behaviour, Simulator};

const BOTH: [&str; 2] = ["/v1/chat/completions", "/v1/messages"];

/// The message of an error; checks that it is in the dialect of the endpoint.
fn message(path: &str, error: &Value) -> String {
    if path.contains("/messages") {
        assert_eq!(error["type"], "error", "{error}");
        assert!(error["request_id"].is_string(), "{error}");
    } else {
        assert!(
            error["error"].as_object().unwrap().contains_key("param"),
            "{error}"
        );
    }
    assert!(error["error"]["type"].is_string(), "{error}");
    error["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_asked_for_before_anything_else() {
    let setup = Setup::new()
        .key("sk-disabled", |key| key.enabled = false)
        .key("sk-expired", |key| key.expires_at_ms = 1)
        .key("sk-manage", |key| key.scopes = vec!["manage".to_owned()]);
    let data_plane = setup.start().await;
    let cases: [(&str, &str, u16, &str); 8] = [
        ("x-none", "", 401, "Missing API key"),
        ("authorization", "Bearer sk-wrong", 401, "Invalid API key"),
        ("x-api-key", "sk-wrong", 401, "Invalid API key"),
        ("authorization", "Bearer sk-disabled", 401, "API key is disabled"),
        ("authorization", "Bearer sk-expired", 401, "API key has expired"),
        (
            "authorization",
            "Bearer sk-manage",
            403,
            "API key lacks the scope `inference`",
        ),
        ("authorization", "bearer sk-test-key", 400, "Invalid JSON body"),
        ("x-goog-api-key", KEY, 400, "Invalid JSON body"),
    ];
    for path in BOTH {
        for (name, value, status, words) in cases {
            let response = data_plane
                .post(path)
                .header(name, value)
                .body("not json")
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), status, "{path} {name}: {value}");
            let said = message(path, &json(response).await);
            assert!(said.starts_with(words), "{path} {name}: {said}");
        }
    }
    let by_query = data_plane
        .post(&format!("/v1/chat/completions?key={KEY}"))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(by_query.status(), 400);
}

#[tokio::test]
async fn local_mode_takes_anybody_but_keeps_the_limits_of_a_known_key() {
    let simulator = Simulator::openai().await;
    let setup = Setup::new()
        .account("o", "openai", &simulator)
        .key("sk-limited", |key| {
            key.allowed_models = vec!["openai/small".to_owned()]
        })
        .key("sk-disabled", |key| key.enabled = false)
        .config(|config| config.edge.require_api_key = false);
    let data_plane = setup.start().await;
    let body = json!({"model": "openai/demo", "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    for (key, status) in [
        (None, 200),
        (Some("sk-unknown"), 200),
        (Some("sk-limited"), 403),
        (Some("sk-disabled"), 401),
    ] {
        let mut request = data_plane.post("/v1/chat/completions").body(body.clone());
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        assert_eq!(request.send().await.unwrap().status(), status, "{key:?}");
    }
}

#[tokio::test]
async fn a_key_reaches_only_what_it_was_given() {
    let (openai, anthropic) = (Simulator::openai().await, Simulator::anthropic().await);
    let setup = Setup::new()
        .account("11111111-1111-7111-8111-111111111111", "openai", &openai)
        .account("a", "anthropic", &anthropic)
        .combo("smart", &["anthropic/demo", "openai/demo"])
        .key("sk-openai", |key| {
            key.allowed_models = vec!["openai/*".to_owned()]
        })
        .key("sk-smart", |key| key.allowed_models = vec!["smart".to_owned()])
        .key("sk-wild", |key| {
            key.allowed_models = vec!["smart*".to_owned(), "openai/*".to_owned()]
        })
        .key("sk-connection", |key| {
            key.allowed_connections = vec!["11111111-1111-7111-8111-111111111111".to_owned()];
        });
    let data_plane = setup.start().await;
    let cases = [
        ("sk-openai", "openai/demo", 200, "openai"),
        (
            "sk-openai",
            "anthropic/demo",
            403,
            "Model \"anthropic/demo\" is not allowed for this API key",
        ),
        (
            "sk-openai",
            "smart",
            403,
            "Model \"smart\" is not allowed for this API key",
        ),
        ("sk-smart", "smart", 200, "anthropic"),
        (
            "sk-smart",
            "openai/demo",
            403,
            "Model \"openai/demo\" is not allowed for this API key",
        ),
        // the name is covered by a wildcard only, so each member has to be covered too
        ("sk-wild", "smart", 200, "openai"),
        ("sk-connection", "openai/demo", 200, "openai"),
        ("sk-connection", "smart", 200, "openai"),
        (
            "sk-connection",
            "anthropic/demo",
            403,
            "this API key may use none of the connections",
        ),
    ];
    for (key, model, status, expected) in cases {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]}).to_string();
        let response = data_plane
            .post("/v1/chat/completions")
            .bearer_auth(key)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{key} {model}");
        match status {
            200 => assert_eq!(
                data_plane.events().last().unwrap().provider,
                expected,
                "{key} {model}"
            ),
            _ => {
                let said = message("/v1/chat/completions", &json(response).await);
                assert!(said.starts_with(expected), "{said}");
            }
        }
    }
}

#[tokio::test]
async fn bad_input_is_answered_with_what_is_wrong() {
    let simulator = Simulator::anthropic().await;
    let data_plane = Setup::new().account("a", "anthropic", &simulator).start().await;
    let messages = r#""messages":[{"role":"user","content":"Hi"}],"max_tokens":9"#;
    let cases = [
        ("{\"model\":".to_owned(), 400, "Invalid JSON body"),
        (String::new(), 400, "Invalid JSON body"),
        ("null".to_owned(), 400, "request body must be a JSON object"),
        ("[]".to_owned(), 400, "request body must be a JSON object"),
        ("\"x\"".to_owned(), 400, "request body must be a JSON object"),
        (format!("{{{messages}}}"), 400, "Missing model"),
        (
            format!("{{\"model\":7,{messages}}}"),
            400,
            "model must be a string",
        ),
        (
            format!("{{\"model\":\"anthropic/x\",\"stream\":\"yes\",{messages}}}"),
            400,
            "stream must be true or false",
        ),
        (
            format!("{{\"model\":\"../x\",{messages}}}"),
            400,
            "Invalid model format",
        ),
        (
            format!("{{\"model\":\"openai/x\",{messages}}}"),
            400,
            "No credentials for provider: openai",
        ),
        (
            format!("{{\"model\":\"nothing\",{messages}}}"),
            404,
            "Model `nothing` not found. Write provider/model",
        ),
    ];
    for path in BOTH {
        for (body, status, words) in &cases {
            let response = data_plane
                .post(path)
                .bearer_auth(KEY)
                .body(body.clone())
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), *status, "{path} {body}");
            let said = message(path, &json(response).await);
            assert!(said.starts_with(words), "{path} {body}: {said}");
        }
    }
    // wrong types inside are found by whoever has to read them
    let body = json!({"model": "anthropic/demo", "messages": "Hi"});
    assert_eq!(data_plane.ask("/v1/chat/completions", &body).await.status(), 400);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_however_it_comes() {
    let data_plane = Setup::new().start().await;
    let twenty_megabytes = Bytes::from(vec![b' '; 20 * 1024 * 1024]);
    for path in BOTH {
        let announced = data_plane
            .post(path)
            .bearer_auth(KEY)
            .body(twenty_megabytes.clone())
            .send()
            .await
            .unwrap();
        let pieces: Vec<_> = twenty_megabytes
            .chunks(64 * 1024)
            .map(Bytes::copy_from_slice)
            .map(Ok::<_, std::io::Error>)
            .collect();
        let chunked = reqwest::Body::wrap_stream(stream::iter(pieces));
        let chunked = data_plane
            .post(path)
            .bearer_auth(KEY)
            .body(chunked)
            .send()
            .await
            .unwrap();
        for response in [announced, chunked] {
            assert_eq!(response.status(), 413);
            let said = message(path, &json(response).await);
            assert_eq!(said, "Request body too large. Maximum allowed: 10 MB");
        }
    }
}

#[tokio::test]
async fn what_a_broken_provider_says_is_not_passed_on() {
    for html in [200, 502] {
        for path in BOTH {
            let simulator = Simulator::openai().await;
            simulator.script(Behaviour {
                html: Some(html),
                ..Behaviour::default()
            });
            let data_plane = Setup::new().account("o", "openai", &simulator).start().await;
            let body = json!({"model": "openai/demo", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
            let response = data_plane.ask(path, &body).await;
            assert!(response.status().is_server_error(), "{}", response.status());
            let text = response.text().await.unwrap();
            assert!(!text.contains('<') && !text.contains("internal-host"), "{text}");
            message(path, &serde_json::from_str(&text).unwrap());
        }
    }
}

#[tokio::test]
async fn a_wrong_path_or_method_is_answered_in_json() {
    let data_plane = Setup::new().start().await;
    let cases = [
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/messages", 405),
        ("POST", "/v1/models", 405),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/messages/nothing", 404),
        ("GET", "/elsewhere", 404),
    ];
    for (method, path, status) in cases {
        let response = data_plane.request(method, path).send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        assert_eq!(
            header(&response, "allow").is_some(),
            status == 405,
            "{method} {path}"
        );
        assert!(header(&response, "x-request-id").is_some());
        message(path, &json(response).await);
    }
}

#[tokio::test]
async fn a_browser_may_ask_first() {
    let data_plane = Setup::new().start().await;
    for path in [
        "/v1/chat/completions",
        "/v1/messages",
        "/v1/models",
        "/chat/completions",
        "/v1/v1/messages",
    ] {
        let request = data_plane
            .request("OPTIONS", path)
            .header("origin", "https://app.example");
        let response = request
            .header("access-control-request-method", "POST")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
        assert!(
            header(&response, "access-control-allow-headers")
                .unwrap()
                .contains("authorization")
        );
        assert_eq!(response.text().await.unwrap(), "");
    }
}

#[tokio::test]
async fn without_a_configuration_nothing_is_served_and_everybody_is_told() {
    let data_plane = Setup::new().start_empty().await;
    for path in BOTH {
        let response = data_plane
            .post(path)
            .bearer_auth(KEY)
            .body("{}")
            .send()
            .await
            .unwrap();
        let unavailable = if path == "/v1/messages" { 529 } else { 503 };
        assert!(
            [503, unavailable].contains(&response.status().as_u16()),
            "{}",
            response.status()
        );
        message(path, &json(response).await);
    }
    assert_eq!(data_plane.get("/v1/models").send().await.unwrap().status(), 503);
    assert_eq!(data_plane.get("/readyz").send().await.unwrap().status(), 503);
    assert_eq!(data_plane.get("/livez").send().await.unwrap().status(), 200);
    let metrics = data_plane
        .get("/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        metrics.contains("omniroute_dataplane_requests_total"),
        "{metrics}"
    );
}

#[tokio::test]
async fn the_list_of_models_can_be_read_one_by_one() {
    let simulator = Simulator::openai().await;
    let data_plane = Setup::new()
        .account("o", "openai", &simulator)
        .combo("my/smart", &["openai/demo"])
        .start()
        .await;
    for path in ["/v1/models", "/models", "/v1", "/api/v1/models"] {
        let list = json(data_plane.get(path).send().await.unwrap()).await;
        assert_eq!(
            (&list["object"], &list["data"][0]["id"]),
            (&json!("list"), &json!("my/smart")),
            "{path}"
        );
    }
    let list = json(data_plane.get("/v1/models").send().await.unwrap()).await;
    for row in list["data"].as_array().unwrap() {
        let one = json(
            data_plane
                .get(&format!("/v1/models/{}", row["id"].as_str().unwrap()))
                .send()
                .await
                .unwrap(),
        )
        .await;
        assert_eq!((&one["id"], &one["object"]), (&row["id"], &json!("model")));
    }
    let missing = data_plane.get("/v1/models/no/such").send().await.unwrap();
    assert_eq!(missing.status(), 404);
    assert_eq!(json(missing).await["error"]["code"], "model_not_found");
}
