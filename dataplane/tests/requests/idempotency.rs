//! Requests that clients send more than once under one name.

mod services;

use crate::harness::{DataPlane, KEY, Setup, header, until};
use bytes::Bytes;
use proto::v1::UsageEvent;
use reqwest::Response;
use serde_json::{Value, json};
use state::{MemoryStore, RedisStore, StateStore};
use std::sync::Arc;
use std::time::Duration;
use testkit::service::{self, Redis};
use testkit::{Behaviour, Simulator};
use tokio::task::JoinSet;

const OTHER_KEY: &str = "sk-other-key";

/// Two data planes in front of one provider, on one store.
struct World {
    data_planes: [Arc<DataPlane>; 2],
    provider: Simulator,
    /// Holds the keys of the test until it is over.
    _redis: Option<Redis>,
}

/// What a client got.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    status: u16,
    content_type: String,
    replay: bool,
    body: Bytes,
}

// === impl World ===

impl World {
    async fn on(stores: [Arc<dyn StateStore>; 2], redis: Option<Redis>) -> Self {
        let provider = Simulator::openai().await;
        let [one, other] = stores;
        let data_planes = [start(one, &provider).await, start(other, &provider).await];
        Self {
            data_planes,
            provider,
            _redis: redis,
        }
    }

    async fn in_memory() -> Self {
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
        Self::on([store.clone(), store], None).await
    }

    async fn on_redis() -> Self {
        let redis = service::redis();
        let stores = [redis_store(&redis).await, redis_store(&redis).await];
        Self::on(stores, Some(redis)).await
    }

    /// Sends the same from fifty clients at once, to either data plane.
    async fn storm(&self, stream: bool) -> Vec<Got> {
        let mut clients = JoinSet::new();
        for n in 0..50 {
            let data_plane = self.data_planes[n % 2].clone();
            clients.spawn(async move { send(&data_plane, "storm", &question(stream)).await });
        }
        clients.join_all().await
    }

    fn calls(&self) -> usize {
        self.provider.requests().len()
    }
}

async fn start(store: Arc<dyn StateStore>, provider: &Simulator) -> Arc<DataPlane> {
    let setup = Setup::new()
        .store(store)
        .key(OTHER_KEY, |_| {})
        .account("o", "openai", provider);
    Arc::new(setup.start().await)
}

async fn redis_store(redis: &Redis) -> Arc<dyn StateStore> {
    let store = RedisStore::connect(&redis.url, &redis.prefix).await.unwrap();
    // a machine under test is busier than one in production
    Arc::new(store.with_deadline(Duration::from_secs(5)))
}

fn question(stream: bool) -> Value {
    json!({
        "model": "openai/demo", "stream": stream,
        "messages": [{"role": "user", "content": "How far is the moon?"}],
    })
}

async fn send(data_plane: &DataPlane, name: &str, body: &Value) -> Got {
    send_with(data_plane, KEY, &[("idempotency-key", name)], body).await
}

async fn send_with(data_plane: &DataPlane, key: &str, headers: &[(&str, &str)], body: &Value) -> Got {
    let mut request = data_plane.post("/v1/chat/completions").bearer_auth(key);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    got(request.body(body.to_string()).send().await.unwrap()).await
}

async fn got(response: Response) -> Got {
    Got {
        status: response.status().as_u16(),
        content_type: header(&response, "content-type").unwrap().to_owned(),
        replay: header(&response, "x-omniroute-idempotent") == Some("true"),
        body: response.bytes().await.unwrap(),
    }
}

async fn events(data_planes: &[Arc<DataPlane>], count: usize) -> Vec<UsageEvent> {
    let all = || -> Vec<_> { data_planes.iter().flat_map(|one| one.events()).collect() };
    until("usage events", || (all().len() >= count).then_some(())).await;
    all()
}

