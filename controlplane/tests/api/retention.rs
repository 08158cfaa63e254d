//! How long the log of requests is kept, and the tables it is kept in.

use std::sync::Arc;

use chrono::{DateTime, Days, TimeDelta, Utc};
use controlplane::retention;
use serde_json::json;
use sqlx::Connection;
use uuid::Uuid;

use crate::{
    support::{Api, Database},
    usage::{self, event},
};

/// Requests that ended some days ago, and one batch of them that could not be read.
async fn store(api: &Api, days_ago: i32, requests: i32) {
    sqlx::query(
        "insert into usage_event
             (request_id, spool_id, seq, data_plane_id, client_request_id, phase, started_at, duration_ms, ttft_ms,
              endpoint, client_dialect, model_requested, provider, stream, http_status, outcome, input_uncached,
              input_cache_read, input_cache_write, output_visible, output_reasoning, evidence, config_revision,
              attempts, reached_provider)
         select gen_random_uuid(), $3, n, 'dp', 'r', 'final', now() - make_interval(days => $1), 1, 1, '/v1',
                'openai_chat', 'm', 'openai', false, 200, 'ok', 0, 0, 0, 0, 0, 'none', 1, '[]', true
         from generate_series(1, $2) as n",
    )
    .bind(days_ago)
    .bind(requests)
    .bind(Uuid::now_v7())
    .execute(api.db.pool())
    .await
    .unwrap();
    sqlx::query(
        "insert into usage_quarantine (spool_id, first_seq, last_seq, reason, payload, noticed_at)
         values ($2, 1, 1, 'unreadable', '', now() - make_interval(days => $1))",
    )
    .bind(days_ago)
    .bind(Uuid::now_v7())
    .execute(api.db.pool())
    .await
    .unwrap();
}

