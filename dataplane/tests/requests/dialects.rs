//! Both dialects on both sides, whole and streamed.

use crate::harness::{DataPlane, KEY, Setup, frames, header, json, until};
use proto::v1::{UsageEvent, translation_note::Severity};
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
    // what they are is for who runs the gateway
    let [_, _, translated]: [UsageEvent; 3] =
        until("three events", || world.data_plane.events().try_into().ok()).await;
    let notes = translated.translation_notes.iter();
    let lost: Vec<&str> = notes
        .filter(|note| note.severity() == Severity::Loss && !note.detail.is_empty())
        .map(|note| note.field.as_str())
        .collect();
    assert_eq!(lost, ["logit_bias"]);
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

/// One question in each dialect, where the answer's text is, and where a stream's text is.
struct Client {
    path: fn(&str, bool) -> String,
    body: fn(&str, bool) -> Value,
    text: &'static str,
}

const CLIENTS: [Client; 5] = [
    Client {
        path: |_, _| "/v1/chat/completions".to_owned(),
        body: |model, stream| json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}),
        text: "/choices/0/message/content",
    },
    Client {
        path: |_, _| "/v1/responses".to_owned(),
        body: |model, stream| json!({"model": model, "stream": stream, "input": "Hi"}),
        text: "/output/0/content/0/text",
    },
    Client {
        path: |_, _| "/v1/messages".to_owned(),
        body: |model, stream| {
            json!({"model": model, "stream": stream, "max_tokens": 200,
                "messages": [{"role": "user", "content": "Hi"}]})
        },
        text: "/content/0/text",
    },
    Client {
        path: |model, stream| match stream {
            true => format!("/v1beta/models/{model}:streamGenerateContent"),
            false => format!("/v1beta/models/{model}:generateContent"),
        },
        body: |_, _| json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}),
        text: "/candidates/0/content/parts/0/text",
    },
    Client {
        path: |_, _| "/api/chat".to_owned(),
        body: |model, stream| json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}),
        text: "/message/content",
    },
];

/// The simulators live as long as they are held.
async fn five_providers() -> (DataPlane, [Simulator; 5]) {
    let simulators = [
        Simulator::openai().await,
        Simulator::responses().await,
        Simulator::anthropic().await,
        Simulator::gemini().await,
        Simulator::ollama().await,
    ];
    let [openai, responses, anthropic, gemini, ollama] = &simulators;
    let data_plane = Setup::new()
        .account("o", "openai", openai)
        .node("r", "openai-compatible", "responses", responses)
        .account("a", "anthropic", anthropic)
        .account("g", "gemini", gemini)
        .node("l", "ollama-compatible", "", ollama)
        .start()
        .await;
    (data_plane, simulators)
}

#[tokio::test]
async fn all_five_dialects_reach_all_five() {
    let (data_plane, _simulators) = five_providers().await;
    let mut answers = Vec::new();
    for model in ["openai/demo", "anthropic/demo", "gemini/demo", "r/demo", "l/demo"] {
        for client in &CLIENTS {
            let path = (client.path)(model, false);
            let response = data_plane.ask(&path, &(client.body)(model, false)).await;
            let status = response.status();
            assert_eq!(
                header(&response, "content-type"),
                Some("application/json"),
                "{path} {model}"
            );
            let whole = json(response).await;
            assert_eq!(status, 200, "{path} {model}: {whole}");
            let text = whole.pointer(client.text).and_then(Value::as_str);
            answers.push(
                text.unwrap_or_else(|| panic!("{path} {model}: {whole}"))
                    .to_owned(),
            );
        }
    }
    assert!(!answers[0].is_empty());
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn a_stream_is_framed_as_its_client_reads_it() {
    let (data_plane, _simulators) = five_providers().await;
    for model in ["openai/demo", "anthropic/demo", "gemini/demo", "r/demo", "l/demo"] {
        for (client, query, kind) in [
            (&CLIENTS[0], "", "text/event-stream"),
            (&CLIENTS[1], "", "text/event-stream"),
            (&CLIENTS[2], "", "text/event-stream"),
            (&CLIENTS[3], "?alt=sse", "text/event-stream"),
            (&CLIENTS[3], "", "application/json"),
            (&CLIENTS[4], "", "application/x-ndjson"),
        ] {
            let path = format!("{}{query}", (client.path)(model, true));
            let response = data_plane.ask(&path, &(client.body)(model, true)).await;
            assert_eq!(response.status(), 200, "{path} {model}");
            let content_type = header(&response, "content-type").unwrap().to_owned();
            assert!(content_type.starts_with(kind), "{path} {model}: {content_type}");
            let text = response.text().await.unwrap();
            let frames: Vec<Value> = match kind {
                "text/event-stream" => frames(&text)
                    .iter()
                    .filter(|frame| **frame != "[DONE]")
                    .map(|frame| serde_json::from_str(frame).unwrap())
                    .collect(),
                "application/json" => serde_json::from_str(&text).unwrap(),
                _ => text
                    .lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect(),
            };
            assert!(frames.len() > 2, "{path} {model}: {text}");
            assert!(!text.contains("\"error\":{"), "{path} {model}: {text}");
        }
    }
}

#[tokio::test]
async fn ollama_streams_unless_told_otherwise() {
    let (data_plane, _simulators) = five_providers().await;
    let body = json!({"model": "openai/demo", "messages": [{"role": "user", "content": "Hi"}]});
    let text = data_plane.ask("/v1/api/chat", &body).await.text().await.unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let done = lines.iter().filter(|line| line["done"] == true).count();
    assert_eq!(
        (done, &lines.last().unwrap()["done"]),
        (1, &json!(true)),
        "{text}"
    );
}

#[tokio::test]
async fn a_key_is_taken_where_googles_clients_put_it() {
    let (data_plane, _simulators) = five_providers().await;
    let body = (CLIENTS[3].body)("", false).to_string();
    let path = "/v1beta/models/gemini/demo:generateContent";
    let by_query = data_plane.post(&format!("{path}?key={KEY}")).body(body.clone());
    assert_eq!(by_query.send().await.unwrap().status(), 200);
    let by_header = data_plane
        .post(path)
        .header("x-goog-api-key", KEY)
        .body(body.clone());
    assert_eq!(by_header.send().await.unwrap().status(), 200);
    let wrong = data_plane
        .post(path)
        .header("x-goog-api-key", "sk-wrong")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(json(wrong).await["error"]["status"], "UNAUTHENTICATED");
}
