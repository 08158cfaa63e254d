//! What becomes of requests afterwards: where they are shown, where they only count, and what an export holds of them.

use axum::http::Method;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use proto::v1::{Attempt, UsageEvent};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    db_backups::Kept,
    support::Api,
    usage::{account, event, store},
};

async fn key(api: &Api, body: Value) -> String {
    let created = api.post("/api/keys", body).await;
    created.expect(201)["id"].as_str().unwrap().to_owned()
}

fn of_key(key: &str, at: DateTime<Utc>) -> UsageEvent {
    UsageEvent {
        key_id: key.to_owned(),
        key_name: "laptop".to_owned(),
        attempts: vec![Attempt {
            provider: "openai".to_owned(),
            model: "gpt-4o".to_owned(),
            outcome: "ok".to_owned(),
            ..Attempt::default()
        }],
        ..event(at)
    }
}

/// A bundle, opened.
fn opened(bytes: &[u8]) -> (tempfile::TempDir, Connection) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("export.sqlite");
    std::fs::write(&path, bytes).unwrap();
    let conn = Connection::open(&path).unwrap();
    (place, conn)
}

fn count(conn: &Connection, table: &str) -> i64 {
    conn.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0))
        .unwrap()
}

/// `noLog` was stored and never looked at.
#[tokio::test]
async fn requests_of_a_key_that_is_not_logged_count_and_are_shown_nowhere() {
    let kept = Kept::start().await;
    let api = &kept.api;
    let (quiet, loud) = (
        key(api, json!({ "name": "quiet", "noLog": true })).await,
        key(api, json!({ "name": "loud" })).await,
    );
    let now = Utc::now();
    let events = vec![of_key(&quiet, now), of_key(&loud, now)];
    let ids: Vec<String> = events.iter().map(|event| event.request_id.clone()).collect();
    store(api, events).await;
    // whoever changes their mind does not bring back what was not to be kept
    api.patch(&format!("/api/keys/{quiet}"), json!({ "noLog": false }))
        .await
        .expect(200);

    for path in [
        "/api/usage/request-logs",
        "/api/usage/call-logs",
        "/api/usage/logs?format=json",
        "/api/usage/proxy-logs",
    ] {
        let rows = api.get(path).await.expect(200).as_array().unwrap().clone();
        assert_eq!(rows.len(), 1, "{path}: {rows:?}");
        let id = rows[0]["id"].as_str().unwrap();
        assert!(id.starts_with(&ids[1]), "{path}: {id}");
    }
    for path in ["/api/usage/call-logs", "/api/explain"] {
        api.get(&format!("{path}/{}", ids[0]))
            .await
            .expect_error(404, "RESOURCE_001");
        api.get(&format!("{path}/{}", ids[1])).await.expect(200);
    }
    let (_place, file) = opened(&kept.export("?include=usage,logs").await);
    assert_eq!((count(&file, "call_logs"), count(&file, "usage_history")), (1, 2));

    let history = api.get("/api/usage/history").await.expect(200).clone();
    assert_eq!(history["totalRequests"], 2);
    let budget = json!({ "apiKeyId": quiet, "dailyLimitUsd": 1 });
    api.post("/api/usage/budget", budget).await.expect(200);
    let standing = api.get(&format!("/api/usage/budget?apiKeyId={quiet}")).await;
    assert_eq!(standing.expect(200)["dailyTotal"], 0.01);
    // from then on it is logged
    store(api, vec![of_key(&quiet, now)]).await;
    let rows = api.get("/api/usage/request-logs").await;
    assert_eq!(rows.expect(200).as_array().unwrap().len(), 2);
}

/// When something was used last was never stored.
#[tokio::test]
async fn a_key_says_when_it_was_used_last_and_is_no_other_version_for_it() {
    let api = Api::start().await;
    let (used, unused) = (
        key(&api, json!({ "name": "used" })).await,
        key(&api, json!({ "name": "unused" })).await,
    );
    let path = format!("/api/keys/{used}");
    let before = api.get(&path).await;
    assert_eq!(before.expect(200)["lastUsedAt"], Value::Null);
    let last: DateTime<Utc> = "2026-03-01T10:59:59.250Z".parse().unwrap();
    let events = vec![
        of_key(&used, last - TimeDelta::hours(5)),
        of_key(&used, last),
        of_key(&used, last - TimeDelta::minutes(20)),
        // another month and another key
        event(last + TimeDelta::days(30)),
    ];
    store(&api, events).await;

    let after = api.get(&path).await;
    let expected = last.to_rfc3339_opts(SecondsFormat::Millis, true);
    assert_eq!(after.expect(200)["lastUsedAt"], expected);
    assert_eq!(after.header("etag"), before.header("etag"));
    let listed = api.get("/api/keys").await.expect(200)["keys"].clone();
    let shown = |id: &str| {
        let keys = listed.as_array().unwrap();
        keys.iter().find(|key| key["id"] == id).unwrap()["lastUsedAt"].clone()
    };
    assert_eq!((shown(&used), shown(&unused)), (json!(expected), Value::Null));
    let mut put = api.request(Method::PUT, &path, Some(after.body.clone()));
    put.headers_mut()
        .insert("if-match", before.header("etag").parse().unwrap());
    api.send(put).await.expect(200);
}

