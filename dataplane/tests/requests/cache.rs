//! Answers that are given again to whoever asks the same.

use crate::harness::{DataPlane, KEY, Setup, header, until};
use bytes::Bytes;
use llm::{Dialect, EventKind, formats};
use proto::v1::{self, UsageEvent};
use reqwest::Response;
use serde_json::{Value, json};
use state::{MemoryStore, RedisStore, StateStore};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::{Behaviour, Simulator};
use tokio::task::JoinSet;

const OTHER_KEY: &str = "sk-other-key";
/// Name, what is changed about the question, headers, whether it is given again.
type Case<'a> = (&'a str, Value, Vec<(&'a str, &'a str)>, bool);

const CHAT: &str = "/v1/chat/completions";

/// What a client got.
#[derive(Debug, Clone)]
struct Got {
    status: u16,
    content_type: String,
    cache: Option<String>,
    body: Bytes,
}

// === impl Got ===

impl Got {
    fn is_hit(&self) -> bool {
        assert_eq!(self.status, 200, "{self:?}");
        self.cache.as_deref() == Some("HIT")
    }
}

fn setup(provider: &Simulator) -> Setup {
    Setup::new()
        .key(OTHER_KEY, |_| {})
        .account("o", "openai", provider)
}

fn question() -> Value {
    json!({
        "model": "openai/demo", "temperature": 0,
        "messages": [{"role": "user", "content": "How far is the moon?"}],
    })
}

async fn ask(data_plane: &DataPlane, body: &Value) -> Got {
    ask_with(data_plane, CHAT, KEY, &[], body).await
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
    got(request.body(body.to_string()).send().await.unwrap()).await
}

async fn got(response: Response) -> Got {
    Got {
        status: response.status().as_u16(),
        content_type: header(&response, "content-type").unwrap().to_owned(),
        cache: header(&response, "x-omniroute-cache").map(str::to_owned),
        body: response.bytes().await.unwrap(),
    }
}

/// The text of an answer, by the rules of its dialect.
fn text(dialect: Dialect, got: &Got) -> String {
    let streamed = !got.content_type.starts_with("application/json");
    let format = formats::of(dialect);
    let events = if streamed {
        let (mut decoder, mut events) = (format.stream_decoder(), Vec::new());
        decoder.push(&got.body, &mut events);
        decoder.finish(&mut events);
        events
    } else {
        format.decode_reply(&got.body).unwrap()
    };
    let last = events.last().map(|event| &event.kind);
    assert!(matches!(last, Some(EventKind::End)), "{got:?}");
    let deltas = events.iter().filter_map(|event| match &event.kind {
        EventKind::Delta { text, .. } => Some(text.as_str()),
        _ => None,
    });
    deltas.collect()
}

#[tokio::test]
async fn the_same_question_is_answered_once_and_costs_nothing_the_second_time() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider).start().await;
    let first = ask(&data_plane, &question()).await;
    assert_eq!(first.cache.as_deref(), Some("MISS"));
    let second = ask(&data_plane, &question()).await;
    assert!(second.is_hit());
    assert_eq!(
        (&second.body, &second.content_type),
        (&first.body, &first.content_type)
    );
    assert_eq!(provider.requests().len(), 1);

    let events: Vec<UsageEvent> = until("both events", || {
        Some(data_plane.events()).filter(|events| events.len() == 2)
    })
    .await;
    let (paid, free) = (&events[0], &events[1]);
    assert_eq!(
        (paid.served_from.as_str(), free.served_from.as_str()),
        ("provider", "cache")
    );
    let tokens = free.input_uncached + free.output_visible + free.output_reasoning;
    assert_eq!(
        (tokens, free.reached_provider, free.attempts.len()),
        (0, false, 0)
    );
    assert_eq!(
        (&free.model_served, &free.provider),
        (&paid.model_served, &paid.provider)
    );
    assert_eq!((free.outcome.as_str(), free.http_status), ("ok", 200));
}

#[tokio::test]
async fn what_one_data_plane_answered_another_need_not_ask() {
    let provider = Simulator::openai().await;
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
    let one = setup(&provider).store(store.clone()).start().await;
    let other = setup(&provider).store(store.clone()).start().await;
    let first = ask(&one, &question()).await;
    stored(&store, 0).await;
    let second = ask(&other, &question()).await;
    assert!(second.is_hit());
    assert_eq!(second.body, first.body);
    assert_eq!(provider.requests().len(), 1);
}

