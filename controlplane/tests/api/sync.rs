//! Cloud sync against an endpoint that checks signatures as the other end of the protocol would.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{SecondsFormat, Utc};
use controlplane::{
    config::ApiConfig,
    vault::{Cell, Vault},
};
use parking_lot::Mutex;
use runtime::{
    crypto::{self, SealKey, Sealed},
    secret::Secret,
};
use serde_json::{Value, json};
use testkit::wait_until;
use uuid::Uuid;

use crate::support::{Api, STORAGE_KEY};

const SYNC_KEY: &str = "a key that both ends have, of more than 32 characters";

/// One signed request that came.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub body: Value,
}

#[derive(Clone, Default)]
pub struct Endpoint {
    calls: Arc<Mutex<Vec<Call>>>,
    /// Status and body of the next answers.
    reply: Arc<Mutex<Option<(u16, Value)>>>,
}

// === impl Endpoint ===

impl Endpoint {
    async fn start() -> (Self, String) {
        let this = Self::default();
        let router = Router::new().fallback(answer).with_state(this.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/base", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (this, url)
    }

    fn answers(&self, status: u16, body: Value) {
        *self.reply.lock() = Some((status, body));
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    fn last(&self, method: &str) -> Call {
        let calls = self.calls();
        let found = calls.iter().rev().find(|call| call.method == method);
        found
            .unwrap_or_else(|| panic!("no {method} among {calls:?}"))
            .clone()
    }
}

async fn answer(
    State(endpoint): State<Endpoint>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let timestamp: i64 = header("x-sync-timestamp").parse().unwrap();
    let key = crypto::hkdf(SYNC_KEY.as_bytes(), "omniroute cloud sync signature v1");
    let message = [
        format!("{timestamp}\n{method}\n{}\n", uri.path()).as_bytes(),
        &body,
    ]
    .concat();
    let expected = crypto::hmac_sha256(&key, &message).map(|byte| format!("{byte:02x}"));
    if header("x-sync-signature") != expected.concat() || (Utc::now().timestamp() - timestamp).abs() > 60 {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    endpoint.calls.lock().push(Call {
        method: method.to_string(),
        path: uri.path().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    match endpoint.reply.lock().clone() {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response(),
        None => StatusCode::OK.into_response(),
    }
}

/// A credential as it travels, and its opposite.
fn seal(connection: &str, field: &str, plain: &str) -> String {
    let place = format!("{connection}|{field}");
    BASE64_STANDARD.encode(crypto::seal(&sealing(), place.as_bytes(), plain.as_bytes()).to_bytes())
}

fn open(connection: &str, field: &str, sealed: &Value) -> String {
    let bytes = BASE64_STANDARD.decode(sealed.as_str().unwrap()).unwrap();
    let sealed = Sealed::from_bytes(&bytes).unwrap();
    let place = format!("{connection}|{field}");
    let plain = crypto::open(&sealing(), place.as_bytes(), &sealed.nonce, &sealed.ciphertext).unwrap();
    String::from_utf8(plain.to_vec()).unwrap()
}

fn sealing() -> SealKey {
    SealKey::from_bytes(crypto::hkdf(
        SYNC_KEY.as_bytes(),
        "omniroute cloud sync credentials v1",
    ))
}

fn at(url: &str) -> impl FnOnce(&mut ApiConfig) {
    let url = url.parse().unwrap();
    move |config| {
        config.cloud.url = Some(url);
        config.cloud.sync_key = Some(Secret::new(SYNC_KEY.to_owned()));
        config.cloud.timeout_ms = 2_000;
    }
}

pub async fn start() -> (Endpoint, Api) {
    let (endpoint, url) = Endpoint::start().await;
    let api = Api::start_with(at(&url)).await;
    (endpoint, api)
}

pub async fn act(api: &Api, action: &str) -> crate::support::Answer {
    api.post("/api/sync/cloud", json!({ "action": action })).await
}

/// An account that signed in, whose access token ends in an hour.
pub async fn account(api: &Api, provider: &str) -> Uuid {
    let id = Uuid::now_v7();
    let vault = Vault::new(&Secret::new(STORAGE_KEY.to_owned()));
    sqlx::query(
        "insert into provider_connection
             (id, provider, auth_type, name, priority, access_token, refresh_token, token_expires_at)
         values ($1, $2, 'oauth', $3, 1, $4, $5, now() + interval '1 hour')",
    )
    .bind(id)
    .bind(provider)
    .bind(id.to_string())
    .bind(vault.seal(Cell::connection_access_token(&id.to_string()), "access-1"))
    .bind(vault.seal(Cell::connection_refresh_token(&id.to_string()), "refresh-1"))
    .execute(api.db.pool())
    .await
    .unwrap();
    id
}

/// What is stored of it: access token and refresh token.
pub async fn tokens(api: &Api, id: Uuid) -> (String, String) {
    let (access, refresh): (Vec<u8>, Vec<u8>) =
        sqlx::query_as("select access_token, refresh_token from provider_connection where id = $1")
            .bind(id)
            .fetch_one(api.db.pool())
            .await
            .unwrap();
    let vault = Vault::new(&Secret::new(STORAGE_KEY.to_owned()));
    let id = id.to_string();
    let access = vault.open(Cell::connection_access_token(&id), &access).unwrap();
    let refresh = vault.open(Cell::connection_refresh_token(&id), &refresh).unwrap();
    (access.expose().clone(), refresh.expose().clone())
}

#[tokio::test]
async fn without_an_endpoint_it_is_off_and_says_what_to_set() {
    let api = Api::start().await;
    let status = api.get("/api/sync/cloud").await;
    assert_eq!(status.expect(200), &json!({ "enabled": false }));
    for action in ["enable", "sync"] {
        let refusal = act(&api, action)
            .await
            .expect_error(501, "FEATURE_DISABLED")
            .clone();
        assert!(refusal["message"].as_str().unwrap().contains("CLOUD_URL"));
    }
    act(&api, "later").await.expect_error(400, "VALIDATION_001");
    api.post("/api/sync/cloud", json!({}))
        .await
        .expect_error(400, "VALIDATION_002");
}

#[tokio::test]
async fn enabling_copies_everything_and_no_secret_can_be_read_on_the_way() {
    let (endpoint, api) = start().await;
    let body = json!({ "provider": "openai", "apiKey": "sk-upstream-secret", "name": "n" });
    let created = api.post("/api/providers", body).await.expect(201).clone();
    let connection = created["connection"]["id"].as_str().unwrap().to_owned();
    api.post(
        "/api/models/alias",
        json!({ "alias": "fast", "model": "openai/gpt-4o" }),
    )
    .await
    .expect(200);
    api.post(
        "/api/combos",
        json!({ "name": "pair", "models": ["openai/gpt-4o"] }),
    )
    .await
    .expect(201);

    let enabled = act(&api, "enable").await.expect(200).clone();
    assert_eq!(
        (&enabled["success"], &enabled["verified"]),
        (&json!(true), &json!(true))
    );
    let key = enabled["createdKey"].as_str().unwrap();
    assert_eq!(
        api.get("/api/keys").await.expect(200)["total"],
        1,
        "there was none, so one is made"
    );

    let cluster = api.db.cluster_id();
    let push = endpoint.last("POST");
    assert_eq!(push.path, format!("/base/sync/{cluster}"));
    let provider = &push.body["providers"][0];
    assert_eq!(provider["id"], connection);
    assert_eq!(
        open(&connection, "api_key", &provider["apiKey"]),
        "sk-upstream-secret"
    );
    assert_eq!(push.body["modelAliases"], json!({ "fast": "openai/gpt-4o" }));
    assert_eq!(push.body["combos"][0]["models"][0]["model"], "openai/gpt-4o");
    assert_eq!(endpoint.last("GET").path, format!("/base/{cluster}/v1/verify"));

    let again = act(&api, "sync").await.expect(200).clone();
    assert_eq!(again["success"], true);
    let pushed = endpoint.last("POST").body;
    assert_eq!(pushed["apiKeys"][0]["name"], "Default");
    for call in endpoint.calls() {
        let text = call.body.to_string();
        assert!(
            !text.contains("sk-upstream-secret") && !text.contains(key),
            "{text}"
        );
    }

    let status = api.get("/api/sync/cloud").await.expect(200).clone();
    assert_eq!(
        (&status["enabled"], &status["connected"]),
        (&json!(true), &json!(true))
    );
    assert!(status["lastSync"].is_string() && status.get("lastError").is_none());
    for (action, times) in [("cloud.sync.enabled", 1), ("cloud.sync.run", 1)] {
        assert_eq!(api.audited(action).await, times, "{action}");
    }
}

#[tokio::test]
async fn a_copy_that_fails_enables_nothing_and_removing_one_comes_before_forgetting_it() {
    let (endpoint, api) = start().await;
    endpoint.answers(500, json!({ "secret": "of the endpoint" }));
    let refusal = act(&api, "enable").await;
    refusal.expect_error(502, "UPSTREAM_001");
    assert_eq!(refusal.body["upstreamStatus"], 500);
    assert!(!refusal.body.to_string().contains("of the endpoint"));
    assert_eq!(api.get("/api/sync/cloud").await.expect(200)["enabled"], false);
    assert_eq!(
        api.get("/api/keys").await.expect(200)["total"],
        0,
        "a key nobody was shown would be lost"
    );
    act(&api, "sync").await.expect_error(409, "RESOURCE_002");

    endpoint.answers(200, json!({}));
    act(&api, "enable").await.expect(200);
    endpoint.answers(503, json!({}));
    act(&api, "disable").await.expect_error(502, "UPSTREAM_001");
    act(&api, "sync").await.expect_error(502, "UPSTREAM_001");
    let status = api.get("/api/sync/cloud").await.expect(200).clone();
    assert_eq!(
        status["enabled"], true,
        "the copy is still there, so it is still kept"
    );
    assert_eq!(status["connected"], false);
    assert!(status["lastError"].as_str().unwrap().contains("503"));

    let forced = json!({ "action": "disable", "force": true });
    api.post("/api/sync/cloud", forced).await.expect(200);
    assert_eq!(
        api.get("/api/sync/cloud").await.expect(200),
        &json!({ "enabled": false })
    );
    api.post("/api/sync/cloud", json!({ "action": "sync", "force": true }))
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn tokens_that_were_renewed_elsewhere_and_last_longer_are_taken_over() {
    let (endpoint, api) = start().await;
    let (longer, shorter, forged) = (
        account(&api, "claude").await,
        account(&api, "qwen").await,
        account(&api, "gemini").await,
    );
    let renewed = |id: Uuid, hours: i64, sealed_for: Uuid| {
        let end = Utc::now() + chrono::Duration::hours(hours);
        json!({
            "accessToken": seal(&sealed_for.to_string(), "access_token", "access-2"),
            "refreshToken": seal(&sealed_for.to_string(), "refresh_token", "refresh-2"),
            "expiresAt": end.to_rfc3339_opts(SecondsFormat::Millis, true),
            "id": id,
        })
    };
    let providers = json!({
        longer.to_string(): renewed(longer, 2, longer),
        shorter.to_string(): renewed(shorter, 0, shorter),
        forged.to_string(): renewed(forged, 2, longer),
        "no id": renewed(longer, 2, longer),
    });
    endpoint.answers(
        200,
        json!({ "data": { "providers": providers }, "changes": { "providers": 3 } }),
    );
    let done = act(&api, "enable").await.expect(200).clone();
    assert_eq!(done["changes"], json!({ "providers": 3, "tokensTakenOver": 1 }));
    let pair = |access: &str, refresh: &str| (access.to_owned(), refresh.to_owned());
    assert_eq!(tokens(&api, longer).await, pair("access-2", "refresh-2"));
    assert_eq!(
        tokens(&api, shorter).await,
        pair("access-1", "refresh-1"),
        "ours last longer"
    );
    assert_eq!(
        tokens(&api, forged).await,
        pair("access-1", "refresh-1"),
        "a token is sealed for its account"
    );
    assert_eq!(api.audited("cloud.credentials.updated").await, 1);

    act(&api, "sync").await.expect(200);
    assert_eq!(
        api.audited("cloud.credentials.updated").await,
        1,
        "the same tokens change nothing"
    );
}

#[tokio::test]
async fn a_change_of_the_configuration_is_copied_by_itself() {
    let (endpoint, api) = start().await;
    let status = api.get("/api/sync/initialize").await.expect(200).clone();
    assert_eq!(status["initialized"], false);
    let begun = api.post("/api/sync/initialize", json!({})).await;
    assert_eq!(begun.expect(200)["success"], true);
    let again = api.post("/api/sync/initialize", json!({})).await;
    assert!(again.expect(200).get("success").is_none());

    act(&api, "enable").await.expect(200);
    let alias = json!({ "alias": "late", "model": "openai/gpt-4o" });
    api.post("/api/models/alias", alias).await.expect(200);
    let copied = async || {
        let copied = endpoint.last("POST").body["modelAliases"]["late"].is_string();
        copied.then_some(())
    };
    wait_until("the change to be copied", Duration::from_secs(30), copied).await;
}

#[tokio::test]
async fn of_two_runs_at_once_one_is_told_to_wait() {
    let (_endpoint, api) = start().await;
    act(&api, "enable").await.expect(200);
    sqlx::query("update cloud_sync set claimed_until = now() + interval '1 minute'")
        .execute(api.db.pool())
        .await
        .unwrap();
    act(&api, "sync").await.expect_error(409, "OPERATION_IN_PROGRESS");
}
