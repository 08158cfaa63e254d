use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;
use chrono::Utc;
use controlplane::ingest::Ingest;
use prost::Message;
use proto::v1::{UsageBatch, UsageEvent, UsageEvents, usage_event::Phase};
use runtime::period::{Calendar, zone};
use serde_json::{Value, json};
use state::BudgetStanding;
use testkit::wait_until;
use uuid::Uuid;

use crate::support::Api;

const PATH: &str = "/api/usage/budget";
const NOBODY: &str = "0190b6a0-0000-7000-8000-000000000000";

async fn key(api: &Api, name: &str) -> String {
    let created = api.post("/api/keys", json!({ "name": name })).await;
    created.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn status(api: &Api, key: &str) -> Value {
    api.get(&format!("{PATH}?apiKeyId={key}"))
        .await
        .expect(200)
        .clone()
}

/// A request of the key that cost so much, as a data plane reports it; `times` times the same one.
async fn spend(api: &Api, key: &str, cost_nano: i64, times: usize) {
    let event = UsageEvent {
        request_id: Uuid::now_v7().to_string(),
        phase: Phase::Final.into(),
        started_at_ms: Utc::now().timestamp_millis(),
        key_id: key.to_owned(),
        reached_provider: true,
        cost_nano: Some(cost_nano),
        ..UsageEvent::default()
    };
    for _ in 0..times {
        // a spool that started over reports the same request again
        let events = UsageEvents {
            events: vec![UsageEvent {
                seq: 1,
                ..event.clone()
            }],
        };
        let zstd_events = Bytes::from(zstd::bulk::compress(&events.encode_to_vec(), 1).unwrap());
        let batch = UsageBatch {
            data_plane_id: "dp".to_owned(),
            spool_id: Uuid::now_v7().to_string(),
            first_seq: 1,
            last_seq: 1,
            crc32c: crc32c::crc32c(&zstd_events),
            zstd_events,
            ..UsageBatch::default()
        };
        let ack = Ingest::new(&api.db).store(&batch).await.unwrap();
        assert_eq!(ack.reject, "");
    }
}

#[tokio::test]
async fn a_budget_is_set_in_either_form_and_read_in_both() {
    let api = Api::start().await;
    let id = key(&api, "laptop").await;
    let short = json!({ "keyId": id, "limit": 50.0, "period": "monthly" });
    let set = api.post(PATH, short).await.expect(200).clone();
    assert_eq!(
        set,
        json!({
            "success": true, "apiKeyId": id, "keyId": id, "limit": 50.0, "period": "monthly",
            "dailyLimitUsd": 0.0, "weeklyLimitUsd": 0.0, "monthlyLimitUsd": 50.0, "warningThreshold": 0.8,
        })
    );
    let long = json!({ "apiKeyId": id, "dailyLimitUsd": 5, "warningThreshold": 70 });
    let set = api.put(PATH, long).await.expect(200).clone();
    assert_eq!(
        set,
        json!({
            "success": true, "apiKeyId": id,
            "dailyLimitUsd": 5.0, "weeklyLimitUsd": 0.0, "monthlyLimitUsd": 50.0, "warningThreshold": 0.7,
        })
    );
    let mut read = status(&api, &id).await;
    let reset = read["resetAt"].take();
    let ends = Calendar::Daily.period(Utc::now(), zone("").unwrap()).ends_at;
    assert_eq!(reset.as_str().unwrap(), ends.format("%FT%T.000Z").to_string());
    assert_eq!(
        read,
        json!({
            "apiKeyId": id, "apiKeyName": "laptop",
            "dailyTotal": 0.0, "weeklyTotal": 0.0, "monthlyTotal": 0.0, "totalEntries": 0,
            "budget": {
                "dailyLimitUsd": 5.0, "weeklyLimitUsd": 0.0, "monthlyLimitUsd": 50.0, "warningThreshold": 0.7,
            },
            "budgetCheck": {
                "allowed": true, "reason": null, "dailyUsed": 0.0, "dailyLimit": 5.0, "warningReached": false,
            },
            "limit": 5.0, "period": "daily", "used": 0.0, "remaining": 5.0, "resetAt": null,
        })
    );
    let removed = json!({ "apiKeyId": id, "dailyLimitUsd": null });
    api.post(PATH, removed).await.expect(200);
    assert_eq!(status(&api, &id).await["period"], "monthly");
    assert_eq!(api.audited("budget.set").await, 3);
}

#[tokio::test]
async fn what_a_budget_may_be_is_checked() {
    let api = Api::start().await;
    let id = key(&api, "n").await;
    for (body, field) in [
        (json!({ "dailyLimitUsd": 1 }), "apiKeyId"),
        (
            json!({ "apiKeyId": id, "keyId": id, "dailyLimitUsd": 1 }),
            "keyId",
        ),
        (json!({ "apiKeyId": id }), ""),
        (json!({ "apiKeyId": id, "warningThreshold": 0.5 }), ""),
        (json!({ "apiKeyId": id, "dailyLimitUsd": 0 }), "dailyLimitUsd"),
        (json!({ "apiKeyId": id, "weeklyLimitUsd": -1 }), "weeklyLimitUsd"),
        (
            json!({ "apiKeyId": id, "monthlyLimitUsd": 1_000_001 }),
            "monthlyLimitUsd",
        ),
        (json!({ "keyId": id, "limit": 1 }), "period"),
        (json!({ "keyId": id, "limit": 1, "period": "yearly" }), "period"),
        (
            json!({ "keyId": id, "dailyLimitUsd": 1, "period": "daily" }),
            "limit",
        ),
        (
            json!({ "apiKeyId": id, "dailyLimitUsd": 1, "warningThreshold": 101 }),
            "warningThreshold",
        ),
        (json!({ "apiKeyId": id, "dailyLimitUsd": null }), ""),
    ] {
        let answer = api.post(PATH, body.clone()).await;
        let details = answer.expect_error(400, "VALIDATION_001")["details"].clone();
        assert_eq!(details[0]["field"], field, "{body}");
    }
    let unknown = json!({ "keyId": NOBODY, "limit": 1, "period": "daily" });
    api.post(PATH, unknown).await.expect_error(404, "RESOURCE_001");
    api.get(&format!("{PATH}?apiKeyId={NOBODY}"))
        .await
        .expect_error(404, "RESOURCE_001");
    api.delete(PATH).await.expect_error(400, "VALIDATION_001");
    api.delete(&format!("{PATH}?keyId={NOBODY}"))
        .await
        .expect_error(404, "RESOURCE_001");
}

#[tokio::test]
async fn a_budget_is_removed_alone_or_with_its_key() {
    let api = Api::start().await;
    let (one, other) = (key(&api, "one").await, key(&api, "other").await);
    for id in [&one, &other] {
        let body = json!({ "keyId": id, "limit": 1, "period": "weekly" });
        api.post(PATH, body).await.expect(200);
    }
    let listed = api.get(PATH).await.expect(200).clone();
    assert_eq!(listed["budgets"].as_array().unwrap().len(), 2);
    for removed in [true, false] {
        let answer = api.delete(&format!("{PATH}?apiKeyId={one}")).await;
        assert_eq!(answer.expect(200), &json!({ "removed": removed }));
    }
    api.delete(&format!("/api/keys/{other}")).await.expect(200);
    assert_eq!(api.get(PATH).await.expect(200), &json!({ "budgets": [] }));
    let all = api.get(&format!("{PATH}?all=true")).await.expect(200).clone();
    assert_eq!(all["budgets"][0]["apiKeyId"], json!(one));
    assert_eq!(all["budgets"][0]["limit"], Value::Null);
}

#[tokio::test]
async fn what_was_spent_is_what_the_ledger_says_and_counts_once() {
    let api = Api::start().await;
    let id = key(&api, "n").await;
    spend(&api, &id, 1_234_500_000, 3).await;
    let body = json!({ "apiKeyId": id, "dailyLimitUsd": 1, "monthlyLimitUsd": 10 });
    api.post(PATH, body).await.expect(200);
    let read = status(&api, &id).await;
    assert_eq!(
        (&read["dailyTotal"], &read["monthlyTotal"], &read["totalEntries"]),
        (&json!(1.2345), &json!(1.2345), &json!(1))
    );
    let check = &read["budgetCheck"];
    assert_eq!(
        (&check["allowed"], &check["reason"], &check["warningReached"]),
        (
            &json!(false),
            &json!("Daily budget exceeded: $1.2345 / $1.00"),
            &json!(true)
        )
    );
    assert_eq!(
        (&read["period"], &read["remaining"]),
        (&json!("daily"), &json!(0.0))
    );
}

#[tokio::test]
async fn the_state_store_learns_what_was_spent_before_and_after_it_lost_its_memory() {
    let api = Api::start().await;
    let id = key(&api, "n").await;
    spend(&api, &id, 700, 1).await;
    let body = json!({ "keyId": id, "limit": 1, "period": "daily" });
    api.post(PATH, body).await.expect(200);
    let period = Calendar::Daily.period(Utc::now(), zone("").unwrap()).name;
    let counted = async || api.store.spending(&id, &[&period]).await.unwrap()[0];
    let spent = |spent_nano| BudgetStanding {
        spent_nano,
        reserved_nano: 0,
    };
    assert_eq!(
        counted().await,
        spent(700),
        "with the budget comes what was spent so far"
    );
    spend(&api, &id, 50, 1).await;
    api.store.forget_key(&id).await.unwrap();
    // a change of the budget is enough; else it takes until the next round
    let body = json!({ "keyId": id, "limit": 2, "period": "daily" });
    api.post(PATH, body).await.expect(200);
    wait_until("the ledger to be told", Duration::from_secs(5), || async {
        (counted().await == spent(750)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn limits_of_a_key_are_set_read_back_and_cleared() {
    let api = Api::start().await;
    let limits = json!({ "name": "n", "rpm": 600, "tpm": 60_000, "concurrency": 8 });
    let id = api.post("/api/keys", limits).await.expect(201)["id"].clone();
    let path = format!("/api/keys/{}", id.as_str().unwrap());
    let read = api.get(&path).await.expect(200).clone();
    let of = |key: &Value| json!([key["rpm"], key["tpm"], key["concurrency"]]);
    assert_eq!(of(&read), json!([600, 60_000, 8]));
    api.patch(&path, json!({ "tpm": null, "concurrency": 9 }))
        .await
        .expect(200);
    let read = api.get(&path).await.expect(200).clone();
    assert_eq!(of(&read), json!([600, null, 9]));
    // what was read may be written back
    api.put(&path, read).await.expect(200);
    for (field, value) in [("rpm", 0), ("concurrency", -1), ("tpm", 60_000_001)] {
        let answer = api.patch(&path, json!({ field: value })).await;
        assert_eq!(
            answer.expect_error(400, "VALIDATION_001")["details"][0]["field"],
            field
        );
    }
}

#[tokio::test]
async fn budgets_are_counted_where_the_settings_say() {
    let api = Api::start().await;
    let settings = json!({ "budgetTimezone": "Pacific/Kiritimati" });
    let changed = api
        .send(api.request(Method::PATCH, "/api/settings", Some(settings)))
        .await;
    assert_eq!(changed.expect(200)["budgetTimezone"], "Pacific/Kiritimati");
    let id = key(&api, "n").await;
    let body = json!({ "keyId": id, "limit": 1, "period": "daily" });
    api.post(PATH, body).await.expect(200);
    let reset = status(&api, &id).await["resetAt"].as_str().unwrap().to_owned();
    assert!(reset.ends_with("T10:00:00.000Z"), "{reset}");
    for zone in ["Middle/Earth", ""] {
        let answer = api
            .patch("/api/settings", json!({ "budgetTimezone": zone }))
            .await;
        answer.expect_error(400, "VALIDATION_001");
    }
}

#[tokio::test]
async fn that_a_budget_is_nearly_spent_is_told_once_a_period() {
    let api = Api::start().await;
    let (near, far) = (key(&api, "near").await, key(&api, "far").await);
    for id in [&near, &far] {
        let budget =
            json!({ "apiKeyId": id, "dailyLimitUsd": 1, "monthlyLimitUsd": 100, "warningThreshold": 0.8 });
        api.post(PATH, budget).await.expect(200);
    }
    spend(&api, &near, 800_000_000, 1).await;
    spend(&api, &far, 799_999_999, 1).await;
    for _ in 0..3 {
        controlplane::spending::warn(api.db.pool()).await.unwrap();
    }
    let trail = api.get("/api/compliance/audit-log?action=budget.warning").await;
    let trail = trail.expect(200).as_array().unwrap().clone();
    assert_eq!(trail.len(), 1, "{trail:?}");
    let today = Calendar::Daily.period(Utc::now(), zone("").unwrap()).name;
    assert_eq!(
        (
            &trail[0]["actor"],
            &trail[0]["target"],
            &trail[0]["details"]["period"]
        ),
        (&json!("system"), &json!(format!("key:{near}")), &json!(today))
    );
    assert_eq!(trail[0]["details"]["spentNano"], 800_000_000);
}
