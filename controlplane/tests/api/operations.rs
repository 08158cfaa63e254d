//! Restarting and stopping processes, as the control plane sees it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use std::time::Duration;

use proto::v1::command::Op;
use serde_json::{Value, json};
use testkit::wait_until;

use crate::{
    data_plane::{DataPlane, Reply},
    support::Api,
};

const SOON: Duration = Duration::from_secs(20);

async fn ended(api: &Api, operation: &Value) -> Value {
    let path = format!("/api/operations/{}", operation["operationId"].as_str().unwrap());
    wait_until("the operation to end", SOON, async || {
        let view = api.get(&path).await.expect(200).clone();
        (view["state"] != "running").then_some(view)
    })
    .await
}

#[tokio::test]
async fn a_data_plane_that_is_drained_is_told_for_how_long_and_is_done_when_it_is_gone() {
    let api = Api::start().await;
    let told = Arc::new(AtomicU32::new(0));
    let heard = Arc::clone(&told);
    let plane = DataPlane::join_running(&api, 1, move |op| {
        let Op::Leave(leave) = op else {
            return Reply::Refused("unexpected");
        };
        assert!(!leave.restart);
        heard.store(leave.drain_timeout_ms, Ordering::Relaxed);
        Reply::Acknowledged
    })
    .await;
    let begun = api
        .post("/api/dataplanes/dp-1/drain", json!({ "drainTimeoutMs": 1234 }))
        .await;
    let begun = begun.expect(200).clone();
    assert_eq!(
        (&begun["status"], &begun["targets"]),
        (&json!("draining"), &json!(["dp-1"]))
    );
    wait_until("the data plane to be told", SOON, async || {
        (told.load(Ordering::Relaxed) == 1234).then_some(())
    })
    .await;
    // one at a time
    let second = api.post("/api/dataplanes/dp-1/drain", json!({})).await;
    second.expect_error(409, "RESOURCE_002");

    drop(plane);
    let over = ended(&api, &begun).await;
    assert_eq!(
        (&over["state"], &over["steps"][0]["state"]),
        (&json!("done"), &json!("done"))
    );
    assert_eq!(over["requestedBy"], "admin");
    assert_eq!(api.audited("dataPlane.drained").await, 1);
}

#[tokio::test]
async fn a_restart_is_over_when_another_process_has_come_and_goes_no_further_when_one_refuses() {
    let api = Api::start().await;
    let told = Arc::new(AtomicU32::new(0));
    let heard = Arc::clone(&told);
    let plane = DataPlane::join_running(&api, 1, move |_| {
        heard.fetch_add(1, Ordering::Relaxed);
        Reply::Acknowledged
    })
    .await;
    let begun = api
        .post("/api/restart", json!({ "target": "dp-1" }))
        .await
        .expect(200)
        .clone();
    wait_until("the data plane to be told", SOON, async || {
        (told.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    drop(plane);
    let _back = DataPlane::join_running(&api, 1, |_| Reply::Refused("not today")).await;
    assert_eq!(ended(&api, &begun).await["state"], "done");

    let begun = api.post("/api/restart", json!({})).await.expect(200).clone();
    assert_eq!(begun["targets"], json!(["dp-1", "control-plane"]));
    let over = ended(&api, &begun).await;
    assert_eq!(over["state"], "failed");
    assert!(
        over["steps"][0]["message"]
            .as_str()
            .unwrap()
            .contains("not today")
    );
    assert_eq!(over["steps"][1]["state"], "waiting", "the control plane stays");
    assert!(!api.exit.is_wished());
}

#[tokio::test]
async fn the_control_plane_that_is_asked_ends_last() {
    let api = Api::start().await;
    let begun = api
        .post("/api/shutdown", json!({ "target": "control-plane" }))
        .await;
    let over = ended(&api, begun.expect(200)).await;
    assert_eq!(over["state"], "done");
    wait_until("the wish to end", SOON, async || {
        api.exit.is_wished().then_some(())
    })
    .await;
}

#[tokio::test]
async fn whom_there_is_not_is_missing_and_who_may_not_is_refused() {
    let api = Api::start().await;
    api.post("/api/restart", json!({ "target": "dp-9" }))
        .await
        .expect_error(404, "RESOURCE_001");
    api.post("/api/dataplanes/dp-9/drain", json!({}))
        .await
        .expect_error(404, "RESOURCE_001");
    let slow = json!({ "drainTimeoutMs": 600_001 });
    api.post("/api/restart", slow)
        .await
        .expect_error(400, "VALIDATION_001");
    api.get("/api/operations/1")
        .await
        .expect_error(404, "RESOURCE_001");

    let managed = Api::start_with(|config| {
        config.allow_self_restart = Some(false);
        config.allow_shutdown = Some(false);
    })
    .await;
    for path in ["/api/restart", "/api/shutdown"] {
        managed
            .post(path, json!({}))
            .await
            .expect_error(403, "MANAGED_BY_ORCHESTRATOR");
    }
}
