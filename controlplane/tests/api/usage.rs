//! What was used: stored as data planes report it, read as the dashboard does.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use controlplane::{ingest::Ingest, rollup};
use prost::Message;
use proto::v1::{
    Attempt, Pending, UsageBatch, UsageEvent, UsageEvents, usage_event::Evidence, usage_event::Phase,
};
use serde_json::{Value, json};
use state::ConnectionLoad;
use testkit::wait_until;
use uuid::Uuid;

use crate::{data_plane::DataPlane, support::Api};

/// A request of ten tokens in and twenty out, at a cent, answered by GPT-4o.
pub fn event(at: DateTime<Utc>) -> UsageEvent {
    UsageEvent {
        request_id: Uuid::now_v7().to_string(),
        client_request_id: "r-1".to_owned(),
        phase: Phase::Final.into(),
        started_at_ms: at.timestamp_millis(),
        endpoint: "/v1/chat/completions".to_owned(),
        client_dialect: "openai_chat".to_owned(),
        model_requested: "openai/gpt-4o".to_owned(),
        model_served: "gpt-4o".to_owned(),
        provider: "openai".to_owned(),
        outcome: "ok".to_owned(),
        http_status: 200,
        input_uncached: 4,
        input_cache_read: 6,
        output_visible: 15,
        output_reasoning: 5,
        evidence: Evidence::ProviderReported.into(),
        reached_provider: true,
        served_from: "provider".to_owned(),
        cost_nano: Some(10_000_000),
        ..UsageEvent::default()
    }
}

/// One batch of a spool of its own, sent twice as a data plane does that did not hear the answer.
pub async fn store(api: &Api, events: Vec<UsageEvent>) {
    store_of(api, "dp", events).await;
}

/// As a data plane of that name does.
async fn store_of(api: &Api, data_plane_id: &str, mut events: Vec<UsageEvent>) {
    let spool_id = Uuid::now_v7().to_string();
    for (seq, event) in (1..).zip(&mut events) {
        event.seq = seq;
    }
    let last_seq = events.len() as u64;
    let zstd_events = Bytes::from(zstd::bulk::compress(&UsageEvents { events }.encode_to_vec(), 1).unwrap());
    let batch = UsageBatch {
        data_plane_id: data_plane_id.to_owned(),
        spool_id,
        first_seq: 1,
        last_seq,
        crc32c: crc32c::crc32c(&zstd_events),
        zstd_events,
        ..UsageBatch::default()
    };
    for _ in 0..2 {
        let ack = Ingest::new(&api.db).store(&batch).await.unwrap();
        assert_eq!((ack.durable_seq, ack.reject.as_str()), (last_seq, ""));
    }
}

async fn key(api: &Api, name: &str) -> String {
    let created = api.post("/api/keys", json!({ "name": name })).await;
    created.expect(201)["id"].as_str().unwrap().to_owned()
}

