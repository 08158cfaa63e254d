//! What the first version stored and did not do, through both planes.

use crate::client::Client;
use crate::harness::Cluster;
use crate::text;
use serde_json::json;
use std::time::Duration;
use testkit::{Simulator, wait_until};

const SOON: Duration = Duration::from_secs(10);

/// One control plane, some data planes, one provider `sim`, and a client of each data plane.
async fn start(data_planes: usize) -> (Cluster, Simulator, Vec<Client>, String) {
    let provider = Simulator::openai().await;
    let mut cluster = Cluster::start(1, data_planes).await;
    let operator = cluster.operator().await;
    operator.add_provider("sim", &provider.url()).await;
    let created = operator
        .post("/api/keys?wait=applied", json!({"name": "client"}))
        .await;
    let clients = cluster.clients(&text(&created["key"]));
    (cluster, provider, clients, text(&created["id"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_and_a_thinking_budget_outlive_a_restart_of_everything() {
    let (mut cluster, provider, clients, _) = start(1).await;
    let operator = cluster.operator().await;
    let prompt = json!({"enabled": true, "prompt": "Answer in French."});
    operator.put("/api/settings/system-prompt", prompt).await;
    let thinking = json!({"mode": "auto"});
    operator
        .put("/api/settings/thinking-budget?wait=applied", thinking)
        .await;

    let question = json!({
        "model": "sim/sim", "reasoning_effort": "high", "messages": [{"role": "user", "content": "hello"}],
    });
    for is_new in [false, true] {
        if is_new {
            cluster.restart_control_plane(0).await;
            cluster.restart_data_plane(0).await;
        }
        assert_eq!(clients[0].post_chat(&question).await.0, 200);
        let sent = provider.requests().pop().unwrap().body;
        let system = json!({"role": "system", "content": "Answer in French."});
        assert_eq!(sent["messages"][0], system, "after a restart: {is_new}");
        assert_eq!(sent.get("reasoning_effort"), None, "after a restart: {is_new}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_opens_at_the_threshold_that_was_set_and_a_reset_closes_it_everywhere() {
    let (mut cluster, provider, clients, _) = start(2).await;
    let operator = cluster.operator().await;
    // the built-in one is five failures; nothing but the breaker keeps anybody away
    let profile = json!({
        "circuitBreakerThreshold": 2, "circuitBreakerReset": 3_600_000, "transientCooldown": 0, "maxBackoffLevel": 0,
    });
    let profiles = json!({"profiles": {"apikey": profile}});
    operator.put("/api/resilience?wait=applied", profiles).await;
    for _ in 0..4 {
        assert_ne!(clients[0].chat("sim/sim-fail-500").await, 200);
    }
    assert_eq!(provider.requests().len(), 2, "the third is not sent any more");
    wait_until("the other data plane to hear of it", SOON, async || {
        let before = provider.requests().len();
        assert_ne!(clients[1].chat("sim/sim-fail-500").await, 200);
        (provider.requests().len() == before).then_some(())
    })
    .await;
    let open = operator.get("/api/resilience").await;
    let breakers = open["circuitBreakers"].as_array().unwrap();
    assert!(breakers.iter().any(|one| one["state"] == "OPEN"), "{open}");

    let before = provider.requests().len();
    operator.post("/api/resilience/reset", json!({})).await;
    for client in &clients {
        wait_until("the breaker to be closed", SOON, async || {
            (client.chat("sim/sim").await == 200).then_some(())
        })
        .await;
    }
    assert_eq!(provider.requests().len(), before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_use_up_the_budget_of_a_month() {
    let (mut cluster, provider, clients, key) = start(2).await;
    let operator = cluster.operator().await;
    let prices = json!({"sim": {"sim": {"input": 10_000, "output": 20_000}}});
    operator.put("/api/pricing", prices).await;
    let budget = json!({"apiKeyId": key, "monthlyLimitUsd": 5});
    operator.post("/api/usage/budget?wait=applied", budget).await;

    let question = json!({
        "model": "sim/sim", "stream": true, "max_tokens": 20, "messages": [{"role": "user", "content": "hello"}],
    });
    let (mut answered, mut refused) = (0, None);
    for turn in 0..200 {
        match clients[turn % 2].post_chat(&question).await {
            (200, _) => answered += 1,
            (_, refusal) => {
                refused = Some(refusal);
                break;
            }
        }
    }
    let refused = refused.expect("a budget that ends");
    assert!(refused.contains("Monthly budget exceeded"), "{refused}");
    assert!(answered > 1, "{refused}");
    assert_eq!(provider.requests().len(), answered);
    let path = format!("/api/usage/budget?apiKeyId={key}");
    wait_until("the ledger to have it all", SOON, async || {
        let standing = operator.get(&path).await;
        (standing["totalEntries"] == answered && standing["monthlyTotal"].as_f64()? > 0.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_lead_on_after_a_rename_and_nowhere_once_switched_off() {
    let (mut cluster, _provider, clients, _) = start(1).await;
    let operator = cluster.operator().await;
    let inner = operator
        .post("/api/combos", json!({"name": "inner", "models": ["sim/sim"]}))
        .await;
    operator
        .post("/api/combos", json!({"name": "outer", "models": ["inner"]}))
        .await;
    let alias = json!({"alias": "best", "model": "inner"});
    operator.put("/api/models/alias?wait=applied", alias).await;
    let statuses = async || {
        let mut statuses = Vec::new();
        for name in ["inner", "core", "outer", "best"] {
            statuses.push(clients[0].chat(name).await);
        }
        statuses
    };
    assert_eq!(statuses().await, [200, 404, 200, 200]);

    let path = format!("/api/combos/{}?wait=applied", text(&inner["id"]));
    operator.put(&path, json!({"name": "core"})).await;
    assert_eq!(statuses().await, [404, 200, 200, 200]);
    operator.put(&path, json!({"isActive": false})).await;
    let off = statuses().await;
    assert!(off.iter().all(|status| *status >= 400), "{off:?}");
    assert_eq!((off[1], off[3]), (404, 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_list_models_is_what_the_settings_say() {
    let (mut cluster, _provider, clients, _) = start(1).await;
    let operator = cluster.operator().await;
    for (is_asked_for, status) in [(false, 200), (true, 401), (false, 200)] {
        let settings = json!({"requireAuthForModels": is_asked_for});
        operator.put("/api/settings?wait=applied", settings).await;
        for path in ["/v1/models", "/v1beta/models", "/api/tags"] {
            assert_eq!(clients[0].get_without_key(path).await, status, "{path}");
        }
        assert!(clients[0].models().await["data"].is_array());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_the_cache_forgets_requests_that_were_named_too() {
    let (mut cluster, provider, clients, _) = start(2).await;
    let operator = cluster.operator().await;
    let ask = async |client: &Client| {
        let answer = client.send("sim/sim", false, "hello", Some("r-1")).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    };
    let first = ask(&clients[0]).await;
    assert_eq!(ask(&clients[1]).await, first);
    assert_eq!(provider.requests().len(), 1, "given again by another data plane");
    operator.delete("/api/cache").await;
    assert_ne!(ask(&clients[1]).await, first);
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_that_are_elsewhere_leave_no_file_on_the_server() {
    let home = tempfile::tempdir().unwrap();
    let settings = vec![("HOME".to_owned(), home.path().display().to_string())];
    let mut cluster = Cluster::start_with(settings, 1, 0).await;
    let operator = cluster.operator().await;
    let own = json!({"env": {"ANTHROPIC_BASE_URL": "https://gateway.test", "ANTHROPIC_AUTH_TOKEN": "sk-1"}});
    let any = json!({"baseUrl": "https://gateway.test", "apiKey": "sk-1", "model": "smart"});
    for (tool, body) in [
        ("claude", &own),
        ("codex", &any),
        ("droid", &any),
        ("openclaw", &any),
    ] {
        let path = format!("/api/cli-tools/{tool}-settings");
        let written = operator.post(&path, body.clone()).await;
        assert_eq!(written["applied"], false, "{written}");
        operator.get(&path).await;
        operator.delete(&path).await;
    }
    operator.get("/api/cli-tools/status").await;
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
