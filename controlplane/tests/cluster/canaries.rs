//! Secrets that go in and must not come out: not in a log, not in Redis, not in the database, not in the audit trail.

use crate::harness::Cluster;
use crate::text;
use serde_json::json;
use std::process::Command;
use testkit::{ForwardProxy, Simulator};

const CANARIES: [&str; 4] = [
    "sk-canary-of-a-provider-71b3",
    "canary-of-a-proxy-c0ffee-92",
    "canary of an account 4f1d8",
    "canary in what a client asks 55e0",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_log_and_in_nothing_that_is_kept() {
    let mut cluster = Cluster::start(1, 1).await;
    let operator = cluster.operator().await;
    let [credential, proxy_password, account_password, prompt] = CANARIES;
    let provider = Simulator::openai().await;
    operator.add_provider("mine", &provider.url()).await;
    let listed = operator.get("/api/providers").await;
    let connection = text(&listed["connections"][0]["id"]);
    let change = json!({"apiKey": credential});
    operator
        .put(&format!("/api/providers/{connection}"), change)
        .await;

    let proxy = ForwardProxy::for_members("Basic bWU6Y2FuYXJ5LW9mLWEtcHJveHktYzBmZmVlLTky")
        .await
        .unwrap();
    let through = json!({
        "host": "127.0.0.1", "port": proxy.address.port(), "username": "me", "password": proxy_password,
    });
    let set = json!({"level": "global", "proxy": through});
    operator.put("/api/settings/proxy?wait=applied", set).await;
    let account = json!({"username": "vera", "role": "viewer", "password": account_password});
    operator.post("/api/accounts", account).await;
    let token = operator
        .post("/api/tokens", json!({"name": "t", "scopes": ["*:read"]}))
        .await;
    let key = operator
        .post("/api/keys?wait=applied", json!({"name": "k", "rpm": 100}))
        .await;
    let (key, token) = (text(&key["key"]), text(&token["token"]));

    let client = cluster.clients(&key).remove(0);
    let (_, was_cached) = client.ask("mine/sim", prompt).await;
    assert!(
        !was_cached && client.ask("mine/sim", prompt).await.1,
        "an answer is kept"
    );
    assert_eq!(proxy.seen().len(), 1);
    assert_eq!(provider.requests().len(), 1);

    let dump = Command::new("pg_dump")
        .args(["--inserts", &cluster.database])
        .output()
        .unwrap();
    let database = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(
        database.contains("apiKey.created"),
        "the dump holds the audit trail"
    );
    let redis = cluster.redis_contents();
    assert!(
        redis.len() > 1000,
        "Redis holds a snapshot, counters and answers: {}",
        redis.len()
    );
    let kept = [database.as_bytes(), redis.as_slice(), cluster.logs().as_bytes()].concat();
    for secret in CANARIES.iter().copied().chain([key.as_str(), token.as_str()]) {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for form in [secret, &hex] {
            let found = kept
                .windows(form.len())
                .position(|window| window == form.as_bytes());
            assert_eq!(found, None, "{secret} is kept where it can be read");
        }
    }
}
