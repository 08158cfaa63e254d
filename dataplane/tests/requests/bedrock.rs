//! Amazon Bedrock behind the gateway: requests that are signed, and answers in binary frames.

use crate::harness::{DataPlane, Setup, frames, header, json as body_of};
use serde_json::Value;
use testkit::{ACCESS_KEY, Simulator, TEMPORARY_ACCESS_KEY};

const MODEL: &str = "bedrock/us.amazon.nova-lite-v1:0";

async fn with_credential(credential: &str) -> (DataPlane, Simulator) {
    let simulator = Simulator::bedrock().await;
    let setup = Setup::new().account_as("aws", "bedrock", &simulator, credential);
    (setup.start().await, simulator)
}

/// The simulator makes each signature once more from what arrived, and refuses one that differs.
#[tokio::test]
async fn clients_of_either_dialect_are_answered_whole_and_as_a_stream() {
    for credential in [ACCESS_KEY, TEMPORARY_ACCESS_KEY] {
        let (data_plane, simulator) = with_credential(credential).await;
        let whole = data_plane.chat(MODEL, false).await;
        assert_eq!(whole.status(), 200, "{}", whole.text().await.unwrap());
        let streamed = data_plane.chat(MODEL, true).await;
        assert!(
            header(&streamed, "content-type")
                .unwrap()
                .starts_with("text/event-stream")
        );
        let text = streamed.text().await.unwrap();
        assert!(
            frames(&text).last().is_some_and(|frame| frame.contains("[DONE]")),
            "{text}"
        );
        let message = body_of(data_plane.messages(MODEL, false).await).await;
        assert_eq!(message["type"], "message");
        let events = data_plane.events();
        assert_eq!(events.len(), 3);
        for event in events {
            assert_eq!(
                (event.outcome.as_str(), event.upstream_dialect.as_str()),
                ("ok", "bedrock_converse")
            );
            assert!(event.input_uncached > 0 && event.output_visible > 0, "{event:?}");
        }
        let received = &simulator.requests()[0];
        assert_eq!(received.path, "/model/us.amazon.nova-lite-v1%3A0/converse");
        let (id, secret) = credential.split_once(':').unwrap();
        assert!(received.headers["authorization"].contains(id));
        assert!(!received.headers["authorization"].contains(secret));
    }
}

#[tokio::test]
async fn a_key_of_bedrocks_own_is_sent_as_it_is() {
    let (data_plane, simulator) = with_credential("bedrock-api-key").await;
    assert_eq!(data_plane.chat(MODEL, false).await.status(), 200);
    assert_eq!(
        simulator.requests()[0].headers["authorization"],
        "Bearer bedrock-api-key"
    );
}

#[tokio::test]
async fn a_wrong_secret_is_the_accounts_fault_and_its_text_goes_nowhere() {
    let (data_plane, _simulator) = with_credential("AKIADEMO:wrong-secret").await;
    let refused = data_plane.chat(MODEL, false).await;
    assert!(
        refused.status().is_server_error() || refused.status() == 401,
        "{}",
        refused.status()
    );
    let body: Value = body_of(refused).await;
    assert!(!body.to_string().contains("wrong-secret"), "{body}");
}

/// What is signed for another region than the one that was said is refused: there is no telling it from the address.
#[tokio::test]
async fn a_region_that_was_said_is_the_one_that_is_signed_for() {
    let simulator = Simulator::bedrock().await;
    for (provider, model) in [
        ("bedrock", MODEL.to_owned()),
        ("node-own", "own/us.amazon.nova-lite-v1:0".to_owned()),
    ] {
        let setup = Setup::new().node("own", "bedrock-compatible", "", &simulator);
        let credential = setup.credential("aws", ACCESS_KEY);
        let base_url = if provider == "bedrock" {
            simulator.url()
        } else {
            String::new()
        };
        let setup = setup.account_with("aws", provider, &base_url, |connection| {
            connection.credential = Some(credential);
            connection.region = "eu-central-2".to_owned();
            connection.priority = 1;
        });
        let answer = setup.start().await.chat(&model, false).await;
        assert_eq!(answer.status(), 200, "{model}");
        let received = simulator.requests().pop().unwrap();
        let authorization = &received.headers["authorization"];
        assert!(
            authorization.contains("/eu-central-2/bedrock/"),
            "{authorization}"
        );
    }
}
