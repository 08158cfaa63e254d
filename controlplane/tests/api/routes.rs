//! Every operation of the management API: that it is there, who may call it, and what it says to a wrong method.
//!
//! The table is the contract's list. An operation that the document describes and the table does not have fails here,
//! and so does one of the table that is not there.

use std::collections::BTreeSet;

use axum::http::{HeaderName, HeaderValue, Method, header};
use serde_json::json;

use crate::{contract, support::Api};

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    Anybody,
    /// Anybody who is logged in at the dashboard.
    Person,
    /// Everybody who may look, programs included.
    Read,
    Operate,
    Administer,
    /// An administrator at the dashboard.
    AdministerInPerson,
    OwnInPerson,
    /// As `Operate`, and a key whose scope is `cloud`.
    Cloud,
}

use May::*;

const ROUTES: &[(&str, &str, May)] = &[
    ("POST", "/api/auth/login", Anybody),
    ("POST", "/api/auth/logout", Anybody),
    ("GET", "/api/auth/status", Anybody),
    ("GET", "/api/auth/oidc/login", Anybody),
    ("GET", "/api/auth/oidc/callback", Anybody),
    ("GET", "/api/settings/require-login", Anybody),
    (
        "PUT PATCH POST",
        "/api/settings/require-login",
        AdministerInPerson,
    ),
    ("GET", "/api/accounts/me", Person),
    ("PATCH", "/api/accounts/me", Person),
    ("GET", "/api/accounts", AdministerInPerson),
    ("POST", "/api/accounts", OwnInPerson),
    ("PATCH DELETE", "/api/accounts/{id}", OwnInPerson),
    ("GET POST", "/api/tokens", AdministerInPerson),
    ("DELETE", "/api/tokens/{id}", AdministerInPerson),
    ("GET", "/api/providers", Read),
    ("POST", "/api/providers", Operate),
    ("GET", "/api/providers/{id}", Read),
    ("PUT PATCH DELETE", "/api/providers/{id}", Operate),
    ("POST", "/api/providers/{id}/test", Operate),
    ("GET", "/api/providers/{id}/models", Operate),
    ("POST", "/api/providers/validate", Operate),
    ("POST", "/api/providers/test-batch", Operate),
    ("GET", "/api/providers/client", Read),
    ("GET", "/api/oauth/providers", AdministerInPerson),
    ("GET", "/api/oauth/{provider}/authorize", AdministerInPerson),
    ("POST", "/api/oauth/{provider}/exchange", AdministerInPerson),
    ("GET", "/api/oauth/{provider}/device-code", AdministerInPerson),
    ("POST", "/api/oauth/{provider}/poll", AdministerInPerson),
    (
        "GET",
        "/api/oauth/codex/start-callback-server",
        AdministerInPerson,
    ),
    ("POST", "/api/oauth/codex/poll-callback", AdministerInPerson),
    ("GET POST", "/api/oauth/cursor/import", AdministerInPerson),
    ("GET", "/api/oauth/cursor/auto-import", AdministerInPerson),
    ("POST", "/api/oauth/kiro/import", AdministerInPerson),
    ("GET", "/api/oauth/kiro/auto-import", AdministerInPerson),
    ("GET", "/api/oauth/kiro/social-authorize", AdministerInPerson),
    ("POST", "/api/oauth/kiro/social-exchange", AdministerInPerson),
    ("GET", "/api/cli-tools/status", Operate),
    ("GET", "/api/cli-tools/runtime/{toolId}", Operate),
    ("GET POST DELETE", "/api/cli-tools/{settings}", Operate),
    ("GET", "/api/provider-nodes", Read),
    ("POST", "/api/provider-nodes", Operate),
    ("GET", "/api/provider-nodes/{id}", Read),
    ("PUT PATCH DELETE", "/api/provider-nodes/{id}", Operate),
    ("POST", "/api/provider-nodes/validate", Operate),
    ("GET", "/api/provider-models", Read),
    ("POST DELETE", "/api/provider-models", Operate),
    ("GET", "/api/models", Read),
    ("GET", "/api/models/alias", Read),
    ("PUT POST DELETE", "/api/models/alias", Operate),
    ("GET", "/api/models/catalog", Read),
    ("GET", "/api/models/availability", Read),
    ("POST DELETE", "/api/models/availability", Operate),
    ("GET", "/api/combos", Read),
    ("POST", "/api/combos", Operate),
    ("GET", "/api/combos/{id}", Read),
    ("PUT PATCH DELETE", "/api/combos/{id}", Operate),
    ("GET", "/api/combos/metrics", Read),
    ("DELETE", "/api/combos/metrics", Operate),
    ("POST", "/api/combos/test", Operate),
    ("GET", "/api/keys", Read),
    ("POST", "/api/keys", Administer),
    ("GET", "/api/keys/{id}", Read),
    ("PUT PATCH DELETE", "/api/keys/{id}", Administer),
    ("POST", "/api/keys/{id}/regenerate", AdministerInPerson),
    ("GET", "/api/keys/{id}/reveal", AdministerInPerson),
    ("GET", "/api/pricing", Read),
    ("PATCH PUT DELETE", "/api/pricing", Operate),
    ("GET", "/api/pricing/defaults", Read),
    ("GET", "/api/pricing/models", Read),
    ("GET", "/api/pricing/periods", Read),
    ("PUT DELETE", "/api/pricing/periods", Operate),
    ("GET", "/api/pricing/reprice", Read),
    ("POST", "/api/pricing/reprice", Operate),
    ("GET", "/api/usage/history", Read),
    ("GET", "/api/usage/logs", Read),
    ("GET", "/api/usage/request-logs", Read),
    ("GET", "/api/usage/proxy-logs", Read),
    ("DELETE", "/api/usage/proxy-logs", Operate),
    ("GET", "/api/usage/{connectionId}", Read),
    ("GET", "/api/usage/analytics", Read),
    ("GET", "/api/usage/call-logs", Read),
    ("GET", "/api/usage/call-logs/{id}", Read),
    ("GET", "/api/usage/stream", Read),
    ("GET", "/api/logs/export", Read),
    ("GET", "/api/usage/budget", Read),
    ("POST PUT DELETE", "/api/usage/budget", Administer),
    ("GET", "/api/settings", Read),
    ("PUT PATCH", "/api/settings", Administer),
    ("GET", "/api/settings/combo-defaults", Read),
    ("PUT PATCH", "/api/settings/combo-defaults", Operate),
    ("GET", "/api/settings/proxy", Read),
    ("PUT PATCH DELETE", "/api/settings/proxy", Administer),
    ("POST", "/api/settings/proxy/test", Operate),
    ("GET", "/api/settings/ip-filter", Read),
    ("PUT PATCH", "/api/settings/ip-filter", Administer),
    ("GET", "/api/settings/thinking-budget", Read),
    ("PUT PATCH", "/api/settings/thinking-budget", Operate),
    ("GET", "/api/settings/system-prompt", Read),
    ("PUT PATCH", "/api/settings/system-prompt", Operate),
    ("GET", "/api/sessions", Read),
    ("GET", "/api/rate-limits", Read),
    ("POST PUT", "/api/rate-limits", Operate),
    ("GET", "/api/rate-limit", Read),
    ("PUT PATCH POST", "/api/rate-limit", Operate),
    ("GET", "/api/monitoring/health", Anybody),
    ("DELETE", "/api/monitoring/health", Operate),
    ("GET", "/api/cache", Read),
    ("DELETE", "/api/cache", Operate),
    ("GET", "/api/cache/stats", Read),
    ("DELETE", "/api/cache/stats", Operate),
    ("GET", "/api/telemetry/summary", Read),
    ("GET", "/api/resilience", Read),
    ("PUT PATCH", "/api/resilience", Operate),
    ("POST", "/api/resilience/reset", Operate),
    ("GET", "/api/evals", Read),
    ("POST", "/api/evals", Operate),
    ("GET", "/api/evals/{suiteId}", Read),
    ("PUT DELETE", "/api/evals/{suiteId}", Operate),
    ("GET", "/api/evals/runs/{runId}", Read),
    ("DELETE", "/api/evals/runs/{runId}", Operate),
    ("GET", "/api/policies", Read),
    ("POST PUT DELETE", "/api/policies", Operate),
    ("GET", "/api/compliance/audit-log", Read),
    ("GET", "/api/db-backups", Read),
    ("PUT DELETE", "/api/db-backups", Administer),
    ("POST", "/api/db-backups", AdministerInPerson),
    ("GET", "/api/db-backups/export", Administer),
    ("GET", "/api/db-backups/exportAll", AdministerInPerson),
    ("POST", "/api/db-backups/import", AdministerInPerson),
    ("GET", "/api/sync/cloud", Read),
    ("POST", "/api/sync/cloud", AdministerInPerson),
    ("GET", "/api/sync/initialize", Read),
    ("POST", "/api/sync/initialize", Operate),
    ("POST", "/api/cloud/auth", Cloud),
    ("PUT", "/api/cloud/credentials/update", Cloud),
    ("POST", "/api/cloud/model/resolve", Cloud),
    ("GET PUT", "/api/cloud/models/alias", Cloud),
    ("GET", "/api/init", Anybody),
    ("POST", "/api/restart", Administer),
    ("POST", "/api/shutdown", Administer),
    ("GET", "/api/fallback/chains", Read),
    ("POST PUT DELETE", "/api/fallback/chains", Operate),
    ("GET", "/api/token-health", Read),
    ("GET", "/api/storage/health", Read),
    ("GET", "/api/provider-metrics", Read),
    ("GET", "/api/logs/console", Operate),
    ("POST", "/api/translator/detect", Operate),
    ("POST", "/api/translator/translate", Operate),
    ("POST", "/api/translator/send", Operate),
    ("GET", "/api/translator/history", Read),
    ("GET", "/api/dataplanes", Read),
    ("POST", "/api/dataplanes/{id}/drain", Administer),
    ("GET", "/api/operations/{id}", Read),
    ("POST", "/api/explain", Operate),
    ("GET", "/api/explain/{request_id}", Read),
];

