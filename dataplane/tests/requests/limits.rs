//! Keys with limits: who is let in, what clients read when they are not, and what is counted in the end.

mod outage;
mod storm;

use crate::harness::{DataPlane, KEY, Setup, header, json, until};
use futures::StreamExt;
use proto::v1::{self, Budget};
use reqwest::Response;
use serde_json::json;
use state::{MemoryStore, StateStore};
use std::sync::Arc;
use std::time::Duration;
use testkit::{Behaviour, Simulator};

/// A model with a price.
const MODEL: &str = "openai/gpt-4o";
const CENT: u64 = 10_000_000;

async fn limited(
    simulator: &Simulator,
    store: &Arc<dyn StateStore>,
    change: impl FnOnce(&mut v1::ApiKey),
) -> DataPlane {
    let setup = Setup::new().store(store.clone());
    let data_plane = setup
        .key("sk-limited", change)
        .account("o", "openai", simulator)
        .start()
        .await;
    data_plane.share("d1");
    data_plane
}

fn memory() -> Arc<dyn StateStore> {
    Arc::new(MemoryStore::new())
}

fn budget(daily_limit_nano: u64) -> Option<Budget> {
    Some(Budget {
        daily_limit_nano,
        warning_permille: 800,
        ..Budget::default()
    })
}

async fn chat(data_plane: &DataPlane) -> Response {
    ask(data_plane, json!({"model": MODEL, "max_tokens": 100})).await
}

async fn ask(data_plane: &DataPlane, mut body: serde_json::Value) -> Response {
    body["messages"] = json!([{"role": "user", "content": "How far is the moon?"}]);
    let request = data_plane.post("/v1/chat/completions").bearer_auth("sk-limited");
    request.body(body.to_string()).send().await.unwrap()
}

/// The id of the key, which the configuration made up.
fn key_id(data_plane: &DataPlane) -> String {
    let table = data_plane.gateway.routing.load().unwrap();
    table.key("sk-limited").unwrap().id.to_string()
}

async fn daily(data_plane: &DataPlane) -> state::BudgetStanding {
    use runtime::period::{Calendar, zone};
    let period = Calendar::Daily.period(chrono::Utc::now(), zone("").unwrap());
    let store = &data_plane.gateway.store;
    store
        .spending(&key_id(data_plane), &[&period.name])
        .await
        .unwrap()[0]
}

async fn settled(data_plane: &DataPlane) -> u64 {
    testkit::wait_until("nothing to be reserved", Duration::from_secs(10), || async {
        let standing = daily(data_plane).await;
        (standing.reserved_nano == 0).then_some(standing.spent_nano)
    })
    .await
}

fn ledger(data_plane: &DataPlane) -> u64 {
    let costs = data_plane
        .events()
        .into_iter()
        .map(|event| event.cost_nano.unwrap());
    costs.sum::<i64>().cast_unsigned()
}

#[tokio::test]
async fn a_key_sends_as_many_requests_as_it_may_and_reads_what_is_left() {
    let simulator = Simulator::openai().await;
    let data_plane = limited(&simulator, &memory(), |key| key.rpm = 3).await;
    for left in ["2", "1", "0"] {
        let response = chat(&data_plane).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-ratelimit-limit-requests"), Some("3"));
        assert_eq!(header(&response, "x-ratelimit-remaining-requests"), Some(left));
        assert_eq!(header(&response, "x-ratelimit-limit-tokens"), None);
    }
    let denied = chat(&data_plane).await;
    assert_eq!(denied.status(), 429);
    assert_eq!(header(&denied, "retry-after"), Some("20"));
    assert_eq!(header(&denied, "x-ratelimit-remaining-requests"), Some("0"));
    let body = json(denied).await;
    assert_eq!(
        body["error"]["message"],
        "Rate limit exceeded: 3 requests per minute"
    );
    assert_eq!(body["error"]["type"], "rate_limit_error");
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");
    assert_eq!(simulator.requests().len(), 3);
    let other = data_plane.chat(MODEL, false).await;
    assert_eq!(other.status(), 200, "another key is not limited");
    assert_eq!(header(&other, "x-ratelimit-limit-requests"), None);
}

