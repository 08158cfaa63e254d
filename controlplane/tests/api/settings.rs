use serde_json::json;

use crate::support::Api;

#[tokio::test]
async fn settings_merge_and_are_audited_with_old_and_new() {
    let api = Api::start().await;
    let before = api.get("/api/settings").await;
    let defaults = (&json!(false), &json!([]));
    assert_eq!(
        (
            &before.expect(200)["requireAuthForModels"],
            &before.body["blockedProviders"]
        ),
        defaults
    );

    let blocked = api
        .put(
            "/api/settings",
            json!({ "blockedProviders": ["ds", "deepseek", "groq"] }),
        )
        .await;
    assert_eq!(
        blocked.expect(200)["blockedProviders"],
        json!(["deepseek", "groq"])
    );
    let revision: i64 = blocked.header("x-config-revision").parse().unwrap();
    assert_eq!(blocked.body["configRevision"], revision);
    let both = api
        .patch("/api/settings", json!({ "requireAuthForModels": true }))
        .await;
    let expected = (&json!(true), &json!(["deepseek", "groq"]));
    assert_eq!(
        (
            &both.expect(200)["requireAuthForModels"],
            &both.body["blockedProviders"]
        ),
        expected
    );

    let mut whole = both.body.clone();
    whole["requireAuthForModels"] = json!(false);
    api.put("/api/settings", whole).await.expect(200);
    let audit = api.get("/api/compliance/audit-log?action=settings.updated").await;
    assert_eq!(
        audit.expect(200)[0]["details"]["requireAuthForModels"],
        json!({ "from": true, "to": false })
    );

    for body in [
        json!({}),
        json!({ "requireAuthForModels": "yes" }),
        json!({ "blockedProviders": [""] }),
    ] {
        api.put("/api/settings", body)
            .await
            .expect_error(400, "VALIDATION_001");
    }
}

#[tokio::test]
async fn routing_settings_have_defaults_merge_and_are_audited() {
    let api = Api::start().await;
    let before = api.get("/api/settings").await;
    let hedging = json!({ "enabled": false, "maxSharePercent": 5.0, "minDelayMs": 100 });
    for (key, value) in [
        ("fallbackStrategy", json!("fill-first")),
        ("stickyRoundRobinLimit", json!(3)),
        ("wildcardAliases", json!([])),
        ("sessionAffinity", json!(false)),
        ("hedging", hedging.clone()),
    ] {
        assert_eq!(before.expect(200)[key], value, "{key}");
    }

    let aliases = json!([{ "pattern": "claude-*", "target": "openai/gpt-4o" }]);
    let put = api
        .put(
            "/api/settings",
            json!({ "fallbackStrategy": "round-robin", "stickyRoundRobinLimit": 0, "wildcardAliases": aliases,
                    "sessionAffinity": true, "hedging": { "enabled": true } }),
        )
        .await;
    assert_eq!(
        put.expect(200)["hedging"],
        json!({ "enabled": true, "maxSharePercent": 5.0, "minDelayMs": 100 })
    );
    let patch = api
        .patch("/api/settings", json!({ "hedging": { "maxSharePercent": 2.5 } }))
        .await;
    let after = patch.expect(200);
    assert_eq!(
        after["hedging"],
        json!({ "enabled": true, "maxSharePercent": 2.5, "minDelayMs": 100 })
    );
    assert_eq!(
        (
            &after["fallbackStrategy"],
            &after["stickyRoundRobinLimit"],
            &after["wildcardAliases"],
            &after["sessionAffinity"]
        ),
        (&json!("round-robin"), &json!(0), &aliases, &json!(true))
    );
    assert_ne!(put.header("x-config-revision"), patch.header("x-config-revision"));

    let audit = api.get("/api/compliance/audit-log?action=settings.updated").await;
    let details = audit.expect(200)[1]["details"].as_object().unwrap();
    assert_eq!(details.len(), 5, "{details:?}");
    assert_eq!(details["hedging"]["from"], hedging);
    assert_eq!(details["stickyRoundRobinLimit"], json!({ "from": 3, "to": 0 }));

    let whole = api.put("/api/settings", after.clone()).await;
    assert_eq!(
        whole.expect(200)["hedging"],
        after["hedging"],
        "what was read can be written"
    );
    let audit = api.get("/api/compliance/audit-log?action=settings.updated").await;
    assert_eq!(audit.expect(200)[0]["details"], json!({}));
}

