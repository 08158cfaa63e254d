//! One key with every limit, two hundred clients that leave, come again and meet a data plane that is killed.

use crate::client::Client;
use crate::harness::Cluster;
use crate::text;
use chrono::{DateTime, Utc};
use runtime::period::{Calendar, zone};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use state::{BudgetStanding, StateStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use testkit::{Simulator, wait_until};
use uuid::Uuid;

const CLIENTS: usize = 200;
const RPM: u32 = 600;
const TPM: u32 = 60_000;
const CONCURRENCY: usize = 8;
const BUDGET_NANO: i64 = 1_000_000_000;
const MODEL: &str = "sim/sim-gap-5";
const A_WHILE: Duration = Duration::from_secs(60);
/// Long enough for a counter to be raised to the ledger.
const SETTLED: Duration = Duration::from_secs(90);

/// What the ledger has of the key.
#[derive(Debug, sqlx::FromRow)]
struct Ledger {
    cost_nano: i64,
    tokens: i64,
    lost: i64,
}

/// One request at a provider, by the ledger.
#[derive(Debug, sqlx::FromRow)]
struct Run {
    began: DateTime<Utc>,
    ended: DateTime<Utc>,
}

/// Sends one request after the other, each under a name of its own, and again under the same name when it does not
/// know what became of it. Every third stream it leaves in the middle.
async fn client(clients: Vec<Client>, number: usize, stop: Arc<AtomicBool>, denied: Arc<AtomicUsize>) {
    let mut turn = number;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let id = Uuid::now_v7().to_string();
        let prompt = format!("request {id}");
        for attempt in 0..5 {
            let client = &clients[(number + attempt) % clients.len()];
            let Ok(mut answer) = client
                .send(MODEL, turn.is_multiple_of(2), &prompt, Some(&id))
                .await
            else {
                continue;
            };
            if answer.status() != 200 {
                assert!(
                    matches!(answer.status().as_u16(), 429 | 502 | 503),
                    "{}",
                    answer.status()
                );
                denied.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(300)).await;
                break;
            }
            let mut left = if turn.is_multiple_of(6) { 2 } else { usize::MAX };
            let whole = loop {
                match answer.chunk().await {
                    Ok(Some(_)) if left > 1 => left -= 1,
                    Ok(_) => break true,
                    Err(_) => break false,
                }
            };
            if whole {
                break;
            }
        }
    }
}

/// The most requests that were at the provider at the same time. A call is over no sooner than its request, and to the
/// millisecond.
fn most_at_a_time(runs: &[Run]) -> i32 {
    let millisecond = chrono::TimeDelta::milliseconds(1);
    let mut changes: Vec<_> = runs
        .iter()
        .flat_map(|run| {
            let began = run.began + millisecond;
            [(began, 1), ((run.ended - millisecond).max(began), -1)]
        })
        .collect();
    changes.sort_unstable();
    let running = changes.iter().scan(0, |running, (_, change)| {
        *running += change;
        Some(*running)
    });
    running.max().unwrap_or(0)
}

async fn ledger(database: &str) -> Ledger {
    let mut connection = PgConnection::connect(database).await.unwrap();
    sqlx::query_as(
        "select coalesce(sum(cost_nano), 0)::bigint as cost_nano,
                coalesce(sum(input_uncached + input_cache_read + input_cache_write + output_visible
                             + output_reasoning) filter (where phase = 'final'), 0)::bigint as tokens,
                count(*) filter (where phase = 'lost') as lost
         from usage_event",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap()
}

async fn runs(database: &str) -> Vec<Run> {
    let mut connection = PgConnection::connect(database).await.unwrap();
    sqlx::query_as(
        "select started_at + (attempts -> 0 ->> 'startedAfterMs')::int * interval '1 ms' as began,
                started_at + duration_ms * interval '1 ms' as ended
         from usage_event where reached_provider and phase = 'final'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_keeps_its_limits_whatever_is_killed_and_its_counters_are_the_ledger() {
    let provider = Simulator::openai().await;
    let mut cluster = Cluster::start(1, 2).await;
    let operator = cluster.operator().await;
    operator.add_provider("sim", &provider.url()).await;
    let prices = json!({"sim": {"sim-gap-5": {"input": 10, "output": 20}}});
    operator.put("/api/pricing", prices).await;
    let limits = json!({"name": "limited", "rpm": RPM, "tpm": TPM, "concurrency": CONCURRENCY});
    let created = operator.post("/api/keys", limits).await;
    let id = text(&created["id"]);
    let budget = json!({"apiKeyId": id, "dailyLimitUsd": 1});
    operator.post("/api/usage/budget?wait=applied", budget).await;

    let clients = cluster.clients(&text(&created["key"]));
    let (stop, denied, began) = (
        Arc::<AtomicBool>::default(),
        Arc::<AtomicUsize>::default(),
        Instant::now(),
    );
    let load: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(client(clients.clone(), number, stop.clone(), denied.clone())))
        .collect();
    let seen = |count: usize| {
        let provider = &provider;
        move || std::future::ready((provider.requests().len() >= count).then_some(()))
    };
    for (plane, count) in [(0, 80), (1, 160)] {
        wait_until("the load to go on", A_WHILE, seen(count)).await;
        cluster.data[plane].process.kill();
        cluster.restart_data_plane(plane).await;
    }
    wait_until("the load to go on", A_WHILE, seen(250)).await;
    stop.store(true, Ordering::Relaxed);
    for client in load {
        client.await.unwrap();
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;

    // nothing is reserved any more, and what is spent is what the ledger says
    let store = cluster.store().await;
    let period = Calendar::Daily.period(Utc::now(), zone("").unwrap());
    let (spent, ledger) = wait_until("counters and ledger to be the same", SETTLED, async || {
        let counted = store.spending(&id, &[&period.name]).await.unwrap()[0];
        let ledger = ledger(&cluster.database).await;
        let same = counted
            == BudgetStanding {
                spent_nano: ledger.cost_nano.unsigned_abs(),
                reserved_nano: 0,
            };
        same.then_some((counted.spent_nano, ledger))
    })
    .await;
    let admitted = provider.requests().len();
    let at_a_time = most_at_a_time(&runs(&cluster.database).await);
    println!(
        "{admitted} admitted, {} denied, {at_a_time} at a time, {} lost, {} tokens, {spent} nano-USD in {minutes:.2} min",
        denied.load(Ordering::Relaxed),
        ledger.lost,
        ledger.tokens,
    );
    assert!(ledger.lost > 0, "something was killed in the middle of a request");
    assert!(
        denied.load(Ordering::Relaxed) > 0,
        "there were more requests than the limits allow"
    );
    assert!(admitted as f64 <= f64::from(RPM) * (1.0 + minutes));
    assert!(ledger.tokens as f64 <= f64::from(TPM) * (1.0 + minutes));
    assert!(at_a_time <= CONCURRENCY as i32);
    assert!(ledger.cost_nano <= BUDGET_NANO, "{}", ledger.cost_nano);
}
