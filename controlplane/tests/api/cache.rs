use axum::http::Method;
use serde_json::json;
use state::{CacheCounts, CacheHoldings, CacheReport, EntryKey};
use std::time::Duration;

use crate::support::Api;

fn report(generation: u64) -> CacheReport {
    CacheReport {
        generation,
        counts: CacheCounts {
            hits: 3,
            similar_hits: 1,
            misses: 1,
            evictions: 2,
            tokens_saved: 120_000,
        },
        holdings: CacheHoldings {
            entries: 42,
            max_entries: 500,
            idempotency_keys: 7,
            idempotency_window_ms: 5_000,
        },
    }
}

async fn cache_answer(api: &Api, generation: u64) {
    let key = EntryKey {
        generation,
        tenant: "k".to_owned(),
        hash: [1; 32],
    };
    let ttl = Duration::from_secs(60);
    api.store.cache_answer(&key, "answer".into(), ttl).await.unwrap();
}

#[tokio::test]
async fn what_was_given_again_is_told_in_the_shape_of_the_reference_and_more() {
    let api = Api::start().await;
    let nothing = json!({
        "semanticCache": { "memorySize": 0, "memoryMaxSize": 0, "dbSize": 0, "hitRate": 0.0, "memoryEntries": 0,
                           "dbEntries": 0, "hits": 0, "semanticHits": 0, "misses": 0, "tokensSaved": 0 },
        "idempotency": { "activeKeys": 0, "windowMs": 0 },
    });
    assert_eq!(api.get("/api/cache").await.expect(200), &nothing);

    api.store.report_cache("d1", &report(0)).await.unwrap();
    api.store.report_cache("d2", &report(0)).await.unwrap();
    cache_answer(&api, 0).await;
    let expected = json!({
        "semanticCache": { "memorySize": 84, "memoryMaxSize": 1000, "dbSize": 1, "hitRate": 0.75, "memoryEntries": 84,
                           "dbEntries": 1, "hits": 6, "semanticHits": 2, "misses": 2, "tokensSaved": 240_000 },
        "idempotency": { "activeKeys": 14, "windowMs": 5000 },
    });
    assert_eq!(api.get("/api/cache").await.expect(200), &expected);
    let memory = json!({
        "size": 84, "maxSize": 1000, "hits": 6, "misses": 2, "evictions": 4, "hitRate": 75.0,
    });
    assert_eq!(api.get("/api/cache/stats").await.expect(200), &memory);
}

#[tokio::test]
async fn clearing_steps_to_another_generation_and_counts_from_zero() {
    let api = Api::start().await;
    api.store.report_cache("d1", &report(0)).await.unwrap();
    cache_answer(&api, 0).await;
    let cleared = api.send(api.request(Method::DELETE, "/api/cache", None)).await;
    let expected = json!({ "ok": true, "expiredRemoved": 0, "cleared": { "semantic": 1, "idempotency": 7 } });
    assert_eq!(cleared.expect(200), &expected);
    let revision: u64 = cleared.header("x-config-revision").parse().unwrap();
    assert_eq!(cleared.header("x-config-applied"), "0/0");

    let after = api.get("/api/cache").await.expect(200).clone();
    let counts = &after["semanticCache"];
    assert_eq!((&counts["hits"], &counts["dbSize"]), (&json!(0), &json!(0)));
    assert_eq!(counts["memorySize"], 42, "data planes have not reported since");
    let audit = api.get("/api/compliance/audit-log?action=cache.cleared").await;
    assert_eq!(audit.expect(200)[0]["details"]["scope"], "all");

    let again = api
        .send(api.request(Method::DELETE, "/api/cache/stats", None))
        .await;
    assert_eq!(again.expect(200)["success"], true);
    let next: u64 = again.header("x-config-revision").parse().unwrap();
    assert!(next > revision);
}

#[tokio::test]
async fn a_scope_is_cleared_alone_and_as_a_whole() {
    let api = Api::start().await;
    for (scope, expected) in [
        ("semantic", json!({ "semantic": 0, "idempotency": null })),
        ("idempotency", json!({ "semantic": null, "idempotency": 0 })),
    ] {
        let path = format!("/api/cache?scope={scope}");
        let cleared = api.send(api.request(Method::DELETE, &path, None)).await;
        assert_eq!(cleared.expect(200)["cleared"], expected, "{scope}");
    }
    for query in ["scope=everything", "model=gpt-5", "signature=abc", "staleMs=1"] {
        let path = format!("/api/cache?{query}");
        api.send(api.request(Method::DELETE, &path, None))
            .await
            .expect_error(400, "VALIDATION_001");
    }
}

#[tokio::test]
async fn the_settings_of_the_cache_are_checked_and_kept() {
    let api = Api::start().await;
    let settings = api.get("/api/settings").await.expect(200).clone();
    assert_eq!(settings["semanticCacheEnabled"], true);
    assert_eq!(settings["semanticCacheTtlMs"], 3_600_000);
    assert_eq!(settings["semanticCacheAbsentTemperatureIsZero"], false);
    let change = json!({
        "semanticCacheEnabled": false, "semanticCacheTtlMs": 60_000, "semanticCacheAbsentTemperatureIsZero": true,
    });
    let changed = api.patch("/api/settings", change).await.expect(200).clone();
    assert_eq!(changed["semanticCacheEnabled"], false);
    assert_eq!(changed["semanticCacheTtlMs"], 60_000);
    assert_eq!(changed["semanticCacheAbsentTemperatureIsZero"], true);
    for ttl in [0, 999, 604_800_001_u32] {
        api.patch("/api/settings", json!({ "semanticCacheTtlMs": ttl }))
            .await
            .expect_error(400, "VALIDATION_001");
    }
}
