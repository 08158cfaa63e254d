use super::*;
use crate::pipeline::{authenticate::Caller, plan};
use crate::routing::Routing;
use axum::extract::ConnectInfo;
use http::Request;
use proto::v1::ConfigVersion;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use runtime::crypto::ClusterKeys;
use serde_json::json;
use state::{MemoryStore, StateStore};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;
use testkit::Snapshot;
use testkit::snapshot::CLUSTER_SECRET;

const KEYS: [&str; 2] = ["sk-one", "sk-other"];

fn table() -> Table {
    let snapshot = Snapshot::new()
        .openai("o", "http://127.0.0.1:1/v1")
        .key(KEYS[0])
        .key(KEYS[1]);
    let transport = ClusterKeys::derive(CLUSTER_SECRET).transport;
    let (table, errors) = Table::compile(
        ConfigVersion::default(),
        &snapshot.build(),
        &transport,
        &Routing::default(),
    );
    assert_eq!(errors, []);
    table
}

fn plan_of(table: &Table, key: Option<&str>) -> Plan {
    let key = key.map(|key| table.key(key).unwrap().clone());
    plan::candidates(table, Caller { key }, "o/demo", None).unwrap()
}

fn parts() -> Parts {
    Request::post("/v1/chat/completions")
        .body(())
        .unwrap()
        .into_parts()
        .0
}

#[tokio::test]
async fn of_a_hundred_thousand_identical_bodies_of_two_tenants_none_meets_the_others_answer() {
    let (table, parts, store) = (table(), parts(), MemoryStore::new());
    let [one, other] = KEYS.map(|key| plan_of(&table, Some(key)));
    let nobody = plan_of(&table, None);
    let mut random = StdRng::seed_from_u64(7);
    let mut seen = HashSet::new();
    for n in 0..100_000_u32 {
        let letters = (0..random.random_range(0..12)).map(|_| random.random_range(' '..='~'));
        let text: String = letters.collect();
        let body = json!({"model": "o/demo", "temperature": 0, "seed": n, "messages": [{"role": "user", "content": text}]});
        let ask = Ask::read(Dialect::OpenAiChat, body.to_string().into()).unwrap();
        let key = |plan| question(&table, &parts, plan, &ask).unwrap().0;
        let (mine, theirs) = (key(&one), key(&other));
        assert_eq!(mine.hash, theirs.hash, "the same question");
        assert!(seen.insert(mine.hash), "{body}");
        let answer = Bytes::copy_from_slice(&n.to_le_bytes());
        store
            .cache_answer(&mine, answer.clone(), Duration::from_secs(60))
            .await
            .unwrap();
        assert_eq!(store.cached_answer(&mine).await.unwrap().unwrap().sealed, answer);
        assert_eq!(store.cached_answer(&theirs).await.unwrap(), None, "{body}");
        assert_eq!(store.cached_answer(&key(&nobody)).await.unwrap(), None, "{body}");
    }
}

#[test]
fn a_tenant_is_never_empty_where_a_key_is_needed() {
    let table = table();
    let hash = Named(blake3::hash(b"request"));
    let proxies = TrustedProxies::default();
    let [one, other] = KEYS.map(|key| {
        let plan = plan_of(&table, Some(key));
        hash.key(&table, &plan, &proxies, &parts()).unwrap()
    });
    assert_ne!(one.tenant, other.tenant);
    let mut from = parts();
    let peer: SocketAddr = "192.0.2.7:9".parse().unwrap();
    from.extensions.insert(ConnectInfo(peer));
    let nobody = plan_of(&table, None);
    let known = hash.key(&table, &nobody, &proxies, &from).unwrap();
    assert_eq!(known.tenant, "@192.0.2.7");
    assert_eq!(
        hash.key(&table, &nobody, &proxies, &parts()),
        None,
        "from nowhere"
    );
}
