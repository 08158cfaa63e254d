use serde_json::json;

use crate::support::Api;

const PROMPT: &str = "/api/settings/system-prompt";
const THINKING: &str = "/api/settings/thinking-budget";

#[tokio::test]
async fn a_system_prompt_is_merged_and_its_text_stays_out_of_the_audit_log() {
    let api = Api::start().await;
    let before = api.get(PROMPT).await;
    assert_eq!(before.expect(200), &json!({ "enabled": false, "prompt": "" }));

    let set = api.put(PROMPT, json!({ "prompt": "Answer in French." })).await;
    assert_eq!(
        set.expect(200),
        &json!({ "enabled": false, "prompt": "Answer in French." })
    );
    let on = api.patch(PROMPT, json!({ "enabled": true })).await;
    assert_eq!(
        on.expect(200),
        &json!({ "enabled": true, "prompt": "Answer in French." })
    );
    let revisions = (set.header("x-config-revision"), on.header("x-config-revision"));
    assert_ne!(revisions.0, revisions.1);
    assert_eq!(api.get(PROMPT).await.expect(200), on.expect(200));

    let audit = api
        .get("/api/compliance/audit-log?action=settings.systemPrompt.updated")
        .await;
    let details = &audit.expect(200)[0]["details"];
    assert_eq!(
        (&details["enabled"], &details["length"]),
        (&json!(true), &json!(17))
    );
    assert_eq!(details["sha256"].as_str().unwrap().len(), 64);
    assert!(!audit.body.to_string().contains("French"));

    let cleared = api.put(PROMPT, json!({ "prompt": "" })).await;
    assert_eq!(cleared.expect(200), &json!({ "enabled": true, "prompt": "" }));
}

#[tokio::test]
async fn a_thinking_budget_is_merged_and_audited_with_old_and_new() {
    let api = Api::start().await;
    let defaults = json!({ "mode": "passthrough", "customBudget": 10240, "effortLevel": "medium" });
    assert_eq!(api.get(THINKING).await.expect(200), &defaults);

    let custom = api
        .put(THINKING, json!({ "mode": "custom", "customBudget": "4096" }))
        .await;
    let expected = json!({ "mode": "custom", "customBudget": 4096, "effortLevel": "medium" });
    assert_eq!(custom.expect(200), &expected);
    let level = api.patch(THINKING, json!({ "effortLevel": "high" })).await;
    let after = json!({ "mode": "custom", "customBudget": 4096, "effortLevel": "high" });
    assert_eq!(level.expect(200), &after);
    assert_eq!(api.get(THINKING).await.expect(200), &after);

    let audit = api
        .get("/api/compliance/audit-log?action=settings.thinkingBudget.updated")
        .await;
    assert_eq!(
        audit.expect(200)[0]["details"],
        json!({ "from": expected, "to": after })
    );
    let whole = api.put(THINKING, level.body.clone()).await;
    assert_eq!(whole.expect(200), &after, "what was read can be written");
}

#[tokio::test]
async fn what_is_no_setting_is_refused() {
    let api = Api::start().await;
    let cases = [
        (PROMPT, json!({})),
        (PROMPT, json!({ "prompt": 7 })),
        (PROMPT, json!({ "enabled": "yes" })),
        (PROMPT, json!({ "prompt": "x".repeat(50_001) })),
        (PROMPT, json!({ "prompt": "x", "position": "append" })),
        (THINKING, json!({})),
        (THINKING, json!({ "mode": "sometimes" })),
        (THINKING, json!({ "customBudget": -1 })),
        (THINKING, json!({ "customBudget": 131_073 })),
        (THINKING, json!({ "customBudget": 1.5 })),
        (THINKING, json!({ "customBudget": "many" })),
        (THINKING, json!({ "effortLevel": "max" })),
        (THINKING, json!({ "mode": "auto", "budget": 1 })),
    ];
    for (path, body) in cases {
        api.put(path, body).await.expect_error(400, "VALIDATION_001");
    }
    assert_eq!(api.get(PROMPT).await.expect(200)["prompt"], "");
    assert_eq!(api.get(THINKING).await.expect(200)["mode"], "passthrough");
}
