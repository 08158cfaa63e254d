use std::sync::Arc;

use parking_lot::Mutex;
use proto::v1::{Probed, command::Op, command_result::Answer, probed};
use serde_json::json;

use crate::{
    data_plane::{DataPlane, Reply},
    support::Api,
};

const PATH: &str = "/api/combos/test";

/// Models whose name says `up` answer.
fn probe(op: Op) -> Reply {
    let Op::Probe(question) = op else {
        return Reply::Refused("unexpected");
    };
    assert_eq!(question.timeout_ms, 15_000);
    let answer = |model: &String| {
        let ok = model.contains("up");
        probed::Answer {
            model: model.clone(),
            ok,
            http_status: if ok { 200 } else { 529 },
            error: if ok {
                String::new()
            } else {
                "overloaded".to_owned()
            },
            latency_ms: 12,
        }
    };
    Reply::done(Answer::Probed(Probed {
        answers: question.models.iter().map(answer).collect(),
    }))
}

#[tokio::test]
async fn every_member_is_tried_and_the_first_that_answers_is_named() {
    let api = Api::start().await;
    let members = [
        "openai/down",
        "openai/up-1",
        "openai/down-2",
        "openai/down-3",
        "openai/down-4",
        "openai/up-2",
    ];
    let combo = json!({ "name": "smart", "models": members });
    api.post("/api/combos", combo).await.expect(201);
    let _data_plane = DataPlane::join(&api, probe).await;

    let tested = api
        .post(PATH, json!({ "comboName": "smart" }))
        .await
        .expect(200)
        .clone();
    assert_eq!(
        (&tested["comboName"], &tested["strategy"], &tested["resolvedBy"]),
        (&json!("smart"), &json!("priority"), &json!("openai/up-1"))
    );
    let results = tested["results"].as_array().unwrap();
    let order: Vec<_> = results
        .iter()
        .map(|result| result["model"].as_str().unwrap())
        .collect();
    assert_eq!(order, members);
    let (down, up) = (&results[0], &results[1]);
    let expected = json!({
        "model": "openai/down", "status": "error", "statusCode": 529, "error": "overloaded", "latencyMs": 12
    });
    assert_eq!(down, &expected);
    assert_eq!(
        up,
        &json!({ "model": "openai/up-1", "status": "ok", "statusCode": 200, "latencyMs": 12 })
    );
    let audit = api.get("/api/compliance/audit-log?action=combo.tested").await;
    let details = json!({ "name": "smart", "members": 6, "answering": 2 });
    assert_eq!(audit.expect(200)[0]["details"], details);
}

#[tokio::test]
async fn a_data_plane_that_fails_is_the_members_error() {
    let api = Api::start().await;
    let combo = json!({ "name": "smart", "models": ["openai/a"] });
    api.post("/api/combos", combo).await.expect(201);
    let _data_plane = DataPlane::join(&api, |_| Reply::Refused("busy")).await;
    let tested = api
        .post(PATH, json!({ "comboName": "smart" }))
        .await
        .expect(200)
        .clone();
    assert_eq!(tested["resolvedBy"], json!(null));
    assert_eq!(tested["results"][0]["status"], "error");
    assert!(tested["results"][0]["error"].as_str().unwrap().contains("busy"));
    let audit = api.get("/api/compliance/audit-log?action=combo.tested").await;
    assert_eq!(audit.expect(200)[0]["status"], "failed");
}

#[tokio::test]
async fn what_cannot_be_tested_is_refused() {
    let api = Api::start().await;
    for (name, models) in [("empty", json!([])), ("alone", json!(["openai/a"]))] {
        let combo = json!({ "name": name, "models": models });
        api.post("/api/combos", combo).await.expect(201);
    }
    api.post(PATH, json!({}))
        .await
        .expect_error(400, "VALIDATION_002");
    let refused = |name: &str| json!({ "comboName": name });
    api.post(PATH, refused("empty"))
        .await
        .expect_error(400, "VALIDATION_001");
    api.post(PATH, refused("nobody"))
        .await
        .expect_error(404, "RESOURCE_001");
    let alone = api.post(PATH, refused("alone")).await;
    let error = alone.expect_error(503, "NO_DATAPLANE");
    assert!(
        error["message"].as_str().unwrap().contains("data plane"),
        "{error}"
    );
    assert_eq!(api.audited("combo.tested").await, 0);
}

#[tokio::test]
async fn a_member_is_waited_for_as_long_as_the_health_check_of_its_combo_says() {
    let api = Api::start().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    let _data_plane = DataPlane::join(&api, move |op| {
        let Op::Probe(probe) = op else {
            return Reply::Refused("unexpected");
        };
        told.lock().push(probe.timeout_ms);
        Reply::done(Answer::Probed(Default::default()))
    })
    .await;
    let own = json!({ "healthCheckTimeoutMs": 700 });
    for combo in [
        json!({ "name": "own", "models": ["openai/a"], "config": own }),
        json!({ "name": "plain", "models": ["openai/a"] }),
        json!({ "name": "groq", "models": ["groq/a"] }),
    ] {
        api.post("/api/combos", combo).await.expect(201);
    }
    let test = async |name: &str| {
        api.post(PATH, json!({ "comboName": name })).await.expect(200);
        asked.lock().pop().unwrap()
    };
    assert_eq!((test("own").await, test("plain").await), (700, 15_000));
    // what is shown and sent back says nothing
    let shown = api.get("/api/settings/combo-defaults").await.expect(200).clone();
    api.put("/api/settings/combo-defaults", shown).await.expect(200);
    assert_eq!(test("plain").await, 15_000);
    let defaults = json!({ "comboDefaults": { "healthCheckTimeoutMs": 900 },
                           "providerOverrides": { "groq": { "healthCheckTimeoutMs": 800 } } });
    api.patch("/api/settings/combo-defaults", defaults)
        .await
        .expect(200);
    let waited = (test("own").await, test("plain").await, test("groq").await);
    assert_eq!(waited, (700, 900, 800));
}
