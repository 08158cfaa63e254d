//! How long the log of requests is kept.

use std::sync::Arc;

use chrono::{Days, Utc};
use controlplane::retention;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Api, Database};

/// Requests that ended some days ago, and one batch of them that could not be read.
async fn store(api: &Api, days_ago: i32, requests: i32) {
    sqlx::query(
        "insert into usage_event
             (request_id, spool_id, seq, data_plane_id, client_request_id, phase, started_at, duration_ms, ttft_ms,
              endpoint, client_dialect, model_requested, provider, stream, http_status, outcome, input_uncached,
              input_cache_read, input_cache_write, output_visible, output_reasoning, evidence, config_revision,
              attempts, translation_losses, reached_provider)
         select gen_random_uuid(), $3, n, 'dp', 'r', 'final', now() - make_interval(days => $1), 1, 1, '/v1',
                'openai_chat', 'm', 'openai', false, 200, 'ok', 0, 0, 0, 0, 0, 'none', 1, '[]', 0, true
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
async fn requests_older_than_the_setting_says_are_deleted_batch_by_batch_and_what_was_added_up_stays() {
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
