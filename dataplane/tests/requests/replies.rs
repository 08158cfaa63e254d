//! What a reply's client gets of it: personal data, where the operator has it looked for, and the form it asked for.

use crate::clients::{DIALECTS, World, pairs, read};
use crate::harness::{Setup, header, json};
use llm::guard::ReplyMode;
use llm::{Dialect, FinishReason};
use serde_json::Value;
use std::time::Duration;
use testkit::Behaviour;

/// The demo provider repeats what it is told.
const SECRETS: &str = "I am ana@mail.example, card 4111 1111 1111 1111, at 10.0.0.1";
const LABELS: &str = "I am [EMAIL_REDACTED], card [CC_REDACTED], at [IP_REDACTED]";

fn masking(mode: ReplyMode) -> Setup {
    Setup::new().config(|config| {
        config.guard.replies = true;
        config.guard.reply_mode = mode;
        // whatever is done about requests
        config.guard.enabled = false;
    })
}

#[tokio::test]
async fn personal_data_in_a_reply_is_a_label_for_every_client() {
    let world = World::start(masking(ReplyMode::Redact)).await;
    for (client, upstream) in pairs() {
        let whole = Behaviour {
            whole: true,
            ..Behaviour::default()
        };
        for (stream, behaviour) in [
            (false, Behaviour::default()),
            (true, Behaviour::default()),
            (true, whole),
        ] {
            world.provider(upstream).script(behaviour.clone());
            let answer = world.ask(client, upstream, SECRETS, stream).await;
            assert_eq!(answer.status(), 200, "{client} <- {upstream}");
            let (text, finish) = read(client, &answer.bytes().await.unwrap(), stream);
            assert!(
                text.contains(LABELS),
                "{client} <- {upstream}, {behaviour:?}: {text}"
            );
            assert_eq!(finish, Some(FinishReason::Stop), "{client} <- {upstream}");
        }
        // the provider got what the client wrote
        let received = world.provider(upstream).requests().pop().unwrap();
        assert!(received.body.to_string().contains(SECRETS));
    }
}

#[tokio::test]
async fn a_reply_that_is_only_looked_at_keeps_its_bytes() {
    let client = Dialect::OpenAiChat;
    let worlds = [
        World::start(masking(ReplyMode::Warn)).await,
        World::start(Setup::new()).await,
    ];
    for stream in [false, true] {
        let mut said = Vec::new();
        for world in &worlds {
            let answer = world.ask(client, client, SECRETS, stream).await;
            let (text, finish) = read(client, &answer.bytes().await.unwrap(), stream);
            assert!(text.contains(SECRETS), "{text}");
            said.push((text, finish));
        }
        assert_eq!(said[0], said[1]);
    }
}

#[tokio::test]
async fn a_blocked_reply_ends_as_filtered_and_costs_no_account_its_health() {
    let (world, client) = (World::start(masking(ReplyMode::Block)).await, Dialect::OpenAiChat);
    for _ in 0..3 {
        for stream in [false, true] {
            let answer = world.ask(client, client, SECRETS, stream).await;
            assert_eq!(answer.status(), 200);
            let (text, finish) = read(client, &answer.bytes().await.unwrap(), stream);
            assert!(text.ends_with("I am "), "{text}");
            assert_eq!(finish, Some(FinishReason::ContentFilter));
        }
    }
}

#[tokio::test]
async fn nobody_waits_for_the_rest_of_a_blocked_reply() {
    let (world, client) = (World::start(masking(ReplyMode::Block)).await, Dialect::OpenAiChat);
    // the whole answer would take minutes
    world.provider(client).script(Behaviour {
        gap: Duration::from_millis(300),
        ..Behaviour::default()
    });
    let long = format!("{SECRETS}{}", " and so on".repeat(300));
    let answer = world.ask(client, client, &long, true).await;
    let bytes = tokio::time::timeout(Duration::from_secs(20), answer.bytes());
    let (text, finish) = read(client, &bytes.await.unwrap().unwrap(), true);
    assert!(text.ends_with("I am "), "{text}");
    assert_eq!(finish, Some(FinishReason::ContentFilter));
}

