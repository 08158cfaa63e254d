use axum::{
    body::Body,
    http::{Method, header},
};
use serde_json::{Value, json};

use crate::support::Api;

/// Methods and paths that a stranger may call.
const PUBLIC: [(&str, &str); 8] = [
    ("post", "/api/auth/login"),
    ("post", "/api/auth/logout"),
    ("get", "/api/auth/status"),
    ("get", "/api/auth/oidc/login"),
    ("get", "/api/auth/oidc/callback"),
    ("get", "/api/settings/require-login"),
    ("get", "/api/init"),
    ("get", "/api/monitoring/health"),
];

/// Every method and path of the OpenAPI document.
async fn operations(api: &Api) -> Vec<(String, String)> {
    let document = api.get("/api/openapi.json").await.expect(200).clone();
    let paths = document["paths"].as_object().unwrap().clone();
    let all = paths.into_iter().flat_map(|(path, item)| {
        let methods: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |method| (method, path.clone()))
    });
    let all: Vec<_> = all.collect();
    assert!(all.len() > 40, "{}", all.len());
    all
}

fn concrete(path: &str) -> String {
    path.replace("{id}", "0190b6a0-0000-7000-8000-000000000000")
}

#[tokio::test]
async fn every_operation_but_the_public_ones_refuses_a_stranger() {
    let api = Api::start().await;
    let operations = operations(&api).await;
    *api.cookie.lock() = None;
    for (method, path) in operations {
        let upper: Method = method.to_uppercase().parse().unwrap();
        let answer = api
            .send(api.request(upper, &concrete(&path), Some(json!({}))))
            .await;
        if PUBLIC.contains(&(method.as_str(), path.as_str())) {
            assert_ne!(answer.status, 401, "{method} {path}");
        } else {
            answer.expect_error(401, "AUTH_001");
        }
    }
}

#[tokio::test]
async fn every_operation_with_a_body_refuses_what_is_no_json_and_what_it_does_not_know() {
    let api = Api::start().await;
    let document = api.get("/api/openapi.json").await.body;
    let mut checked = 0;
    for (method, path) in operations(&api).await {
        let described = &document["paths"][&path][&method]["requestBody"];
        if described["content"]["application/json"].is_null() {
            continue;
        }
        // one that may come without a body takes none for an answer
        let required = described["required"] == true;
        checked += 1;
        let request = |body: &'static str| {
            let upper: Method = method.to_uppercase().parse().unwrap();
            let mut request = api.request(upper, &concrete(&path), Some(Value::Null));
            *request.body_mut() = Body::from(body);
            request
        };
        let empty = required.then_some("");
        for malformed in empty.into_iter().chain(["{", "[]", "\"text\"", "{\"a\":1}}"]) {
            api.send(request(malformed))
                .await
                .expect_error(400, "VALIDATION_001");
        }
        let unknown = api.send(request(r#"{"noSuchField":1}"#)).await;
        assert_eq!(unknown.status, 400, "{method} {path}: {}", unknown.body);
        let mut text = request("{}");
        text.headers_mut()
            .insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
        api.send(text).await.expect_error(415, "VALIDATION_003");
    }
    assert!(checked > 15, "{checked}");
}

#[tokio::test]
async fn an_operation_that_may_come_without_a_body_takes_an_empty_one_whatever_type_it_announces() {
    let backups = tempfile::tempdir().unwrap();
    let api = Api::start_with(|config| config.backup_dir = Some(backups.path().to_owned())).await;
    let document = api.get("/api/openapi.json").await.body;
    let mut checked = 0;
    for (method, path) in operations(&api).await {
        let described = &document["paths"][&path][&method]["requestBody"];
        if described.is_null() || described["required"] == true {
            continue;
        }
        checked += 1;
        for announced in [None, Some("application/json"), Some("text/plain")] {
            let upper: Method = method.to_uppercase().parse().unwrap();
            let mut request = api.request(upper, &concrete(&path), None);
            if let Some(media) = announced {
                request
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, media.parse().unwrap());
            }
            let answer = api.send(request).await;
            // what it needs to know may be missing, but not for want of a body
            let code = &answer.body["error"]["code"];
            assert!(
                answer.status == 200 || ["VALIDATION_002", "RESOURCE_001"].iter().any(|fine| code == fine),
                "{method} {path} as {announced:?}: {}",
                answer.body
            );
        }
    }
    assert!(checked >= 3, "{checked}");
}

#[tokio::test]
async fn unknown_paths_and_methods_have_the_envelope_too() {
    let api = Api::start().await;
    api.get("/api/nothing").await.expect_error(404, "RESOURCE_001");
    api.get("/api/initX").await.expect_error(404, "RESOURCE_001");
    let wrong = api.delete("/api/keys").await;
    wrong.expect_error(405, "METHOD_001");
    let allow: std::collections::BTreeSet<_> = wrong.header("allow").split(',').map(str::trim).collect();
    assert_eq!(allow, ["GET", "HEAD", "POST"].into());
}

