//! Every operation of the management API does what it is for, at least once, in one installation that grows from nothing:
//! each answer is held against the document on its way ([`crate::contract`]), and an operation that nobody calls here
//! must be on the list of those that have tests of their own.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, header};
use proto::v1::{Asked, Explained, Probed, TriedProxy, command::Op, command_result::Answer as Done, probed};
use serde_json::{Value, json};
use testkit::{
    OAuthServer,
    oauth::{CLIENT_ID, CLIENT_SECRET},
};

use crate::{
    contract,
    data_plane::{DataPlane, Reply},
    support::{Api, provider},
    sync::account,
};

/// What ends the session or the process, or takes a browser or a file, and where it is shown instead.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("GET", "/api/auth/oidc/login", "e2e/sign-in.spec.ts"),
    ("GET", "/api/auth/oidc/callback", "e2e/sign-in.spec.ts"),
    ("GET", "/api/providers/client", "providers.rs: it is gone, 410"),
    ("POST", "/api/rate-limit", "rate_limits.rs: it redirects, 308"),
    ("POST", "/api/oauth/{provider}/exchange", "oauth.rs"),
    ("POST", "/api/oauth/{provider}/poll", "oauth.rs"),
    ("GET", "/api/oauth/codex/start-callback-server", "oauth.rs"),
    ("POST", "/api/oauth/codex/poll-callback", "oauth.rs"),
    ("GET", "/api/oauth/cursor/import", "oauth.rs: not offered, 409"),
    ("POST", "/api/oauth/cursor/import", "oauth.rs: not offered, 409"),
    (
        "GET",
        "/api/oauth/cursor/auto-import",
        "oauth.rs: not offered, 409",
    ),
    ("POST", "/api/oauth/kiro/import", "oauth.rs: not offered, 409"),
    ("GET", "/api/oauth/kiro/auto-import", "oauth.rs: not offered, 409"),
    (
        "GET",
        "/api/oauth/kiro/social-authorize",
        "oauth.rs: not offered, 409",
    ),
    (
        "POST",
        "/api/oauth/kiro/social-exchange",
        "oauth.rs: not offered, 409",
    ),
    ("GET", "/api/db-backups/export", "db_backups.rs"),
    ("GET", "/api/db-backups/exportAll", "db_backups/archive.rs"),
    ("POST", "/api/db-backups/import", "db_backups.rs"),
    ("POST", "/api/sync/cloud", "sync.rs"),
    ("PUT", "/api/cloud/credentials/update", "cloud.rs"),
    ("POST", "/api/restart", "operations.rs"),
    ("POST", "/api/shutdown", "operations.rs"),
    ("POST", "/api/dataplanes/{id}/drain", "operations.rs"),
    ("GET", "/api/operations/{id}", "operations.rs"),
    ("GET", "/api/explain/{request_id}", "explain.rs"),
    ("GET", "/api/usage/call-logs/{id}", "usage.rs"),
    ("GET", "/api/usage/stream", "log_stream.rs"),
    ("DELETE", "/api/evals/runs/{runId}", "evals.rs"),
];

/// An installation, what was learnt of it, and which operations did what they are for.
struct Tour {
    api: Api,
    /// Where accounts are signed in to; it ends with this.
    _sign_in: OAuthServer,
    known: BTreeMap<&'static str, String>,
    done: BTreeSet<(String, String)>,
    /// Whatever was not done, with the answer.
    refused: Vec<String>,
}

// === impl Tour ===

impl Tour {
    /// `{name}` in the path stands for what is known under it.
    async fn call(&mut self, method: &str, path: &str, body: Option<Value>) -> Value {
        let path = self.known.iter().fold(path.to_owned(), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), value)
        });
        let request = self.api.request(method.parse().unwrap(), &path, body);
        let answer = self.api.send(request).await;
        if !answer.status.is_success() {
            self.refused
                .push(format!("{method} {path}: {} {}", answer.status, answer.body));
        }
        let described = contract::template(path.split('?').next().unwrap()).unwrap();
        self.done.insert((method.to_owned(), described.to_owned()));
        if answer.headers.contains_key(header::SET_COOKIE) && path != "/api/auth/logout" {
            self.api.take_cookie(&answer);
        }
        answer.body
    }

    async fn get(&mut self, path: &str) -> Value {
        self.call("GET", path, None).await
    }

    async fn delete(&mut self, path: &str) -> Value {
        self.call("DELETE", path, None).await
    }

    /// The same by every verb of `methods`.
    async fn write(&mut self, methods: &str, path: &str, body: Value) -> Value {
        let mut answer = Value::Null;
        for method in methods.split(' ') {
            answer = self.call(method, path, Some(body.clone())).await;
        }
        answer
    }

    fn learn(&mut self, name: &'static str, value: &Value) {
        let value = value
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {:#?}", self.refused));
        self.known.insert(name, value.to_owned());
    }
}

