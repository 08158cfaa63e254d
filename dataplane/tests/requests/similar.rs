//! Answers that are given again to whoever asks the same in other words.

use crate::embedder::Embedder;
use crate::harness::{DataPlane, KEY, Setup, header, until};
use llm::Dialect;
use proto::v1::{self, resource::Body};
use reqwest::Response;
use serde_json::{Value, json};
use state::{MemoryStore, RedisStore, StateStore};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::Simulator;
use uuid::Uuid;

const OTHER_KEY: &str = "sk-other-key";
const CHAT: &str = "/v1/chat/completions";
const MODEL: &str = "openai/demo";
const PATIENCE: Duration = Duration::from_secs(10);

/// Where texts lie, in degrees: what is 10 apart has a similarity of 0.985, what is 20 apart one of 0.940.
const PLACES: &[(&str, f32)] = &[
    ("how far is the moon", 0.0),
    ("what is the distance to the moon", 10.0),
    ("how big is the moon", 20.0),
    ("how far is the moon not", 0.0),
    ("who is ben", 90.0),
];

/// What a client got.
#[derive(Debug)]
struct Got {
    status: u16,
    content_type: String,
    cache: Option<String>,
    similarity: Option<String>,
    body: String,
}

// === impl Got ===

impl Got {
    async fn of(response: Response) -> Self {
        let text = |name| header(&response, name).map(str::to_owned);
        Self {
            status: response.status().as_u16(),
            content_type: text("content-type").unwrap_or_default(),
            cache: text("x-omniroute-cache"),
            similarity: text("x-omniroute-cache-similarity"),
            body: response.text().await.unwrap(),
        }
    }

    /// An answer to another question.
    fn is_alike(&self) -> bool {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(
            self.similarity.is_none() || self.cache.as_deref() == Some("HIT"),
            "{self:?}"
        );
        self.similarity.is_some()
    }
}

fn setup(provider: &Simulator, embedder: &Embedder) -> Setup {
    let node = v1::ProviderNode {
        name: "vectors".to_owned(),
        r#type: "openai-compatible".to_owned(),
        api_type: "chat".to_owned(),
        prefix: "vectors".to_owned(),
        base_url: embedder.url(),
        api_version: String::new(),
    };
    Setup::new()
        .key(OTHER_KEY, |_| {})
        .account("o", "openai", provider)
        .resource("node-vectors", Body::ProviderNode(node))
        .account_at("v", "node-vectors", &embedder.url())
}

/// Similar questions share answers.
fn compare(data_plane: &DataPlane, change: impl FnOnce(&mut v1::Cache)) {
    let mut cache = v1::Cache {
        enabled: true,
        similarity: vec![v1::SimilarityRule {
            model: MODEL.to_owned(),
            embedding_model: "vectors/mini".to_owned(),
            threshold: 0.95,
        }],
        ..v1::Cache::default()
    };
    change(&mut cache);
    data_plane.configure(|snapshot| snapshot.settings(|settings| settings.cache = Some(cache)));
}

async fn started(provider: &Simulator, embedder: &Embedder) -> DataPlane {
    let data_plane = setup(provider, embedder).start().await;
    compare(&data_plane, |_| {});
    data_plane
}

fn question(text: &str) -> Value {
    json!({"model": MODEL, "temperature": 0, "messages": [{"role": "user", "content": text}]})
}

async fn ask(data_plane: &DataPlane, text: &str) -> Got {
    ask_with(data_plane, CHAT, KEY, &[], &question(text)).await
}

