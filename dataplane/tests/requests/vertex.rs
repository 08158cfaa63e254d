//! Google's Vertex AI behind the gateway: a service account's key, the tokens it gets, and two vendors' models.

use crate::harness::{DataPlane, Setup, frames, json as body_of};
use futures::future::join_all;
use serde_json::{Value, json};
use testkit::{Behaviour, Received, Simulator, other_service_account, service_account};

const GEMINI: &str = "vertex/gemini-2.5-flash";
const CLAUDE: &str = "vertex-anthropic/claude-sonnet-4-5@20250929";

fn token_url(simulator: &Simulator) -> String {
    format!("{}/token", simulator.url())
}

async fn with_credential(credential: impl Fn(&str) -> String) -> (DataPlane, Simulator) {
    let simulator = Simulator::vertex().await;
    let key = credential(&token_url(&simulator));
    let setup = Setup::new()
        .account_as("google", "vertex", &simulator, &key)
        .account_as("anthropic", "vertex-anthropic", &simulator, &key);
    (setup.start().await, simulator)
}

fn of(simulator: &Simulator, is_token: bool) -> Vec<Received> {
    let all = simulator.requests().into_iter();
    all.filter(|received| (received.path == "/token") == is_token)
        .collect()
}

/// The simulator verifies each statement, gives tokens for it, and turns away whoever brings none of them.
#[tokio::test]
async fn clients_of_every_dialect_are_answered_whole_and_as_a_stream() {
    let (data_plane, simulator) = with_credential(service_account).await;
    for model in [GEMINI, CLAUDE] {
        let whole = body_of(data_plane.chat(model, false).await).await;
        assert_eq!(whole["object"], "chat.completion", "{whole}");
        let streamed = data_plane.chat(model, true).await.text().await.unwrap();
        assert_eq!(frames(&streamed).last(), Some(&"[DONE]"), "{streamed}");
        let message = body_of(data_plane.messages(model, false).await).await;
        assert_eq!(message["type"], "message", "{message}");
        let stream = data_plane.messages(model, true).await.text().await.unwrap();
        assert!(stream.contains("event: message_stop"), "{stream}");
        let question = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
        let path = format!("/v1beta/models/{model}:generateContent");
        let content = body_of(data_plane.ask(&path, &question).await).await;
        assert!(content["candidates"].is_array(), "{content}");
    }
    for event in data_plane.events() {
        assert_eq!(event.outcome, "ok");
        assert!(event.input_uncached > 0 && event.output_visible > 0, "{event:?}");
        assert!(event.cost_nano.is_some_and(|cost| cost > 0), "{event:?}");
    }
    assert_eq!(of(&simulator, true).len(), 2, "a token for each account");
    let root = "/v1/projects/demo-project/locations/global/publishers";
    for received in of(&simulator, false) {
        assert!(received.path.starts_with(root), "{}", received.path);
        assert!(received.headers["authorization"].starts_with("Bearer ya29."));
        assert!(!received.headers.contains_key("anthropic-version"));
    }
}