/// A data plane that can do everything and does nothing.
fn obey(op: Op) -> Reply {
    match op {
        Op::Ask(_) => Reply::done(Done::Asked(Asked {
            ok: true,
            http_status: 200,
            body: json!({ "choices": [{ "message": { "role": "assistant", "content": "4" } }] })
                .to_string()
                .into(),
            ..Asked::default()
        })),
        Op::Explain(_) => Reply::done(Done::Explained(Explained {
            refusal: "no such model".to_owned(),
            data_plane_id: "dp-1".to_owned(),
            ..Explained::default()
        })),
        Op::Probe(probe) => Reply::done(Done::Probed(Probed {
            answers: probe
                .models
                .into_iter()
                .map(|model| probed::Answer {
                    model,
                    ok: true,
                    http_status: 200,
                    latency_ms: 1,
                    ..probed::Answer::default()
                })
                .collect(),
        })),
        Op::TryProxy(_) => Reply::done(Done::TriedProxy(TriedProxy {
            public_ip: "203.0.113.9".to_owned(),
            ..TriedProxy::default()
        })),
        _ => Reply::Acknowledged,
    }
}

async fn begin() -> Tour {
    let server = OAuthServer::start().await;
    let oauth = json!({
        "gemini": { "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "authorize_url": server.url("authorize"),
                    "token_url": server.url("token") },
        "qwen": { "client_id": CLIENT_ID, "device_url": server.url("device"), "token_url": server.url("token") },
    });
    let backups = tempfile::tempdir().unwrap().keep();
    let api = Api::start_with(|config| {
        config.oauth = serde_json::from_value(oauth).unwrap();
        config.allow_private_provider_urls = true;
        config.api_key_reveal = true;
        config.backup_dir = Some(backups);
    })
    .await;
    Tour {
        api,
        _sign_in: server,
        known: BTreeMap::new(),
        done: BTreeSet::new(),
        refused: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_does_what_it_is_for() {
    let mut tour = begin().await;
    let base = format!("http://{}/v1", provider().await);
    people(&mut tour).await;
    providers(&mut tour, &base).await;
    names(&mut tour).await;
    keys_and_money(&mut tour).await;
    settings(&mut tour).await;
    let plane = DataPlane::join_running(&tour.api, 1, obey).await;
    questions(&mut tour).await;
    drop(plane);
    observation(&mut tour).await;
    ends(&mut tour).await;
    assert!(tour.refused.is_empty(), "{:#?}", tour.refused);

    let paths = contract::document()["paths"].as_object().unwrap();
    let described = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| (method.to_uppercase(), path.clone()))
    });
    let elsewhere: BTreeSet<(String, String)> = ELSEWHERE
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    let untouched: Vec<_> = described
        .filter(|operation| !tour.done.contains(operation) && !elsewhere.contains(operation))
        .collect();
    assert!(untouched.is_empty(), "nobody called {untouched:#?}");
    let twice: Vec<_> = elsewhere.intersection(&tour.done).collect();
    assert!(twice.is_empty(), "called here after all: {twice:?}");
}

