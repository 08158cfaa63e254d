//! Both dialects on both sides, whole and streamed.

use crate::harness::{DataPlane, KEY, Setup, frames, header, json};
use serde_json::{Value, json};
use testkit::{Behaviour, Simulator};

struct World {
    data_plane: DataPlane,
    openai: Simulator,
    anthropic: Simulator,
}

async fn world() -> World {
    let (openai, anthropic) = (Simulator::openai().await, Simulator::anthropic().await);
    let setup = Setup::new()
        .account("o", "openai", &openai)
        .account("a", "anthropic", &anthropic);
    World {
        data_plane: setup.start().await,
        openai,
        anthropic,
    }
}

/// The text of a stream in OpenAI's dialect; checks its shape on the way.
fn openai_stream(text: &str) -> String {
    let (last, chunks) = frames(text)
        .split_last()
        .map(|(last, rest)| (*last, rest.to_vec()))
        .unwrap();
    assert_eq!(last, "[DONE]", "{text}");
    let chunks: Vec<Value> = chunks
        .iter()
        .map(|chunk| serde_json::from_str(chunk).unwrap())
        .collect();
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["object"] == "chat.completion.chunk"),
        "{text}"
    );
    assert_eq!(
        chunks
            .iter()
            .filter(|chunk| chunk["choices"][0]["finish_reason"].is_string())
            .count(),
        1,
        "{text}"
    );
    chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect()
}

/// The same for Anthropic's.
fn anthropic_stream(text: &str) -> String {
    let events: Vec<Value> = frames(text)
        .iter()
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    assert_eq!(events.first().unwrap()["type"], "message_start", "{text}");
    assert_eq!(events.last().unwrap()["type"], "message_stop", "{text}");
    events
        .iter()
        .filter_map(|event| event["delta"]["text"].as_str())
        .collect()
}

#[tokio::test]
async fn every_client_can_talk_to_every_provider() {
    let world = world().await;
    let mut answers = Vec::new();
    for model in ["openai/demo", "anthropic/demo"] {
        let chat = json(world.data_plane.chat(model, false).await).await;
        assert_eq!(chat["object"], "chat.completion", "{chat}");
        assert!(chat["usage"]["completion_tokens"].as_u64().unwrap() > 0, "{chat}");
        answers.push(
            chat["choices"][0]["message"]["content"]
                .as_str()
                .unwrap()
                .to_owned(),
        );

        let message = json(world.data_plane.messages(model, false).await).await;
        assert_eq!(
            (&message["type"], &message["stop_reason"]),
            (&json!("message"), &json!("end_turn")),
            "{message}"
        );
        assert!(
            message["usage"]["output_tokens"].as_u64().unwrap() > 0,
            "{message}"
        );
        answers.push(message["content"][0]["text"].as_str().unwrap().to_owned());

        answers.push(openai_stream(
            &world.data_plane.chat(model, true).await.text().await.unwrap(),
        ));
        answers.push(anthropic_stream(
            &world.data_plane.messages(model, true).await.text().await.unwrap(),
        ));
    }
    assert!(!answers[0].is_empty());
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!(
        (world.openai.requests().len(), world.anthropic.requests().len()),
        (4, 4)
    );
}

#[tokio::test]
async fn a_passed_through_request_keeps_its_bytes() {
    let world = world().await;
    let body = "{ \"messages\" : [{\"role\":\"user\",\"content\":\"caf\\u00e9\"}],\n\t\"model\": \"openai/demo\" , \"seed\": 7 }";
    let response = world
        .data_plane
        .post("/v1/chat/completions")
        .bearer_auth(KEY)
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let received = &world.openai.requests()[0];
    assert_eq!(received.raw, body.replace("openai/demo", "demo"));
    assert_eq!(received.headers["authorization"], "Bearer sk-o");
}

#[tokio::test]
async fn a_provider_gets_its_own_credential_and_never_the_clients() {
    let world = world().await;
    world.data_plane.messages("anthropic/demo", false).await;
    let received = &world.anthropic.requests()[0];
    assert_eq!(received.headers["x-api-key"], "sk-a");
    assert!(
        !received.headers.values().any(|value| value.contains(KEY)),
        "{:?}",
        received.headers
    );
}

#[tokio::test]
async fn an_answer_says_what_happened_to_it() {
    let world = world().await;
    let whole = world.data_plane.chat("openai/demo", false).await;
    assert_eq!(header(&whole, "x-omniroute-cache"), Some("MISS"));
    assert_eq!(header(&whole, "x-omniroute-attempts"), Some("1"));
    assert_eq!(header(&whole, "content-type"), Some("application/json"));
    assert_eq!(header(&whole, "x-omniroute-translation"), None);
    assert_eq!(header(&whole, "access-control-allow-origin"), Some("*"));

    let stream = world.data_plane.chat("openai/demo", true).await;
    assert_eq!(header(&stream, "x-omniroute-cache"), None);
    assert!(
        header(&stream, "content-type")
            .unwrap()
            .starts_with("text/event-stream")
    );
    assert_eq!(header(&stream, "cache-control"), Some("no-cache"));
    assert_eq!(header(&stream, "x-accel-buffering"), Some("no"));

    let body = json!({
        "model": "anthropic/demo", "logit_bias": {"50256": -100},
        "messages": [{"role": "user", "content": "Hi"}],
    });
    let translated = world.data_plane.ask("/v1/chat/completions", &body).await;
    assert!(
        header(&translated, "x-omniroute-translation")
            .unwrap()
            .contains("loss=1"),
        "{translated:?}"
    );
}

#[tokio::test]
async fn a_request_keeps_its_name_or_gets_one() {
    let world = world().await;
    let named = |name: &'static str| {
        let request = world.data_plane.post("/v1/chat/completions").bearer_auth(KEY);
        request.header("x-request-id", name).body("{}").send()
    };
    assert_eq!(
        header(&named("my-request-1").await.unwrap(), "x-request-id"),
        Some("my-request-1")
    );
    for odd in ["", "has space"] {
        let response = named(odd).await.unwrap();
        let minted = header(&response, "x-request-id").unwrap();
        assert_eq!(minted.len(), 36, "{minted}");
    }
}

#[tokio::test]
async fn a_provider_that_answers_in_the_other_mode_is_understood() {
    let world = world().await;
    world.openai.script(Behaviour {
        whole: true,
        ..Behaviour::default()
    });
    let replayed = openai_stream(
        &world
            .data_plane
            .chat("openai/demo", true)
            .await
            .text()
            .await
            .unwrap(),
    );
    world.openai.script(Behaviour {
        streamed: true,
        ..Behaviour::default()
    });
    let folded = json(world.data_plane.chat("openai/demo", false).await).await;
    assert_eq!(folded["choices"][0]["message"]["content"], json!(replayed));
}

#[tokio::test]
async fn splitting_the_providers_stream_anywhere_changes_nothing() {
    let world = world().await;
    for model in ["openai/demo", "anthropic/demo"] {
        let plain = openai_stream(&world.data_plane.chat(model, true).await.text().await.unwrap());
        let odd = Behaviour {
            split: true,
            crlf: true,
            ..Behaviour::default()
        };
        world.openai.script(odd.clone());
        world.anthropic.script(odd);
        assert_eq!(
            openai_stream(&world.data_plane.chat(model, true).await.text().await.unwrap()),
            plain,
            "{model}"
        );
        // the one that was not asked keeps its script for the next round
        world.data_plane.chat("openai/demo", false).await;
        world.data_plane.chat("anthropic/demo", false).await;
    }
}