async fn ask_with(
    data_plane: &DataPlane,
    path: &str,
    key: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Got {
    let mut request = data_plane.post(path).bearer_auth(key);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Got::of(request.body(body.to_string()).send().await.unwrap()).await
}

/// Asks in ever new spellings until an answer is found: it is kept beside the request that brought it.
async fn found(data_plane: &DataPlane, text: &str) -> Got {
    found_by(text, async |text| ask(data_plane, text).await).await
}

async fn found_by(text: &str, ask: impl AsyncFn(&str) -> Got) -> Got {
    let began = Instant::now();
    let mut spelled = text.to_owned();
    loop {
        let got = ask(&spelled).await;
        if got.is_alike() {
            return got;
        }
        assert!(began.elapsed() < PATIENCE, "nothing is ever found: {got:?}");
        spelled.push('?');
    }
}

#[tokio::test]
async fn a_question_in_other_words_gets_the_answer_and_says_how_alike_it_is() {
    let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
    let data_plane = started(&provider, &embedder).await;
    let first = ask(&data_plane, "How far is the moon?").await;
    assert_eq!((first.cache.as_deref(), first.is_alike()), (Some("MISS"), false));
    let second = found(&data_plane, "What is the distance to the moon?").await;
    assert_eq!(second.content_type, first.content_type);

    // what was found is not cached anew: the same words again are compared again, without another embedding
    let asked = embedder.asked().len();
    let third = found(&data_plane, "How far is the moon").await;
    assert_eq!(third.similarity.as_deref(), Some("1.0000"));
    let fourth = ask(&data_plane, "How far is the moon").await;
    assert_eq!(
        (fourth.similarity.as_deref(), embedder.asked().len()),
        (Some("1.0000"), asked + 1)
    );

    let body = &embedder.asked()[0];
    assert_eq!(body["authorization"], "Bearer sk-v");
    assert_eq!(
        body["body"],
        json!({"model": "mini", "input": "How far is the moon?", "encoding_format": "float"})
    );
    let events = until("all events", || {
        Some(data_plane.events())
            .filter(|events| events.last().is_some_and(|last| last.served_from == "cache"))
    });
    let last = events.await.pop().unwrap();
    assert_eq!((last.reached_provider, last.outcome.as_str()), (false, "ok"));
    let metrics = data_plane
        .get("/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        metrics.contains(r#"omniroute_dataplane_similar_lookups_total{result="hit"}"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn less_alike_than_asked_for_is_another_question() {
    let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
    let data_plane = started(&provider, &embedder).await;
    ask(&data_plane, "How far is the moon?").await;
    let near = found(&data_plane, "What is the distance to the moon?").await;
    let similarity: f64 = near.similarity.unwrap().parse().unwrap();
    assert!(similarity > 0.984, "{similarity}");
    let with = async |threshold: &str, text: &str| {
        let headers = [("x-omniroute-cache-threshold", threshold)];
        ask_with(&data_plane, CHAT, KEY, &headers, &question(text))
            .await
            .is_alike()
    };
    // 10 degrees from anything that was asked, and 20 from the first question
    assert!(!with("0.99", "How big is the moon?").await, "more was asked for");
    assert!(!ask(&data_plane, "Who is Ben?").await.is_alike());
    assert!(with("0.5", "How far is the moon").await);
    let far = Simulator::openai().await;
    let fresh = started(&far, &embedder).await;
    ask(&fresh, "How far is the moon?").await;
    found(&fresh, "How far is the moon").await;
    for threshold in ["0.5", "0.9", "low"] {
        let headers = [("x-omniroute-cache-threshold", threshold)];
        let mut body = question("How big is the moon?");
        body["messages"][0]["content"] = json!(format!("How big is the moon{}", "?".repeat(threshold.len())));
        let got = ask_with(&fresh, CHAT, KEY, &headers, &body).await;
        let alike = got
            .similarity
            .map(|similarity| similarity.parse::<f64>().unwrap());
        assert!(
            alike.is_none_or(|alike| alike > 0.95),
            "nobody lowers it: {alike:?}"
        );
    }
}

#[tokio::test]
async fn two_keys_never_share_an_answer_in_whatever_words() {
    let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
    let data_plane = started(&provider, &embedder).await;
    ask(&data_plane, "How far is the moon?").await;
    found(&data_plane, "What is the distance to the moon?").await;
    let theirs = async |text: &str| ask_with(&data_plane, CHAT, OTHER_KEY, &[], &question(text)).await;
    let calls = provider.requests().len();
    assert!(!theirs("What is the distance to the moon").await.is_alike());
    assert_eq!(provider.requests().len(), calls + 1);
    found_by("How far is the moon?", theirs).await;
}

#[tokio::test]
async fn only_the_words_of_the_last_message_may_differ() {
    let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
    let data_plane = started(&provider, &embedder).await;
    ask(&data_plane, "How far is the moon?").await;
    found(&data_plane, "What is the distance to the moon?").await;
    let user = json!({"role": "user", "content": "How far is the moon"});
    let system = |text: &str| json!([{"role": "system", "content": text}, user]);
    for (field, value) in [
        ("messages", system("be brief")),
        (
            "messages",
            json!([{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}, user]),
        ),
        ("max_tokens", json!(500)),
        ("seed", json!(1)),
        ("response_format", json!({"type": "json_object"})),
    ] {
        let mut body = question("How far is the moon");
        body[field] = value;
        assert!(
            !ask_with(&data_plane, CHAT, KEY, &[], &body).await.is_alike(),
            "{body}"
        );
    }
    // with the same instructions it is the same question again
    let polite = async |text: &str| {
        let mut body = question("");
        body["messages"] =
            json!([{"role": "system", "content": "be polite"}, {"role": "user", "content": text}]);
        ask_with(&data_plane, CHAT, KEY, &[], &body).await
    };
    assert!(!polite("How far is the moon?").await.is_alike());
    found_by("What is the distance to the moon?", polite).await;
}

#[tokio::test]
async fn what_a_vector_does_not_see_is_another_question() {
    let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
    let data_plane = started(&provider, &embedder).await;
    ask(&data_plane, "How far is the moon?").await;
    found(&data_plane, "What is the distance to the moon?").await;
    assert!(!ask(&data_plane, "How far is the moon not?").await.is_alike());
}

#[tokio::test]
async fn who_is_not_to_be_compared_is_not_embedded() {
    let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
    let data_plane = started(&provider, &embedder).await;
    let with = |field: &str, value: Value| {
        let mut body = question("How far is the moon?");
        body[field] = value;
        body
    };
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let text = json!({"type": "text", "text": "how far is the moon"});
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}});
    let long = "how far is the moon ".repeat(60);
    for body in [
        with("tools", tools),
        with("messages", json!([{"role": "user", "content": [text, image]}])),
        with("messages", json!([{"role": "user", "content": " "}])),
        with("messages", json!([{"role": "user", "content": long}])),
        with("temperature", json!(0.5)),
        with("model", json!("openai/another")),
    ] {
        assert!(
            !ask_with(&data_plane, CHAT, KEY, &[], &body).await.is_alike(),
            "{body}"
        );
    }
    let no_cache = [("x-omniroute-no-cache", "true")];
    ask_with(
        &data_plane,
        CHAT,
        KEY,
        &no_cache,
        &question("How far is the moon?"),
    )
    .await;
    compare(&data_plane, |cache| cache.enabled = false);
    ask(&data_plane, "How far is the moon?").await;
    compare(&data_plane, |cache| cache.similarity.clear());
    ask(&data_plane, "How far is the moon?").await;
    assert_eq!(embedder.asked(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_slow_embedding_delays_nobody_and_is_kept_all_the_same() {
    let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
    let data_plane = started(&provider, &embedder).await;
    embedder.delay(Duration::from_secs(3));
    let began = Instant::now();
    assert!(!ask(&data_plane, "How far is the moon?").await.is_alike());
    assert!(
        began.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(embedder.asked().len(), 1);
    embedder.delay(Duration::ZERO);
    found(&data_plane, "What is the distance to the moon?").await;
}

#[tokio::test]
async fn an_embedding_model_that_fails_is_a_miss_and_left_alone_for_a_while() {
    let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
    let data_plane = started(&provider, &embedder).await;
    embedder.fail(true);
    for n in 0..40 {
        assert!(
            !ask(&data_plane, &format!("How far is the moon{}", "?".repeat(n)))
                .await
                .is_alike()
        );
    }
    let asked = embedder.asked().len();
    assert!((3..40).contains(&asked), "{asked}");
    embedder.fail(false);
    found(&data_plane, "What is the distance to the moon?").await;
    // it is gone altogether
    embedder.close().await;
    ask(&data_plane, "Who is Ben?").await;
    assert!(!ask(&data_plane, "Who is Ben").await.is_alike());
}

#[tokio::test]
async fn what_one_data_plane_answered_another_finds_in_other_words() {
    let redis = async || {
        let url = std::env::var("REDIS_URL").expect("REDIS_URL is not set: run this by `make test`");
        let prefix = format!("test:{}", Uuid::now_v7());
        let store = RedisStore::connect(&url, &prefix).await.unwrap();
        store.with_deadline(Duration::from_secs(5))
    };
    let stores: [Arc<dyn StateStore>; 2] = [Arc::new(MemoryStore::new()), Arc::new(redis().await)];
    for store in stores {
        let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
        let one = setup(&provider, &embedder).store(store.clone()).start().await;
        let other = setup(&provider, &embedder).store(store).start().await;
        compare(&one, |_| {});
        compare(&other, |_| {});
        let first = ask(&one, "How far is the moon?").await;
        let second = found(&other, "What is the distance to the moon?").await;
        if provider.requests().len() == 1 {
            assert_eq!(second.body, first.body);
        }
        // another generation has nothing of the one before
        compare(&other, |cache| cache.generation = 1);
        assert!(!ask(&other, "What is the distance to the moon ?").await.is_alike());
    }
}

#[tokio::test]
async fn without_the_store_nothing_is_compared_and_everybody_answered() {
    let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
    // nobody listens there
    let store = RedisStore::connect("redis://127.0.0.1:1", "test").await.unwrap();
    let data_plane = setup(&provider, &embedder).store(Arc::new(store)).start().await;
    compare(&data_plane, |_| {});
    for spelled in [
        "How far is the moon?",
        "How far is the moon",
        "How far is the moon??",
    ] {
        assert!(!ask(&data_plane, spelled).await.is_alike());
    }
    assert_eq!(provider.requests().len(), 3);
}

#[tokio::test]
async fn every_dialect_asks_in_other_words_whole_and_as_a_stream() {
    let gemini = "/v1beta/models/openai/demo:generateContent";
    let events = "/v1beta/models/openai/demo:streamGenerateContent?alt=sse";
    let turn = |text: &str| json!([{"role": "user", "content": text}]);
    let body = |dialect: Dialect, text: &str| match dialect {
        Dialect::OpenAiChat => json!({"model": MODEL, "temperature": 0, "messages": turn(text)}),
        Dialect::AnthropicMessages => {
            json!({"model": MODEL, "max_tokens": 99, "temperature": 0, "messages": turn(text)})
        }
        Dialect::OpenAiResponses => json!({"model": MODEL, "temperature": 0, "input": text}),
        Dialect::OllamaChat => json!({"model": MODEL, "options": {"temperature": 0}, "messages": turn(text)}),
        Dialect::Gemini => json!({
            "contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": {"temperature": 0},
        }),
        Dialect::BedrockConverse => panic!("{dialect} has no clients"),
    };
    for (dialect, path, stream_path) in [
        (Dialect::OpenAiChat, CHAT, CHAT),
        (Dialect::AnthropicMessages, "/v1/messages", "/v1/messages"),
        (Dialect::OpenAiResponses, "/v1/responses", "/v1/responses"),
        (Dialect::OllamaChat, "/api/chat", "/api/chat"),
        (Dialect::Gemini, gemini, events),
    ] {
        let (provider, embedder) = (Simulator::openai().await, Embedder::start(PLACES).await);
        let data_plane = started(&provider, &embedder).await;
        let send = async |text: &str, stream: bool| {
            let mut body = body(dialect, text);
            if dialect != Dialect::Gemini {
                body["stream"] = json!(stream);
            }
            let path = if stream { stream_path } else { path };
            ask_with(&data_plane, path, KEY, &[], &body).await
        };
        let first = send("How far is the moon?", true).await;
        assert!(!first.is_alike(), "{dialect}");
        let whole = found_by("What is the distance to the moon?", async |text| {
            send(text, false).await
        })
        .await;
        assert!(
            whole.content_type.starts_with("application/json"),
            "{dialect}: {whole:?}"
        );
        let stream = found_by("What is the distance to the moon!", async |text| {
            send(text, true).await
        })
        .await;
        assert_eq!(stream.content_type, first.content_type, "{dialect}");
    }
}
