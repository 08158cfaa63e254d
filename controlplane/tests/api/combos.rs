use axum::http::Method;
use serde_json::{Value, json};

use crate::support::Api;

async fn create(api: &Api, name: &str, models: Value) -> String {
    let answer = api
        .post("/api/combos", json!({ "name": name, "models": models }))
        .await;
    format!("/api/combos/{}", answer.expect(201)["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_combo_is_created_read_changed_and_deleted() {
    let api = Api::start().await;
    let members = json!(["openai/gpt-4o", { "model": "groq/x", "weight": 30.0 }]);
    let created = api
        .post(
            "/api/combos",
            json!({ "name": "premium", "models": members, "config": { "maxRetries": 2 } }),
        )
        .await;
    let body = created.expect(201).clone();
    assert_eq!(
        (&body["models"], &body["strategy"]),
        (&members, &json!("priority"))
    );
    assert_eq!(
        (&body["config"], &body["isActive"]),
        (&json!({ "maxRetries": 2 }), &json!(true))
    );

    let path = format!("/api/combos/{}", body["id"].as_str().unwrap());
    let read = api.get(&path).await;
    let mut whole = read.expect(200).clone();
    whole["isActive"] = json!(false);
    let mut put = api.request(Method::PUT, &path, Some(whole));
    put.headers_mut()
        .insert("if-match", read.header("etag").parse().unwrap());
    let changed = api.send(put).await;
    assert_eq!(
        (&changed.expect(200)["isActive"], &changed.body["models"]),
        (&json!(false), &members)
    );
    assert_eq!(
        api.get("/api/combos").await.expect(200)["combos"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    assert_eq!(api.delete(&path).await.expect(200), &json!({ "success": true }));
    api.get(&path).await.expect_error(404, "RESOURCE_001");
    api.delete(&path).await.expect_error(404, "RESOURCE_001");
}

#[tokio::test]
async fn what_a_combo_may_be_is_checked_on_create_and_on_update() {
    let api = Api::start().await;
    let path = create(&api, "c", json!([])).await;
    for (body, field) in [
        (json!({ "name": "no spaces" }), "name"),
        (json!({ "name": "n", "models": [""] }), "models.0.model"),
        (
            json!({ "name": "n", "models": [{ "model": "m", "weight": 101 }] }),
            "models.0.weight",
        ),
        (json!({ "name": "n", "strategy": "best" }), "strategy"),
        (
            json!({ "name": "n", "config": { "timeoutMs": 1 } }),
            "config.timeoutMs",
        ),
        (
            json!({ "name": "n", "config": { "tmeoutMs": 1000 } }),
            "config.tmeoutMs",
        ),
        (
            json!({ "name": "n", "strategy": "weighted", "models": ["openai/a"] }),
            "models",
        ),
    ] {
        for answer in [
            api.post("/api/combos", body.clone()).await,
            api.patch(&path, body.clone()).await,
        ] {
            assert_eq!(
                answer.expect_error(400, "VALIDATION_001")["details"][0]["field"],
                field,
                "{body}"
            );
        }
    }
    api.post("/api/combos", json!({ "models": [] }))
        .await
        .expect_error(400, "VALIDATION_002");
}

#[tokio::test]
async fn names_are_unique_across_combos_aliases_and_the_catalogue() {
    let api = Api::start().await;
    let path = create(&api, "one", json!([])).await;
    create(&api, "two", json!([])).await;
    api.put(
        "/api/models/alias",
        json!({ "alias": "three", "model": "openai/gpt-4o" }),
    )
    .await
    .expect(200);
    for name in ["one", "three"] {
        api.post("/api/combos", json!({ "name": name }))
            .await
            .expect_error(409, "RESOURCE_002");
    }
    api.patch(&path, json!({ "name": "two" }))
        .await
        .expect_error(409, "RESOURCE_002");
    api.patch(&path, json!({ "name": "one" })).await.expect(200);
}

#[tokio::test]
async fn a_graph_of_combos_has_no_cycle_and_is_not_too_deep() {
    let api = Api::start().await;
    let bottom = create(&api, "d", json!([])).await;
    create(&api, "c", json!(["d"])).await;
    create(&api, "b", json!(["c"])).await;
    create(&api, "a", json!(["b"])).await;
    api.patch(&bottom, json!({ "models": ["a"] }))
        .await
        .expect_error(400, "COMBO_CYCLE");
    api.post("/api/combos", json!({ "name": "top", "models": ["a"] }))
        .await
        .expect_error(400, "COMBO_DEPTH");
    api.post("/api/combos", json!({ "name": "self", "models": ["self"] }))
        .await
        .expect_error(400, "COMBO_CYCLE");
    api.patch(&bottom, json!({ "name": "e", "models": ["e"] }))
        .await
        .expect_error(400, "COMBO_CYCLE");
}

#[tokio::test]
async fn a_rename_follows_references_and_a_delete_asks_first() {
    let api = Api::start().await;
    let inner = create(&api, "inner", json!(["openai/gpt-4o"])).await;
    let outer = create(&api, "outer", json!(["inner", "nobody/x"])).await;
    api.put("/api/models/alias", json!({ "alias": "best", "model": "inner" }))
        .await
        .expect(200);

    let renamed = api.put(&inner, json!({ "name": "core" })).await;
    assert_eq!(
        renamed.expect(200)["renamedReferences"],
        json!(["alias:best", "combo:outer"])
    );
    assert_eq!(api.get(&outer).await.body["models"], json!(["core", "nobody/x"]));
    assert_eq!(api.get("/api/models/alias").await.body["aliases"]["best"], "core");

    let refused = api.delete(&inner).await;
    let details = refused.expect_error(409, "RESOURCE_002")["details"].clone();
    assert_eq!(
        (&details[0]["field"], &details[1]["field"]),
        (&json!("alias:best"), &json!("combo:outer"))
    );
    api.delete(&format!("{inner}?force=true")).await.expect(200);
    assert_eq!(api.get(&outer).await.body["models"], json!(["nobody/x"]));
    assert_eq!(api.get("/api/models/alias").await.body["aliases"], json!({}));
}

#[tokio::test]
async fn a_member_that_nothing_answers_to_is_a_warning() {
    let api = Api::start().await;
    let answer = api
        .post(
            "/api/combos",
            json!({ "name": "c", "models": ["openai/any", "nobody/x"] }),
        )
        .await;
    let warnings = answer.expect(201)["warnings"].as_array().unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].as_str().unwrap().contains("nobody/x"),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn every_strategy_and_every_setting_of_a_combo_is_kept() {
    let api = Api::start().await;
    let config = json!({
        "maxRetries": 0, "retryDelayMs": 0, "timeoutMs": 1000, "healthCheckEnabled": false,
        "healthCheckTimeoutMs": 100, "concurrencyPerModel": 1, "queueTimeoutMs": 100, "maxComboDepth": 1,
        "trackMetrics": false,
    });
    for strategy in [
        "priority",
        "weighted",
        "round-robin",
        "random",
        "least-used",
        "cost-optimized",
    ] {
        let members = json!([{ "model": "openai/a", "weight": 1.0 }, "openai/b"]);
        let body = json!({ "name": strategy, "strategy": strategy, "models": members, "config": config });
        let created = api.post("/api/combos", body).await;
        assert_eq!(created.expect(201)["strategy"], strategy);
        let path = format!("/api/combos/{}", created.body["id"].as_str().unwrap());
        assert_eq!(api.get(&path).await.expect(200)["config"], config);
        let none = api.put(&path, json!({ "config": {} })).await;
        assert_eq!(none.expect(200)["config"], json!({}));
        let all = api.patch(&path, json!({ "config": config })).await;
        assert_eq!(all.expect(200)["config"], config);
    }
    assert_eq!(
        (
            api.audited("combo.created").await,
            api.audited("combo.updated").await
        ),
        (6, 12)
    );
}

#[tokio::test]
async fn a_rename_follows_wildcards_and_policies_and_a_delete_leaves_policies_alone() {
    let api = Api::start().await;
    let path = create(&api, "inner", json!(["openai/gpt-4o"])).await;
    let aliases =
        json!([{ "pattern": "a-*", "target": "openai/x" }, { "pattern": "best-*", "target": "inner" }]);
    api.put("/api/settings", json!({ "wildcardAliases": aliases }))
        .await
        .expect(200);
    for policy in [
        json!({ "name": "block", "type": "access", "actions": { "block_model": ["x", "inner", "inner*"] } }),
        json!({ "name": "cap", "type": "budget", "conditions": { "model_pattern": "inner" },
                "actions": { "max_tokens": 10 } }),
        json!({ "name": "other", "type": "budget", "conditions": { "model_pattern": "inner-*" },
                "actions": { "max_tokens": 10 } }),
    ] {
        api.post("/api/policies", policy).await.expect(201);
    }

    let renamed = api.patch(&path, json!({ "name": "core" })).await;
    assert_eq!(
        renamed.expect(200)["renamedReferences"],
        json!(["policy:block", "policy:cap", "wildcard:best-*"])
    );
    let wildcards = api.get("/api/settings").await.body["wildcardAliases"].clone();
    let expected =
        json!([{ "pattern": "a-*", "target": "openai/x" }, { "pattern": "best-*", "target": "core" }]);
    assert_eq!(wildcards, expected);
    let policies = api.get("/api/policies").await.body["policies"].clone();
    assert_eq!(
        policies[0]["actions"]["block_model"],
        json!(["x", "core", "inner*"])
    );
    assert_eq!(policies[1]["conditions"]["model_pattern"], "core");
    assert_eq!(policies[2]["conditions"]["model_pattern"], "inner-*");

    let refused = api.delete(&path).await;
    let details = refused.expect_error(409, "RESOURCE_002")["details"].clone();
    assert_eq!(details.as_array().unwrap().len(), 1);
    assert_eq!(details[0]["field"], "wildcard:best-*");
    api.delete(&format!("{path}?force=true")).await.expect(200);
    let wildcards = api.get("/api/settings").await.body["wildcardAliases"].clone();
    assert_eq!(wildcards, json!([{ "pattern": "a-*", "target": "openai/x" }]));
    assert_eq!(api.get("/api/policies").await.body["policies"], policies);
}

#[tokio::test]
async fn a_member_that_a_wildcard_covers_is_no_warning() {
    let api = Api::start().await;
    let aliases = json!([{ "pattern": "claude-*", "target": "openai/gpt-4o" }]);
    api.put("/api/settings", json!({ "wildcardAliases": aliases }))
        .await
        .expect(200);
    let answer = api
        .post(
            "/api/combos",
            json!({ "name": "c", "models": ["Claude-next", "mistral-next"] }),
        )
        .await;
    let warnings = answer.expect(201)["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].as_str().unwrap().contains("mistral-next"));
}
