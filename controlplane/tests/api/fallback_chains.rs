use axum::http::Method;
use serde_json::json;

use crate::support::Api;

const PATH: &str = "/api/fallback/chains";

#[tokio::test]
async fn a_chain_is_set_in_the_order_of_its_priorities_replaced_and_removed() {
    let api = Api::start().await;
    assert_eq!(api.get(PATH).await.expect(200), &json!({ "chains": {} }));

    let set = api
        .post(
            PATH,
            json!({ "model": " gpt-4o ", "chain": [
                { "provider": "groq", "priority": 2 },
                { "provider": "ds", "priority": 1, "enabled": false },
            ] }),
        )
        .await;
    let chain = json!([
        { "provider": "deepseek", "priority": 1, "enabled": false },
        { "provider": "groq", "priority": 2, "enabled": true },
    ]);
    assert_eq!(
        set.expect(200),
        &json!({ "success": true, "model": "gpt-4o", "chain": chain })
    );
    assert!(set.headers.contains_key("x-config-revision"));
    assert_eq!(
        api.get(PATH).await.expect(200),
        &json!({ "chains": { "gpt-4o": chain } })
    );

    let shorter = json!({ "model": "gpt-4o", "chain": [{ "provider": "openai" }, { "provider": "groq" }] });
    let replaced = api.put(PATH, shorter).await;
    let priorities: Vec<_> = replaced.expect(200)["chain"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| link["priority"].as_u64().unwrap())
        .collect();
    assert_eq!(priorities, [1, 2]);
    let audit = api
        .get("/api/compliance/audit-log?action=model.fallbackChain.set")
        .await;
    assert_eq!(audit.expect(200)[0]["details"]["from"], chain);

    let removed = api.delete("/api/fallback/chains?model=gpt-4o").await;
    assert_eq!(removed.expect(200), &json!({ "success": true, "removed": true }));
    assert!(removed.headers.contains_key("x-config-revision"));
    let request = api.request(Method::DELETE, PATH, Some(json!({ "model": "gpt-4o" })));
    let again = api.send(request).await;
    assert_eq!(again.expect(200)["removed"], false);
    assert!(
        !again.headers.contains_key("x-config-revision"),
        "nothing was written"
    );
    assert_eq!(api.audited("model.fallbackChain.deleted").await, 1);
    assert_eq!(api.get(PATH).await.expect(200), &json!({ "chains": {} }));
}

#[tokio::test]
async fn a_body_names_the_chain_to_remove_as_well_as_the_query() {
    let api = Api::start().await;
    let chain = json!({ "model": "m", "chain": [{ "provider": "openai" }] });
    api.post(PATH, chain).await.expect(200);
    let request = api.request(Method::DELETE, PATH, Some(json!({ "model": "m" })));
    assert_eq!(api.send(request).await.expect(200)["removed"], true);
    api.delete(PATH).await.expect_error(400, "VALIDATION_002");
}

#[tokio::test]
async fn a_node_is_a_link_under_its_prefix() {
    let api = Api::start().await;
    let node = json!({ "name": "vLLM", "prefix": "vllm", "type": "openai-compatible", "apiType": "chat",
                       "baseUrl": "https://vllm.test/v1" });
    let node = api.post("/api/provider-nodes", node).await;
    let id = node.expect(201)["node"]["id"].clone();
    assert!(id.is_string(), "{}", node.body);
    let chain = json!({ "model": "m", "chain": [{ "provider": "vllm" }] });
    let set = api.post(PATH, chain).await;
    assert_eq!(set.expect(200)["chain"][0]["provider"], id);
}

#[tokio::test]
async fn what_a_chain_may_be_is_checked() {
    let api = Api::start().await;
    let many: Vec<_> = (0..33).map(|_| json!({ "provider": "openai" })).collect();
    for (body, field) in [
        (
            json!({ "model": "", "chain": [{ "provider": "openai" }] }),
            "model",
        ),
        (
            json!({ "model": "a\nb", "chain": [{ "provider": "openai" }] }),
            "model",
        ),
        (json!({ "model": "m", "chain": [] }), "chain"),
        (json!({ "model": "m", "chain": many }), "chain"),
        (
            json!({ "model": "m", "chain": [{ "provider": "nobody" }] }),
            "chain.0.provider",
        ),
        (
            json!({ "model": "m", "chain": [{ "provider": "deepseek" }, { "provider": "ds" }] }),
            "chain.1.provider",
        ),
        (
            json!({ "model": "m", "chain": [{ "provider": "openai", "priority": 10_001 }] }),
            "chain.0.priority",
        ),
        (
            json!({ "model": "m", "chain": [{ "provider": "openai", "weight": 1 }] }),
            "chain.0.weight",
        ),
    ] {
        let answer = api.post(PATH, body.clone()).await;
        let error = answer.expect_error(400, "VALIDATION_001");
        assert_eq!(error["details"][0]["field"], field, "{body}");
    }
    for body in [json!({ "model": "m" }), json!({ "chain": [] })] {
        api.post(PATH, body).await.expect_error(400, "VALIDATION_002");
    }
    assert_eq!(api.audited("model.fallbackChain.set").await, 0);
}
