//! Bodies of requests: stored as data planes send them, read by whoever may, gone in time.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use controlplane::{bodies::Bodies, ingest::Ingest, rekey::rekey, retention, vault::Vault};
use prost::Message;
use proto::v1::{Capture, CapturedBody, Captures, UsageBatch, UsageEvent, UsageEvents};
use runtime::{
    crypto::{self, ClusterKeys, SealKey},
    secret::Secret,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    support::{Api, CLUSTER_SECRET, Database, STORAGE_KEY},
    usage::event,
};

fn body(text: &str) -> Option<CapturedBody> {
    Some(CapturedBody {
        text: text.to_owned(),
        original_bytes: text.len() as u64,
        truncated: false,
    })
}

fn ingest(api: &Api) -> Ingest {
    let key = Secret::new(STORAGE_KEY.to_owned());
    let wire = ClusterKeys::derive(CLUSTER_SECRET).captures;
    Ingest::new(&api.db).with_bodies(Bodies::new(&api.db, &key, wire))
}

/// One request and what is captured of it, as a data plane reports them that seals with `wire`.
async fn store_with(api: &Api, wire: &SealKey, event: UsageEvent, capture: Capture) -> String {
    let (id, spool_id) = (event.request_id.clone(), Uuid::now_v7().to_string());
    let events = vec![UsageEvent { seq: 1, ..event }];
    let zstd_events = Bytes::from(zstd::bulk::compress(&UsageEvents { events }.encode_to_vec(), 1).unwrap());
    let capture = Capture {
        request_id: id.clone(),
        ..capture
    };
    let captures = Captures {
        captures: vec![capture],
    };
    let packed = zstd::bulk::compress(&captures.encode_to_vec(), 1).unwrap();
    let place = proto::captures_place(&spool_id);
    let batch = UsageBatch {
        data_plane_id: "dp".to_owned(),
        spool_id,
        first_seq: 1,
        last_seq: 1,
        crc32c: crc32c::crc32c(&zstd_events),
        zstd_events,
        sealed_captures: crypto::seal(wire, place.as_bytes(), &packed).to_bytes().into(),
    };
    let ack = ingest(api).store(&batch).await.unwrap();
    assert_eq!((ack.durable_seq, ack.reject.as_str()), (1, ""));
    id
}

async fn store(api: &Api, event: UsageEvent, request: &str, response: &str) -> String {
    let wire = ClusterKeys::derive(CLUSTER_SECRET).captures;
    let capture = Capture {
        key_id: event.key_id.clone(),
        request: body(request),
        response: body(response),
        ..Capture::default()
    };
    store_with(api, &wire, event, capture).await
}

fn path(id: &str) -> String {
    format!("/api/usage/call-logs/{id}")
}

#[tokio::test]
async fn bodies_are_read_with_their_request_and_every_reading_is_on_record() {
    let api = Api::start().await;
    let id = store(
        &api,
        event(Utc::now()),
        r#"{"model":"m","a":[1]}"#,
        "data: [DONE]\n\n",
    )
    .await;
    let wire = ClusterKeys::derive(CLUSTER_SECRET).captures;
    let cut = CapturedBody {
        text: "{\"model\":\"m".to_owned(),
        original_bytes: 70_000,
        truncated: true,
    };
    let capture = Capture {
        request: Some(cut),
        ..Capture::default()
    };
    let long = store_with(&api, &wire, event(Utc::now() - TimeDelta::minutes(1)), capture).await;
    let without = Uuid::now_v7().to_string();
    let plain = UsageEvent {
        request_id: without.clone(),
        ..event(Utc::now() - TimeDelta::minutes(2))
    };
    crate::usage::store(&api, vec![plain]).await;

    let log = api.get("/api/usage/call-logs").await.expect(200).clone();
    let has: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert_eq!(row.get("requestBody"), None, "a list has no bodies");
            (
                row["id"].as_str().unwrap(),
                row["hasRequestBody"] == true,
                row["hasResponseBody"] == true,
            )
        })
        .collect();
    assert_eq!(
        has,
        [
            (id.as_str(), true, true),
            (long.as_str(), true, false),
            (without.as_str(), false, false)
        ]
    );
    assert_eq!(api.audited("usage.body.read").await, 0);

    let one = api.get(&path(&id)).await.expect(200).clone();
    assert_eq!(one["requestBody"], json!({ "model": "m", "a": [1] }));
    assert_eq!(one["responseBody"], "data: [DONE]\n\n");
    let one = api.get(&path(&long)).await.expect(200).clone();
    let expected = json!({ "_truncated": true, "_originalSize": 70_000, "_preview": "{\"model\":\"m" });
    assert_eq!(
        (&one["requestBody"], &one["responseBody"]),
        (&expected, &Value::Null)
    );
    assert_eq!(api.audited("usage.body.read").await, 2);
    let audit = api.get("/api/compliance/audit-log?action=usage.body.read").await;
    let newest = &audit.expect(200)[0];
    assert!(newest.to_string().contains(&long), "{newest}");

    // neither is reading, and neither is on record
    let one = api
        .get(&format!("{}?bodies=false", path(&id)))
        .await
        .expect(200)
        .clone();
    assert_eq!(
        (&one["hasRequestBody"], &one["requestBody"]),
        (&json!(true), &Value::Null)
    );
    api.get(&path(&without)).await.expect(200);
    assert_eq!(api.audited("usage.body.read").await, 2);
}

