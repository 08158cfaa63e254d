//! Money in a storm: whatever is killed, the ledger says what the providers bill.
//!
//! Two data planes are asked for a combo of two providers, which fail, break off and dawdle; every tenth client leaves
//! in the middle. Meanwhile data planes are killed five times, the control plane twice, Redis and Postgres once. The
//! providers remember each call and what it costs.
//!
//! `OMNIROUTE_STORM_REQUESTS` says how many requests (2,000 otherwise).

use crate::client::Client;
use crate::harness::{Cluster, Services};
use crate::text;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::collections::HashMap;
use std::env;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use testkit::service::{PostgresServer, RedisServer};
use testkit::{Behaviour, Received, Simulator, wait_until};
use tokio::task::JoinSet;
use uuid::Uuid;

const WORKERS: usize = 20;
/// Of so many clients one leaves in the middle.
const LEAVES: usize = 10;
const PROVIDERS: [&str; 2] = ["one", "two"];
const MODEL: &str = "sim-gap-1";
/// Nano-USD for a token: 3 and 15 USD for a million.
const PRICE: (i64, i64) = (3_000, 15_000);

/// What each provider saw of one request of a client, in the order it came.
type Calls = HashMap<String, HashMap<String, Vec<Received>>>;

/// A request in the ledger.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    name: String,
    phase: String,
    outcome: String,
    evidence: String,
    /// The connection whose answer it is.
    connection: Option<String>,
    input: i64,
    output: i64,
    /// Nano-USD.
    cost: Option<i64>,
    attempts: serde_json::Value,
}

/// Of many requests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    input: i64,
    output: i64,
    /// Nano-USD.
    cost: i64,
}

/// Of this test alone, for it kills them.
struct Servers {
    postgres: PostgresServer,
    redis: RedisServer,
}

/// What happens when so many per cent of the requests have been sent.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    DataPlaneKilled(usize),
    ControlPlaneKilled,
    ControlPlaneBack,
    RedisRestarted,
    PostgresKilled,
    PostgresBack,
}

const MISHAPS: [(usize, Mishap); 11] = [
    (10, Mishap::DataPlaneKilled(0)),
    (18, Mishap::ControlPlaneKilled),
    (24, Mishap::ControlPlaneBack),
    (32, Mishap::DataPlaneKilled(1)),
    (40, Mishap::RedisRestarted),
    (48, Mishap::PostgresKilled),
    (54, Mishap::PostgresBack),
    (62, Mishap::DataPlaneKilled(0)),
    (70, Mishap::ControlPlaneKilled),
    (76, Mishap::ControlPlaneBack),
    (84, Mishap::DataPlaneKilled(1)),
];
const RESTART: Duration = Duration::from_secs(60);
/// Starts anew from what Redis has.
const KILLED_WHILE_POSTGRES_IS_AWAY: usize = 0;
/// Each may have begun a record for every client at once, and never have called.
const KILLS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_says_what_providers_bill_whatever_is_killed() {
    let count = requests();
    let mut servers = Servers {
        postgres: PostgresServer::start().await,
        redis: RedisServer::start().await,
    };
    let mut cluster = Cluster::start_on(servers.addresses(), 1, 2).await;
    let providers = [Simulator::openai().await, Simulator::openai().await];
    let (key, connections) = prepare(&mut cluster, &providers).await;
    for (number, provider) in providers.iter().enumerate() {
        let faults = faults();
        let faults = faults.iter().cycle().skip(number * 7).take(2 * count);
        faults.for_each(|fault| provider.script(fault.clone()));
    }

    let sent = Arc::new(AtomicUsize::new(0));
    let traffic = tokio::spawn(send_traffic(cluster.clients(&key), count, sent.clone()));
    for (percent, mishap) in MISHAPS {
        let due = async || (sent.load(Ordering::Relaxed) >= count * percent / 100).then_some(());
        wait_until(&format!("{percent} % of the requests"), patience(count), due).await;
        happen(mishap, &mut cluster, &mut servers).await;
    }
    traffic.await.unwrap();

    let calls = calls(&connections, &providers);
    let rows = wait_until("the ledger to be complete", patience(count), async || {
        let rows = rows(&cluster.database).await;
        let known: HashMap<_, _> = rows.iter().map(|row| (row.name.as_str(), ())).collect();
        calls
            .keys()
            .all(|name| known.contains_key(name.as_str()))
            .then_some(rows)
    })
    .await;
    audit(&calls, &rows, count);
    let costs: i64 = rows.iter().filter_map(|row| row.cost).sum();
    assert_eq!(spent(&cluster.database).await, costs, "what the key has spent");
    for table in ["usage_gap", "usage_quarantine"] {
        assert_eq!(count_of(&cluster.database, table).await, 0, "{table}");
    }
}

