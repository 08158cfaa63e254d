//! The legacy Completions: passed on where a provider offers them, else asked as a conversation.

use crate::harness::{DataPlane, KEY, Setup, frames, header, json as body_of};
use proto::v1::{self, resource::Body, usage_event::Evidence};
use serde_json::{Value, json};
use testkit::{Behaviour, Simulator};

const COMPLETIONS: &str = "/v1/completions";

fn ask(model: &str, more: Value) -> Value {
    let mut body = json!({ "model": model, "prompt": "Once upon a time" });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

async fn texts_of(response: reqwest::Response) -> (String, Vec<Value>) {
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    let mut data = frames(&text);
    assert_eq!(data.pop(), Some("[DONE]"), "{text}");
    let pieces: Vec<Value> = data
        .iter()
        .map(|piece| serde_json::from_str(piece).unwrap())
        .collect();
    let said = pieces
        .iter()
        .filter_map(|piece| piece["choices"][0]["text"].as_str());
    (said.collect(), pieces)
}

/// A server that offers completions, a model of OpenAI's that converses, and one of Anthropic's.
async fn three() -> (DataPlane, Simulator, Simulator) {
    let (openai, anthropic) = (Simulator::openai().await, Simulator::anthropic().await);
    let data_plane = Setup::new()
        .node("own", "openai-compatible", "chat", &openai)
        .account("main", "openai", &openai)
        .account("claude", "anthropic", &anthropic)
        .start()
        .await;
    (data_plane, openai, anthropic)
}

#[tokio::test]
async fn a_provider_of_completions_gets_what_the_client_wrote_and_so_does_the_client() {
    let (data_plane, provider, _) = three().await;
    let more = json!({ "echo": true, "suffix": " The end", "logprobs": 2, "best_of": 2, "max_tokens": 7 });
    for model in ["own/base-model", "openai/davinci-002"] {
        let response = data_plane.ask(COMPLETIONS, &ask(model, more.clone())).await;
        assert_eq!(response.status(), 200);
        let answer = body_of(response).await;
        assert_eq!(answer["choices"][0]["text"], "Once upon a timeand so on The end");
        assert_eq!(answer["object"], "text_completion");
        let received = provider.requests().pop().unwrap();
        let (_, own) = model.split_once('/').unwrap();
        assert_eq!(received.path, COMPLETIONS);
        assert_eq!(received.body, ask(own, more.clone()));
    }
    let events = data_plane.events();
    assert_eq!((events[0].input_uncached, events[0].output_visible), (4, 8));
    assert_eq!(events[0].evidence(), Evidence::ProviderReported);
    assert_eq!(
        (events[0].endpoint.as_str(), events[0].finish_reason.as_str()),
        (COMPLETIONS, "stop")
    );
}

#[tokio::test]
async fn a_stream_of_texts_is_passed_on_and_accounted() {
    let (data_plane, provider, _) = three().await;
    let response = data_plane
        .ask(COMPLETIONS, &ask("own/base", json!({ "stream": true })))
        .await;
    assert_eq!(
        header(&response, "content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    let (said, pieces) = texts_of(response).await;
    assert_eq!(said, "and so on");
    assert!(
        pieces.iter().all(|piece| piece.get("usage").is_none()),
        "nobody asked for usage"
    );
    assert_eq!(
        provider.requests()[0].body["stream_options"],
        json!({ "include_usage": true })
    );
    let event = data_plane.event().await;
    assert_eq!((event.input_uncached, event.output_visible), (4, 3));
    assert!(event.ttft_ms > 0);

    // a server that answers whole all the same
    provider.script(Behaviour {
        whole: true,
        ..Behaviour::default()
    });
    let response = data_plane
        .ask(COMPLETIONS, &ask("own/base", json!({ "stream": true })))
        .await;
    assert_eq!(texts_of(response).await.0, "and so on");
}

#[tokio::test]
async fn a_model_that_converses_is_asked_in_one_message_and_answers_a_text() {
    let (data_plane, openai, anthropic) = three().await;
    let chat = body_of(data_plane.chat("openai/gpt-4o", false).await).await;
    assert!(chat["choices"][0]["message"]["content"].is_string());
    for (model, provider, path) in [
        ("openai/gpt-4o", &openai, "/v1/chat/completions"),
        ("anthropic/claude-sonnet-4-20250514", &anthropic, "/v1/messages"),
    ] {
        let more =
            json!({ "max_tokens": 50, "temperature": 0.5, "best_of": 1, "echo": false, "suffix": null });
        let response = data_plane.ask(COMPLETIONS, &ask(model, more.clone())).await;
        assert_eq!(response.status(), 200, "{model}");
        let answer = body_of(response).await;
        assert_eq!(
            (&answer["object"], &answer["model"]),
            (&json!("text_completion"), &json!(model))
        );
        let text = answer["choices"][0]["text"].as_str().unwrap().to_owned();
        assert!(!text.is_empty(), "{answer}");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() > 0);
        let received = provider.requests().pop().unwrap();
        assert_eq!(received.path, path);
        assert_eq!(received.body["messages"].as_array().unwrap().len(), 1);
        assert!(received.body.get("prompt").is_none() && received.body.get("echo").is_none());

        let mut streamed = ask(model, more);
        streamed["stream"] = json!(true);
        streamed["stream_options"] = json!({ "include_usage": true });
        let (said, pieces) = texts_of(data_plane.ask(COMPLETIONS, &streamed).await).await;
        assert_eq!(said, text, "{model}");
        assert!(pieces.iter().all(|piece| piece["object"] == "text_completion"));
        assert_eq!(pieces.last().unwrap()["usage"], answer["usage"], "{model}");
    }
    let events = data_plane.events();
    let used = |at: usize| (events[at].input_uncached, events[at].output_visible);
    assert_eq!(used(1), used(2));
    assert!(events[1].cost_nano.unwrap() > 0);
}

#[tokio::test]
async fn what_a_conversation_cannot_say_is_refused_by_its_name_before_anybody_is_asked() {
    let (data_plane, openai, anthropic) = three().await;
    for (more, field) in [
        (json!({ "echo": true }), "echo"),
        (json!({ "best_of": 3 }), "best_of"),
        (json!({ "suffix": "." }), "suffix"),
        (json!({ "logprobs": 1 }), "logprobs"),
        (json!({ "prompt": ["a", "b"] }), "prompt"),
        (json!({ "prompt": [1, 2, 3] }), "prompt"),
        (json!({ "prompt": null }), "prompt"),
    ] {
        for model in ["openai/gpt-4o", "anthropic/claude-sonnet-4-20250514"] {
            let response = data_plane.ask(COMPLETIONS, &ask(model, more.clone())).await;
            assert_eq!(response.status(), 400, "{model} {more}");
            let answer = body_of(response).await;
            assert_eq!(answer["error"]["param"], field, "{answer}");
        }
    }
    assert_eq!((openai.requests().len(), anthropic.requests().len()), (0, 0));
}

#[tokio::test]
async fn another_account_goes_on_and_a_combo_may_change_the_way_to_ask() {
    for stream in [false, true] {
        let (openai, anthropic) = (Simulator::openai().await, Simulator::anthropic().await);
        let data_plane = Setup::new()
            .node("own", "openai-compatible", "chat", &openai)
            .account("claude", "anthropic", &anthropic)
            .combo("either", &["own/base", "anthropic/claude-sonnet-4-20250514"])
            .start()
            .await;
        openai.script(Behaviour::status(503));
        let response = data_plane
            .ask(COMPLETIONS, &ask("either", json!({ "stream": stream })))
            .await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"));
        let text = response.text().await.unwrap();
        assert!(text.contains("text_completion"), "{text}");
        assert_eq!(openai.requests()[0].path, COMPLETIONS);
        assert_eq!(anthropic.requests()[0].path, "/v1/messages");
    }
}

#[tokio::test]
async fn what_operators_want_of_conversations_holds_for_texts_too() {
    let openai = Simulator::openai().await;
    let prompt = v1::SystemPrompt {
        enabled: true,
        prompt: "Be brief.".to_owned(),
    };
    let data_plane = Setup::new()
        .node("own", "openai-compatible", "chat", &openai)
        .resource("system-prompt", Body::SystemPrompt(prompt))
        .start()
        .await;
    let response = data_plane.ask(COMPLETIONS, &ask("own/base", json!({}))).await;
    assert_eq!(response.status(), 200);
    let received = openai.requests().pop().unwrap();
    assert_eq!(received.path, "/v1/chat/completions");
    assert_eq!(received.body["messages"][0]["role"], "system");
    let refused = data_plane
        .ask(COMPLETIONS, &ask("own/base", json!({ "echo": true })))
        .await;
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn a_key_is_asked_for_and_a_model() {
    let (data_plane, _, _) = three().await;
    let nobody = data_plane
        .post(COMPLETIONS)
        .body(ask("own/m", json!({})).to_string());
    assert_eq!(nobody.send().await.unwrap().status(), 401);
    let no_model = data_plane
        .post(COMPLETIONS)
        .bearer_auth(KEY)
        .body(r#"{"prompt":"p"}"#);
    let refused = no_model.send().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(body_of(refused).await["error"]["message"], "Missing model");
}
