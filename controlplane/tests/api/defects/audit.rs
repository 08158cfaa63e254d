//! The first version wrote two actions down and no others.

use serde_json::{Value, json};

use crate::{
    db_backups::Kept,
    resilience::{down, provider},
    support::Api,
};

/// Actions on what there is only one of, which their names say: these need no target.
const WHOLE: [&str; 10] = [
    "cache.cleared",
    "combo.metrics.reset",
    "model.cooldown.cleared",
    "pricing.",
    "resilience.",
    "settings.",
    "usage.proxyLogs.cleared",
    "backup.cleaned",
    "cloud.sync.",
    "auth.",
];

/// One entry of the trail.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    action: String,
    actor: String,
    status: String,
    ip: Option<String>,
    target_kind: Option<String>,
    target_id: Option<String>,
}

/// Makes a change, and finds it in the audit trail: once, by whom, of what, and from where.
async fn change(api: &Api, method: &str, path: &str, body: Value) -> Value {
    let body = (!body.is_null()).then_some(body);
    let answer = api.send(api.request(method.parse().unwrap(), path, body)).await;
    assert!(
        answer.status.is_success(),
        "{method} {path}: {} {}",
        answer.status,
        answer.body
    );
    if answer.headers.contains_key("set-cookie") {
        api.take_cookie(&answer);
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select action, actor, status, ip, target_kind, target_id from audit_log where request_id = $1",
    )
    .bind(answer.header("x-request-id"))
    .fetch_all(api.db.pool())
    .await
    .unwrap();
    let [row] = &rows[..] else {
        panic!("{method} {path} is in the trail {} times: {rows:?}", rows.len());
    };
    assert_eq!(
        (row.actor.as_str(), row.status.as_str(), row.ip.as_deref()),
        ("admin", "success", Some("127.0.0.1")),
        "{method} {path}"
    );
    let names_it = row.target_kind.is_some() && row.target_id.as_deref().is_some_and(|id| !id.is_empty());
    let is_whole = WHOLE.iter().any(|one| row.action.starts_with(one));
    assert!(names_it || is_whole, "of what? {row:?}");
    answer.body
}

fn at(path: &str, made: &Value) -> String {
    let id = ["connection", "node", "policy"]
        .into_iter()
        .find_map(|inner| made[inner]["id"].as_str())
        .or(made["id"].as_str());
    format!("{path}/{}", id.unwrap_or_else(|| panic!("no id: {made}")))
}

#[tokio::test]
async fn every_change_of_a_resource_is_in_the_trail_once() {
    let Kept { api, .. } = &Kept::start().await;
    let key = change(api, "POST", "/api/keys", json!({ "name": "ci" })).await;
    let path = at("/api/keys", &key);
    change(api, "PATCH", &path, json!({ "rpm": 5 })).await;
    change(api, "PUT", &path, json!({ "name": "cd" })).await;
    change(api, "POST", &format!("{path}/regenerate"), json!({})).await;
    let budget = json!({ "apiKeyId": key["id"], "dailyLimitUsd": 1 });
    change(api, "POST", "/api/usage/budget", budget).await;
    let budget = format!("/api/usage/budget?apiKeyId={}", key["id"].as_str().unwrap());
    change(api, "DELETE", &budget, Value::Null).await;
    change(api, "DELETE", &path, Value::Null).await;

    let body = json!({ "provider": "openai", "name": "n", "apiKey": "sk-0123456789" });
    let made = change(api, "POST", "/api/providers", body.clone()).await;
    change(api, "POST", "/api/providers", body).await;
    let path = at("/api/providers", &made);
    change(api, "PATCH", &path, json!({ "name": "m" })).await;
    let protection = json!({ "connectionId": made["connection"]["id"], "enabled": true });
    change(api, "PUT", "/api/rate-limits", protection).await;
    change(api, "DELETE", &path, Value::Null).await;
    let body = json!({ "name": "n", "prefix": "p", "apiType": "chat", "baseUrl": "https://host.test/v1" });
    let path = at(
        "/api/provider-nodes",
        &change(api, "POST", "/api/provider-nodes", body).await,
    );
    change(api, "PATCH", &path, json!({ "name": "m" })).await;
    let model = json!({ "provider": "p", "modelId": "m" });
    change(api, "POST", "/api/provider-models", model).await;
    change(
        api,
        "DELETE",
        "/api/provider-models?provider=p&model=m",
        Value::Null,
    )
    .await;
    change(api, "DELETE", &path, Value::Null).await;

    let alias = json!({ "alias": "fast", "model": "openai/gpt-4o" });
    change(api, "PUT", "/api/models/alias", alias).await;
    change(api, "DELETE", "/api/models/alias?alias=fast", Value::Null).await;
    let combo = json!({ "name": "c", "models": ["openai/gpt-4o"] });
    let path = at("/api/combos", &change(api, "POST", "/api/combos", combo).await);
    change(api, "PATCH", &path, json!({ "name": "d" })).await;
    change(api, "DELETE", &path, Value::Null).await;
    let chain = json!({ "model": "m", "chain": [{ "provider": "openai" }] });
    change(api, "POST", "/api/fallback/chains", chain).await;
    change(api, "DELETE", "/api/fallback/chains?model=m", Value::Null).await;
    let policy = json!({ "name": "p", "type": "access", "actions": { "block_model": ["x"] } });
    let made = change(api, "POST", "/api/policies", policy).await;
    let id = &made["policy"]["id"];
    change(api, "PUT", "/api/policies", json!({ "id": id, "enabled": false })).await;
    let path = format!("/api/policies?id={}", id.as_str().unwrap());
    change(api, "DELETE", &path, Value::Null).await;
    let unlock = json!({ "action": "unlock", "identifier": "login:192.0.2.1" });
    change(api, "POST", "/api/policies", unlock).await;

    let case = json!({ "id": "c", "name": "C", "input": { "messages": [{ "role": "user", "content": "?" }] },
                       "expected": { "strategy": "contains", "value": "!" } });
    let suite = json!({ "name": "mine", "cases": [case] });
    change(api, "PUT", "/api/evals/mine", suite).await;
    let run = json!({ "suiteId": "mine", "outputs": { "c": "!" } });
    change(api, "POST", "/api/evals", run).await;
    change(api, "DELETE", "/api/evals/mine", Value::Null).await;

    let account = json!({ "username": "anna", "role": "viewer", "password": "the password of anna" });
    let path = at(
        "/api/accounts",
        &change(api, "POST", "/api/accounts", account).await,
    );
    change(api, "PATCH", &path, json!({ "role": "operator" })).await;
    change(api, "DELETE", &path, Value::Null).await;
    let token = json!({ "name": "t", "scopes": ["*:read"] });
    let path = at("/api/tokens", &change(api, "POST", "/api/tokens", token).await);
    change(api, "DELETE", &path, Value::Null).await;
}

