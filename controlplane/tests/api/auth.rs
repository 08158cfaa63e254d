use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::support::{Api, Database};

#[tokio::test]
async fn the_first_password_is_handed_out_once_and_only_its_hash_is_kept() {
    let database = Arc::new(Database::create().await);
    let api = Api::start_on(Arc::clone(&database), 1, |_| {}).await;
    let password = api
        .first_run_password
        .clone()
        .expect("a new installation draws a password");
    assert_eq!(
        api.get("/api/auth/status").await.expect(200)["authenticated"],
        true
    );

    let hash: String = sqlx::query_scalar("select password_hash from account")
        .fetch_one(api.db.pool())
        .await
        .unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !hash.contains(&password));

    let again = Api::start_logged_out(database, 1, "127.0.0.1:20128", |_| {}).await;
    assert_eq!(again.first_run_password, None);
    again.log_in(&password).await;
}

#[tokio::test]
async fn of_replicas_that_start_together_one_draws_the_password() {
    let database = Arc::new(Database::create().await);
    let starts = (0..4).map(|_| Api::start_logged_out(Arc::clone(&database), 2, "127.0.0.1:20128", |_| {}));
    let replicas = futures::future::join_all(starts).await;
    let passwords: Vec<_> = replicas
        .iter()
        .filter_map(|api| api.first_run_password.clone())
        .collect();
    assert_eq!(passwords.len(), 1);
    replicas[3].log_in(&passwords[0]).await;
}

#[tokio::test]
async fn an_initial_password_logs_in_and_its_hash_is_kept_from_then_on() {
    let initial = |config: &mut controlplane::config::ApiConfig| {
        config.initial_password = Some("correct horse battery".to_owned().into());
    };
    let api = Api::start_with(initial).await;
    assert_eq!(api.first_run_password, None);
    assert_eq!(api.get("/api/init").await.expect(200)["needsPassword"], false);
    api.log_in("correct horse battery").await;
    let hashes: i64 = sqlx::query_scalar("select count(*) from account where password_hash is not null")
        .fetch_one(api.db.pool())
        .await
        .unwrap();
    assert_eq!(hashes, 1);
}

