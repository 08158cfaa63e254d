use axum::http::{Method, header};
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::{
    resilience::{connect, down, model, provider},
    support::Api,
};

#[tokio::test]
async fn a_stranger_learns_the_verdict_and_an_operator_the_findings() {
    let api = Api::start().await;
    let full = api.get("/api/monitoring/health").await.expect(200).clone();
    assert_eq!(
        (&full["status"], &full["postgres"]["ok"], &full["redis"]["ok"]),
        (&json!("healthy"), &json!(true), &json!(true))
    );
    assert_eq!(full["dataPlanes"], json!([]));
    *api.cookie.lock() = None;
    let reduced = api.get("/api/monitoring/health").await.expect(200).clone();
    let keys: Vec<_> = reduced.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["status", "timestamp", "version"]);
}

#[tokio::test]
async fn without_postgres_the_health_is_unhealthy_and_a_call_says_to_try_again() {
    let api = Api::start().await;
    api.db.pool().close().await;
    let health = api.get("/api/monitoring/health").await;
    assert_eq!(health.expect(503)["status"], "unhealthy");
    let refused = api.get("/api/keys").await;
    refused.expect_error(503, "SERVER_002");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(api.get("/readyz").await.status, 503);
}

#[tokio::test]
async fn init_answers_in_json_and_in_plain_text() {
    let api = Api::start().await;
    let json = api.get("/api/init").await.expect(200).clone();
    assert_eq!(
        (&json["status"], &json["setupComplete"]),
        (&json!("Initialized"), &json!(true))
    );
    assert_eq!(json["clusterId"].as_str().unwrap().len(), 16);
    let mut plain = api.request(Method::GET, "/api/init", None);
    plain
        .headers_mut()
        .insert(header::ACCEPT, "text/plain".parse().unwrap());
    assert_eq!(api.send(plain).await.expect(200), "Initialized");
}

#[tokio::test]
async fn data_planes_are_listed_with_the_newest_revision() {
    let api = Api::start().await;
    api.post("/api/keys", json!({ "name": "n" })).await.expect(201);
    let answer = api.get("/api/dataplanes").await;
    assert_eq!(
        answer.expect(200),
        &json!({ "dataPlanes": [], "configRevision": 1 })
    );
}

#[tokio::test]
async fn the_audit_trail_is_newest_first_filtered_and_paged() {
    let api = Api::start().await;
    for name in ["a", "b", "c"] {
        api.post("/api/keys", json!({ "name": name })).await.expect(201);
    }
    let page = api
        .get("/api/compliance/audit-log?action=apiKey.created&limit=2")
        .await;
    let entries = page.expect(200).as_array().unwrap().clone();
    assert_eq!(
        (&entries[0]["details"]["name"], &entries[1]["details"]["name"]),
        (&json!("c"), &json!("b"))
    );
    let first = &entries[0];
    assert_eq!(
        (&first["actor"], &first["ip_address"], &first["ipAddress"]),
        (&json!("admin"), &json!("127.0.0.1"), &json!("127.0.0.1"))
    );
    assert_eq!(
        (&first["status"], &first["resourceType"]),
        (&json!("success"), &json!("key"))
    );
    assert!(first["target"].as_str().unwrap().starts_with("key:") && first["requestId"].is_string());
    let cursor = page.header("x-next-cursor");
    let rest = api
        .get(&format!(
            "/api/compliance/audit-log?action=apiKey.created&limit=2&cursor={cursor}"
        ))
        .await;
    assert_eq!(rest.expect(200)[0]["details"]["name"], "a");
    assert!(!rest.headers.contains_key("x-next-cursor"));
    api.get("/api/compliance/audit-log?limit=501")
        .await
        .expect_error(400, "VALIDATION_001");
}

async fn insert_request(api: &Api, started_at: DateTime<Utc>, model: &str) {
    sqlx::query(
        "insert into usage_event
         select * from jsonb_populate_record(null::usage_event, $1)",
    )
    .bind(json!({
        "request_id": Uuid::now_v7(), "spool_id": Uuid::now_v7(), "seq": 1, "data_plane_id": "dp-1",
        "client_request_id": "r", "phase": "final", "started_at": started_at, "duration_ms": 5, "ttft_ms": 0,
        "endpoint": "/v1/chat/completions", "client_dialect": "openai_chat", "model_requested": model,
        "model_served": model, "provider": "openai", "stream": false, "http_status": 200, "outcome": "ok",
        "input_uncached": 3, "input_cache_read": 2, "input_cache_write": 1, "input_cache_write_1h": 0,
        "output_visible": 4, "images": 0, "audio_ms": 0, "characters": 0, "searches": 0,
        "output_reasoning": 6, "evidence": "provider_reported", "config_revision": 1, "attempts": [],
        "reached_provider": true,
    }))
    .execute(api.db.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn the_request_log_is_newest_first_and_pages_without_gaps_between_equal_times() {
    let api = Api::start().await;
    let at: DateTime<Utc> = "2026-03-01T10:00:00Z".parse().unwrap();
    for model in ["m-1", "m-2", "m-3", "m-4", "m-5"] {
        insert_request(&api, at, model).await;
    }
    let lines = api.get("/api/usage/logs?limit=1").await;
    assert_eq!(
        lines.expect(200)[0],
        "01-03-2026 10:00:00 | m-5 | OPENAI | - | 6 | 10 | 200"
    );

    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/api/usage/request-logs?limit=2{cursor}")).await;
        let rows = page.expect(200).as_array().unwrap().clone();
        seen.extend(rows.iter().map(|row| row["model"].as_str().unwrap().to_owned()));
        let Some(next) = page.headers.get("x-next-cursor") else {
            break;
        };
        cursor = format!("&cursor={}", next.to_str().unwrap());
    }
    assert_eq!(seen, ["m-5", "m-4", "m-3", "m-2", "m-1"]);
    let one = api.get("/api/usage/logs?format=json&limit=1").await.expect(200)[0].clone();
    assert_eq!(
        (&one["tokens"]["in"], &one["tokens"]["out"], &one["ttft"]),
        (&json!(6), &json!(10), &json!(null))
    );
    api.get("/api/usage/logs?cursor=foreign")
        .await
        .expect_error(400, "VALIDATION_001");
    api.get("/api/usage/logs?limit=1001")
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn an_open_breaker_degrades_the_health_until_it_is_reset() {
    let api = Api::start().await;
    let ids = connect(&api, &["openai"]).await;
    let breaker = async || {
        let health = api.get("/api/monitoring/health").await.expect(200).clone();
        let state = health["providerHealth"]["openai"]["state"].clone();
        (health["status"].clone(), state)
    };
    assert_eq!(breaker().await, (json!("healthy"), json!("CLOSED")));
    let outages = [down(provider("openai")), down(model("openai", &ids[0], "gpt-4o"))];
    api.store.note_health(&outages).await.unwrap();
    assert_eq!(breaker().await, (json!("degraded"), json!("OPEN")));
    let health = api.get("/api/monitoring/health").await.expect(200).clone();
    assert_eq!(health["lockouts"][0]["model"], "gpt-4o");
    assert_eq!(health["rateLimitStatus"], json!({}));

    let reset = api.delete("/api/monitoring/health").await;
    assert_eq!(
        (&reset.expect(200)["success"], &reset.body["resetCount"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(breaker().await, (json!("healthy"), json!("CLOSED")));
    assert_eq!(api.audited("resilience.breakers.reset").await, 1);
    *api.cookie.lock() = None;
    let stranger = api.delete("/api/monitoring/health").await;
    stranger.expect_error(401, "AUTH_001");
}