/// The store is told beside the request.
async fn stored(store: &Arc<dyn StateStore>, generation: u64) {
    let began = Instant::now();
    while store.cache_stats(generation).await.unwrap().stored == 0 {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "the answer was never stored"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn only_what_is_not_left_to_chance_and_not_forbidden_is_given_again() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider).start().await;
    let no_cache = |value: &'static str| vec![("x-omniroute-no-cache", value)];
    let table: Vec<Case<'_>> = vec![
        ("zero", json!({}), vec![], true),
        ("a zero with a point", json!({"temperature": 0.0}), vec![], true),
        ("some warmth", json!({"temperature": 0.1}), vec![], false),
        ("no temperature", json!({"temperature": null}), vec![], false),
        ("one answer", json!({"n": 1}), vec![], true),
        ("two answers", json!({"n": 2}), vec![], false),
        ("cut short", json!({"max_tokens": 2}), vec![], false),
        ("no cache", json!({}), no_cache("true"), false),
        ("no cache, loudly", json!({}), no_cache("TRUE"), false),
        ("no cache, in short", json!({}), no_cache("1"), false),
        ("no cache, not meant", json!({}), no_cache("false"), true),
    ];
    for (name, change, headers, is_cached) in table {
        let mut body = question();
        body["seed"] = json!(name.len());
        body["messages"][0]["content"] = json!(name);
        let changes = change.as_object().unwrap().clone();
        changes.into_iter().for_each(|(field, value)| body[field] = value);
        let first = ask_with(&data_plane, CHAT, KEY, &headers, &body).await;
        assert!(!first.is_hit(), "{name}");
        let second = ask_with(&data_plane, CHAT, KEY, &headers, &body).await;
        assert_eq!(second.is_hit(), is_cached, "{name}");
        if !is_cached {
            assert_eq!(second.cache.as_deref(), Some("MISS"), "{name}");
        }
    }
}

#[tokio::test]
async fn no_cache_neither_reads_nor_writes() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider).start().await;
    let no_cache = [("x-omniroute-no-cache", "true")];
    ask_with(&data_plane, CHAT, KEY, &no_cache, &question()).await;
    let first = ask(&data_plane, &question()).await;
    assert!(!first.is_hit());
    let past = ask_with(&data_plane, CHAT, KEY, &no_cache, &question()).await;
    assert!(!past.is_hit());
    assert_ne!(past.body, first.body);
    assert_eq!(ask(&data_plane, &question()).await.body, first.body);
}

#[tokio::test]
async fn an_error_is_not_given_again() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider).start().await;
    provider.script(Behaviour::status(400));
    assert_eq!(ask(&data_plane, &question()).await.status, 400);
    assert!(!ask(&data_plane, &question()).await.is_hit());
    assert!(ask(&data_plane, &question()).await.is_hit());
}

#[tokio::test]
async fn whatever_changes_the_answer_makes_it_another_question() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider)
        .alias("other", "openai/another")
        .combo("both", &["openai/demo", "openai/another"])
        .start()
        .await;
    assert!(!ask(&data_plane, &question()).await.is_hit());
    for (field, value) in [
        ("max_tokens", json!(500)),
        ("seed", json!(1)),
        ("top_p", json!(0.5)),
        ("stop", json!(["x"])),
        ("response_format", json!({"type": "json_object"})),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]),
        ),
        ("model", json!("openai/another")),
        ("model", json!("other")),
        ("model", json!("both")),
        (
            "messages",
            json!([
                {"role": "system", "content": "be brief"}, {"role": "user", "content": "How far is the moon?"},
            ]),
        ),
        (
            "messages",
            json!([{"role": "user", "content": "How far is the moon ?"}]),
        ),
    ] {
        let mut other = question();
        other[field] = value;
        assert!(!ask(&data_plane, &other).await.is_hit(), "{other}");
        assert!(ask(&data_plane, &other).await.is_hit(), "{other}");
    }
    let by_other = ask_with(&data_plane, CHAT, OTHER_KEY, &[], &question()).await;
    assert!(!by_other.is_hit());
    let pinned = "/v1/providers/openai/chat/completions";
    let mut bare = question();
    bare["model"] = json!("demo");
    assert!(!ask_with(&data_plane, pinned, KEY, &[], &bare).await.is_hit());
    // the same again in another order, and with what changes only the delivery
    let shuffled = r#"{"messages":[{"content":"How far is the moon?","role":"user"}],
        "user":"u","metadata":{"a":"b"},"stream":false,"temperature":0,"model":"openai/demo"}"#;
    let shuffled: Value = serde_json::from_str(shuffled).unwrap();
    assert!(ask(&data_plane, &shuffled).await.is_hit());
}

