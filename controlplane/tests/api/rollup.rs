//! Sums of hours and days: they say what the rows say, whenever somebody asks.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use controlplane::rollup::{self, Grains};
use proto::v1::UsageEvent;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    support::{Api, Database},
    usage::{event, store},
};

const FILTERS: [&str; 6] = [
    "range=all",
    "range=7d",
    "range=all&provider=anthropic",
    "range=all&model=gpt-4o",
    "range=all&apiKeyId=018f0000-0000-7000-8000-000000000001",
    "from=2026-03-01T07:00:00Z&to=2026-03-03T09:00:00Z",
];

/// Everything that sums answer, without what changes by itself.
async fn answers(api: &Api) -> Vec<Value> {
    let mut answers = Vec::new();
    for filter in FILTERS {
        for page in ["history", "analytics"] {
            let mut answer = api
                .get(&format!("/api/usage/{page}?{filter}"))
                .await
                .expect(200)
                .clone();
            answer.as_object_mut().unwrap().remove("last10Minutes");
            answers.push(answer);
        }
    }
    answers
}

fn of(at: DateTime<Utc>, provider: &str, model: &str, key: u8) -> UsageEvent {
    UsageEvent {
        provider: provider.to_owned(),
        model_served: model.to_owned(),
        key_id: format!("018f0000-0000-7000-8000-{key:012}"),
        key_name: format!("key {key}"),
        connection_id: Uuid::from_u128(u128::from(key) + 7).to_string(),
        ..event(at)
    }
}

/// Some days in spring and the last ones, each hour with something else.
async fn fill(api: &Api) {
    let spring: DateTime<Utc> = "2026-02-28T22:15:00Z".parse().unwrap();
    let recent = Utc::now() - TimeDelta::hours(60);
    let events = (0..60).flat_map(|n| {
        let (provider, model) = if n % 3 == 0 {
            ("anthropic", "claude-sonnet-4-5")
        } else {
            ("openai", "gpt-4o")
        };
        let key = 1 + (n % 2) as u8;
        let later = TimeDelta::hours(n);
        [spring, recent].map(|first| of(first + later, provider, model, key))
    });
    store(api, events.collect()).await;
}

async fn marks(api: &Api) -> i64 {
    sqlx::query_scalar("select count(*) from usage_stale")
        .fetch_one(api.db.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn sums_say_the_same_before_they_are_made_and_after_and_after_late_requests() {
    let api = Api::start().await;
    for zone in ["UTC", "America/New_York", "Asia/Kathmandu"] {
        api.patch("/api/settings", json!({ "budgetTimezone": zone }))
            .await
            .expect(200);
        fill(&api).await;
        let before = answers(&api).await;
        rollup::add_up(api.db.pool(), Utc::now()).await.unwrap();
        assert_eq!(marks(&api).await, 0);
        assert_eq!(answers(&api).await, before, "{zone}");
        let days: i64 = sqlx::query_scalar("select count(*) from usage_day where is_built")
            .fetch_one(api.db.pool())
            .await
            .unwrap();
        assert!(days >= 5, "{days} days of {zone} were added up");

        let requests = |answers: &[Value]| answers[0]["totalRequests"].as_i64().unwrap();
        let late = "2026-03-01T12:00:00Z".parse().unwrap();
        store(&api, vec![of(late, "openai", "gpt-4o", 1)]).await;
        let with_late = answers(&api).await;
        assert_eq!(requests(&with_late), requests(&before) + 1);
        for _ in 0..2 {
            rollup::add_up(api.db.pool(), Utc::now()).await.unwrap();
            assert_eq!(answers(&api).await, with_late, "{zone}");
        }
    }
}

#[tokio::test]
async fn days_of_another_time_zone_are_added_up_anew() {
    let api = Api::start().await;
    fill(&api).await;
    rollup::add_up(api.db.pool(), Utc::now()).await.unwrap();
    api.patch("/api/settings", json!({ "budgetTimezone": "Asia/Tokyo" }))
        .await
        .expect(200);
    let before = answers(&api).await;
    rollup::add_up(api.db.pool(), Utc::now()).await.unwrap();
    assert_eq!(answers(&api).await, before);
    let first = before[1]["dailyTrend"][0]["date"].clone();
    assert_eq!(first, "2026-03-01", "in Tokyo it was March already");
}

#[tokio::test]
async fn what_is_stored_while_sums_are_made_is_not_forgotten() {
    let api = Api::start_on(Arc::new(Database::create().await), 4, |_| {}).await;
    let at: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
    store(&api, vec![of(at, "openai", "gpt-4o", 1)]).await;
    let total = async || {
        let history = api.get("/api/usage/history").await;
        history.expect(200)["totalRequests"].as_i64().unwrap()
    };

    // a batch that began before the sums are made, and ends after
    let mut batch = api.db.pool().begin().await.unwrap();
    sqlx::query("update usage_hour set requests = requests + 1")
        .execute(&mut *batch)
        .await
        .unwrap();
    sqlx::query("insert into usage_stale (hour) values ($1)")
        .bind(at)
        .execute(&mut *batch)
        .await
        .unwrap();
    rollup::add_up(api.db.pool(), Utc::now()).await.unwrap();
    assert_eq!(total().await, 1);
    batch.commit().await.unwrap();
    assert_eq!(total().await, 2);
    rollup::add_up(api.db.pool(), Utc::now()).await.unwrap();
    assert_eq!((total().await, marks(&api).await), (2, 0));
}

#[tokio::test]
async fn while_one_control_plane_adds_up_another_leaves_it_alone() {
    let api = Api::start_on(Arc::new(Database::create().await), 4, |_| {}).await;
    let mut other = api.db.pool().begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtext('rollup'))")
        .execute(&mut *other)
        .await
        .unwrap();
    store(&api, vec![event(Utc::now())]).await;
    rollup::add_up(api.db.pool(), Utc::now()).await.unwrap();
    assert!(marks(&api).await > 0);
    other.rollback().await.unwrap();
    rollup::add_up(api.db.pool(), Utc::now()).await.unwrap();
    assert_eq!(marks(&api).await, 0);
}

#[tokio::test]
async fn each_hour_of_a_span_is_taken_from_one_place() {
    let api = Api::start().await;
    fill(&api).await;
    rollup::add_up(api.db.pool(), Utc::now()).await.unwrap();
    let at = |text: &str| Some(text.parse::<DateTime<Utc>>().unwrap());
    store(&api, vec![event(at("2026-03-02T05:30:00Z").unwrap())]).await;

    let zone = rollup::day_zone(api.db.pool()).await.unwrap();
    let (from, to) = (at("2026-02-28T23:30:00Z"), at("2026-03-03T02:00:00Z"));
    let grains = Grains::of(api.db.pool(), from, to, zone).await.unwrap();
    assert_eq!(grains.days, [at("2026-03-01T00:00:00Z").unwrap()]);
    assert_eq!(grains.stale, [at("2026-03-02T05:00:00Z").unwrap()]);
    // one of February, a day with an hour that changed, two of the last day
    assert_eq!(grains.hours.len(), 1 + 23 + 2);
}
