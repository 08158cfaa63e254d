//! What is asked for beside chat: embeddings, images, moderations, rerank and speech.

use crate::harness::{DataPlane, Setup, header, json as body_of};
use serde_json::{Value, json};
use testkit::{Behaviour, Simulator};

const EMBEDDINGS: &str = "/v1/embeddings";

/// Where each is asked for, with what, and what there is only in its answer.
fn services() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        (
            EMBEDDINGS,
            json!({ "input": ["one two", "three"] }),
            "/data/1/embedding/7",
        ),
        (
            "/v1/images/generations",
            json!({ "prompt": "a lighthouse", "n": 2 }),
            "/data/1/b64_json",
        ),
        (
            "/v1/moderations",
            json!({ "input": "a harmless text" }),
            "/results/0/flagged",
        ),
        (
            "/v1/rerank",
            json!({ "query": "red apple", "documents": ["blue sky", "a red apple"] }),
            "/results/1/relevance_score",
        ),
    ]
}

fn at(model: &str, mut body: Value) -> Value {
    body["model"] = json!(model);
    body
}

async fn two_accounts() -> (DataPlane, Simulator, Simulator) {
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    let setup = Setup::new()
        .node("own", "openai-compatible", "chat", &first)
        .account("first", "openai", &first)
        .account("second", "openai", &second);
    (setup.start().await, first, second)
}

#[tokio::test]
async fn each_is_passed_on_with_the_providers_model_and_accounted() {
    let (data_plane, provider, _second) = two_accounts().await;
    for (path, body, only_there) in services() {
        let asked = provider.requests().len();
        let response = data_plane.ask(path, &at("own/some-model", body.clone())).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(
            header(&response, "content-type"),
            Some("application/json"),
            "{path}"
        );
        assert_eq!(header(&response, "x-omniroute-attempts"), Some("1"));
        let answer = body_of(response).await;
        assert!(answer.pointer(only_there).is_some(), "{path}: {answer}");
        if let Some(model) = answer.get("model") {
            assert_eq!(model, "own/some-model", "{path}");
        }
        let received = &provider.requests()[asked];
        assert_eq!(
            (received.path.as_str(), &received.body["model"]),
            (path, &json!("some-model"))
        );
        assert_eq!(
            at("", received.body.clone()),
            at("", body),
            "{path}: nothing else is changed"
        );
    }
    let events = data_plane.events();
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.endpoint.as_str(),
                event.outcome.as_str(),
                event.input_uncached,
                event.output_visible,
            )
        })
        .collect();
    assert_eq!(told[0], (EMBEDDINGS, "ok", 3, 0));
    assert_eq!(told[1], ("/v1/images/generations", "ok", 2, 544));
    assert_eq!((told[2].0, told[3].0), ("/v1/moderations", "/v1/rerank"));
    assert!(
        events.iter().all(|event| event.model_served == "some-model"),
        "{events:?}"
    );
}

#[tokio::test]
async fn another_account_makes_good_what_was_not_the_requests_fault() {
    for (path, body, only_there) in services() {
        // Cohere's words, which OpenAI's own API does not have
        if path == "/v1/rerank" {
            continue;
        }
        let page = Behaviour {
            html: Some(200),
            ..Behaviour::default()
        };
        for fault in [Behaviour::status(500), page] {
            let (data_plane, first, second) = two_accounts().await;
            first.script(fault.clone());
            let response = data_plane.ask(path, &at("openai/m", body.clone())).await;
            assert_eq!(response.status(), 200, "{path}");
            let answer = body_of(response).await;
            assert!(answer.pointer(only_there).is_some(), "{path}: {answer}");
            let asked = (first.requests().len(), second.requests().len());
            assert_eq!(asked, (1, 1), "{path} {fault:?}");
        }
    }
}

#[tokio::test]
async fn speech_comes_as_the_sound_that_the_provider_sends() {
    let (data_plane, _first, _second) = two_accounts().await;
    let body =
        json!({ "model": "openai/tts-1", "input": "one two", "voice": "alloy", "response_format": "wav" });
    let response = data_plane.ask("/v1/audio/speech", &body).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), Some("audio/wav"));
    let sound = response.bytes().await.unwrap();
    assert_eq!((&sound[..4], sound.len()), (&b"RIFF"[..], 44 + 800));
}

