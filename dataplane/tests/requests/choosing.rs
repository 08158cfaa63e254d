//! Which account a request goes to, and what is in the way of it.

use crate::harness::{DataPlane, KEY, Setup, header, json, until};
use dataplane::pipeline;
use proto::v1::{self, resource::Body};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use testkit::{Behaviour, Simulator};
use tokio::time::Instant;

fn combo(name: &str, members: &[&str], change: impl FnOnce(&mut v1::Combo)) -> Body {
    let members = members.iter().map(|model| v1::ComboMember {
        model: (*model).to_owned(),
        weight: 0.0,
    });
    let mut combo = v1::Combo {
        name: name.to_owned(),
        strategy: "priority".to_owned(),
        members: members.collect(),
        enabled: true,
        max_retries: None,
        concurrency_per_model: 3,
        queue_timeout_ms: 30_000,
        track_metrics: true,
        retry_delay_ms: 0,
        timeout_ms: 120_000,
        asks_the_failing: false,
    };
    change(&mut combo);
    Body::Combo(combo)
}

fn slow(millis: u64) -> Behaviour {
    Behaviour {
        first_byte: Duration::from_millis(millis),
        ..Behaviour::default()
    }
}

fn limited(seconds: u64) -> Behaviour {
    Behaviour {
        retry_after: Some(seconds),
        ..Behaviour::status(429)
    }
}

/// A policy that always holds.
fn policy(kind: &str, change: impl FnOnce(&mut v1::Policy)) -> Body {
    let mut policy = v1::Policy {
        name: "rule".to_owned(),
        r#type: kind.to_owned(),
        enabled: true,
        ..v1::Policy::default()
    };
    change(&mut policy);
    Body::Policy(policy)
}

async fn two_providers() -> (Setup, Simulator, Simulator) {
    let (openai, anthropic) = (Simulator::openai().await, Simulator::anthropic().await);
    let setup = Setup::new()
        .account("o", "openai", &openai)
        .account("a", "anthropic", &anthropic);
    (setup, openai, anthropic)
}

/// A request in the background.
fn chat(data_plane: &Arc<DataPlane>, model: &'static str) -> tokio::task::JoinHandle<u16> {
    let data_plane = data_plane.clone();
    tokio::spawn(async move { data_plane.chat(model, false).await.status().as_u16() })
}

#[tokio::test]
async fn when_every_candidate_is_limited_the_earliest_recovery_is_told_at_once() {
    let (setup, openai, anthropic) = two_providers().await;
    let third = Simulator::anthropic().await;
    openai.script(limited(90));
    anthropic.script(limited(40));
    third.script(limited(60));
    let setup = setup.account("late", "anthropic", &third);
    let data_plane = setup
        .combo("smart", &["openai/demo", "anthropic/demo"])
        .start()
        .await;
    assert_eq!(data_plane.chat("smart", false).await.status(), 429);

    let started = Instant::now();
    let response = data_plane.chat("smart", false).await;
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(response.status(), 429);
    // with its jitter of a tenth, and whatever time has passed
    let after: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
    assert!((30..=44).contains(&after), "{after}");
    let asked = [&openai, &anthropic, &third].map(|simulator| simulator.requests().len());
    assert_eq!(asked, [1, 1, 1], "nobody who rests is asked");
}

