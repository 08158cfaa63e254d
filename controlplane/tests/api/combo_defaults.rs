use serde_json::{Value, json};

use crate::support::Api;

const PATH: &str = "/api/settings/combo-defaults";

fn built_in() -> Value {
    json!({
        "strategy": "priority", "maxRetries": 1, "retryDelayMs": 2000, "timeoutMs": 120_000,
        "healthCheckEnabled": true, "healthCheckTimeoutMs": 3000, "concurrencyPerModel": 3,
        "queueTimeoutMs": 30_000, "maxComboDepth": 3, "trackMetrics": true,
    })
}

async fn stored(api: &Api) -> Value {
    let settings = api.get("/api/settings").await;
    settings.expect(200)["comboDefaults"].clone()
}

#[tokio::test]
async fn defaults_are_what_is_built_in_until_they_are_changed() {
    let api = Api::start().await;
    let before = api.get(PATH).await;
    let expected = json!({ "comboDefaults": built_in(), "providerOverrides": {} });
    assert_eq!(before.expect(200), &expected);

    let put = api
        .put(
            PATH,
            json!({ "comboDefaults": { "strategy": "random", "timeoutMs": 5000 },
                    "providerOverrides": { "ds": { "maxRetries": 0 } } }),
        )
        .await;
    assert_eq!(
        (
            &put.expect(200)["comboDefaults"]["strategy"],
            &put.body["comboDefaults"]["timeoutMs"],
            &put.body["comboDefaults"]["retryDelayMs"]
        ),
        (&json!("random"), &json!(5000), &json!(2000))
    );
    assert_eq!(
        put.body["providerOverrides"],
        json!({ "deepseek": { "maxRetries": 0 } })
    );
    let patch = api
        .patch(
            PATH,
            json!({ "comboDefaults": { "strategy": null, "maxRetries": 4 } }),
        )
        .await;
    assert_eq!(patch.expect(200)["comboDefaults"]["strategy"], "priority");
    let revisions = (put.header("x-config-revision"), patch.header("x-config-revision"));
    assert_ne!(revisions.0, revisions.1);
    assert_eq!(stored(&api).await, json!({ "timeoutMs": 5000, "maxRetries": 4 }));

    let gone = api
        .patch(
            PATH,
            json!({ "providerOverrides": { "deepseek": null, "nobody": null } }),
        )
        .await;
    assert_eq!(gone.expect(200)["providerOverrides"], json!({}));
    assert_eq!(gone.body["comboDefaults"], patch.body["comboDefaults"]);
    let audit = api
        .get("/api/compliance/audit-log?action=settings.comboDefaults.updated")
        .await;
    assert_eq!(audit.expect(200).as_array().unwrap().len(), 3);
    assert_eq!(
        audit.body[0]["details"]["from"]["providerOverrides"],
        json!({ "deepseek": { "maxRetries": 0 } })
    );
}

#[tokio::test]
async fn what_was_read_can_be_written_and_changes_nothing() {
    let api = Api::start().await;
    let read = api.get(PATH).await;
    let written = api.put(PATH, read.expect(200).clone()).await;
    assert_eq!(written.expect(200), read.expect(200));
    assert_eq!(
        stored(&api).await["maxRetries"],
        Value::Null,
        "nobody said how often, and still nobody does"
    );
}

#[tokio::test]
async fn a_new_combo_has_the_strategy_of_the_defaults_unless_it_names_one() {
    let api = Api::start().await;
    api.put(PATH, json!({ "comboDefaults": { "strategy": "least-used" } }))
        .await
        .expect(200);
    let bare = api.post("/api/combos", json!({ "name": "bare" })).await;
    assert_eq!(bare.expect(201)["strategy"], "least-used");
    let own = api
        .post("/api/combos", json!({ "name": "own", "strategy": "random" }))
        .await;
    assert_eq!(own.expect(201)["strategy"], "random");
}

#[tokio::test]
async fn what_is_no_default_is_refused() {
    let api = Api::start().await;
    for (body, field) in [
        (json!({}), ""),
        (
            json!({ "comboDefaults": { "strategy": "best" } }),
            "comboDefaults.strategy",
        ),
        (
            json!({ "comboDefaults": { "maxRetries": 11 } }),
            "comboDefaults.maxRetries",
        ),
        (
            json!({ "comboDefaults": { "timeoutMs": 999 } }),
            "comboDefaults.timeoutMs",
        ),
        (
            json!({ "comboDefaults": { "retries": 1 } }),
            "comboDefaults.retries",
        ),
        (
            json!({ "comboDefaults": { "trackMetrics": "yes" } }),
            "comboDefaults.trackMetrics",
        ),
        (
            json!({ "providerOverrides": { "groq": { "queueTimeoutMs": 99 } } }),
            "providerOverrides.groq.queueTimeoutMs",
        ),
        (
            json!({ "providerOverrides": { "groq": { "strategy": "random" } } }),
            "providerOverrides.groq.strategy",
        ),
        (
            json!({ "providerOverrides": { "nobody": { "maxRetries": 1 } } }),
            "providerOverrides.nobody",
        ),
        (json!({ "overrides": {} }), "overrides"),
    ] {
        for answer in [
            api.put(PATH, body.clone()).await,
            api.patch(PATH, body.clone()).await,
        ] {
            let error = answer.expect_error(400, "VALIDATION_001");
            assert_eq!(error["details"][0]["field"], field, "{body}");
        }
    }
    assert_eq!(api.audited("settings.comboDefaults.updated").await, 0);
}

#[tokio::test]
async fn a_depth_is_no_default_while_a_combo_is_deeper() {
    let api = Api::start().await;
    for (name, models) in [("c", json!([])), ("b", json!(["c"])), ("a", json!(["b"]))] {
        api.post("/api/combos", json!({ "name": name, "models": models }))
            .await
            .expect(201);
    }
    let shallow = json!({ "comboDefaults": { "maxComboDepth": 1 } });
    api.put(PATH, shallow.clone())
        .await
        .expect_error(400, "COMBO_DEPTH");
    let combos = api.get("/api/combos").await;
    let path = format!(
        "/api/combos/{}",
        combos.expect(200)["combos"][0]["id"].as_str().unwrap()
    );
    api.patch(&path, json!({ "config": { "maxComboDepth": 2 } }))
        .await
        .expect(200);
    api.put(PATH, shallow).await.expect(200);
    api.post("/api/combos", json!({ "name": "top", "models": ["b"] }))
        .await
        .expect_error(400, "COMBO_DEPTH");
    api.patch(&path, json!({ "config": { "maxComboDepth": 1 } }))
        .await
        .expect_error(400, "COMBO_DEPTH");
}