async fn people(tour: &mut Tour) {
    tour.get("/api/init").await;
    tour.get("/api/auth/status").await;
    tour.get("/api/settings/require-login").await;
    let first = tour.api.first_run_password.clone().unwrap();
    let mut password = first;
    for (n, method) in ["PUT", "PATCH", "POST"].into_iter().enumerate() {
        let next = format!("a good password, number {n}");
        let body = json!({ "password": next, "currentPassword": password });
        tour.write(method, "/api/settings/require-login", body).await;
        password = next;
    }
    tour.write("POST", "/api/auth/login", json!({ "password": password }))
        .await;
    tour.get("/api/accounts/me").await;
    let body = json!({ "password": "another good password", "currentPassword": password });
    tour.write("PATCH", "/api/accounts/me", body).await;
    let body = json!({ "username": "anna", "role": "viewer", "password": "the password of anna" });
    let made = tour.write("POST", "/api/accounts", body).await;
    tour.learn("person", &made["id"]);
    tour.get("/api/accounts").await;
    tour.write("PATCH", "/api/accounts/{person}", json!({ "role": "operator" }))
        .await;
    tour.delete("/api/accounts/{person}").await;
    let made = tour
        .write(
            "POST",
            "/api/tokens",
            json!({ "name": "ci", "scopes": ["*:read"] }),
        )
        .await;
    tour.learn("token", &made["id"]);
    tour.get("/api/tokens").await;
    tour.delete("/api/tokens/{token}").await;
}

async fn providers(tour: &mut Tour, base: &str) {
    let body = json!({ "provider": "openai", "name": "n", "apiKey": "right", "providerSpecificData": { "baseUrl": base } });
    let made = tour.write("POST", "/api/providers", body).await;
    tour.learn("connection", &made["connection"]["id"]);
    tour.get("/api/providers").await;
    tour.get("/api/providers/{connection}").await;
    tour.write("PUT PATCH", "/api/providers/{connection}", json!({ "name": "m" }))
        .await;
    tour.write("POST", "/api/providers/{connection}/test", json!({}))
        .await;
    tour.get("/api/providers/{connection}/models").await;
    let body = json!({ "provider": "openai", "apiKey": "right", "baseUrl": base });
    tour.write("POST", "/api/providers/validate", body).await;
    tour.write("POST", "/api/providers/test-batch", json!({ "mode": "all" }))
        .await;

    let body = json!({ "name": "mine", "prefix": "mine", "type": "openai-compatible", "apiType": "chat", "baseUrl": base });
    let made = tour.write("POST", "/api/provider-nodes", body).await;
    tour.learn("node", &made["node"]["id"]);
    tour.get("/api/provider-nodes").await;
    tour.get("/api/provider-nodes/{node}").await;
    let whole = json!({ "name": "ours", "prefix": "mine", "baseUrl": base });
    tour.write("PUT", "/api/provider-nodes/{node}", whole).await;
    tour.write("PATCH", "/api/provider-nodes/{node}", json!({ "name": "ours" }))
        .await;
    let body = json!({ "apiKey": "right", "baseUrl": base });
    tour.write("POST", "/api/provider-nodes/validate", body).await;
    let body = json!({ "provider": "openai", "modelId": "gpt-mine", "modelName": "Mine" });
    tour.write("POST", "/api/provider-models", body).await;
    tour.get("/api/provider-models").await;
    tour.delete("/api/provider-models?provider=openai&model=gpt-mine")
        .await;

    tour.get("/api/oauth/providers").await;
    tour.get("/api/oauth/gemini/authorize").await;
    tour.get("/api/oauth/qwen/device-code").await;
    account(&tour.api, "claude").await;
    tour.get("/api/token-health").await;
}

