//! Two data planes, one Redis, one key, two hundred clients that read, leave, and meet failures.

use super::{CENT, budget, daily, key_id};
use crate::harness::{DataPlane, Setup, json, until};
use futures::StreamExt;
use futures::future::join_all;
use parking_lot::Mutex;
use proto::v1::UsageEvent;
use runtime::period::{Calendar, zone};
use serde_json::json;
use state::{Admission, Rate, RedisStore, Settlement, Spending, StateStore, Verdict};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::service::Redis;
use testkit::{Behaviour, Simulator};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const CLIENTS: usize = 200;
const RPM: u32 = 600;
const TPM: u64 = 60_000;
const CONCURRENCY: usize = 8;
const BUDGET: u64 = 100 * CENT;
const STORM: Duration = Duration::from_secs(2);
/// So that a busy machine is not taken for a Redis that is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a client asks: so many bytes of a prompt, so many tokens of an answer.
struct Shape {
    model: &'static str,
    prompt: usize,
    max_tokens: u64,
    /// Of the minute and the day, so much is gone already.
    gone: Gone,
    /// What clients read once the rest is gone too.
    denied: &'static str,
}

struct Gone {
    requests: u64,
    tokens: u64,
    nano: u64,
}

/// Every reason that a client was given.
type Denials = Arc<Mutex<HashSet<String>>>;

async fn store(redis: &Redis) -> Arc<dyn StateStore> {
    let store = RedisStore::connect(&redis.url, &redis.prefix).await.unwrap();
    Arc::new(store.with_deadline(PATIENCE))
}

/// Both with the same configuration, as a control plane would see to.
async fn data_planes(redis: &Redis, simulators: [&Simulator; 2]) -> Vec<Arc<DataPlane>> {
    let planes = (0..2).map(|number| {
        async move {
            let setup = Setup::new()
                .store(store(redis).await)
                .key("sk-limited", |key| {
                    key.rpm = RPM;
                    key.tpm = TPM;
                    key.concurrency = u32::try_from(CONCURRENCY).unwrap();
                    key.budget = budget(BUDGET);
                })
                // one failure is no reason for the other account to rest
                .account("first", "openai", simulators[0])
                .account("second", "openai", simulators[1]);
            let data_plane = setup.start().await;
            data_plane.share(&format!("d{number}"));
            Arc::new(data_plane)
        }
    });
    join_all(planes).await
}

/// Asks until `stop`; every third time it leaves in the middle of a stream.
async fn client(
    data_plane: Arc<DataPlane>,
    number: usize,
    shape: &'static Shape,
    stop: Arc<AtomicBool>,
    denials: Denials,
) {
    let mut turn = number;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let body = json!({
            "model": shape.model,
            "max_tokens": shape.max_tokens,
            "stream": !turn.is_multiple_of(3),
            "messages": [{"role": "user", "content": "word ".repeat(shape.prompt / 5)}],
        });
        let request = data_plane.post("/v1/chat/completions").bearer_auth("sk-limited");
        let response = request.body(body.to_string()).send().await.unwrap();
        if response.status() != 200 {
            assert!(
                matches!(response.status().as_u16(), 400 | 429 | 503),
                "{}",
                response.status()
            );
            let body = json(response).await;
            denials.lock().insert(body["error"]["message"].to_string());
            // as a client would; it does not wait as long as it is told to
            tokio::time::sleep(Duration::from_millis(20)).await;
        } else if turn.is_multiple_of(3) {
            response.text().await.unwrap();
        } else {
            let mut stream = response.bytes_stream();
            let _ = stream.next().await;
            if turn % 3 == 1 {
                while let Some(Ok(_)) = stream.next().await {}
            }
        }
    }
}

fn tokens(event: &UsageEvent) -> u64 {
    event.input_uncached
        + event.input_cache_read
        + event.input_cache_write
        + event.output_visible
        + event.output_reasoning
}