#[tokio::test]
async fn whoever_may_only_look_sees_that_there_are_bodies_and_not_what_they_say() {
    let api = Api::start().await;
    let id = store(&api, event(Utc::now()), "{\"a\":1}", "{\"b\":2}").await;
    let (look, manage) = (api.key(&["read"]).await, api.key(&["manage"]).await);
    for (key, expected) in [(look, Value::Null), (manage, json!({ "a": 1 }))] {
        let one = api
            .with_key(&key, axum::http::Method::GET, &path(&id), None)
            .await;
        let one = one.expect(200);
        assert_eq!(
            (&one["hasRequestBody"], &one["requestBody"]),
            (&json!(true), &expected)
        );
    }
    assert_eq!(api.audited("usage.body.read").await, 1);
}

#[tokio::test]
async fn bodies_of_a_key_that_is_not_to_be_logged_are_not_stored() {
    let api = Api::start().await;
    let key = api.post("/api/keys", json!({ "name": "k", "noLog": true })).await;
    let quiet = UsageEvent {
        key_id: key.expect(201)["id"].as_str().unwrap().to_owned(),
        ..event(Utc::now())
    };
    store(&api, quiet, "{}", "{}").await;
    store(&api, event(Utc::now()), "{}", "{}").await;
    let kept: i64 = sqlx::query_scalar("select count(*) from usage_body")
        .fetch_one(api.db.pool())
        .await
        .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn bodies_that_do_not_open_are_lost_and_their_request_is_accounted_all_the_same() {
    let api = Api::start().await;
    let capture = Capture {
        request: body("{}"),
        ..Capture::default()
    };
    let id = store_with(
        &api,
        &SealKey::derive("test", "another"),
        event(Utc::now()),
        capture,
    )
    .await;
    let one = api.get(&path(&id)).await.expect(200).clone();
    assert_eq!(
        (&one["hasRequestBody"], &one["requestBody"]),
        (&json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn bodies_lie_sealed_and_open_under_another_storage_key_once_it_is_rotated() {
    const ANOTHER: &str = "another key for what is stored, of more than 32 characters";
    let database = Arc::new(Database::create().await);
    let api = Api::start_on(Arc::clone(&database), 1, |_| {}).await;
    let id = store(&api, event(Utc::now()), "{\"said\":\"the needle\"}", "{}").await;
    let sealed: Vec<u8> = sqlx::query_scalar("select sealed from usage_body")
        .fetch_one(api.db.pool())
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("needle"));

    let vault = |key: &str| Vault::new(&Secret::new(key.to_owned()));
    assert_eq!(
        rekey(&api.db, &vault(STORAGE_KEY), &vault(ANOTHER))
            .await
            .unwrap(),
        1
    );
    let password = api.first_run_password.clone().unwrap();
    drop(api);
    let api = Api::start_on(database, 1, |config| {
        config.storage_encryption_key = Secret::new(ANOTHER.to_owned());
    })
    .await;
    api.log_in(&password).await;
    let one = api.get(&path(&id)).await.expect(200).clone();
    assert_eq!(one["requestBody"]["said"], "the needle");
}

#[tokio::test]
async fn bodies_are_dropped_by_the_day_and_before_the_requests_they_belong_to() {
    let api = Api::start().await;
    let id = store(&api, event(Utc::now()), "{}", "{}").await;
    // the same some days ago
    for days in [5, 8] {
        sqlx::query("select usage_body_partition(current_date - $1)")
            .bind(days)
            .execute(api.db.pool())
            .await
            .unwrap();
        sqlx::query(
            "insert into usage_body_day select current_date - $1, secret from usage_body_day limit 1",
        )
        .bind(days)
        .execute(api.db.pool())
        .await
        .unwrap();
        sqlx::query(
            "insert into usage_body select gen_random_uuid(), current_date - $1, true, true, sealed from usage_body limit 1",
        )
        .bind(days).execute(api.db.pool()).await.unwrap();
    }
    let counts = async || {
        sqlx::query_as::<_, (i64, i64)>(
            "select (select count(*) from usage_body), (select count(*) from usage_body_day)",
        )
        .fetch_one(api.db.pool())
        .await
        .unwrap()
    };
    assert_eq!(counts().await, (3, 3));
    let now = Utc::now();
    assert_eq!(retention::clean_bodies(&api.db, now).await.unwrap(), 1);
    assert_eq!(counts().await, (2, 2));
    api.patch(
        "/api/settings",
        json!({ "bodyRetentionDays": 30, "logRetentionDays": 3 }),
    )
    .await
    .expect(200);
    assert_eq!(
        retention::clean_bodies(&api.db, now).await.unwrap(),
        1,
        "no longer than the log"
    );
    assert_eq!(retention::clean_bodies(&api.db, now).await.unwrap(), 0);
    assert_eq!(counts().await, (1, 1));
    let audit = api
        .get("/api/compliance/audit-log?action=compliance.bodies.cleanup")
        .await;
    let rows = audit.expect(200).as_array().unwrap();
    assert_eq!(rows[0]["details"], json!({ "requests": 1, "olderThanDays": 3 }));
    assert_eq!(rows.len(), 2, "nothing dropped is nothing to tell");

    let later = now + TimeDelta::days(4);
    assert_eq!(retention::clean_bodies(&api.db, later).await.unwrap(), 1);
    let one = api.get(&path(&id)).await.expect(200).clone();
    assert_eq!(
        (&one["hasRequestBody"], &one["requestBody"]),
        (&json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn the_table_of_tomorrow_is_made_ahead_where_bodies_are_kept_and_goes_with_its_day() {
    let api = Api::start().await;
    let tables = async || {
        sqlx::query_scalar::<_, i64>(
            "select count(*) from pg_inherits where inhparent = 'usage_body'::regclass",
        )
        .fetch_one(api.db.pool())
        .await
        .unwrap()
    };
    let now = Utc::now();
    retention::prepare(api.db.pool(), now).await.unwrap();
    assert_eq!(tables().await, 0, "nobody keeps bodies");
    store(&api, event(now), "{}", "{}").await;
    retention::prepare(api.db.pool(), now).await.unwrap();
    assert_eq!(tables().await, 2, "today's and tomorrow's");

    // bodies are not kept any more, and tomorrow's table stays as empty as it is
    let later = now + TimeDelta::days(30);
    assert_eq!(retention::clean_bodies(&api.db, later).await.unwrap(), 1);
    assert_eq!(tables().await, 0);
}

#[tokio::test]
async fn whether_bodies_are_captured_is_a_setting_that_is_off() {
    let api = Api::start().await;
    let before = api.get("/api/settings").await.expect(200).clone();
    assert_eq!(
        (
            &before["captureBodies"],
            &before["captureBodiesPercent"],
            &before["bodyRetentionDays"]
        ),
        (&json!(false), &json!(100), &json!(7))
    );
    let body = json!({ "captureBodies": true, "captureBodiesPercent": 5, "bodyRetentionDays": 1 });
    let after = api.patch("/api/settings", body).await.expect(200).clone();
    assert_eq!(
        (
            &after["captureBodies"],
            &after["captureBodiesPercent"],
            &after["bodyRetentionDays"]
        ),
        (&json!(true), &json!(5), &json!(1))
    );
}