async fn names(tour: &mut Tour) {
    let body = json!({ "alias": "fast", "model": "openai/gpt-4o" });
    tour.write("PUT POST", "/api/models/alias", body.clone()).await;
    tour.get("/api/models/alias").await;
    tour.get("/api/models").await;
    tour.get("/api/models/catalog").await;
    tour.get("/api/models/availability").await;
    tour.write(
        "POST",
        "/api/models/availability",
        json!({ "model": "openai/gpt-4o" }),
    )
    .await;
    tour.delete("/api/models/availability?model=openai/gpt-4o").await;
    tour.write("PUT", "/api/cloud/models/alias", body).await;
    tour.get("/api/cloud/models/alias").await;
    tour.call("POST", "/api/cloud/auth", None).await;
    tour.write("POST", "/api/cloud/model/resolve", json!({ "alias": "fast" }))
        .await;
    tour.delete("/api/models/alias?alias=fast").await;

    let made = tour
        .write(
            "POST",
            "/api/combos",
            json!({ "name": "pair", "models": ["openai/gpt-4o"] }),
        )
        .await;
    tour.learn("combo", &made["id"]);
    tour.get("/api/combos").await;
    tour.get("/api/combos/{combo}").await;
    tour.write(
        "PUT PATCH",
        "/api/combos/{combo}",
        json!({ "models": ["openai/gpt-4o", "openai/gpt-5"] }),
    )
    .await;
    tour.get("/api/combos/metrics").await;
    tour.delete("/api/combos/metrics").await;

    let chain = json!({ "model": "gpt-4o", "chain": [{ "provider": "openai" }] });
    tour.write("POST PUT", "/api/fallback/chains", chain).await;
    tour.get("/api/fallback/chains").await;
    tour.delete("/api/fallback/chains?model=gpt-4o").await;
    let policy = json!({ "name": "p", "type": "access", "actions": { "block_model": ["secret/*"] } });
    let made = tour.write("POST", "/api/policies", policy).await;
    tour.learn("policy", &made["policy"]["id"]);
    tour.get("/api/policies").await;
    let change = json!({ "id": tour.known["policy"], "enabled": false });
    tour.write("PUT", "/api/policies", change).await;
    tour.delete("/api/policies?id={policy}").await;
}

async fn keys_and_money(tour: &mut Tour) {
    let made = tour.write("POST", "/api/keys", json!({ "name": "laptop" })).await;
    tour.learn("key", &made["id"]);
    tour.get("/api/keys").await;
    tour.get("/api/keys/{key}").await;
    tour.write("PUT PATCH", "/api/keys/{key}", json!({ "rpm": 5 }))
        .await;
    tour.write("POST", "/api/keys/{key}/regenerate", json!({})).await;
    tour.get("/api/keys/{key}/reveal").await;

    tour.get("/api/pricing").await;
    tour.get("/api/pricing/defaults").await;
    tour.get("/api/pricing/models").await;
    let period = json!({ "provider": "openai", "model": "gpt-4o", "effectiveFrom": "2026-01-01T00:00:00Z", "input": 1 });
    tour.write("PUT", "/api/pricing/periods", period).await;
    tour.get("/api/pricing/periods").await;
    tour.delete("/api/pricing/periods?provider=openai&model=gpt-4o&effectiveFrom=2026-01-01T00:00:00Z")
        .await;
    let range = json!({ "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z" });
    tour.write("POST", "/api/pricing/reprice", range).await;
    tour.get("/api/pricing/reprice").await;
    let price = json!({ "openai": { "gpt-4o": { "input": 1.0, "output": 2.0 } } });
    tour.write("PATCH PUT", "/api/pricing", price).await;
    tour.delete("/api/pricing?provider=openai&model=gpt-4o").await;
    let budget = json!({ "keyId": tour.known["key"], "limit": 50.0, "period": "monthly" });
    tour.write("POST PUT", "/api/usage/budget", budget).await;
    tour.get("/api/usage/budget").await;
    tour.delete("/api/usage/budget?apiKeyId={key}").await;
    tour.delete("/api/keys/{key}").await;
}

async fn settings(tour: &mut Tour) {
    for (path, body) in [
        ("/api/settings", json!({ "stickyRoundRobinLimit": 2 })),
        (
            "/api/settings/combo-defaults",
            json!({ "comboDefaults": { "maxRetries": 1 } }),
        ),
        (
            "/api/settings/proxy",
            json!({ "global": { "host": "127.0.0.1", "port": 8080 } }),
        ),
        (
            "/api/settings/ip-filter",
            json!({ "addBlacklist": "203.0.113.9" }),
        ),
        ("/api/settings/thinking-budget", json!({ "mode": "auto" })),
        ("/api/settings/system-prompt", json!({ "prompt": "Be brief." })),
        (
            "/api/resilience",
            json!({ "profiles": { "apikey": { "circuitBreakerThreshold": 4 } } }),
        ),
    ] {
        tour.get(path).await;
        tour.write("PUT PATCH", path, body).await;
    }
    tour.write("POST", "/api/settings/proxy/test", json!({ "level": "global" }))
        .await;
    tour.delete("/api/settings/proxy?level=global").await;
    tour.write("POST", "/api/resilience/reset", json!({})).await;
    tour.get("/api/rate-limits").await;
    let limits = json!({ "connectionId": tour.known["connection"], "enabled": true });
    tour.write("POST PUT", "/api/rate-limits", limits).await;
    tour.get("/api/rate-limit").await;
    tour.write("PUT PATCH", "/api/rate-limit", json!({ "requestsPerMinute": 60 }))
        .await;
    tour.get("/api/sync/cloud").await;
    tour.get("/api/sync/initialize").await;
    tour.call("POST", "/api/sync/initialize", None).await;
}

