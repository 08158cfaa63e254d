//! Accounts, from signing in at a control plane to chats through data planes, long after the first token ended.

use crate::client::{Client, Operator};
use crate::harness::Cluster;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::oauth::CLIENT_ID;
use testkit::{OAuthServer, Simulator, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);

async fn cluster(server: &OAuthServer, control_planes: usize, data_planes: usize) -> Cluster {
    let setting = |name: &str, value: String| {
        (
            format!("OMNIROUTE_CONTROLPLANE__API__OAUTH__OPENAI__{name}"),
            value,
        )
    };
    let settings = vec![
        setting("CLIENT_ID", CLIENT_ID.to_owned()),
        setting("DEVICE_URL", server.url("device")),
        setting("TOKEN_URL", server.url("token")),
    ];
    Cluster::start_with(settings, control_planes, data_planes).await
}

/// An account of provider `openai` whose API is at `server`, on every data plane when this returns. Its connection.
async fn sign_in(operator: &Operator, server: &OAuthServer) -> String {
    let begun = operator.get("/api/oauth/openai/device-code").await;
    server.decide(begun["user_code"].as_str().unwrap(), true);
    let poll = json!({"flowId": begun["flowId"]});
    let ended: Value = wait_until("the account to be signed in to", PATIENCE, async || {
        let polled = operator.post("/api/oauth/openai/poll", poll.clone()).await;
        (polled["pending"] != true).then_some(polled)
    })
    .await;
    let id = ended["connection"]["id"].as_str().unwrap().to_owned();
    let base = json!({"providerSpecificData": {"baseUrl": server.url("v1")}});
    operator
        .put(&format!("/api/providers/{id}?wait=applied"), base)
        .await;
    id
}

async fn key(operator: &Operator) -> String {
    let key = operator
        .post("/api/keys?wait=applied", json!({"name": "client"}))
        .await;
    key["key"].as_str().unwrap().to_owned()
}

async fn statuses(clients: &[Client], times: usize) -> Vec<u16> {
    let asked: Vec<_> = (0..times)
        .flat_map(|_| clients)
        .map(|client| {
            let client = client.clone();
            tokio::spawn(async move { client.chat("openai/m-1").await })
        })
        .collect();
    let mut statuses = Vec::new();
    for one in asked {
        statuses.push(one.await.unwrap());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_goes_on_when_its_token_is_refused() {
    let server = OAuthServer::start().await;
    let mut cluster = cluster(&server, 2, 2).await;
    let operator = cluster.operator().await;
    sign_in(&operator, &server).await;
    let clients = cluster.clients(&key(&operator).await);
    assert_eq!(statuses(&clients, 1).await, [200, 200]);

    server.end_access_tokens();
    // two data planes, two control planes, and a refresh token that may be used once
    assert_eq!(statuses(&clients, 5).await, [200; 10]);
    assert_eq!((server.refreshes(), server.reuses()), (1, 0));
    let refused = server.chats().iter().filter(|status| **status == 401).count();
    assert!((1..=10).contains(&refused), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ended_is_renewed_before_the_provider_is_called() {
    let server = OAuthServer::start().await;
    server.set_lifetime_s(1);
    let mut cluster = cluster(&server, 1, 1).await;
    let operator = cluster.operator().await;
    sign_in(&operator, &server).await;
    let clients = cluster.clients(&key(&operator).await);
    server.set_lifetime_s(3600);
    assert_eq!(statuses(&clients, 10).await, [200; 10]);
    assert_eq!((server.refreshes(), server.reuses()), (1, 0));
    assert!(
        server.chats().iter().all(|status| *status == 200),
        "{:?}",
        server.chats()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_can_renew_it_another_account_answers() {
    let server = OAuthServer::start().await;
    let other = Simulator::openai().await;
    let mut cluster = cluster(&server, 1, 1).await;
    let operator = cluster.operator().await;
    let id = sign_in(&operator, &server).await;
    let second = json!({
        "provider": "openai", "name": "second", "apiKey": "sk-upstream",
        "providerSpecificData": {"baseUrl": other.url()},
    });
    operator.post("/api/providers?wait=applied", second).await;
    let clients = cluster.clients(&key(&operator).await);

    server.end_access_tokens();
    server.end_refresh_tokens();
    assert_eq!(statuses(&clients, 1).await, [200]);
    assert_eq!(other.requests().len(), 1);
    let ended = operator.get(&format!("/api/providers/{id}")).await;
    assert_eq!(ended["connection"]["testStatus"], "expired");
    assert_eq!(ended["connection"]["isActive"], false);
}
