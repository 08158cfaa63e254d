use serde_json::{Value, json};

use crate::support::Api;

const PATH: &str = "/api/provider-models";

async fn node(api: &Api) -> String {
    let node = json!({ "name": "vLLM", "prefix": "vllm", "type": "openai-compatible", "apiType": "chat",
                       "baseUrl": "https://vllm.test/v1" });
    let node = api.post("/api/provider-nodes", node).await;
    node.expect(201)["node"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_model_is_added_once_listed_and_removed() {
    let api = Api::start().await;
    assert_eq!(api.get(PATH).await.expect(200), &json!({ "models": {} }));

    let body =
        json!({ "provider": "ds", "modelId": " my/model ", "modelName": "Mine", "contextWindow": 4096 });
    let added = api.post(PATH, body).await;
    let model = json!({ "id": "my/model", "name": "Mine", "source": "manual", "type": "chat",
                        "contextWindow": 4096 });
    assert_eq!(added.expect(201), &json!({ "model": model }));
    assert!(added.headers.contains_key("x-config-revision"));
    let audit = api
        .get("/api/compliance/audit-log?action=model.custom.added")
        .await;
    assert_eq!(audit.expect(200)[0]["details"], model);

    let other =
        json!({ "provider": "deepseek", "modelId": "my/model", "modelName": "Other", "source": "imported" });
    let again = api.post(PATH, other).await;
    assert_eq!(again.expect(200), &json!({ "model": model }));
    assert!(
        !again.headers.contains_key("x-config-revision"),
        "nothing was written"
    );
    assert_eq!(api.audited("model.custom.added").await, 1);

    assert_eq!(
        api.get(PATH).await.expect(200),
        &json!({ "models": { "deepseek": [model] } })
    );
    for provider in ["ds", "deepseek"] {
        let one = api.get(&format!("{PATH}?provider={provider}")).await;
        assert_eq!(one.expect(200), &json!({ "models": [model] }), "{provider}");
    }
    let none = api.get(&format!("{PATH}?provider=nobody")).await;
    assert_eq!(none.expect(200), &json!({ "models": [] }));

    let delete = format!("{PATH}?provider=ds&model=my/model");
    let removed = api.delete(&delete).await;
    assert_eq!(removed.expect(200), &json!({ "removed": true }));
    assert!(removed.headers.contains_key("x-config-revision"));
    assert_eq!(
        api.delete(&delete).await.expect(200),
        &json!({ "removed": false })
    );
    assert_eq!(api.audited("model.custom.removed").await, 1);
}

#[tokio::test]
async fn what_is_no_model_of_a_provider_is_refused_field_by_field() {
    let api = Api::start().await;
    let unknown = json!({ "provider": "nobody", "modelId": "m" });
    api.post(PATH, unknown).await.expect_error(404, "RESOURCE_001");
    for (body, code, field) in [
        (json!({ "modelId": "m" }), "VALIDATION_002", "provider"),
        (json!({ "provider": "groq" }), "VALIDATION_002", "modelId"),
        (
            json!({ "provider": "groq", "modelId": " " }),
            "VALIDATION_001",
            "modelId",
        ),
        (
            json!({ "provider": "groq", "modelId": "m".repeat(301) }),
            "VALIDATION_001",
            "modelId",
        ),
        (
            json!({ "provider": "groq", "modelId": "../m" }),
            "VALIDATION_001",
            "modelId",
        ),
        (
            json!({ "provider": "groq", "modelId": "m", "source": "found" }),
            "VALIDATION_001",
            "source",
        ),
        (
            json!({ "provider": "groq", "modelId": "m", "type": "video" }),
            "VALIDATION_001",
            "type",
        ),
        (
            json!({ "provider": "groq", "modelId": "m", "contextWindow": 0 }),
            "VALIDATION_001",
            "contextWindow",
        ),
    ] {
        let answer = api.post(PATH, body.clone()).await;
        let error = answer.expect_error(400, code);
        assert_eq!(error["details"][0]["field"], field, "{body}");
    }
    for (query, field) in [
        ("", "provider"),
        ("?provider=groq", "model"),
        ("?model=m", "provider"),
    ] {
        let answer = api.delete(&format!("{PATH}{query}")).await;
        let error = answer.expect_error(400, "VALIDATION_002");
        assert_eq!(error["details"][0]["field"], field, "{query}");
    }
    assert_eq!(api.get(PATH).await.expect(200), &json!({ "models": {} }));
}

#[tokio::test]
async fn the_models_of_a_node_go_with_it() {
    let api = Api::start().await;
    let id = node(&api).await;
    for provider in ["vllm", &id] {
        let model = json!({ "provider": provider, "modelId": format!("for-{provider}") });
        api.post(PATH, model).await.expect(201);
    }
    let listed = api.get(PATH).await.expect(200)["models"][&id].clone();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    api.delete(&format!("/api/provider-nodes/{id}")).await.expect(200);
    assert_eq!(api.get(PATH).await.expect(200), &json!({ "models": {} }));
}

#[tokio::test]
async fn the_catalogue_shows_what_was_added_and_narrows_to_what_is_asked_for() {
    let api = Api::start().await;
    let id = node(&api).await;
    let known = llm::providers::find("groq").unwrap().models[0].id;
    for model in [
        json!({ "provider": "groq", "modelId": "by-hand" }),
        json!({ "provider": "groq", "modelId": "found", "source": "imported" }),
        json!({ "provider": "groq", "modelId": known }),
        json!({ "provider": id, "modelId": "vectors", "type": "embedding", "modelName": "Vectors" }),
    ] {
        api.post(PATH, model).await.expect(201);
    }
    let catalog = async |query: &str| {
        let answer = api.get(&format!("/api/models/catalog{query}")).await;
        answer.expect(200)["catalog"].clone()
    };
    let whole = catalog("").await;
    let custom = |id: &str| {
        let models = whole["groq"]["models"].as_array().unwrap();
        let found: Vec<&Value> = models.iter().filter(|model| model["id"] == id).collect();
        assert_eq!(found.len(), 1, "{id}");
        found[0]["custom"].as_bool().unwrap()
    };
    assert!(custom("groq/by-hand"));
    assert!(!custom("groq/found"));
    assert!(!custom(&format!("groq/{known}")));
    let vectors = json!([{ "id": "vllm/vectors", "name": "Vectors", "type": "embedding", "custom": true }]);
    assert_eq!(whole["vllm"]["models"], vectors);

    let prefixes = |catalog: &Value| catalog.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(prefixes(&catalog("?type=embedding").await), ["vllm"]);
    assert_eq!(prefixes(&catalog("?provider=deepseek").await), ["ds"]);
    assert_eq!(prefixes(&catalog(&format!("?provider={id}")).await), ["vllm"]);
    assert_eq!(prefixes(&catalog("?active=true").await), Vec::<String>::new());
    assert_eq!(catalog("?active=false").await, whole);
    api.get("/api/models/catalog?type=video")
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn a_bare_custom_model_is_a_known_member_of_a_combo() {
    let api = Api::start().await;
    let warned = async |name: &str| {
        let combo = json!({ "name": name, "models": ["my-own-model"] });
        let answer = api.post("/api/combos", combo).await;
        answer.expect(201)["warnings"].is_array()
    };
    assert!(warned("before").await);
    let model = json!({ "provider": "groq", "modelId": "my-own-model" });
    api.post(PATH, model).await.expect(201);
    assert!(!warned("after").await);
}