/// What takes a data plane.
async fn questions(tour: &mut Tour) {
    tour.get("/api/dataplanes").await;
    tour.write("POST", "/api/combos/test", json!({ "comboName": "pair" }))
        .await;
    tour.write("POST", "/api/explain", json!({ "model": "pair" }))
        .await;
    let body = json!({ "model": "openai/gpt-4o", "messages": [{ "role": "user", "content": "hi" }] });
    tour.write("POST", "/api/translator/detect", json!({ "body": body }))
        .await;
    let translate = json!({ "targetFormat": "gemini", "body": body });
    tour.write("POST", "/api/translator/translate", translate).await;
    let send = json!({ "model": "openai/gpt-4o", "body": body });
    tour.write("POST", "/api/translator/send", send).await;
    tour.get("/api/translator/history").await;

    let case = json!({
        "id": "c", "name": "C", "input": { "messages": [{ "role": "user", "content": "2+2" }] },
        "expected": { "strategy": "contains", "value": "4" },
    });
    let suite = json!({ "name": "sums", "description": "mine", "cases": [case] });
    tour.write("PUT", "/api/evals/sums", suite).await;
    tour.get("/api/evals").await;
    tour.get("/api/evals/sums").await;
    let target = json!({ "type": "model", "id": "openai/gpt-4o" });
    let run = tour
        .write(
            "POST",
            "/api/evals",
            json!({ "suiteId": "sums", "target": target }),
        )
        .await;
    tour.learn("run", &run["runId"]);
    tour.get("/api/evals/runs/{run}").await;
    tour.delete("/api/evals/sums").await;

    for (method, path) in [
        ("GET", "/api/cli-tools/status"),
        ("GET", "/api/cli-tools/runtime/claude"),
        ("GET", "/api/cli-tools/claude-settings"),
        ("DELETE", "/api/cli-tools/claude-settings"),
    ] {
        tour.call(method, path, None).await;
    }
    let settings = json!({ "env": { "ANTHROPIC_BASE_URL": "http://gateway.test:20128" } });
    tour.write("POST", "/api/cli-tools/claude-settings", settings)
        .await;
}

async fn observation(tour: &mut Tour) {
    for path in [
        "/api/usage/history",
        "/api/usage/logs",
        "/api/usage/request-logs",
        "/api/usage/call-logs",
        "/api/usage/proxy-logs",
        "/api/usage/analytics",
        "/api/usage/{connection}",
        "/api/sessions",
        "/api/monitoring/health",
        "/api/cache",
        "/api/cache/stats",
        "/api/telemetry/summary",
        "/api/storage/health",
        "/api/provider-metrics",
        "/api/logs/console",
        "/api/logs/export",
        "/api/compliance/audit-log",
    ] {
        tour.get(path).await;
    }
    for path in [
        "/api/cache",
        "/api/cache/stats",
        "/api/monitoring/health",
        "/api/usage/proxy-logs",
    ] {
        tour.delete(path).await;
    }
}

async fn ends(tour: &mut Tour) {
    let made = tour.call("PUT", "/api/db-backups", None).await;
    let id = made["id"].clone();
    tour.get("/api/db-backups").await;
    tour.write("POST", "/api/db-backups", json!({ "backupId": id }))
        .await;
    tour.write("DELETE", "/api/db-backups", json!({ "keepLatest": 1 }))
        .await;
    tour.delete("/api/combos/{combo}").await;
    tour.delete("/api/provider-nodes/{node}").await;
    tour.delete("/api/providers/{connection}").await;
    tour.call(Method::POST.as_str(), "/api/auth/logout", None).await;
}
