//! Clients that leave in the middle of an answer: what they had is paid for, and nothing more is made.

use crate::harness::{DataPlane, KEY, Setup, frames, until};
use futures::StreamExt;
use proto::v1::usage_event::Evidence;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::{Behaviour, Simulator};

/// What a client sees before it leaves.
const DELTAS: usize = 3;

/// An answer that would go on for a minute.
fn slow() -> Behaviour {
    Behaviour {
        gap: Duration::from_millis(20),
        ..Behaviour::default()
    }
}

/// The same question in three dialects, and where the text of a frame is.
fn ways(model: &str) -> [(String, Value, &'static str); 3] {
    let words = "word ".repeat(3_000);
    let messages = json!([{"role": "user", "content": words}]);
    [
        (
            "/v1/chat/completions".to_owned(),
            json!({"model": model, "stream": true, "messages": messages}),
            "/choices/0/delta/content",
        ),
        (
            "/v1/messages".to_owned(),
            json!({"model": model, "stream": true, "max_tokens": 9999, "messages": messages}),
            "/delta/text",
        ),
        (
            format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            json!({"contents": [{"role": "user", "parts": [{"text": words}]}]}),
            "/candidates/0/content/parts/0/text",
        ),
    ]
}

/// Asks, reads the first deltas of text, and leaves.
async fn leave(data_plane: &DataPlane, path: &str, body: &Value, text: &str) {
    let request = data_plane.post(path).bearer_auth(KEY).body(body.to_string());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let (mut stream, mut read) = (response.bytes_stream(), String::new());
    let said = |read: &str| {
        let whole = read.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let deltas = frames(whole).into_iter().filter(|frame| {
            let frame: Value = serde_json::from_str(frame).unwrap();
            frame.pointer(text).is_some_and(|text| text != "")
        });
        deltas.count()
    };
    while said(&read) < DELTAS {
        let chunk = stream.next().await.unwrap().unwrap();
        read.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn an_abandoned_stream_costs_what_was_sent_and_what_was_seen() {
    for upstream in ["anthropic", "gemini"] {
        let model = format!("{upstream}/demo");
        for (path, body, text) in ways(&model) {
            let simulator = match upstream {
                "anthropic" => Simulator::anthropic().await,
                _ => Simulator::gemini().await,
            };
            simulator.script(slow());
            let data_plane = Setup::new().account("a", upstream, &simulator).start().await;
            leave(&data_plane, &path, &body, text).await;

            let left = Instant::now();
            until("the end of the provider's stream", || {
                simulator.requests()[0].dropped.then_some(())
            })
            .await;
            assert!(
                left.elapsed() < Duration::from_secs(2),
                "{path}: {:?}",
                left.elapsed()
            );

            let event = data_plane.event().await;
            let billed = simulator.requests()[0].billed.unwrap();
            let way = format!("{path} at {upstream}: {event:?} {billed:?}");
            assert_eq!(
                (event.outcome.as_str(), event.http_status),
                ("client_gone", 499),
                "{way}"
            );
            assert_eq!(event.evidence(), Evidence::Estimated, "{way}");
            // the input was said before the first word, and is not a guess
            assert_eq!(
                event.input_uncached + event.input_cache_read,
                billed.input,
                "{way}"
            );
            let output = event.output_visible + event.output_reasoning;
            assert!(output > 0 && output < 1_000, "{way}");
            assert_eq!(data_plane.gateway.metrics.inflight(), 0);
        }
    }
}