#[tokio::test]
async fn a_limit_is_told_in_the_words_of_each_dialect() {
    let simulator = Simulator::openai().await;
    let data_plane = limited(&simulator, &memory(), |key| key.rpm = 1).await;
    chat(&data_plane).await;
    let messages = json!([{"role": "user", "content": "hi"}]);
    let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    let ways = [
        (
            "/v1/messages".to_owned(),
            json!({"model": MODEL, "max_tokens": 9, "messages": messages}),
            "/error/type",
            json!("rate_limit_error"),
        ),
        (
            format!("/v1beta/models/{MODEL}:generateContent"),
            json!({"contents": contents}),
            "/error/status",
            json!("RESOURCE_EXHAUSTED"),
        ),
        (
            "/api/chat".to_owned(),
            json!({"model": MODEL, "messages": messages}),
            "/error",
            json!("Rate limit exceeded: 1 requests per minute"),
        ),
        (
            "/v1/responses".to_owned(),
            json!({"model": MODEL, "input": "hi"}),
            "/error/code",
            json!("rate_limit_exceeded"),
        ),
    ];
    for (path, body, pointer, expected) in ways {
        let request = data_plane
            .post(&path)
            .bearer_auth("sk-limited")
            .body(body.to_string());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 429, "{path}");
        assert!(header(&response, "retry-after").is_some(), "{path}");
        let own = header(&response, "anthropic-ratelimit-requests-remaining").map(str::to_owned);
        assert_eq!(own.as_deref(), (path == "/v1/messages").then_some("0"), "{path}");
        let reset = header(&response, "anthropic-ratelimit-requests-reset").map(str::to_owned);
        assert!(reset.is_none_or(|reset| reset.ends_with('Z')), "{path}");
        assert_eq!(json(response).await.pointer(pointer), Some(&expected), "{path}");
    }
}

#[tokio::test]
async fn what_was_answered_before_costs_a_request_and_nothing_else() {
    let simulator = Simulator::openai().await;
    let data_plane = limited(&simulator, &memory(), |key| {
        (key.rpm, key.tpm, key.budget) = (4, 10_000, budget(500 * CENT));
    })
    .await;
    let body = json!({
        "model": MODEL, "temperature": 0, "max_tokens": 9_000,
        "messages": [{"role": "user", "content": "How far is the moon?"}],
    });
    let ask = async || {
        let request = data_plane.post("/v1/chat/completions").bearer_auth("sk-limited");
        let request = request.header("idempotency-key", "moon").body(body.to_string());
        request.send().await.unwrap()
    };
    let first = ask().await;
    assert_eq!(header(&first, "x-omniroute-cache"), Some("MISS"));
    first.text().await.unwrap();
    let spent = settled(&data_plane).await;
    let replayed = ask().await;
    assert_eq!(header(&replayed, "x-omniroute-idempotent"), Some("true"));
    assert_eq!(header(&replayed, "x-ratelimit-remaining-requests"), Some("2"));
    replayed.text().await.unwrap();
    settled(&data_plane).await;

    let cached = testkit::wait_until("tokens to come back", Duration::from_secs(10), || async {
        let request = data_plane.post("/v1/chat/completions").bearer_auth("sk-limited");
        let response = request.body(body.to_string()).send().await.unwrap();
        (response.status() == 200).then_some(response)
    })
    .await;
    assert_eq!(header(&cached, "x-omniroute-cache"), Some("HIT"));
    assert_eq!(header(&cached, "x-ratelimit-remaining-requests"), Some("1"));
    cached.text().await.unwrap();
    assert_eq!(settled(&data_plane).await, spent, "nothing is paid twice");
    assert_eq!(spent, ledger(&data_plane));
    assert_eq!(simulator.requests().len(), 1);

    ask().await.text().await.unwrap();
    let denied = ask().await;
    assert_eq!(denied.status(), 429, "four requests are all there are");
    let text = denied.text().await.unwrap();
    assert!(text.contains("4 requests per minute"), "{text}");
}

