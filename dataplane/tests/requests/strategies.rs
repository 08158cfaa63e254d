//! How often everybody comes first, measured on two data planes, against what each strategy is defined as.
//!
//! What draws is asked where it would go, which decides exactly as for a request; what takes turns or counts its uses
//! is asked for answers, because only those move it on.

use crate::harness::{DataPlane, KEY, Setup, until};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use dataplane::pipeline;
use futures::stream::{self, StreamExt};
use parking_lot::Mutex;
use proto::v1::{self, Decision, resource::Body};
use serde_json::{Value, json};
use state::{MemoryStore, StateStore};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Over both data planes.
const PICKS: usize = 10_000;
const TOLERANCE: f64 = 0.02;
const PROVIDERS: [&str; 3] = ["openai", "groq", "deepseek"];

/// Answers anything, and remembers which account and model were asked.
struct Upstream {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

// === impl Upstream ===

impl Upstream {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let router = Router::new().fallback(answer).with_state(asked.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, serving }
    }

    /// As `account model`, since the last time.
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(asked): State<Arc<Mutex<Vec<String>>>>, headers: HeaderMap, body: Bytes) -> Response {
    let question: Value = serde_json::from_slice(&body).unwrap();
    let account = headers[AUTHORIZATION].to_str().unwrap();
    let account = account.strip_prefix("Bearer sk-").unwrap();
    let model = question["model"].as_str().unwrap();
    asked.lock().push(format!("{account} {model}"));
    let whole = json!({"id": "c", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Far."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9}});
    ([(CONTENT_TYPE, "application/json")], whole.to_string()).into_response()
}

fn combo(name: &str, strategy: &str, members: &[(&str, f64)]) -> Body {
    let member = |(model, weight): &(&str, f64)| v1::ComboMember {
        model: (*model).to_owned(),
        weight: *weight,
    };
    Body::Combo(v1::Combo {
        name: name.to_owned(),
        strategy: strategy.to_owned(),
        members: members.iter().map(member).collect(),
        enabled: true,
        max_retries: None,
        concurrency_per_model: 20,
        queue_timeout_ms: 30_000,
        track_metrics: true,
        retry_delay_ms: 0,
        timeout_ms: 120_000,
        asks_the_failing: false,
    })
}

/// Two data planes with one store and one configuration: three providers with three accounts each, called by the
/// first letter of the provider and a number.
async fn fleet(upstream: &Upstream, account_strategy: &str, combos: &[Body]) -> [Arc<DataPlane>; 2] {
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
    let start = || async {
        let routing = v1::Routing {
            account_strategy: account_strategy.to_owned(),
            sticky_limit: 1,
            ..v1::Routing::default()
        };
        let mut setup = Setup::new()
            .store(store.clone())
            .resource(proto::ROUTING_ID, Body::Routing(routing));
        for provider in PROVIDERS {
            for number in 1..=3 {
                setup = setup.account_at(&format!("{}{number}", &provider[..1]), provider, &upstream.url);
            }
        }
        for (number, combo) in combos.iter().enumerate() {
            setup = setup.resource(&format!("combo-{number}"), combo.clone());
        }
        Arc::new(setup.start().await)
    };
    [start().await, start().await]
}

fn decide(data_plane: &DataPlane, model: &str) -> Decision {
    let asked = v1::Explain {
        model: model.to_owned(),
        ..v1::Explain::default()
    };
    let explained = pipeline::explain(&data_plane.gateway, "tests", &asked);
    assert_eq!(explained.refusal, "");
    explained.decision.unwrap()
}

/// As `account model`, in the order in which they would be tried.
fn order(decision: &Decision) -> Vec<String> {
    let name = |number: &u32| {
        let (target, account) = decision::locate(decision, *number).unwrap();
        let target = &decision.targets[target];
        format!("{} {}", target.accounts[account].connection_id, target.model)
    };
    decision.order.iter().map(name).collect()
}

/// Who comes first in so many decisions, half of them on each data plane.
fn firsts(fleet: &[Arc<DataPlane>; 2], model: &str) -> Vec<String> {
    let pick = |n: usize| order(&decide(&fleet[n % 2], model)).remove(0);
    (0..PICKS).map(pick).collect()
}

async fn ask(fleet: &[Arc<DataPlane>; 2], model: &str, requests: usize, at_once: usize) {
    let one = |n: usize| async move {
        let response = fleet[n % 2].chat(model, false).await;
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap();
    };
    let asking = stream::iter(0..requests).map(one).buffer_unordered(at_once);
    asking.collect::<()>().await;
}

/// `key` says what of `account model` is counted.
fn assert_shares(what: &str, picks: &[String], key: impl Fn(&str) -> String, expected: &[(&str, f64)]) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for pick in picks {
        *counts.entry(key(pick)).or_default() += 1;
    }
    let defined = |name: &String| {
        expected
            .iter()
            .any(|(known, share)| known == name && *share > 0.0)
    };
    assert!(counts.keys().all(defined), "{what}: {counts:?}");
    for (name, share) in expected {
        #[expect(clippy::cast_precision_loss, reason = "a few thousands")]
        let measured = counts.get(*name).copied().unwrap_or(0) as f64 / picks.len() as f64;
        assert!(
            (measured - share).abs() <= TOLERANCE,
            "{what}: {name} has {measured}, not {share}"
        );
    }
}

fn model(pick: &str) -> String {
    pick.split_once(' ').unwrap().1.to_owned()
}

fn account(pick: &str) -> String {
    pick.split_once(' ').unwrap().0.to_owned()
}

#[tokio::test]
async fn weighted_and_random_members_come_first_as_often_as_they_should() {
    let upstream = Upstream::start().await;
    let combos = [
        combo(
            "weighted",
            "weighted",
            &[
                ("openai/a", 50.0),
                ("openai/b", 30.0),
                ("groq/c", 20.0),
                ("groq/d", 0.0),
            ],
        ),
        combo(
            "random",
            "random",
            &[
                ("openai/a", 9.0),
                ("openai/b", 0.0),
                ("groq/c", 0.0),
                ("groq/d", 0.0),
            ],
        ),
    ];
    let fleet = fleet(&upstream, "fill-first", &combos).await;
    let cases: [(&str, &[(&str, f64)]); 2] = [
        ("weighted", &[("a", 0.5), ("b", 0.3), ("c", 0.2), ("d", 0.0)]),
        ("random", &[("a", 0.25), ("b", 0.25), ("c", 0.25), ("d", 0.25)]),
    ];
    for (name, expected) in cases {
        assert_shares(name, &firsts(&fleet, name), model, expected);
    }
    // and the requests themselves go where the decision that is written down says
    ask(&fleet, "weighted", 200, 1).await;
    let recorded = || {
        let events = fleet.iter().flat_map(|data_plane| data_plane.events());
        let decisions: Vec<_> = events
            .map(|event| (event.connection_id, event.model_served, event.decision.unwrap()))
            .collect();
        (decisions.len() == 200).then_some(decisions)
    };
    for (connection, model, decision) in until("all usage events", recorded).await {
        assert_eq!(decision::replay(&decision), Ok(()));
        assert_eq!(order(&decision)[0], format!("{connection} {model}"));
    }
}

#[tokio::test]
async fn random_accounts_and_the_better_of_two_share_alike() {
    let upstream = Upstream::start().await;
    let third = 1.0 / 3.0;
    for strategy in ["random", "p2c"] {
        let fleet = fleet(&upstream, strategy, &[]).await;
        let picks = firsts(&fleet, "openai/demo");
        assert_shares(
            strategy,
            &picks,
            account,
            &[("o1", third), ("o2", third), ("o3", third)],
        );
    }
    // one that is busy is the worse one of any two
    let fleet = fleet(&upstream, "p2c", &[]).await;
    let health = |data_plane: &DataPlane| data_plane.gateway.routing.health().account("openai", "o2");
    let busy: Vec<_> = fleet
        .iter()
        .map(|data_plane| health(data_plane).begin(&"m".into()))
        .collect();
    let picks = firsts(&fleet, "openai/demo");
    drop(busy);
    assert_shares("busy", &picks, account, &[("o1", 0.5), ("o2", 0.0), ("o3", 0.5)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_and_their_accounts_take_turns_without_getting_in_step() {
    let upstream = Upstream::start().await;
    // three providers with three accounts each: did an account's turn pass when another provider is asked, only one
    // of each would ever be used
    let members = [("openai/demo", 0.0), ("groq/demo", 0.0), ("deepseek/demo", 0.0)];
    let fleet = fleet(
        &upstream,
        "round-robin",
        &[combo("turns", "round-robin", &members)],
    )
    .await;
    ask(&fleet, "turns", PICKS, 16).await;
    let share = 1.0 / 9.0;
    let names = ["o1", "o2", "o3", "g1", "g2", "g3", "d1", "d2", "d3"];
    let picks = upstream.taken();
    assert_eq!(picks.len(), PICKS);
    assert_shares("turns", &picks, account, &names.map(|name| (name, share)));
}

#[tokio::test]
async fn combos_inside_a_combo_take_their_own_turns() {
    let upstream = Upstream::start().await;
    let combos = [
        combo("left", "round-robin", &[("openai/a", 0.0), ("openai/b", 0.0)]),
        combo("right", "round-robin", &[("groq/c", 0.0), ("groq/d", 0.0)]),
        combo("both", "round-robin", &[("left", 0.0), ("right", 0.0)]),
    ];
    let fleet = fleet(&upstream, "fill-first", &combos).await;
    ask(&fleet, "both", 16, 1).await;
    let models: Vec<_> = upstream.taken().iter().map(|pick| model(pick)).collect();
    // two data planes, one after the other, each with turns of its own
    assert_eq!(models.concat(), "aaccbbdd".repeat(2));
}

#[tokio::test]
async fn what_does_not_draw_comes_in_its_exact_order() {
    let upstream = Upstream::start().await;
    let members = [
        ("openai/gpt-4o", 0.0),
        ("groq/no-price", 0.0),
        ("openai/gpt-4o-mini", 0.0),
    ];
    let combos = [
        combo("first", "priority", &members),
        combo("rare", "least-used", &members),
        combo("cheap", "cost-optimized", &members),
    ];
    let fleet = fleet(&upstream, "fill-first", &combos).await;
    let (full, mini, free) = ("gpt-4o", "gpt-4o-mini", "no-price");

    // what costs nobody knows how much comes last; accounts fill up one after the other
    let cases = [
        ("first", [full, free, mini]),
        ("cheap", [mini, full, free]),
        ("rare", [full, free, mini]),
    ];
    for (name, models) in cases {
        let accounts = |model: &str| {
            let provider = if model == free { 'g' } else { 'o' };
            (1..=3)
                .map(|number| format!("{provider}{number} {model}"))
                .collect::<Vec<_>>()
        };
        let expected: Vec<_> = models.into_iter().flat_map(accounts).collect();
        for data_plane in &fleet {
            assert_eq!(order(&decide(data_plane, name)), expected, "{name}");
        }
    }

    for (name, expected) in [("first", "o1 gpt-4o"), ("cheap", "o1 gpt-4o-mini")] {
        ask(&fleet, name, 60, 1).await;
        assert_eq!(upstream.taken(), vec![expected; 60], "{name}");
    }
    // each data plane knows what it used itself: the least used one is the one whose turn it is
    ask(&fleet, "rare", 60, 1).await;
    let rotation = [full, free, mini].map(|model| [model, model]).concat();
    let models: Vec<_> = upstream.taken().iter().map(|pick| model(pick)).collect();
    assert_eq!(models, rotation.repeat(10));
}

#[tokio::test]
async fn the_least_used_account_is_the_one_that_waited_longest() {
    let upstream = Upstream::start().await;
    let fleet = fleet(&upstream, "least-used", &[]).await;
    let question = json!({"model": "openai/demo", "messages": [{"role": "user", "content": "Hello"}]});
    for _ in 0..30 {
        let request = fleet[0].post("/v1/chat/completions").bearer_auth(KEY);
        let response = request.body(question.to_string()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        // uses are told apart by the millisecond
        sleep(Duration::from_millis(2)).await;
    }
    let accounts: Vec<_> = upstream.taken().iter().map(|pick| account(pick)).collect();
    assert_eq!(accounts, ["o1", "o2", "o3"].repeat(10));
}
