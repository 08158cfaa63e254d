//! What is kept of what clients send and get, for operators to read.

use crate::harness::{DataPlane, KEY, Setup, json, question, until};
use llm::guard::Mode;
use prost::Message;
use proto::v1::{Capture, Captures};
use runtime::crypto::{ClusterKeys, Sealed, open};
use serde_json::json;
use std::time::Duration;
use testkit::snapshot::CLUSTER_SECRET;
use testkit::{Behaviour, Simulator};
use uuid::Uuid;

/// Everything that was captured so far, as a control plane would open it.
fn taken(data_plane: &DataPlane) -> Vec<Capture> {
    let spool = Uuid::now_v7();
    let bytes = data_plane.gateway.captures.take(spool);
    if bytes.is_empty() {
        return Vec::new();
    }
    let sealed = Sealed::from_bytes(&bytes).unwrap();
    let place = proto::captures_place(&spool.to_string());
    let key = ClusterKeys::derive(CLUSTER_SECRET).captures;
    let packed = open(&key, place.as_bytes(), &sealed.nonce, &sealed.ciphertext).unwrap();
    let plain = zstd::stream::decode_all(packed.as_slice()).unwrap();
    Captures::decode(plain.as_slice()).unwrap().captures
}

/// The one request that was made, once it is over.
async fn captured(data_plane: &DataPlane) -> Capture {
    let event = data_plane.event().await;
    let mut captures = taken(data_plane);
    assert_eq!(captures.len(), 1, "{captures:#?}");
    let capture = captures.remove(0);
    assert_eq!(
        (&capture.request_id, &capture.key_id),
        (&event.request_id, &event.key_id)
    );
    capture
}

fn capturing(data_plane: &DataPlane) {
    data_plane.configure(|snapshot| snapshot.settings(|settings| settings.capture_percent = 100));
}

async fn started(simulator: &Simulator) -> DataPlane {
    let data_plane = Setup::new().account("o", "openai", simulator).start().await;
    capturing(&data_plane);
    data_plane
}

#[tokio::test]
async fn nothing_is_kept_until_an_operator_asks_for_it() {
    let simulator = Simulator::openai().await;
    let data_plane = Setup::new().account("o", "openai", &simulator).start().await;
    data_plane.chat("openai/demo", true).await.text().await.unwrap();
    data_plane.event().await;
    assert_eq!(taken(&data_plane), []);
}