#[tokio::test]
async fn a_duplicate_that_is_refused_leaves_the_request_to_others() {
    let mut simulator = Simulator::openai().await;
    let data_plane = Arc::new(limited(&simulator, &memory(), |key| key.concurrency = 1).await);
    simulator.script(Behaviour {
        hang: true,
        ..Behaviour::default()
    });
    let holding = tokio::spawn({
        let data_plane = data_plane.clone();
        async move { chat(&data_plane).await.status() }
    });
    until("one request at the provider", || {
        (simulator.requests().len() == 1).then_some(())
    })
    .await;
    let named = async || {
        let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "named"}]});
        let request = data_plane.post("/v1/chat/completions").bearer_auth("sk-limited");
        let request = request.header("idempotency-key", "n").body(body.to_string());
        request.send().await.unwrap().status()
    };
    assert_eq!(named().await, 429);
    holding.abort();
    // at once, not after a lease
    testkit::wait_until("room for one more", Duration::from_secs(10), || async {
        (named().await == 200).then_some(())
    })
    .await;
    simulator.close().await;
}

#[tokio::test]
async fn as_many_requests_run_at_a_time_as_may() {
    let mut simulator = Simulator::openai().await;
    let data_plane = Arc::new(limited(&simulator, &memory(), |key| key.concurrency = 2).await);
    let hang = Behaviour {
        hang: true,
        ..Behaviour::default()
    };
    (0..2).for_each(|_| simulator.script(hang.clone()));
    let mut held: Vec<_> = (0..2)
        .map(|_| {
            let data_plane = data_plane.clone();
            tokio::spawn(async move { chat(&data_plane).await.status().as_u16() })
        })
        .collect();
    until("two requests at the provider", || {
        (simulator.requests().len() == 2).then_some(())
    })
    .await;
    let denied = chat(&data_plane).await;
    assert_eq!(
        (denied.status().as_u16(), header(&denied, "retry-after")),
        (429, Some("1"))
    );
    let text = denied.text().await.unwrap();
    assert!(
        text.contains("Concurrency limit exceeded: 2 requests at a time"),
        "{text}"
    );

    // a client that leaves makes room
    held.pop().unwrap().abort();
    testkit::wait_until("room for one more", Duration::from_secs(10), || async {
        (chat(&data_plane).await.status() == 200).then_some(())
    })
    .await;
    held.pop().unwrap().abort();
    simulator.close().await;
}

#[tokio::test]
async fn tokens_that_were_not_used_are_given_back() {
    let simulator = Simulator::openai().await;
    let data_plane = limited(&simulator, &memory(), |key| key.tpm = 10_000).await;
    let long = ask(&data_plane, json!({"model": MODEL, "max_tokens": 9_000})).await;
    assert_eq!(long.status(), 200);
    let left: u64 = header(&long, "x-ratelimit-remaining-tokens")
        .unwrap()
        .parse()
        .unwrap();
    assert!(left < 1_000, "{left}");
    long.text().await.unwrap();
    // most of it comes back when the answer has ended, and not all of it
    let response = testkit::wait_until("tokens to come back", Duration::from_secs(10), || async {
        let response = ask(&data_plane, json!({"model": MODEL, "max_tokens": 5_000})).await;
        (response.status() == 200).then_some(response)
    })
    .await;
    let left: u64 = header(&response, "x-ratelimit-remaining-tokens")
        .unwrap()
        .parse()
        .unwrap();
    assert!(left > 3_000 && left < 5_000, "{left}");
}