#[tokio::test]
async fn models_have_the_names_they_have_for_chat() {
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    let data_plane = Setup::new()
        .account("main", "openai", &first)
        .node("own", "openai-compatible", "chat", &second)
        .alias("vectors", "openai/text-embedding-3-small")
        .combo("either", &["openai/text-embedding-3-small", "own/minilm"])
        .start()
        .await;
    let input = json!({ "input": "text" });
    for (path, model) in [
        // one that only one provider is known for
        (EMBEDDINGS, "text-embedding-3-small"),
        (EMBEDDINGS, "vectors"),
        ("/v1/providers/openai/embeddings", "text-embedding-3-small"),
        ("/v1/v1/embeddings", "openai/text-embedding-3-small"),
    ] {
        let answer = body_of(data_plane.ask(path, &at(model, input.clone())).await).await;
        assert_eq!(answer["model"], model, "{path}: {answer}");
    }
    let asked = first.requests();
    assert_eq!(asked.len(), 4);
    assert!(
        asked
            .iter()
            .all(|request| request.body["model"] == "text-embedding-3-small")
    );

    // a moderation need not name a model
    let response = data_plane.ask("/v1/moderations", &input).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        first.requests().last().unwrap().body["model"],
        "omni-moderation-latest"
    );

    first.script(Behaviour::status(503));
    let response = data_plane.ask(EMBEDDINGS, &at("either", input.clone())).await;
    assert_eq!(response.status(), 200);
    assert_eq!(second.requests()[0].body["model"], "minilm");
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_openais_envelope() {
    let (first, anthropic) = (Simulator::openai().await, Simulator::anthropic().await);
    let data_plane = Setup::new()
        .account("main", "openai", &first)
        .account("claude", "anthropic", &anthropic)
        .start()
        .await;
    for (path, body, status, words) in [
        (EMBEDDINGS, json!({ "input": "a" }), 400, "Missing model"),
        (EMBEDDINGS, json!({ "model": "openai/m" }), 400, "Missing input"),
        (
            EMBEDDINGS,
            json!({ "model": "nobody/m", "input": "a" }),
            400,
            "nobody",
        ),
        (
            EMBEDDINGS,
            json!({ "model": "anthropic/m", "input": "a" }),
            400,
            "anthropic offers no embeddings",
        ),
        (
            "/v1/images/generations",
            json!({ "model": "openai/m", "prompt": "" }),
            400,
            "Invalid prompt",
        ),
        (
            "/v1/rerank",
            json!({ "model": "openai/m", "query": "q", "documents": ["d"] }),
            400,
            "openai offers no reranking",
        ),
        (
            "/v1/audio/speech",
            json!({ "model": "openai/m" }),
            400,
            "input is required",
        ),
        // what the provider refuses
        (
            EMBEDDINGS,
            json!({ "model": "openai/m", "input": 7 }),
            400,
            "Invalid type for 'input'",
        ),
    ] {
        let response = data_plane.ask(path, &body).await;
        assert_eq!(response.status(), status, "{body}");
        let answer = body_of(response).await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{body}: {answer}");
    }
    assert_eq!(first.requests().len(), 1);
    assert_eq!(anthropic.requests().len(), 0);
}

#[tokio::test]
async fn the_list_of_models_says_what_each_is_for() {
    let (data_plane, _first, _second) = two_accounts().await;
    let list = body_of(data_plane.get("/v1/models").send().await.unwrap()).await;
    let kind = |id: &str| {
        let row = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["id"] == id);
        let row = row.unwrap_or_else(|| panic!("{id} is not there: {list}"));
        (row["type"].clone(), row["subtype"].clone())
    };
    assert_eq!(kind("openai/gpt-4o").0, Value::Null);
    assert_eq!(kind("openai/text-embedding-3-large").0, "embedding");
    assert_eq!(kind("openai/gpt-image-1").0, "image");
    assert_eq!(kind("openai/tts-1"), (json!("audio"), json!("speech")));
}
