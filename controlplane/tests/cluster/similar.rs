//! Questions in other words, over a whole cluster.

use crate::SECOND;
use crate::client::Client;
use crate::harness::Cluster;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::{Simulator, wait_until};
use tokio::net::TcpListener;

/// The address of a model to which all texts are the same.
async fn embedder() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let vector =
        json!({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}]});
    let router = Router::new().route("/embeddings", post(async move || Json(vector.clone())));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// Asks in ever new spellings until an answer to another question is found.
async fn found(client: &Client, text: &str) {
    let asked = AtomicUsize::new(0);
    wait_until("a similar question to be found", SECOND * 20, async || {
        let again = "?".repeat(asked.fetch_add(1, Ordering::Relaxed) + 1);
        client
            .ask("sim/sim", &format!("{text}{again}"))
            .await
            .1
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_lets_every_data_plane_answer_in_other_words_and_never_another_key() {
    let (provider, embedder) = (Simulator::openai().await, embedder().await);
    let mut cluster = Cluster::start(1, 2).await;
    let operator = cluster.operator().await;
    operator.add_provider("sim", &provider.url()).await;
    operator.add_provider("vectors", &embedder).await;
    let mut keys = Vec::new();
    for name in ["mine", "theirs"] {
        let created = operator
            .post("/api/keys?wait=applied", json!({ "name": name }))
            .await;
        keys.push(created["key"].as_str().unwrap().to_owned());
    }
    let (mine, theirs) = (cluster.clients(&keys[0]), cluster.clients(&keys[1]));
    let rules = |rules: Value| json!({ "semanticCacheRules": rules });
    let rule = json!([{"model": "sim/*", "embeddingModel": "vectors/any"}]);
    operator.put("/api/settings?wait=applied", rules(rule)).await;

    assert!(!mine[0].ask("sim/sim", "How far is the moon?").await.1);
    found(&mine[1], "What is the distance to the moon").await;
    found(&mine[0], "What is the distance to the moon!").await;
    assert!(
        !theirs[0]
            .ask("sim/sim", "What is the distance to the moon")
            .await
            .1
    );
    assert!(!mine[1].ask("sim/sim", "What is the distance to the Sun").await.1);
    wait_until("the hits to be counted", SECOND * 10, async || {
        let view = operator.get("/api/cache").await;
        (view["semanticCache"]["semanticHits"] == 2).then_some(())
    })
    .await;

    operator.put("/api/settings?wait=applied", rules(json!([]))).await;
    assert!(!mine[0].ask("sim/sim", "What is the distance to our moon").await.1);
    assert!(!mine[0].ask("sim/sim", "And the distance to our moon").await.1);
}
