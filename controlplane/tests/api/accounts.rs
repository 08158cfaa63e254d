//! Who may do what: accounts and their roles, management tokens and their scopes.

use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::support::Api;

const PASSWORD: &str = "correct horse battery staple";

/// The same control plane as somebody new with this role sees it.
async fn somebody(api: &Api, username: &str, role: &str) -> Api {
    let body = json!({ "username": username, "role": role, "password": PASSWORD });
    api.post("/api/accounts", body).await.expect(201);
    let client = api.for_client_at("127.0.0.1:50001");
    log_in(&client, username, PASSWORD).await;
    client
}

async fn log_in(client: &Api, username: &str, password: &str) {
    let body = json!({ "username": username, "password": password });
    let answer = client.post("/api/auth/login", body).await;
    answer.expect(200);
    client.take_cookie(&answer);
}

/// The same control plane as a program with this bearer token sees it.
async fn call(api: &Api, token: &str, method: Method, path: &str, body: Option<Value>) -> u16 {
    let mut request = api.for_client_at("127.0.0.1:50002").request(method, path, body);
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, bearer);
    api.send(request).await.status.as_u16()
}

#[tokio::test]
async fn every_role_may_do_what_the_roles_below_it_may() {
    let api = Api::start().await;
    let clients = [
        somebody(&api, "vera", "viewer").await,
        somebody(&api, "otto", "operator").await,
        somebody(&api, "anna", "admin").await,
        somebody(&api, "olga", "owner").await,
    ];
    // what it takes, as an index into the roles
    let calls: &[(usize, Method, &str, Option<Value>, u16)] = &[
        (0, Method::GET, "/api/providers", None, 200),
        (0, Method::GET, "/api/keys", None, 200),
        (0, Method::GET, "/api/usage/analytics", None, 200),
        (0, Method::GET, "/api/compliance/audit-log", None, 200),
        (0, Method::GET, "/api/accounts/me", None, 200),
        (
            1,
            Method::POST,
            "/api/combos/test",
            Some(json!({ "comboName": "none" })),
            404,
        ),
        (1, Method::DELETE, "/api/cache", None, 200),
        (
            1,
            Method::PATCH,
            "/api/resilience",
            Some(json!({ "defaults": { "requestsPerMinute": 100 } })),
            200,
        ),
        (2, Method::POST, "/api/keys", Some(json!({ "name": "k" })), 201),
        (
            2,
            Method::PATCH,
            "/api/settings",
            Some(json!({ "requireAuthForModels": true })),
            200,
        ),
        (
            2,
            Method::PUT,
            "/api/settings/ip-filter",
            Some(json!({ "enabled": false })),
            200,
        ),
        (2, Method::GET, "/api/accounts", None, 200),
        (2, Method::GET, "/api/tokens", None, 200),
        (
            3,
            Method::PATCH,
            "/api/accounts/00000000-0000-0000-0000-000000000000",
            Some(json!({ "isActive": true })),
            404,
        ),
    ];
    for (takes, method, path, body, status) in calls {
        for (role, client) in clients.iter().enumerate() {
            let answer = client
                .send(client.request(method.clone(), path, body.clone()))
                .await;
            if role >= *takes {
                assert_eq!(
                    answer.status, *status,
                    "{method} {path} by role {role}: {}",
                    answer.body
                );
            } else {
                let error = answer.expect_error(403, "AUTH_004");
                assert!(
                    error["message"].as_str().unwrap().contains("your role is"),
                    "{error}"
                );
            }
        }
    }
    let denied = api
        .get("/api/compliance/audit-log?action=auth.denied&actor=vera")
        .await;
    let denied = denied.expect(200).as_array().unwrap().len();
    assert_eq!(
        denied,
        calls.iter().filter(|call| call.0 > 0).count(),
        "every refusal is on record"
    );
}

