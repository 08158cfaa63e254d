use serde_json::json;

use crate::{
    resilience::{connect, connection, down, model, provider},
    support::Api,
};

const PATH: &str = "/api/models/availability";

#[tokio::test]
async fn what_rests_is_listed_with_its_scope_and_what_does_not_on_request() {
    let api = Api::start().await;
    let ids = connect(&api, &["openai", "groq"]).await;
    let nothing = api.get(PATH).await;
    assert_eq!(
        nothing.expect(200),
        &json!({ "unavailableCount": 0, "models": [] })
    );
    let outages = [
        down(model("openai", &ids[0], "gpt-4o")),
        down(connection("groq", &ids[1])),
        down(provider("mistral")),
    ];
    api.store.note_health(&outages).await.unwrap();

    let listed = api.get(&format!("{PATH}?all=true")).await.expect(200).clone();
    assert_eq!(listed["unavailableCount"], 3);
    let scopes = ["model", "connection", "provider-breaker"];
    for scope in scopes {
        let entry = listed["models"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["scope"] == scope)
            .unwrap();
        assert!(
            (1..=60_000).contains(&entry["remainingMs"].as_u64().unwrap()),
            "{entry}"
        );
        assert!(
            entry["unavailableSince"].is_string() && entry["until"].is_string(),
            "{entry}"
        );
        assert_eq!(entry["model"].is_string(), scope == "model", "{entry}");
        assert_eq!(
            entry["connectionId"].is_null(),
            scope == "provider-breaker",
            "{entry}"
        );
    }
    let available = listed["available"].as_array().unwrap();
    let has = |model: &str| {
        available
            .iter()
            .any(|one| one["provider"] == "openai" && one["model"] == model)
    };
    assert!(has("gpt-4o-mini") && !has("gpt-4o"), "{available:?}");
    assert!(
        available
            .iter()
            .all(|one| one["provider"] == "openai" && one["connections"] == 1)
    );
}

#[tokio::test]
async fn a_model_is_looked_up_through_combos_and_aliases_on_every_connection() {
    let api = Api::start().await;
    let ids = connect(&api, &["openai", "groq"]).await;
    let combo = json!({ "name": "smart", "models": ["openai/gpt-4o", "groq/llama"] });
    api.post("/api/combos", combo).await.expect(201);
    let alias = json!({ "alias": "fast", "model": "openai/gpt-4o" });
    api.put("/api/models/alias", alias).await.expect(200);
    api.store
        .note_health(&[down(model("openai", &ids[0], "gpt-4o"))])
        .await
        .unwrap();

    let check = async |model: &str| {
        api.post(PATH, json!({ "model": model }))
            .await
            .expect(200)
            .clone()
    };
    for name in ["fast", "openai/gpt-4o", "gpt-4o"] {
        let checked = check(name).await;
        assert_eq!(
            (&checked["model"], &checked["available"], &checked["resolvedTo"]),
            (&json!(name), &json!(false), &json!(["openai/gpt-4o"]))
        );
        let account = &checked["providers"][0];
        assert_eq!(
            (
                &account["connectionId"],
                &account["connectionName"],
                &account["available"],
                &account["reason"]
            ),
            (&json!(ids[0]), &json!("main"), &json!(false), &json!("HTTP 503"))
        );
        assert!(account["remainingMs"].as_u64().unwrap() > 0);
    }
    let smart = check("smart").await;
    assert_eq!(smart["available"], true, "one member is enough");
    assert_eq!(smart["resolvedTo"], json!(["openai/gpt-4o", "groq/llama"]));
    let fine = &smart["providers"][1];
    assert_eq!(
        (&fine["available"], &fine["reason"], &fine["remainingMs"]),
        (&json!(true), &json!(null), &json!(0))
    );
    let unknown = api.post(PATH, json!({ "model": "nobody-knows" })).await;
    unknown.expect_error(404, "MODEL_001");
    assert_eq!(
        api.audited("model.cooldown.cleared").await,
        0,
        "looking is no action"
    );
}

