//! A second call beside one that takes unusually long: what it gains, and what it may never cost.

use crate::harness::{DataPlane, Setup, until};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use parking_lot::Mutex;
use proto::v1::{self, UsageEvent, resource::Body};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use testkit::{Fault, FaultProxy};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const USUAL: Duration = Duration::from_millis(5);
const SLOW: Duration = Duration::from_millis(400);
/// Longer than the data planes of these tests wait.
const NEVER: Duration = Duration::from_secs(60);
/// Above what a busy machine adds to an answer, below what is slow.
const MIN_DELAY_MS: u32 = 60;
/// After so many answers it is known how long one takes.
const WARM: usize = 40;

/// Answers after as long as it is told to.
struct Upstream {
    address: SocketAddr,
    calls: Arc<Calls>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Calls {
    /// Of the next calls; without one they take as long as usual.
    delays: Mutex<VecDeque<Duration>>,
    received: AtomicUsize,
    answered: AtomicUsize,
    abandoned: AtomicUsize,
}

/// A call until it is answered.
struct Open(Arc<Calls>);

// === impl Upstream ===

impl Upstream {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::<Calls>::default();
        let router = Router::new().fallback(answer).with_state(calls.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            calls,
            serving,
        }
    }

    fn delay(&self, delays: impl IntoIterator<Item = Duration>) {
        self.calls.delays.lock().extend(delays);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

// === impl Open ===

impl Open {
    fn close(self) {
        self.0.answered.fetch_add(1, Ordering::Relaxed);
        std::mem::forget(self);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.abandoned.fetch_add(1, Ordering::Relaxed);
    }
}

async fn answer(State(calls): State<Arc<Calls>>, body: Bytes) -> Response {
    let question: Value = serde_json::from_slice(&body).unwrap();
    calls.received.fetch_add(1, Ordering::Relaxed);
    let delay = calls.delays.lock().pop_front().unwrap_or(USUAL);
    let open = Open(calls);
    sleep(delay).await;
    open.close();
    if question["stream"] == true {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "demo",
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Far."}, "finish_reason": "stop"}]});
        let text = format!("data: {chunk}\n\ndata: [DONE]\n\n");
        return ([(CONTENT_TYPE, "text/event-stream")], text).into_response();
    }
    let whole = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "demo",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Far."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 1, "total_tokens": 9}});
    ([(CONTENT_TYPE, "application/json")], whole.to_string()).into_response()
}

/// Two accounts of one provider, and extra calls for at most this share of the requests, in thousandths.
async fn data_plane(address: SocketAddr, share: Option<u32>) -> Arc<DataPlane> {
    let url = format!("http://{address}/v1");
    let mut setup = Setup::new()
        .account_at("first", "openai", &url)
        .account_at("second", "openai", &url);
    if let Some(max_share_permille) = share {
        let hedging = v1::Hedging {
            enabled: true,
            max_share_permille,
            min_delay_ms: MIN_DELAY_MS,
        };
        let routing = v1::Routing {
            account_strategy: "fill-first".to_owned(),
            hedging: Some(hedging),
            ..v1::Routing::default()
        };
        setup = setup.resource(proto::ROUTING_ID, Body::Routing(routing));
    }
    let data_plane = Arc::new(setup.start().await);
    let warm = ask(&data_plane, WARM, 1).await;
    assert_eq!(warm.len(), WARM);
    data_plane
}

/// How long each of so many requests took, so many of them at a time. All of them are answered.
async fn ask(data_plane: &Arc<DataPlane>, requests: usize, at_once: usize) -> Vec<Duration> {
    let one = |_| async move {
        let started = Instant::now();
        let response = data_plane.chat("openai/demo", false).await;
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap();
        started.elapsed()
    };
    stream::iter(0..requests)
        .map(one)
        .buffer_unordered(at_once)
        .collect()
        .await
}

/// What was written down of the requests after the first ones, in the order in which they came.
async fn events(data_plane: &DataPlane, requests: usize) -> Vec<UsageEvent> {
    let all = || Some(data_plane.events()).filter(|events| events.len() == WARM + requests);
    let mut events = until("all usage events", all).await;
    events.sort_by_key(|event| event.started_at_ms);
    events.split_off(WARM)
}

fn hedges(events: &[UsageEvent]) -> usize {
    let attempts = events.iter().flat_map(|event| &event.attempts);
    attempts.filter(|attempt| attempt.hedge).count()
}

/// One call in twenty is slow, at places that look random and are the same in every run.
fn tail(calls: usize, slow: Duration) -> Vec<Duration> {
    let mut delays: Vec<_> = (0..calls)
        .map(|n| if n % 20 == 0 { slow } else { USUAL })
        .collect();
    delays.shuffle(&mut StdRng::seed_from_u64(4));
    delays
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took[(took.len() * 99).div_ceil(100) - 1]
}

fn assert_share(events: &[UsageEvent], permille: usize) {
    for window in events.windows(200) {
        let extra = hedges(window);
        assert!(extra <= 200 * permille / 1000 + 1, "{extra} extra calls");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_tail_loses_its_length_and_extra_calls_keep_to_their_share() {
    const REQUESTS: usize = 800;
    let mut tails = Vec::new();
    for share in [None, Some(100)] {
        let upstream = Upstream::start().await;
        let data_plane = data_plane(upstream.address, share).await;
        upstream.delay(tail(REQUESTS * 2, SLOW));
        tails.push(p99(ask(&data_plane, REQUESTS, 8).await));
        let events = events(&data_plane, REQUESTS).await;
        let extra = upstream.calls.received.load(Ordering::Relaxed) - WARM - REQUESTS;
        assert_eq!(extra, hedges(&events), "no call is unaccounted for");
        assert_share(&events, share.unwrap_or(0) as usize);
        assert_eq!(extra > REQUESTS / 50, share.is_some(), "{extra} extra calls");
    }
    assert!(tails[0] >= SLOW, "{tails:?}");
    assert!(tails[1] <= tails[0].mul_f64(0.6), "{tails:?}");
}

#[tokio::test]
async fn a_share_that_is_used_up_lets_slow_answers_be_slow() {
    const REQUESTS: usize = 600;
    let upstream = Upstream::start().await;
    let data_plane = data_plane(upstream.address, Some(20)).await;
    upstream.delay(tail(REQUESTS * 2, Duration::from_millis(150)));
    let took = ask(&data_plane, REQUESTS, 1).await;
    let events = events(&data_plane, REQUESTS).await;
    assert_share(&events, 20);
    let slow = took.iter().filter(|took| took.as_millis() >= 150).count();
    let extra = hedges(&events);
    assert!((8..=13).contains(&extra), "{extra} extra calls");
    assert!(slow >= 10, "{slow} slow answers");
}

#[tokio::test]
async fn streams_and_requests_with_tools_are_never_hedged() {
    let upstream = Upstream::start().await;
    let data_plane = data_plane(upstream.address, Some(500)).await;
    let question =
        json!({"model": "openai/demo", "messages": [{"role": "user", "content": "How far is the moon?"}]});
    let function = json!({"name": "look", "parameters": {"type": "object", "properties": {}}});
    let with = |name: &str, value: Value| {
        let mut question = question.clone();
        question[name] = value;
        question
    };
    let cases = [
        (with("stream", json!(true)), 1),
        (
            with("tools", json!([{"type": "function", "function": function}])),
            1,
        ),
        (with("functions", json!([function])), 1),
        (question.clone(), 2),
    ];
    for (body, calls) in cases {
        let before = upstream.calls.received.load(Ordering::Relaxed);
        upstream.delay([SLOW]);
        let response = data_plane.ask("/v1/chat/completions", &body).await;
        assert_eq!(response.status(), 200, "{body}");
        response.bytes().await.unwrap();
        let received = upstream.calls.received.load(Ordering::Relaxed) - before;
        assert_eq!(received, calls, "{body}");
    }
}

#[tokio::test]
async fn an_outage_adds_one_extra_call_at_most() {
    for refuses in [false, true] {
        let upstream = Upstream::start().await;
        let proxy = FaultProxy::to(upstream.address).await;
        // the largest share that can be configured
        let data_plane = data_plane(proxy.address(), Some(500)).await;
        if refuses {
            proxy.set(Fault::Refuse);
        } else {
            upstream.delay(std::iter::repeat_n(NEVER, 500));
        }
        let outage = stream::iter(0..60).map(|_| data_plane.chat("openai/demo", false));
        let statuses: Vec<_> = outage
            .buffer_unordered(20)
            .map(|response| response.status())
            .collect()
            .await;
        assert!(
            statuses.iter().all(|status| status.is_server_error()),
            "{statuses:?}"
        );
        let extra = hedges(&events(&data_plane, 60).await);
        assert!(
            extra <= 1,
            "{extra} extra calls, {} reached the provider",
            upstream.calls.received.load(Ordering::Relaxed)
        );
    }
}

#[tokio::test]
async fn the_slower_call_is_cancelled_and_written_down_and_the_faster_one_is_named() {
    // how long the first call and the one beside it take, and which wins
    let cases = [([NEVER, USUAL], 1), ([SLOW, NEVER], 0)];
    for (delays, winner) in cases {
        let upstream = Upstream::start().await;
        let data_plane = data_plane(upstream.address, Some(100)).await;
        upstream.delay(delays);
        ask(&data_plane, 1, 1).await;
        let calls = &upstream.calls;
        let abandoned = || (calls.abandoned.load(Ordering::Relaxed) == 1).then_some(());
        until("the end of the slower call", abandoned).await;

        let event = events(&data_plane, 1).await.remove(0);
        let names = ["first", "second"];
        assert_eq!((&*event.outcome, event.attempts.len()), ("ok", 2));
        assert_eq!(event.connection_id, names[winner]);
        for (number, attempt) in event.attempts.iter().enumerate() {
            let outcome = if number == winner { "ok" } else { "cancelled" };
            assert_eq!(attempt.connection_id, names[number]);
            assert_eq!((&*attempt.outcome, attempt.hedge), (outcome, number == 1));
            assert!(attempt.duration_ms > 0, "{attempt:?}");
        }
        assert_eq!(event.input_uncached, 8, "what the faster one reported");
        // the one that lost counts as busy no more, and rests for nothing
        for name in names {
            let account = data_plane.gateway.routing.health().account("openai", name);
            until("an idle account", || {
                (account.facts().in_flight == 0).then_some(())
            })
            .await;
            assert!(account.cooling("demo").is_none());
        }
    }
}
