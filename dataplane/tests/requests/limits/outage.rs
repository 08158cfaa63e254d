//! What clients of one key get while Redis is away: of every limit a quarter more than it allows, all data planes
//! together, and of a budget a fiftieth of what was left.

use super::{CENT, budget};
use crate::harness::{DataPlane, Setup, header, json};
use proto::v1;
use serde_json::json;
use state::{Condition, RedisStore, StateStore};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::service::RedisServer;
use testkit::{Simulator, wait_until};

const SOON: Duration = Duration::from_secs(10);
/// So that a busy machine is not taken for a Redis that is away: one that is gone refuses at once.
const PATIENCE: Duration = Duration::from_secs(2);
const RPM: u32 = 60;

struct World {
    redis: RedisServer,
    data_planes: Vec<DataPlane>,
    _provider: Simulator,
}

// === impl World ===

impl World {
    async fn start(limit: impl Fn(&mut v1::ApiKey)) -> Self {
        let (redis, provider) = (RedisServer::start().await, Simulator::openai().await);
        let mut data_planes = Vec::new();
        for id in ["a", "b"] {
            let store = RedisStore::connect(&redis.url(), "test").await.unwrap();
            let setup = Setup::new()
                .store(Arc::new(store.with_deadline(PATIENCE)))
                .key("sk-limited", &limit)
                .account("o", "openai", &provider);
            let data_plane = setup.start().await;
            data_plane.share(id);
            // as a control plane would tell it
            data_plane.gateway.routing.health().set_data_planes(2);
            data_planes.push(data_plane);
        }
        Self {
            redis,
            data_planes,
            _provider: provider,
        }
    }

    async fn is(&self, condition: Condition) {
        for data_plane in &self.data_planes {
            let store = &data_plane.gateway.availability.store;
            let is = || std::future::ready((store.condition() == condition).then_some(()));
            wait_until(&format!("the store to be {condition:?}"), SOON, is).await;
        }
    }

    /// Asks in turn until both refuse. Returns how many were let in, and what the last one read.
    async fn ask_until_refused(&self) -> (u32, u16, String) {
        let mut admitted = 0;
        let mut refused = [false; 2];
        let mut last = (0, String::new());
        for number in (0..2).cycle() {
            if refused == [true; 2] {
                break;
            }
            let response = ask(&self.data_planes[number]).await;
            let status = response.status().as_u16();
            refused[number] = status != 200;
            if status == 200 {
                admitted += 1;
                response.text().await.unwrap();
                continue;
            }
            assert!(header(&response, "retry-after").is_some());
            last = (status, json(response).await["error"]["message"].to_string());
        }
        (admitted, last.0, last.1)
    }
}

async fn ask(data_plane: &DataPlane) -> reqwest::Response {
    let body = json!({
        "model": "openai/gpt-4o", "max_tokens": 100,
        "messages": [{"role": "user", "content": "How far is the moon?"}],
    });
    let request = data_plane.post("/v1/chat/completions").bearer_auth("sk-limited");
    request.body(body.to_string()).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_minute_allows_a_quarter_more_and_no_more() {
    let mut world = World::start(|key| key.rpm = RPM).await;
    assert_eq!(world.ask_until_refused().await.1, 429);
    world.redis.kill();
    world.is(Condition::Away).await;
    let since = Instant::now();
    let (admitted, status, message) = world.ask_until_refused().await;
    let flows_in = (since.elapsed().as_secs_f64() / 60.0 * f64::from(RPM) * 1.25).ceil();
    let most = f64::from(RPM) * 1.25 + flows_in + 2.0;
    assert!(
        admitted >= RPM && f64::from(admitted) <= most,
        "{admitted} of {most}"
    );
    assert_eq!(status, 429);
    assert!(message.contains("requests per minute"), "{message}");
    // and of the store's own bucket again as soon as it is back
    world.redis.restart().await;
    world.is(Condition::Well).await;
    let response = ask(&world.data_planes[0]).await;
    assert_eq!(
        (
            response.status().as_u16(),
            header(&response, "x-omniroute-degraded")
        ),
        (200, None)
    );
    assert_eq!(
        header(&response, "x-ratelimit-remaining-requests"),
        Some(&*(RPM - 1).to_string())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_fiftieth_of_what_was_left_of_a_budget_may_be_spent() {
    let mut world = World::start(|key| key.budget = budget(20 * CENT)).await;
    for data_plane in &world.data_planes {
        assert_eq!(ask(data_plane).await.status(), 200);
    }
    let spent = || {
        let events = world.data_planes.iter().flat_map(DataPlane::events);
        events
            .map(|event| event.cost_nano.unwrap())
            .sum::<i64>()
            .unsigned_abs()
    };
    let before = spent();
    world.redis.kill();
    world.is(Condition::Away).await;
    let (admitted, status, message) = world.ask_until_refused().await;
    assert!(admitted > 0);
    assert_eq!(status, 503);
    assert!(message.contains("Budgets cannot be checked"), "{message}");
    let (without, left) = (spent() - before, 20 * CENT - before);
    assert!(without <= left / 50, "{without} of {left}");
    world.redis.restart().await;
    world.is(Condition::Well).await;
    assert_eq!(ask(&world.data_planes[0]).await.status(), 200);
}
