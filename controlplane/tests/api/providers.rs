use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, provider};

const PATH: &str = "/api/providers";
const NOBODY: &str = "/api/providers/0190b6a0-0000-7000-8000-000000000000";

async fn create(api: &Api, name: &str) -> Value {
    let body = json!({ "provider": "openai", "apiKey": "sk-proj-abcdefgh9xQz", "name": name });
    api.post(PATH, body).await.expect(201)["connection"].clone()
}

fn path(connection: &Value) -> String {
    format!("{PATH}/{}", connection["id"].as_str().unwrap())
}

/// Names in the order of their priorities, which must be 1..n.
async fn order(api: &Api) -> Vec<String> {
    let list = api.get(PATH).await.expect(200)["connections"]
        .as_array()
        .unwrap()
        .clone();
    let priorities: Vec<_> = list.iter().map(|one| one["priority"].as_u64().unwrap()).collect();
    assert_eq!(priorities, (1..=list.len() as u64).collect::<Vec<_>>());
    list.iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_connection_is_created_read_changed_and_deleted() {
    let api = Api::start().await;
    let created = create(&api, "prod").await;
    assert_eq!(
        (&created["maskedApiKey"], &created["hasApiKey"]),
        (&json!("sk-p****9xQz"), &json!(true))
    );
    assert_eq!(
        (&created["testStatus"], &created["authType"]),
        (&json!("unknown"), &json!("apikey"))
    );
    assert_eq!(
        (&created["healthCheckInterval"], &created["rateLimitProtection"]),
        (&json!(60), &json!(false))
    );
    assert!(created.get("lastError").is_none() && created.get("apiKey").is_none());

    let read = api.get(&path(&created)).await;
    let mut whole = read.expect(200)["connection"].clone();
    whole["name"] = json!("production");
    whole["healthCheckInterval"] = json!(0);
    whole["defaultModel"] = json!("gpt-4o");
    let mut put = api.request(Method::PUT, &path(&created), Some(whole));
    put.headers_mut()
        .insert("if-match", read.header("etag").parse().unwrap());
    let changed = api.send(put).await.expect(200)["connection"].clone();
    assert_eq!(
        (&changed["name"], &changed["healthCheckInterval"]),
        (&json!("production"), &json!(0))
    );
    let mut stale = api.request(Method::PUT, &path(&created), Some(json!({ "isActive": false })));
    stale
        .headers_mut()
        .insert("if-match", read.header("etag").parse().unwrap());
    api.send(stale).await.expect_error(412, "PRECONDITION_001");
    let cleared = api.patch(&path(&created), json!({ "defaultModel": null })).await;
    assert!(cleared.expect(200)["connection"].get("defaultModel").is_none());

    let deleted = api.delete(&path(&created)).await;
    assert_eq!(deleted.expect(200)["id"], created["id"]);
    api.get(&path(&created)).await.expect_error(404, "RESOURCE_001");
    assert_eq!(api.audited("provider.connection.updated").await, 2);
}

#[tokio::test]
async fn priorities_of_a_provider_are_always_dense() {
    let api = Api::start().await;
    let a = create(&api, "a").await;
    create(&api, "b").await;
    let c = create(&api, "c").await;
    assert_eq!(order(&api).await, ["a", "b", "c"]);
    api.patch(&path(&c), json!({ "priority": 1 })).await.expect(200);
    assert_eq!(order(&api).await, ["c", "a", "b"]);
    api.patch(&path(&c), json!({ "priority": 99 })).await.expect(200);
    assert_eq!(order(&api).await, ["a", "b", "c"]);
    api.delete(&path(&a)).await.expect(200);
    assert_eq!(order(&api).await, ["b", "c"]);
    let first = json!({ "provider": "openai", "apiKey": "sk-1", "name": "d", "priority": 1 });
    api.post(PATH, first).await.expect(201);
    assert_eq!(order(&api).await, ["d", "b", "c"]);
}

#[tokio::test]
async fn a_second_create_of_the_same_name_updates_and_stays_sealed() {
    let api = Api::start().await;
    let first = create(&api, "prod").await;
    let again = json!({ "provider": "openai", "apiKey": "sk-canary-second-key", "name": "prod" });
    let again = api.post(PATH, again).await;
    assert_eq!(
        (&again.expect(200)["upserted"], &again.body["connection"]["id"]),
        (&json!(true), &first["id"])
    );
    assert_eq!(again.body["connection"]["maskedApiKey"], "sk-c****-key");
    let stored: Vec<u8> = sqlx::query_scalar("select api_key from provider_connection")
        .fetch_one(api.db.pool())
        .await
        .unwrap();
    assert!(!stored.windows(9).any(|window| window == b"sk-canary"));
}

#[tokio::test]
async fn the_mask_sent_back_keeps_the_credential_and_a_new_one_replaces_it() {
    let api = Api::start().await;
    let created = create(&api, "prod").await;
    let stored = || async {
        sqlx::query_scalar::<_, Vec<u8>>("select api_key from provider_connection")
            .fetch_one(api.db.pool())
            .await
            .unwrap()
    };
    let before = stored().await;
    api.patch(&path(&created), json!({ "apiKey": created["maskedApiKey"] }))
        .await
        .expect(200);
    assert_eq!(stored().await, before);
    let rotated = api
        .patch(&path(&created), json!({ "apiKey": "sk-proj-brand-new-key" }))
        .await;
    assert_eq!(rotated.expect(200)["connection"]["maskedApiKey"], "sk-p****-key");
    assert_ne!(stored().await, before);
    let details: Vec<Value> = sqlx::query_scalar(
        "select details from audit_log where action = 'provider.connection.updated' order by id",
    )
    .fetch_all(api.db.pool())
    .await
    .unwrap();
    assert_eq!(
        (&details[0]["credentialRotated"], &details[1]["credentialRotated"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test]
async fn what_a_connection_may_be_is_checked() {
    let api = Api::start().await;
    for (change, code) in [
        (json!({ "provider": "nobody" }), "PROVIDER_003"),
        (json!({ "name": " " }), "VALIDATION_001"),
        (json!({ "priority": 0 }), "VALIDATION_001"),
        (json!({ "apiKey": "" }), "VALIDATION_001"),
        (json!({ "apiKey": null }), "VALIDATION_002"),
        (
            json!({ "providerSpecificData": { "token": "x" } }),
            "VALIDATION_001",
        ),
        (
            json!({ "providerSpecificData": { "baseUrl": 1 } }),
            "VALIDATION_001",
        ),
        (
            json!({ "providerSpecificData": { "thinkTags": "yes" } }),
            "VALIDATION_001",
        ),
        (
            json!({ "providerSpecificData": { "onDisconnect": "wait" } }),
            "VALIDATION_001",
        ),
    ] {
        let mut body = json!({ "provider": "openai", "apiKey": "sk-1", "name": "n" });
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        api.post(PATH, body).await.expect_error(400, code);
    }
    let node = json!({ "provider": "openai-compatible-chat-gone", "apiKey": "k", "name": "n" });
    api.post(PATH, node).await.expect_error(404, "RESOURCE_001");

    let created = create(&api, "prod").await;
    create(&api, "other").await;
    api.patch(&path(&created), json!({ "name": "other" }))
        .await
        .expect_error(409, "RESOURCE_002");
    api.patch(&path(&created), json!({ "testStatus": "active" }))
        .await
        .expect_error(400, "VALIDATION_001");
    api.patch(&path(&created), json!({ "healthCheckInterval": 10_081 }))
        .await
        .expect_error(400, "VALIDATION_001");
    api.patch(NOBODY, json!({ "name": "n" }))
        .await
        .expect_error(404, "RESOURCE_001");
    api.delete(NOBODY).await.expect_error(404, "RESOURCE_001");
    api.post(&format!("{NOBODY}/test"), json!({}))
        .await
        .expect_error(404, "RESOURCE_001");
}

#[tokio::test]
async fn an_address_of_its_own_passes_the_guard_first() {
    let api = Api::start().await;
    let body = |url: &str| json!({ "provider": "openai", "apiKey": "k", "name": "n", "providerSpecificData": { "baseUrl": url } });
    api.post(PATH, body("http://127.0.0.1:9/v1"))
        .await
        .expect_error(422, "URL_GUARD_BLOCKED");
    let created = api.post(PATH, body("https://proxy.test/v1/")).await.expect(201)["connection"].clone();
    assert_eq!(
        created["providerSpecificData"]["baseUrl"],
        "https://proxy.test/v1"
    );
    let inside = json!({ "providerSpecificData": { "baseUrl": "http://192.168.0.1/v1" } });
    api.patch(&path(&created), inside)
        .await
        .expect_error(422, "URL_GUARD_BLOCKED");
    assert_eq!(api.audited("security.ssrf_blocked").await, 2);
    let removed = api
        .patch(
            &path(&created),
            json!({ "providerSpecificData": { "baseUrl": null } }),
        )
        .await;
    assert_eq!(
        removed.expect(200)["connection"]["providerSpecificData"],
        json!({})
    );
}

#[tokio::test]
async fn a_connection_says_how_its_server_marks_thinking() {
    let api = Api::start().await;
    let created = create(&api, "vllm").await;
    for (said, kept) in [
        (json!(true), json!({ "thinkTags": true })),
        (json!("implicit"), json!({ "thinkTags": "implicit" })),
        (json!(false), json!({ "thinkTags": false })),
        (json!(null), json!({})),
    ] {
        let change = json!({ "providerSpecificData": { "thinkTags": said } });
        let changed = api.patch(&path(&created), change).await;
        assert_eq!(changed.expect(200)["connection"]["providerSpecificData"], kept);
    }
}

#[tokio::test]
async fn a_connection_says_what_becomes_of_a_call_whose_client_has_left() {
    let api = Api::start().await;
    let created = create(&api, "billed to the token").await;
    for (said, kept) in [
        (json!("drain"), json!({ "onDisconnect": "drain" })),
        (json!("cancel"), json!({ "onDisconnect": "cancel" })),
        (json!(null), json!({})),
    ] {
        let change = json!({ "providerSpecificData": { "onDisconnect": said } });
        let changed = api.patch(&path(&created), change).await;
        assert_eq!(changed.expect(200)["connection"]["providerSpecificData"], kept);
    }
}

#[tokio::test]
async fn a_node_takes_one_connection_unless_the_operator_allows_more() {
    for (allowed, status) in [(false, 409), (true, 201)] {
        let api = Api::start_with(|config| config.allow_multi_connections_per_compat_node = allowed).await;
        let node =
            json!({ "name": "n", "prefix": "p", "apiType": "chat", "baseUrl": "https://host.test/v1" });
        let id = api.post("/api/provider-nodes", node).await.expect(201)["node"]["id"].clone();
        api.post(PATH, json!({ "provider": id, "apiKey": "k1", "name": "one" }))
            .await
            .expect(201);
        api.post(PATH, json!({ "provider": id, "apiKey": "k2", "name": "two" }))
            .await
            .expect(status);
    }
}

#[tokio::test]
async fn a_test_asks_the_provider_and_remembers_the_answer() {
    let api = Api::start_with(|config| config.allow_private_provider_urls = true).await;
    let address = provider().await;
    let body = json!({ "provider": "openai", "apiKey": "right", "name": "n",
        "providerSpecificData": { "baseUrl": format!("http://{address}/v1") } });
    let created = api.post(PATH, body).await.expect(201)["connection"].clone();
    let test = format!("{}/test", path(&created));

    let good = api.post(&test, json!({})).await;
    assert_eq!(
        (&good.expect(200)["valid"], &good.body["diagnosis"]["type"]),
        (&json!(true), &json!("ok"))
    );
    assert_eq!(
        api.get(&path(&created)).await.body["connection"]["testStatus"],
        "active"
    );

    api.patch(&path(&created), json!({ "apiKey": "wrong" }))
        .await
        .expect(200);
    assert_eq!(
        api.get(&path(&created)).await.body["connection"]["testStatus"],
        "unknown",
        "a new key is untested"
    );
    let bad = api.post(&test, json!({})).await.expect(200).clone();
    assert_eq!((&bad["valid"], &bad["statusCode"]), (&json!(false), &json!(401)));
    assert_eq!(bad["diagnosis"]["type"], "upstream_auth_error");
    let after = api.get(&path(&created)).await.body["connection"].clone();
    assert_eq!(
        (&after["testStatus"], &after["errorCode"]),
        (&json!("error"), &json!("401"))
    );
    let forgotten = api
        .patch(&path(&created), json!({ "testStatus": "unknown" }))
        .await;
    assert!(forgotten.expect(200)["connection"].get("lastError").is_none());

    let batch = api
        .post("/api/providers/test-batch", json!({ "mode": "all" }))
        .await;
    assert_eq!(
        batch.expect(200)["summary"],
        json!({ "total": 1, "passed": 0, "failed": 1 })
    );
    api.post("/api/providers/test-batch", json!({ "mode": "some" }))
        .await
        .expect_error(400, "VALIDATION_001");
    assert_eq!(api.audited("provider.connection.tested").await, 3);
}

#[tokio::test]
async fn models_are_listed_in_one_shape_and_a_refusal_is_no_refusal_of_ours() {
    let api = Api::start_with(|config| config.allow_private_provider_urls = true).await;
    let address = provider().await;
    let body = json!({ "provider": "openai", "apiKey": "right", "name": "n",
        "providerSpecificData": { "baseUrl": format!("http://{address}/v1") } });
    let created = api.post(PATH, body).await.expect(201)["connection"].clone();
    let models = format!("{}/models", path(&created));
    let answer = api.get(&models).await;
    let expected = json!([{ "id": "m-1", "name": "m-1", "ownedBy": "acme", "contextWindow": 4096 }]);
    assert_eq!(
        (&answer.expect(200)["models"], &answer.body["provider"]),
        (&expected, &json!("openai"))
    );
    let raw = api.get(&format!("{models}?raw=true")).await;
    assert_eq!(raw.expect(200)["models"][0]["raw"]["object"], "model");

    api.patch(&path(&created), json!({ "apiKey": "wrong" }))
        .await
        .expect(200);
    let refused = api.get(&models).await;
    refused.expect_error(502, "UPSTREAM_001");
    assert_eq!(refused.body["upstreamStatus"], 401);
    assert!(!refused.body.to_string().contains("body of the provider"));
    let mut cross = api.request(Method::GET, &models, None);
    cross
        .headers_mut()
        .insert("sec-fetch-site", "cross-site".parse().unwrap());
    api.send(cross).await.expect_error(403, "CSRF_001");
}

#[tokio::test]
async fn validate_tries_a_key_without_keeping_it() {
    let api = Api::start_with(|config| config.allow_private_provider_urls = true).await;
    let address = provider().await;
    let body =
        |key: &str| json!({ "provider": "openai", "apiKey": key, "baseUrl": format!("http://{address}/v1") });
    let validate = "/api/providers/validate";
    assert_eq!(
        api.post(validate, body("right")).await.expect(200),
        &json!({ "valid": true, "error": null })
    );
    assert_eq!(
        api.post(validate, body("wrong")).await.expect(200)["valid"],
        false
    );
    api.post(validate, json!({ "provider": "openai" }))
        .await
        .expect_error(400, "VALIDATION_002");
    let metadata = json!({ "provider": "openai", "apiKey": "k", "baseUrl": "http://169.254.169.254/v1" });
    api.post(validate, metadata)
        .await
        .expect_error(422, "URL_GUARD_BLOCKED");
    assert_eq!(api.get(PATH).await.body["connections"], json!([]));
}

#[tokio::test]
async fn a_list_can_be_narrowed_and_paged() {
    let api = Api::start().await;
    for name in ["a", "b", "c"] {
        create(&api, name).await;
    }
    api.post(
        PATH,
        json!({ "provider": "groq", "apiKey": "k", "name": "g", "isActive": false }),
    )
    .await
    .expect(201);
    let page = api.get("/api/providers?provider=openai&limit=2&offset=1").await;
    let names: Vec<_> = page.expect(200)["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].clone())
        .collect();
    assert_eq!(
        (names, page.header("x-total-count")),
        (vec![json!("b"), json!("c")], "3")
    );
    let inactive = api.get("/api/providers?isActive=false").await;
    assert_eq!(inactive.expect(200)["connections"][0]["name"], "g");
    api.get("/api/providers?limit=0")
        .await
        .expect_error(400, "VALIDATION_001");
    api.get("/api/providers?isActive=maybe")
        .await
        .expect_error(400, "VALIDATION_001");
}