#[tokio::test]
async fn a_message_goes_through_as_it_is_but_for_model_and_version() {
    let (data_plane, simulator) = with_credential(service_account).await;
    let message = json!({ "model": CLAUDE, "max_tokens": 50, "messages": [{ "role": "user", "content": "hi" }],
        "metadata": { "user_id": "u" } });
    for (sent, there) in [("2023-06-01", "vertex-2023-10-16"), ("2026-10-21", "2026-10-21")] {
        let answer = data_plane
            .post("/v1/messages")
            .header("x-api-key", crate::harness::KEY)
            .header("anthropic-version", sent)
            .body(message.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        let received = simulator.requests().pop().unwrap().body;
        assert_eq!(received["anthropic_version"], there);
        let mut expected = message.clone();
        expected.as_object_mut().unwrap().remove("model");
        expected["anthropic_version"] = json!(there);
        assert_eq!(received, expected);
    }
}

#[tokio::test]
async fn tokens_of_a_request_are_counted_where_it_would_go() {
    let (data_plane, simulator) = with_credential(service_account).await;
    let messages = json!([{ "role": "user", "content": "How far is the moon?" }]);
    let question = json!({ "model": CLAUDE, "messages": messages });
    let counted = body_of(data_plane.ask("/v1/messages/count_tokens", &question).await).await;
    assert!(
        counted["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0),
        "{counted}"
    );
    let question = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
    let path = format!("/v1beta/models/{GEMINI}:countTokens");
    let counted = body_of(data_plane.ask(&path, &question).await).await;
    assert!(counted["totalTokens"].as_u64().is_some(), "{counted}");
    let paths: Vec<String> = of(&simulator, false)
        .into_iter()
        .map(|received| received.path)
        .collect();
    assert!(paths[0].ends_with("/models/count-tokens:rawPredict"), "{paths:?}");
    assert!(
        paths[1].ends_with("/models/gemini-2.5-flash:countTokens"),
        "{paths:?}"
    );
}

#[tokio::test]
async fn however_many_requests_wait_the_token_is_asked_for_once() {
    let (data_plane, simulator) = with_credential(service_account).await;
    let all = (0..40).map(|_| data_plane.chat(GEMINI, false));
    for answer in join_all(all).await {
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(of(&simulator, true).len(), 1);
    data_plane.configure(|snapshot| snapshot.alias("renamed", GEMINI));
    assert_eq!(data_plane.chat("renamed", false).await.status(), 200);
    assert_eq!(
        of(&simulator, true).len(),
        1,
        "a new configuration goes on with it"
    );
}

#[tokio::test]
async fn a_token_that_the_provider_refuses_is_replaced_once() {
    let (data_plane, simulator) = with_credential(service_account).await;
    assert_eq!(data_plane.chat(GEMINI, false).await.status(), 200);
    simulator.script(Behaviour::status(401));
    assert_eq!(data_plane.chat(GEMINI, false).await.status(), 200);
    assert_eq!(of(&simulator, true).len(), 2);
    let bearers: Vec<String> = of(&simulator, false)
        .into_iter()
        .map(|received| received.headers["authorization"].clone())
        .collect();
    assert_eq!(bearers[0], bearers[1]);
    assert_ne!(bearers[1], bearers[2]);
    // whose new token is refused as well is at fault
    simulator.script(Behaviour::status(401));
    simulator.script(Behaviour::status(401));
    let refused = data_plane.chat(GEMINI, false).await;
    assert!(refused.status().is_server_error(), "{}", refused.status());
    assert_eq!(of(&simulator, true).len(), 3);
}

#[tokio::test]
async fn a_key_that_is_not_the_accounts_own_gets_no_token_and_is_shown_to_nobody() {
    let (data_plane, simulator) = with_credential(other_service_account).await;
    let all = (0..10).map(|_| data_plane.chat(GEMINI, false));
    for refused in join_all(all).await {
        assert!(refused.status().is_server_error(), "{}", refused.status());
        let body: Value = body_of(refused).await;
        assert!(!body.to_string().contains("PRIVATE KEY"), "{body}");
    }
    assert_eq!(of(&simulator, true).len(), 1, "the account rests");
    assert!(of(&simulator, false).is_empty());
}

#[tokio::test]
async fn the_region_and_the_project_of_an_account_are_in_the_address() {
    let simulator = Simulator::vertex().await;
    let setup = Setup::new();
    let key = setup.credential("google", &service_account(&token_url(&simulator)));
    let setup = setup.account_with("google", "vertex", &simulator.url(), |connection| {
        connection.credential = Some(key);
        connection.region = "europe-west4".to_owned();
        connection.project = "somebody-elses".to_owned();
    });
    let refused = setup.start().await.chat(GEMINI, false).await;
    assert!(refused.status().is_server_error(), "{}", refused.status());
    let asked = of(&simulator, false).pop().unwrap();
    assert_eq!(
        asked.path,
        "/v1/projects/somebody-elses/locations/europe-west4/publishers/google/models/gemini-2.5-flash:generateContent"
    );
}
