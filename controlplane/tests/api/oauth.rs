use std::time::Duration;

use axum::http::Method;
use controlplane::config::ApiConfig;
use runtime::egress::{Egress, EgressConfig, ProxyEnvironment};
use serde_json::{Value, json};
use testkit::{
    OAuthServer,
    oauth::{CLIENT_ID, CLIENT_SECRET},
    wait_until,
};
use url::Url;

use crate::support::{Answer, Api};

const PATIENCE: Duration = Duration::from_secs(20);

/// What an operator writes under `oauth` to sign in at `server` instead of the vendors.
fn clients(server: &OAuthServer) -> Value {
    json!({
        "gemini": { "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "authorize_url": server.url("authorize"),
                    "token_url": server.url("token"), "revoke_url": server.url("revoke") },
        "claude": { "client_id": CLIENT_ID, "authorize_url": server.url("authorize"),
                    "token_url": server.url("token") },
        "github": { "client_id": CLIENT_ID, "device_url": server.url("device"), "token_url": server.url("token"),
                    "userinfo_url": server.url("userinfo") },
        "qwen": { "client_id": CLIENT_ID, "device_url": server.url("device"), "token_url": server.url("token") },
        "openai": { "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "client_auth": "basic",
                    "authorize_url": server.url("authorize"), "token_url": server.url("token"), "scopes": "a b" },
    })
}

fn with_clients(server: &OAuthServer) -> impl FnOnce(&mut ApiConfig) {
    let oauth = serde_json::from_value(clients(server)).unwrap();
    |config| {
        config.oauth = oauth;
        config.allow_private_provider_urls = true;
    }
}

async fn start() -> (OAuthServer, Api) {
    let server = OAuthServer::start().await;
    let api = Api::start_with(with_clients(&server)).await;
    (server, api)
}

/// Goes to the provider's page as a browser does, and returns where that sends it.
async fn visit(address: &str) -> String {
    let browser = Egress::new(EgressConfig {
        connect_timeout: PATIENCE,
        allow_private: true,
        proxies: ProxyEnvironment::default(),
    });
    let answer = browser.unwrap().client(true).get(address).send().await.unwrap();
    assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
    answer.headers()["location"].to_str().unwrap().to_owned()
}

fn part(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    let mut pairs = url.query_pairs();
    let found = pairs
        .find(|(key, _)| key == name)
        .unwrap_or_else(|| panic!("no {name} in {url}"));
    found.1.into_owned()
}

/// Through the whole authorization code flow.
async fn sign_in(api: &Api, provider: &str) -> Answer {
    let begun = api.get(&format!("/api/oauth/{provider}/authorize")).await;
    let back = visit(begun.expect(200)["authUrl"].as_str().unwrap()).await;
    let body = json!({ "callbackUrl": back });
    api.post(&format!("/api/oauth/{provider}/exchange"), body).await
}

async fn start_device(api: &Api, provider: &str) -> Value {
    let begun = api.get(&format!("/api/oauth/{provider}/device-code")).await;
    begun.expect(200).clone()
}

/// Polls until somebody has decided.
async fn poll_to_the_end(api: &Api, provider: &str, flow: &Value) -> Value {
    wait_until("the sign-in to end", PATIENCE, async || {
        let polled = api
            .post(
                &format!("/api/oauth/{provider}/poll"),
                json!({ "flowId": flow["flowId"] }),
            )
            .await;
        let body = polled.expect(200).clone();
        (body["pending"] != true).then_some(body)
    })
    .await
}