#[tokio::test]
async fn what_somebody_does_is_recorded_under_their_name() {
    let api = Api::start().await;
    let anna = somebody(&api, "anna", "admin").await;
    let status = anna.get("/api/auth/status").await;
    assert_eq!(
        status.expect(200)["account"],
        json!({ "username": "anna", "role": "admin" })
    );
    anna.post("/api/keys", json!({ "name": "k" })).await.expect(201);
    let rows = api.get("/api/compliance/audit-log?action=apiKey.created").await;
    assert_eq!(rows.expect(200)[0]["actor"], "anna");
}

#[tokio::test]
async fn a_login_that_names_nobody_is_the_first_accounts() {
    let api = Api::start().await;
    let me = api.get("/api/accounts/me").await;
    let me = me.expect(200);
    assert_eq!((&me["username"], &me["role"]), (&json!("admin"), &json!("owner")));
    assert!(me["lastLoginAt"].is_string());

    let stranger = api.for_client_at("127.0.0.1:50003");
    for (username, password) in [("admin", "wrong"), ("nobody", PASSWORD)] {
        let body = json!({ "username": username, "password": password });
        let answer = stranger.post("/api/auth/login", body).await;
        // nothing tells an unknown name from a wrong password
        let error = answer.expect_error(401, "AUTH_002");
        assert_eq!(error["message"], "the password or the username is wrong");
    }
}

#[tokio::test]
async fn an_account_that_is_deactivated_demoted_or_deleted_is_so_at_its_next_request() {
    let api = Api::start().await;
    let anna = somebody(&api, "anna", "admin").await;
    let id = anna.get("/api/accounts/me").await.expect(200)["id"].clone();
    let path = format!("/api/accounts/{}", id.as_str().unwrap());

    api.patch(&path, json!({ "role": "viewer" })).await.expect(200);
    anna.post("/api/keys", json!({ "name": "k" }))
        .await
        .expect_error(403, "AUTH_004");
    anna.get("/api/keys").await.expect(200);

    api.patch(&path, json!({ "isActive": false })).await.expect(200);
    anna.get("/api/keys").await.expect_error(401, "AUTH_003");
    let login = json!({ "username": "anna", "password": PASSWORD });
    anna.post("/api/auth/login", login)
        .await
        .expect_error(401, "AUTH_002");

    api.patch(&path, json!({ "isActive": true })).await.expect(200);
    anna.get("/api/keys").await.expect_error(401, "AUTH_003");
    log_in(&anna, "anna", PASSWORD).await;
    api.delete(&path).await.expect(200);
    anna.get("/api/keys").await.expect_error(401, "AUTH_003");

    // a new account of the same name is somebody else
    let again = somebody(&api, "anna", "viewer").await;
    again.get("/api/keys").await.expect(200);
    anna.get("/api/keys").await.expect_error(401, "AUTH_003");
}

#[tokio::test]
async fn there_is_always_an_owner() {
    let api = Api::start().await;
    let me = api.get("/api/accounts/me").await.expect(200)["id"].clone();
    let path = format!("/api/accounts/{}", me.as_str().unwrap());
    for change in [json!({ "role": "admin" }), json!({ "isActive": false })] {
        api.patch(&path, change).await.expect_error(409, "RESOURCE_002");
    }
    api.delete(&path).await.expect_error(409, "RESOURCE_002");
    assert_eq!(api.get("/api/accounts/me").await.expect(200)["role"], "owner");

    let olga = somebody(&api, "olga", "owner").await;
    olga.delete(&path).await.expect(200);
    api.get("/api/keys").await.expect_error(401, "AUTH_003");
    let twice = json!({ "username": "olga", "role": "viewer", "password": PASSWORD });
    olga.post("/api/accounts", twice)
        .await
        .expect_error(409, "RESOURCE_002");
}

