//! The small ones: figures, lists, logs, and a key that is shown again.

use std::time::{Duration, SystemTime};

use axum::http::Method;
use chrono::{TimeDelta, Utc};
use proto::v1::{LogLines, UsageEvent, command::Op, command_result::Answer, log_lines};
use runtime::telemetry::Line;
use serde_json::{Map, json};
use tracing::Level;
use uuid::Uuid;

use crate::{
    data_plane::{DataPlane, Reply},
    support::Api,
    usage::{event, store},
};

async fn usage(api: &Api, provider: &str, outcome: &str, duration_ms: u32, ago: TimeDelta) {
    let used = UsageEvent {
        provider: provider.to_owned(),
        outcome: outcome.to_owned(),
        duration_ms,
        ..event(Utc::now() - ago)
    };
    store(api, vec![used]).await;
}

#[tokio::test]
async fn providers_are_measured_by_the_requests_of_a_month() {
    let api = Api::start().await;
    assert_eq!(
        api.get("/api/provider-metrics").await.expect(200),
        &json!({ "metrics": {} })
    );
    for (provider, outcome, duration, ago) in [
        ("openai", "ok", 100, TimeDelta::days(1)),
        ("openai", "ok", 200, TimeDelta::days(2)),
        ("openai", "upstream_error", 600, TimeDelta::days(3)),
        ("openai", "upstream_error", 9_000, TimeDelta::days(31)),
        ("groq", "stream_error", 50, TimeDelta::hours(1)),
    ] {
        usage(&api, provider, outcome, duration, ago).await;
    }
    let metrics = api.get("/api/provider-metrics").await.expect(200).clone();
    let expected = json!({ "metrics": {
        "groq": { "totalRequests": 1, "totalSuccesses": 0, "successRate": 0, "avgLatencyMs": 50,
                  "p50Ms": 50, "p95Ms": 50, "p99Ms": 50 },
        "openai": { "totalRequests": 3, "totalSuccesses": 2, "successRate": 67, "avgLatencyMs": 300,
                    "p50Ms": 200, "p95Ms": 606, "p99Ms": 606 },
    } });
    assert_eq!(metrics, expected);
}

#[tokio::test]
async fn the_database_tells_its_size_and_no_path() {
    let api = Api::start().await;
    usage(&api, "openai", "ok", 1, TimeDelta::days(1)).await;
    let storage = api.get("/api/storage/health").await.expect(200).clone();
    assert_eq!(storage["driver"], "postgres");
    assert!(storage["sizeBytes"].as_i64().unwrap() > 100_000, "{storage}");
    assert!(storage["oldestUsageAt"].is_string(), "{storage}");
    assert!(!storage.to_string().contains('/'), "{storage}");
}

#[tokio::test]
async fn accounts_that_sign_in_by_oauth_are_counted_by_how_they_did() {
    let api = Api::start().await;
    let health = async || api.get("/api/token-health").await.expect(200).clone();
    assert_eq!(
        (&health().await["total"], &health().await["status"]),
        (&json!(0), &json!("healthy"))
    );
    for (status, active, expected) in [
        ("active", true, "healthy"),
        ("unknown", true, "warning"),
        ("expired", false, "warning"),
        ("expired", true, "error"),
    ] {
        sqlx::query(
            "insert into provider_connection (id, provider, auth_type, priority, test_status, is_active)
             values ($1, 'openai', 'oauth', 1, $2, $3)",
        )
        .bind(Uuid::now_v7())
        .bind(status)
        .bind(active)
        .execute(api.db.pool())
        .await
        .unwrap();
        assert_eq!(health().await["status"], expected, "{status}");
    }
    let expected = json!({ "total": 3, "healthy": 1, "errored": 1, "warning": 1, "lastCheckAt": null, "status": "error" });
    assert_eq!(health().await, expected);
}

#[tokio::test]
async fn built_in_models_are_listed_with_their_aliases_and_whether_they_can_be_called() {
    let api = Api::start().await;
    let body = json!({ "provider": "openai", "apiKey": "sk-upstream-0123456789", "name": "main" });
    api.post("/api/providers", body).await.expect(201);
    let listed = async || {
        api.get("/api/models").await.expect(200)["models"]
            .as_array()
            .unwrap()
            .clone()
    };
    let first = listed()
        .await
        .into_iter()
        .find(|model| model["provider"] == "openai")
        .unwrap();
    assert_eq!(
        (&first["alias"], &first["available"]),
        (&first["model"], &json!(true))
    );
    let alias = json!({ "alias": "mine", "model": first["fullModel"] });
    api.put("/api/models/alias", alias).await.expect(200);
    let models = listed().await;
    let named = models
        .iter()
        .find(|model| model["fullModel"] == first["fullModel"])
        .unwrap();
    assert_eq!(named["alias"], "mine");
    let other = models.iter().find(|model| model["provider"] == "groq").unwrap();
    assert_eq!(other["available"], false);
}