/// One of each kind of caller, and whether it is let through to what takes `May`.
type Caller = (&'static str, fn(May) -> bool);

const CALLERS: &[Caller] = &[
    ("nobody", |may| may == Anybody),
    ("inference key", |may| may == Anybody),
    ("read key", |may| matches!(may, Anybody | Read)),
    ("manage key", |may| {
        matches!(may, Anybody | Read | Operate | Administer | Cloud)
    }),
    ("cloud key", |may| matches!(may, Anybody | Cloud)),
    ("reading token", |may| matches!(may, Anybody | Read)),
    ("writing token", |may| {
        matches!(may, Anybody | Read | Operate | Administer | Cloud)
    }),
    ("viewer", |may| matches!(may, Anybody | Person | Read)),
    ("operator", |may| {
        matches!(may, Anybody | Person | Read | Operate | Cloud)
    }),
    ("admin", |may| may != OwnInPerson),
    ("owner", |_| true),
];

const PASSWORD: &str = "correct horse battery staple";

fn routes() -> impl Iterator<Item = (Method, &'static str, May)> {
    ROUTES.iter().flat_map(|(methods, path, may)| {
        let methods = methods.split(' ');
        methods.map(move |method| (method.parse().unwrap(), *path, *may))
    })
}

fn concrete(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment.starts_with('{') {
        true => "0190b6a0-0000-7000-8000-000000000000",
        false => segment,
    });
    let path = Vec::from_iter(segments).join("/");
    match path.as_str() {
        // a stream that begins does not end
        "/api/usage/stream" => format!("{path}?status=none"),
        _ => path,
    }
}

