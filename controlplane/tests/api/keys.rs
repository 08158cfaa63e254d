use axum::http::Method;
use serde_json::json;

use crate::support::Api;

const NOBODY: &str = "/api/keys/0190b6a0-0000-7000-8000-000000000000";

#[tokio::test]
async fn a_key_is_shown_once_and_masked_from_then_on() {
    let api = Api::start().await;
    let created = api.post("/api/keys", json!({ "name": "ci" })).await;
    let body = created.expect(201).clone();
    let key = body["key"].as_str().unwrap();
    let parts: Vec<&str> = key.split('-').collect();
    assert_eq!(
        parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
        [2, 16, 8, 32],
        "{key}"
    );
    assert_eq!((parts[0], parts[1]), ("sk", body["machineId"].as_str().unwrap()));
    assert_eq!(body["scopes"], json!(["inference"]));
    assert!(created.header("x-config-revision").parse::<u64>().unwrap() >= 1);

    let path = format!("/api/keys/{}", body["id"].as_str().unwrap());
    let one = api.get(&path).await;
    let mask = format!("{}****{}", &key[..8], &key[key.len() - 4..]);
    assert_eq!(one.expect(200)["key"], mask);
    assert!(one.header("etag").starts_with('"'));
    let all = api.get("/api/keys").await;
    assert_eq!(
        (&all.expect(200)["keys"][0]["key"], &all.body["total"]),
        (&json!(mask), &json!(1))
    );
}

#[tokio::test]
async fn what_a_key_may_be_is_checked() {
    let api = Api::start().await;
    for (body, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "n", "scopes": ["root"] }), "scopes.0"),
        (json!({ "name": "n", "scopes": [] }), "scopes"),
        (
            json!({ "name": "n", "expiresAt": "2020-01-01T00:00:00.000Z" }),
            "expiresAt",
        ),
        (json!({ "name": "n", "expiresAt": "tomorrow" }), "expiresAt"),
        (
            json!({ "name": "n", "rateLimits": [{ "limit": 0, "window": 60 }] }),
            "rateLimits.0.limit",
        ),
        (
            json!({ "name": "n", "allowedConnections": ["x"] }),
            "allowedConnections.0",
        ),
    ] {
        let answer = api.post("/api/keys", body.clone()).await;
        assert_eq!(
            answer.expect_error(400, "VALIDATION_001")["details"][0]["field"],
            field,
            "{body}"
        );
    }
    api.post("/api/keys", json!({}))
        .await
        .expect_error(400, "VALIDATION_002");
    api.get(NOBODY).await.expect_error(404, "RESOURCE_001");
    api.get("/api/keys/not-an-id")
        .await
        .expect_error(404, "RESOURCE_001");
    api.patch(NOBODY, json!({ "name": "n" }))
        .await
        .expect_error(404, "RESOURCE_001");
    api.delete(NOBODY).await.expect_error(404, "RESOURCE_001");
}

#[tokio::test]
async fn get_modify_put_works_and_a_stale_write_is_refused() {
    let api = Api::start().await;
    let id = api
        .post("/api/keys", json!({ "name": "old", "noLog": true }))
        .await
        .expect(201)["id"]
        .clone();
    let path = format!("/api/keys/{}", id.as_str().unwrap());
    let read = api.get(&path).await;
    let mut body = read.expect(200).clone();
    body["name"] = json!("new");
    body["allowedModels"] = json!(["openai/*"]);
    body["expiresAt"] = json!("2999-01-01T00:00:00.000Z");

    let mut put = api.request(Method::PUT, &path, Some(body.clone()));
    put.headers_mut()
        .insert("if-match", read.header("etag").parse().unwrap());
    let answer = api.send(put).await;
    assert_eq!(
        (&answer.expect(200)["name"], &answer.body["allowedModels"]),
        (&json!("new"), &json!(["openai/*"]))
    );
    let after = api.get(&path).await;
    assert_eq!(
        (&after.body["noLog"], &after.body["expiresAt"]),
        (&json!(true), &body["expiresAt"])
    );

    let mut stale = api.request(Method::PUT, &path, Some(json!({ "name": "newer" })));
    stale
        .headers_mut()
        .insert("if-match", read.header("etag").parse().unwrap());
    api.send(stale).await.expect_error(412, "PRECONDITION_001");

    api.patch(&path, json!({ "expiresAt": null })).await.expect(200);
    assert_eq!(api.get(&path).await.body["expiresAt"], json!(null));
}

#[tokio::test]
async fn a_regenerated_a_disabled_and_a_deleted_key_no_longer_open_anything() {
    let api = Api::start().await;
    let created = api
        .post("/api/keys", json!({ "name": "n", "scopes": ["manage"] }))
        .await
        .expect(201)
        .clone();
    let path = format!("/api/keys/{}", created["id"].as_str().unwrap());
    let old = created["key"].as_str().unwrap();
    let opens = |key: String| {
        let api = &api;
        async move { api.with_key(&key, Method::GET, "/api/keys", None).await.status == 200 }
    };
    assert!(opens(old.to_owned()).await);

    let new = api
        .post(&format!("{path}/regenerate"), json!({}))
        .await
        .expect(200)["key"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!opens(old.to_owned()).await && opens(new.clone()).await);
    api.patch(&path, json!({ "isActive": false })).await.expect(200);
    assert!(!opens(new.clone()).await);
    api.patch(&path, json!({ "isActive": true })).await.expect(200);
    assert!(opens(new.clone()).await);
    api.delete(&path).await.expect(200);
    assert!(!opens(new).await);
    assert_eq!(
        (
            api.audited("apiKey.regenerated").await,
            api.audited("apiKey.deleted").await
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_write_can_wait_for_a_fleet_of_nobody() {
    let api = Api::start().await;
    let answer = api
        .post("/api/keys?wait=applied&waitMs=100", json!({ "name": "n" }))
        .await;
    answer.expect(201);
    assert_eq!(answer.header("x-config-applied"), "0/0");
    api.post("/api/keys?wait=applied&waitMs=99", json!({ "name": "n" }))
        .await
        .expect_error(400, "VALIDATION_001");
    api.post("/api/keys?wait=forever", json!({ "name": "n" }))
        .await
        .expect_error(400, "VALIDATION_001");
}