#[tokio::test]
async fn what_a_client_tells_the_provider_in_a_header_counts() {
    let provider = Simulator::anthropic().await;
    let data_plane = Setup::new().account("a", "anthropic", &provider).start().await;
    let body = json!({
        "model": "anthropic/demo", "temperature": 0, "max_tokens": 99,
        "messages": [{"role": "user", "content": "hello"}],
    });
    let with = async |headers: &[(&str, &str)]| {
        let got = ask_with(&data_plane, "/v1/messages", KEY, headers, &body).await;
        got.is_hit()
    };
    let beta = [("anthropic-beta", "context-1m-2025-08-07")];
    assert!(!with(&[]).await);
    assert!(!with(&beta).await);
    assert!(with(&[]).await);
    assert!(with(&beta).await);
}

#[tokio::test]
async fn a_whole_answer_is_streamed_to_whoever_wants_a_stream_and_the_other_way_round() {
    let messages = json!([{"role": "user", "content": "hello"}]);
    let gemini = json!({
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}], "generationConfig": {"temperature": 0},
    });
    let whole = "/v1beta/models/openai/demo:generateContent";
    let events = "/v1beta/models/openai/demo:streamGenerateContent?alt=sse";
    let table = [
        (
            Dialect::OpenAiChat,
            CHAT,
            CHAT,
            json!({"model": "openai/demo", "temperature": 0, "messages": messages}),
        ),
        (
            Dialect::AnthropicMessages,
            "/v1/messages",
            "/v1/messages",
            json!({"model": "openai/demo", "max_tokens": 99, "temperature": 0, "messages": messages}),
        ),
        (
            Dialect::OpenAiResponses,
            "/v1/responses",
            "/v1/responses",
            json!({"model": "openai/demo", "temperature": 0, "input": "hello"}),
        ),
        (
            Dialect::OllamaChat,
            "/api/chat",
            "/api/chat",
            json!({"model": "openai/demo", "options": {"temperature": 0}, "messages": messages}),
        ),
        (Dialect::Gemini, whole, events, gemini),
    ];
    for (dialect, path, stream_path, body) in table {
        for stream_first in [false, true] {
            let provider = Simulator::openai().await;
            let data_plane = setup(&provider).start().await;
            let send = async |stream: bool| {
                let mut body = body.clone();
                if dialect != Dialect::Gemini {
                    body["stream"] = json!(stream);
                }
                let path = if stream { stream_path } else { path };
                ask_with(&data_plane, path, KEY, &[], &body).await
            };
            let first = send(stream_first).await;
            let second = send(!stream_first).await;
            assert!(second.is_hit(), "{dialect} {stream_first}");
            assert_eq!(
                text(dialect, &second),
                text(dialect, &first),
                "{dialect} {stream_first}"
            );
            assert_ne!(second.content_type, first.content_type, "{dialect}");
            let third = send(stream_first).await;
            assert_eq!(
                (third.is_hit(), third.content_type),
                (true, first.content_type.clone())
            );
            assert_eq!(text(dialect, &send(stream_first).await), text(dialect, &first));
            assert_eq!(provider.requests().len(), 1, "{dialect} {stream_first}");
        }
    }
}

#[tokio::test]
async fn another_generation_clears_everything_at_once() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider).start().await;
    ask(&data_plane, &question()).await;
    assert!(ask(&data_plane, &question()).await.is_hit());
    let cache = |generation| v1::Cache {
        enabled: true,
        generation,
        ..v1::Cache::default()
    };
    let set = |cache: v1::Cache| {
        data_plane.configure(|snapshot| snapshot.settings(|settings| settings.cache = Some(cache)));
    };
    set(cache(1));
    assert!(!ask(&data_plane, &question()).await.is_hit());
    assert!(ask(&data_plane, &question()).await.is_hit());
    set(v1::Cache {
        enabled: false,
        ..cache(1)
    });
    assert!(!ask(&data_plane, &question()).await.is_hit());
    set(cache(1));
    assert!(ask(&data_plane, &question()).await.is_hit());
}