#[tokio::test]
async fn every_change_of_the_whole_is_in_the_trail_once() {
    let Kept { api, .. } = &Kept::start().await;
    for (method, path, body) in [
        ("PATCH", "/api/settings", json!({ "stickyRoundRobinLimit": 2 })),
        (
            "PUT",
            "/api/settings/combo-defaults",
            json!({ "comboDefaults": { "maxRetries": 1 } }),
        ),
        (
            "PUT",
            "/api/settings/proxy",
            json!({ "global": { "host": "proxy.test", "port": 8080 } }),
        ),
        ("DELETE", "/api/settings/proxy?level=global", Value::Null),
        (
            "PUT",
            "/api/settings/ip-filter",
            json!({ "addBlacklist": "203.0.113.9" }),
        ),
        (
            "PUT",
            "/api/settings/ip-filter",
            json!({ "tempBan": { "ip": "203.0.113.8" } }),
        ),
        (
            "PUT",
            "/api/settings/ip-filter",
            json!({ "removeBan": "203.0.113.8" }),
        ),
        ("PUT", "/api/settings/thinking-budget", json!({ "mode": "auto" })),
        (
            "PUT",
            "/api/settings/system-prompt",
            json!({ "prompt": "Be brief." }),
        ),
        ("PUT", "/api/rate-limit", json!({ "requestsPerMinute": 60 })),
        (
            "PATCH",
            "/api/pricing",
            json!({ "openai": { "gpt-4o": { "input": 1 } } }),
        ),
        ("DELETE", "/api/pricing?provider=openai&model=gpt-4o", Value::Null),
        (
            "PUT",
            "/api/resilience",
            json!({ "defaults": { "concurrentRequests": 4 } }),
        ),
        ("POST", "/api/resilience/reset", json!({})),
        ("DELETE", "/api/cache", Value::Null),
        ("DELETE", "/api/cache/stats", Value::Null),
        ("DELETE", "/api/combos/metrics", Value::Null),
        ("DELETE", "/api/monitoring/health", Value::Null),
        ("DELETE", "/api/usage/proxy-logs", Value::Null),
        (
            "POST",
            "/api/cli-tools/claude-settings",
            json!({ "env": { "ANTHROPIC_BASE_URL": "https://gateway.test" } }),
        ),
    ] {
        change(api, method, path, body).await;
    }
    api.store.note_health(&[down(provider("openai"))]).await.unwrap();
    change(
        api,
        "DELETE",
        "/api/models/availability?provider=openai",
        Value::Null,
    )
    .await;

    let backup = change(api, "PUT", "/api/db-backups?force=true", Value::Null).await;
    change(
        api,
        "POST",
        "/api/db-backups",
        json!({ "backupId": backup["id"] }),
    )
    .await;
    change(api, "DELETE", "/api/db-backups", json!({ "keepLatest": 1 })).await;

    let first = api.first_run_password.clone().unwrap();
    let password = json!({ "password": "a new password", "currentPassword": first });
    change(api, "PUT", "/api/settings/require-login", password).await;
    let password = json!({ "password": "a newer password", "currentPassword": "a new password" });
    change(api, "PATCH", "/api/accounts/me", password).await;
}