#[tokio::test]
async fn an_authorization_code_becomes_a_connection_that_shows_no_token() {
    let (server, api) = start().await;
    let begun = api.get("/api/oauth/gemini/authorize").await.expect(200).clone();
    assert_eq!(begun["completion"], "popup");
    assert_eq!(begun["flowType"], "authorization_code_pkce");
    assert_eq!(begun["redirectUri"], "http://gateway.test:20128/callback");
    assert_eq!(begun["codeVerifier"], "server");
    let address = begun["authUrl"].as_str().unwrap();
    assert_eq!(part(address, "code_challenge_method"), "S256");
    assert_eq!(part(address, "access_type"), "offline");
    assert!(part(address, "scope").contains("generative-language"));
    assert!(!address.contains('+'), "{address}");

    let back = visit(address).await;
    let body = json!({ "code": part(&back, "code"), "state": part(&back, "state"), "flowId": begun["flowId"],
        "redirectUri": begun["redirectUri"], "codeVerifier": "server" });
    let ended = api.post("/api/oauth/gemini/exchange", body).await;
    let connection = ended.expect(200)["connection"].clone();
    assert!(ended.headers.contains_key("x-config-revision"));
    assert_eq!(connection["email"], "ada@example.test");
    assert_eq!(server.authentications(), ["post"]);

    let shown = api
        .get(&format!("/api/providers/{}", connection["id"].as_str().unwrap()))
        .await;
    let shown = &shown.expect(200)["connection"];
    assert_eq!(shown["authType"], "oauth");
    assert_eq!(shown["name"], "ada@example.test");
    assert_eq!(shown["testStatus"], "active");
    assert_eq!(
        (&shown["hasAccessToken"], &shown["hasRefreshToken"]),
        (&json!(true), &json!(true))
    );
    assert!(
        shown["expiresAt"].is_string() && shown["scope"] == "inference",
        "{shown}"
    );
    for action in ["oauth.flow.started", "oauth.connection.created"] {
        assert_eq!(api.audited(action).await, 1, "{action}");
    }

    for token in server.tokens() {
        assert!(!api.transcript.lock().contains(&token));
    }
    let left: i64 = sqlx::query_scalar(
        "select count(*) from oauth_flow where verifier is not null or device_code is not null",
    )
    .fetch_one(api.db.pool())
    .await
    .unwrap();
    assert_eq!(left, 0, "secrets of a flow that is over");
}

#[tokio::test]
async fn a_code_is_taken_with_the_state_it_was_asked_for_with_and_once() {
    let (_server, api) = start().await;
    let exchange = "/api/oauth/gemini/exchange";
    let begun = api.get("/api/oauth/gemini/authorize").await.expect(200).clone();
    let back = visit(begun["authUrl"].as_str().unwrap()).await;
    let (code, state) = (part(&back, "code"), part(&back, "state"));

    let without_state = api
        .post(exchange, json!({ "code": code, "flowId": begun["flowId"] }))
        .await;
    without_state.expect_error(400, "VALIDATION_002");
    let wrong = api
        .post(exchange, json!({ "code": code, "state": "gemini.made-up" }))
        .await;
    wrong.expect_error(400, "OAUTH_STATE");
    let elsewhere = api
        .post(
            "/api/oauth/claude/exchange",
            json!({ "code": code, "state": state }),
        )
        .await;
    elsewhere.expect_error(400, "OAUTH_STATE");
    let other_flow = json!({ "code": code, "state": state, "flowId": uuid::Uuid::now_v7() });
    api.post(exchange, other_flow)
        .await
        .expect_error(400, "OAUTH_STATE");

    let body = json!({ "code": code, "state": state });
    api.post(exchange, body.clone()).await.expect(200);
    api.post(exchange, body).await.expect_error(410, "OAUTH_EXPIRED");
}

#[tokio::test]
async fn a_state_of_eleven_minutes_ago_is_gone() {
    let (_server, api) = start().await;
    let begun = api.get("/api/oauth/gemini/authorize").await.expect(200).clone();
    let back = visit(begun["authUrl"].as_str().unwrap()).await;
    sqlx::query("update oauth_flow set expires_at = expires_at - interval '11 minutes'")
        .execute(api.db.pool())
        .await
        .unwrap();
    let late = api
        .post("/api/oauth/gemini/exchange", json!({ "callbackUrl": back }))
        .await;
    late.expect_error(410, "OAUTH_EXPIRED");
}

#[tokio::test]
async fn what_a_provider_refuses_is_told_in_its_own_words() {
    let (server, api) = start().await;
    let begun = api.get("/api/oauth/gemini/authorize").await.expect(200).clone();
    let bad = json!({ "code": "made-up", "state": begun["state"] });
    let refused = api.post("/api/oauth/gemini/exchange", bad).await;
    refused.expect_error(502, "OAUTH_EXCHANGE");
    assert_eq!(refused.body["providerError"], "invalid_grant");
    assert_eq!(refused.body["errorDescription"], "because of invalid_grant");

    server.refuse_consent();
    let denied = sign_in(&api, "gemini").await;
    denied.expect_error(502, "OAUTH_EXCHANGE");
    assert_eq!(denied.body["providerError"], "access_denied");
    assert_eq!(api.audited("oauth.flow.failed").await, 2);
    let list = api.get("/api/providers").await;
    assert_eq!(list.expect(200)["connections"], json!([]));
}

