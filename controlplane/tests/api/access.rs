//! The settings that decide who gets in.

use std::sync::Arc;

use axum::http::Method;
use serde_json::json;

use crate::support::{Api, Database};

const PATH: &str = "/api/settings";

#[tokio::test]
async fn what_takes_a_person_is_refused_to_keys_and_tokens_which_may_send_back_what_they_read() {
    let api = Api::start().await;
    let token = json!({ "name": "t", "scopes": ["settings:write"] });
    let token = api.post("/api/tokens", token).await.expect(201)["token"].clone();
    let programs = [api.key(&["manage"]).await, token.as_str().unwrap().to_owned()];
    let password = api.first_run_password.clone().unwrap();
    for program in &programs {
        for body in [
            json!({ "newPassword": "a new password" }),
            json!({ "newPassword": "a new password", "currentPassword": password }),
            json!({ "requireLogin": false, "currentPassword": password }),
            json!({ "requireLogin": false }),
            json!({ "requireApiKey": false }),
            json!({ "requireApiKey": true }),
            json!({ "bruteForceProtection": false, "theme": "dark" }),
        ] {
            let refused = api.with_key(program, Method::PUT, PATH, Some(body.clone())).await;
            refused.expect_error(403, "AUTH_004");
        }
        let read = api.with_key(program, Method::GET, PATH, None).await;
        let mut whole = read.expect(200).clone();
        whole["theme"] = json!(format!("of {}", &program[..4]));
        let put = api
            .with_key(program, Method::PUT, PATH, Some(whole.clone()))
            .await;
        assert_eq!(put.expect(200)["theme"], whole["theme"]);
    }
    assert_eq!(api.audited("auth.denied").await, 14);
    let after = api.get(PATH).await;
    assert_eq!(
        (
            &after.expect(200)["requireApiKey"],
            &after.body["bruteForceProtection"]
        ),
        (&json!(null), &json!(true))
    );
    for required in [json!(false), json!(true), json!(null)] {
        let put = api.patch(PATH, json!({ "requireApiKey": required })).await;
        assert_eq!(put.expect(200)["requireApiKey"], required);
    }
    let audit = api.get("/api/compliance/audit-log?action=settings.updated").await;
    assert_eq!(
        audit.expect(200)[0]["details"],
        json!({ "requireApiKey": { "from": true, "to": null } })
    );
}

#[tokio::test]
async fn the_password_is_changed_with_the_settings_and_shown_to_nobody() {
    let api = Api::start().await;
    let first = api.first_run_password.clone().unwrap();
    let other = api.for_client_at("127.0.0.1:50001");
    other.log_in(&first).await;

    let without = api.patch(PATH, json!({ "newPassword": "a new password" })).await;
    assert_eq!(
        without.expect_error(400, "VALIDATION_002")["details"][0]["field"],
        "currentPassword"
    );
    let wrong = json!({ "newPassword": "a new password", "currentPassword": "wrong", "theme": "dark" });
    api.put(PATH, wrong).await.expect_error(401, "AUTH_002");
    assert_eq!(
        api.get(PATH).await.expect(200)["theme"],
        "system",
        "all of it or nothing"
    );

    let right = json!({ "newPassword": "a new password", "currentPassword": first, "theme": "dark" });
    let changed = api.put(PATH, right).await;
    assert_eq!(changed.expect(200)["theme"], "dark");
    for ended in [&other, &api] {
        ended.get("/api/keys").await.expect_error(401, "AUTH_003");
    }
    api.take_cookie(&changed);
    other.log_in("a new password").await;
    assert_eq!(api.audited("auth.password.changed").await, 1);
    let audit = api.get("/api/compliance/audit-log?action=settings.updated").await;
    assert_eq!(
        audit.expect(200)[0]["details"],
        json!({ "newPassword": { "changed": true }, "theme": { "from": "system", "to": "dark" } })
    );
    let transcript = api.transcript.lock();
    assert!(!transcript.contains("a new password") && !transcript.contains("argon2"));
}

#[tokio::test]
async fn login_is_switched_off_with_the_settings_under_the_rules_of_the_login_itself() {
    let exposed = Api::start_logged_out(Arc::new(Database::create().await), 1, "0.0.0.0:20128", |_| {}).await;
    let password = exposed.first_run_password.clone().unwrap();
    exposed.log_in(&password).await;
    exposed
        .put(
            PATH,
            json!({ "requireLogin": false, "currentPassword": password }),
        )
        .await
        .expect_error(409, "RESOURCE_002");

    let local = Api::start().await;
    let password = local.first_run_password.clone().unwrap();
    local
        .put(PATH, json!({ "requireLogin": false }))
        .await
        .expect_error(400, "VALIDATION_002");
    let off = json!({ "requireLogin": false, "currentPassword": password });
    assert_eq!(local.put(PATH, off).await.expect(200)["requireLogin"], false);
    *local.cookie.lock() = None;
    let whole = local.get(PATH).await.expect(200).clone();
    local.put(PATH, whole).await.expect(200);
    let on = local.patch(PATH, json!({ "requireLogin": true })).await;
    assert_eq!(on.expect(200)["requireLogin"], true);
    local.get(PATH).await.expect_error(401, "AUTH_001");
}

#[tokio::test]
async fn without_its_guard_a_login_fails_as_often_as_it_likes_and_is_counted_anew_with_it() {
    let api = Api::start().await;
    let password = api.first_run_password.clone().unwrap();
    let guard = async |on: bool| {
        let set = api.patch(PATH, json!({ "bruteForceProtection": on })).await;
        assert_eq!(set.expect(200)["bruteForceProtection"], on);
    };
    let stranger = api.for_client_at("192.0.2.7:50000");
    let fail = async |times: usize| {
        for _ in 0..times {
            stranger
                .post("/api/auth/login", json!({ "password": "wrong" }))
                .await
                .expect_error(401, "AUTH_002");
        }
    };
    guard(false).await;
    fail(7).await;
    stranger.log_in(&password).await;
    guard(true).await;
    fail(5).await;
    let right = json!({ "password": password });
    stranger
        .post("/api/auth/login", right.clone())
        .await
        .expect_error(429, "AUTH_005");
    guard(false).await;
    stranger.post("/api/auth/login", right).await.expect(200);
}

#[tokio::test]
async fn whether_the_first_steps_are_over_is_said_once_and_shown_everywhere() {
    let api = Api::start().await;
    for complete in [false, true] {
        let put = api.patch(PATH, json!({ "setupComplete": complete })).await;
        assert_eq!(put.expect(200)["setupComplete"], complete);
        for path in ["/api/init", "/api/settings/require-login", PATH] {
            assert_eq!(
                api.get(path).await.expect(200)["setupComplete"],
                complete,
                "{path}"
            );
        }
    }
    sqlx::query("update account set password_hash = null")
        .execute(api.db.pool())
        .await
        .unwrap();
    assert_eq!(
        api.get("/api/init").await.expect(200)["setupComplete"],
        false,
        "nobody can log in"
    );
}