#[tokio::test]
async fn every_strategy_is_accepted_and_what_is_no_setting_is_refused() {
    let api = Api::start().await;
    for strategy in [
        "fill-first",
        "round-robin",
        "p2c",
        "random",
        "least-used",
        "cost-optimized",
    ] {
        let body = json!({ "fallbackStrategy": strategy });
        let put = api.put("/api/settings", body).await;
        assert_eq!(put.expect(200)["fallbackStrategy"], strategy);
    }
    let twice =
        json!([{ "pattern": "a-*", "target": "openai/x" }, { "pattern": "A-*", "target": "openai/y" }]);
    for (body, field) in [
        (json!({ "fallbackStrategy": "best" }), "fallbackStrategy"),
        (json!({ "stickyRoundRobinLimit": 1001 }), "stickyRoundRobinLimit"),
        (json!({ "stickyRoundRobinLimit": -1 }), "stickyRoundRobinLimit"),
        (json!({ "stickyRoundRobinLimit": "3" }), "stickyRoundRobinLimit"),
        (json!({ "sessionAffinity": 1 }), "sessionAffinity"),
        (json!({ "wildcardAliases": {} }), "wildcardAliases"),
        (json!({ "wildcardAliases": twice }), "wildcardAliases.1.pattern"),
        (
            json!({ "wildcardAliases": [{ "pattern": "", "target": "openai/x" }] }),
            "wildcardAliases.0.pattern",
        ),
        (
            json!({ "wildcardAliases": [{ "pattern": "x", "target": "nobody/x" }] }),
            "wildcardAliases.0.target",
        ),
        (
            json!({ "hedging": { "maxSharePercent": 51 } }),
            "hedging.maxSharePercent",
        ),
        (
            json!({ "hedging": { "maxSharePercent": 0.25 } }),
            "hedging.maxSharePercent",
        ),
        (
            json!({ "hedging": { "minDelayMs": 60_001 } }),
            "hedging.minDelayMs",
        ),
        (json!({ "hedging": { "share": 1 } }), "hedging.share"),
        (json!({ "hedging": true }), "hedging"),
        (json!({ "theme": "x".repeat(51) }), "theme"),
        (json!({ "theme": "" }), "theme"),
        (json!({ "language": "eleven char" }), "language"),
        (json!({ "instanceName": "x".repeat(101) }), "instanceName"),
        (json!({ "logRetentionDays": 0 }), "logRetentionDays"),
        (json!({ "logRetentionDays": 366 }), "logRetentionDays"),
        (json!({ "requireApiKey": "no" }), "requireApiKey"),
        (json!({ "bruteForceProtection": 0 }), "bruteForceProtection"),
        (json!({ "setupComplete": "yes" }), "setupComplete"),
        (json!({ "corsOrigins": "app.example" }), "corsOrigins"),
        (json!({ "corsOrigins": ["*"] }), "corsOrigins"),
        (json!({ "blockedProviders": ["nobody"] }), "blockedProviders.0"),
        (json!({ "blockedProviders": ["groq", 1] }), "blockedProviders.1"),
        (json!({ "newPassword": "" }), "newPassword"),
        (json!({ "newPassword": "short" }), "newPassword"),
        (json!({ "captureBodies": 1 }), "captureBodies"),
        (json!({ "captureBodiesPercent": 101 }), "captureBodiesPercent"),
        (json!({ "captureBodiesPercent": -1 }), "captureBodiesPercent"),
        (json!({ "bodyRetentionDays": 0 }), "bodyRetentionDays"),
        (json!({ "bodyRetentionDays": 366 }), "bodyRetentionDays"),
        (json!({ "comboDefaults": { "maxRetries": 1 } }), ""),
    ] {
        for answer in [
            api.put("/api/settings", body.clone()).await,
            api.patch("/api/settings", body.clone()).await,
        ] {
            let error = answer.expect_error(400, "VALIDATION_001");
            assert_eq!(error["details"][0]["field"], field, "{body}");
        }
    }
    let refused = api.put("/api/settings", json!({ "colour": "dark" })).await;
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("unknown field `colour`") && message.contains("fallbackStrategy"),
        "{message}"
    );
}

