//! Calls that are read to their end after their clients have left: whose places they hold, and what ends them.

use crate::harness::{DataPlane, KEY, Setup, question, until};
use futures::StreamExt;
use proto::v1::usage_event::Evidence;
use std::sync::Arc;
use std::time::Duration;
use testkit::{Behaviour, Simulator};
use tokio::time::Instant;

const SLOT_KEY: &str = "sk-one-at-a-time";
/// Long enough for any answer of these tests.
const ENOUGH: Duration = Duration::from_secs(10);

/// An answer of some thirty frames.
fn gap(millis: u64) -> Behaviour {
    Behaviour {
        gap: Duration::from_millis(millis),
        ..Behaviour::default()
    }
}

fn drained(simulator: &Simulator) -> Setup {
    Setup::new().account_with("o", "openai", &simulator.url(), |account| {
        "drain".clone_into(&mut account.on_disconnect);
    })
}

/// Reads the first bytes of a stream and leaves.
async fn leave(data_plane: &DataPlane, key: &str) {
    let request = data_plane.post("/v1/chat/completions").bearer_auth(key);
    let request = request.body(question("openai/demo", true).to_string());
    let mut stream = request.send().await.unwrap().bytes_stream();
    stream.next().await.unwrap().unwrap();
}

async fn drains(data_plane: &DataPlane, count: u32) {
    let metrics = &data_plane.gateway.metrics;
    until("the number of drains", || {
        (metrics.drains_inflight() == count).then_some(())
    })
    .await;
}