#[tokio::test]
async fn a_cooldown_ends_by_provider_by_model_or_both() {
    let api = Api::start().await;
    let everything = [
        down(model("openai", "c-1", "gpt-4o")),
        down(model("openai", "c-1", "gpt-5")),
        down(model("azure", "c-2", "gpt-4o")),
        down(connection("openai", "c-1")),
        down(provider("openai")),
    ];
    let left = async || api.store.health_since(0).await.unwrap().transitions.len();

    let cases = [
        ("provider=openai&model=gpt-4o", 4),
        ("model=gpt-4o", 3),
        ("provider=openai", 1),
        ("provider=x", 5),
    ];
    for (query, expected) in cases {
        api.store.note_health(&everything).await.unwrap();
        let cleared = api.delete(&format!("{PATH}?{query}")).await;
        let removed = expected < 5;
        assert_eq!(
            cleared.expect(200),
            &json!({ "success": true, "removed": removed })
        );
        assert_eq!(left().await, expected, "{query}");
    }
    api.store.note_health(&everything).await.unwrap();
    let posted = api
        .post(PATH, json!({ "provider": "openai", "model": "gpt-5" }))
        .await;
    assert_eq!(posted.expect(200)["removed"], true);
    assert_eq!(left().await, 4);
    let audit = api
        .get("/api/compliance/audit-log?action=model.cooldown.cleared")
        .await;
    let expected = json!({ "provider": "openai", "model": "gpt-5", "cleared": 1 });
    assert_eq!(audit.expect(200)[0]["details"], expected);
    api.delete(PATH).await.expect_error(400, "VALIDATION_002");
    api.post(PATH, json!({}))
        .await
        .expect_error(400, "VALIDATION_002");
}

#[tokio::test]
async fn a_name_is_looked_up_as_requests_are_routed() {
    let api = Api::start().await;
    let ids = connect(&api, &["openai", "groq"]).await;
    let wildcards = json!({ "wildcardAliases": [{ "pattern": "claude-*", "target": "groq/llama" }] });
    api.patch("/api/settings", wildcards).await.expect(200);
    let chain = json!({ "model": "gpt-4o", "chain": [{ "provider": "groq" }] });
    api.post("/api/fallback/chains", chain).await.expect(200);
    let model = json!({ "provider": "groq", "modelId": "mine" });
    api.post("/api/provider-models", model).await.expect(201);
    let off = json!({ "name": "off", "models": ["openai/gpt-4o"], "isActive": false });
    api.post("/api/combos", off).await.expect(201);

    let resolved = async |name: &str| {
        let checked = api.post(PATH, json!({ "model": name })).await;
        checked.expect(200)["resolvedTo"].clone()
    };
    assert_eq!(resolved("Claude-Opus").await, json!(["groq/llama"]));
    assert_eq!(resolved("gpt-4o").await, json!(["openai/gpt-4o", "groq/gpt-4o"]));
    assert_eq!(resolved("mine").await, json!(["groq/mine"]));
    let switched_off = api.post(PATH, json!({ "model": "off" })).await;
    switched_off.expect_error(404, "MODEL_001");

    // what stands in for a model answers when the model's own provider does not
    api.store
        .note_health(&[down(connection("openai", &ids[0]))])
        .await
        .unwrap();
    let checked = api
        .post(PATH, json!({ "model": "gpt-4o" }))
        .await
        .expect(200)
        .clone();
    let able: Vec<_> = checked["providers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["available"])
        .collect();
    assert_eq!(
        (able, &checked["available"]),
        (vec![&json!(false), &json!(true)], &json!(true))
    );

    let blocked = json!({ "blockedProviders": ["groq"] });
    api.patch("/api/settings", blocked).await.expect(200);
    let checked = api
        .post(PATH, json!({ "model": "groq/llama" }))
        .await
        .expect(200)
        .clone();
    assert_eq!(
        (&checked["available"], &checked["providers"]),
        (&json!(false), &json!([]))
    );
}
