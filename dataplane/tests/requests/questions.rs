//! Questions that operators put to models: whole, in any dialect, and without a trace.

use crate::harness::{DataPlane, Setup};
use dataplane::pipeline::question;
use proto::v1::{Ask, Asked};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Behaviour, Simulator};

async fn put(data_plane: &DataPlane, dialect: &str, model: &str, body: Value) -> Asked {
    let ask = Ask {
        dialect: dialect.to_owned(),
        model: model.to_owned(),
        body: body.to_string().into(),
        timeout_ms: 2_000,
        api_key_id: String::new(),
    };
    question(&data_plane.gateway, ask).await
}

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "How far is the moon?"}]})
}

fn messages(model: &str) -> Value {
    let mut body = chat(model);
    body["max_tokens"] = json!(200);
    body
}

#[tokio::test]
async fn a_question_is_answered_in_its_own_dialect_and_leaves_no_trace() {
    let provider = Simulator::openai().await;
    let data_plane = Setup::new().account("main", "openai", &provider).start().await;
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "How far is the moon?"}]}]});
    for (dialect, body, answer) in [
        ("openai_chat", chat("openai/gpt-4o"), "/choices/0/message/content"),
        ("anthropic_messages", messages("openai/gpt-4o"), "/content/0/text"),
        ("gemini", contents, "/candidates/0/content/parts/0/text"),
    ] {
        let asked = put(&data_plane, dialect, "openai/gpt-4o", body).await;
        assert!(asked.ok, "{dialect}: {}", asked.error);
        assert_eq!(
            (asked.provider.as_str(), asked.model.as_str()),
            ("openai", "gpt-4o")
        );
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let text = body.pointer(answer).and_then(Value::as_str);
        assert!(text.is_some_and(|text| !text.is_empty()), "{dialect}: {body}");
    }
    assert_eq!(provider.requests().len(), 3);
    assert_eq!(data_plane.events(), [], "nothing is accounted");
}

#[tokio::test]
async fn the_next_account_is_asked_when_one_fails_and_none_is_punished() {
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    let data_plane = Setup::new()
        .account("first", "openai", &first)
        .account("second", "openai", &second)
        .start()
        .await;
    for round in 1..=2 {
        first.script(Behaviour::status(500));
        let asked = put(&data_plane, "openai_chat", "openai/gpt-4o", chat("openai/gpt-4o")).await;
        assert!(asked.ok, "{}", asked.error);
        assert_eq!((first.requests().len(), second.requests().len()), (round, round));
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_in_words() {
    let provider = Simulator::openai().await;
    let data_plane = Setup::new().account("main", "openai", &provider).start().await;
    let mut stream = chat("openai/gpt-4o");
    stream["stream"] = json!(true);
    for (dialect, body, expected) in [
        ("soap", chat("openai/gpt-4o"), "dialect"),
        ("openai_chat", chat("nobody/nothing"), "nobody"),
        ("openai_chat", json!({"messages": []}), "model"),
        ("openai_chat", stream, "stream"),
    ] {
        let asked = put(&data_plane, dialect, "", body).await;
        assert!(
            !asked.ok && asked.error.contains(expected),
            "{expected}: {}",
            asked.error
        );
        assert_eq!(
            (asked.http_status, asked.provider.as_str()),
            (400, ""),
            "{expected}"
        );
    }
    let ask = Ask {
        dialect: "openai_chat".to_owned(),
        body: chat("openai/gpt-4o").to_string().into(),
        api_key_id: "nobody".to_owned(),
        ..Ask::default()
    };
    let asked = question(&data_plane.gateway, ask).await;
    assert!(asked.error.contains("API key"), "{}", asked.error);
    assert_eq!(provider.requests().len(), 0);

    provider.script(Behaviour::status(401));
    let refused = put(&data_plane, "openai_chat", "", chat("openai/gpt-4o")).await;
    assert_eq!((refused.ok, refused.http_status), (false, 401));
    assert_eq!(refused.provider, "openai");
    provider.script(Behaviour {
        hang: true,
        ..Behaviour::default()
    });
    let ask = Ask {
        dialect: "openai_chat".to_owned(),
        body: chat("openai/gpt-4o").to_string().into(),
        timeout_ms: 100,
        ..Ask::default()
    };
    let late = tokio::time::timeout(Duration::from_secs(10), question(&data_plane.gateway, ask));
    assert!(late.await.unwrap().error.contains("in time"));
}