async fn left(api: &Api) -> (i64, i64) {
    sqlx::query_as("select (select count(*) from usage_event), (select count(*) from usage_quarantine)")
        .fetch_one(api.db.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn days_older_than_the_setting_says_are_dropped_and_what_was_added_up_stays() {
    let api = Api::start().await;
    store(&api, 91, 2_500).await;
    store(&api, 31, 3).await;
    store(&api, 29, 4).await;
    sqlx::query(
        "insert into spending (key_id, quarter, cost_nano, requests)
         values (gen_random_uuid(), now() - interval '91 days', 7, 1)",
    )
    .execute(api.db.pool())
    .await
    .unwrap();

    assert_eq!(retention::clean(&api.db, Utc::now()).await.unwrap(), 2_500);
    assert_eq!(left(&api).await, (7, 2));
    api.put("/api/settings", json!({ "logRetentionDays": 30 }))
        .await
        .expect(200);
    assert_eq!(retention::clean(&api.db, Utc::now()).await.unwrap(), 3);
    assert_eq!(retention::clean(&api.db, Utc::now()).await.unwrap(), 0);
    assert_eq!(left(&api).await, (4, 1));

    let spent: i64 = sqlx::query_scalar("select sum(cost_nano)::bigint from spending")
        .fetch_one(api.db.pool())
        .await
        .unwrap();
    assert_eq!(spent, 7);
    let audit = api
        .get("/api/compliance/audit-log?action=compliance.cleanup")
        .await;
    let rows = audit.expect(200).as_array().unwrap();
    assert_eq!(rows.len(), 2, "nothing deleted is nothing to tell");
    assert_eq!(rows[0]["details"], json!({ "requests": 3, "olderThanDays": 30 }));
}

#[tokio::test]
async fn while_one_control_plane_deletes_another_leaves_it_alone() {
    let api = Api::start_on(Arc::new(Database::create().await), 4, |_| {}).await;
    store(&api, 100, 3).await;
    let mut other = api.db.pool().begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtext('retention'))")
        .execute(&mut *other)
        .await
        .unwrap();
    assert_eq!(retention::clean(&api.db, Utc::now()).await.unwrap(), 0);
    other.rollback().await.unwrap();
    let later = Utc::now().checked_add_days(Days::new(1)).unwrap();
    assert_eq!(retention::clean(&api.db, later).await.unwrap(), 3);
}

#[tokio::test]
async fn the_audit_trail_is_kept_twice_as_long_as_the_log_and_never_less_than_half_a_year() {
    let api = Api::start().await;
    let entries = async |days_ago: i32, count: i32| {
        sqlx::query(
            "insert into audit_log (at, action, actor, status)
             select now() - make_interval(days => $1), 'old.entry', 'somebody', 'success' from generate_series(1, $2)",
        )
        .bind(days_ago)
        .bind(count)
        .execute(api.db.pool())
        .await
        .unwrap();
    };
    // the oldest come first, as they do where nobody makes them up
    sqlx::query("delete from audit_log")
        .execute(api.db.pool())
        .await
        .unwrap();
    entries(181, 2_300).await;
    entries(179, 5).await;
    let now = Utc::now();
    api.put("/api/settings", json!({ "logRetentionDays": 365 }))
        .await
        .expect(200);
    assert_eq!(retention::clean_audit(&api.db, now).await.unwrap(), 0);
    api.put("/api/settings", json!({ "logRetentionDays": 1 }))
        .await
        .expect(200);
    assert_eq!(retention::clean_audit(&api.db, now).await.unwrap(), 2_300);
    assert_eq!(api.audited("old.entry").await, 5);
    let told = api
        .get("/api/compliance/audit-log?action=compliance.audit.cleanup")
        .await;
    assert_eq!(
        told.expect(200)[0]["details"],
        json!({ "entries": 2_300, "olderThanDays": 180 })
    );
}

/// The tables that requests are in, and how many.
async fn tables(api: &Api) -> Vec<(String, i64)> {
    sqlx::query_as("select tableoid::regclass::text, count(*) from usage_event group by 1 order by 1")
        .fetch_all(api.db.pool())
        .await
        .unwrap()
}

fn table(at: DateTime<Utc>) -> String {
    at.format("usage_event_%Y%m%d").to_string()
}

#[tokio::test]
async fn a_request_is_in_the_table_of_its_day_and_where_clocks_are_wrong_in_the_rest() {
    let api = Api::start().await;
    let now = Utc::now();
    let (lately, late) = (now - TimeDelta::days(40), now - TimeDelta::days(200));
    let (long_ago, never) = (
        "1971-01-01T00:00:00Z".parse().unwrap(),
        now + TimeDelta::days(4_000),
    );
    usage::store(&api, [now, lately, late, long_ago, never].map(event).into()).await;
    let mut expected = [now, lately, late].map(|at| (table(at), 1)).to_vec();
    expected.sort();
    expected.push(("usage_event_rest".to_owned(), 2));
    assert_eq!(tables(&api).await, expected);
    let rows = api.get("/api/usage/request-logs").await;
    assert_eq!(rows.expect(200).as_array().unwrap().len(), 5);
    // what is too old has gone, wherever it was
    assert_eq!(retention::clean(&api.db, now).await.unwrap(), 2);
    assert_eq!(
        tables(&api).await,
        [
            (table(lately), 1),
            (table(now), 1),
            ("usage_event_rest".to_owned(), 1)
        ]
    );
}

#[tokio::test]
async fn a_batch_is_stored_while_no_table_can_be_made_and_moves_there_later() {
    let api = Api::start_on(Arc::new(Database::create().await), 4, |_| {}).await;
    let at = Utc::now() - TimeDelta::days(3);
    let mut reader = api.db.pool().begin().await.unwrap();
    sqlx::query("lock table usage_event_rest in access share mode")
        .execute(&mut *reader)
        .await
        .unwrap();
    usage::store(&api, vec![event(at)]).await;
    assert_eq!(tables(&api).await, [("usage_event_rest".to_owned(), 1)]);
    reader.rollback().await.unwrap();

    let (one, other) = tokio::join!(
        retention::prepare(api.db.pool(), at),
        retention::prepare(api.db.pool(), at)
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(tables(&api).await, [(table(at), 1)]);
}

#[tokio::test]
async fn a_day_that_somebody_reads_is_dropped_when_they_are_done() {
    let api = Api::start_on(Arc::new(Database::create().await), 4, |_| {}).await;
    let now = Utc::now();
    usage::store(&api, vec![event(now - TimeDelta::days(100))]).await;
    let mut reader = api.db.pool().begin().await.unwrap();
    sqlx::query("select count(*) from usage_event")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    assert_eq!(retention::clean(&api.db, now).await.unwrap(), 0);
    reader.rollback().await.unwrap();
    assert_eq!(retention::clean(&api.db, now).await.unwrap(), 1);
}

#[tokio::test]
async fn a_database_from_before_there_were_tables_of_days_keeps_its_requests() {
    let database = Database::create().await;
    let mut conn = sqlx::PgConnection::connect(&database.url).await.unwrap();
    let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let number = file.file_name().unwrap().to_str().unwrap()[..4].to_owned();
        if number == "0022" {
            sqlx::raw_sql(
                "insert into usage_event
                     (request_id, spool_id, seq, data_plane_id, client_request_id, phase, started_at, duration_ms,
                      ttft_ms, endpoint, client_dialect, model_requested, provider, stream, http_status, outcome,
                      input_uncached, input_cache_read, input_cache_write, output_visible, output_reasoning, evidence,
                      config_revision, attempts, translation_losses, reached_provider, decision, no_log)
                 select gen_random_uuid(), gen_random_uuid(), n, 'dp', 'r', 'final', now() - make_interval(days => n),
                        7, 1, '/v1', 'openai_chat', 'm', 'openai', false, 200, 'ok', n, 0, 0, 0, 0, 'none', 1, '[]', 0,
                        true, 'x', n = 5
                 from generate_series(0, 500, 5) as n;
                 insert into usage_hour
                 select date_trunc('hour', started_at, 'UTC'), '00000000-0000-0000-0000-000000000000', 'openai', 'm',
                        '00000000-0000-0000-0000-000000000000', null, 1, 0, 0, 1, input_uncached, 0, 0, 0, 0, 0,
                        started_at
                 from usage_event",
            )
            .execute(&mut conn)
            .await
            .unwrap();
        }
        let text = std::fs::read_to_string(&file).unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(text))
            .execute(&mut conn)
            .await
            .unwrap();
    }
    let kept: (i64, i64, i64, i64) = sqlx::query_as(
        "select count(*), sum(input_uncached)::bigint, count(*) filter (where decision is not null),
                count(*) filter (where tableoid = 'usage_event_rest'::regclass) from usage_event",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(kept, (101, 500 * 101 / 2, 101, 21));
    let summed: (i64, i64, i64) = sqlx::query_as(
        "select sum(reached)::bigint, sum(duration_ms)::bigint, (select count(*) from usage_stale) from usage_hour",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(summed, (101, 707, 101));
    let terms: Vec<String> = sqlx::query_scalar("select term from usage_term order by term")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    assert_eq!(terms, ["m:m", "p:openai", "s:200", "u:/v1"]);
}
