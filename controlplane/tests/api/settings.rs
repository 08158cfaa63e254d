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