async fn fifty_duplicates_share_one_call(world: World, stream: bool) {
    world.provider.script(Behaviour {
        first_byte: Duration::from_millis(300),
        ..Behaviour::default()
    });
    let got = world.storm(stream).await;
    assert_eq!(world.calls(), 1);
    let first = &got[0];
    assert_eq!(first.status, 200);
    let kind = if stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    assert!(first.content_type.starts_with(kind), "{}", first.content_type);
    assert_eq!(stream, first.body.ends_with(b"data: [DONE]\n\n"));
    for one in &got {
        assert_eq!((one.status, &one.body), (200, &first.body));
        assert_eq!(one.content_type, first.content_type);
    }
    assert_eq!(got.iter().filter(|one| one.replay).count(), 49);

    let events = events(&world.data_planes, 50).await;
    assert_eq!(events.len(), 50);
    let (paid, free): (Vec<_>, Vec<_>) = events.iter().partition(|event| event.served_from == "provider");
    assert_eq!(paid.len(), 1);
    assert!(paid[0].output_visible > 0 && paid[0].reached_provider);
    for event in free {
        assert_eq!(
            (event.served_from.as_str(), event.outcome.as_str()),
            ("replay", "ok")
        );
        let tokens = event.input_uncached + event.output_visible + event.output_reasoning;
        assert_eq!(
            (tokens, event.reached_provider, event.attempts.len()),
            (0, false, 0)
        );
        assert_eq!(event.model_served, paid[0].model_served);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_duplicates_over_two_data_planes_share_one_call_by_memory() {
    fifty_duplicates_share_one_call(World::in_memory().await, false).await;
    fifty_duplicates_share_one_call(World::in_memory().await, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_duplicates_over_two_data_planes_share_one_call_by_redis() {
    fifty_duplicates_share_one_call(World::on_redis().await, false).await;
    fifty_duplicates_share_one_call(World::on_redis().await, true).await;
}

#[tokio::test]
async fn the_first_that_fails_lets_exactly_one_of_the_others_try() {
    for world in [World::in_memory().await, World::on_redis().await] {
        world.provider.script(Behaviour {
            first_byte: Duration::from_millis(200),
            ..Behaviour::status(400)
        });
        let got = world.storm(false).await;
        assert_eq!(world.calls(), 2);
        let (failed, answered): (Vec<_>, Vec<_>) = got.iter().partition(|one| one.status != 200);
        assert_eq!(failed.len(), 1);
        assert!(!failed[0].replay);
        assert_eq!(answered.len(), 49);
        assert!(answered.iter().all(|one| one.body == answered[0].body));
        assert_eq!(answered.iter().filter(|one| one.replay).count(), 48);
    }
}

#[tokio::test]
async fn a_request_that_differs_in_anything_is_another_one() {
    let world = World::in_memory().await;
    let [one, other] = &world.data_planes;
    let first = send(one, "a", &question(false)).await;
    assert!(send(other, "a", &question(false)).await.replay);
    assert_eq!(world.calls(), 1);

    let mut louder = question(false);
    louder["messages"][0]["content"] = json!("HOW FAR IS THE MOON?");
    let mut spaced = question(false);
    spaced["user"] = json!("u");
    let name = [("idempotency-key", "a")];
    let others = [
        send(other, "b", &question(false)).await,
        send(other, "a", &louder).await,
        send(other, "a", &spaced).await,
        send(other, "a", &question(true)).await,
        send_with(other, OTHER_KEY, &name, &question(false)).await,
    ];
    for (at, got) in others.iter().enumerate() {
        assert_eq!((got.status, got.replay), (200, false), "{at}");
        assert_ne!(got.body, first.body, "{at}");
    }
    assert_eq!(world.calls(), 1 + others.len());
    let elsewhere = other
        .post("/v1/providers/openai/chat/completions")
        .bearer_auth(KEY)
        .header("idempotency-key", "a")
        .body(question(false).to_string());
    assert!(!got(elsewhere.send().await.unwrap()).await.replay);
}

#[tokio::test]
async fn a_request_id_is_a_name_too_unless_there_is_a_better_one() {
    let world = World::in_memory().await;
    let [one, other] = &world.data_planes;
    let body = question(false);
    let id = ("x-request-id", "r1");
    assert!(!send_with(one, KEY, &[id], &body).await.replay);
    assert!(send_with(other, KEY, &[id], &body).await.replay);
    assert!(
        send_with(other, KEY, &[id, ("idempotency-key", "")], &body)
            .await
            .replay
    );
    assert!(
        !send_with(other, KEY, &[id, ("idempotency-key", "k1")], &body)
            .await
            .replay
    );
    let another = ("x-request-id", "r2");
    assert!(
        send_with(one, KEY, &[another, ("idempotency-key", "k1")], &body)
            .await
            .replay
    );
    assert_eq!(world.calls(), 2);
}

#[tokio::test]
async fn without_a_name_nothing_is_replayed() {
    let world = World::in_memory().await;
    for data_plane in &world.data_planes {
        assert!(!send_with(data_plane, KEY, &[], &question(false)).await.replay);
        assert!(!send_with(data_plane, KEY, &[], &question(false)).await.replay);
    }
    assert_eq!(world.calls(), 4);
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused() {
    let world = World::in_memory().await;
    let data_plane = &world.data_planes[0];
    assert_eq!(
        send(data_plane, &"x".repeat(255), &question(false)).await.status,
        200
    );
    for header in ["idempotency-key", "x-request-id"] {
        let long = "x".repeat(256);
        let got = send_with(data_plane, KEY, &[(header, long.as_str())], &question(false)).await;
        assert_eq!(got.status, 400);
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains("255"), "{message}");
    }
    assert_eq!(world.calls(), 1);
}

#[tokio::test]
async fn an_error_is_never_replayed() {
    let world = World::in_memory().await;
    let data_plane = &world.data_planes[0];
    for status in [400, 400, 422] {
        world.provider.script(Behaviour::status(status));
    }
    for _ in 0..3 {
        let got = send(data_plane, "a", &question(false)).await;
        assert!(got.status >= 400 && !got.replay, "{got:?}");
    }
    let answered = send(data_plane, "a", &question(false)).await;
    assert_eq!((answered.status, answered.replay), (200, false));
    let again = send(data_plane, "a", &question(false)).await;
    assert_eq!((again.replay, again.body), (true, answered.body));
}

#[tokio::test]
async fn a_stream_that_broke_is_not_replayed_and_one_that_is_whole_is() {
    let world = World::in_memory().await;
    let [one, other] = &world.data_planes;
    world.provider.script(Behaviour {
        cut_after: Some(3),
        ..Behaviour::default()
    });
    let broken = send(one, "a", &question(true)).await;
    assert!(
        broken.body.windows(7).any(|part| part == b"\"error\""),
        "{broken:?}"
    );
    let whole = send(other, "a", &question(true)).await;
    assert!(!whole.replay);
    let again = send(one, "a", &question(true)).await;
    assert_eq!((again.replay, again.body), (true, whole.body));
    assert_eq!(world.calls(), 2);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_claim_with_it() {
    let world = World::in_memory().await;
    let [one, other] = &world.data_planes;
    world.provider.script(Behaviour {
        hang: true,
        ..Behaviour::default()
    });
    let leaving = tokio::spawn({
        let one = one.clone();
        async move { send(&one, "a", &question(false)).await }
    });
    until("the first call", || (world.calls() == 1).then_some(())).await;
    let waiting = tokio::spawn({
        let other = other.clone();
        async move { send(&other, "a", &question(false)).await }
    });
    leaving.abort();
    let got = waiting.await.unwrap();
    assert_eq!((got.status, got.replay), (200, false));
    assert_eq!(world.calls(), 2);
}

#[tokio::test]
async fn an_answer_is_forgotten_after_the_window_that_was_set() {
    let provider = Simulator::openai().await;
    let setup = Setup::new()
        .config(|config| config.idempotency.window_ms = 100)
        .account("o", "openai", &provider);
    let data_plane = setup.start().await;
    assert!(!send(&data_plane, "a", &question(false)).await.replay);
    let began = std::time::Instant::now();
    while send(&data_plane, "a", &question(false)).await.replay {
        assert!(began.elapsed() < Duration::from_secs(10), "still remembered");
    }
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn every_dialect_replays_its_own_bytes_whole_and_streamed() {
    let world = World::in_memory().await;
    let [one, other] = &world.data_planes;
    let messages = json!([{"role": "user", "content": "hello"}]);
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    let table = [
        (
            "/v1/chat/completions",
            json!({"model": "openai/demo", "messages": messages}),
        ),
        (
            "/v1/messages",
            json!({"model": "openai/demo", "max_tokens": 99, "messages": messages}),
        ),
        ("/v1/responses", json!({"model": "openai/demo", "input": "hello"})),
        ("/api/chat", json!({"model": "openai/demo", "messages": messages})),
        ("/v1beta/models/openai/demo:generateContent", contents.clone()),
        (
            "/v1beta/models/openai/demo:streamGenerateContent",
            contents.clone(),
        ),
        (
            "/v1beta/models/openai/demo:streamGenerateContent?alt=sse",
            contents,
        ),
    ];
    for (path, body) in table {
        for stream in [false, true] {
            let mut body = body.clone();
            if !path.contains("models") {
                body["stream"] = json!(stream);
            }
            let name = format!("{stream}");
            let ask = |data_plane: &DataPlane| {
                let request = data_plane
                    .post(path)
                    .bearer_auth(KEY)
                    .header("idempotency-key", &name);
                request.body(body.to_string()).send()
            };
            let before = world.calls();
            let first = got(ask(one).await.unwrap()).await;
            let again = got(ask(other).await.unwrap()).await;
            assert_eq!((first.status, again.status), (200, 200), "{path} {first:?}");
            // the address of Gemini says whether it streams, so the second round repeats the first
            assert!(again.replay, "{path} {stream}");
            assert_eq!(
                (&first.body, &first.content_type),
                (&again.body, &again.content_type)
            );
            assert!(world.calls() <= before + 1, "{path} {stream}");
        }
    }
}

#[tokio::test]
async fn without_the_store_a_data_plane_still_knows_its_own_duplicates() {
    let gone = || async {
        // nobody listens there
        let store = RedisStore::connect("redis://127.0.0.1:1", "test").await.unwrap();
        Arc::new(store) as Arc<dyn StateStore>
    };
    let world = World::on([gone().await, gone().await], None).await;
    world.provider.script(Behaviour {
        first_byte: Duration::from_millis(200),
        ..Behaviour::default()
    });
    let got = world.storm(false).await;
    assert!(got.iter().all(|one| one.status == 200));
    assert_eq!(world.calls(), 2, "one for each data plane");
    assert_eq!(got.iter().filter(|one| !one.replay).count(), 2);
    for data_plane in &world.data_planes {
        assert!(send(data_plane, "storm", &question(false)).await.replay);
    }
}

#[tokio::test]
async fn callers_without_a_key_are_told_apart_by_where_they_come_from() {
    let provider = Simulator::openai().await;
    let setup = Setup::new()
        .config(|config| config.edge.require_api_key = false)
        .account("o", "openai", &provider);
    let data_plane = setup.start().await;
    let ask = || {
        let request = data_plane
            .post("/v1/chat/completions")
            .header("idempotency-key", "a");
        request.body(question(false).to_string()).send()
    };
    assert!(!got(ask().await.unwrap()).await.replay);
    assert!(got(ask().await.unwrap()).await.replay);
    // whoever has a key is somebody else
    assert!(!send(&data_plane, "a", &question(false)).await.replay);
}

#[tokio::test]
async fn behind_a_proxy_callers_without_a_key_do_not_get_each_others_answers() {
    let provider = Simulator::openai().await;
    let trusted: Value = "127.0.0.0/8".into();
    let setup = Setup::new()
        .config(|config| {
            config.edge.require_api_key = false;
            config.edge.trusted_proxies = serde_json::from_value(trusted).unwrap();
        })
        .account("o", "openai", &provider);
    let data_plane = setup.start().await;
    let ask = |client: &'static str| {
        let request = data_plane
            .post("/v1/chat/completions")
            .header("idempotency-key", "a")
            .header("x-forwarded-for", client);
        request.body(question(false).to_string()).send()
    };
    assert!(!got(ask("192.0.2.1").await.unwrap()).await.replay);
    assert!(!got(ask("192.0.2.2").await.unwrap()).await.replay);
    assert!(got(ask("192.0.2.1").await.unwrap()).await.replay);
}
