//! What happens while a stream runs.

use crate::harness::{Setup, frames, until};
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::{Behaviour, Simulator};

fn endless() -> Behaviour {
    Behaviour {
        gap: Duration::from_millis(20),
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_providers_connection_with_it() {
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let simulator = Simulator::openai().await;
        simulator.script(endless());
        let data_plane = Setup::new().account("o", "openai", &simulator).start().await;
        let response = match path {
            "/v1/messages" => data_plane.messages("openai/demo", true).await,
            _ => data_plane.chat("openai/demo", true).await,
        };
        let mut stream = response.bytes_stream();
        stream.next().await.unwrap().unwrap();
        drop(stream);

        until("the end of the provider's stream", || {
            simulator.requests()[0].dropped.then_some(())
        })
        .await;
        let event = data_plane.event().await;
        assert_eq!(
            (event.outcome.as_str(), event.http_status),
            ("client_gone", 499),
            "{event:?}"
        );
        assert!(event.input_uncached > 0 && event.reached_provider, "{event:?}");
        assert_eq!(data_plane.gateway.metrics.inflight(), 0);
    }
}

#[tokio::test]
async fn an_answer_that_the_gateway_ends_does_not_wait_for_the_provider_to_end_it() {
    // this API has no stop sequences, so the gateway looks for them, and the provider goes on for a minute
    let simulator = Simulator::responses().await;
    simulator.script(endless());
    let setup = Setup::new().node("far", "openai-compatible", "responses", &simulator);
    let data_plane = setup.start().await;
    let question = json!({
        "model": "far/demo", "stream": true, "stop": ["demo provider"],
        "messages": [{"role": "user", "content": "word ".repeat(3_000)}],
    });
    let asked = Instant::now();
    let text = data_plane
        .ask("/v1/chat/completions", &question)
        .await
        .text()
        .await
        .unwrap();
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());

    let (done, chunks) = frames(&text)
        .split_last()
        .map(|(last, rest)| (*last, rest.to_vec()))
        .unwrap();
    assert_eq!(done, "[DONE]", "{text}");
    let chunks: Vec<Value> = chunks
        .iter()
        .map(|chunk| serde_json::from_str(chunk).unwrap())
        .collect();
    let said: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(said, "Hello from OmniRoute's ");
    assert!(
        chunks
            .iter()
            .any(|chunk| chunk["choices"][0]["finish_reason"] == "stop"),
        "{text}"
    );

    until("the end of the provider's stream", || {
        simulator.requests()[0].dropped.then_some(())
    })
    .await;
    assert_eq!(data_plane.event().await.outcome, "ok");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_recorded_too() {
    let simulator = Simulator::openai().await;
    simulator.script(Behaviour {
        hang: true,
        ..Behaviour::default()
    });
    let data_plane = Setup::new().account("o", "openai", &simulator).start().await;
    let asking = data_plane.chat("openai/demo", false);
    tokio::select! {
        _ = asking => panic!("nobody answers"),
        () = until("the request at the provider", || (!simulator.requests().is_empty()).then_some(())) => {}
    }
    let event = data_plane.event().await;
    assert_eq!(
        (event.outcome.as_str(), event.http_status),
        ("client_gone", 499),
        "{event:?}"
    );
    assert_eq!(event.attempts[0].outcome, "cancelled");
    // and the account is not to blame
    assert_eq!(data_plane.chat("openai/demo", false).await.status(), 200);
}

#[tokio::test]
async fn a_provider_that_falls_silent_ends_the_stream_with_an_error() {
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let simulator = Simulator::openai().await;
        simulator.script(Behaviour {
            gap: Duration::from_secs(60),
            ..Behaviour::default()
        });
        let setup = Setup::new().account("o", "openai", &simulator);
        let setup = setup.config(|config| {
            config.upstream.idle_ms = 100;
            config.upstream.first_event_ms = 100;
        });
        let data_plane = setup.start().await;
        let response = match path {
            "/v1/messages" => data_plane.messages("openai/demo", true).await,
            _ => data_plane.chat("openai/demo", true).await,
        };
        // the first frame of the simulator carries a role and no output: the silence comes before the commit
        assert_eq!(response.status(), 504);
    }
}

#[tokio::test]
async fn a_stream_has_a_longest_duration() {
    let simulator = Simulator::openai().await;
    simulator.script(endless());
    let setup = Setup::new().account("o", "openai", &simulator);
    let data_plane = setup
        .config(|config| config.upstream.total_ms = 120)
        .start()
        .await;
    let response = data_plane.chat("openai/demo", true).await;
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    assert!(frames(&text).last().unwrap().contains("\"error\""), "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
    assert_eq!(data_plane.event().await.outcome, "stream_error");
}

#[tokio::test]
async fn chunks_come_as_the_provider_sends_them() {
    let simulator = Simulator::openai().await;
    simulator.script(endless());
    let data_plane = Setup::new().account("o", "openai", &simulator).start().await;
    let response = data_plane.chat("openai/demo", true).await;
    let mut stream = response.bytes_stream();
    let mut arrivals = Vec::new();
    while let Some(chunk) = stream.next().await {
        chunk.unwrap();
        arrivals.push(tokio::time::Instant::now());
    }
    let spread = *arrivals.last().unwrap() - arrivals[0];
    assert!(
        arrivals.len() > 4 && spread > Duration::from_millis(60),
        "{} chunks in {spread:?}",
        arrivals.len()
    );
}
