use chrono::{TimeDelta, Utc};
use proto::v1::{Attempt, ProxyHop, UsageEvent};
use serde_json::{Value, json};

use crate::{
    support::Api,
    usage::{account, event, store},
};

fn through(level: &str, target: &str, url: &str) -> Option<ProxyHop> {
    Some(ProxyHop {
        level: level.to_owned(),
        target: target.to_owned(),
        url: url.to_owned(),
        upstream: "https://api.openai.com/v1".to_owned(),
    })
}

/// Three requests: one that went out directly; one whose first attempt failed behind the provider's proxy and whose
/// second went through its account's; one behind a proxy that cannot be used.
async fn calls(api: &Api) -> String {
    let account = account(api, "prod").await;
    let now = Utc::now();
    let attempt = |outcome: &str, proxy| Attempt {
        connection_id: account.clone(),
        provider: "openai".to_owned(),
        model: "gpt-4o".to_owned(),
        outcome: outcome.to_owned(),
        duration_ms: 120,
        started_after_ms: 5,
        proxy,
        ..Attempt::default()
    };
    let request = |seconds_ago: i64, attempts| UsageEvent {
        attempts,
        ..event(now - TimeDelta::seconds(seconds_ago))
    };
    let by_provider = through("provider", "openai", "http://proxy.example:8080");
    let by_account = through("connection", &account, "socks5://10.0.0.7:1080");
    store(
        api,
        vec![
            request(30, vec![attempt("ok", None)]),
            request(
                20,
                vec![attempt("timeout", by_provider), attempt("ok", by_account)],
            ),
            request(10, vec![attempt("connect", through("global", "", ""))]),
        ],
    )
    .await;
    account
}

async fn list(api: &Api, query: &str) -> Vec<Value> {
    let answer = api.get(&format!("/api/usage/proxy-logs{query}")).await;
    answer.expect(200).as_array().unwrap().clone()
}

#[tokio::test]
async fn each_call_to_a_provider_says_which_way_it_went() {
    let api = Api::start().await;
    let account = calls(&api).await;
    let all = list(&api, "").await;
    let shown: Vec<_> = all
        .iter()
        .map(|call| {
            (
                call["level"].as_str().unwrap(),
                call["status"].as_str().unwrap(),
                call["error"].as_str(),
                call["proxy"].clone(),
            )
        })
        .collect();
    let socks = json!({ "type": "socks5", "host": "10.0.0.7", "port": 1080 });
    let http = json!({ "type": "http", "host": "proxy.example", "port": 8080 });
    assert_eq!(
        shown,
        [
            ("global", "error", Some("connect"), Value::Null),
            ("key", "ok", None, socks),
            ("provider", "timeout", Some("timeout"), http),
            ("direct", "ok", None, Value::Null),
        ]
    );
    let one = &all[1];
    assert_eq!(
        (
            &one["levelId"],
            &one["connectionId"],
            &one["account"],
            &one["latencyMs"],
            &one["targetUrl"]
        ),
        (
            &json!(account),
            &json!(account),
            &json!("prod"),
            &json!(120),
            &json!("https://api.openai.com/v1")
        )
    );
}

#[tokio::test]
async fn calls_are_found_by_what_they_went_through_and_forgotten_when_asked() {
    let api = Api::start().await;
    calls(&api).await;
    for (query, count) in [
        ("?level=direct", 1),
        ("?level=key", 1),
        ("?level=global", 1),
        ("?level=combo", 0),
        ("?type=socks5", 1),
        ("?type=https", 0),
        ("?status=ok", 2),
        ("?status=error", 1),
        ("?status=timeout", 1),
        ("?provider=openai", 4),
        ("?provider=claude", 0),
        ("?search=PROXY.example", 1),
        ("?search=%25", 0),
        ("?limit=2", 2),
    ] {
        assert_eq!(list(&api, query).await.len(), count, "{query}");
    }
    for query in ["?status=good", "?type=ftp", "?level=moon", "?limit=0"] {
        let answer = api.get(&format!("/api/usage/proxy-logs{query}")).await;
        answer.expect_error(400, "VALIDATION_001");
    }
    let cleared = api.delete("/api/usage/proxy-logs").await;
    assert_eq!(cleared.expect(200), &json!({ "cleared": true }));
    assert_eq!(list(&api, "").await.len(), 0);
    assert_eq!(api.audited("usage.proxyLogs.cleared").await, 1);
    let log = api.get("/api/usage/request-logs").await;
    assert_eq!(
        log.expect(200).as_array().unwrap().len(),
        3,
        "the ledger keeps them"
    );
}