/// The most requests that were at providers at the same time. A call is over no sooner than its request, and to the
/// millisecond.
fn most_at_a_time(events: &[UsageEvent]) -> usize {
    let mut changes: Vec<(i64, i32)> = events
        .iter()
        .filter(|event| event.reached_provider)
        .flat_map(|event| {
            let began = event.started_at_ms + i64::from(event.attempts[0].started_after_ms) + 1;
            let ended = event.started_at_ms + i64::from(event.duration_ms) - 1;
            [(began, 1), (ended.max(began), -1)]
        })
        .collect();
    changes.sort_unstable();
    let (mut running, mut most) = (0, 0);
    for (_, change) in changes {
        running += change;
        most = most.max(running);
    }
    usize::try_from(most).unwrap()
}

/// What happened, for whoever wants to read it.
async fn weather(shape: &'static Shape) -> String {
    let redis = testkit::service::redis();
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    for number in 0..400 {
        first.script(match number % 20 {
            7 => Behaviour::status(400),
            11 => Behaviour::status(500),
            13 => Behaviour {
                first_byte: Duration::from_millis(50),
                ..Behaviour::default()
            },
            _ => Behaviour::default(),
        });
    }
    let planes = data_planes(&redis, [&first, &second]).await;
    use_up(&planes[0], &shape.gone).await;
    let denials = Denials::default();
    let (stop, began) = (Arc::new(AtomicBool::new(false)), Instant::now());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (plane, stop, denials) = (planes[number % 2].clone(), stop.clone(), denials.clone());
            tokio::spawn(client(plane, number, shape, stop, denials))
        })
        .collect();
    tokio::time::sleep(STORM).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    testkit::wait_until("everything to be settled", PATIENCE, || async {
        (daily(&planes[0]).await.reserved_nano == 0).then_some(())
    })
    .await;
    until("the last records", || {
        planes
            .iter()
            .all(|plane| plane.gateway.metrics.inflight() == 0)
            .then_some(())
    })
    .await;

    let events: Vec<UsageEvent> = planes.iter().flat_map(|plane| plane.events()).collect();
    let admitted = events.iter().filter(|event| event.reached_provider).count();
    let used: u64 = events.iter().map(tokens).sum();
    let ledger: i64 = events.iter().map(|event| event.cost_nano.unwrap()).sum();
    let spent = daily(&planes[0]).await.spent_nano;
    let at_a_time = most_at_a_time(&events);
    let weather = format!(
        "{}: {} requests, {admitted} admitted, {at_a_time} at a time, {used} tokens, {spent} nano-USD in {took:.2} s",
        shape.model,
        events.len()
    );
    assert!(planes.iter().all(|plane| plane.gateway.degraded().is_none()));
    assert_eq!(
        spent - shape.gone.nano,
        ledger.cast_unsigned(),
        "the counters are the ledger"
    );
    let flow = took / 60.0;
    let most_requests = f64::from(RPM) * (1.0 + flow) - shape.gone.requests as f64;
    assert!(admitted as f64 <= most_requests, "{admitted} of {most_requests}");
    // what runs when the bucket is empty may turn out to be longer than was asked for
    let most_tokens = TPM as f64 * (1.0 + flow) - shape.gone.tokens as f64;
    assert!(used as f64 <= most_tokens, "{used} of {most_tokens}");
    assert!(at_a_time <= CONCURRENCY, "{at_a_time}");
    assert!(spent <= BUDGET, "{spent}");
    let met = |denial: &String| denial.contains(shape.denied);
    assert!(denials.lock().iter().any(met), "{:?}", denials.lock());
    weather
}

