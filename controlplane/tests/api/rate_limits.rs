use serde_json::json;
use state::ConnectionLoad;
use uuid::Uuid;

use crate::{
    resilience::{connect, connection, down, model},
    support::Api,
};

const PATH: &str = "/api/rate-limits";

#[tokio::test]
async fn connections_are_listed_with_their_queue_their_limits_and_their_rest() {
    let api = Api::start().await;
    let ids = connect(&api, &["openai", "groq"]).await;
    let load = |queued, running, remaining| ConnectionLoad {
        connection: ids[0].clone(),
        provider: "openai".to_owned(),
        queued,
        running,
        done: 10,
        limit: Some(500),
        remaining: Some(remaining),
        reset_at_ms: Some(1_767_225_600_000),
    };
    api.store.report_loads("dp-1", &[load(1, 2, 40)]).await.unwrap();
    api.store.report_loads("dp-2", &[load(0, 1, 30)]).await.unwrap();
    let outages = [
        down(connection("groq", &ids[1])),
        down(model("openai", &ids[0], "ft:gpt-4o:acme")),
    ];
    api.store.note_health(&outages).await.unwrap();

    let listed = api.get(PATH).await.expect(200).clone();
    let (groq, openai) = (&listed["connections"][0], &listed["connections"][1]);
    let expected = json!({
        "connectionId": ids[0], "provider": "openai", "name": "main", "rateLimitProtection": false,
        "enabled": false, "active": true, "queued": 1, "running": 3, "executing": 3, "done": 20, "limit": 500,
        "remaining": 30, "resetAt": "2026-01-01T00:00:00.000Z", "cooldownUntil": null, "backoffLevel": 0,
    });
    assert_eq!(openai, &expected);
    assert_eq!(
        (
            &groq["active"],
            &groq["queued"],
            &groq["limit"],
            &groq["backoffLevel"]
        ),
        (&json!(false), &json!(0), &json!(null), &json!(2))
    );
    assert!(groq["cooldownUntil"].is_string());
    let overview = json!({ format!("openai:{}", ids[0]): { "queued": 1, "running": 3, "executing": 3 } });
    assert_eq!(listed["overview"], overview);
    let lockouts = listed["lockouts"].as_array().unwrap();
    assert_eq!(lockouts.len(), 1, "a connection as a whole is no lockout");
    assert_eq!(
        (
            &lockouts[0]["provider"],
            &lockouts[0]["connectionId"],
            &lockouts[0]["model"]
        ),
        (&json!("openai"), &json!(ids[0]), &json!("ft:gpt-4o:acme"))
    );
    assert!((1..=60_000).contains(&lockouts[0]["remainingMs"].as_u64().unwrap()));
}

#[tokio::test]
async fn protection_is_off_until_somebody_switches_it_on() {
    let api = Api::start().await;
    let ids = connect(&api, &["openai"]).await;
    let shown = async || {
        let path = format!("/api/providers/{}", ids[0]);
        let provider = api.get(&path).await.expect(200)["connection"]["rateLimitProtection"].clone();
        let listed = api.get(PATH).await.expect(200)["connections"][0]["enabled"].clone();
        assert_eq!(provider, listed);
        listed
    };
    assert_eq!(shown().await, false);
    let body = |enabled: bool| json!({ "connectionId": ids[0], "enabled": enabled });
    let on = api.post(PATH, body(true)).await;
    let expected = json!({ "success": true, "connectionId": ids[0], "enabled": true });
    assert_eq!(on.expect(200), &expected);
    assert!(on.headers.contains_key("x-config-revision"));
    assert_eq!(shown().await, true);
    api.put(PATH, body(false)).await.expect(200);
    assert_eq!(shown().await, false);

    let audit = api
        .get("/api/compliance/audit-log?action=rateLimit.protection.toggled")
        .await;
    let entries = audit.expect(200).as_array().unwrap().clone();
    let details: Vec<_> = entries.iter().map(|entry| &entry["details"]).collect();
    assert_eq!(
        details,
        [
            &json!({ "from": true, "to": false }),
            &json!({ "from": false, "to": true })
        ]
    );

    for unknown in [Uuid::now_v7().to_string(), "nobody".to_owned()] {
        let body = json!({ "connectionId": unknown, "enabled": true });
        api.post(PATH, body).await.expect_error(404, "RESOURCE_001");
    }
    for incomplete in [
        json!({}),
        json!({ "connectionId": ids[0] }),
        json!({ "enabled": true }),
    ] {
        api.put(PATH, incomplete)
            .await
            .expect_error(400, "VALIDATION_002");
    }
}