#[tokio::test]
async fn anybody_changes_their_own_password_and_that_ends_their_other_sessions() {
    let api = Api::start().await;
    let vera = somebody(&api, "vera", "viewer").await;
    let elsewhere = api.for_client_at("127.0.0.1:50004");
    log_in(&elsewhere, "vera", PASSWORD).await;

    let next = "another password, as long";
    let body = |current: &str| json!({ "currentPassword": current, "password": next });
    vera.patch("/api/accounts/me", json!({ "password": next }))
        .await
        .expect_error(400, "VALIDATION_002");
    vera.patch("/api/accounts/me", body("wrong"))
        .await
        .expect_error(401, "AUTH_002");
    let answer = vera.patch("/api/accounts/me", body(PASSWORD)).await;
    answer.expect(200);
    vera.take_cookie(&answer);
    vera.get("/api/keys").await.expect(200);
    elsewhere.get("/api/keys").await.expect_error(401, "AUTH_003");
    log_in(&elsewhere, "vera", next).await;
    api.get("/api/keys").await.expect(200);
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_and_nothing_a_person_must() {
    let api = Api::start().await;
    let make = async |scopes: Value| {
        let made = api
            .post("/api/tokens", json!({ "name": "ci", "scopes": scopes }))
            .await;
        made.expect(201)["token"].as_str().unwrap().to_owned()
    };
    let (keys, look, all) = (
        make(json!(["keys:write", "usage:read"])).await,
        make(json!(["*:read"])).await,
        make(json!(["*:write"])).await,
    );
    let settings = || Some(json!({ "requireAuthForModels": true }));
    let new_key = || Some(json!({ "name": "k" }));
    let calls = [
        (Method::GET, "/api/keys", None, [200, 200, 200]),
        (Method::POST, "/api/keys", new_key(), [201, 403, 201]),
        (Method::GET, "/api/usage/analytics", None, [200, 200, 200]),
        (Method::GET, "/api/combos", None, [403, 200, 200]),
        (Method::PATCH, "/api/settings", settings(), [403, 403, 200]),
        (Method::GET, "/api/accounts", None, [403, 403, 403]),
        (Method::GET, "/api/tokens", None, [403, 403, 403]),
        (Method::GET, "/api/accounts/me", None, [403, 403, 403]),
    ];
    for (method, path, body, expected) in calls {
        for (token, status) in [&keys, &look, &all].into_iter().zip(expected) {
            let answered = call(&api, token, method.clone(), path, body.clone()).await;
            assert_eq!(answered, status, "{method} {path}");
        }
    }
    // a program may not hand out more than it has
    let manage = Some(json!({ "name": "k", "scopes": ["manage"] }));
    assert_eq!(call(&api, &keys, Method::POST, "/api/keys", manage).await, 403);

    let listed = api.get("/api/tokens").await;
    let listed = listed.expect(200);
    let first = &listed["tokens"][0];
    assert_eq!(
        (&first["createdBy"], &first["name"]),
        (&json!("admin"), &json!("ci"))
    );
    assert!(first["lastUsedAt"].is_string() && first["token"].as_str().unwrap().starts_with("omt_"));
    assert!(!listed.to_string().contains(&keys), "a token is shown once");
    let recorded = api.get("/api/compliance/audit-log?action=apiKey.created").await;
    let by = format!("token:{}", first["id"].as_str().unwrap());
    assert!(
        recorded
            .expect(200)
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["actor"] == by.as_str())
    );

    let path = format!("/api/tokens/{}", first["id"].as_str().unwrap());
    api.delete(&path).await.expect(200);
    assert_eq!(call(&api, &keys, Method::GET, "/api/keys", None).await, 401);
    api.delete(&path).await.expect_error(404, "RESOURCE_001");
}

#[tokio::test]
async fn a_token_expires_and_its_scopes_must_exist() {
    let api = Api::start().await;
    for scopes in [
        json!([]),
        json!(["secrets:read"]),
        json!(["keys"]),
        json!(["keys:delete"]),
    ] {
        let body = json!({ "name": "t", "scopes": scopes });
        api.post("/api/tokens", body)
            .await
            .expect_error(400, "VALIDATION_001");
    }
    let made = api
        .post("/api/tokens", json!({ "name": "t", "scopes": ["*:read"] }))
        .await;
    let token = made.expect(201)["token"].as_str().unwrap().to_owned();
    assert_eq!(call(&api, &token, Method::GET, "/api/keys", None).await, 200);
    sqlx::query("update management_token set expires_at = now()")
        .execute(api.db.pool())
        .await
        .unwrap();
    assert_eq!(call(&api, &token, Method::GET, "/api/keys", None).await, 401);
}
