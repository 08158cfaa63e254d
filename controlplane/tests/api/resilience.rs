use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use state::{Standing, Subject, Transition};

use crate::support::Api;

const PATH: &str = "/api/resilience";
const RESET: &str = "/api/resilience/reset";

pub fn connection(provider: &str, connection: &str) -> Subject {
    Subject::Connection {
        provider: provider.to_owned(),
        connection: connection.to_owned(),
    }
}

pub fn model(provider: &str, connection: &str, model: &str) -> Subject {
    Subject::Model {
        provider: provider.to_owned(),
        connection: connection.to_owned(),
        model: model.to_owned(),
    }
}

pub fn provider(provider: &str) -> Subject {
    Subject::Provider {
        provider: provider.to_owned(),
    }
}

/// Rests for a minute, or is open for one.
pub fn down(subject: Subject) -> Transition {
    let left = Duration::from_secs(60);
    let standing = match subject {
        Subject::Provider { .. } => Standing::Open { left, failures: 5 },
        _ => Standing::Resting {
            left,
            limited: false,
            level: 2,
            reason: "HTTP 503".to_owned(),
        },
    };
    Transition::new(subject, standing)
}

/// One connection of each provider, and their ids.
pub async fn connect(api: &Api, providers: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for provider in providers {
        let body = json!({ "provider": provider, "name": "main", "apiKey": "sk-test" });
        let created = api.post("/api/providers", body).await.expect(201).clone();
        ids.push(created["connection"]["id"].as_str().unwrap().to_owned());
    }
    ids
}

async fn settings(api: &Api) -> Value {
    let mut view = api.get(PATH).await.expect(200).clone();
    let view = view.as_object_mut().unwrap();
    json!({ "profiles": view["profiles"].take(), "defaults": view["defaults"].take() })
}

#[tokio::test]
async fn profiles_are_merged_field_by_field_with_put_and_patch() {
    let api = Api::start().await;
    let mut expected = json!({
        "profiles": {
            "oauth": { "transientCooldown": 5000, "rateLimitCooldown": 60000, "maxBackoffLevel": 8,
                       "circuitBreakerThreshold": 3, "circuitBreakerReset": 60000 },
            "apikey": { "transientCooldown": 3000, "rateLimitCooldown": 0, "maxBackoffLevel": 5,
                        "circuitBreakerThreshold": 5, "circuitBreakerReset": 30000 },
        },
        "defaults": { "requestsPerMinute": 100, "minTimeBetweenRequests": 200, "concurrentRequests": 10 },
    });
    assert_eq!(settings(&api).await, expected);

    let one = json!({ "profiles": { "oauth": { "circuitBreakerThreshold": 9 } } });
    let put = api.put(PATH, one).await;
    expected["profiles"]["oauth"]["circuitBreakerThreshold"] = json!(9);
    assert_eq!(put.expect(200)["profiles"], expected["profiles"]);
    assert_eq!(put.body["ok"], true);
    assert_eq!(put.header("x-config-revision"), "1");
    let other = json!({ "defaults": { "concurrentRequests": 2 } });
    let patch = api.patch(PATH, other).await;
    expected["defaults"]["concurrentRequests"] = json!(2);
    assert_eq!(patch.expect(200)["defaults"], expected["defaults"]);
    assert_eq!(settings(&api).await, expected, "what was not named stays");

    let audit = api
        .get("/api/compliance/audit-log?action=resilience.updated")
        .await;
    let details = &audit.expect(200)[0]["details"];
    assert_eq!(
        (&details["from"]["defaults"]["concurrentRequests"], &details["to"]),
        (&json!(10), &expected)
    );
    let whole = api.get(PATH).await.expect(200).clone();
    api.put(PATH, whole).await.expect(200);
    assert_eq!(settings(&api).await, expected, "what was read can be written");
}

#[tokio::test]
async fn a_value_outside_its_range_is_refused_by_its_field() {
    let api = Api::start().await;
    let profile = |field: &str, value: Value| json!({ "profiles": { "apikey": { field: value } } });
    let defaults = |field: &str, value: Value| json!({ "defaults": { field: value } });
    let cases = [
        (
            profile("transientCooldown", json!(3_600_001)),
            "profiles.apikey.transientCooldown",
        ),
        (
            profile("rateLimitCooldown", json!(-1)),
            "profiles.apikey.rateLimitCooldown",
        ),
        (
            profile("maxBackoffLevel", json!(21)),
            "profiles.apikey.maxBackoffLevel",
        ),
        (
            profile("circuitBreakerThreshold", json!(0)),
            "profiles.apikey.circuitBreakerThreshold",
        ),
        (
            profile("circuitBreakerReset", json!(999)),
            "profiles.apikey.circuitBreakerReset",
        ),
        (
            defaults("requestsPerMinute", json!(0)),
            "defaults.requestsPerMinute",
        ),
        (
            defaults("minTimeBetweenRequests", json!(0)),
            "defaults.minTimeBetweenRequests",
        ),
        (
            defaults("concurrentRequests", json!("ten")),
            "defaults.concurrentRequests",
        ),
        (json!({ "profiles": { "cookie": {} } }), "profiles"),
        (json!({}), ""),
    ];
    for (body, field) in cases {
        let answer = api.put(PATH, body.clone()).await;
        let error = answer.expect_error(400, "VALIDATION_001");
        let named = error["details"][0]["field"].as_str().unwrap();
        assert!(named.starts_with(field), "{body}: {error}");
    }
    assert_eq!(api.audited("resilience.updated").await, 0);
}