#[tokio::test]
async fn the_settings_say_how_long_an_answer_lasts_and_what_no_temperature_means() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider).start().await;
    data_plane.configure(|snapshot| {
        snapshot.settings(|settings| {
            settings.cache = Some(v1::Cache {
                enabled: true,
                ttl_ms: Some(100),
                absent_temperature_is_zero: true,
                generation: 1,
                ..v1::Cache::default()
            });
        })
    });
    let mut body = question();
    body.as_object_mut().unwrap().remove("temperature");
    assert!(!ask(&data_plane, &body).await.is_hit());
    let began = Instant::now();
    while ask(&data_plane, &body).await.is_hit() {
        assert!(began.elapsed() < Duration::from_secs(10), "it lasts for ever");
    }
    body["temperature"] = json!(0.5);
    ask(&data_plane, &body).await;
    assert!(!ask(&data_plane, &body).await.is_hit());
}

#[tokio::test]
async fn other_instructions_of_the_operator_make_it_another_question() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider).start().await;
    ask(&data_plane, &question()).await;
    for prompt in ["Be brief.", "Be polite."] {
        data_plane.configure(|snapshot| {
            let prompt = v1::SystemPrompt {
                enabled: true,
                prompt: prompt.to_owned(),
            };
            snapshot.with(proto::SYSTEM_PROMPT_ID, v1::resource::Body::SystemPrompt(prompt))
        });
        assert!(!ask(&data_plane, &question()).await.is_hit(), "{prompt}");
        assert!(ask(&data_plane, &question()).await.is_hit(), "{prompt}");
    }
}

#[tokio::test]
async fn whoever_may_not_ask_gets_no_cached_answer_either() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider).start().await;
    ask(&data_plane, &question()).await;
    assert!(ask(&data_plane, &question()).await.is_hit());
    data_plane.configure(|snapshot| {
        snapshot.policy("closed", "access", |policy| {
            policy.block_model = vec!["*demo*".to_owned()]
        })
    });
    assert_eq!(ask(&data_plane, &question()).await.status, 403);
    let unknown = ask_with(&data_plane, CHAT, "sk-nobody", &[], &question()).await;
    assert_eq!(unknown.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_ask_at_the_same_time_share_one_call() {
    let provider = Simulator::openai().await;
    let data_plane = Arc::new(setup(&provider).start().await);
    provider.script(Behaviour {
        first_byte: Duration::from_millis(200),
        ..Behaviour::default()
    });
    let mut clients = JoinSet::new();
    for _ in 0..20 {
        let data_plane = data_plane.clone();
        clients.spawn(async move { ask(&data_plane, &question()).await });
    }
    let got = clients.join_all().await;
    assert!(got.iter().all(|one| one.body == got[0].body));
    assert_eq!(got.iter().filter(|one| !one.is_hit()).count(), 1);
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn without_the_store_each_data_plane_has_its_own_memory() {
    let provider = Simulator::openai().await;
    let gone = async || {
        // nobody listens there
        let store = RedisStore::connect("redis://127.0.0.1:1", "test").await.unwrap();
        setup(&provider).store(Arc::new(store)).start().await
    };
    for data_plane in [gone().await, gone().await] {
        assert!(!ask(&data_plane, &question()).await.is_hit());
        assert!(ask(&data_plane, &question()).await.is_hit());
    }
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn a_named_duplicate_of_a_cached_answer_gets_the_same() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider).start().await;
    let first = ask(&data_plane, &question()).await;
    let name = [("idempotency-key", "a")];
    let hit = ask_with(&data_plane, CHAT, KEY, &name, &question()).await;
    assert!(hit.is_hit());
    let replay = ask_with(&data_plane, CHAT, KEY, &name, &question()).await;
    assert_eq!(replay.cache, None);
    assert_eq!((&hit.body, &replay.body), (&first.body, &first.body));
}

#[tokio::test]
async fn two_keys_never_share_an_answer() {
    let provider = Simulator::openai().await;
    let data_plane = setup(&provider).start().await;
    for n in 0..200 {
        let mut body = question();
        body["messages"][0]["content"] = json!(format!("question {n}"));
        for key in [KEY, OTHER_KEY] {
            assert!(
                !ask_with(&data_plane, CHAT, key, &[], &body).await.is_hit(),
                "{n} {key}"
            );
        }
        assert!(ask(&data_plane, &body).await.is_hit(), "{n}");
    }
    assert_eq!(provider.requests().len(), 400);
}