fn requests() -> usize {
    let asked = env::var("OMNIROUTE_STORM_REQUESTS").ok();
    asked.map_or(2_000, |count| count.parse().unwrap())
}

/// A hundred requests a second are few, even on a busy machine.
fn patience(count: usize) -> Duration {
    Duration::from_secs(120 + count as u64 / 100)
}

/// One after the other, over and over.
fn faults() -> Vec<Behaviour> {
    let well = Behaviour::default;
    let mut faults = vec![well(); 20];
    faults[3] = Behaviour::status(500);
    faults[6] = Behaviour {
        cut_after: Some(0),
        ..well()
    };
    faults[9] = Behaviour {
        cut_after: Some(4),
        ..well()
    };
    faults[12] = Behaviour {
        error_after: Some(3),
        ..well()
    };
    faults[15] = Behaviour {
        first_byte: Duration::from_millis(150),
        ..well()
    };
    faults[18] = Behaviour {
        unmetered: true,
        ..well()
    };
    faults
}

/// Returns the key that clients call with, and the connection to each provider.
async fn prepare(cluster: &mut Cluster, providers: &[Simulator; 2]) -> (String, Vec<String>) {
    let operator = cluster.operator().await;
    let mut connections = Vec::new();
    for (name, provider) in PROVIDERS.iter().zip(providers) {
        connections.push(operator.add_provider(name, &provider.url()).await);
        let price = json!({ MODEL: { "input": 3, "output": 15 } });
        operator.patch("/api/pricing", json!({ *name: price })).await;
    }
    // a provider that failed is asked again at once, or there would soon be nobody to ask
    let profile = json!({ "transientCooldown": 0, "maxBackoffLevel": 0, "circuitBreakerThreshold": 1_000,
        "circuitBreakerReset": 1_000 });
    operator
        .put("/api/resilience", json!({ "profiles": { "apikey": profile } }))
        .await;
    let hedging = json!({ "hedging": { "enabled": true, "maxSharePercent": 5, "minDelayMs": 50 } });
    operator.patch("/api/settings", hedging).await;
    let combo = json!({ "name": "storm", "models": PROVIDERS.map(|name| format!("{name}/{MODEL}")), "strategy": "round-robin" });
    operator.post("/api/combos", combo).await;
    let key = operator
        .post("/api/keys?wait=applied", json!({ "name": "storm" }))
        .await;
    (text(&key["key"]), connections)
}

async fn happen(mishap: Mishap, cluster: &mut Cluster, servers: &mut Servers) {
    match mishap {
        Mishap::DataPlaneKilled(index) => {
            cluster.data[index].process.kill();
            cluster.restart_data_plane(index).await;
        }
        Mishap::ControlPlaneKilled => cluster.control[0].process.kill(),
        Mishap::ControlPlaneBack => cluster.restart_control_plane(0).await,
        Mishap::RedisRestarted => {
            servers.redis.kill();
            servers.redis.restart().await;
        }
        Mishap::PostgresKilled => {
            servers.postgres.kill();
            cluster.data[KILLED_WHILE_POSTGRES_IS_AWAY].process.kill();
            cluster.restart_data_plane(KILLED_WHILE_POSTGRES_IS_AWAY).await;
        }
        Mishap::PostgresBack => servers.postgres.restart().await,
    }
}