#[tokio::test]
async fn breakers_are_listed_for_every_provider_in_use() {
    let api = Api::start().await;
    connect(&api, &["openai", "groq"]).await;
    api.store.note_health(&[down(provider("openai"))]).await.unwrap();
    let breakers = api.get(PATH).await.expect(200)["circuitBreakers"].clone();
    assert_eq!(
        breakers[0],
        json!({ "name": "groq", "state": "CLOSED", "failureCount": 0, "lastFailureTime": null })
    );
    let open = &breakers[1];
    assert_eq!(
        (&open["name"], &open["state"], &open["failureCount"]),
        (&json!("openai"), &json!("OPEN"), &json!(5))
    );
    assert!(open["lastFailureTime"].as_i64().unwrap() > 0);
    assert_eq!(breakers.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_reset_ends_what_its_scope_and_provider_say() {
    let api = Api::start().await;
    let cases = [
        (json!({}), (2, 1, 1)),
        (json!({ "scope": "all" }), (2, 1, 1)),
        (json!({ "scope": "breakers" }), (2, 0, 0)),
        (json!({ "scope": "cooldowns" }), (0, 1, 0)),
        (json!({ "scope": "lockouts" }), (0, 0, 1)),
        (json!({ "provider": "groq" }), (1, 0, 0)),
        (json!({ "provider": "nobody" }), (0, 0, 0)),
    ];
    let everything = [
        down(provider("openai")),
        down(provider("groq")),
        down(connection("openai", "c-1")),
        down(model("openai", "c-1", "gpt-4o")),
    ];
    for (body, (breakers, cooldowns, lockouts)) in cases {
        api.store.note_health(&everything).await.unwrap();
        let reset = api.post(RESET, body.clone()).await.expect(200).clone();
        assert_eq!(
            (
                &reset["ok"],
                &reset["resetCount"],
                &reset["clearedCooldowns"],
                &reset["clearedLockouts"]
            ),
            (
                &json!(true),
                &json!(breakers),
                &json!(cooldowns),
                &json!(lockouts)
            ),
            "{body}"
        );
        let left = api.store.health_since(0).await.unwrap().transitions;
        assert_eq!(left.len(), 4 - breakers - cooldowns - lockouts, "{body}");
    }

    api.store.note_health(&everything).await.unwrap();
    let bare = api.send(api.request(Method::POST, RESET, None)).await;
    assert_eq!(bare.expect(200)["resetCount"], 2, "the body may be left out");
    let audit = api.get("/api/compliance/audit-log?action=resilience.reset").await;
    let expected = json!({ "scope": "all", "provider": null, "breakers": 2, "cooldowns": 1, "lockouts": 1 });
    assert_eq!(audit.expect(200)[0]["details"], expected);
    let wrong = api.post(RESET, json!({ "scope": "everything" })).await;
    wrong.expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn the_older_path_of_the_pace_reads_writes_and_leads_on() {
    let api = Api::start().await;
    let ids = connect(&api, &["openai", "groq"]).await;
    let enabled = json!({ "connectionId": ids[0], "enabled": true });
    api.put("/api/rate-limits", enabled).await.expect(200);
    let read = api.get("/api/rate-limit").await;
    let mut expected = json!({
        "defaults": { "requestsPerMinute": 100, "minTimeBetweenRequests": 200, "concurrentRequests": 10 },
        "enabledByDefaultFor": [], "protectedConnections": 1, "see": "/api/rate-limits",
    });
    assert_eq!(read.expect(200), &expected);
    assert_eq!(read.header("deprecation"), "true");

    for (method, rate) in [(Method::PUT, 5), (Method::PATCH, 6)] {
        let body = json!({ "requestsPerMinute": rate });
        let changed = api.send(api.request(method, "/api/rate-limit", Some(body))).await;
        expected["defaults"]["requestsPerMinute"] = json!(rate);
        assert_eq!(changed.expect(200), &expected);
        assert!(changed.headers.contains_key("x-config-revision"));
    }
    assert_eq!(settings(&api).await["defaults"], expected["defaults"]);
    let nothing = api.put("/api/rate-limit", json!({})).await;
    nothing.expect_error(400, "VALIDATION_001");

    for moved in [
        api.get("/api/rate-limit?legacy=redirect").await,
        api.post("/api/rate-limit", json!({})).await,
    ] {
        assert_eq!(
            (moved.status.as_u16(), moved.header("location")),
            (308, "/api/rate-limits")
        );
    }
    let other = api.get("/api/rate-limit?legacy=yes").await;
    other.expect_error(400, "VALIDATION_001");
}
