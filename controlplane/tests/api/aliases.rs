use serde_json::json;

use crate::support::Api;

const PATH: &str = "/api/models/alias";

#[tokio::test]
async fn an_alias_is_set_replaced_resolved_and_removed() {
    let api = Api::start().await;
    let set = api
        .put(
            PATH,
            json!({ "alias": "fast", "model": "groq/llama-3.3-70b-versatile" }),
        )
        .await;
    let expected = json!({ "success": true, "model": "groq/llama-3.3-70b-versatile", "alias": "fast" });
    assert_eq!(set.expect(200), &expected);
    assert!(set.headers.contains_key("x-config-revision"));
    let again = api
        .post(PATH, json!({ "alias": "fast", "model": "openai/gpt-4o" }))
        .await;
    assert_eq!(again.expect(200)["previous"], "groq/llama-3.3-70b-versatile");
    api.put(PATH, json!({ "alias": "faster", "model": "fast" }))
        .await
        .expect(200);

    let all = json!({ "aliases": { "fast": "openai/gpt-4o", "faster": "fast" } });
    assert_eq!(api.get(PATH).await.expect(200), &all);
    let one = api.get("/api/models/alias?alias=faster").await;
    assert_eq!(
        one.expect(200)["resolved"],
        json!({ "provider": "openai", "model": "gpt-4o" })
    );
    api.get("/api/models/alias?alias=none")
        .await
        .expect_error(404, "RESOURCE_001");

    assert_eq!(
        api.delete("/api/models/alias?alias=faster").await.expect(200)["removed"],
        true
    );
    let nothing = api.delete("/api/models/alias?alias=faster").await;
    assert_eq!(nothing.expect(200)["removed"], false);
    assert!(
        !nothing.headers.contains_key("x-config-revision"),
        "nothing was written"
    );
    api.delete(PATH).await.expect_error(400, "VALIDATION_002");
    assert_eq!(
        (
            api.audited("model.alias.set").await,
            api.audited("model.alias.deleted").await
        ),
        (3, 1)
    );
}

#[tokio::test]
async fn an_alias_leads_somewhere_and_not_in_a_circle() {
    let api = Api::start().await;
    for (alias, model) in [
        ("with/slash", "openai/gpt-4o"),
        ("a", "nobody/model"),
        ("a", "a"),
        ("a", "no-such-name"),
        ("a", ""),
    ] {
        api.put(PATH, json!({ "alias": alias, "model": model }))
            .await
            .expect_error(400, "VALIDATION_001");
    }
    api.put(PATH, json!({ "alias": "a", "model": "openai/gpt-4o" }))
        .await
        .expect(200);
    api.put(PATH, json!({ "alias": "b", "model": "a" }))
        .await
        .expect(200);
    api.put(PATH, json!({ "alias": "a", "model": "b" }))
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn an_alias_may_not_take_the_name_of_a_combo() {
    let api = Api::start().await;
    api.post("/api/combos", json!({ "name": "premium" }))
        .await
        .expect(201);
    api.put(PATH, json!({ "alias": "premium", "model": "openai/gpt-4o" }))
        .await
        .expect_error(409, "RESOURCE_002");
    api.put(PATH, json!({ "alias": "best", "model": "premium" }))
        .await
        .expect(200);
    let resolved = api.get("/api/models/alias?alias=best").await;
    assert_eq!(resolved.expect(200)["resolved"], json!({ "combo": "premium" }));
}
