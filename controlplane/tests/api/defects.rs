//! What the first version of this gateway got wrong, and this one must not: what no test of a single slice would notice.

mod audit;
mod usage;

use std::sync::Arc;

use axum::{
    Json, Router,
    http::{Method, StatusCode},
};
use runtime::secret::Secret;
use serde_json::{Value, json};

use crate::{
    contract,
    db_backups::Kept,
    support::Api,
    sync::{act, start as start_with_cloud},
};

const NOBODY: &str = "0190b6a0-0000-7000-8000-000000000000";
const EXCHANGE: [&str; 2] = ["POST", "GET"];

/// What somebody may call who has yet to choose the first password.
const FIRST_STEPS: [&str; 8] = [
    "POST /api/auth/login",
    "POST /api/auth/logout",
    "GET /api/auth/status",
    "GET /api/auth/oidc/login",
    "GET /api/auth/oidc/callback",
    "GET /api/init",
    "GET /api/monitoring/health",
    "GET /api/settings/require-login",
];

async fn connection(api: &Api, name: &str, key: &str) -> String {
    let body = json!({ "provider": "openai", "name": name, "apiKey": key });
    let created = api.post("/api/providers", body).await.expect(201).clone();
    created["connection"]["id"].as_str().unwrap().to_owned()
}

/// On a new installation everything was open.
#[tokio::test]
async fn before_there_is_a_password_nothing_can_be_done_but_choosing_one() {
    let api = Api::start().await;
    sqlx::query("update account set password_hash = null")
        .execute(api.db.pool())
        .await
        .unwrap();
    *api.cookie.lock() = None;
    let mut refused = 0;
    for (path, item) in contract::document()["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let chooses = path == "/api/settings/require-login" && method != "GET";
            if chooses || FIRST_STEPS.contains(&format!("{method} {path}").as_str()) {
                continue;
            }
            let segments = path.split('/').map(|segment| match segment.starts_with('{') {
                true => NOBODY,
                false => segment,
            });
            let concrete = Vec::from_iter(segments).join("/");
            let request = api.request(method.parse().unwrap(), &concrete, Some(json!({})));
            let answer = api.send(request).await;
            answer.expect_error(403, "SETUP_001");
            assert_eq!(answer.body["needsSetup"], true, "{method} {path}");
            refused += 1;
        }
    }
    assert!(refused > 100, "{refused}");
    // the first version took this one for proof
    let login = api.post("/api/auth/login", json!({ "password": "123456" })).await;
    login.expect_error(403, "SETUP_001");
}

/// Else a few slips over a year would lock somebody out.
#[tokio::test]
async fn a_login_that_works_forgets_the_wrong_ones_before_it() {
    let api = Api::start().await;
    let password = api.first_run_password.clone().unwrap();
    for _ in 0..2 {
        for _ in 0..4 {
            let wrong = api.post("/api/auth/login", json!({ "password": "wrong" })).await;
            wrong.expect_error(401, "AUTH_002");
        }
        api.log_in(&password).await;
    }
}

/// The left-most address that a client named was taken for its own.
#[tokio::test]
async fn an_address_that_a_client_makes_up_keeps_nobody_from_being_locked_out() {
    let api = Api::start().await;
    let password = api.first_run_password.clone().unwrap();
    let client = api.for_client_at("203.0.113.9:1");
    let log_in = async |n: u8, password: &str| {
        let body = json!({ "password": password });
        let mut request = client.request(Method::POST, "/api/auth/login", Some(body));
        let claimed = format!("198.51.100.{n}, 198.51.100.200").parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", claimed);
        client.send(request).await
    };
    for n in 1..=5 {
        log_in(n, "wrong").await.expect_error(401, "AUTH_002");
    }
    log_in(6, &password).await.expect_error(429, "AUTH_005");
    for address in ["198.51.100.1:1", "198.51.100.200:1"] {
        api.for_client_at(address).log_in(&password).await;
    }
}