pub async fn account(api: &Api, name: &str) -> String {
    let body = json!({ "provider": "openai", "name": name, "apiKey": "sk-upstream" });
    let created = api.post("/api/providers", body).await;
    created.expect(201)["connection"]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[tokio::test]
async fn what_was_used_is_summed_up_by_everything_one_may_ask_for_and_once() {
    let api = Api::start().await;
    let (laptop, account) = (key(&api, "laptop").await, account(&api, "prod").await);
    let now = Utc::now();
    let of_laptop = UsageEvent {
        key_id: laptop.clone(),
        key_name: "laptop".to_owned(),
        connection_id: account.clone(),
        ..event(now)
    };
    let events = vec![
        of_laptop.clone(),
        UsageEvent {
            request_id: Uuid::now_v7().to_string(),
            outcome: "stream_error".to_owned(),
            cost_nano: None,
            ..of_laptop.clone()
        },
        UsageEvent {
            provider: "anthropic".to_owned(),
            model_served: "claude-sonnet-4-5".to_owned(),
            served_from: "cache".to_owned(),
            reached_provider: false,
            cost_nano: Some(0),
            ..event(now)
        },
        // refused: that used nothing
        UsageEvent {
            reached_provider: false,
            served_from: String::new(),
            http_status: 429,
            ..of_laptop.clone()
        },
    ];
    let mut events = events;
    for event in &mut events {
        event.request_id = Uuid::now_v7().to_string();
    }
    store(&api, events).await;

    let history = api.get("/api/usage/history").await.expect(200).clone();
    assert_eq!(
        [
            &history["totalRequests"],
            &history["totalPromptTokens"],
            &history["totalCompletionTokens"]
        ],
        [&json!(3), &json!(30), &json!(60)]
    );
    assert!((number(&history["totalCost"]) - 0.01).abs() < 1e-9);
    assert_eq!(history["unpricedRequests"], 1);
    let openai = &history["byProvider"]["openai"];
    assert_eq!(
        (
            &openai["requests"],
            &openai["errors"],
            &openai["cacheReadTokens"],
            &openai["reasoningTokens"]
        ),
        (&json!(2), &json!(1), &json!(12), &json!(10))
    );
    assert_eq!(history["byProvider"]["anthropic"]["givenAgain"], 1);
    let model = &history["byModel"]["gpt-4o (openai)"];
    assert_eq!(
        (&model["rawModel"], &model["requests"]),
        (&json!("gpt-4o"), &json!(2))
    );
    assert!(model["lastUsed"].is_string());
    let by_account = &history["byAccount"]["gpt-4o (openai - prod)"];
    assert_eq!(
        (&by_account["connectionId"], &by_account["accountName"]),
        (&json!(account), &json!("prod"))
    );
    let by_key = &history["byApiKey"][format!("laptop ({laptop})")];
    assert_eq!(
        (&by_key["apiKeyId"], &by_key["requests"]),
        (&json!(laptop), &json!(2))
    );
    assert_eq!(history["byApiKey"]["local"]["requests"], 1);
    let minutes = history["last10Minutes"].as_array().unwrap();
    let requests: i64 = minutes
        .iter()
        .map(|minute| minute["requests"].as_i64().unwrap())
        .sum();
    assert_eq!((minutes.len(), requests), (10, 3));
    assert_eq!(history["activeRequests"], json!([]));

    let of = async |query: &str| {
        let history = api.get(&format!("/api/usage/history?{query}")).await;
        history.expect(200)["totalRequests"].clone()
    };
    assert_eq!(of("provider=openai").await, 2);
    assert_eq!(of("model=claude-sonnet-4-5").await, 1);
    assert_eq!(of(&format!("apiKeyId={laptop}")).await, 2);
    assert_eq!(of("range=1d&provider=mistral").await, 0);
    let refused = api.get("/api/usage/history?range=2d").await;
    refused.expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn a_picture_of_usage_has_every_day_in_the_time_zone_of_budgets() {
    let api = Api::start().await;
    // half past eleven at night in New York is the next day in Greenwich
    api.patch("/api/settings", json!({ "budgetTimezone": "America/New_York" }))
        .await
        .expect(200);
    let late: DateTime<Utc> = "2026-03-02T04:30:00Z".parse().unwrap();
    let claude = UsageEvent {
        provider: "anthropic".to_owned(),
        model_served: "claude-sonnet-4-5".to_owned(),
        output_visible: 25,
        ..event(late + TimeDelta::days(1))
    };
    store(&api, vec![event(late), event(late), claude]).await;

    let picture = api
        .get("/api/usage/analytics?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z")
        .await
        .expect(200)
        .clone();
    assert_eq!(picture["range"], "custom");
    let summary = &picture["summary"];
    assert_eq!(
        (
            &summary["totalTokens"],
            &summary["totalRequests"],
            &summary["uniqueModels"]
        ),
        (&json!(100), &json!(3), &json!(2))
    );
    let days: Vec<_> = picture["dailyTrend"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| (day["date"].clone(), day["requests"].clone()))
        .collect();
    assert_eq!(
        days,
        [(json!("2026-03-01"), json!(2)), (json!("2026-03-02"), json!(1))]
    );
    assert_eq!(
        picture["dailyByModel"],
        json!([
            { "date": "2026-03-01", "gpt-4o": 60 },
            { "date": "2026-03-02", "claude-sonnet-4-5": 40 },
        ])
    );
    assert_eq!(picture["modelNames"], json!(["claude-sonnet-4-5", "gpt-4o"]));
    let first = &picture["byModel"][0];
    assert_eq!(
        (
            &first["model"],
            &first["provider"],
            &first["totalTokens"],
            &first["pct"]
        ),
        (&json!("gpt-4o"), &json!("openai"), &json!(60), &json!("60.0"))
    );
    assert_eq!(picture["byProvider"][1]["pct"], "40.0");
    assert_eq!(picture["byApiKey"][0]["apiKey"], "local");
    let sunday = &picture["weeklyPattern"][0];
    assert_eq!(
        sunday,
        &json!({ "day": "Sun", "avgTokens": 60, "totalTokens": 60 })
    );
}

#[tokio::test]
async fn activity_goes_back_a_year_whatever_the_range_is() {
    let api = Api::start().await;
    let now = Utc::now();
    let long_ago = now - TimeDelta::days(100);
    store(
        &api,
        vec![event(now), event(now - TimeDelta::days(1)), event(long_ago)],
    )
    .await;
    let picture = api.get("/api/usage/analytics?range=7d").await.expect(200).clone();
    assert_eq!(picture["summary"]["totalRequests"], 2);
    assert_eq!(picture["summary"]["streak"], 2);
    let day = |at: DateTime<Utc>| at.date_naive().to_string();
    assert_eq!(picture["activityMap"][day(long_ago)], 30);
    assert_eq!(picture["activityMap"].as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn the_log_is_searched_by_what_one_remembers() {
    let api = Api::start().await;
    let (laptop, account) = (key(&api, "laptop_1").await, account(&api, "prod").await);
    let at: DateTime<Utc> = "2026-03-01T10:00:00Z".parse().unwrap();
    let events = vec![
        UsageEvent {
            key_id: laptop.clone(),
            key_name: "laptop_1".to_owned(),
            connection_id: account,
            combo: "smart".to_owned(),
            ..event(at)
        },
        UsageEvent {
            provider: "anthropic".to_owned(),
            model_served: "claude-sonnet-4-5".to_owned(),
            http_status: 502,
            outcome: "upstream_error".to_owned(),
            error_code: "overloaded".to_owned(),
            ..event(at + TimeDelta::hours(1))
        },
        // answered, and broken off later
        UsageEvent {
            outcome: "stream_error".to_owned(),
            ..event(at + TimeDelta::hours(2))
        },
    ];
    let ids: Vec<_> = events.iter().map(|event| event.request_id.clone()).collect();
    store(&api, events).await;
    let found = async |query: &str| {
        let rows = api.get(&format!("/api/usage/call-logs?{query}")).await;
        let rows = rows.expect(200).as_array().unwrap().clone();
        let position = |row: &Value| ids.iter().position(|id| row["id"] == json!(id)).unwrap();
        rows.iter().map(position).collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("", &[2, 1, 0][..]),
        ("status=ok", &[0]),
        ("status=error", &[2, 1]),
        ("status=502", &[1]),
        ("model=SONNET", &[1]),
        ("provider=anthropic", &[1]),
        ("account=pro", &[0]),
        ("apiKey=laptop_", &[0]),
        // no pattern
        ("apiKey=laptop%25", &[]),
        ("combo=any", &[0]),
        ("search=overloaded", &[1]),
        ("search=502", &[1]),
        ("search=smart", &[0]),
        ("from=2026-03-01T11:00:00Z&to=2026-03-01T12:00:00Z", &[1]),
        ("limit=1&status=error", &[2]),
    ] {
        assert_eq!(found(query).await, expected, "{query}");
    }
    let key_id = format!("apiKey={laptop}");
    assert_eq!(found(&key_id).await, [0]);
    for refused in ["status=fine", "status=99", "limit=0"] {
        let answer = api.get(&format!("/api/usage/request-logs?{refused}")).await;
        answer.expect_error(400, "VALIDATION_001");
    }

    let one = api.get(&format!("/api/usage/call-logs/{}", ids[0])).await;
    let one = one.expect(200);
    assert_eq!(
        (
            &one["comboName"],
            &one["account"],
            &one["method"],
            &one["evidence"]
        ),
        (
            &json!("smart"),
            &json!("prod"),
            &json!("POST"),
            &json!("provider_reported")
        )
    );
    assert!((number(&one["cost"]) - 0.01).abs() < 1e-9);
    for unknown in [Uuid::now_v7().to_string(), "no-id".to_owned()] {
        let answer = api.get(&format!("/api/usage/call-logs/{unknown}")).await;
        answer.expect_error(404, "RESOURCE_001");
    }
}

#[tokio::test]
async fn what_is_not_counted_in_tokens_is_in_the_log_and_its_cost_in_the_sums() {
    let api = Api::start().await;
    let now = Utc::now();
    let pictures = UsageEvent {
        endpoint: "/v1/images/generations".to_owned(),
        images: 2,
        cost_nano: Some(80_000_000),
        ..event(now)
    };
    let recording = UsageEvent {
        audio_ms: 61_500,
        cost_nano: None,
        ..event(now - TimeDelta::seconds(1))
    };
    store(
        &api,
        vec![pictures, recording, event(now - TimeDelta::seconds(2))],
    )
    .await;
    let log = api.get("/api/usage/call-logs").await.expect(200).clone();
    let units: Vec<&Value> = log.as_array().unwrap().iter().map(|row| &row["units"]).collect();
    assert_eq!(
        units,
        [&json!({ "images": 2 }), &json!({ "audioMs": 61_500 }), &json!({})]
    );
    assert_eq!((number(&log[0]["cost"]), &log[1]["cost"]), (0.08, &Value::Null));
    let history = api.get("/api/usage/history").await.expect(200).clone();
    assert_eq!(history["unpricedRequests"], 1);
    assert!((number(&history["totalCost"]) - 0.09).abs() < 1e-9, "{history}");
}

#[tokio::test]
async fn percentiles_are_those_of_all_requests_together() {
    let api = Api::start().await;
    let now = Utc::now();
    // one data plane is fast and has many, another is slow and has few
    let took = |ms: u32| UsageEvent {
        duration_ms: ms,
        attempts: vec![Attempt {
            started_after_ms: 2,
            duration_ms: ms - 2,
            ..Attempt::default()
        }],
        ..event(now)
    };
    store_of(&api, "fast", (1..=90).map(|_| took(100)).collect()).await;
    store_of(&api, "slow", (1..=10).map(|n| took(1_000 + 300 * n)).collect()).await;
    let streamed = UsageEvent {
        provider: "claude".to_owned(),
        stream: true,
        ttft_ms: 40,
        ..took(500)
    };
    store(&api, vec![streamed]).await;
    // too long ago
    let before = UsageEvent {
        started_at_ms: (now - TimeDelta::hours(1)).timestamp_millis(),
        ..took(9_999)
    };
    store(&api, vec![before]).await;

    let summary = api.get("/api/telemetry/summary").await.expect(200).clone();
    assert_eq!(
        (&summary["windowMs"], &summary["count"], &summary["totalRequests"]),
        (&json!(300_000), &json!(101), &json!(101))
    );
    let openai = &summary["providers"]["openai"];
    assert_eq!(openai["count"], 100);
    for (percentile, exact) in [("p50", 100.0), ("p95", 2_500.0), ("p99", 3_700.0)] {
        let got = number(&openai[percentile]);
        assert!(
            (got - exact).abs() / exact <= 0.02,
            "{percentile}: {got} and not {exact}"
        );
    }
    assert_eq!(
        summary["providers"]["claude"]["p50"], 40,
        "the first event of a stream"
    );
    assert_eq!(summary["providers"]["claudeCode"], summary["providers"]["claude"]);
    assert_eq!(summary["phaseBreakdown"]["resolve"]["p95"], 2);
    assert_eq!(
        (
            &summary["phaseBreakdown"]["stream"]["count"],
            &summary["phaseBreakdown"]["stream"]["p50"]
        ),
        (&json!(1), &json!(459))
    );
    let metrics = api.get("/api/provider-metrics").await.expect(200).clone();
    // of more than five minutes, so with the one of an hour ago
    let p95 = number(&metrics["metrics"]["openai"]["p95Ms"]);
    assert!((p95 - 2_800.0).abs() / 2_800.0 <= 0.02, "{p95}");
    // what is older than an hour is put together, and counts once
    rollup::add_up(api.db.pool(), now + TimeDelta::hours(3))
        .await
        .unwrap();
    rollup::add_up(api.db.pool(), now + TimeDelta::days(4))
        .await
        .unwrap();
    let condensed: (i64, i64) =
        sqlx::query_as("select sum(n)::bigint, count(distinct grain) from usage_latency where phase = ''")
            .fetch_one(api.db.pool())
            .await
            .unwrap();
    assert_eq!(condensed, (102, 1));
    let day = api.get("/api/telemetry/summary?windowMs=86400000").await;
    assert_eq!(day.expect(200)["count"], 102);
    let least = api.get("/api/telemetry/summary?windowMs=1").await;
    assert_eq!(least.expect(200)["windowMs"], 10_000);
    let refused = api.get("/api/telemetry/summary?windowMs=long").await;
    refused.expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn without_requests_there_are_no_percentiles() {
    let api = Api::start().await;
    let summary = api.get("/api/telemetry/summary").await.expect(200).clone();
    assert_eq!(
        (
            &summary["count"],
            &summary["p99"],
            &summary["providers"],
            &summary["phaseBreakdown"]
        ),
        (&json!(0), &json!(0), &json!({}), &json!({}))
    );
}

#[tokio::test]
async fn what_a_provider_says_is_left_is_told_and_else_that_it_says_nothing() {
    let api = Api::start().await;
    let account = account(&api, "prod").await;
    let path = format!("/api/usage/{account}");
    let silent = api.get(&path).await.expect(200).clone();
    assert!(
        silent["message"]
            .as_str()
            .unwrap()
            .starts_with("openai has not said"),
        "{silent}"
    );
    let load = ConnectionLoad {
        connection: account.clone(),
        provider: "openai".to_owned(),
        limit: Some(500),
        remaining: Some(0),
        reset_at_ms: Some(1_767_225_600_000),
        ..ConnectionLoad::default()
    };
    api.store.report_loads("dp", &[load]).await.unwrap();
    assert_eq!(
        api.get(&path).await.expect(200),
        &json!({
            "limitReached": true,
            "quotas": { "requests": {
                "used": 500, "total": 500, "remaining": 0, "resetAt": "2026-01-01T00:00:00.000Z", "unlimited": false,
            } },
        })
    );
    for unknown in [Uuid::now_v7().to_string(), "no-id".to_owned()] {
        let answer = api.get(&format!("/api/usage/{unknown}")).await;
        answer.expect_error(404, "RESOURCE_001");
    }
}

#[tokio::test]
async fn what_providers_work_on_is_the_sum_of_what_data_planes_say() {
    let api = Api::start().await;
    let prod = account(&api, "prod").await;
    let pending = |connection: &str, model: &str, calls| Pending {
        provider: "openai".to_owned(),
        connection_id: connection.to_owned(),
        model: model.to_owned(),
        calls,
    };
    let nothing = api.get("/api/usage/history").await.expect(200).clone();
    assert_eq!(nothing["pending"], json!({ "byModel": {}, "byAccount": {} }));
    let one = vec![
        pending(&prod, "gpt-4o", 2),
        pending(&prod, "gpt-5", 1),
        pending("gone", "gpt-4o", 4),
    ];
    let _one = DataPlane::join_busy(&api, "dp-1", one).await;
    let other = DataPlane::join_busy(&api, "dp-2", vec![pending(&prod, "gpt-4o", 3)]).await;
    let by_model = async |expected: Value| {
        wait_until("what providers work on", Duration::from_secs(10), async || {
            let history = api.get("/api/usage/history").await.expect(200).clone();
            (history["pending"]["byModel"] == expected).then_some(history)
        })
        .await
    };
    let history = by_model(json!({ "gpt-4o (openai)": 9, "gpt-5 (openai)": 1 })).await;
    let expected = json!({
        &prod: { "gpt-4o (openai)": 5, "gpt-5 (openai)": 1 },
        "gone": { "gpt-4o (openai)": 4 },
    });
    assert_eq!(history["pending"]["byAccount"], expected);
    let active = history["activeRequests"].as_array().unwrap();
    let expected = json!({ "model": "gpt-5", "provider": "openai", "account": "prod", "connectionId": prod, "count": 1 });
    assert!(active.len() == 3 && active.contains(&expected), "{active:?}");
    // a data plane that left works on nothing
    drop(other);
    by_model(json!({ "gpt-4o (openai)": 6, "gpt-5 (openai)": 1 })).await;
}