// === impl Sum ===

impl Sum {
    fn add(&mut self, input: i64, output: i64, cost: i64) {
        self.input += input;
        self.output += output;
        self.cost += cost;
    }
}

impl Display for Sum {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { input, output, cost } = self;
        write!(formatter, "{input} tokens in, {output} out, {cost} nano-USD")
    }
}

// === impl Servers ===

impl Servers {
    fn addresses(&self) -> Services {
        Services {
            postgres: self.postgres.url(),
            redis: self.redis.url(),
        }
    }
}

// === traffic ===

/// A request that fails is not repeated, for it may have been heard: its data plane may just have been killed.
async fn send_traffic(clients: Vec<Client>, count: usize, sent: Arc<AtomicUsize>) {
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (clients, sent) = (clients.clone(), sent.clone());
        workers.spawn(async move {
            for n in (worker..count).step_by(WORKERS) {
                send(&clients[(n / WORKERS + worker) % clients.len()], n).await;
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
}

async fn send(client: &Client, n: usize) {
    let name = Uuid::now_v7().to_string();
    let leaves = n.is_multiple_of(LEAVES);
    let stream = leaves || n.is_multiple_of(2);
    // of different lengths, so that one bill is not like the other
    let prompt = format!("request {name}{}", " and more".repeat(n % 17));
    // nobody has heard what could not be sent
    let answer = wait_until("a data plane that listens", RESTART, async || {
        let answer = client.send("storm", stream, &prompt, Some(&name)).await;
        (!answer.as_ref().is_err_and(reqwest::Error::is_connect)).then_some(answer)
    });
    let Ok(mut answer) = answer.await else { return };
    // after another chunk each time, the first included
    let mut left = if leaves { (n / LEAVES) % 12 } else { usize::MAX };
    while left > 0 {
        let Ok(Some(_)) = answer.chunk().await else { return };
        left -= 1;
    }
}

// === the two books ===

fn calls(connections: &[String], providers: &[Simulator; 2]) -> Calls {
    let mut calls = Calls::new();
    for (connection, provider) in connections.iter().zip(providers) {
        for received in provider.requests() {
            let prompt = received.body["messages"][0]["content"]
                .as_str()
                .unwrap_or_default();
            let name = prompt.split(' ').nth(1).unwrap_or_default().to_owned();
            let of_request = calls.entry(name).or_default();
            of_request.entry(connection.clone()).or_default().push(received);
        }
    }
    calls
}

async fn rows(database: &str) -> Vec<Row> {
    let mut connection = PgConnection::connect(database).await.unwrap();
    sqlx::query_as(
        "select client_request_id as name, phase, outcome, evidence, attempts, connection_id::text as connection,
                cost_nano as cost,
                input_uncached + input_cache_read + input_cache_write as input,
                output_visible + output_reasoning as output
         from usage_event where reached_provider",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap()
}

async fn count_of(database: &str, table: &str) -> i64 {
    let mut connection = PgConnection::connect(database).await.unwrap();
    let counting = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")));
    counting.fetch_one(&mut connection).await.unwrap()
}

/// By the only key there is, in nano-USD.
async fn spent(database: &str) -> i64 {
    let mut connection = PgConnection::connect(database).await.unwrap();
    let sum = sqlx::query_scalar("select sum(cost_nano)::bigint from spending");
    sum.fetch_one(&mut connection).await.unwrap()
}

#[expect(
    clippy::print_stdout,
    reason = "the figures of a long run, for whoever started it"
)]
fn audit(calls: &Calls, rows: &[Row], count: usize) {
    let mut seen = HashMap::<&str, usize>::new();
    let (mut ledger, mut bill) = (Sum::default(), Sum::default());
    let (mut reported, mut estimated, mut lost, mut invented) = (0, 0, 0, 0);
    for row in rows {
        let times = seen.entry(&row.name).or_default();
        *times += 1;
        assert_eq!(*times, 1, "accounted more than once: {row:?}");
        let Some(calls) = calls.get(&row.name) else {
            invented += 1;
            continue;
        };
        ended(row, calls);
        if row.phase == "lost" {
            lost += 1;
        }
        if row.evidence != "provider_reported" {
            assert!(
                ["counted", "estimated", "none"].contains(&row.evidence.as_str()),
                "{row:?}"
            );
            estimated += 1;
            continue;
        }
        reported += 1;
        let billed = answering(row, calls).and_then(|call| call.billed);
        let billed = billed.unwrap_or_else(|| panic!("nobody bills {row:?}: {calls:?}"));
        ledger.add(row.input, row.output, row.cost.unwrap());
        let (input, output) = (billed.input as i64, billed.output as i64);
        bill.add(input, output, input * PRICE.0 + output * PRICE.1);
        assert_eq!((row.input, row.output), (input, output), "{row:?}: {calls:?}");
    }
    println!(
        "{count} requests, {} reached a provider in {} calls; ledger: {} rows, {reported} reported by a provider \
         ({ledger}; billed for them {bill}), {estimated} counted or estimated, {lost} lost with a data plane, \
         {invented} begun and never called",
        calls.len(),
        calls.values().map(count_calls).sum::<usize>(),
        rows.len(),
    );
    assert_eq!(ledger, bill);
    // those under way in a data plane that was killed, or ended there and not written yet
    assert!(
        lost <= 2 * WORKERS * KILLS,
        "{lost} of {count} requests were lost"
    );
    assert!(
        reported > count / 2,
        "{reported} of {count} answers came with usage"
    );
    assert!(
        estimated >= count / (4 * LEAVES),
        "{estimated} of {count} clients left"
    );
    // a data plane killed between its begin record and the call cannot know that the call never left
    assert!(
        invented <= WORKERS * KILLS,
        "{invented} requests never reached a provider"
    );
}

fn count_calls(calls: &HashMap<String, Vec<Received>>) -> usize {
    calls.values().map(Vec::len).sum()
}

/// The call whose answer the ledger has: the one at the same place among those of its provider.
fn answering<'a>(row: &Row, calls: &'a HashMap<String, Vec<Received>>) -> Option<&'a Received> {
    let connection = row.connection.as_deref()?;
    let received = calls.get(connection)?;
    let attempts = row.attempts.as_array().unwrap();
    let mut there: Vec<_> = attempts
        .iter()
        .filter(|attempt| attempt["connectionId"] == connection)
        .collect();
    there.sort_by_key(|attempt| attempt["startedAfterMs"].as_u64());
    // a call that was given up before it was sent came to nobody
    while there.len() > received.len() {
        let unsent = there.iter().position(|attempt| attempt["httpStatus"] == 0)?;
        there.remove(unsent);
    }
    let answered = there.iter().position(|attempt| attempt["outcome"] == "ok");
    received.get(answered.unwrap_or(there.len() - 1))
}

/// Every attempt ended in one way, and of a request that is known whole none is missing.
fn ended(row: &Row, calls: &HashMap<String, Vec<Received>>) {
    let attempts = row.attempts.as_array().unwrap();
    for attempt in attempts {
        assert!(
            attempt["outcome"]
                .as_str()
                .is_some_and(|outcome| !outcome.is_empty()),
            "{row:?}"
        );
    }
    if row.phase == "lost" {
        assert_ne!(row.evidence, "provider_reported", "{row:?}");
        return;
    }
    assert!(
        attempts.len() >= count_calls(calls),
        "{} calls were received: {row:?}",
        count_calls(calls)
    );
    let answered = attempts
        .iter()
        .filter(|attempt| attempt["outcome"] == "ok")
        .count();
    assert!(answered <= 1, "{row:?}");
    assert!(row.outcome != "ok" || answered == 1, "{row:?}");
}