#[tokio::test]
async fn an_export_holds_what_was_used_where_it_is_asked_for() {
    let kept = Kept::start().await;
    let api = &kept.api;
    let laptop = key(api, json!({ "name": "laptop" })).await;
    let connection = account(api, "prod").await;
    let at: DateTime<Utc> = "2026-03-01T10:07:00Z".parse().unwrap();
    let events = vec![
        UsageEvent {
            connection_id: connection.clone(),
            combo: "smart".to_owned(),
            input_cache_write: 2,
            upstream_dialect: "anthropic_messages".to_owned(),
            duration_ms: 1500,
            ..of_key(&laptop, at)
        },
        UsageEvent {
            outcome: "upstream_error".to_owned(),
            error_code: "overloaded".to_owned(),
            http_status: 502,
            cost_nano: Some(5_000_000),
            ..of_key(&laptop, at + TimeDelta::minutes(1))
        },
    ];
    let id = events[0].request_id.clone();
    store(api, events).await;

    for (query, expected) in [
        ("", (0, 0, 0)),
        ("?include=config", (0, 0, 0)),
        ("?include=usage", (2, 0, 1)),
        ("?include=logs", (0, 2, 0)),
        ("?include=config,usage,logs", (2, 2, 1)),
    ] {
        let (_place, file) = opened(&kept.export(query).await);
        let counts = (
            count(&file, "usage_history"),
            count(&file, "call_logs"),
            count(&file, "domain_cost_history"),
        );
        assert_eq!(counts, expected, "{query}");
        assert_eq!(count(&file, "api_keys"), 1, "the configuration is always there");
        // states of the moment, and who did what, are nobody else's
        for empty in [
            "domain_lockout_state",
            "domain_circuit_breakers",
            "semantic_cache",
            "audit_log",
        ] {
            assert_eq!(count(&file, empty), 0, "{empty}");
        }
    }

    let bytes = kept.export("?include=usage,logs").await;
    let (_place, file) = opened(&bytes);
    let history: Vec<(String, String, String, [i64; 5], String, String)> = file
        .prepare(
            "select provider, model, connection_id, tokens_input, tokens_cache_read, tokens_cache_creation,
                    tokens_output, tokens_reasoning, status, timestamp from usage_history order by id",
        )
        .unwrap()
        .query_map([], |row| {
            let tokens = [row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?];
            let connection: Option<String> = row.get(2)?;
            Ok((
                row.get(0)?,
                row.get(1)?,
                connection.unwrap_or_default(),
                tokens,
                row.get(8)?,
                row.get(9)?,
            ))
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let row = |connection: &str, written, status: &str, at: &str| {
        let text = str::to_owned;
        let tokens = [4, 6, written, 15, 5];
        (
            text("openai"),
            text("gpt-4o"),
            text(connection),
            tokens,
            text(status),
            text(at),
        )
    };
    assert_eq!(
        history,
        [
            row(&connection, 2, "success", "2026-03-01T10:07:00.000Z"),
            row("", 0, "error", "2026-03-01T10:08:00.000Z"),
        ],
        "oldest first"
    );

    let call: Value = file
        .query_row(
            "select json_object('timestamp', timestamp, 'method', method, 'path', path, 'status', status,
                 'model', model, 'provider', provider, 'account', account, 'connection', connection_id,
                 'duration', duration, 'in', tokens_in, 'out', tokens_out, 'source', source_format,
                 'target', target_format, 'key', api_key_id, 'name', api_key_name, 'combo', combo_name,
                 'bodies', coalesce(request_body, response_body), 'error', error)
             from call_logs where id = ?",
            [&id],
            |row| Ok(serde_json::from_str(&row.get::<_, String>(0)?).unwrap()),
        )
        .unwrap();
    let expected = json!({
        "timestamp": "2026-03-01T10:07:00.000Z", "method": "POST", "path": "/v1/chat/completions", "status": 200,
        "model": "gpt-4o", "provider": "openai", "account": "prod", "connection": connection, "duration": 1500,
        "in": 12, "out": 20, "source": "openai_chat", "target": "anthropic_messages", "key": laptop,
        "name": "laptop", "combo": "smart", "bodies": null, "error": null,
    });
    assert_eq!(call, expected);
    let cost: (String, f64, i64) = file
        .query_row(
            "select api_key_id, cost, timestamp from domain_cost_history",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    let quarter: DateTime<Utc> = "2026-03-01T10:00:00Z".parse().unwrap();
    assert_eq!(cost, (laptop, 0.015, quarter.timestamp_millis()));

    // handed out, and never taken over
    let other = Kept::start().await;
    other.import(&bytes, &[]).await.expect(200);
    let history = other.api.get("/api/usage/history").await;
    assert_eq!(history.expect(200)["totalRequests"], 0);
    assert_eq!(
        other.api.get("/api/usage/call-logs").await.expect(200),
        &json!([])
    );

    let unknown = api.get("/api/db-backups/export?include=usage,everything").await;
    let error = unknown.expect_error(400, "VALIDATION_001");
    assert_eq!(error["details"][0]["field"], "include");
}
