//! What a reply's client gets of it: personal data, where the operator has it looked for, and the form it asked for.

use crate::clients::{DIALECTS, Pair, read};
use crate::harness::{Setup, header, json};
use llm::guard::ReplyMode;
use llm::{Dialect, FinishReason};
use serde_json::json;
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
    for upstream in DIALECTS {
        let pair = Pair::start(upstream, masking(ReplyMode::Redact)).await;
        for client in DIALECTS {
            for (stream, behaviour) in [
                (false, Behaviour::default()),
                (true, Behaviour::default()),
                (
                    true,
                    Behaviour {
                        split: true,
                        ..Behaviour::default()
                    },
                ),
                (
                    true,
                    Behaviour {
                        whole: true,
                        ..Behaviour::default()
                    },
                ),
            ] {
                pair.script(behaviour.clone());
                let answer = pair.ask(client, SECRETS, stream).await;
                assert_eq!(answer.status(), 200, "{client} <- {upstream}");
                let bytes = answer.bytes().await.unwrap();
                let (text, finish) = read(client, &bytes, stream);
                assert!(
                    text.contains(LABELS),
                    "{client} <- {upstream}, {behaviour:?}: {text}"
                );
                assert_eq!(finish, Some(FinishReason::Stop), "{client} <- {upstream}");
            }
        }
        // the provider got what the client wrote
        let received = pair.provider.requests().pop().unwrap();
        assert!(received.body.to_string().contains(SECRETS));
    }
}

#[tokio::test]
async fn a_reply_that_is_only_looked_at_keeps_its_bytes() {
    let warned = Pair::start(Dialect::OpenAiChat, masking(ReplyMode::Warn)).await;
    let plain = Pair::start(Dialect::OpenAiChat, Setup::new()).await;
    for stream in [false, true] {
        let text = async |pair: &Pair| {
            let answer = pair.ask(Dialect::OpenAiChat, SECRETS, stream).await;
            answer.text().await.unwrap()
        };
        let (warned, plain) = (text(&warned).await, text(&plain).await);
        assert!(warned.contains("ana@mail") || stream, "{warned}");
        assert_eq!(warned.len(), plain.len());
    }
}

#[tokio::test]
async fn a_blocked_reply_ends_as_filtered_and_costs_no_account_its_health() {
    let pair = Pair::start(Dialect::OpenAiChat, masking(ReplyMode::Block)).await;
    for _ in 0..3 {
        for stream in [false, true] {
            let answer = pair.ask(Dialect::OpenAiChat, SECRETS, stream).await;
            assert_eq!(answer.status(), 200);
            let (text, finish) = read(Dialect::OpenAiChat, &answer.bytes().await.unwrap(), stream);
            assert!(text.ends_with("I am "), "{text}");
            assert_eq!(finish, Some(FinishReason::ContentFilter));
        }
    }
}

#[tokio::test]
async fn the_body_says_whether_an_answer_is_a_stream_whatever_the_client_accepts() {
    for upstream in DIALECTS {
        let pair = Pair::start(upstream, Setup::new()).await;
        for client in DIALECTS {
            for (stream, accept) in [
                (true, "application/json"),
                (false, "text/event-stream"),
                (false, "application/x-ndjson, text/event-stream"),
            ] {
                let mut said = Vec::new();
                // the provider does as it is asked, and then the other thing
                for other in [false, true] {
                    pair.script(Behaviour {
                        whole: stream && other,
                        streamed: !stream && other,
                        ..Behaviour::default()
                    });
                    let question = pair.question(client, "How far is the moon?", stream);
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
                    assert!(stream || serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
                }
                assert_eq!(said[0], said[1], "{client} <- {upstream}");
                assert!(said[0].0.contains("How far is the moon?"), "{said:?}");
                assert_eq!(said[0].1, Some(FinishReason::Stop));
            }
        }
    }
}

/// Google says in the body when to come back, and may say it in a list.
const QUOTA: &str = r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"38s"}]}}]"#;

#[tokio::test]
async fn every_client_learns_when_the_provider_wants_to_be_asked_again() {
    for upstream in DIALECTS {
        for (retry_after, body) in [(None, Some(QUOTA.to_owned())), (Some(38), None)] {
            for (n, client) in DIALECTS.into_iter().enumerate() {
                // an account that has to rest is not asked, so every client has one of its own
                let pair = Pair::start(upstream, Setup::new()).await;
                pair.script(Behaviour {
                    fail: Some(429),
                    retry_after,
                    body: body.clone(),
                    ..Behaviour::default()
                });
                let answer = pair.ask(client, "How far is the moon?", n % 2 == 0).await;
                assert_eq!(answer.status(), 429, "{client} <- {upstream}");
                assert_eq!(header(&answer, "content-type"), Some("application/json"));
                let after: u64 = header(&answer, "retry-after")
                    .unwrap_or_else(|| panic!("{client} <- {upstream}"))
                    .parse()
                    .unwrap();
                assert!((38..=42).contains(&after), "{client} <- {upstream}: {after}");
                let error = json(answer).await;
                let (place, word) = match client {
                    Dialect::OpenAiChat | Dialect::OpenAiResponses => ("/error/type", "rate_limit_error"),
                    Dialect::AnthropicMessages => ("/error/type", "rate_limit_error"),
                    Dialect::Gemini => ("/error/status", "RESOURCE_EXHAUSTED"),
                    Dialect::OllamaChat => ("/error", ""),
                };
                let said = error.pointer(place).and_then(|said| said.as_str());
                assert!(
                    said.is_some_and(|said| said.contains(word)),
                    "{client} <- {upstream}: {error}"
                );
                if body.is_some() {
                    assert!(
                        error.to_string().contains("quota"),
                        "{client} <- {upstream}: {error}"
                    );
                }
            }
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
    for upstream in DIALECTS {
        for client in DIALECTS {
            let pair = Pair::start(upstream, Setup::new()).await;
            let message = async |behaviour: Behaviour| {
                pair.script(behaviour);
                let answer = pair.ask(client, "How far is the moon?", false).await;
                let status = answer.status().as_u16();
                let error = json(answer).await;
                let message = match client {
                    Dialect::OllamaChat => &error["error"],
                    _ => &error["error"]["message"],
                };
                let said = message
                    .as_str()
                    .unwrap_or_else(|| panic!("{client}: {error}"))
                    .to_owned();
                assert_eq!(
                    error["type"] == json!("error"),
                    client == Dialect::AnthropicMessages
                );
                (status, said)
            };
            let (status, said) = message(failing(400, r#"{"error":{"message":"m","code":400}}"#)).await;
            assert_eq!(
                (status, said.as_str()),
                (400, "[400]: m"),
                "{client} <- {upstream}"
            );
            let (status, said) = message(Behaviour {
                html: Some(502),
                ..Behaviour::default()
            })
            .await;
            // Anthropic and Google know no 502 of their own
            assert!([500, 502].contains(&status), "{client} <- {upstream}: {status}");
            assert!(!said.contains('<'), "{client} <- {upstream}: {said}");

            let pair = Pair::start(upstream, Setup::new()).await;
            pair.script(failing(500, "\"plain\""));
            let answer = pair.ask(client, "How far is the moon?", false).await;
            assert!(answer.status().is_server_error(), "{client} <- {upstream}");
            assert!(json(answer).await.to_string().contains("plain"));
        }
    }
}
