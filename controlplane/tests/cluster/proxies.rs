//! Proxies, from the API of a control plane to what a data plane calls.

use crate::harness::Cluster;
use serde_json::json;
use std::time::Duration;
use testkit::{ForwardProxy, Simulator, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_called_through_as_soon_as_it_is_written_and_no_longer_than_it_is() {
    let mut cluster = Cluster::start(1, 1).await;
    let operator = cluster.operator().await;
    let provider = Simulator::openai().await;
    operator.add_provider("mine", &provider.url()).await;
    let key = operator
        .post("/api/keys?wait=applied", json!({"name": "client"}))
        .await;
    let client = cluster.clients(key["key"].as_str().unwrap()).remove(0);
    let members_only = ForwardProxy::for_members("Basic bWU6c2VjcmV0").await.unwrap();
    let proxy = json!({
        "host": "127.0.0.1", "port": members_only.address.port(), "username": "me", "password": "secret",
    });

    assert_eq!(client.chat("mine/sim").await, 200);
    assert_eq!(members_only.seen().len(), 0);

    let set = json!({"level": "provider", "id": "mine", "proxy": proxy});
    operator.put("/api/settings/proxy?wait=applied", set).await;
    assert_eq!(client.chat("mine/sim").await, 200);
    assert_eq!(
        members_only.seen().len(),
        1,
        "the sealed password opens at the data plane"
    );

    let logged = async || {
        let calls = operator
            .get("/api/usage/proxy-logs?level=provider&status=ok")
            .await;
        calls.as_array().unwrap().first().cloned()
    };
    let call = wait_until("the call to be logged", Duration::from_secs(10), logged).await;
    assert_eq!(call["proxy"]["port"], members_only.address.port());
    assert_eq!(call["targetUrl"], provider.url());
    assert!(!call.to_string().contains("secret"));

    // what is shown and sent back changes nothing
    let shown = operator.get("/api/settings/proxy").await;
    operator.put("/api/settings/proxy?wait=applied", shown).await;
    assert_eq!(client.chat("mine/sim").await, 200);
    assert_eq!(members_only.seen().len(), 2);

    operator
        .delete("/api/settings/proxy?level=provider&id=mine&wait=applied")
        .await;
    assert_eq!(client.chat("mine/sim").await, 200);
    assert_eq!((members_only.seen().len(), provider.requests().len()), (2, 4));
}