#[tokio::test]
async fn a_login_sets_a_cookie_that_ends_with_the_logout() {
    let api = Api::start_logged_out(Arc::new(Database::create().await), 1, "127.0.0.1:20128", |_| {}).await;
    let password = api.first_run_password.clone().unwrap();
    let answer = api.post("/api/auth/login", json!({ "password": password })).await;
    assert_eq!(answer.expect(200), &json!({ "success": true }));
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("auth_token="), "{cookie}");
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=2592000"),
        "{cookie}"
    );

    api.take_cookie(&answer);
    let status = api.get("/api/auth/status").await;
    assert_eq!(status.expect(200)["authenticated"], true);
    assert!(status.body["expiresAt"].as_str().unwrap().ends_with('Z'));

    let out = api.post("/api/auth/logout", json!({})).await;
    out.expect(200);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    api.get("/api/keys").await.expect_error(401, "AUTH_003");
    assert_eq!(
        api.get("/api/auth/status").await.expect(200)["authenticated"],
        false
    );
    assert_eq!(
        (
            api.audited("auth.login.success").await,
            api.audited("auth.logout").await
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn five_wrong_passwords_lock_the_address_out_even_with_the_right_one() {
    let api = Api::start_logged_out(Arc::new(Database::create().await), 1, "127.0.0.1:20128", |_| {}).await;
    let password = api.first_run_password.clone().unwrap();
    for _ in 0..5 {
        api.post("/api/auth/login", json!({ "password": "wrong" }))
            .await
            .expect_error(401, "AUTH_002");
    }
    let locked = api.post("/api/auth/login", json!({ "password": password })).await;
    locked.expect_error(429, "AUTH_005");
    let wait: u64 = locked.header("retry-after").parse().unwrap();
    assert!((800..=900).contains(&wait), "{wait}");
    assert_eq!(
        (
            api.audited("auth.login.failed").await,
            api.audited("auth.login.locked").await
        ),
        (5, 1)
    );

    let elsewhere = api.for_client_at("192.0.2.7:50000");
    elsewhere.log_in(&password).await;
}

#[tokio::test]
async fn the_body_of_a_login_is_checked() {
    let api = Api::start().await;
    *api.cookie.lock() = None;
    let missing = api.post("/api/auth/login", json!({})).await;
    assert_eq!(
        missing.expect_error(400, "VALIDATION_002")["details"][0]["field"],
        "password"
    );
    api.post("/api/auth/login", json!({ "password": "x", "user": "y" }))
        .await
        .expect_error(400, "VALIDATION_001");
    api.post("/api/auth/login", json!({ "password": "x".repeat(201) }))
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn a_new_password_needs_the_current_one_and_ends_the_other_sessions() {
    let api = Api::start().await;
    let first = api.first_run_password.clone().unwrap();
    let other = api.for_client_at("127.0.0.1:50001");
    other.log_in(&first).await;

    let path = "/api/settings/require-login";
    let without = api.post(path, json!({ "password": "a new password" })).await;
    assert_eq!(
        without.expect_error(400, "VALIDATION_002")["details"][0]["field"],
        "currentPassword"
    );
    let wrong = json!({ "password": "a new password", "currentPassword": "wrong" });
    api.put(path, wrong).await.expect_error(401, "AUTH_002");
    let short = json!({ "password": "seven77", "currentPassword": first });
    api.put(path, short).await.expect_error(400, "VALIDATION_001");
    api.put(path, json!({})).await.expect_error(400, "VALIDATION_001");

    let changed = api
        .patch(
            path,
            json!({ "password": "a new password", "currentPassword": first }),
        )
        .await;
    changed.expect(200);
    other.get("/api/keys").await.expect_error(401, "AUTH_003");
    api.get("/api/keys").await.expect_error(401, "AUTH_003");
    api.take_cookie(&changed);
    api.get("/api/keys").await.expect(200);
    assert_eq!(api.audited("auth.password.changed").await, 1);
}

#[tokio::test]
async fn login_can_be_switched_off_on_a_loopback_listener_only() {
    let off = |password: &str| json!({ "requireLogin": false, "currentPassword": password });
    let exposed = Api::start_logged_out(Arc::new(Database::create().await), 1, "0.0.0.0:20128", |_| {}).await;
    let password = exposed.first_run_password.clone().unwrap();
    exposed.log_in(&password).await;
    let path = "/api/settings/require-login";
    exposed
        .put(path, off(&password))
        .await
        .expect_error(409, "RESOURCE_002");

    let local = Api::start().await;
    local
        .put(path, off(local.first_run_password.as_deref().unwrap()))
        .await
        .expect(200);
    *local.cookie.lock() = None;
    local.get("/api/keys").await.expect(200);
    local
        .post("/api/keys", json!({ "name": "made without a login" }))
        .await
        .expect(201);
    let mut cross = local.request(
        Method::POST,
        "/api/keys",
        Some(json!({ "name": "made by another site" })),
    );
    cross
        .headers_mut()
        .insert("origin", "https://evil.test".parse().unwrap());
    local.send(cross).await.expect_error(403, "CSRF_001");
}

#[tokio::test]
async fn an_installation_without_a_password_lets_only_the_machine_itself_set_one() {
    let api = Api::start().await;
    sqlx::query("update account set password_hash = null")
        .execute(api.db.pool())
        .await
        .unwrap();
    *api.cookie.lock() = None;
    let refused = api.get("/api/keys").await;
    refused.expect_error(403, "SETUP_001");
    assert_eq!(refused.body["needsSetup"], true);
    let login = api
        .post("/api/auth/login", json!({ "password": "anything" }))
        .await;
    login.expect_error(403, "SETUP_001");
    assert_eq!(api.get("/api/init").await.expect(200)["needsPassword"], true);
    assert_eq!(
        api.get("/api/settings/require-login").await.expect(200)["bootstrap"],
        true
    );

    let path = "/api/settings/require-login";
    let body = json!({ "password": "set from the machine" });
    let far = api.for_client_at("203.0.113.9:50000");
    far.post(path, body.clone()).await.expect_error(403, "SETUP_001");
    let mut proxied = api.request(Method::POST, path, Some(body.clone()));
    proxied
        .headers_mut()
        .insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
    api.send(proxied).await.expect_error(403, "SETUP_001");

    api.post(path, body.clone()).await.expect(200);
    assert_eq!(
        api.post(path, body).await.status,
        StatusCode::UNAUTHORIZED,
        "only the first time"
    );
    api.log_in("set from the machine").await;
}

#[tokio::test]
async fn the_login_page_learns_what_it_needs_without_a_session() {
    let api = Api::start().await;
    *api.cookie.lock() = None;
    let expected =
        json!({ "requireLogin": true, "hasPassword": true, "setupComplete": true, "bootstrap": false });
    assert_eq!(
        api.get("/api/settings/require-login").await.expect(200),
        &expected
    );
}
