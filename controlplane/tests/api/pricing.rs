use axum::http::Method;
use serde_json::json;

use crate::support::Api;

const PATH: &str = "/api/pricing";

#[tokio::test]
async fn what_an_operator_says_lies_over_the_built_in_list_field_by_field() {
    let api = Api::start().await;
    let before = api.get(PATH).await.expect(200).clone();
    assert_eq!(&before, api.get("/api/pricing/defaults").await.expect(200));
    let listed = before["openai"]["gpt-4o"].clone();
    assert_eq!(listed["input"], 2.5);

    let set = api
        .send(api.request(
            Method::PATCH,
            PATH,
            Some(json!({ "openai": { "gpt-4o": { "input": 1.25, "cached": 0 } } })),
        ))
        .await;
    let after = &set.expect(200)["openai"]["gpt-4o"];
    assert_eq!((&after["input"], &after["cached"]), (&json!(1.25), &json!(0)));
    assert_eq!(after["output"], listed["output"]);
    assert!(set.headers.contains_key("x-config-revision"));

    let sources = api.get("/api/pricing?source=true").await;
    let sources = &sources.expect(200)["openai"]["gpt-4o"];
    assert_eq!(sources["input"], json!({ "value": 1.25, "source": "override" }));
    assert_eq!(
        sources["output"],
        json!({ "value": listed["output"], "source": "default" })
    );

    // the next change of the same model keeps what it does not name, and null goes back
    let body = json!({ "openai": { "gpt-4o": { "output": 3, "cached": null } } });
    let again = api.put(PATH, body).await;
    let again = &again.expect(200)["openai"]["gpt-4o"];
    assert_eq!((&again["input"], &again["output"]), (&json!(1.25), &json!(3)));
    assert_eq!(again["cached"], listed["cached"]);

    let reset = api.delete("/api/pricing?provider=openai&model=gpt-4o").await;
    assert_eq!(reset.expect(200), &before);
    let nothing = api.delete(PATH).await;
    assert_eq!(nothing.expect(200), &before);
    assert!(
        !nothing.headers.contains_key("x-config-revision"),
        "nothing was written"
    );
    assert_eq!(api.audited("pricing.updated").await, 2);
    assert_eq!(api.audited("pricing.reset").await, 1);
}

#[tokio::test]
async fn a_model_that_nobody_lists_needs_the_two_amounts_that_nothing_stands_in_for() {
    let api = Api::start().await;
    let node = json!({ "name": "vLLM", "prefix": "vllm", "type": "openai-compatible", "apiType": "chat",
                       "baseUrl": "https://vllm.test/v1" });
    api.post("/api/provider-nodes", node).await.expect(201);
    let half = api.put(PATH, json!({ "vllm": { "mine": { "input": 1 } } })).await;
    half.expect_error(400, "VALIDATION_001");
    assert_eq!(half.body["error"]["details"][0]["field"], "vllm.mine");

    let whole = api
        .put(PATH, json!({ "vllm": { "mine": { "input": 1, "output": 2 } } }))
        .await;
    assert_eq!(
        whole.expect(200)["vllm"]["mine"],
        json!({ "input": 1, "output": 2, "cached": 1, "reasoning": 2, "cache_creation": 1 })
    );
}

#[tokio::test]
async fn what_is_not_counted_in_tokens_has_a_price_of_its_own() {
    let api = Api::start().await;
    let before = api.get(PATH).await.expect(200).clone();
    assert_eq!(before["openai"]["whisper-1"], json!({ "audio_minute": 0.006 }));
    assert_eq!(
        before["openai"]["dall-e-3#hd#1792x1024"],
        json!({ "image": 0.12 })
    );
    assert_eq!(before["cohere"]["rerank-v3.5"], json!({ "search": 0.002 }));

    // it needs no price of tokens beside it, and stands beside one
    let body = json!({ "openai": { "tts-1": { "characters": 12 }, "gpt-image-1#high": { "image": 0.2 },
                                   "gpt-image-1": { "image": 0.1 } } });
    let set = api.put(PATH, body).await;
    let after = &set.expect(200)["openai"];
    assert_eq!(after["tts-1"], json!({ "characters": 12 }));
    assert_eq!(after["gpt-image-1#high"], json!({ "image": 0.2 }));
    assert_eq!(
        (&after["gpt-image-1"]["image"], &after["gpt-image-1"]["output"]),
        (&json!(0.1), &json!(40))
    );
    let sources = api.get("/api/pricing?source=true").await;
    let tts = &sources.expect(200)["openai"]["tts-1"];
    assert_eq!(
        *tts,
        json!({ "characters": { "value": 12, "source": "override" } })
    );

    let half = json!({ "openai": { "tts-1": { "input": 1 } } });
    let refused = api.put(PATH, half).await;
    refused.expect_error(400, "VALIDATION_001");
    assert_eq!(refused.body["error"]["details"][0]["field"], "openai.tts-1");

    api.put(PATH, json!({ "openai": { "tts-1": { "characters": null } } }))
        .await
        .expect(200);
    let reset = api.delete("/api/pricing?provider=openai").await;
    assert_eq!(reset.expect(200), &before);
}

#[tokio::test]
async fn what_is_no_price_is_refused_with_its_place() {
    let api = Api::start().await;
    for (body, field) in [
        (
            json!({ "openai": { "gpt-4o": { "input": -1 } } }),
            "openai.gpt-4o.input",
        ),
        (
            json!({ "openai": { "gpt-4o": { "output": 100_001 } } }),
            "openai.gpt-4o.output",
        ),
        (json!({ "nowhere": { "gpt-4o": { "input": 1 } } }), "nowhere"),
        (json!({}), ""),
    ] {
        let refused = api.put(PATH, body).await;
        refused.expect_error(400, "VALIDATION_001");
        assert_eq!(refused.body["error"]["details"][0]["field"], field);
    }
    let unknown = api
        .put(PATH, json!({ "openai": { "gpt-4o": { "inputt": 1 } } }))
        .await;
    assert_eq!(unknown.status, 400);
    let text = api
        .put(PATH, json!({ "openai": { "gpt-4o": { "input": "1" } } }))
        .await;
    assert_eq!(text.status, 400);
    let model = api.delete("/api/pricing?model=gpt-4o").await;
    model.expect_error(400, "VALIDATION_001");
    assert_eq!(model.body["error"]["details"][0]["field"], "provider");
}

#[tokio::test]
async fn models_that_can_have_a_price_are_listed_with_their_providers() {
    let api = Api::start().await;
    let models = api.get("/api/pricing/models").await;
    let openai = &models.expect(200)["openai"];
    assert_eq!(
        (&openai["id"], &openai["authType"]),
        (&json!("openai"), &json!("apikey"))
    );
    let count = openai["models"].as_array().unwrap().len();
    assert_eq!(openai["modelCount"], count);
    assert!(count > 0);
    assert_eq!(openai["models"][0]["custom"], false);
    let ids = openai["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| &model["id"]);
    assert!(ids.into_iter().any(|id| id == "whisper-1"), "{openai}");
}
