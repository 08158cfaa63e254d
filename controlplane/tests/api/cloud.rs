use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    support::{Answer, Api},
    sync::{account, tokens},
};

async fn call(api: &Api, key: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    api.with_key(key, method, &format!("/api/cloud/{path}"), body)
        .await
}

#[tokio::test]
async fn a_gateway_in_the_cloud_sees_active_accounts_and_no_secret() {
    let api = Api::start().await;
    let body = json!({ "provider": "openai", "apiKey": "sk-upstream-secret-1234", "name": "n" });
    api.post("/api/providers", body).await.expect(201);
    let off = json!({ "provider": "openai", "apiKey": "sk-upstream-secret-5678", "name": "off", "isActive": false });
    api.post("/api/providers", off).await.expect(201);
    account(&api, "claude").await;
    let alias = json!({ "alias": "fast", "model": "openai/gpt-4o" });
    api.post("/api/models/alias", alias).await.expect(200);

    let key = api.key(&["cloud"]).await;
    let answer = call(&api, &key, Method::POST, "auth", None).await;
    let seen = answer.expect(200);
    assert_eq!(seen["modelAliases"], json!({ "fast": "openai/gpt-4o" }));
    let [claude, openai] = &seen["connections"].as_array().unwrap()[..] else {
        panic!("{seen}");
    };
    assert_eq!(
        (
            &claude["provider"],
            &claude["hasAccessToken"],
            &claude["hasRefreshToken"]
        ),
        (&json!("claude"), &json!(true), &json!(true))
    );
    assert_eq!(
        (&openai["hasApiKey"], &openai["maskedApiKey"], &openai["isActive"]),
        (&json!(true), &json!("sk-u****1234"), &json!(true))
    );
    assert!(!seen.to_string().contains("upstream-secret"));

    let other = api.key(&["inference", "read"]).await;
    call(&api, &other, Method::POST, "auth", None)
        .await
        .expect_error(403, "AUTH_004");
    // and it opens nothing else
    api.with_key(&key, Method::GET, "/api/providers", None)
        .await
        .expect_error(403, "AUTH_004");
}

#[tokio::test]
async fn new_tokens_go_to_the_one_account_that_is_meant() {
    let api = Api::start().await;
    let key = api.key(&["cloud"]).await;
    let update = async |body: Value| {
        let path = "credentials/update";
        call(&api, &key, Method::PUT, path, Some(body)).await
    };
    let credentials = json!({ "accessToken": "access-2", "expiresIn": 7200 });
    let body = json!({ "provider": "claude", "credentials": credentials });
    update(body.clone()).await.expect_error(404, "RESOURCE_001");

    let one = account(&api, "claude").await;
    update(body.clone()).await.expect(200);
    let kept = ("access-2".to_owned(), "refresh-1".to_owned());
    assert_eq!(tokens(&api, one).await, kept, "what is not sent stays as it is");
    let in_an_hour_and_a_half: bool = sqlx::query_scalar(
        "select token_expires_at > now() + interval '90 minutes' from provider_connection where id = $1",
    )
    .bind(one)
    .fetch_one(api.db.pool())
    .await
    .unwrap();
    assert!(in_an_hour_and_a_half);

    let two = account(&api, "claude").await;
    update(body).await.expect_error(400, "VALIDATION_001");
    let body =
        json!({ "provider": "claude", "connectionId": two, "credentials": { "refreshToken": "refresh-2" } });
    update(body).await.expect(200);
    assert_eq!(
        tokens(&api, two).await,
        ("access-1".to_owned(), "refresh-2".to_owned())
    );

    for wrong in [
        json!({ "provider": "claude", "credentials": {} }),
        json!({ "provider": "claude", "credentials": { "accessToken": "a\nb" } }),
        json!({ "provider": "claude", "credentials": { "accessToken": "a", "expiresIn": 0 } }),
    ] {
        update(wrong).await.expect_error(400, "VALIDATION_001");
    }
    assert_eq!(api.audited("cloud.credentials.updated").await, 2);
    let audit = api
        .get("/api/compliance/audit-log?action=cloud.credentials.updated")
        .await;
    assert!(
        audit.expect(200)[0]["actor"]
            .as_str()
            .unwrap()
            .starts_with("key:")
    );
    assert!(!audit.body.to_string().contains("refresh-2"));
}

#[tokio::test]
async fn names_of_models_are_read_resolved_and_set_where_they_are_free() {
    let api = Api::start().await;
    let key = api.key(&["cloud"]).await;
    let set = async |alias: &str, model: &str| {
        let body = json!({ "alias": alias, "model": model });
        call(&api, &key, Method::PUT, "models/alias", Some(body)).await
    };
    let resolve = async |alias: &str| {
        let body = json!({ "alias": alias });
        call(&api, &key, Method::POST, "model/resolve", Some(body)).await
    };
    set("fast", "openai/gpt-4o").await.expect(200);
    set("fast", "openai/gpt-4o").await.expect(200);
    set("fast", "openai/gpt-5")
        .await
        .expect_error(409, "RESOURCE_002");
    set("broken", "nobody").await.expect_error(400, "VALIDATION_001");
    let all = call(&api, &key, Method::GET, "models/alias", None).await;
    assert_eq!(
        all.expect(200),
        &json!({ "aliases": { "fast": "openai/gpt-4o" } })
    );
    let expected = json!({ "alias": "fast", "provider": "openai", "model": "gpt-4o" });
    assert_eq!(resolve("fast").await.expect(200), &expected);
    resolve("slow").await.expect_error(404, "RESOURCE_001");
}
