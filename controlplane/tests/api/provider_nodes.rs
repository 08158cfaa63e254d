use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, provider};
use testkit::Simulator;

const PATH: &str = "/api/provider-nodes";

fn node(prefix: &str, base_url: &str) -> Value {
    json!({ "name": "My vLLM", "prefix": prefix, "apiType": "chat", "baseUrl": base_url })
}

#[tokio::test]
async fn a_node_is_created_read_changed_and_deleted_with_its_connections() {
    let api = Api::start().await;
    let created = api
        .post(PATH, node("vllm", "https://host.test/v1/chat/completions/"))
        .await;
    let body = created.expect(201)["node"].clone();
    let id = body["id"].as_str().unwrap();
    assert!(id.starts_with("openai-compatible-chat-"), "{id}");
    assert_eq!(body["baseUrl"], "https://host.test/v1");

    let connection = json!({ "provider": id, "apiKey": "sk-node-key-1234", "name": "main" });
    let connection = api.post("/api/providers", connection).await.expect(201)["connection"].clone();
    let expected = json!({ "prefix": "vllm", "apiType": "chat", "baseUrl": "https://host.test/v1", "nodeName": "My vLLM" });
    assert_eq!(connection["providerSpecificData"], expected);

    let path = format!("{PATH}/{id}");
    let read = api.get(&path).await;
    let mut whole = read.expect(200)["node"].clone();
    whole["prefix"] = json!("fast");
    whole["baseUrl"] = json!("https://other.test/v1");
    let mut put = api.request(Method::PUT, &path, Some(whole));
    put.headers_mut()
        .insert("if-match", read.header("etag").parse().unwrap());
    assert_eq!(api.send(put).await.expect(200)["node"]["prefix"], "fast");
    let connection = format!("/api/providers/{}", connection["id"].as_str().unwrap());
    let data = api.get(&connection).await.expect(200)["connection"]["providerSpecificData"].clone();
    assert_eq!(
        (&data["prefix"], &data["baseUrl"]),
        (&json!("fast"), &json!("https://other.test/v1"))
    );

    let deleted = api.delete(&path).await;
    assert_eq!(
        deleted.expect(200),
        &json!({ "success": true, "deletedConnections": 1 })
    );
    api.get(&connection).await.expect_error(404, "RESOURCE_001");
    api.get(&path).await.expect_error(404, "RESOURCE_001");
    api.delete(&path).await.expect_error(404, "RESOURCE_001");
    for action in [
        "provider.node.created",
        "provider.node.updated",
        "provider.node.deleted",
    ] {
        assert_eq!(api.audited(action).await, 1, "{action}");
    }
}