#[tokio::test]
async fn the_body_says_whether_an_answer_is_a_stream_whatever_the_client_accepts() {
    let world = World::start(Setup::new()).await;
    for (client, upstream) in pairs() {
        for (stream, accept) in [
            (true, "application/json"),
            (false, "application/x-ndjson, text/event-stream"),
        ] {
            let mut said = Vec::new();
            // the provider does as it is asked, and then the other thing
            for other in [false, true] {
                world.provider(upstream).script(Behaviour {
                    whole: stream && other,
                    streamed: !stream && other,
                    ..Behaviour::default()
                });
                let question = world.question(client, upstream, "How far is the moon?", stream);
                let answer = question.header("accept", accept).send().await.unwrap();
                assert_eq!(answer.status(), 200, "{client} <- {upstream}");
                let kind = header(&answer, "content-type").unwrap().to_owned();
                let expected = match (stream, client) {
                    (false, _) => "application/json",
                    (true, Dialect::OllamaChat) => "application/x-ndjson",
                    (true, _) => "text/event-stream",
                };
                assert!(kind.starts_with(expected), "{client} <- {upstream}: {kind}");
                let bytes = answer.bytes().await.unwrap();
                said.push(read(client, &bytes, stream));
                assert!(stream || serde_json::from_slice::<Value>(&bytes).is_ok());
            }
            assert_eq!(said[0], said[1], "{client} <- {upstream}");
            assert!(said[0].0.contains("How far is the moon?"), "{said:?}");
            assert_eq!(said[0].1, Some(FinishReason::Stop));
        }
    }
}

/// Google says in the body when to come back, and may say it in a list.
const QUOTA: &str = r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"38s"}]}}]"#;

#[tokio::test]
async fn every_client_learns_when_the_provider_wants_to_be_asked_again() {
    for (retry_after, body) in [(None, Some(QUOTA.to_owned())), (Some(38), None)] {
        let world = World::start(Setup::new()).await;
        for (client, upstream) in pairs() {
            world.provider(upstream).script(Behaviour {
                fail: Some(429),
                retry_after,
                body: body.clone(),
                ..Behaviour::default()
            });
            let stream = client != upstream;
            let answer = world.ask(client, upstream, "How far is the moon?", stream).await;
            assert_eq!(answer.status(), 429, "{client} <- {upstream}");
            assert_eq!(header(&answer, "content-type"), Some("application/json"));
            let after: u64 = header(&answer, "retry-after")
                .unwrap_or_else(|| panic!("{client} <- {upstream}"))
                .parse()
                .unwrap();
            // not before the provider said, and not before the account is back
            assert!((38..=42).contains(&after), "{client} <- {upstream}: {after}");
            let error = json(answer).await;
            let (place, word) = match client {
                Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::AnthropicMessages => {
                    ("/error/type", "rate_limit_error")
                }
                Dialect::Gemini => ("/error/status", "RESOURCE_EXHAUSTED"),
                Dialect::OllamaChat => ("/error", "429"),
                Dialect::BedrockConverse => panic!("{client} has no clients"),
            };
            let said = error.pointer(place).and_then(Value::as_str);
            assert!(
                said.is_some_and(|said| said.contains(word)),
                "{client} <- {upstream}: {error}"
            );
            assert!(body.is_none() || error.to_string().contains("quota"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_providers_error_of_any_shape_has_the_clients_envelope() {
    let failing = |status: u16, body: &str| Behaviour {
        fail: Some(status),
        body: Some(body.to_owned()),
        ..Behaviour::default()
    };
    let page = Behaviour {
        html: Some(502),
        ..Behaviour::default()
    };
    // Anthropic and Google know no 502 of their own
    for (behaviour, statuses, message) in [
        (
            failing(400, r#"{"error":{"message":"m","code":400}}"#),
            400..=400,
            "[400]: m",
        ),
        (failing(500, "\"plain\""), 500..=502, "[500]: plain"),
        (page, 500..=502, "[502]: "),
    ] {
        let world = World::start(Setup::new()).await;
        for (client, upstream) in pairs() {
            world.provider(upstream).script(behaviour.clone());
            let answer = world.ask(client, upstream, "How far is the moon?", false).await;
            let status = answer.status().as_u16();
            assert!(statuses.contains(&status), "{client} <- {upstream}: {status}");
            let error = json(answer).await;
            let said = match client {
                Dialect::OllamaChat => &error["error"],
                _ => &error["error"]["message"],
            };
            let said = said.as_str().unwrap_or_else(|| panic!("{client}: {error}"));
            assert!(said.contains(message), "{client} <- {upstream}: {said}");
            assert!(!said.contains('<'), "{client} <- {upstream}: {said}");
            assert_eq!(error["type"] == "error", client == Dialect::AnthropicMessages);
        }
    }
    assert_eq!(DIALECTS.len(), llm::formats::ALL.len());
}