/// As if other clients of the key had been there before.
async fn use_up(plane: &DataPlane, gone: &Gone) {
    let (key, store): (Arc<str>, _) = (key_id(plane).into(), &plane.gateway.store);
    let rate = |name: &str, limit, units| Rate {
        name: name.into(),
        limit,
        window: Duration::from_secs(60),
        units,
    };
    let before = Admission {
        key: key.clone(),
        request: "before".into(),
        lease: PATIENCE,
        concurrency: None,
        rates: vec![
            rate("rpm", RPM.into(), gone.requests),
            rate("tpm", TPM, gone.tokens),
        ],
        budgets: Vec::new(),
        cost_nano: 0,
    };
    assert_eq!(store.admit(&before).await.unwrap().verdict, Verdict::Admitted);
    let ended = Settlement {
        key: key.clone(),
        request: "before".into(),
        cost_nano: 0,
        refunds: Vec::new(),
    };
    store.settle(&[ended]).await.unwrap();
    let period = Calendar::Daily.period(chrono::Utc::now(), zone("").unwrap());
    let known = Spending {
        key,
        period: period.name.into(),
        ends_at_ms: period.ends_at.timestamp_millis(),
        spent_nano: gone.nano,
    };
    store.raise_spending(&[known]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_requests_as_a_minute_allows_and_no_more() {
    static SMALL: Shape = Shape {
        model: "openai/gpt-4o",
        prompt: 20,
        max_tokens: 60,
        gone: Gone {
            requests: 595,
            tokens: 0,
            nano: 0,
        },
        denied: "limit exceeded",
    };
    println!("{}", weather(&SMALL).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_tokens_as_a_minute_allows_and_no_more() {
    static LONG: Shape = Shape {
        model: "openai/gpt-4o",
        prompt: 8_000,
        max_tokens: 60,
        gone: Gone {
            requests: 0,
            tokens: 54_000,
            nano: 0,
        },
        denied: "Rate limit exceeded: 60000 tokens per minute",
    };
    println!("{}", weather(&LONG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_much_money_as_a_day_allows_and_no_more() {
    static DEAR: Shape = Shape {
        model: "openai/o1",
        prompt: 2_000,
        max_tokens: 60,
        gone: Gone {
            requests: 0,
            tokens: 0,
            nano: 94 * CENT,
        },
        denied: "Daily budget exceeded: $0.9",
    };
    println!("{}", weather(&DEAR).await);
}

#[tokio::test]
async fn a_limited_key_costs_one_question_before_its_call_and_an_unlimited_one_none() {
    let redis = testkit::service::redis();
    let simulator = Simulator::openai().await;
    let planes = data_planes(&redis, [&simulator, &simulator]).await;
    let plane = &planes[0];
    let body = json!({"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let ask = async |key: &str| {
        let request = plane
            .post("/v1/chat/completions")
            .bearer_auth(key)
            .body(body.clone());
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    // scripts are loaded, and what was settled is settled
    ask("sk-limited").await;
    testkit::wait_until("the first one to be settled", PATIENCE, || async {
        (daily(plane).await.reserved_nano == 0).then_some(())
    })
    .await;

    let mut lines = monitor(&redis).await;
    ask(crate::harness::KEY).await;
    ask("sk-limited").await;
    let mut marker = RedisStore::connect(&redis.url, &redis.prefix).await.unwrap();
    marker = marker.with_deadline(PATIENCE);
    testkit::wait_until("it to be settled", PATIENCE, || async {
        (daily(plane).await.reserved_nano == 0).then_some(())
    })
    .await;
    marker.session_revoked("the end").await.unwrap();
    let tag = format!("{}:{{k:", redis.prefix);
    let mut questions = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.contains("the end") {
            break;
        }
        // what a script does inside the server is no round trip
        if line.contains(&tag) && !line.contains("lua]") {
            questions.push(line);
        }
    }
    let scripts: Vec<&str> = questions
        .iter()
        .map(|line| line.split('"').nth(3).unwrap())
        .collect();
    // the admission, then what this test asks itself, and the settlement in between
    let count = |wanted: &str| scripts.iter().filter(|script| **script == wanted).count();
    assert_eq!(count(scripts[0]), 1, "{questions:#?}");
    let mut kinds = scripts.clone();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 3, "{questions:#?}");
}

async fn monitor(redis: &Redis) -> tokio::io::Lines<BufReader<TcpStream>> {
    let address = redis
        .url
        .trim_start_matches("redis://")
        .trim_end_matches('/')
        .to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"MONITOR\r\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("+OK"));
    lines
}