#[tokio::test]
async fn a_prefix_belongs_to_one_node_and_to_no_built_in_provider() {
    let api = Api::start().await;
    let first = api
        .post(PATH, node("vllm", "https://host.test/v1"))
        .await
        .expect(201)["node"]
        .clone();
    let second = api
        .post(PATH, node("other", "https://host.test/v1"))
        .await
        .expect(201)["node"]
        .clone();
    for prefix in ["vllm", "openai", "ds"] {
        api.post(PATH, node(prefix, "https://host.test/v1"))
            .await
            .expect_error(409, "RESOURCE_002");
    }
    let path = format!("{PATH}/{}", second["id"].as_str().unwrap());
    api.patch(&path, json!({ "prefix": first["prefix"] }))
        .await
        .expect_error(409, "RESOURCE_002");
    api.patch(&path, json!({ "name": "only the name" }))
        .await
        .expect(200);
    let incomplete = api.put(&path, json!({ "name": "only the name" })).await;
    incomplete.expect_error(400, "VALIDATION_002");
    api.patch(&path, json!({ "type": "anthropic-compatible" }))
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn what_a_node_may_be_is_checked() {
    let api = Api::start().await;
    for (body, field) in [
        (
            json!({ "name": "n", "prefix": "UPPER", "apiType": "chat" }),
            "prefix",
        ),
        (json!({ "name": "n", "prefix": "p" }), "apiType"),
        (
            json!({ "name": "n", "prefix": "p", "apiType": "soap" }),
            "apiType",
        ),
        (json!({ "name": "n", "prefix": "p", "type": "soap" }), "type"),
        (
            json!({ "name": "n", "prefix": "p", "type": "anthropic-compatible", "apiType": "chat" }),
            "apiType",
        ),
        (
            json!({ "name": "n", "prefix": "p", "apiType": "chat", "baseUrl": "not an address" }),
            "baseUrl",
        ),
    ] {
        let answer = api.post(PATH, body.clone()).await;
        assert_eq!(
            answer.expect_error(400, "VALIDATION_001")["details"][0]["field"],
            field,
            "{body}"
        );
    }
    let default = json!({ "name": "n", "prefix": "p", "type": "anthropic-compatible" });
    assert_eq!(
        api.post(PATH, default).await.expect(201)["node"]["baseUrl"],
        "https://api.anthropic.com/v1"
    );
}

#[tokio::test]
async fn an_address_inside_the_network_needs_a_persons_decision() {
    let api = Api::start().await;
    for url in [
        "http://127.0.0.1/v1",
        "http://10.0.0.1/v1",
        "http://169.254.169.254/v1",
        "http://user:pw@host.test/v1",
        "file:///etc",
    ] {
        api.post(PATH, node("p", url))
            .await
            .expect_error(422, "URL_GUARD_BLOCKED");
    }
    assert_eq!(api.audited("security.ssrf_blocked").await, 5);
    let mut allowed = node("p", "http://10.0.0.1/v1");
    allowed["allowPrivateAddress"] = json!(true);
    let manage = api.key(&["manage"]).await;
    api.with_key(&manage, Method::POST, PATH, Some(allowed.clone()))
        .await
        .expect_error(403, "AUTH_004");
    api.post(PATH, allowed).await.expect(201);
    let mut metadata = node("q", "http://169.254.169.254/v1");
    metadata["allowPrivateAddress"] = json!(true);
    api.post(PATH, metadata)
        .await
        .expect_error(422, "URL_GUARD_BLOCKED");
}

#[tokio::test]
async fn validation_tells_a_bad_key_from_a_bad_address() {
    let api = Api::start_with(|config| config.allow_private_provider_urls = true).await;
    let address = provider().await;
    let validate = |base: String, key: &'static str| {
        let api = &api;
        async move {
            let body = json!({ "baseUrl": base, "apiKey": key });
            api.post("/api/provider-nodes/validate", body)
                .await
                .expect(200)
                .clone()
        }
    };
    let base = format!("http://{address}/v1");
    assert_eq!(
        validate(base.clone(), "right").await,
        json!({ "valid": true, "error": null })
    );
    assert_eq!(validate(base, "wrong").await["reason"], "invalid_key");
    assert_eq!(
        validate(format!("http://{address}/other"), "right").await["reason"],
        "no_models_endpoint"
    );
    assert_eq!(
        validate("http://127.0.0.1:1/v1".to_owned(), "right").await["reason"],
        "unreachable"
    );
}

