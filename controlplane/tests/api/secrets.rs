use std::process::Command;

use axum::http::Method;
use serde_json::json;

use crate::support::{API_KEY_SECRET, Api, CLUSTER_SECRET, JWT_SECRET, STORAGE_KEY, provider};

const CANARY: &str = "sk-canary-8f3a1c9e7b5d2046-do-not-leak";

/// A credential, a password and a gateway key go through everything that could repeat them; afterwards they are in no
/// answer but the one that shows the key, in no audit row, and nowhere readable in the database.
#[tokio::test]
async fn a_secret_that_went_in_does_not_come_out() {
    let api = Api::start_with(|config| config.allow_private_provider_urls = true).await;
    let address = provider().await;
    let base = format!("http://{address}/v1");
    let body = json!({ "provider": "openai", "apiKey": CANARY, "name": "n", "providerSpecificData": { "baseUrl": base } });
    let id = api.post("/api/providers", body.clone()).await.expect(201)["connection"]["id"].clone();
    let path = format!("/api/providers/{}", id.as_str().unwrap());
    api.post("/api/providers", body).await.expect(200);
    api.get(&path).await.expect(200);
    api.get("/api/providers").await.expect(200);
    api.patch(&path, json!({ "apiKey": format!("{CANARY}-2") }))
        .await
        .expect(200);
    api.post(&format!("{path}/test"), json!({})).await.expect(200);
    api.get(&format!("{path}/models")).await.expect(502);
    api.post(
        "/api/providers/validate",
        json!({ "provider": "openai", "apiKey": CANARY, "baseUrl": base }),
    )
    .await
    .expect(200);
    api.post(
        "/api/provider-nodes/validate",
        json!({ "apiKey": CANARY, "baseUrl": base }),
    )
    .await
    .expect(200);
    // refusals must not quote what they refuse
    api.post(
        "/api/providers",
        json!({ "provider": "openai", "apiKey": [CANARY], "name": "n" }),
    )
    .await
    .expect(400);
    api.post(
        "/api/providers",
        json!({ "provider": "openai", "apiKey": CANARY, "name": "n", "x": CANARY }),
    )
    .await
    .expect(400);
    api.post("/api/auth/login", json!({ "password": CANARY }))
        .await
        .expect(401);
    api.post("/api/auth/login", json!({ "password": [CANARY] }))
        .await
        .expect(400);

    let first = api.first_run_password.clone().unwrap();
    let change = json!({ "password": format!("{CANARY}-password"), "currentPassword": first });
    let changed = api.post("/api/settings/require-login", change).await;
    api.take_cookie(&changed);
    let before = api.transcript.lock().clone();
    let key = api.key(&["manage"]).await;
    api.with_key(&key, Method::GET, "/api/keys", None)
        .await
        .expect(200);
    api.get("/api/compliance/audit-log?limit=500").await.expect(200);
    api.get("/api/settings").await.expect(200);

    let transcript = api.transcript.lock().clone();
    assert_eq!(transcript.matches(&key).count(), 1, "a key is shown once");
    for secret in [
        CANARY,
        &first,
        JWT_SECRET,
        API_KEY_SECRET,
        STORAGE_KEY,
        CLUSTER_SECRET,
        "$argon2id$",
    ] {
        assert!(!transcript.contains(secret), "an answer holds {secret}: {before}");
    }

    let dump = Command::new("pg_dump")
        .args(["--inserts", &api.database.url])
        .output()
        .unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    assert!(dump.contains("apiKey.created"), "the dump holds the audit trail");
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for secret in [CANARY, &key, &first, JWT_SECRET, API_KEY_SECRET, STORAGE_KEY] {
        assert!(
            !dump.contains(secret) && !dump.contains(&hex(secret)),
            "the database holds {secret}"
        );
    }
}

#[tokio::test]
async fn a_credential_that_does_not_open_is_an_unusable_one() {
    let api = Api::start().await;
    let body = json!({ "provider": "openai", "apiKey": CANARY, "name": "n" });
    let id = api.post("/api/providers", body).await.expect(201)["connection"]["id"].clone();
    sqlx::query("update provider_connection set api_key = set_byte(api_key, 20, get_byte(api_key, 20) # 1)")
        .execute(api.db.pool())
        .await
        .unwrap();
    let path = format!("/api/providers/{}", id.as_str().unwrap());
    let test = api.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(
        (&test.expect(200)["valid"], &test.body["diagnosis"]["type"]),
        (&json!(false), &json!("decrypt_failed"))
    );
    let after = api.get(&path).await.body["connection"].clone();
    assert_eq!(
        (&after["testStatus"], &after["lastErrorType"]),
        (&json!("error"), &json!("decrypt_failed"))
    );
    api.get(&format!("{path}/models"))
        .await
        .expect_error(409, "PROVIDER_005");
}
