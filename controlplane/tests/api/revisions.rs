use std::sync::Arc;

use serde_json::json;

use crate::support::{Api, Database};

/// Each write makes one revision, no revision is missing, and each has its one audit row. On one connection as on
/// many.
#[tokio::test]
async fn a_hundred_writers_make_a_hundred_dense_revisions_with_one_audit_row_each() {
    for connections in [1, 10] {
        let api = Api::start_on(Arc::new(Database::create().await), connections, |_| {}).await;
        let writes = (0..100).map(|number| api.post("/api/keys", json!({ "name": format!("key {number}") })));
        let answers = futures::future::join_all(writes).await;

        let mut revisions: Vec<i64> = answers
            .iter()
            .map(|answer| {
                answer.expect(201);
                answer.header("x-config-revision").parse().unwrap()
            })
            .collect();
        revisions.sort_unstable();
        assert_eq!(revisions, (1..=100).collect::<Vec<_>>());

        // In the order of commit: a later audit row never has an earlier revision.
        let audited: Vec<i64> =
            sqlx::query_scalar("select revision from audit_log where revision is not null order by id")
                .fetch_all(api.db.pool())
                .await
                .unwrap();
        assert_eq!(audited, (1..=100).collect::<Vec<_>>());
        let head: i64 = sqlx::query_scalar("select revision from config_head")
            .fetch_one(api.db.pool())
            .await
            .unwrap();
        assert_eq!(head, 100);
    }
}

#[tokio::test]
async fn concurrent_creates_of_one_provider_keep_its_order_dense() {
    let api = Api::start_on(Arc::new(Database::create().await), 10, |_| {}).await;
    let creates = (0..20).map(|number| {
        api.post(
            "/api/providers",
            json!({ "provider": "openai", "apiKey": "k", "name": format!("c{number}"), "priority": 1 }),
        )
    });
    for answer in futures::future::join_all(creates).await {
        answer.expect(201);
    }
    let priorities: Vec<i32> =
        sqlx::query_scalar("select priority from provider_connection order by priority")
            .fetch_all(api.db.pool())
            .await
            .unwrap();
    assert_eq!(priorities, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_refused_write_leaves_no_revision_and_no_audit_row() {
    let api = Api::start().await;
    api.post("/api/combos", json!({ "name": "c" })).await.expect(201);
    api.post("/api/combos", json!({ "name": "c" })).await.expect(409);
    api.post("/api/combos", json!({ "name": "d", "models": ["d"] }))
        .await
        .expect(400);
    let head: i64 = sqlx::query_scalar("select revision from config_head")
        .fetch_one(api.db.pool())
        .await
        .unwrap();
    assert_eq!((head, api.audited("combo.created").await), (1, 1));
}

#[tokio::test]
async fn a_write_is_announced_when_it_is_committed() {
    let database = Arc::new(Database::create().await);
    let api = Api::start_on(Arc::clone(&database), 1, |_| {}).await;
    let mut listener = sqlx::postgres::PgListener::connect(&database.url).await.unwrap();
    listener.listen(controlplane::db::CONFIG_CHANNEL).await.unwrap();
    let answer = api.post("/api/keys", json!({ "name": "n" })).await;
    let heard = tokio::time::timeout(std::time::Duration::from_secs(5), listener.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(heard.payload(), answer.header("x-config-revision"));
}