#[tokio::test]
async fn an_account_that_signs_in_again_is_the_same_connection() {
    let (server, api) = start().await;
    let first = sign_in(&api, "gemini").await.expect(200)["connection"]["id"].clone();
    let second = sign_in(&api, "gemini").await.expect(200)["connection"]["id"].clone();
    assert_eq!(first, second);
    server.set_account(json!({ "email": "grace@example.test" }));
    let third = sign_in(&api, "gemini").await.expect(200)["connection"]["id"].clone();
    assert_ne!(first, third);
    assert_eq!(api.audited("oauth.connection.updated").await, 1);

    // the login is what tells accounts of GitHub apart
    server.set_account(json!({ "id": 583231, "login": "octocat", "email": null }));
    let mut ids = Vec::new();
    for _ in 0..2 {
        let flow = start_device(&api, "github").await;
        server.decide(flow["user_code"].as_str().unwrap(), true);
        let ended = poll_to_the_end(&api, "github", &flow).await;
        assert_eq!(ended["connection"]["displayName"], "octocat", "{ended}");
        ids.push(ended["connection"]["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn an_account_without_a_name_signs_in_again_where_it_is_told_to() {
    let (server, api) = start().await;
    server.set_account(json!({}));
    let first = sign_in(&api, "gemini").await.expect(200)["connection"]["id"].clone();
    let second = sign_in(&api, "gemini").await.expect(200)["connection"]["id"].clone();
    assert_ne!(first, second);
    let names: Vec<Value> = {
        let list = api.get("/api/providers?provider=gemini").await;
        let connections = list.expect(200)["connections"].as_array().unwrap().clone();
        connections.iter().map(|one| one["name"].clone()).collect()
    };
    assert_eq!(names, ["Account 1", "Account 2"]);

    let path = format!(
        "/api/oauth/gemini/authorize?connectionId={}",
        second.as_str().unwrap()
    );
    let begun = api.get(&path).await.expect(200).clone();
    let back = visit(begun["authUrl"].as_str().unwrap()).await;
    let again = api
        .post("/api/oauth/gemini/exchange", json!({ "callbackUrl": back }))
        .await;
    assert_eq!(again.expect(200)["connection"]["id"], second);

    let other = format!(
        "/api/oauth/claude/authorize?connectionId={}",
        second.as_str().unwrap()
    );
    api.get(&other).await.expect_error(404, "RESOURCE_001");
}

#[tokio::test]
async fn a_code_may_be_pasted_with_its_state_behind_it_and_vendors_may_want_json() {
    let (server, api) = start().await;
    let begun = api.get("/api/oauth/claude/authorize").await.expect(200).clone();
    assert_eq!(begun["completion"], "paste");
    assert_eq!(
        begun["redirectUri"],
        "https://platform.claude.com/oauth/code/callback"
    );
    let back = visit(begun["authUrl"].as_str().unwrap()).await;
    let pasted = format!("{}#{}", part(&back, "code"), part(&back, "state"));
    let ended = api
        .post("/api/oauth/claude/exchange", json!({ "code": pasted }))
        .await;
    ended.expect(200);
    assert_eq!(server.authentications(), ["none"]);
}

#[tokio::test]
async fn any_provider_can_be_signed_in_to_where_the_operator_says() {
    let (server, api) = start().await;
    sign_in(&api, "openai").await.expect(200);
    assert_eq!(server.authentications(), ["basic"]);
}

#[tokio::test]
async fn people_are_sent_back_here_or_to_their_own_machine_and_nowhere_else() {
    let server = OAuthServer::start().await;
    let with = with_clients(&server);
    let api = Api::start_with(|config| {
        with(config);
        config.dashboard_origins = vec!["https://gateway.example".to_owned()];
    })
    .await;
    let ask = async |redirect: &str| {
        let redirect: String = url::form_urlencoded::byte_serialize(redirect.as_bytes()).collect();
        api.get(&format!("/api/oauth/gemini/authorize?redirect_uri={redirect}"))
            .await
    };
    for (redirect, completion) in [
        ("http://gateway.test:20128/callback", "popup"),
        ("https://gateway.test:20128/callback", "popup"),
        ("https://gateway.example/callback", "popup"),
        ("http://localhost:8080/callback", "paste"),
        ("http://127.0.0.1:1455/auth/callback", "paste"),
    ] {
        assert_eq!(
            ask(redirect).await.expect(200)["completion"],
            completion,
            "{redirect}"
        );
    }
    for redirect in [
        "https://evil.test/callback",
        "http://gateway.test:20128/dashboard",
        "http://gateway.test/callback",
        "http://gateway.test:20128@evil.test/callback",
        "http://gateway.test:20128/callback?next=https://evil.test",
        "https://localhost.evil.test/callback",
        "javascript:alert(1)",
        "nonsense",
    ] {
        ask(redirect).await.expect_error(400, "VALIDATION_001");
    }
}

#[tokio::test]
async fn a_device_code_is_pending_until_somebody_decides() {
    let (server, api) = start().await;
    let flow = start_device(&api, "qwen").await;
    assert_eq!(
        flow["device_code"], flow["flowId"],
        "a handle, not the provider's"
    );
    assert!(
        flow["verification_uri_complete"]
            .as_str()
            .unwrap()
            .ends_with(flow["user_code"].as_str().unwrap())
    );
    let poll = async |body: Value| api.post("/api/oauth/qwen/poll", body).await;
    let first = poll(json!({ "flowId": flow["flowId"] }))
        .await
        .expect(200)
        .clone();
    assert_eq!(first["error"], "authorization_pending", "{first}");
    // asked too soon, the provider is not
    let early = poll(json!({ "deviceCode": flow["device_code"] }))
        .await
        .expect(200)
        .clone();
    assert_eq!(
        (&early["pending"], &early["error"]),
        (&json!(true), &json!("authorization_pending"))
    );
    assert!(early["retryAfter"].as_i64().unwrap() >= 1, "{early}");

    server.decide(flow["user_code"].as_str().unwrap(), true);
    let ended = poll_to_the_end(&api, "qwen", &flow).await;
    assert_eq!(ended["success"], true, "{ended}");
    assert_eq!(ended["connection"]["email"], "ada@example.test");
    poll(json!({ "flowId": flow["flowId"] }))
        .await
        .expect_error(410, "OAUTH_EXPIRED");
    assert!(!api.transcript.lock().contains("device-"));
}

#[tokio::test]
async fn a_device_code_that_is_denied_ends_without_a_connection() {
    let (server, api) = start().await;
    let flow = start_device(&api, "qwen").await;
    server.decide(flow["user_code"].as_str().unwrap(), false);
    let ended = poll_to_the_end(&api, "qwen", &flow).await;
    assert_eq!(ended["success"], false);
    assert_eq!(ended["pending"], false);
    assert_eq!(ended["error"], "access_denied");
    let nobody = json!({ "flowId": uuid::Uuid::now_v7() });
    api.post("/api/oauth/qwen/poll", nobody)
        .await
        .expect_error(404, "RESOURCE_001");
    api.post("/api/oauth/qwen/poll", json!({}))
        .await
        .expect_error(400, "VALIDATION_002");
}

#[tokio::test]
async fn a_provider_that_wants_slower_polls_gets_them() {
    let (server, api) = start().await;
    server.set_outage(Some((400, json!({ "error": "slow_down" }))));
    let flow = start_device(&api, "qwen").await;
    let polled = api
        .post("/api/oauth/qwen/poll", json!({ "flowId": flow["flowId"] }))
        .await;
    let polled = polled.expect(200);
    assert_eq!(
        (&polled["pending"], &polled["error"]),
        (&json!(true), &json!("slow_down"))
    );
    assert_eq!(
        polled["retryAfter"], 6,
        "five seconds more than the one it asked for"
    );
}

#[tokio::test]
async fn a_sign_in_outlives_a_provider_that_is_away_for_a_moment() {
    let (server, api) = start().await;
    let flow = start_device(&api, "qwen").await;
    server.decide(flow["user_code"].as_str().unwrap(), true);
    server.set_outage(Some((503, json!({}))));
    let away = api
        .post("/api/oauth/qwen/poll", json!({ "flowId": flow["flowId"] }))
        .await;
    away.expect_error(502, "UPSTREAM_001");
    server.set_outage(None);
    assert_eq!(poll_to_the_end(&api, "qwen", &flow).await["success"], true);
}

#[tokio::test]
async fn every_path_says_what_it_is_for_and_what_to_do_instead() {
    let server = OAuthServer::start().await;
    let api = Api::start_with(with_clients(&server)).await;
    let bare = Api::start().await;

    for path in ["gemini/authorize", "qwen/device-code"] {
        bare.get(&format!("/api/oauth/{path}"))
            .await
            .expect_error(409, "OAUTH_CLIENT_MISSING");
    }
    let named = bare.get("/api/oauth/kimi-coding/device-code").await;
    let problem = named.expect_error(409, "OAUTH_CLIENT_MISSING")["message"].clone();
    assert!(
        problem.as_str().unwrap().contains("KIMI_CODING_OAUTH_CLIENT_ID"),
        "{problem}"
    );

    for (method, path) in [
        (Method::GET, "codex/authorize"),
        (Method::GET, "codex/start-callback-server"),
        (Method::GET, "cline/authorize"),
        (Method::GET, "kilocode/device-code"),
        (Method::GET, "cursor/import"),
        (Method::POST, "cursor/import"),
        (Method::POST, "kiro/import"),
        (Method::GET, "kiro/social-authorize"),
        (Method::POST, "kiro/social-exchange"),
    ] {
        let body = (method == Method::POST).then(|| json!({ "accessToken": "t" }));
        let answer = api
            .send(api.request(method, &format!("/api/oauth/{path}"), body))
            .await;
        let error = answer.expect_error(409, "OAUTH_NOT_OFFERED");
        assert!(
            error["message"].as_str().unwrap().contains("API key"),
            "{path}: {error}"
        );
    }
    for tool in ["cursor", "kiro"] {
        let found = api.get(&format!("/api/oauth/{tool}/auto-import")).await;
        assert_eq!(found.expect(200)["found"], false);
    }
    let polled = api.post("/api/oauth/codex/poll-callback", json!({})).await;
    assert_eq!(polled.expect(200)["error"], "no_server");

    api.get("/api/oauth/nobody/authorize")
        .await
        .expect_error(404, "RESOURCE_001");
    api.get("/api/oauth/nobody/anything")
        .await
        .expect_error(404, "RESOURCE_001");
    api.get("/api/oauth/qwen/anything")
        .await
        .expect_error(400, "VALIDATION_001");
    api.get("/api/oauth/qwen/start-callback-server")
        .await
        .expect_error(400, "VALIDATION_001");
    // the other flow
    api.get("/api/oauth/qwen/authorize")
        .await
        .expect_error(400, "VALIDATION_001");
    api.get("/api/oauth/gemini/device-code")
        .await
        .expect_error(400, "VALIDATION_001");
    api.post("/api/oauth/gemini/exchange", json!({}))
        .await
        .expect_error(400, "VALIDATION_001");
    let unknown = json!({ "code": "c", "state": "s", "verifier": "v" });
    api.post("/api/oauth/gemini/exchange", unknown)
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn what_can_be_signed_in_to_is_listed() {
    let (_server, api) = start().await;
    let list = api.get("/api/oauth/providers").await;
    let list = list.expect(200)["providers"].as_array().unwrap().clone();
    let find = |id: &str| {
        list.iter()
            .find(|one| one["id"] == id)
            .unwrap_or_else(|| panic!("{id}: {list:?}"))
    };
    assert_eq!(
        (&find("gemini")["flow"], &find("gemini")["configured"]),
        (&json!("code"), &json!(true))
    );
    assert_eq!(
        (&find("qwen")["flow"], &find("qwen")["configured"]),
        (&json!("device"), &json!(true))
    );
    assert_eq!(find("kimi-coding")["configured"], false);
    assert_eq!(find("kimi-coding")["setting"], "KIMI_CODING_OAUTH_CLIENT_ID");
    assert_eq!(find("openai")["configured"], true);
    assert!(find("cursor")["flow"].is_null() && find("cursor")["instead"].is_string());
}

#[tokio::test]
async fn a_key_and_another_site_cannot_sign_anybody_in() {
    let (_server, api) = start().await;
    let key = api.key(&["manage"]).await;
    for (method, path) in [
        (Method::GET, "gemini/authorize"),
        (Method::GET, "qwen/device-code"),
        (Method::POST, "gemini/exchange"),
        (Method::POST, "qwen/poll"),
        (Method::GET, "cursor/auto-import"),
        (Method::GET, "qwen/anything"),
    ] {
        let path = format!("/api/oauth/{path}");
        let body = (method == Method::POST).then(|| json!({ "code": "c", "state": "s" }));
        api.with_key(&key, method.clone(), &path, body.clone())
            .await
            .expect_error(403, "AUTH_004");
        let stranger = api.for_client_at("203.0.113.9:4000");
        stranger
            .send(stranger.request(method, &path, body))
            .await
            .expect_error(401, "AUTH_001");
    }
    let mut forged = api.request(Method::GET, "/api/oauth/gemini/authorize", None);
    forged
        .headers_mut()
        .insert("sec-fetch-site", "cross-site".parse().unwrap());
    api.send(forged).await.expect_error(403, "CSRF_001");
}

#[tokio::test]
async fn an_account_takes_no_key_and_is_tested_with_its_token() {
    let (server, api) = start().await;
    let id = sign_in(&api, "openai").await.expect(200)["connection"]["id"].clone();
    let path = format!("/api/providers/{}", id.as_str().unwrap());
    api.patch(&path, json!({ "apiKey": "sk-0123456789" }))
        .await
        .expect_error(400, "VALIDATION_001");
    let shown = api.get(&path).await.expect(200)["connection"].clone();
    api.patch(&path, shown).await.expect(200);
    let create = json!({ "provider": "qwen", "apiKey": "sk-0123456789", "name": "n" });
    api.post("/api/providers", create)
        .await
        .expect_error(400, "PROVIDER_003");

    let base = json!({ "providerSpecificData": { "baseUrl": server.url("v1") } });
    api.patch(&path, base).await.expect(200);
    let tested = api.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(tested.expect(200)["valid"], true, "{}", tested.body);
    server.end_access_tokens();
    let tested = api.post(&format!("{path}/test"), json!({})).await;
    assert_eq!(tested.expect(200)["valid"], false, "{}", tested.body);
}

/// The token of every account ends in a minute.
async fn let_tokens_end(api: &Api) {
    sqlx::query("update provider_connection set token_expires_at = now() + interval '1 minute'")
        .execute(api.db.pool())
        .await
        .unwrap();
}

async fn generation(api: &Api, id: &Value) -> i64 {
    sqlx::query_scalar("select token_generation from provider_connection where id = $1::uuid")
        .bind(id.as_str().unwrap())
        .fetch_one(api.db.pool())
        .await
        .unwrap()
}

async fn shown(api: &Api, id: &Value) -> Value {
    let answer = api.get(&format!("/api/providers/{}", id.as_str().unwrap())).await;
    answer.expect(200)["connection"].clone()
}

async fn test(api: &Api, id: &Value) -> Value {
    let answer = api
        .post(
            &format!("/api/providers/{}/test", id.as_str().unwrap()),
            json!({}),
        )
        .await;
    answer.expect(200).clone()
}

/// Signs in to `openai` and has it called at `server`.
async fn signed_in(api: &Api, server: &OAuthServer) -> Value {
    let id = sign_in(api, "openai").await.expect(200)["connection"]["id"].clone();
    let base = json!({ "providerSpecificData": { "baseUrl": server.url("v1") } });
    let path = format!("/api/providers/{}", id.as_str().unwrap());
    api.patch(&path, base).await.expect(200);
    id
}

#[tokio::test]
async fn many_askers_at_two_control_planes_use_a_refresh_token_once() {
    let (server, first) = start().await;
    let id = signed_in(&first, &server).await;
    let second = Api::start_on(first.database.clone(), 1, with_clients(&server)).await;
    *second.cookie.lock() = first.cookie.lock().clone();
    let_tokens_end(&first).await;
    let (a, b) = (&first, &second);
    let tests = tokio::join!(
        test(a, &id),
        test(b, &id),
        test(a, &id),
        test(b, &id),
        test(a, &id),
        test(b, &id)
    );
    for test in <[Value; 6]>::from(tests) {
        assert_eq!(test["valid"], true, "{test}");
    }
    assert_eq!((server.refreshes(), server.reuses()), (1, 0));
    assert_eq!(generation(&first, &id).await, 2);
    assert_eq!(first.audited("oauth.token.renewed").await, 1);
}

#[tokio::test]
async fn a_sweep_renews_what_ends_and_leaves_alone_what_it_is_told_to() {
    let (server, api) = start().await;
    let swept = signed_in(&api, &server).await;
    server.set_account(json!({ "email": "grace@example.test" }));
    let left = sign_in(&api, "openai").await.expect(200)["connection"]["id"].clone();
    let path = format!("/api/providers/{}", left.as_str().unwrap());
    api.patch(&path, json!({ "healthCheckInterval": 0 }))
        .await
        .expect(200);
    let_tokens_end(&api).await;
    // one that starts looks at once
    let _other = Api::start_on(api.database.clone(), 1, with_clients(&server)).await;
    wait_until("the token to be renewed", PATIENCE, async || {
        (generation(&api, &swept).await == 2).then_some(())
    })
    .await;
    assert_eq!(generation(&api, &left).await, 1);
    let shown = shown(&api, &swept).await;
    assert_eq!(shown["testStatus"], "active");
    assert!(shown["lastHealthCheckAt"].is_string(), "{shown}");
}

#[tokio::test]
async fn an_account_that_is_renewed_no_more_waits_for_somebody_to_sign_in() {
    let (server, api) = start().await;
    let id = signed_in(&api, &server).await;
    server.end_refresh_tokens();
    let_tokens_end(&api).await;
    let tested = test(&api, &id).await;
    assert_eq!(
        (&tested["valid"], &tested["diagnosis"]["type"]),
        (&json!(false), &json!("reauth_required"))
    );
    let ended = shown(&api, &id).await;
    assert_eq!(
        (&ended["isActive"], &ended["hasRefreshToken"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(api.audited("oauth.token.ended").await, 1);

    sign_in(&api, "openai").await.expect(200);
    let back = shown(&api, &id).await;
    assert_eq!(
        (&back["isActive"], &back["testStatus"]),
        (&json!(true), &json!("active"))
    );
    assert_eq!(test(&api, &id).await["valid"], true);
}

#[tokio::test]
async fn a_token_endpoint_that_is_away_ends_no_account() {
    let (server, api) = start().await;
    let id = signed_in(&api, &server).await;
    let_tokens_end(&api).await;
    server.set_outage(Some((503, json!({}))));
    for _ in 0..2 {
        let tested = test(&api, &id).await;
        assert_eq!(tested["diagnosis"]["type"], "token_refresh_failed", "{tested}");
    }
    let shown = shown(&api, &id).await;
    assert_eq!(
        (&shown["isActive"], &shown["hasRefreshToken"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        (&shown["testStatus"], &shown["lastErrorType"]),
        (&json!("error"), &json!("token_refresh_failed"))
    );
    assert_eq!(
        api.audited("oauth.token.failed").await,
        1,
        "once, and not for everybody who asks"
    );

    server.set_outage(None);
    sqlx::query("update provider_connection set last_error_at = now() - interval '11 seconds'")
        .execute(api.db.pool())
        .await
        .unwrap();
    assert_eq!(test(&api, &id).await["valid"], true);
    assert_eq!(server.reuses(), 0);
}

#[tokio::test]
async fn a_claim_of_a_control_plane_that_died_is_taken_over() {
    let (server, api) = start().await;
    let id = signed_in(&api, &server).await;
    sqlx::query(
        "update provider_connection
         set token_expires_at = now(), renewal_claimed_until = now() + interval '1 second'",
    )
    .execute(api.db.pool())
    .await
    .unwrap();
    assert_eq!(test(&api, &id).await["valid"], true);
    assert_eq!((server.refreshes(), generation(&api, &id).await), (1, 2));
}

#[tokio::test]
async fn a_connection_that_is_deleted_is_revoked_at_its_provider() {
    let (server, api) = start().await;
    let id = sign_in(&api, "gemini").await.expect(200)["connection"]["id"].clone();
    api.delete(&format!("/api/providers/{}", id.as_str().unwrap()))
        .await
        .expect(200);
    wait_until("the provider to be told", PATIENCE, async || {
        (server.revoked() == 1).then_some(())
    })
    .await;
}
