//! Errors that the contract names for an operation, where the tests of its slice show them for another verb of the same
//! handler, or for none.

use axum::http::{HeaderValue, Method, header};
use runtime::secret::Secret;
use serde_json::{Value, json};
use testkit::{OAuthServer, oauth::CLIENT_ID};

use crate::{
    data_plane::{DataPlane, Reply},
    support::{Api, Database, provider},
};

/// Method, path, body, status and code. `{…}` is an id of [`furnished`].
type Refusal = (&'static str, &'static str, Value, u16, &'static str);

/// An installation with one of each, and another node and combo beside them.
async fn furnished() -> (Api, Vec<(&'static str, String)>) {
    let api = Api::start().await;
    let mut ids = Vec::new();
    let body = json!({ "provider": "openai", "name": "n", "apiKey": "sk-upstream" });
    let made = api.post("/api/providers", body).await.expect(201).clone();
    ids.push(("{connection}", text(&made["connection"]["id"])));
    for (name, place) in [("mine", "{node}"), ("theirs", "{other}")] {
        let base = format!("https://{name}.example/v1");
        let node = json!({ "name": name, "prefix": name, "type": "openai-compatible", "apiType": "chat", "baseUrl": base });
        let made = api.post("/api/provider-nodes", node).await.expect(201).clone();
        ids.push((place, text(&made["node"]["id"])));
    }
    for (name, place) in [("pair", "{combo}"), ("trio", "{another}")] {
        let combo = json!({ "name": name, "models": ["openai/gpt-4o"] });
        let made = api.post("/api/combos", combo).await.expect(201).clone();
        ids.push((place, text(&made["id"])));
    }
    (api, ids)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn refusals() -> Vec<Refusal> {
    let node = |prefix: &str, base: &str| json!({ "name": "n", "prefix": prefix, "baseUrl": base });
    let inside = "http://169.254.169.254/v1";
    vec![
        (
            "PUT",
            "/api/provider-nodes/nobody",
            node("x", "https://x.example"),
            404,
            "RESOURCE_001",
        ),
        (
            "PUT",
            "/api/provider-nodes/{node}",
            node("theirs", "https://x.example"),
            409,
            "RESOURCE_002",
        ),
        (
            "PUT",
            "/api/provider-nodes/{node}",
            node("mine", inside),
            422,
            "URL_GUARD_BLOCKED",
        ),
        (
            "PATCH",
            "/api/provider-nodes/{node}",
            json!({ "baseUrl": inside }),
            422,
            "URL_GUARD_BLOCKED",
        ),
        (
            "POST",
            "/api/provider-nodes/validate",
            json!({ "baseUrl": inside, "apiKey": "k" }),
            422,
            "URL_GUARD_BLOCKED",
        ),
        (
            "POST",
            "/api/models/alias",
            json!({ "alias": "pair", "model": "openai/gpt-4o" }),
            409,
            "RESOURCE_002",
        ),
        (
            "PUT",
            "/api/combos/{combo}",
            json!({ "name": "trio" }),
            409,
            "RESOURCE_002",
        ),
        (
            "GET",
            "/api/usage/analytics?range=century",
            Value::Null,
            400,
            "VALIDATION_001",
        ),
        (
            "PUT",
            "/api/usage/budget",
            json!({ "keyId": "0190b6a0-0000-7000-8000-000000000000", "limit": 5.0, "period": "daily" }),
            404,
            "RESOURCE_001",
        ),
        (
            "GET",
            "/api/settings/proxy?level=moon",
            Value::Null,
            400,
            "VALIDATION_001",
        ),
        (
            "PATCH",
            "/api/settings/proxy",
            json!({ "level": "combo", "id": "0190b6a0-0000-7000-8000-000000000000", "proxy": { "host": "h" } }),
            404,
            "RESOURCE_001",
        ),
        (
            "PATCH",
            "/api/settings/ip-filter",
            json!({ "enabled": true, "mode": "whitelist", "whitelist": ["203.0.113.9"] }),
            409,
            "SELF_LOCKOUT",
        ),
        (
            "PUT",
            "/api/rate-limits",
            json!({ "connectionId": "0190b6a0-0000-7000-8000-000000000000", "enabled": true }),
            404,
            "RESOURCE_001",
        ),
        (
            "POST",
            "/api/policies",
            json!({ "id": "0190b6a0-0000-7000-8000-000000000000", "enabled": false }),
            404,
            "RESOURCE_001",
        ),
        (
            "POST",
            "/api/oauth/nobody/exchange",
            json!({ "code": "c", "state": "s" }),
            404,
            "RESOURCE_001",
        ),
    ]
}

#[tokio::test]
async fn each_verb_of_an_operation_refuses_in_the_words_of_the_contract() {
    let (api, ids) = furnished().await;
    // a filter never refuses the machine itself
    let elsewhere = api.for_client_at("198.51.100.7:50000");
    *elsewhere.cookie.lock() = api.cookie.lock().clone();
    let mut wrong = Vec::new();
    for (method, path, body, status, code) in refusals() {
        let path = ids
            .iter()
            .fold(path.to_owned(), |path, (name, id)| path.replace(name, id));
        let body = Some(body).filter(|body| !body.is_null());
        let request = elsewhere.request(method.parse().unwrap(), &path, body);
        let answer = elsewhere.send(request).await;
        if answer.status != status || answer.body["error"]["code"] != code {
            wrong.push(format!("{method} {path}: {} {}", answer.status, answer.body));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_was_changed_in_the_meantime_is_changed_by_no_verb() {
    let (api, ids) = furnished().await;
    for (path, body) in [
        ("/api/providers/{connection}", json!({ "name": "m" })),
        ("/api/combos/{combo}", json!({ "models": ["openai/gpt-5"] })),
    ] {
        let path = ids
            .iter()
            .fold(path.to_owned(), |path, (name, id)| path.replace(name, id));
        for method in [Method::PUT, Method::PATCH] {
            let mut request = api.request(method, &path, Some(body.clone()));
            request
                .headers_mut()
                .insert(header::IF_MATCH, HeaderValue::from_static("\"1\""));
            api.send(request).await.expect_error(412, "PRECONDITION_001");
        }
    }
}

#[tokio::test]
async fn login_stays_on_where_others_can_reach_the_dashboard() {
    let database = std::sync::Arc::new(Database::create().await);
    let api = Api::start_logged_out(database, 1, "0.0.0.0:20128", |_| {}).await;
    let password = api.first_run_password.clone().unwrap();
    api.log_in(&password).await;
    for method in [Method::PUT, Method::PATCH, Method::POST] {
        let body = json!({ "requireLogin": false, "currentPassword": password });
        let request = api.request(method, "/api/settings/require-login", Some(body));
        api.send(request).await.expect_error(409, "RESOURCE_002");
    }
}

#[tokio::test]
async fn models_are_not_listed_where_nobody_lists_them_or_nobody_may_be_asked() {
    let api = Api::start().await;
    let address = provider().await;
    for (provider, data, status, code) in [
        ("perplexity", json!({}), 400, "PROVIDER_004"),
        (
            "openai",
            json!({ "baseUrl": format!("http://{address}/v1") }),
            422,
            "URL_GUARD_BLOCKED",
        ),
    ] {
        let body =
            json!({ "provider": provider, "name": provider, "apiKey": "k", "providerSpecificData": data });
        let made = api.post("/api/providers", body).await;
        if made.status == 422 {
            // it is refused before there is anything to ask
            made.expect_error(status, code);
            continue;
        }
        let id = text(&made.expect(201)["connection"]["id"]);
        let listed = api.get(&format!("/api/providers/{id}/models")).await;
        listed.expect_error(status, code);
    }
}

#[tokio::test]
async fn one_operation_runs_at_a_time() {
    let api = Api::start().await;
    let _plane = DataPlane::join_running(&api, 1, |_| Reply::Acknowledged).await;
    let begun = api.post("/api/restart", json!({ "target": "dp-1" })).await;
    begun.expect(200);
    for path in ["/api/restart", "/api/shutdown"] {
        let second = api.post(path, json!({ "target": "dp-1" })).await;
        assert_eq!(second.status, 409, "{}", second.body);
    }
}

#[tokio::test]
async fn a_place_to_sign_in_that_is_away_is_a_failure_of_its_own() {
    let server = OAuthServer::start().await;
    let oauth = json!({
        "qwen": { "client_id": CLIENT_ID, "device_url": server.url("device"), "token_url": server.url("token") },
    });
    let api = Api::start_with(|config| {
        config.oauth = serde_json::from_value(oauth).unwrap();
        config.allow_private_provider_urls = true;
    })
    .await;
    drop(server);
    let begun = api.get("/api/oauth/qwen/device-code").await;
    begun.expect_error(502, "UPSTREAM_001");
}

#[tokio::test]
async fn a_cloud_that_does_not_answer_is_not_waited_for() {
    // takes connections and says nothing
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap())
        .parse()
        .unwrap();
    let api = Api::start_with(|config| {
        config.cloud.url = Some(url);
        config.cloud.sync_key = Some(Secret::new("a key of more than thirty-two characters".to_owned()));
        config.cloud.timeout_ms = 100;
    })
    .await;
    let enabled = api.post("/api/sync/cloud", json!({ "action": "enable" })).await;
    enabled.expect_error(504, "UPSTREAM_002");
}

#[tokio::test]
async fn without_its_database_an_installation_does_not_say_that_it_is_set_up() {
    let api = Api::start().await;
    api.db.pool().close().await;
    api.get("/api/init").await.expect_error(503, "SERVER_002");
}

#[tokio::test]
async fn a_key_of_nobody_cannot_be_tried() {
    let api = Api::start().await;
    let body = json!({ "provider": "openai-compatible-chat-nobody", "apiKey": "k" });
    let tried = api.post("/api/providers/validate", body).await;
    assert!([400, 404].contains(&tried.status.as_u16()), "{}", tried.body);
    assert!(
        tried.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("nobody")
    );
}