#[test]
fn the_table_and_the_document_name_the_same_operations() {
    let table: BTreeSet<(String, String)> = routes()
        .map(|(method, path, _)| (method.to_string(), path.to_owned()))
        .collect();
    let paths = contract::document()["paths"].as_object().unwrap();
    let described: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let missing: Vec<_> = table.difference(&described).collect();
    let unlisted: Vec<_> = described.difference(&table).collect();
    assert!(
        missing.is_empty() && unlisted.is_empty(),
        "missing {missing:?}, unlisted {unlisted:?}"
    );
}

#[tokio::test]
async fn every_operation_lets_through_whom_it_should_and_nobody_else() {
    let api = Api::start_with(|config| {
        config.allow_self_restart = Some(false);
        config.allow_shutdown = Some(false);
        config.api_key_reveal = true;
        config.rate_limit_per_minute = 0;
    })
    .await;
    for (name, is_let_through) in CALLERS {
        let credential = credential(&api, name).await;
        for (method, path, may) in routes() {
            // ends the session that the others need
            if path == "/api/auth/logout" {
                continue;
            }
            let mut request = api.request(method.clone(), &concrete(path), Some(json!({})));
            let headers = request.headers_mut();
            headers.remove(header::COOKIE);
            // a program has to know what it asks for
            headers.insert("x-export-confirm", HeaderValue::from_static("1"));
            if let Some((header, value)) = &credential {
                request.headers_mut().insert(header, value.parse().unwrap());
            }
            let answer = api.send(request).await;
            let refusal = if *name == "nobody" { "AUTH_001" } else { "AUTH_004" };
            assert_eq!(
                answer.body["error"]["code"] != refusal,
                is_let_through(may),
                "{method} {path} by {name}: {} {}",
                answer.status,
                answer.body
            );
        }
    }
}

