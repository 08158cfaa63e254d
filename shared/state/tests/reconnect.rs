//! A store outlives its Redis: it starts without one, and comes back by itself after every outage.

#![expect(
    clippy::unwrap_used,
    reason = "clippy takes what surrounds a test function for production code"
)]

use redis::{ConnectionAddr, IntoConnectionInfo};
use state::{RedisStore, StateStore};
use std::time::{Duration, Instant};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

/// The way to Redis, which a test can cut and mend.
struct Link {
    redis: String,
    port: u16,
    forwarding: Option<JoinHandle<()>>,
}

impl Link {
    /// Cut at first.
    async fn to(redis: String) -> Self {
        // nobody listens there once the listener is dropped
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            redis,
            port,
            forwarding: None,
        }
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let redis = self.redis.clone();
        self.forwarding = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let mut far = TcpStream::connect(&redis).await.unwrap();
                connections.spawn(async move { copy_bidirectional(&mut near, &mut far).await });
            }
        }));
    }

    /// Closes the listener and every connection.
    async fn cut(&mut self) {
        let forwarding = self.forwarding.take().unwrap();
        forwarding.abort();
        assert!(forwarding.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test]
async fn a_store_starts_without_redis_and_recovers_from_every_outage() {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL is not set: run this by `make test`");
    let address = match url.as_str().into_connection_info().unwrap().addr() {
        ConnectionAddr::Tcp(host, port) => format!("{host}:{port}"),
        other => panic!("REDIS_URL is no TCP address: {other:?}"),
    };
    let mut link = Link::to(address.clone()).await;
    let through = url.replace(&address, &format!("127.0.0.1:{}", link.port));
    assert_ne!(through, url, "REDIS_URL has no port: run this by `make test`");

    let prefix = format!("test:{}", Uuid::now_v7());
    let store = RedisStore::connect(&through, &prefix).await.unwrap();
    store.session_revoked("s1").await.unwrap_err();
    for outage in 0..3 {
        link.mend().await;
        eventually(async || store.revoke_session("s1", Duration::from_secs(60)).await.is_ok()).await;
        eventually(async || store.session_revoked("s1").await.is_ok_and(|revoked| revoked)).await;
        link.cut().await;
        let asked = Instant::now();
        store.session_revoked("s1").await.unwrap_err();
        let waited = asked.elapsed();
        assert!(waited < Duration::from_millis(500), "outage {outage}: {waited:?}");
    }
}

async fn eventually(condition: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "still not so after 20 s");
        tokio::task::yield_now().await;
    }
}
