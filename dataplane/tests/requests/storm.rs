//! Ten thousand requests while almost everything fails in every way there is.

use crate::harness::{DataPlane, Setup};
use dataplane::pipeline::MAX_ATTEMPTS;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use testkit::{Behaviour, Simulator};
use tokio::task::JoinSet;

/// Of one storm; there are two.
const REQUESTS: usize = 5_000;
const AT_ONCE: usize = 32;
/// After so many requests all that rests is woken, so that faults go on being met.
const WOKEN_EVERY: usize = 250;
const HANGS_FOR: u64 = 1_000;

/// One after the other, over and over.
fn faults() -> Vec<Behaviour> {
    let status = Behaviour::status;
    let well = Behaviour::default;
    vec![
        status(401),
        status(500),
        status(403),
        Behaviour {
            cut_after: Some(0),
            ..well()
        },
        status(404),
        status(429),
        Behaviour { hang: true, ..well() },
        Behaviour {
            retry_after: Some(30),
            ..status(429)
        },
        status(529),
        Behaviour {
            gap: Duration::from_millis(5),
            ..well()
        },
    ]
}

/// Each at its own point of the same sequence.
fn spoil(simulator: &Simulator, number: usize) {
    let faults = faults();
    for fault in faults.iter().cycle().skip(number * 2).take(REQUESTS) {
        simulator.script(fault.clone());
    }
}

async fn ask(data_plane: &DataPlane, number: usize) {
    let stream = number.is_multiple_of(8);
    let response = data_plane.chat("smart", stream).await;
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, 200, "request {number}: {text}");
    assert!(!text.contains("\"error\""), "request {number}: {text}");
    assert!(!stream || text.contains("[DONE]"), "request {number}: {text}");
}

/// `healthy` of three accounts at each of two providers, counted through, answers; the others fail.
async fn weather(healthy: usize) {
    let mut simulators = Vec::new();
    let mut setup = Setup::new().config(|config| {
        config.upstream.first_event_ms = HANGS_FOR;
        config.upstream.unary_ms = HANGS_FOR;
    });
    for number in 0..6 {
        let (provider, simulator) = match number {
            0..3 => ("openai", Simulator::openai().await),
            _ => ("anthropic", Simulator::anthropic().await),
        };
        if number != healthy {
            spoil(&simulator, number);
        }
        setup = setup.account(&format!("account-{number}"), provider, &simulator);
        simulators.push(simulator);
    }
    let setup = setup.combo("smart", &["openai/demo", "anthropic/demo"]);
    let data_plane = Arc::new(setup.start().await);

    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (data_plane, next) = (data_plane.clone(), next.clone());
        clients.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= REQUESTS {
                    return;
                }
                if number.is_multiple_of(WOKEN_EVERY) {
                    data_plane.gateway.routing.health().clear(None);
                }
                ask(&data_plane, number).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }

    let events = crate::harness::until("all usage events", || {
        Some(data_plane.events()).filter(|events| events.len() >= REQUESTS)
    })
    .await;
    assert_eq!(events.len(), REQUESTS);
    for event in &events {
        assert_eq!(event.outcome, "ok", "{event:?}");
        assert!((1..=MAX_ATTEMPTS).contains(&event.attempts.len()), "{event:?}");
        decision::replay(event.decision.as_ref().unwrap()).unwrap();
    }
    let failed: usize = events.iter().map(|event| event.attempts.len() - 1).sum();
    assert!(failed > REQUESTS / 50, "{failed} failures are no storm");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_healthy_account_of_the_first_provider_answers_everything() {
    weather(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_healthy_account_of_the_last_provider_answers_everything() {
    weather(5).await;
}