#[tokio::test]
async fn a_wildcard_may_lead_to_a_combo_and_outlive_what_it_leads_to() {
    let api = Api::start().await;
    let alias = json!([{ "pattern": "fast-*", "target": "premium" }]);
    let body = json!({ "wildcardAliases": alias });
    api.put("/api/settings", body.clone())
        .await
        .expect_error(400, "VALIDATION_001");
    api.put(
        "/api/models/alias",
        json!({ "alias": "premium", "model": "openai/gpt-4o" }),
    )
    .await
    .expect(200);
    api.put("/api/settings", body.clone()).await.expect(200);
    api.delete("/api/models/alias?alias=premium").await.expect(200);
    api.put("/api/settings", body).await.expect(200);
}

#[tokio::test]
async fn what_other_paths_stored_is_shown() {
    let api = Api::start().await;
    let before = api.get("/api/settings").await;
    assert!(before.expect(200).get("comboDefaults").is_none());
    api.put(
        "/api/settings/combo-defaults",
        json!({ "comboDefaults": { "maxRetries": 2 }, "providerOverrides": { "groq": { "timeoutMs": 1000 } } }),
    )
    .await
    .expect(200);
    api.put(
        "/api/resilience",
        json!({ "defaults": { "concurrentRequests": 4 } }),
    )
    .await
    .expect(200);
    let after = api.get("/api/settings").await;
    assert_eq!(after.expect(200)["comboDefaults"], json!({ "maxRetries": 2 }));
    assert_eq!(
        after.body["providerOverrides"],
        json!({ "groq": { "timeoutMs": 1000 } })
    );
    assert_eq!(after.body["rateLimitDefaults"]["concurrentRequests"], 4);
}

#[tokio::test]
async fn rules_for_similar_questions_have_a_floor_and_name_a_provider_with_embeddings() {
    let api = Api::start().await;
    let before = api.get("/api/settings").await;
    assert_eq!(before.expect(200)["semanticCacheRules"], json!([]));
    let set = async |rules: serde_json::Value| {
        let body = json!({ "semanticCacheRules": rules });
        api.patch("/api/settings", body).await
    };

    let rule = json!({ "model": "gpt-*", "embeddingModel": "openai/text-embedding-3-small" });
    let set_once = set(json!([rule])).await;
    let stored = json!([{
        "model": "gpt-*", "embeddingModel": "openai/text-embedding-3-small", "threshold": 0.95,
    }]);
    assert_eq!(set_once.expect(200)["semanticCacheRules"], stored);
    assert_eq!(
        set(stored.clone()).await.expect(200)["semanticCacheRules"],
        stored
    );

    let with = |field: &str, value: serde_json::Value| {
        let mut rule = rule.clone();
        rule[field] = value;
        rule
    };
    for (rule, field) in [
        (with("threshold", json!(0.8499)), "semanticCacheRules.0.threshold"),
        (with("threshold", json!(1.01)), "semanticCacheRules.0.threshold"),
        (with("model", json!("")), "semanticCacheRules.0.model"),
        (
            with("embeddingModel", json!("")),
            "semanticCacheRules.0.embeddingModel",
        ),
        (
            with("embeddingModel", json!("nothing")),
            "semanticCacheRules.0.embeddingModel",
        ),
        (
            with("embeddingModel", json!("nobody/e")),
            "semanticCacheRules.0.embeddingModel",
        ),
        (
            with("embeddingModel", json!("anthropic/e")),
            "semanticCacheRules.0.embeddingModel",
        ),
        (with("similarity", json!(1)), ""),
    ] {
        let refused = set(json!([rule])).await;
        let error = refused.expect_error(400, "VALIDATION_001");
        assert!(error.to_string().contains(field), "{rule}: {error}");
    }
    set(json!(vec![rule.clone(); 51]))
        .await
        .expect_error(400, "VALIDATION_001");
    set(json!([
        with("threshold", json!(0.85)),
        with("threshold", json!(1))
    ]))
    .await
    .expect(200);

    // what is gone later does not keep the rest from being changed
    let node = json!({
        "name": "mine", "prefix": "mine", "type": "ollama-compatible", "baseUrl": "http://127.0.0.1:9/",
        "allowPrivateAddress": true,
    });
    let node = api.post("/api/provider-nodes", node).await.expect(201)["node"]["id"].clone();
    let mine = json!([with("embeddingModel", json!("mine/nomic"))]);
    set(mine.clone()).await.expect(200);
    let gone = format!("/api/provider-nodes/{}", node.as_str().unwrap());
    api.delete(&gone).await;
    set(mine).await.expect(200);
    assert_eq!(set(json!([])).await.expect(200)["semanticCacheRules"], json!([]));
}

