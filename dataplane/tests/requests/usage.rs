//! One request, one usage event.

use crate::harness::{KEY, Setup, until};
use proto::v1::Pending;
use proto::v1::usage_event::Evidence;
use std::time::Duration;
use testkit::{Behaviour, Simulator};

#[tokio::test]
async fn what_the_provider_bills_is_what_is_written_down() {
    for stream in [false, true] {
        for client in ["chat", "messages"] {
            let simulator = Simulator::openai().await;
            let cached = Behaviour {
                cached: true,
                ..Behaviour::default()
            };
            simulator.script(cached);
            let data_plane = Setup::new().account("o", "openai", &simulator).start().await;
            let response = match client {
                "chat" => data_plane.chat("openai/demo", stream).await,
                _ => data_plane.messages("openai/demo", stream).await,
            };
            response.text().await.unwrap();
            let event = data_plane.event().await;
            let billed = simulator.requests()[0].billed.unwrap();
            assert_eq!(event.outcome, "ok", "{event:?}");
            assert_eq!(event.evidence(), Evidence::ProviderReported, "{event:?}");
            assert_eq!(
                event.input_uncached + event.input_cache_read,
                billed.input,
                "{event:?}"
            );
            assert_eq!(event.input_cache_read, billed.cached);
            assert_eq!(event.output_visible + event.output_reasoning, billed.output);
            assert_eq!(
                (event.key_name.as_str(), event.connection_id.as_str()),
                (KEY, "o")
            );
            assert_eq!(
                (event.model_requested.as_str(), event.model_served.as_str()),
                ("openai/demo", "demo")
            );
            assert_eq!((event.config_revision, event.finish_reason.as_str()), (7, "stop"));
            assert_eq!(event.ttft_ms > 0, stream);
        }
    }
}

#[tokio::test]
async fn every_request_leaves_exactly_one_event() {
    let simulator = Simulator::openai().await;
    simulator.script(Behaviour::status(500));
    let data_plane = Setup::new().account("o", "openai", &simulator).start().await;
    data_plane.chat("openai/demo", false).await.text().await.unwrap();
    data_plane.chat("openai/demo", false).await.text().await.unwrap();
    data_plane.chat("nowhere/x", false).await.text().await.unwrap();
    data_plane
        .post("/v1/messages")
        .body("{}")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let events = until("four events", || {
        Some(data_plane.events()).filter(|events| events.len() == 4)
    })
    .await;
    let found: Vec<_> = events
        .iter()
        .map(|event| (event.outcome.as_str(), event.reached_provider))
        .collect();
    // failed at the provider; all accounts rest; unknown model; no key
    let expected = [
        ("upstream_error", true),
        ("upstream_error", false),
        ("rejected", false),
        ("rejected", false),
    ];
    assert_eq!(found, expected);
    assert!(
        events.iter().all(|event| event.evidence() == Evidence::None),
        "{events:#?}"
    );
    let mut ids: Vec<_> = events.iter().map(|event| event.request_id.as_str()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn what_a_provider_works_on_is_known_by_model_until_it_ends() {
    let simulator = Simulator::openai().await;
    let slow = Behaviour {
        gap: Duration::from_millis(200),
        ..Behaviour::default()
    };
    simulator.script(slow);
    let data_plane = Setup::new().account("o", "openai", &simulator).start().await;
    let pending = || data_plane.gateway.routing.health().pending();
    assert_eq!(pending(), []);
    let answer = data_plane.chat("openai/demo", true).await;
    let expected = Pending {
        provider: "openai".to_owned(),
        connection_id: "o".to_owned(),
        model: "demo".to_owned(),
        calls: 1,
    };
    assert_eq!(pending(), [expected]);
    drop(answer);
    until("the call to end", || pending().is_empty().then_some(())).await;
}