#[tokio::test]
async fn a_node_of_every_dialect_can_be_tested_and_asked_for_its_models() {
    let api = Api::start_with(|config| config.allow_private_provider_urls = true).await;
    for (number, (kind, simulator, id_family)) in [
        (
            json!({ "type": "openai-compatible", "apiType": "chat" }),
            Simulator::openai().await,
            "openai-compatible-chat-",
        ),
        (
            json!({ "type": "openai-compatible", "apiType": "responses" }),
            Simulator::responses().await,
            "openai-compatible-responses-",
        ),
        (
            json!({ "type": "anthropic-compatible" }),
            Simulator::anthropic().await,
            "anthropic-compatible-",
        ),
        (
            json!({ "type": "gemini-compatible" }),
            Simulator::gemini().await,
            "gemini-compatible-",
        ),
        (
            json!({ "type": "ollama-compatible" }),
            Simulator::ollama().await,
            "ollama-compatible-",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = kind.clone();
        body["baseUrl"] = json!(simulator.url());
        body["apiKey"] = json!("sk-demo");
        let verdict = api.post("/api/provider-nodes/validate", body.clone()).await;
        assert_eq!(verdict.expect(200)["valid"], true, "{kind}");

        body.as_object_mut().unwrap().remove("apiKey");
        body["name"] = json!("mine");
        body["prefix"] = json!(format!("n{number}"));
        let node = api.post(PATH, body).await.expect(201)["node"].clone();
        let id = node["id"].as_str().unwrap();
        assert!(id.starts_with(id_family), "{id}");

        let connection = json!({ "provider": id, "apiKey": "sk-demo", "name": "main" });
        let connection = api.post("/api/providers", connection).await.expect(201)["connection"].clone();
        let path = format!("/api/providers/{}", connection["id"].as_str().unwrap());
        let tested = api.post(&format!("{path}/test"), json!({})).await;
        assert_eq!(tested.expect(200)["valid"], true, "{kind}");
        let models = api.get(&format!("{path}/models")).await.expect(200)["models"].clone();
        let first = models[0]["id"].as_str().unwrap();
        assert!(!first.is_empty() && !first.starts_with("models/"), "{models}");
    }
}

#[tokio::test]
async fn only_a_server_that_asks_for_no_key_may_have_none() {
    let api = Api::start_with(|config| config.allow_private_provider_urls = true).await;
    let simulator = Simulator::ollama().await;
    let node = |kind: &str, url: &str| json!({ "name": kind, "prefix": kind, "type": format!("{kind}-compatible"), "baseUrl": url });
    let ollama = api.post(PATH, node("ollama", &simulator.url())).await.expect(201)["node"].clone();
    let gemini = api
        .post(PATH, node("my-gemini", "https://host.test/v1beta"))
        .await;
    gemini.expect_error(400, "VALIDATION_001");
    let mut gemini = node("gemini", "https://host.test/v1beta/models");
    gemini["prefix"] = json!("mine");
    let gemini = api.post(PATH, gemini).await.expect(201)["node"].clone();
    assert_eq!(gemini["baseUrl"], "https://host.test/v1beta");

    let connection = json!({ "provider": ollama["id"], "name": "local" });
    let connection = api.post("/api/providers", connection).await.expect(201)["connection"].clone();
    let path = format!("/api/providers/{}", connection["id"].as_str().unwrap());
    let tested = api.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(tested.expect(200)["valid"], true);
    assert!(
        simulator
            .requests()
            .iter()
            .all(|request| !request.headers.contains_key("authorization"))
    );
    let verdict = json!({ "type": "ollama-compatible", "baseUrl": simulator.url(), "apiKey": "" });
    let verdict = api.post("/api/provider-nodes/validate", verdict).await;
    assert_eq!(verdict.expect(200)["valid"], true);

    let keyless = json!({ "provider": gemini["id"], "name": "n" });
    api.post("/api/providers", keyless)
        .await
        .expect_error(400, "VALIDATION_002");
    let empty = json!({ "provider": gemini["id"], "name": "n", "apiKey": "" });
    api.post("/api/providers", empty)
        .await
        .expect_error(400, "VALIDATION_001");
    let verdict = json!({ "type": "gemini-compatible", "baseUrl": "https://host.test/v1beta" });
    let verdict = api.post("/api/provider-nodes/validate", verdict).await;
    verdict.expect_error(400, "VALIDATION_002");

    let catalog = api.get("/api/models/catalog").await.expect(200)["catalog"].clone();
    assert_eq!(
        (&catalog["ollama"]["keyless"], &catalog["mine"]["keyless"]),
        (&json!(true), &json!(false)),
        "{catalog}"
    );
}