#[tokio::test]
async fn how_the_dashboard_looks_is_stored_and_goes_to_no_data_plane() {
    let api = Api::start().await;
    let before = api.get("/api/settings").await;
    for (key, value) in [
        ("theme", json!("system")),
        ("language", json!("en")),
        ("instanceName", json!("")),
        ("logRetentionDays", json!(90)),
        ("corsOrigins", json!(null)),
        ("requireApiKey", json!(null)),
        ("bruteForceProtection", json!(true)),
        ("requireLogin", json!(true)),
        ("setupComplete", json!(true)),
    ] {
        assert_eq!(before.expect(200)[key], value, "{key}");
    }
    let look = json!({ "theme": "dark", "language": "de", "instanceName": "Our gateway" });
    let after = api.patch("/api/settings", look.clone()).await;
    for key in ["theme", "language", "instanceName"] {
        assert_eq!(after.expect(200)[key], look[key], "{key}");
    }
    let audit = api.get("/api/compliance/audit-log?action=settings.updated").await;
    assert_eq!(
        audit.expect(200)[0]["details"]["theme"],
        json!({ "from": "system", "to": "dark" })
    );
    api.put("/api/settings", after.body.clone()).await.expect(200);
}

#[tokio::test]
async fn origins_are_stored_as_browsers_write_them_and_taken_back_with_null() {
    let api = Api::start().await;
    for (given, stored) in [
        (
            json!("HTTPS://App.Example:443/, http://localhost:3000"),
            json!("https://app.example,http://localhost:3000"),
        ),
        (json!("*"), json!("*")),
        (json!(null), json!(null)),
        (json!("https://a.example"), json!("https://a.example")),
        (json!(""), json!(null)),
    ] {
        let set = api.patch("/api/settings", json!({ "corsOrigins": given })).await;
        assert_eq!(set.expect(200)["corsOrigins"], stored, "{given}");
        assert_eq!(api.get("/api/settings").await.expect(200)["corsOrigins"], stored);
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from setting where key = 'corsOrigins'")
        .fetch_one(api.db.pool())
        .await
        .unwrap();
    assert_eq!(rows, 0, "what is taken back leaves nothing behind");
}

#[tokio::test]
async fn a_provider_is_blocked_by_any_of_its_names_and_may_be_gone_later() {
    let api = Api::start().await;
    let node = json!({
        "name": "mine", "prefix": "mine", "type": "ollama-compatible", "baseUrl": "http://127.0.0.1:9/",
        "allowPrivateAddress": true,
    });
    let node = api.post("/api/provider-nodes", node).await.expect(201)["node"]["id"].clone();
    let block = async |names: serde_json::Value| {
        let body = json!({ "blockedProviders": names });
        api.put("/api/settings", body).await
    };
    let blocked = block(json!(["mine", "ds", node])).await;
    assert_eq!(blocked.expect(200)["blockedProviders"], json!(["deepseek", node]));

    let unknown = block(json!(["groq", "nobody", "no one"])).await;
    let error = unknown.expect_error(400, "VALIDATION_001");
    assert_eq!(
        (&error["details"][0]["field"], &error["details"][1]["field"]),
        (&json!("blockedProviders.1"), &json!("blockedProviders.2"))
    );

    let gone = format!("/api/provider-nodes/{}", node.as_str().unwrap());
    api.delete(&gone).await;
    assert_eq!(
        block(json!([node])).await.expect(200)["blockedProviders"],
        json!([node])
    );
    block(json!([])).await.expect(200);
    block(json!([node])).await.expect_error(400, "VALIDATION_001");
}
