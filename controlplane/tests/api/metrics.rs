use serde_json::json;
use state::{ComboCount, SessionUse};

use crate::support::Api;

fn count(combo: &str, model: &str, successes: u64, failures: u64) -> ComboCount {
    ComboCount {
        combo: combo.to_owned(),
        model: model.to_owned(),
        requests: successes + failures,
        successes,
        failures,
        fallbacks: failures,
        latency_ms: 100 * (successes + failures),
        last_used_ms: 1_767_225_600_000,
        last_ok: failures == 0,
    }
}

#[tokio::test]
async fn what_combos_did_is_told_per_combo_and_per_model() {
    let api = Api::start().await;
    let combo = json!({ "name": "smart", "models": ["openai/a", "openai/b"] });
    api.post("/api/combos", combo).await.expect(201);
    let counts = [
        count("smart", "", 2, 1),
        count("smart", "openai/a", 2, 0),
        count("smart", "openai/b", 0, 1),
        count("gone", "", 0, 1),
    ];
    api.store.add_combo_counts(&counts).await.unwrap();

    let all = api.get("/api/combos/metrics").await.expect(200)["metrics"].clone();
    let smart = &all["smart"];
    let expected = json!({
        "totalRequests": 3, "totalSuccesses": 2, "totalFailures": 1, "totalFallbacks": 1, "totalLatencyMs": 300,
        "strategy": "priority", "lastUsedAt": "2026-01-01T00:00:00.000Z", "avgLatencyMs": 100, "successRate": 67,
        "fallbackRate": 33,
        "byModel": {
            "openai/a": { "requests": 2, "successes": 2, "failures": 0, "totalLatencyMs": 200, "lastStatus": "ok",
                          "lastUsedAt": "2026-01-01T00:00:00.000Z", "avgLatencyMs": 100, "successRate": 100 },
            "openai/b": { "requests": 1, "successes": 0, "failures": 1, "totalLatencyMs": 100, "lastStatus": "error",
                          "lastUsedAt": "2026-01-01T00:00:00.000Z", "avgLatencyMs": 100, "successRate": 0 },
        },
    });
    assert_eq!(smart, &expected);
    assert_eq!(all["gone"]["strategy"], json!(null), "its counts outlive it");

    let one = api.get("/api/combos/metrics?combo=smart").await;
    assert_eq!(one.expect(200), &json!({ "metrics": expected }));
    let none = api
        .get("/api/combos/metrics?combo=unused")
        .await
        .expect(200)
        .clone();
    assert_eq!(none["metrics"], json!(null));
    assert!(none["message"].as_str().unwrap().contains("unused"));
}

#[tokio::test]
async fn counts_are_forgotten_one_by_one_or_all_at_once() {
    let api = Api::start().await;
    let counts = ["a", "b", "c"].map(|combo| count(combo, "", 1, 0));
    api.store.add_combo_counts(&counts).await.unwrap();
    let left = async || {
        let metrics = api.get("/api/combos/metrics").await.expect(200)["metrics"].clone();
        let names: Vec<String> = metrics.as_object().unwrap().keys().cloned().collect();
        names
    };
    let one = api.delete("/api/combos/metrics?combo=b").await;
    assert_eq!(one.expect(200)["success"], true);
    assert_eq!(left().await, ["a", "c"]);
    api.delete("/api/combos/metrics").await.expect(200);
    assert_eq!(left().await, [""; 0]);
    let audit = api
        .get("/api/compliance/audit-log?action=combo.metrics.reset")
        .await;
    let combos = audit.expect(200).as_array().unwrap().clone();
    let combos: Vec<_> = combos.iter().map(|entry| &entry["details"]["combo"]).collect();
    assert_eq!(combos, [&json!(null), &json!("b")]);
}

#[tokio::test]
async fn conversations_are_listed_with_who_has_them() {
    let api = Api::start().await;
    let empty = api.get("/api/sessions").await.expect(200).clone();
    assert_eq!((&empty["count"], &empty["sessions"]), (&json!(0), &json!([])));

    let used = |tenant: &str, session: &str, requests| SessionUse {
        tenant: tenant.to_owned(),
        session: session.to_owned(),
        connection: "c-1".to_owned(),
        provider: "openai".to_owned(),
        model: "gpt-4o".to_owned(),
        requests,
    };
    let uses = [
        used("key-1", "00000000000000aa", 3),
        used("key-1", "00000000000000bb", 1),
        used("", "00000000000000aa", 1),
    ];
    api.store.touch_sessions(&uses).await.unwrap();
    api.store.touch_sessions(&uses[..1]).await.unwrap();

    let listed = api.get("/api/sessions").await.expect(200).clone();
    assert_eq!(
        (&listed["count"], &listed["limit"], &listed["byApiKey"]),
        (&json!(3), &json!(10_000), &json!({ "anonymous": 1, "key-1": 2 }))
    );
    let sessions = listed["sessions"].as_array().unwrap();
    let mine = sessions
        .iter()
        .find(|one| one["apiKeyId"] == "key-1" && one["sessionId"] == "00000000000000aa")
        .unwrap();
    assert_eq!(
        (
            &mine["requestCount"],
            &mine["connectionId"],
            &mine["provider"],
            &mine["model"]
        ),
        (&json!(6), &json!("c-1"), &json!("openai"), &json!("gpt-4o"))
    );
    assert!(mine["createdAt"].as_i64().unwrap() <= mine["lastActive"].as_i64().unwrap());
    assert!(mine["ageMs"].as_i64().unwrap() < 60_000);
    assert!(sessions.iter().any(|one| one["apiKeyId"].is_null()));
}