#[tokio::test]
async fn what_was_sent_and_got_is_kept_whole_or_streamed_without_secrets() {
    for stream in [false, true] {
        let simulator = Simulator::openai().await;
        let data_plane = started(&simulator).await;
        let mut body = question("openai/demo", stream);
        let newest = body["messages"][0].take();
        let first = r#"My header is "Authorization: Bearer sk-live-1", my file {"password": "hunter2"}"#;
        body["messages"] = json!([
            {"role": "user", "content": first}, {"role": "assistant", "content": "Thank you."}, newest,
        ]);
        let answer = data_plane
            .ask("/v1/chat/completions", &body)
            .await
            .text()
            .await
            .unwrap();

        let capture = captured(&data_plane).await;
        let request = capture.request.unwrap();
        for secret in ["sk-live-1", "hunter2"] {
            assert!(
                body.to_string().contains(secret) && !request.text.contains(secret),
                "{}",
                request.text
            );
        }
        let mut redacted = body.clone();
        redacted["messages"][0]["content"] =
            json!(r#"My header is "Authorization: Bearer [redacted]", my file {"password": "[redacted]"}"#);
        assert_eq!(request.text, redacted.to_string());
        assert_eq!(
            (request.original_bytes, request.truncated),
            (body.to_string().len() as u64, false)
        );
        let response = capture.response.unwrap();
        assert_eq!(response.original_bytes, answer.len() as u64);
        let kept: String = answer.chars().take(8_192).collect();
        let is_cut = kept != answer;
        assert_eq!((response.text, response.truncated), (kept, is_cut));
    }
}

#[tokio::test]
async fn of_a_long_body_the_beginning_is_kept_and_its_length() {
    let simulator = Simulator::openai().await;
    let data_plane = started(&simulator).await;
    let mut body = question("openai/demo", false);
    body["messages"][0]["content"] = json!("é".repeat(20_000));
    let sent = body.to_string();
    data_plane
        .ask("/v1/chat/completions", &body)
        .await
        .text()
        .await
        .unwrap();
    let request = captured(&data_plane).await.request.unwrap();
    assert_eq!(request.text, sent.chars().take(8_192).collect::<String>());
    assert_eq!(
        (request.original_bytes, request.truncated),
        (sent.len() as u64, true)
    );
}

#[tokio::test]
async fn of_a_key_that_is_not_to_be_logged_nothing_is_kept() {
    let simulator = Simulator::openai().await;
    let setup = Setup::new()
        .account("o", "openai", &simulator)
        .key("sk-private", |key| key.no_log = true);
    let data_plane = setup.start().await;
    capturing(&data_plane);
    let request = data_plane.post("/v1/chat/completions").bearer_auth("sk-private");
    let answer = request
        .body(question("openai/demo", false).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap();
    data_plane.event().await;
    assert_eq!(taken(&data_plane), []);
}

#[tokio::test]
async fn a_refusal_is_kept_as_the_client_got_it_and_of_a_stranger_nothing() {
    let simulator = Simulator::openai().await;
    let data_plane = started(&simulator).await;
    let stranger = data_plane
        .post("/v1/chat/completions")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(stranger.status(), 401);
    until("the event", || data_plane.events().pop()).await;
    let captures = taken(&data_plane);
    assert!(captures.is_empty(), "nobody knows who that was: {captures:?}");

    for body in [
        "{\"model\":",
        r#"{"model":"nowhere/x","messages":[{"role":"user","content":"hi"}]}"#,
    ] {
        let request = data_plane.post("/v1/chat/completions").bearer_auth(KEY);
        let answer = request.body(body).send().await.unwrap();
        assert!(answer.status().is_client_error());
        let text = answer.text().await.unwrap();
        let captures = until("the refusal", || {
            Some(taken(&data_plane)).filter(|taken| !taken.is_empty())
        })
        .await;
        assert_eq!(captures[0].request.as_ref().unwrap().text, body);
        assert_eq!(captures[0].response.as_ref().unwrap().text, text);
    }
}

#[tokio::test]
async fn of_a_client_that_leaves_what_it_got_until_then_is_kept() {
    let simulator = Simulator::openai().await;
    let slow = Behaviour {
        gap: Duration::from_millis(300),
        ..Behaviour::default()
    };
    simulator.script(slow);
    let data_plane = started(&simulator).await;
    let mut answer = data_plane.chat("openai/demo", true).await;
    let first = answer.chunk().await.unwrap().unwrap();
    drop(answer);
    let capture = captured(&data_plane).await;
    let text = capture.response.unwrap().text;
    let first = std::str::from_utf8(&first).unwrap();
    assert!(text.starts_with(first), "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn where_personal_data_is_taken_out_of_requests_none_is_kept_either() {
    let simulator = Simulator::openai().await;
    let setup = Setup::new().account("o", "openai", &simulator).config(|config| {
        config.guard.mode = Mode::Redact;
        config.guard.personal_data = true;
    });
    let data_plane = setup.start().await;
    capturing(&data_plane);
    let mut body = question("openai/demo", false);
    body["messages"][0]["content"] = json!("I am jane.doe@example.com");
    json(data_plane.ask("/v1/chat/completions", &body).await).await;
    let text = captured(&data_plane).await.request.unwrap().text;
    assert!(!text.contains("jane.doe") && text.contains("I am"), "{text}");
}