#[tokio::test]
async fn a_budget_is_spent_to_the_nano_and_then_ends() {
    let simulator = Simulator::openai().await;
    let data_plane = limited(&simulator, &memory(), |key| key.budget = budget(CENT / 2)).await;
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) {
        let response = chat(&data_plane).await;
        statuses.push(response.status().as_u16());
        if response.status() == 429 {
            let after: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
            assert!(after > 1 && after <= 86_400, "{after}");
            let body = json(response).await;
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.starts_with("Daily budget exceeded: $0.00"), "{message}");
            assert!(
                message.contains(" / $0.005 (this request may cost $0.001"),
                "{message}"
            );
            assert_eq!(body["error"]["code"], "budget_exceeded");
        } else {
            response.text().await.unwrap();
        }
        settled(&data_plane).await;
        assert!(statuses.len() < 20, "{statuses:?}");
    }
    assert!(statuses.len() > 1, "one request fits");
    let spent = settled(&data_plane).await;
    assert_eq!(spent, ledger(&data_plane));
    assert!(spent > 0 && spent <= CENT / 2, "{spent}");
}

#[tokio::test]
async fn a_client_is_warned_before_its_budget_ends() {
    let simulator = Simulator::openai().await;
    let store = memory();
    let data_plane = limited(&simulator, &store, |key| key.budget = budget(100 * CENT)).await;
    let first = chat(&data_plane).await;
    assert_eq!(header(&first, "x-omniroute-budget-warning"), None);
    first.text().await.unwrap();
    settled(&data_plane).await;
    use runtime::period::{Calendar, zone};
    let period = Calendar::Daily.period(chrono::Utc::now(), zone("").unwrap());
    let known = state::Spending {
        key: key_id(&data_plane).into(),
        period: period.name.into(),
        ends_at_ms: period.ends_at.timestamp_millis(),
        spent_nano: 85 * CENT,
    };
    store.raise_spending(&[known]).await.unwrap();
    let warned = chat(&data_plane).await;
    let warning = header(&warned, "x-omniroute-budget-warning");
    assert_eq!(warning, Some("daily budget at 85%: $0.8500 / $1.00"));
}

#[tokio::test]
async fn whatever_becomes_of_a_request_it_is_settled_at_what_the_ledger_says() {
    let simulator = Simulator::openai().await;
    let data_plane = limited(&simulator, &memory(), |key| key.budget = budget(500 * CENT)).await;
    let streamed = json!({"model": MODEL, "stream": true});
    // answered, refused by the provider, left by its client, and cut off by the provider
    chat(&data_plane).await.text().await.unwrap();
    simulator.script(Behaviour::status(400));
    assert_eq!(chat(&data_plane).await.status(), 400);
    simulator.script(Behaviour {
        gap: Duration::from_millis(50),
        ..Behaviour::default()
    });
    let mut stream = ask(&data_plane, streamed.clone()).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    until("three events", || (data_plane.events().len() == 3).then_some(())).await;
    // which rests from then on
    simulator.script(Behaviour {
        cut_after: Some(4),
        ..Behaviour::default()
    });
    ask(&data_plane, streamed).await.text().await.unwrap();
    until("four events", || (data_plane.events().len() == 4).then_some(())).await;
    let spent = settled(&data_plane).await;
    assert_eq!(spent, ledger(&data_plane));
    let costs: Vec<_> = data_plane
        .events()
        .iter()
        .map(|event| event.cost_nano.unwrap())
        .collect();
    assert!(
        costs[0] > 0 && costs[1] == 0 && costs[2] > 0 && costs[3] > 0,
        "{costs:?}"
    );
}

#[tokio::test]
async fn a_key_without_limits_and_a_caller_without_a_key_are_never_asked_about() {
    let simulator = Simulator::openai().await;
    // a store that would not answer is not noticed
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let store: Arc<dyn StateStore> = Arc::new(state::RedisStore::connect(&url, "test").await.unwrap());
    let data_plane = Setup::new()
        .config(|config| config.edge.require_api_key = false)
        .store(store)
        .account("o", "openai", &simulator)
        .start()
        .await;
    for key in [Some(KEY), None] {
        let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]});
        let mut request = data_plane.post("/v1/chat/completions").body(body.to_string());
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.unwrap();
        assert_eq!(
            (
                response.status().as_u16(),
                header(&response, "x-omniroute-degraded")
            ),
            (200, None)
        );
    }
    assert_eq!(data_plane.gateway.degraded(), None);
}