#[tokio::test]
async fn answers_are_never_stored_and_carry_the_request_id() {
    let api = Api::start().await;
    let mut request = api.request(Method::GET, "/api/keys", None);
    request
        .headers_mut()
        .insert("x-request-id", "build-42.step_7".parse().unwrap());
    let answer = api.send(request).await;
    answer.expect(200);
    assert_eq!(answer.header("x-request-id"), "build-42.step_7");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
}

#[tokio::test]
async fn a_write_with_the_cookie_must_come_from_our_own_site() {
    let api = Api::start_with(|config| config.dashboard_origins = vec!["https://dash.test".to_owned()]).await;
    let cases: [(&[(&str, &str)], bool); 7] = [
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("origin", "http://gateway.test:20128")], true),
        (&[("origin", "https://dash.test")], true),
        (
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")],
            false,
        ),
        (&[("referer", "https://evil.test/")], false),
        (&[], false),
    ];
    let mut blocked = 0;
    for (headers, passes) in cases {
        for (method, path, body) in [
            (Method::POST, "/api/keys", Some(json!({ "name": "n" }))),
            (Method::DELETE, "/api/models/alias?alias=none", None),
        ] {
            let mut request = api.request(method, path, body);
            request.headers_mut().remove("sec-fetch-site");
            for (name, value) in headers {
                request.headers_mut().insert(*name, value.parse().unwrap());
            }
            let answer = api.send(request).await;
            if passes {
                assert!(answer.status.is_success(), "{headers:?}: {}", answer.body);
            } else {
                answer.expect_error(403, "CSRF_001");
                blocked += 1;
            }
        }
    }
    assert_eq!(api.audited("security.csrf_blocked").await, blocked);
    let mut forged = api.request(Method::POST, "/api/auth/logout", None);
    forged
        .headers_mut()
        .insert("sec-fetch-site", "cross-site".parse().unwrap());
    api.send(forged).await.expect_error(403, "CSRF_001");
}

#[tokio::test]
async fn a_key_needs_its_scope_and_may_not_do_what_a_person_must() {
    let api = Api::start().await;
    let (inference, read, manage) = (
        api.key(&["inference"]).await,
        api.key(&["read"]).await,
        api.key(&["manage"]).await,
    );
    let get = |key: String, path: &'static str| {
        let api = &api;
        async move { api.with_key(&key, Method::GET, path, None).await }
    };
    get(inference, "/api/keys").await.expect_error(403, "AUTH_004");
    get(read.clone(), "/api/keys").await.expect(200);
    get(read.clone(), "/api/compliance/audit-log").await.expect(200);
    let change = api.with_key(&read, Method::POST, "/api/keys", Some(json!({ "name": "n" })));
    change.await.expect_error(403, "AUTH_004");
    get(manage.clone(), "/api/keys").await.expect(200);
    get("sk-nobody".to_owned(), "/api/keys")
        .await
        .expect_error(401, "AUTH_001");

    let post = |path: &'static str, body: Value| {
        let (api, manage) = (&api, &manage);
        async move { api.with_key(manage, Method::POST, path, Some(body)).await }
    };
    post("/api/keys", json!({ "name": "n" })).await.expect(201);
    post("/api/keys", json!({ "name": "n", "scopes": ["manage"] }))
        .await
        .expect_error(403, "AUTH_004");
    post("/api/settings/require-login", json!({ "requireLogin": true }))
        .await
        .expect_error(403, "AUTH_004");
    assert_eq!(api.audited("auth.denied").await, 3);
}

#[tokio::test]
async fn a_character_that_the_database_cannot_hold_is_refused_and_no_failure() {
    let api = Api::start().await;
    for path in [
        "/api/usage/history?provider=a%00",
        "/api/evals/%00",
        "/api/models/alias?alias=%00",
    ] {
        api.get(path).await.expect_error(400, "VALIDATION_001");
    }
    let alias = json!({ "alias": "a", "model": "\0" });
    api.post("/api/models/alias", alias)
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn a_body_is_counted_while_it_arrives() {
    let api = Api::start_with(|config| config.max_body_size_bytes = 1000).await;
    let chunks = (0..20).map(|_| Ok::<_, std::io::Error>("x".repeat(100)));
    let mut request = api.request(Method::POST, "/api/keys", Some(Value::Null));
    *request.body_mut() = Body::from_stream(futures::stream::iter(chunks));
    api.send(request).await.expect_error(413, "LIMIT_001");
}

#[tokio::test]
async fn a_draining_control_plane_sends_clients_away_and_keeps_telling_its_health() {
    let api = Api::start().await;
    api.drain.begin();
    let refused = api.get("/api/keys").await;
    refused.expect_error(503, "SERVER_002");
    assert_eq!(refused.header("retry-after"), "5");
    api.get("/api/monitoring/health").await.expect(200);
    assert_eq!(api.get("/readyz").await.status, 503);
    assert_eq!(api.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn too_many_requests_from_one_address_are_told_when_to_come_back() {
    let api = Api::start_with(|config| config.rate_limit_per_minute = 3).await;
    for _ in 0..3 {
        api.get("/api/auth/status").await.expect(200);
    }
    let refused = api.get("/api/auth/status").await;
    refused.expect_error(429, "LIMIT_002");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
}
