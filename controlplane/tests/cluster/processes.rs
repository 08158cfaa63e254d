//! Restarting and stopping the processes of a cluster by the management API, while clients go on asking.

use crate::client::{Client, Operator};
use crate::harness::Cluster;
use crate::text;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use testkit::{Simulator, wait_until};

const PATIENCE: Duration = Duration::from_secs(90);

/// What a load balancer does with one of two: another one answers where this one refuses.
async fn balanced(clients: &[Client], turn: usize) -> u16 {
    let first = clients[turn % clients.len()].chat("sim/sim").await;
    match first {
        0 | 503 => clients[(turn + 1) % clients.len()].chat("sim/sim").await,
        answered => answered,
    }
}

/// The data planes whose stream some control plane holds.
async fn connected(operator: &Operator) -> Vec<String> {
    let listed = operator.get("/api/dataplanes").await;
    let planes = listed["dataPlanes"].as_array().unwrap();
    let connected = planes.iter().filter(|plane| plane["connected"] == true);
    connected.map(|plane| text(&plane["id"])).collect()
}

async fn ended(operator: &Operator, begun: &Value) -> Value {
    let path = format!("/api/operations/{}", text(&begun["operationId"]));
    wait_until("the operation to end", PATIENCE, async || {
        let view = operator.get(&path).await;
        (view["state"] != "running").then_some(view)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn data_planes_restart_one_by_one_and_no_request_fails() {
    let provider = Simulator::openai().await;
    let mut cluster = Cluster::start(1, 2).await;
    let operator = cluster.operator().await;
    operator.add_provider("sim", &provider.url()).await;
    let created = operator
        .post("/api/keys?wait=applied", json!({"name": "load"}))
        .await;
    let clients = cluster.clients(&text(&created["key"]));
    let ids = cluster.data.iter().map(|plane| plane.process.id());
    let ids: Vec<u32> = ids.collect();

    let (stop, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let load = (0..4).map(|turn| {
        let (clients, stop, failed) = (clients.clone(), stop.clone(), failed.clone());
        tokio::spawn(async move {
            let mut sent = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                if balanced(&clients, turn + sent as usize).await != 200 {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                sent += 1;
            }
            sent
        })
    });
    let load: Vec<_> = load.collect();

    let restart = json!({"target": "data-planes", "drainTimeoutMs": 10_000});
    let begun = operator.post("/api/restart", restart).await;
    let over = ended(&operator, &begun).await;
    assert_eq!(over["state"], "done", "{over}");
    assert_eq!(over["steps"].as_array().unwrap().len(), 2);
    stop.store(true, Ordering::Relaxed);
    let mut sent = 0;
    for task in load {
        sent += task.await.unwrap();
    }
    assert!(sent > 20, "{sent}");
    assert_eq!(failed.load(Ordering::Relaxed), 0, "of {sent}");

    // the same processes to whoever supervises them, and started anew
    for (plane, id) in cluster.data.iter_mut().zip(ids) {
        assert_eq!(plane.process.id(), id);
        assert_eq!(plane.process.log().matches("data plane listens").count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_data_plane_ends_and_the_control_plane_restarts_itself() {
    let mut cluster = Cluster::start(1, 2).await;
    let operator = cluster.operator().await;
    let before = connected(&operator).await;
    assert_eq!(before.len(), 2);
    let gone = &before[0];
    let begun = operator
        .post(&format!("/api/dataplanes/{gone}/drain"), json!({}))
        .await;
    assert_eq!(ended(&operator, &begun).await["state"], "done");
    assert_eq!(connected(&operator).await, before[1..]);

    let restart = json!({"target": "control-plane"});
    operator.post("/api/restart", restart).await;
    let process = &mut cluster.control[0].process;
    wait_until("the control plane to start again", PATIENCE, async || {
        (process.log().matches("control plane is up").count() == 2).then_some(())
    })
    .await;
    // its sessions outlive it
    wait_until("the data plane to be back", PATIENCE, async || {
        let planes = operator.try_get("/api/dataplanes").await?;
        let planes = planes["dataPlanes"].as_array()?.clone();
        planes
            .iter()
            .any(|plane| plane["connected"] == true)
            .then_some(())
    })
    .await;
}
