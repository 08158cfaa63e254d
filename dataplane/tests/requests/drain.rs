//! Going away without breaking anything.

use crate::harness::{KEY, Setup, frames, json};
use futures::StreamExt;
use std::time::Duration;
use testkit::{Behaviour, Simulator};

#[tokio::test]
async fn a_running_stream_ends_before_the_server_does() {
    let simulator = Simulator::openai().await;
    simulator.script(Behaviour {
        gap: Duration::from_millis(20),
        ..Behaviour::default()
    });
    let data_plane = Setup::new().account("o", "openai", &simulator).start().await;
    let mut stream = data_plane.chat("openai/demo", true).await.bytes_stream();
    let mut text = stream.next().await.unwrap().unwrap().to_vec();
    data_plane.gateway.availability.draining.cancel();
    data_plane.stop.cancel();
    while let Some(chunk) = stream.next().await {
        text.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(frames(&String::from_utf8(text).unwrap()).last(), Some(&"[DONE]"));
    assert!(data_plane.serving.await.unwrap());
}

#[tokio::test]
async fn a_new_request_is_refused_in_its_dialect() {
    let data_plane = Setup::new().start().await;
    data_plane.gateway.availability.draining.cancel();
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let response = data_plane
            .post(path)
            .bearer_auth(KEY)
            .body("{}")
            .send()
            .await
            .unwrap();
        assert!(response.status().is_server_error(), "{}", response.status());
        let error = json(response).await;
        assert_eq!(error["error"]["message"], "Server is shutting down", "{error}");
        assert_eq!(error["type"] == "error", path == "/v1/messages");
    }
}
