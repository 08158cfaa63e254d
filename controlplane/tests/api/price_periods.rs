//! Prices that begin at some moment, and pricing anew what was used before.

use chrono::{DateTime, TimeDelta, Utc};
use proto::v1::UsageEvent;
use serde_json::{Value, json};

use crate::{
    support::Api,
    usage::{event, store},
};

const PERIODS: &str = "/api/pricing/periods";
const REPRICE: &str = "/api/pricing/reprice";

fn close(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap();
    assert!((value - expected).abs() < 1e-9, "{value} and not {expected}");
}

/// A thousand tokens in and a hundred out, of GPT-4o: 0.0025 and 0.001 USD by the list.
fn used(at: DateTime<Utc>) -> UsageEvent {
    UsageEvent {
        input_uncached: 1_000,
        input_cache_read: 0,
        output_visible: 100,
        output_reasoning: 0,
        cost_nano: Some(3_500_000),
        ..event(at)
    }
}

#[tokio::test]
async fn a_price_counts_from_its_moment_on_until_the_next() {
    let api = Api::start().await;
    let now = Utc::now();
    let begin = |at: DateTime<Utc>, input: f64| json!({ "provider": "openai", "model": "gpt-4o", "effectiveFrom": at, "input": input });
    let listed = api.get("/api/pricing").await.expect(200)["openai"]["gpt-4o"].clone();
    api.put(PERIODS, begin(now + TimeDelta::days(1), 9.0))
        .await
        .expect(200);
    let still = api.get("/api/pricing").await.expect(200)["openai"]["gpt-4o"].clone();
    assert_eq!(still, listed, "it is not tomorrow yet");

    let set = api.put(PERIODS, begin(now - TimeDelta::days(1), 4.0)).await;
    assert!(set.headers.contains_key("x-config-revision"));
    close(&set.expect(200)["input"], 4.0);
    let current = api.get("/api/pricing").await.expect(200)["openai"]["gpt-4o"].clone();
    assert_eq!(
        (&current["input"], &current["output"]),
        (&json!(4), &listed["output"])
    );
    // a period comes before what is said for all times, and is not mixed into it
    let all_times = json!({ "openai": { "gpt-4o": { "output": 3 } } });
    let patched = api.patch("/api/pricing", all_times).await.expect(200)["openai"]["gpt-4o"].clone();
    assert_eq!(
        (&patched["input"], &patched["output"]),
        (&json!(4), &listed["output"])
    );

    let all = api.get(PERIODS).await.expect(200).clone();
    let inputs: Vec<_> = all["periods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["input"])
        .collect();
    assert_eq!(inputs, [4.0, 9.0]);
    let former = &all["former"][0];
    assert_eq!(
        (&former["model"], &former["effectiveUntil"]),
        (&json!("gpt-4o"), &json!("2024-10-02T00:00:00.000Z"))
    );
    let none = api
        .get("/api/pricing/periods?provider=anthropic")
        .await
        .expect(200)
        .clone();
    assert_eq!(none, json!({ "periods": [], "former": [] }));

    let at = (now - TimeDelta::days(1)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let path = format!("{PERIODS}?provider=openai&model=gpt-4o&effectiveFrom={at}");
    assert_eq!(api.delete(&path).await.expect(200), &json!({ "removed": true }));
    assert_eq!(api.delete(&path).await.expect(200), &json!({ "removed": false }));
    let after = api.get("/api/pricing").await.expect(200)["openai"]["gpt-4o"].clone();
    assert_eq!((&after["input"], &after["output"]), (&listed["input"], &json!(3)));
    assert_eq!(api.audited("pricing.period.set").await, 2);
    assert_eq!(api.audited("pricing.period.removed").await, 1);
}

#[tokio::test]
async fn a_period_needs_a_provider_a_price_and_a_moment() {
    let api = Api::start().await;
    let good = json!({ "provider": "openai", "model": "gpt-4o", "effectiveFrom": "2026-01-01T00:00:00Z", "input": 1 });
    for (field, value) in [
        ("provider", json!("nobody")),
        ("model", json!("")),
        ("input", json!(-1)),
        ("input", json!(null)),
        ("effectiveFrom", json!("soon")),
        ("model", json!("a-model-that-nobody-lists")),
        ("surcharge", json!(1)),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = api.put(PERIODS, body).await;
        assert_eq!(answer.status, 400, "{field}");
    }
    api.put(PERIODS, good).await.expect(200);
}

#[tokio::test]
async fn pricing_anew_shows_and_then_books_the_difference_and_never_what_was_billed() {
    let api = Api::start().await;
    let now = Utc::now();
    let long_ago = now - TimeDelta::days(20);
    let changed = now - TimeDelta::days(10);
    let unpriced = UsageEvent {
        cost_nano: None,
        ..used(now - TimeDelta::days(5))
    };
    let refused = UsageEvent {
        reached_provider: false,
        served_from: String::new(),
        ..used(now - TimeDelta::days(5))
    };
    let events = [long_ago, changed, now - TimeDelta::hours(1)].map(used);
    store(&api, events.into_iter().chain([unpriced, refused]).collect()).await;

    // ten days ago input became twice as dear
    let dearer = json!({ "provider": "openai", "model": "gpt-4o", "effectiveFrom": changed, "input": 5 });
    api.put(PERIODS, dearer).await.expect(200);
    let mut range = json!({ "from": now - TimeDelta::days(30), "to": now });
    let preview = api.post(REPRICE, range.clone()).await.expect(200).clone();
    assert_eq!(
        (
            &preview["dryRun"],
            &preview["id"],
            &preview["requests"],
            &preview["changed"]
        ),
        (&json!(true), &json!(null), &json!(4), &json!(3))
    );
    close(&preview["billed"], 3.0 * 0.0035);
    // two that cost 0.0025 more, and one that was billed nothing: 0.005 and 0.001
    close(&preview["delta"], 2.0 * 0.0025 + 0.006);
    assert_eq!(preview["models"][0]["model"], "gpt-4o");
    let history = async || api.get("/api/usage/history").await.expect(200).clone();
    close(&history().await["totalAdjustment"], 0.0);
    assert_eq!(api.audited("pricing.repriced").await, 0);

    range["dryRun"] = json!(false);
    let booked = api.post(REPRICE, range.clone()).await.expect(200).clone();
    assert!(booked["id"].is_string());
    close(&booked["delta"], 0.011);
    // again: there is nothing left to book
    let again = api.post(REPRICE, range.clone()).await.expect(200).clone();
    assert_eq!((&again["changed"], &again["models"]), (&json!(0), &json!([])));
    close(&again["adjusted"], 0.011);
    assert_eq!(api.audited("pricing.repriced").await, 2);

    let sums = history().await;
    close(&sums["totalCost"], 3.0 * 0.0035);
    close(&sums["totalAdjustment"], 0.011);
    close(&sums["byProvider"]["openai"]["adjustment"], 0.011);
    let picture = api.get("/api/usage/analytics").await.expect(200).clone();
    close(&picture["summary"]["totalAdjustment"], 0.011);
    let rows = api.get("/api/usage/request-logs").await.expect(200).clone();
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["cost"].is_null())
        .unwrap();
    close(&row["adjustment"], 0.006);

    // a price that is taken back is a difference like any other
    let gone = format!(
        "{PERIODS}?provider=openai&model=gpt-4o&effectiveFrom={}",
        millis(changed)
    );
    assert_eq!(api.delete(&gone).await.expect(200), &json!({ "removed": true }));
    range["model"] = json!("gpt-4o");
    range["provider"] = json!("openai");
    let back = api.post(REPRICE, range).await.expect(200).clone();
    close(&back["delta"], -3.0 * 0.0025);
    let ledger: Vec<i64> =
        sqlx::query_scalar("select cost_nano from usage_event where cost_nano is not null")
            .fetch_all(api.db.pool())
            .await
            .unwrap();
    assert_eq!(ledger, [3_500_000; 4], "what was billed stays");
    let runs = api.get(REPRICE).await.expect(200).clone();
    let requests: Vec<_> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["requests"])
        .collect();
    assert_eq!(requests, [3, 0, 3]);
}

fn millis(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[tokio::test]
async fn only_a_stretch_of_the_past_can_be_priced_anew() {
    let api = Api::start().await;
    let now = Utc::now();
    for (from, to) in [
        (now, now - TimeDelta::days(1)),
        (now - TimeDelta::days(1), now + TimeDelta::days(1)),
        (now - TimeDelta::days(500), now),
    ] {
        let answer = api.post(REPRICE, json!({ "from": from, "to": to })).await;
        answer.expect_error(400, "VALIDATION_001");
    }
    let unknown = json!({ "from": now - TimeDelta::days(1), "to": now, "provider": "nobody" });
    api.post(REPRICE, unknown)
        .await
        .expect_error(400, "VALIDATION_001");
}
