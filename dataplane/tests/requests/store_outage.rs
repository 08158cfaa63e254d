//! Redis hangs, slows down, dies and forgets under the load of two data planes, whose clients ask it everything that a
//! request can ask: whether their keys' limits let them in, whether they were here before, whether the cache has their
//! answer, what was kept of an earlier one. No request fails, those that find the store gone wait for it once, and
//! every answer says what it went without.

use crate::harness::{DataPlane, KEY, Setup, header};
use parking_lot::Mutex;
use proto::v1::Budget;
use serde_json::{Value, json};
use state::{Condition, RedisStore, StateStore};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::service::RedisServer;
use testkit::{Fault, FaultProxy, Simulator, wait_until};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Of each data plane.
const CLIENTS: usize = 2;
/// What a request may wait for the store in earnest. A machine that is so busy that this says nothing gets as much
/// longer.
const DEADLINE: Duration = Duration::from_millis(50);
const MAX_DEADLINE: Duration = Duration::from_secs(1);
/// What comes of it is done in no time.
const ANSWERED: Duration = Duration::from_millis(10);
const LIMITED: &str = "sk-limited";
const SOON: Duration = Duration::from_secs(5);
/// What is promised.
const RECOVERED: Duration = Duration::from_secs(10);

struct World {
    redis: RedisServer,
    way: FaultProxy,
    data_planes: Vec<Arc<DataPlane>>,
    answers: Arc<Mutex<Vec<Answer>>>,
    stop: CancellationToken,
    clients: JoinSet<()>,
    deadline: Duration,
    _providers: [Simulator; 2],
}

#[derive(Clone, Copy)]
struct Answer {
    asked: Instant,
    took: Duration,
    degraded: bool,
}

/// Counted against every limit, named by its client, and one that the cache may answer.
fn counted(number: usize) -> Value {
    json!({
        "model": "openai/gpt-4o", "temperature": 0, "max_tokens": 100,
        "messages": [{"role": "user", "content": format!("What is {number}?")}],
    })
}

/// The second turn of a client that dropped the reasoning of the first: it has to be asked for in the store.
fn recalling() -> Value {
    let call = json!({"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    json!({
        "model": "anthropic/claude-sonnet-4-5", "stream": false, "max_tokens": 8000, "reasoning_effort": "low",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "user", "content": "Use the tool."},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "42"},
        ],
    })
}

async fn ask_until(
    stop: CancellationToken,
    data_plane: Arc<DataPlane>,
    answers: Arc<Mutex<Vec<Answer>>>,
    client: usize,
) {
    let recalling = recalling();
    for number in 0.. {
        if stop.is_cancelled() {
            return;
        }
        let request = data_plane.post("/v1/chat/completions");
        let request = match client {
            0 => request.bearer_auth(KEY).body(recalling.to_string()),
            _ => request
                .bearer_auth(LIMITED)
                .header("idempotency-key", format!("{client}-{number}"))
                .body(counted(number).to_string()),
        };
        let asked = Instant::now();
        let response = request.send().await.unwrap();
        let degraded = header(&response, "x-omniroute-degraded").is_some();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{text}");
        let took = asked.elapsed();
        answers.lock().push(Answer {
            asked,
            took,
            degraded,
        });
    }
}

// === impl World ===

impl World {
    async fn start() -> Self {
        let busy = Self::start_with(MAX_DEADLINE).await;
        let took: Vec<_> = busy.answers.lock().iter().map(|answer| answer.took).collect();
        busy.ends().await;
        Self::start_with((4 * percentile(&took, 99)).clamp(DEADLINE, MAX_DEADLINE)).await
    }

    async fn start_with(deadline: Duration) -> Self {
        let redis = RedisServer::start().await;
        let providers = [Simulator::anthropic().await, Simulator::openai().await];
        let way = FaultProxy::to(redis.address()).await;
        let url = format!("redis://{}", way.address());
        let (answers, stop, mut clients) = (Arc::default(), CancellationToken::new(), JoinSet::new());
        let mut data_planes = Vec::new();
        for id in ["a", "b"] {
            let store = RedisStore::connect(&url, "test").await.unwrap();
            let store = store.with_deadline(deadline);
            let setup = Setup::new()
                .store(Arc::new(store))
                // so much that what one data plane may do alone is enough
                .key(LIMITED, |key| {
                    (key.rpm, key.tpm, key.concurrency) = (1_000_000, 1_000_000_000, 1_000);
                    key.budget = Some(Budget {
                        daily_limit_nano: 1_000_000_000_000_000,
                        ..Budget::default()
                    });
                })
                .account("a", "anthropic", &providers[0])
                .account("o", "openai", &providers[1]);
            let data_plane = Arc::new(setup.start().await);
            data_plane.share(id);
            for client in 0..CLIENTS {
                let asking = ask_until(stop.clone(), data_plane.clone(), Arc::clone(&answers), client);
                clients.spawn(asking);
            }
            data_planes.push(data_plane);
        }
        let world = Self {
            redis,
            way,
            data_planes,
            answers,
            stop,
            clients,
            deadline,
            _providers: providers,
        };
        world.answers_more(100).await;
        world.is_told_to_be(Condition::Well, RECOVERED).await;
        world
    }