#[tokio::test]
async fn the_last_hour_of_the_log_can_be_read() {
    let api = Api::start().await;
    let line = |level: Level, target: &str, message: &str, minutes: u64| Line {
        at: SystemTime::now() - Duration::from_secs(minutes * 60),
        level,
        target: target.to_owned(),
        message: message.to_owned(),
        fields: Map::new(),
    };
    for (level, target, message, minutes) in [
        (Level::INFO, "controlplane::publish", "too old", 61),
        (Level::INFO, "controlplane::publish::grpc", "joined", 3),
        (Level::WARN, "controlplane::publish", "slow", 2),
        (Level::ERROR, "controlplane::publisher", "other", 1),
    ] {
        api.lines.push(line(level, target, message, minutes));
    }
    let read = async |query: &str| {
        let lines = api
            .get(&format!("/api/logs/console{query}"))
            .await
            .expect(200)
            .clone();
        let messages = lines
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["message"].as_str().unwrap().to_owned());
        messages.collect::<Vec<_>>()
    };
    assert_eq!(read("").await, ["joined", "slow", "other"]);
    assert_eq!(read("?level=warn").await, ["slow", "other"]);
    assert_eq!(read("?limit=1").await, ["other"]);
    assert_eq!(read("?component=controlplane::publish").await, ["joined", "slow"]);
    let lines = api.get("/api/logs/console?level=error").await.expect(200).clone();
    assert_eq!(
        (&lines[0]["level"], &lines[0]["component"]),
        (&json!("error"), &json!("controlplane::publisher"))
    );
    let _data_plane = DataPlane::join(&api, |op| {
        let Op::ReadLog(asked) = op else {
            return Reply::Refused("unexpected");
        };
        assert_eq!(
            (asked.level.as_str(), asked.component.as_str(), asked.limit),
            ("warn", "", 200)
        );
        let line = log_lines::Line {
            at_ms: 1_700_000_000_123,
            level: "warn".to_owned(),
            component: "dataplane::sync".to_owned(),
            message: "late".to_owned(),
            fields: r#"{"revision":7}"#.to_owned(),
        };
        Reply::done(Answer::LogLines(LogLines { lines: vec![line] }))
    })
    .await;
    let lines = api.get("/api/logs/console?node=dp-1&level=warn").await;
    let expected = json!([{
        "timestamp": "2023-11-14T22:13:20.123Z", "level": "warn", "component": "dataplane::sync", "message": "late",
        "fields": { "revision": 7 },
    }]);
    assert_eq!(lines.expect(200), &expected);
    let missing = api.get("/api/logs/console?node=dp-2").await;
    missing.expect_error(404, "RESOURCE_001");
    for query in ["?limit=0", "?limit=2001", "?level=loud"] {
        let refused = api.get(&format!("/api/logs/console{query}")).await;
        refused.expect_error(400, "VALIDATION_001");
    }
}

#[tokio::test]
async fn a_key_is_shown_again_only_where_the_installation_keeps_a_copy() {
    let api = Api::start().await;
    let made = api
        .post("/api/keys", json!({ "name": "k" }))
        .await
        .expect(201)
        .clone();
    let path = format!("/api/keys/{}/reveal", made["id"].as_str().unwrap());
    api.get(&path).await.expect_error(403, "AUTH_004");

    let password = api.first_run_password.clone().unwrap();
    let keeping = Api::start_logged_out(api.database.clone(), 1, "127.0.0.1:20128", |config| {
        config.api_key_reveal = true;
    })
    .await;
    keeping.log_in(&password).await;
    keeping.get(&path).await.expect_error(409, "RESOURCE_002");
    let made = keeping
        .post("/api/keys", json!({ "name": "kept", "scopes": ["manage"] }))
        .await
        .expect(201)
        .clone();
    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
    let shown = keeping.get(&format!("{path}/reveal")).await;
    assert_eq!(shown.expect(200), &json!({ "key": made["key"] }));
    let again = keeping
        .post(&format!("{path}/regenerate"), json!({}))
        .await
        .expect(200)
        .clone();
    let shown = keeping.get(&format!("{path}/reveal")).await;
    assert_eq!(shown.expect(200)["key"], again["key"]);

    let key = again["key"].as_str().unwrap();
    let by_key = keeping
        .with_key(key, Method::GET, &format!("{path}/reveal"), None)
        .await;
    by_key.expect_error(403, "AUTH_004");
    let missing = format!("/api/keys/{}/reveal", Uuid::now_v7());
    keeping.get(&missing).await.expect_error(404, "RESOURCE_001");
    let rows = api
        .get("/api/compliance/audit-log?action=apiKey.revealed")
        .await
        .expect(200)
        .clone();
    let statuses: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["success", "success", "denied"]);
}

#[tokio::test]
async fn the_path_that_showed_every_credential_is_gone() {
    let api = Api::start().await;
    api.get("/api/providers/client")
        .await
        .expect_error(410, "RESOURCE_001");
}
