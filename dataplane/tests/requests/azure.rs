//! Azure OpenAI behind the gateway: a resource's key, deployments for models, and errors in the service's own words.

use crate::harness::{DataPlane, KEY, Setup, frames, json as body_of};
use serde_json::{Value, json};
use testkit::{Behaviour, Simulator};

async fn asked_by(api_type: &str) -> (DataPlane, Simulator) {
    let simulator = Simulator::azure().await;
    let setup = Setup::new().node("az", "azure-compatible", api_type, &simulator);
    (setup.start().await, simulator)
}

#[tokio::test]
async fn a_deployment_answers_whole_and_as_a_stream_in_every_way_it_can_be_asked() {
    for (api_type, path) in [
        ("chat", "/openai/v1/chat/completions"),
        ("responses", "/openai/v1/responses"),
        ("deployments", "/openai/deployments/my-gpt/chat/completions"),
    ] {
        let (data_plane, simulator) = asked_by(api_type).await;
        let whole = body_of(data_plane.chat("az/my-gpt", false).await).await;
        assert_eq!(whole["object"], "chat.completion", "{api_type}: {whole}");
        let streamed = data_plane.chat("az/my-gpt", true).await.text().await.unwrap();
        let frames = frames(&streamed);
        assert_eq!(frames.last(), Some(&"[DONE]"), "{api_type}: {streamed}");
        let message = body_of(data_plane.messages("az/my-gpt", false).await).await;
        assert_eq!(message["type"], "message", "{api_type}: {message}");
        let stream = data_plane.messages("az/my-gpt", true).await.text().await.unwrap();
        assert!(stream.contains("event: message_stop"), "{api_type}: {stream}");
        for received in simulator.requests() {
            assert_eq!(received.path, path);
            assert_eq!(received.headers["api-key"], "sk-az-1");
            assert!(!received.headers.contains_key("authorization"));
        }
        for event in data_plane.events() {
            assert_eq!(event.outcome, "ok", "{api_type}");
            assert!(event.input_uncached > 0 && event.output_visible > 0, "{event:?}");
        }
    }
}

#[tokio::test]
async fn what_a_deployment_serves_beside_chat_is_asked_under_its_name() {
    for (api_type, root) in [
        ("chat", "/openai/v1"),
        ("deployments", "/openai/deployments/d%2F1"),
    ] {
        let (data_plane, simulator) = asked_by(api_type).await;
        for (path, body, there) in [
            ("/embeddings", json!({ "input": "hi" }), "/data/0/embedding"),
            (
                "/images/generations",
                json!({ "prompt": "a boat" }),
                "/data/0/b64_json",
            ),
        ] {
            let mut body = body;
            body["model"] = json!("az/d/1");
            let answer = body_of(data_plane.ask(&format!("/v1{path}"), &body).await).await;
            assert!(answer.pointer(there).is_some(), "{api_type} {path}: {answer}");
            let received = simulator.requests().pop().unwrap();
            assert_eq!(received.path, format!("{root}{path}"));
        }
        let speech = json!({ "model": "az/d/1", "input": "hi", "voice": "alloy" });
        let speech = data_plane.ask("/v1/audio/speech", &speech).await;
        assert_eq!(speech.status(), 200);
        assert!(!speech.bytes().await.unwrap().is_empty());
        let form = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\naz/d/1\r\n--b\r\n\
                    content-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\ncontent-type: audio/wav\r\n\
                    \r\nRIFF\r\n--b--\r\n";
        let heard = data_plane
            .request("POST", "/v1/audio/transcriptions")
            .bearer_auth(KEY)
            .header("content-type", "multipart/form-data; boundary=b")
            .body(form)
            .send();
        assert_eq!(heard.await.unwrap().status(), 200);
        let last = simulator.requests().pop().unwrap();
        assert_eq!(last.path, format!("{root}/audio/transcriptions"));
        let judged = json!({ "model": "az/d/1", "input": "hi" });
        let refused = data_plane.ask("/v1/moderations", &judged).await;
        assert_eq!(refused.status(), 400, "the service has none");
    }
}

#[tokio::test]
async fn a_filtered_prompt_is_the_requests_own_fault_and_says_so() {
    for api_type in ["chat", "deployments"] {
        let (data_plane, simulator) = asked_by(api_type).await;
        let offending =
            json!({ "model": "az/my-gpt", "messages": [{ "role": "user", "content": "(violence)" }] });
        let refused = data_plane.ask("/v1/chat/completions", &offending).await;
        assert_eq!(refused.status(), 400);
        let body: Value = body_of(refused).await;
        assert_eq!(body["error"]["code"], "content_filter", "{body}");
        assert_eq!(simulator.requests().len(), 1, "no other account would do better");
        let answered = data_plane.chat("az/my-gpt", false).await;
        assert_eq!(answered.status(), 200, "the account does not rest for it");
    }
}

#[tokio::test]
async fn a_deployment_that_is_not_there_is_a_model_that_is_not_there() {
    for api_type in ["chat", "deployments"] {
        let (data_plane, _simulator) = asked_by(api_type).await;
        let missing = data_plane.chat("az/missing-gpt", false).await;
        assert_eq!(missing.status(), 404, "{api_type}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_the_accounts_fault() {
    let simulator = Simulator::azure().await;
    let setup = Setup::new().node("az", "azure-compatible", "chat", &simulator);
    let wrong = setup.credential("az-1", "sk-revoked-1");
    let setup = setup.account_with("az-1", "node-az", "", |connection| {
        connection.credential = Some(wrong);
    });
    let data_plane = setup.start().await;
    let refused = data_plane.chat("az/my-gpt", false).await;
    assert!(refused.status().is_server_error(), "{}", refused.status());
}

#[tokio::test]
async fn a_busy_deployment_says_how_long() {
    let (data_plane, simulator) = asked_by("deployments").await;
    simulator.script(Behaviour {
        fail: Some(429),
        retry_after: Some(26),
        ..Behaviour::default()
    });
    let busy = data_plane.chat("az/my-gpt", false).await;
    assert_eq!(busy.status(), 429);
    let seconds: u64 = busy.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((20..=30).contains(&seconds), "{seconds}");
}