    async fn answers_more(&self, count: usize) {
        let before = self.answers.lock().len();
        let more = || std::future::ready((self.answers.lock().len() >= before + count).then_some(()));
        wait_until("the load to go on", SOON * 2, more).await;
    }

    /// On every data plane, and in its metrics.
    async fn is_told_to_be(&self, condition: Condition, within: Duration) {
        for data_plane in &self.data_planes {
            let is = || {
                let now = data_plane.gateway.availability.store.condition();
                std::future::ready((now == condition).then_some(()))
            };
            wait_until(&format!("the store to be {condition:?}"), within, is).await;
        }
    }

    fn since(&self, from: Instant) -> Vec<Answer> {
        let answers = self.answers.lock();
        answers
            .iter()
            .filter(|answer| answer.asked >= from)
            .copied()
            .collect()
    }

    /// The store is gone already. Goes on until `enough` requests went without it.
    async fn goes_on_without_it(&self, gone: Instant, enough: usize) {
        let before: Vec<_> = self.answers.lock().iter().map(|answer| answer.took).collect();
        self.is_told_to_be(Condition::Away, SOON).await;
        let away = Instant::now();
        self.answers_more(enough).await;

        let without = self.since(away);
        assert!(
            without.iter().all(|answer| answer.degraded),
            "every answer says so"
        );
        let first: Vec<_> = self
            .since(gone)
            .into_iter()
            .filter(|answer| answer.asked < away)
            .collect();
        let usual = |percent| percentile(&before, percent);
        let of = |answers: &[Answer]| [50, 99].map(|percent| percentile(&took(answers), percent));
        let (once, then) = (of(&first), of(&without));
        report(&format!(
            "at most {:?}: usually p50 {:?}, p99 {:?}; the {} that found it gone: p50 {:?}, p99 {:?}; the {} after them: p50 {:?}, p99 {:?}",
            self.deadline,
            usual(50),
            usual(99),
            first.len(),
            once[0],
            once[1],
            without.len(),
            then[0],
            then[1]
        ));
        // the median, because the machines of tests are busy
        assert!(
            once[0] < usual(99) + self.deadline + ANSWERED,
            "who finds the store gone waits once"
        );
        assert!(
            then[0] < usual(50) + self.deadline / 2,
            "the store is still waited for"
        );
    }

    async fn recovers(&self) {
        let back = Instant::now();
        let well = || {
            let since = self.since(back);
            let last = since.iter().rev().take(20).filter(|answer| !answer.degraded);
            std::future::ready((last.count() == 20).then_some(()))
        };
        wait_until("answers that went without nothing", RECOVERED, well).await;
        report(&format!("well again after {:?}", back.elapsed()));
    }

    async fn ends(mut self) {
        self.stop.cancel();
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
    }
}

#[expect(clippy::print_stderr, reason = "the test runner shows it to whoever asks")]
fn report(measured: &str) {
    eprintln!("{measured}");
}

fn took(answers: &[Answer]) -> Vec<Duration> {
    answers.iter().map(|answer| answer.took).collect()
}

/// Nothing where nobody asked.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let position = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(position).copied().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_for_five_seconds_costs_no_request() {
    let world = World::start().await;
    let gone = Instant::now();
    world.redis.pause();
    world.goes_on_without_it(gone, 200).await;
    let left = Duration::from_secs(5).saturating_sub(gone.elapsed());
    tokio::time::sleep(left).await;
    world.is_told_to_be(Condition::Away, SOON).await;
    world.redis.resume();
    world.recovers().await;
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_200_ms_slower_costs_no_request_and_is_told_of() {
    let world = World::start().await;
    let gone = Instant::now();
    // there and back: four deadlines, which are 200 ms
    world.way.set(Fault::Delay(2 * world.deadline));
    world.goes_on_without_it(gone, 200).await;
    let metrics = world.data_planes[0].get("/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("state_store_down 1"), "{metrics}");
    world.way.set(Fault::None);
    world.recovers().await;
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_dies_costs_no_request_and_the_next_one_is_used() {
    let mut world = World::start().await;
    let gone = Instant::now();
    world.redis.kill();
    world.goes_on_without_it(gone, 200).await;
    world.redis.restart().await;
    world.recovers().await;
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_everything_costs_no_request() {
    let world = World::start().await;
    for _ in 0..5 {
        world.redis.flush().unwrap();
        world.answers_more(50).await;
    }
    world.recovers().await;
    world.ends().await;
}
