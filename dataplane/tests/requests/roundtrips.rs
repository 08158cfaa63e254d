//! How often Redis is asked before a request leaves.

use crate::harness::{DataPlane, KEY, Setup};
use parking_lot::Mutex;
use proto::v1::Budget;
use serde_json::{Value, json};
use state::{RedisStore, StateStore};
use std::sync::Arc;
use std::time::Duration;
use testkit::Simulator;
use testkit::service;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const LIMITED: &str = "sk-limited";

/// Stands before Redis, remembers what it is asked, and keeps the answers back until it is told to let them pass.
struct Gate {
    port: u16,
    asked: Arc<Mutex<Vec<u8>>>,
    open: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

// === impl Gate ===

impl Gate {
    async fn to(redis: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<u8>>>::default();
        let (open, opened) = watch::channel(true);
        let heard = asked.clone();
        let serving = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&redis).await.unwrap();
                tokio::spawn(forward(near, far, heard.clone(), opened.clone()));
            }
        });
        Self {
            port,
            asked,
            open,
            serving,
        }
    }

    fn take_asked(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut *self.asked.lock())).into_owned()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn forward(
    near: TcpStream,
    far: TcpStream,
    asked: Arc<Mutex<Vec<u8>>>,
    mut open: watch::Receiver<bool>,
) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let there = async move {
        let mut buffer = [0; 16 << 10];
        while let Ok(read @ 1..) = from_near.read(&mut buffer).await {
            asked.lock().extend_from_slice(&buffer[..read]);
            to_far.write_all(&buffer[..read]).await.unwrap();
        }
    };
    let back = async move {
        let mut buffer = [0; 16 << 10];
        while let Ok(read @ 1..) = from_far.read(&mut buffer).await {
            open.wait_for(|open| *open).await.unwrap();
            if to_near.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(there, back);
}

async fn ask(data_plane: &DataPlane, key: &str, name: Option<&str>, body: &Value) -> String {
    let mut request = data_plane.post("/v1/chat/completions").bearer_auth(key);
    if let Some(name) = name {
        request = request.header("idempotency-key", name);
    }
    let response = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

fn question(temperature: f64, text: &str) -> Value {
    json!({
        "model": "openai/demo", "temperature": temperature,
        "messages": [{"role": "user", "content": text}],
    })
}

/// The scripts that are called, by their digests.
fn scripts(asked: &str) -> Vec<&str> {
    let calls = asked.split("EVALSHA\r\n$40\r\n").skip(1);
    calls.map(|call| &call[..40]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_named_and_cacheable_request_asks_everything_at_once_and_any_other_nothing() {
    let redis = service::redis();
    let address = redis
        .url
        .trim_start_matches("redis://")
        .trim_end_matches('/')
        .to_owned();
    let (host, database) = address.split_once('/').unwrap_or((&address, ""));
    let gate = Gate::to(host.to_owned()).await;
    let url = format!("redis://127.0.0.1:{}/{database}", gate.port);
    let store = RedisStore::connect(&url, &redis.prefix).await.unwrap();
    let store = store.with_deadline(Duration::from_secs(5));
    store.ping().await.unwrap();
    let provider = Simulator::openai().await;
    let setup = Setup::new()
        .store(Arc::new(store))
        .key(LIMITED, |key| {
            (key.rpm, key.tpm, key.concurrency) = (600, 100_000, 8);
            key.budget = Some(Budget {
                daily_limit_nano: 1_000_000_000,
                ..Budget::default()
            });
        })
        .account("o", "openai", &provider);
    let data_plane = Arc::new(setup.start().await);
    // scripts are sent in full once
    ask(&data_plane, LIMITED, Some("warm"), &question(0.0, "warm")).await;
    let settled = async {
        while data_plane.gateway.store.cache_stats(0).await.unwrap().stored == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), settled)
        .await
        .unwrap();

    gate.take_asked();
    ask(&data_plane, KEY, None, &question(0.7, "plain")).await;
    assert_eq!(gate.take_asked(), "", "a request with neither asks nothing");

    let calls = provider.requests().len();
    gate.open.send_replace(false);
    let asking = tokio::spawn({
        let data_plane = data_plane.clone();
        async move { ask(&data_plane, LIMITED, Some("a"), &question(0.0, "all of it")).await }
    });
    // the claim, the cached answer and the admission are asked for although none of them is answered
    let asked = async {
        let mut asked = String::new();
        while !(scripts(&asked).len() == 2 && asked.contains("GET")) {
            asked.push_str(&gate.take_asked());
            tokio::task::yield_now().await;
        }
        asked
    };
    let asked = tokio::time::timeout(Duration::from_secs(4), asked).await.unwrap();
    assert_eq!(provider.requests().len(), calls);
    gate.open.send_replace(true);
    asking.await.unwrap();
    assert_eq!(provider.requests().len(), calls + 1);
    // what follows ends the claim and keeps the answer: nothing that the call waited for
    let after = gate.take_asked();
    assert!(!after.contains("PTTL"), "{after}");
    assert!(
        scripts(&asked).iter().all(|script| !after.contains(script)),
        "{after}"
    );
}