/// How often something came of a drain.
async fn counted(data_plane: &DataPlane, result: &str) -> u64 {
    let metrics = data_plane
        .get("/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let name = format!("omniroute_dataplane_drains_total{{result=\"{result}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn an_answer_nobody_waits_for_any_more_is_read_whole() {
    let simulator = Simulator::openai().await;
    simulator.script(Behaviour {
        first_byte: Duration::from_millis(200),
        ..Behaviour::default()
    });
    let data_plane = Arc::new(drained(&simulator).start().await);
    let client = tokio::spawn({
        let data_plane = data_plane.clone();
        async move { data_plane.chat("openai/demo", false).await }
    });
    until("the provider to be asked", || {
        (simulator.requests().len() == 1).then_some(())
    })
    .await;
    client.abort();
    drains(&data_plane, 1).await;

    let event = data_plane.event().await;
    let billed = simulator.requests()[0].billed.unwrap();
    assert_eq!(
        (event.outcome.as_str(), event.http_status),
        ("client_gone", 499),
        "{event:?}"
    );
    assert_eq!(event.evidence(), Evidence::ProviderReported, "{event:?}");
    assert_eq!(
        (event.input_uncached, event.output_visible),
        (billed.input, billed.output)
    );
    assert!(
        event.duration_ms < 200,
        "the client did not wait for the end: {event:?}"
    );
    assert!(!simulator.requests()[0].dropped);
    drains(&data_plane, 0).await;
    assert_eq!(counted(&data_plane, "read").await, 1);
}

#[tokio::test]
async fn a_whole_answer_is_dropped_with_its_client_where_nobody_asked_for_more() {
    let simulator = Simulator::openai().await;
    simulator.script(Behaviour {
        hang: true,
        ..Behaviour::default()
    });
    let setup = Setup::new().account("o", "openai", &simulator);
    let data_plane = Arc::new(setup.start().await);
    let client = tokio::spawn({
        let data_plane = data_plane.clone();
        async move { data_plane.chat("openai/demo", false).await }
    });
    until("the provider to be asked", || {
        (simulator.requests().len() == 1).then_some(())
    })
    .await;
    client.abort();
    until("the call to end", || {
        simulator.requests()[0].dropped.then_some(())
    })
    .await;
    let event = data_plane.event().await;
    assert_eq!(
        (event.outcome.as_str(), event.evidence()),
        ("client_gone", Evidence::Estimated)
    );
}

#[tokio::test]
async fn no_other_account_is_asked_for_a_client_that_has_left() {
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    first.script(Behaviour {
        first_byte: Duration::from_millis(200),
        ..Behaviour::status(503)
    });
    let setup = drained(&first).account("second", "openai", &second);
    let data_plane = Arc::new(setup.start().await);
    let client = tokio::spawn({
        let data_plane = data_plane.clone();
        async move { data_plane.chat("openai/demo", false).await }
    });
    until("the provider to be asked", || {
        (first.requests().len() == 1).then_some(())
    })
    .await;
    client.abort();
    let event = data_plane.event().await;
    assert_eq!(event.outcome, "client_gone", "{event:?}");
    assert_eq!(event.attempts.len(), 1, "{event:?}");
    assert_eq!(event.attempts[0].outcome, "server_error", "{event:?}");
    assert_eq!(
        (event.evidence(), event.input_uncached),
        (Evidence::None, 0),
        "{event:?}"
    );
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn the_account_is_busy_to_the_end_and_the_key_is_not() {
    let simulator = Simulator::openai().await;
    simulator.script(gap(30));
    let setup = drained(&simulator).key(SLOT_KEY, |key| key.concurrency = 1);
    let data_plane = setup.start().await;
    let calls = || {
        let pending = data_plane.gateway.routing.health().pending();
        pending.iter().map(|pending| pending.calls).sum::<u32>()
    };
    leave(&data_plane, SLOT_KEY).await;
    drains(&data_plane, 1).await;
    assert_eq!(calls(), 1);

    // the place of the key is free before the first answer is read
    let deadline = Instant::now() + ENOUGH;
    loop {
        let request = data_plane.post("/v1/chat/completions").bearer_auth(SLOT_KEY);
        let request = request.body(question("openai/demo", false).to_string());
        match request.send().await.unwrap().status().as_u16() {
            200 => break,
            status => assert!(status == 429 && Instant::now() < deadline, "{status}"),
        }
    }
    assert_eq!((calls(), data_plane.gateway.metrics.drains_inflight()), (1, 1));
    drains(&data_plane, 0).await;
    assert_eq!(calls(), 0);
}

#[tokio::test]
async fn what_is_read_on_is_never_longer_than_it_may_be() {
    for (result, time, bytes) in [("late", 60, 1 << 20), ("too_large", 10_000, 600)] {
        let simulator = Simulator::openai().await;
        simulator.script(gap(20));
        let setup = drained(&simulator).config(|config| {
            config.upstream.drain_ms = time;
            config.upstream.drain_bytes = bytes;
        });
        let data_plane = setup.start().await;
        leave(&data_plane, KEY).await;
        let event = data_plane.event().await;
        assert_eq!(event.outcome, "client_gone", "{result}");
        assert_eq!(event.evidence(), Evidence::Estimated, "{result}: {event:?}");
        until("the call to end", || {
            simulator.requests()[0].dropped.then_some(())
        })
        .await;
        drains(&data_plane, 0).await;
        assert_eq!(counted(&data_plane, result).await, 1, "{result}");
    }
}

#[tokio::test]
async fn as_many_are_read_on_as_may_be_and_others_end_with_their_clients() {
    let simulator = Simulator::openai().await;
    (0..2).for_each(|_| simulator.script(gap(20)));
    let setup = drained(&simulator).config(|config| config.upstream.drain_at_once = 1);
    let data_plane = setup.start().await;
    leave(&data_plane, KEY).await;
    drains(&data_plane, 1).await;
    leave(&data_plane, KEY).await;
    until("the second call to end", || {
        simulator.requests()[1].dropped.then_some(())
    })
    .await;
    let events = until("both events", || {
        Some(data_plane.events()).filter(|events| events.len() == 2)
    })
    .await;
    let evidence: Vec<_> = events.iter().map(|event| event.evidence()).collect();
    assert_eq!(evidence, [Evidence::Estimated, Evidence::ProviderReported]);
    assert_eq!(
        (
            counted(&data_plane, "crowded").await,
            counted(&data_plane, "read").await
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn the_end_of_the_process_is_waited_for_no_longer_than_its_grace() {
    for (grace, expected) in [
        (Duration::from_millis(100), Evidence::Estimated),
        (ENOUGH, Evidence::ProviderReported),
    ] {
        let simulator = Simulator::openai().await;
        simulator.script(gap(20));
        let data_plane = drained(&simulator).start().await;
        leave(&data_plane, KEY).await;
        drains(&data_plane, 1).await;
        let asked = Instant::now();
        data_plane.gateway.departures.end(asked + grace).await;
        assert!(asked.elapsed() < ENOUGH, "{:?}", asked.elapsed());
        assert_eq!(data_plane.gateway.metrics.drains_inflight(), 0);
        let event = data_plane.event().await;
        assert_eq!(
            (event.outcome.as_str(), event.evidence()),
            ("client_gone", expected)
        );
    }
}

#[tokio::test]
async fn a_client_that_asks_again_gets_the_answer_that_was_read_on_for_it() {
    let simulator = Simulator::openai().await;
    simulator.script(gap(10));
    let data_plane = drained(&simulator).start().await;
    let ask = || {
        let request = data_plane.post("/v1/chat/completions").bearer_auth(KEY);
        let request = request.header("idempotency-key", "once");
        request.body(question("openai/demo", true).to_string()).send()
    };
    let mut stream = ask().await.unwrap().bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    drains(&data_plane, 1).await;
    drains(&data_plane, 0).await;
    let again = ask().await.unwrap();
    assert_eq!(again.headers()["x-omniroute-idempotent"], "true");
    assert!(again.text().await.unwrap().contains("[DONE]"));
    assert_eq!(simulator.requests().len(), 1);
}