async fn credential(api: &Api, name: &str) -> Option<(HeaderName, String)> {
    let bearer = |text: &str| Some((header::AUTHORIZATION, format!("Bearer {text}")));
    match name.split_once(' ') {
        Some((scope, "key")) => bearer(&api.key(&[scope]).await),
        Some((kind, _)) => {
            let scope = if kind == "reading" { "*:read" } else { "*:write" };
            let made = api
                .post("/api/tokens", json!({ "name": "t", "scopes": [scope] }))
                .await;
            bearer(made.expect(201)["token"].as_str().unwrap())
        }
        None if name == "nobody" => None,
        None => {
            // the first account has the name `admin`
            let username = if name == "admin" { "anna" } else { name };
            let account = json!({ "username": username, "role": name, "password": PASSWORD });
            api.post("/api/accounts", account).await.expect(201);
            let client = api.for_client_at("127.0.0.1:50001");
            let login = json!({ "username": username, "password": PASSWORD });
            client.take_cookie(&client.post("/api/auth/login", login).await);
            let cookie = client.cookie.lock().clone();
            Some((header::COOKIE, cookie.unwrap()))
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let api = Api::start().await;
    let paths: BTreeSet<&str> = routes().map(|(_, path, _)| path).collect();
    for path in paths {
        let known: BTreeSet<String> = routes()
            .filter(|(_, one, _)| *one == path)
            .map(|(method, ..)| method.to_string())
            .collect();
        let wrong = ["GET", "POST", "PUT", "PATCH", "DELETE"]
            .into_iter()
            .find(|method| !known.contains(*method));
        let Some(wrong) = wrong else { continue };
        let answer = api
            .send(api.request(wrong.parse().unwrap(), &concrete(path), Some(json!({}))))
            .await;
        answer.expect_error(405, "METHOD_001");
        let allowed = answer
            .header("allow")
            .split(',')
            .map(|method| method.trim().to_owned());
        let allowed: BTreeSet<String> = allowed.filter(|method| method != "HEAD").collect();
        assert_eq!(allowed, known, "{path}");
    }
}