/// Where people were sent back to was up to a header.
#[tokio::test]
async fn no_address_is_built_from_what_is_said_of_a_proxy() {
    let clients = json!({ "gemini": { "client_id": "c", "client_secret": "s" } });
    let api = Api::start_with(|config| config.oauth = serde_json::from_value(clients).unwrap()).await;
    let mut request = api.request(Method::GET, "/api/oauth/gemini/authorize", None);
    for (name, value) in [
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.test;proto=https"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let begun = api.send(request).await;
    assert_eq!(
        begun.expect(200)["redirectUri"],
        "http://gateway.test:20128/callback"
    );
    assert!(!begun.body.to_string().contains("evil.test"), "{}", begun.body);
}

/// What another site can do, it does with the cookie: no browser sends a key by itself.
#[tokio::test]
async fn a_program_with_a_key_may_call_from_anywhere() {
    let api = Api::start().await;
    let manage = api.key(&["manage"]).await;
    *api.cookie.lock() = None;
    let mut request = api.request(Method::POST, "/api/keys", Some(json!({ "name": "n" })));
    for (name, value) in [
        ("authorization", format!("Bearer {manage}")),
        ("origin", "https://evil.test".to_owned()),
        ("sec-fetch-site", "cross-site".to_owned()),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    api.send(request).await.expect(201);
}

/// What was sealed could be put in another place.
#[tokio::test]
async fn a_sealed_credential_opens_in_its_own_row_only() {
    let api = Api::start().await;
    let ids = [
        connection(&api, "one", "sk-one-0123456789").await,
        connection(&api, "two", "sk-two-0123456789").await,
    ];
    sqlx::query(
        "update provider_connection a set api_key = b.api_key from provider_connection b where a.id <> b.id",
    )
    .execute(api.db.pool())
    .await
    .unwrap();
    for id in ids {
        let tested = api.post(&format!("/api/providers/{id}/test"), json!({})).await;
        assert_eq!(
            (&tested.expect(200)["valid"], &tested.body["diagnosis"]["type"]),
            (&json!(false), &json!("decrypt_failed"))
        );
    }
}

/// Keys lay open in the database.
#[tokio::test]
async fn a_gateway_key_is_known_only_with_the_secret_of_the_installation() {
    let api = Api::start().await;
    let key = api.key(&["manage"]).await;
    for (secret, status) in [
        (crate::support::API_KEY_SECRET, 200),
        ("another kV3l0Cq9bTn8yHk2", 401),
    ] {
        let other = Api::start_logged_out(Arc::clone(&api.database), 1, "127.0.0.1:20128", |config| {
            config.api_key_secret = Secret::new(secret.to_owned());
        })
        .await;
        other
            .with_key(&key, Method::GET, "/api/keys", None)
            .await
            .expect(status);
    }
}

/// Looking at the usage of an account sent everything away.
#[tokio::test]
async fn nothing_goes_to_the_cloud_before_it_is_switched_on_and_after_it_was_switched_off() {
    let (endpoint, api) = start_with_cloud().await;
    let account = connection(&api, "n", "sk-one-0123456789").await;
    let look = async |alias: &str| {
        let alias = json!({ "alias": alias, "model": "openai/gpt-4o" });
        api.post("/api/models/alias", alias).await.expect(200);
        api.get(&format!("/api/usage/{account}")).await.expect(200);
        api.get("/api/sync/cloud").await.expect(200);
    };
    let methods = || {
        let calls = endpoint.calls();
        calls.into_iter().map(|call| call.method).collect::<Vec<_>>()
    };
    look("before").await;
    act(&api, "enable").await.expect(200);
    assert_eq!(methods(), EXCHANGE, "the first copy, and a look at it");
    act(&api, "disable").await.expect(200);
    look("after").await;
    act(&api, "enable").await.expect(200);
    assert_eq!(methods(), [&EXCHANGE[..], &["DELETE"], &EXCHANGE].concat());
}

/// Clients read the words of the database.
#[tokio::test]
async fn what_went_wrong_inside_is_not_told() {
    let api = Api::start().await;
    sqlx::query("alter table custom_model rename to gone_elsewhere")
        .execute(api.db.pool())
        .await
        .unwrap();
    let failed = api.get("/api/provider-models").await;
    failed.expect_error(500, "SERVER_001");
    let text = failed.body.to_string().to_lowercase();
    for word in [
        "custom_model",
        "does not exist",
        "select",
        "sqlx",
        "postgres",
        ".rs",
    ] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

/// Some settings lived in the memory of the process.
#[tokio::test]
async fn what_was_set_is_there_after_a_restart() {
    let api = Api::start().await;
    let cookie = api.cookie.lock().clone();
    let settings = [
        (
            "/api/settings/system-prompt",
            json!({ "enabled": true, "prompt": "Be brief." }),
        ),
        (
            "/api/settings/thinking-budget",
            json!({ "mode": "custom", "customBudget": 4096 }),
        ),
        (
            "/api/settings/ip-filter",
            json!({ "enabled": true, "blacklist": ["203.0.113.0/24"] }),
        ),
        (
            "/api/settings/proxy",
            json!({ "global": { "host": "proxy.test", "port": 3128 } }),
        ),
        (
            "/api/settings/combo-defaults",
            json!({ "comboDefaults": { "maxRetries": 3 } }),
        ),
        (
            "/api/settings",
            json!({ "stickyRoundRobinLimit": 7, "requireAuthForModels": true }),
        ),
        (
            "/api/resilience",
            json!({ "profiles": { "oauth": { "circuitBreakerThreshold": 9 } } }),
        ),
    ];
    let mut before = Vec::new();
    for (path, body) in settings {
        let untouched = api.get(path).await.expect(200).clone();
        api.put(path, body).await.expect(200);
        let set = api.get(path).await.expect(200).clone();
        assert_ne!(set, untouched, "{path}");
        before.push((path, set));
    }
    // what the settings say last is said with the rest
    before.retain(|(path, _)| *path != "/api/settings");
    before.push((
        "/api/settings",
        api.get("/api/settings").await.expect(200).clone(),
    ));

    let again = Api::start_on(Arc::clone(&api.database), 1, |_| {}).await;
    *again.cookie.lock() = cookie;
    for (path, set) in before {
        assert_eq!(again.get(path).await.expect(200), &set, "{path}");
    }
}

/// 80 and 0.8 were different thresholds.
#[tokio::test]
async fn a_threshold_may_be_said_in_percent_or_as_a_part() {
    let api = Api::start().await;
    for (said, kept) in [
        (json!(80), 0.8),
        (json!(0.8), 0.8),
        (json!(1), 1.0),
        (json!(100), 1.0),
    ] {
        let id = api.post("/api/keys", json!({ "name": "n" })).await.expect(201)["id"].clone();
        let body = json!({ "apiKeyId": id, "monthlyLimitUsd": 10, "warningThreshold": said });
        let set = api.post("/api/usage/budget", body).await;
        assert_eq!(set.expect(200)["warningThreshold"], kept, "{said}");
    }
}

/// Two shapes for one thing.
#[tokio::test]
async fn a_change_of_prices_is_answered_as_they_are_read() {
    let api = Api::start().await;
    let change = json!({ "openai": { "gpt-4o": { "input": 1.25 } } });
    let changed = api.patch("/api/pricing", change).await.expect(200).clone();
    assert_eq!(&changed, api.get("/api/pricing").await.expect(200));
    let reset = api
        .delete("/api/pricing?provider=openai&model=gpt-4o")
        .await
        .expect(200)
        .clone();
    assert_eq!(&reset, api.get("/api/pricing").await.expect(200));
}

/// A provider that answers everything with this status.
async fn answering(status: u16) -> String {
    let status = StatusCode::from_u16(status).unwrap();
    let answer = move || async move { (status, Json(json!({ "error": { "message": "no" } }))) };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    url
}

/// A server that was down made any key a good one, and one that knew no list of models a bad one.
#[tokio::test]
async fn a_provider_that_does_not_work_says_nothing_of_a_credential() {
    let api = Api::start_with(|config| config.allow_private_provider_urls = true).await;
    for (status, reason) in [
        (401, "invalid_key"),
        (403, "invalid_key"),
        (404, "no_models_endpoint"),
        (500, "unreachable"),
        (503, "unreachable"),
        (529, "unreachable"),
    ] {
        let url = answering(status).await;
        for provider in ["openai", "anthropic"] {
            let body = json!({ "provider": provider, "apiKey": "k", "baseUrl": url });
            let verdict = api.post("/api/providers/validate", body).await;
            assert_eq!(verdict.expect(200)["valid"], false, "{provider} {status}");

            let mut body = json!({ "type": format!("{provider}-compatible"), "apiKey": "k", "baseUrl": url });
            if provider == "openai" {
                body["apiType"] = json!("chat");
            }
            let verdict = api.post("/api/provider-nodes/validate", body).await;
            assert_eq!(
                (&verdict.expect(200)["valid"], &verdict.body["reason"]),
                (&json!(false), &json!(reason)),
                "{provider} {status}"
            );
        }
    }
}

/// One request could read a whole table.
#[tokio::test]
async fn a_page_of_any_log_has_a_longest_length() {
    let api = Api::start().await;
    for path in [
        "/api/usage/logs",
        "/api/usage/request-logs",
        "/api/usage/call-logs",
        "/api/usage/proxy-logs",
        "/api/compliance/audit-log",
        "/api/logs/console",
    ] {
        for limit in ["0", "-1", "5000", "many"] {
            let answer = api.get(&format!("{path}?limit={limit}")).await;
            answer.expect_error(400, "VALIDATION_001");
        }
        api.get(&format!("{path}?limit=1")).await.expect(200);
    }
}

/// A restore is of everything: a wish that cannot be met is refused, and not overheard.
#[tokio::test]
async fn a_restore_of_some_sections_is_refused_and_restores_nothing() {
    let kept = Kept::start().await;
    let created = kept
        .api
        .put("/api/db-backups", json!({}))
        .await
        .expect(200)
        .clone();
    let combo = json!({ "name": "later", "models": ["openai/gpt-4o"] });
    kept.api.post("/api/combos", combo).await.expect(201);
    for unknown in [
        json!({ "sections": ["settings"] }),
        json!({ "sections": [] }),
        json!({ "confirm": false }),
    ] {
        let mut body = unknown;
        body["backupId"] = created["id"].clone();
        let refused = kept.api.post("/api/db-backups", body).await;
        refused.expect_error(400, "VALIDATION_001");
    }
    let combos: Value = kept.api.get("/api/combos").await.expect(200)["combos"].clone();
    assert_eq!(combos[0]["name"], "later");
    assert_eq!(kept.api.audited("backup.restored").await, 0);
}