#[tokio::test]
async fn a_combo_that_nobody_answers_for_tells_of_each_member_without_its_secrets() {
    let (setup, openai, anthropic) = two_providers().await;
    let secret = "sk-proj-aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789";
    let body = json!({ "error": { "message": format!("the key {secret} is at fault") } });
    openai.script(Behaviour {
        body: Some(body.to_string()),
        ..Behaviour::status(500)
    });
    anthropic.script(limited(60));
    let body = combo("smart", &["openai/demo", "anthropic/demo"], |combo| {
        combo.max_retries = Some(0)
    });
    let data_plane = setup.resource("combo-smart", body).start().await;
    let response = data_plane.chat("smart", false).await;
    assert_eq!(response.status(), 503);
    let error = json(response).await["error"].clone();
    let details = error["details"].as_array().unwrap();
    let told: Vec<_> = details
        .iter()
        .map(|detail| {
            (
                detail["model"].as_str().unwrap(),
                detail["status"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("openai/demo", 500), ("anthropic/demo", 429)], "{error}");
    assert!(
        details[0]["message"].as_str().unwrap().contains("is at fault"),
        "{error}"
    );
    assert!(!error.to_string().contains(secret), "{error}");
}

#[tokio::test]
async fn a_combo_repeats_on_the_same_account_before_it_rests() {
    let (setup, openai, anthropic) = two_providers().await;
    for _ in 0..2 {
        openai.script(Behaviour::status(500));
    }
    let body = combo("again", &["openai/demo", "anthropic/demo"], |combo| {
        combo.max_retries = Some(2);
    });
    let data_plane = setup.resource("combo-again", body).start().await;
    let response = data_plane.chat("again", false).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-omniroute-attempts"), Some("3"));
    assert_eq!((openai.requests().len(), anthropic.requests().len()), (3, 0));

    // one failure more than repetitions, and it goes on and leaves the account alone
    for _ in 0..3 {
        openai.script(Behaviour::status(500));
    }
    assert_eq!(data_plane.chat("again", false).await.status(), 200);
    assert_eq!((openai.requests().len(), anthropic.requests().len()), (6, 1));
    assert_eq!(data_plane.chat("again", false).await.status(), 200);
    assert_eq!((openai.requests().len(), anthropic.requests().len()), (6, 2));
}

#[tokio::test]
async fn a_combo_that_does_not_check_health_asks_what_fails_but_not_what_is_limited() {
    let (setup, openai, anthropic) = two_providers().await;
    let body = combo("stubborn", &["openai/demo", "anthropic/demo"], |combo| {
        combo.asks_the_failing = true;
        combo.max_retries = Some(0);
    });
    let data_plane = setup.resource("combo-stubborn", body).start().await;
    // more than opens a breaker
    for number in 1..=6 {
        openai.script(Behaviour::status(500));
        assert_eq!(data_plane.chat("stubborn", false).await.status(), 200);
        assert_eq!(
            (openai.requests().len(), anthropic.requests().len()),
            (number, number)
        );
    }
    assert_eq!(data_plane.chat("stubborn", false).await.status(), 200);
    assert_eq!((openai.requests().len(), anthropic.requests().len()), (7, 6));

    openai.script(limited(60));
    for _ in 0..2 {
        assert_eq!(data_plane.chat("stubborn", false).await.status(), 200);
    }
    assert_eq!((openai.requests().len(), anthropic.requests().len()), (8, 8));
}

#[tokio::test]
async fn a_combo_stops_looking_when_its_own_time_is_over() {
    let (setup, openai, anthropic) = two_providers().await;
    openai.script(Behaviour {
        hang: true,
        ..Behaviour::default()
    });
    let body = combo("brief", &["openai/demo", "anthropic/demo"], |combo| {
        combo.timeout_ms = 1_000
    });
    let setup = setup.config(|config| config.upstream.unary_ms = 60_000);
    let data_plane = setup.resource("combo-brief", body).start().await;
    let started = Instant::now();
    assert_eq!(data_plane.chat("brief", false).await.status(), 503);
    let took = started.elapsed();
    assert!(
        (Duration::from_millis(900)..Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
    assert_eq!(anthropic.requests().len(), 0, "there was no time for another");
}

#[tokio::test]
async fn looking_whose_turn_it_is_takes_nobodys_turn() {
    let (setup, openai, anthropic) = two_providers().await;
    let body = combo("turns", &["openai/demo", "anthropic/demo"], |combo| {
        combo.strategy = "round-robin".to_owned();
    });
    let data_plane = setup.resource("combo-turns", body).start().await;
    let asked = v1::Explain {
        model: "turns".to_owned(),
        ..v1::Explain::default()
    };
    for expected in [(1, 0), (1, 1), (2, 1)] {
        for _ in 0..3 {
            let explained = pipeline::explain(&data_plane.gateway, "tests", &asked);
            assert!(explained.decision.is_some(), "{}", explained.refusal);
        }
        assert_eq!(data_plane.chat("turns", false).await.status(), 200);
        assert_eq!((openai.requests().len(), anthropic.requests().len()), expected);
    }
}

#[tokio::test]
async fn a_member_that_is_full_is_passed_over_when_waiting_takes_too_long() {
    let (setup, openai, anthropic) = two_providers().await;
    let body = combo("turns", &["openai/demo", "anthropic/demo"], |combo| {
        combo.strategy = "round-robin".to_owned();
        combo.concurrency_per_model = 1;
        combo.queue_timeout_ms = 50;
    });
    openai.script(slow(1_500));
    let data_plane = Arc::new(setup.resource("combo-turns", body).start().await);
    let first = chat(&data_plane, "turns");
    until("the first", || (openai.requests().len() == 1).then_some(())).await;
    assert_eq!(data_plane.chat("turns", false).await.status(), 200);
    // its turn is the first member's, which is taken
    let response = data_plane.chat("turns", false).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-omniroute-attempts"), Some("1"));
    assert!(!first.is_finished());
    assert_eq!((openai.requests().len(), anthropic.requests().len()), (1, 2));
    assert_eq!(first.await.unwrap(), 200);
}

/// One protected account, which takes one call at a time.
fn protected(simulator: &Simulator) -> Setup {
    let limits = v1::resilience::RateDefaults {
        requests_per_minute: 100,
        min_gap_ms: 1,
        concurrent_requests: 1,
    };
    let profile = v1::resilience::Profile {
        transient_cooldown_ms: 3_000,
        rate_limit_cooldown_ms: 0,
        max_backoff_level: 5,
        breaker_threshold: 5,
        breaker_reset_ms: 30_000,
    };
    let resilience = v1::Resilience {
        oauth: Some(profile),
        apikey: Some(profile),
        defaults: Some(limits),
    };
    Setup::new()
        .account_with("only", "openai", &simulator.url(), |connection| {
            connection.rate_limit_protection = true;
        })
        .resource("resilience", Body::Resilience(resilience))
}

/// While a stream runs, the next call waits for its end.
async fn takes_one_at_a_time(data_plane: &Arc<DataPlane>, simulator: &Simulator) {
    let before = simulator.requests().len();
    simulator.script(Behaviour {
        gap: Duration::from_millis(40),
        ..Behaviour::default()
    });
    let stream = data_plane.chat("openai/demo", true).await;
    assert_eq!(stream.status(), 200);
    let second = chat(data_plane, "openai/demo");
    let account = data_plane.gateway.routing.health().account("openai", "only");
    until("a queue", || (account.limiter().load().queued == 1).then_some(())).await;
    assert_eq!(account.limiter().load().running, 1);
    assert_eq!(
        simulator.requests().len(),
        before + 1,
        "the second call waits for the whole stream"
    );
    stream.text().await.unwrap();
    assert_eq!(second.await.unwrap(), 200);
    let load = account.limiter().load();
    assert_eq!((simulator.requests().len(), load.queued), (before + 2, 0));
}

#[tokio::test]
async fn a_protected_account_is_busy_until_its_stream_has_ended() {
    let simulator = Simulator::openai().await;
    let data_plane = Arc::new(protected(&simulator).start().await);
    takes_one_at_a_time(&data_plane, &simulator).await;
}

#[tokio::test]
async fn an_account_that_is_protected_later_is_so_from_the_next_call_on() {
    let simulator = Simulator::openai().await;
    let setup = Setup::new().account("only", "openai", &simulator);
    let data_plane = Arc::new(setup.start().await);
    assert_eq!(data_plane.chat("openai/demo", false).await.status(), 200);
    data_plane.reconfigure(protected(&simulator));
    takes_one_at_a_time(&data_plane, &simulator).await;
}

#[tokio::test]
async fn a_conversation_stays_with_one_account_and_others_go_elsewhere() {
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    let routing = v1::Routing {
        account_strategy: "round-robin".to_owned(),
        sticky_limit: 1,
        session_affinity: true,
        ..v1::Routing::default()
    };
    let setup = Setup::new()
        .account("first", "openai", &first)
        .account("second", "openai", &second);
    let data_plane = setup.resource("routing", Body::Routing(routing)).start().await;
    for number in 0..16 {
        let before = (first.requests().len(), second.requests().len());
        let body = |turn: usize| -> Value {
            let mut messages = vec![json!({"role": "user", "content": format!("Question {number}")})];
            for _ in 0..turn {
                messages.push(json!({"role": "assistant", "content": "So it is."}));
                messages.push(json!({"role": "user", "content": "Go on."}));
            }
            json!({"model": "openai/demo", "messages": messages})
        };
        for turn in 0..3 {
            let response = data_plane.ask("/v1/chat/completions", &body(turn)).await;
            assert_eq!(response.status(), 200);
        }
        let asked = (
            first.requests().len() - before.0,
            second.requests().len() - before.1,
        );
        assert!(asked == (3, 0) || asked == (0, 3), "{asked:?}");
    }
    assert!(first.requests().len() > 3 && second.requests().len() > 3);

    // a client may say which conversation it is, whatever it asks
    let before = first.requests().len();
    for number in 0..6 {
        let question = json!({"model": "openai/demo", "messages": [{"role": "user", "content": format!("New {number}")}]});
        let request = data_plane
            .post("/v1/chat/completions")
            .bearer_auth(KEY)
            .header("x-session-id", "mine")
            .body(question.to_string());
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    assert!([0, 6].contains(&(first.requests().len() - before)));
}

#[tokio::test]
async fn a_policy_puts_a_provider_first() {
    let (setup, openai, anthropic) = two_providers().await;
    let body = policy("routing", |policy| {
        policy.prefer_provider = vec!["anthropic".to_owned()]
    });
    let data_plane = setup
        .combo("smart", &["openai/demo", "anthropic/demo"])
        .resource("prefers", body)
        .start()
        .await;
    assert_eq!(data_plane.chat("smart", false).await.status(), 200);
    assert_eq!((openai.requests().len(), anthropic.requests().len()), (0, 1));
    // preferred is not the only one
    anthropic.script(Behaviour::status(500));
    assert_eq!(data_plane.chat("smart", false).await.status(), 200);
    assert_eq!((openai.requests().len(), anthropic.requests().len()), (1, 2));
}

#[tokio::test]
async fn a_policy_refuses_a_model_by_itself_and_as_a_member() {
    let (setup, openai, anthropic) = two_providers().await;
    let body = policy("access", |policy| {
        policy.block_model = vec!["openai/*".to_owned()]
    });
    let data_plane = setup
        .combo("smart", &["openai/demo", "anthropic/demo"])
        .resource("blocks", body)
        .start()
        .await;
    let refused = data_plane.chat("openai/demo", false).await;
    assert_eq!(refused.status(), 403);
    assert!(refused.text().await.unwrap().contains("rule"));
    assert_eq!(data_plane.chat("smart", false).await.status(), 200);
    assert_eq!((openai.requests().len(), anthropic.requests().len()), (0, 1));
}

#[tokio::test]
async fn a_herd_that_fails_at_one_account_is_answered_by_the_next() {
    // more than open a breaker
    const HERD: usize = 12;
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    for _ in 0..HERD {
        first.script(Behaviour {
            fail: Some(500),
            ..slow(500)
        });
    }
    let setup = Setup::new()
        .account("first", "openai", &first)
        .account("second", "openai", &second);
    let data_plane = Arc::new(setup.start().await);
    let herd: Vec<_> = (0..HERD).map(|_| chat(&data_plane, "openai/demo")).collect();
    for one in herd {
        assert_eq!(one.await.unwrap(), 200);
    }
    assert!(first.requests().len() > 5, "they were there together");
}
