//! A whole cluster of real processes on a real Postgres and Redis, and what it promises when parts of it die.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "cluster/canaries.rs"]
mod canaries;
#[path = "cluster/client.rs"]
mod client;
#[path = "cluster/defects.rs"]
mod defects;
#[path = "cluster/effects.rs"]
mod effects;
#[path = "cluster/harness.rs"]
mod harness;
#[path = "cluster/ledger.rs"]
mod ledger;
#[path = "cluster/limits.rs"]
mod limits;
#[path = "cluster/oauth.rs"]
mod oauth;
#[path = "cluster/processes.rs"]
mod processes;
#[path = "cluster/proxies.rs"]
mod proxies;
#[path = "cluster/rules.rs"]
mod rules;
#[path = "cluster/similar.rs"]
mod similar;
#[path = "cluster/storm.rs"]
mod storm;

use client::Client;
use harness::{Cluster, Services};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use testkit::service::RedisCluster;
use testkit::{Simulator, wait_until};

/// What revocation promises.
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_accepted_and_refused_on_every_data_plane_within_a_second() {
    let provider = Simulator::openai().await;
    let mut cluster = Cluster::start(1, 2).await;
    cluster
        .operator()
        .await
        .add_provider("sim", &provider.url())
        .await;

    let operator = cluster.operator().await;
    let created = operator.post("/api/keys", json!({"name": "short-lived"})).await;
    let (key, id) = (text(&created["key"]), text(&created["id"]));
    let clients = cluster.clients(&key);
    for client in &clients {
        wait_until("the new key to be accepted", SECOND, async || {
            (client.chat("sim/sim").await == 200).then_some(())
        })
        .await;
    }

    operator.delete(&format!("/api/keys/{id}")).await;
    for client in &clients {
        wait_until("the deleted key to be refused", SECOND, async || {
            (client.chat("sim/sim").await == 401).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_redis_cluster_an_address_is_banned_and_let_in_again_on_every_data_plane_within_a_second() {
    let (provider, redis) = (Simulator::openai().await, RedisCluster::start().await);
    let mut cluster = Cluster::start_on(
        Services {
            redis: redis.url(),
            ..Services::shared()
        },
        1,
        2,
    )
    .await;
    let operator = cluster.operator().await;
    operator.add_provider("sim", &provider.url()).await;
    let created = operator.post("/api/keys", json!({"name": "bans"})).await;
    let path = "/api/settings/ip-filter";
    operator
        .put(&format!("{path}?wait=applied"), json!({"enabled": true}))
        .await;

    // all clients of a test are on this machine, which the control plane always lets in
    let ban = json!({"tempBan": {"ip": "127.0.0.1"}, "force": true});
    let unban = json!({"removeBan": "127.0.0.1"});
    let clients = cluster.clients(&text(&created["key"]));
    for (change, status) in [(ban, 403), (unban, 200)] {
        operator.put(path, change).await;
        for client in &clients {
            wait_until(&format!("an answer {status}"), SECOND, async || {
                (client.chat("sim/sim").await == status).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_control_plane_costs_no_request_and_a_new_data_plane_still_starts() {
    let provider = Simulator::openai().await;
    let mut cluster = Cluster::start(1, 1).await;
    let operator = cluster.operator().await;
    operator.add_provider("sim", &provider.url()).await;
    let key = text(
        &operator
            .post("/api/keys?wait=applied", json!({"name": "load"}))
            .await["key"],
    );

    let load = Load::start(cluster.clients(&key).remove(0));
    load.reach(100).await;
    cluster.control[0].process.kill();
    load.reach(300).await;

    // nothing of the configuration is on this one's disk
    cluster.add_data_plane().await;
    let newcomer = cluster.clients(&key).remove(1);
    assert_eq!(newcomer.chat("sim/sim").await, 200);

    load.reach(400).await;
    assert_eq!(
        load.stop().await,
        0,
        "requests failed while the control plane was down"
    );

    cluster.restart_control_plane(0).await;
    let operator = cluster.operator().await;
    let created = operator.post("/api/keys", json!({"name": "after"})).await;
    let late = cluster.clients(&text(&created["key"]));
    for client in &late {
        // reconnecting is jittered up to 15 s
        wait_until(
            "a key made after the restart",
            Duration::from_secs(30),
            async || (client.chat("sim/sim").await == 200).then_some(()),
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_that_reached_a_provider_is_in_the_ledger_once_whatever_is_killed() {
    let provider = Simulator::openai().await;
    let mut cluster = Cluster::start(1, 2).await;
    let operator = cluster.operator().await;
    operator.add_provider("sim", &provider.url()).await;
    let key = text(
        &operator
            .post("/api/keys?wait=applied", json!({"name": "ledger"}))
            .await["key"],
    );

    let clients = cluster.clients(&key);
    let traffic = tokio::spawn(ledger::send_traffic(clients, 1_000));
    let seen = |count: usize| {
        let provider = &provider;
        move || async move { (provider.requests().len() >= count).then_some(()) }
    };
    wait_until("a third of the traffic", Duration::from_secs(60), seen(300)).await;
    cluster.data[0].process.kill();
    cluster.restart_data_plane(0).await;
    wait_until("two thirds of the traffic", Duration::from_secs(60), seen(600)).await;
    cluster.control[0].process.kill();
    wait_until(
        "traffic without a control plane",
        Duration::from_secs(60),
        seen(700),
    )
    .await;
    cluster.restart_control_plane(0).await;
    traffic.await.unwrap();

    let reached = ledger::requests_seen(&provider);
    assert!(
        reached.len() >= 800,
        "only {} requests reached the provider",
        reached.len()
    );
    let rows = wait_until("the ledger to be complete", Duration::from_secs(60), async || {
        let rows = ledger::rows(&cluster.database).await;
        reached.iter().all(|id| rows.contains_key(id)).then_some(rows)
    })
    .await;
    let twice: Vec<_> = rows.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "accounted more than once: {twice:?}");
    let invented: Vec<_> = rows.keys().filter(|id| !reached.contains(*id)).collect();
    // a data plane killed between its begin record and the call cannot know that the call never left
    assert!(
        invented.len() <= ledger::WORKERS,
        "accounted without having reached the provider: {invented:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_given_once_and_again_by_every_data_plane_until_the_cache_is_cleared() {
    let provider = Simulator::openai().await;
    let mut cluster = Cluster::start(1, 2).await;
    let operator = cluster.operator().await;
    operator.add_provider("sim", &provider.url()).await;
    let key = text(
        &operator
            .post("/api/keys?wait=applied", json!({"name": "cache"}))
            .await["key"],
    );
    let clients = cluster.clients(&key);

    let duplicates = (0..50).map(|n| {
        let client = clients[n % 2].clone();
        tokio::spawn(async move {
            let answer = client
                .send("sim/sim-slow-300", false, "hello", Some("r1"))
                .await
                .unwrap();
            answer.text().await.unwrap()
        })
    });
    let answers = futures::future::join_all(duplicates).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    assert_eq!(provider.requests().len(), 1);

    let (answer, is_hit) = clients[0].ask("sim/sim", "hello").await;
    assert!(!is_hit);
    wait_until("the answer to come over", SECOND * 10, async || {
        (operator.get("/api/cache").await["semanticCache"]["dbSize"] == 1).then_some(())
    })
    .await;
    for client in &clients {
        assert_eq!(client.ask("sim/sim", "hello").await, (answer.clone(), true));
    }
    wait_until("the hits to be counted", SECOND * 10, async || {
        let view = operator.get("/api/cache").await;
        let (cache, requests) = (&view["semanticCache"], &view["idempotency"]);
        let is_all = cache["hits"] == 2 && cache["memoryMaxSize"] == 1_000 && requests["windowMs"] == 5_000;
        is_all.then_some(())
    })
    .await;

    let cleared = operator.delete("/api/cache").await;
    assert_eq!(cleared["cleared"]["semantic"], 1);
    let (after, is_hit) = clients[1].ask("sim/sim", "hello").await;
    assert!(!is_hit && after != answer);
    // the other one has the new answer or asks for one of its own, and has forgotten the old one in its memory
    let (other, _) = clients[0].ask("sim/sim", "hello").await;
    assert_ne!(other, answer);
}

/// One request after the other from several tasks, until told to stop.
struct Load {
    sent: Arc<AtomicU32>,
    failed: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

// === impl Load ===

impl Load {
    fn start(client: Client) -> Self {
        let (sent, failed, stop) = (
            Arc::<AtomicU32>::default(),
            Arc::<AtomicU32>::default(),
            Arc::<AtomicBool>::default(),
        );
        let tasks = (0..4)
            .map(|_| {
                let (client, sent, failed, stop) =
                    (client.clone(), sent.clone(), failed.clone(), stop.clone());
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        if client.chat("sim/sim").await != 200 {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Self {
            sent,
            failed,
            stop,
            tasks,
        }
    }

    async fn reach(&self, count: u32) {
        let reached = async || (self.sent.load(Ordering::Relaxed) >= count).then_some(());
        wait_until("the load to go on", Duration::from_secs(60), reached).await;
    }

    /// How many failed.
    async fn stop(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.failed.load(Ordering::Relaxed)
    }
}

fn text(value: &serde_json::Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("expected text, got {value}"))
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_stop_when_asked() {
    let mut cluster = Cluster::start(1, 1).await;
    let asked = Instant::now();
    assert!(cluster.data[0].process.terminate().await.success());
    assert!(cluster.control[0].process.terminate().await.success());
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}
