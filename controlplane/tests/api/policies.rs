use axum::http::{Method, header};
use serde_json::{Value, json};
use state::{LoginStanding, Standing, Subject, Transition};
use std::time::Duration;
use uuid::Uuid;

use crate::support::Api;

const PATH: &str = "/api/policies";

fn access(name: &str) -> Value {
    json!({ "name": name, "type": "access", "actions": { "block_model": ["*-preview"] } })
}

async fn names(api: &Api) -> Vec<String> {
    let list = api.get(PATH).await;
    let policies = list.expect(200)["policies"].as_array().unwrap().clone();
    policies
        .iter()
        .map(|policy| policy["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_policy_is_created_read_changed_and_deleted() {
    let api = Api::start().await;
    let key = api.post("/api/keys", json!({ "name": "ci" })).await;
    let conditions = json!({
        "model_pattern": "gpt-*",
        "api_key_ids": [key.expect(201)["id"]],
        "providers": ["ds", "deepseek"],
        "hours": { "from": "22:00", "until": "06:00", "days": [1, 2] },
    });
    let created = api
        .post(
            PATH,
            json!({ "name": " nights ", "type": "routing", "priority": 10, "conditions": conditions,
                    "actions": { "prefer_provider": ["groq", "ds"] } }),
        )
        .await;
    let policy = created.expect(201)["policy"].clone();
    assert_eq!(
        (&policy["name"], &policy["enabled"]),
        (&json!("nights"), &json!(true))
    );
    assert_eq!(
        policy["conditions"]["providers"],
        json!(["deepseek"]),
        "ids, each once"
    );
    assert_eq!(
        policy["actions"],
        json!({ "prefer_provider": ["groq", "deepseek"] })
    );
    let hours = json!({ "from": "22:00", "until": "06:00", "days": [1, 2], "tz": "UTC" });
    assert_eq!(policy["conditions"]["hours"], hours);
    let first: u64 = created.header("x-config-revision").parse().unwrap();

    let mut whole = policy.clone();
    whole["enabled"] = json!(false);
    let same = api.put(PATH, whole).await;
    assert_eq!(same.expect(200)["policy"]["enabled"], false);
    assert_eq!(same.body["policy"]["conditions"], policy["conditions"]);
    let part = json!({ "action": "update", "id": policy["id"], "priority": 3 });
    let changed = api.post(PATH, part).await;
    assert_eq!(
        (
            &changed.expect(200)["policy"]["priority"],
            &changed.body["policy"]["name"]
        ),
        (&json!(3), &json!("nights"))
    );
    let third: u64 = changed.header("x-config-revision").parse().unwrap();
    assert_eq!(third, first + 2);

    let audit = api.get("/api/compliance/audit-log?action=policy.updated").await;
    let details = &audit.expect(200)[0]["details"];
    assert_eq!(
        (&details["from"]["priority"], &details["to"]["priority"]),
        (&json!(10), &json!(3))
    );
    let id = policy["id"].as_str().unwrap();
    let deleted = api.delete(&format!("{PATH}?id={id}")).await;
    assert_eq!(deleted.expect(200), &json!({ "success": true, "removed": true }));
    assert!(deleted.headers.contains_key("x-config-revision"));
    api.delete(&format!("{PATH}?id={id}"))
        .await
        .expect_error(404, "RESOURCE_001");
    assert_eq!(
        (
            api.audited("policy.created").await,
            api.audited("policy.deleted").await
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn policies_are_listed_in_the_order_they_are_asked_and_a_body_may_name_one_to_delete() {
    let api = Api::start().await;
    for (name, priority) in [("c", 100), ("a", 100), ("b", 1)] {
        let mut policy = access(name);
        policy["priority"] = json!(priority);
        api.put(PATH, policy).await.expect(201);
    }
    assert_eq!(names(&api).await, ["b", "a", "c"]);
    let id = api.get(PATH).await.body["policies"][0]["id"].clone();
    let request = api.request(Method::DELETE, PATH, Some(json!({ "id": id })));
    assert_eq!(api.send(request).await.expect(200)["removed"], true);
    assert_eq!(names(&api).await, ["a", "c"]);

    // many clients announce JSON whether they send any or not
    let id = api.get(PATH).await.body["policies"][0]["id"].clone();
    let path = format!("{PATH}?id={}", id.as_str().unwrap());
    let mut request = api.request(Method::DELETE, &path, None);
    let json = "application/json".parse().unwrap();
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    api.send(request).await.expect(200);
    assert_eq!(names(&api).await, ["c"]);
}

#[tokio::test]
async fn what_a_policy_may_be_is_checked_on_create_and_on_update() {
    let api = Api::start().await;
    let created = api.post(PATH, access("there")).await;
    let id = created.expect(201)["policy"]["id"].clone();
    let nobody = Uuid::nil();
    for (change, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "x".repeat(101) }), "name"),
        (json!({ "type": "deny" }), "type"),
        (json!({ "priority": 10_001 }), "priority"),
        (json!({ "priority": -1 }), "priority"),
        (json!({ "weight": 1 }), "weight"),
        (
            json!({ "conditions": { "model_pattern": "" } }),
            "conditions.model_pattern",
        ),
        (
            json!({ "conditions": { "modelPattern": "x" } }),
            "conditions.modelPattern",
        ),
        (
            json!({ "conditions": { "providers": ["nobody"] } }),
            "conditions.providers.0",
        ),
        (
            json!({ "conditions": { "api_key_ids": [nobody] } }),
            "conditions.api_key_ids",
        ),
        (
            json!({ "conditions": { "hours": { "from": "9", "until": "10:00" } } }),
            "conditions.hours.from",
        ),
        (
            json!({ "conditions": { "hours": { "from": "09:00", "until": "09:00" } } }),
            "conditions.hours.until",
        ),
        (
            json!({ "conditions": { "hours": { "from": "09:00", "until": "10:00", "days": [8] } } }),
            "conditions.hours.days",
        ),
        (
            json!({ "conditions": { "hours": { "from": "09:00", "until": "10:00", "tz": "Mars/Olympus" } } }),
            "conditions.hours.tz",
        ),
        (json!({ "actions": {} }), "actions.block_model"),
        (
            json!({ "actions": { "block_model": ["x"], "max_tokens": 5 } }),
            "actions.max_tokens",
        ),
        (
            json!({ "type": "budget", "actions": { "max_tokens": 0 } }),
            "actions.max_tokens",
        ),
        (
            json!({ "type": "routing", "actions": { "prefer_provider": ["nobody"] } }),
            "actions.prefer_provider.0",
        ),
    ] {
        let mut create = access("new");
        let mut update = json!({ "id": id });
        for body in [&mut create, &mut update] {
            let fields = change.as_object().unwrap().clone();
            body.as_object_mut().unwrap().extend(fields);
            let answer = api.post(PATH, body.clone()).await;
            let error = answer.expect_error(400, "VALIDATION_001");
            assert_eq!(error["details"][0]["field"], field, "{body}");
        }
    }
    assert_eq!(names(&api).await, ["there"]);
    assert_eq!(api.audited("policy.updated").await, 0);
}

#[tokio::test]
async fn the_form_of_a_body_is_told_by_its_action_or_its_id() {
    let api = Api::start().await;
    let id = api.post(PATH, access("one")).await.expect(201)["policy"]["id"].clone();
    api.post(PATH, access("two")).await.expect(201);
    api.post(PATH, access("one"))
        .await
        .expect_error(409, "RESOURCE_002");
    api.put(PATH, json!({ "id": id, "name": "two" }))
        .await
        .expect_error(409, "RESOURCE_002");
    api.put(PATH, json!({ "id": id, "name": "one" }))
        .await
        .expect(200);

    for body in [
        json!({ "name": "x" }),
        json!({ "action": "create", "name": "x", "type": "budget" }),
        json!({ "action": "update", "name": "x" }),
        json!({ "action": "unlock" }),
    ] {
        api.post(PATH, body).await.expect_error(400, "VALIDATION_002");
    }
    for body in [
        json!({ "action": "destroy", "id": id }),
        json!({ "action": "create", "id": id, "name": "x" }),
        json!({ "identifier": "login:192.0.2.1" }),
    ] {
        api.post(PATH, body).await.expect_error(400, "VALIDATION_001");
    }
    for missing in [json!(Uuid::nil()), json!("none")] {
        api.put(PATH, json!({ "id": missing, "priority": 1 }))
            .await
            .expect_error(404, "RESOURCE_001");
    }
    api.delete(PATH).await.expect_error(400, "VALIDATION_002");
    api.delete(&format!("{PATH}?id=x&identifier=y"))
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn a_locked_address_is_listed_and_can_be_unlocked() {
    let api = Api::start().await;
    let wrong = json!({ "password": "no such password" });
    let locked = ["203.0.113.9:1", "[2001:db8::1]:1"].map(|peer| api.for_client_at(peer));
    for client in &locked {
        for _ in 0..5 {
            client
                .post("/api/auth/login", wrong.clone())
                .await
                .expect_error(401, "AUTH_002");
        }
        client
            .post("/api/auth/login", wrong.clone())
            .await
            .expect_error(429, "AUTH_005");
    }
    let careless = api.for_client_at("203.0.113.10:1");
    careless
        .post("/api/auth/login", wrong.clone())
        .await
        .expect_error(401, "AUTH_002");

    let list = api.get(PATH).await;
    let locks = list.expect(200)["lockedIdentifiers"].as_array().unwrap().clone();
    let of = |lock: &Value| lock["identifier"].as_str().unwrap().to_owned();
    let mut identifiers: Vec<_> = locks.iter().map(of).collect();
    identifiers.sort();
    assert_eq!(identifiers, ["login:2001:db8::1", "login:203.0.113.9"]);
    let remaining = locks[0]["remainingMs"].as_i64().unwrap();
    assert!((1..=900_000).contains(&remaining), "{remaining}");
    assert!(locks[0]["lockedUntil"].as_i64().unwrap() > remaining);

    let unlock = json!({ "action": "unlock", "identifier": "login:203.0.113.9" });
    let answer = api.post(PATH, unlock).await;
    let done = |identifier: &str| json!({ "success": true, "action": "unlocked", "identifier": identifier });
    assert_eq!(answer.expect(200), &done("login:203.0.113.9"));
    locked[0]
        .post("/api/auth/login", wrong)
        .await
        .expect_error(401, "AUTH_002");
    let answer = api.delete(&format!("{PATH}?identifier=login:2001:db8::1")).await;
    assert_eq!(answer.expect(200), &done("login:2001:db8::1"));
    let standing = api.store.login_standing("login:2001:db8::1").await.unwrap();
    assert_eq!(standing, LoginStanding::Open { failures: 0 });
    assert_eq!(api.get(PATH).await.expect(200)["lockedIdentifiers"], json!([]));
    assert_eq!(api.audited("policy.unlock").await, 2);
}

#[tokio::test]
async fn breakers_are_those_of_the_providers_in_use_and_those_that_are_open() {
    let api = Api::start().await;
    let connection = json!({ "provider": "openai", "name": "prod", "apiKey": "sk-1" });
    api.post("/api/providers", connection).await.expect(201);
    let open = Standing::Open {
        left: Duration::from_secs(30),
        failures: 5,
    };
    let subject = Subject::Provider {
        provider: "groq".to_owned(),
    };
    api.store
        .note_health(&[Transition::new(subject, open)])
        .await
        .unwrap();
    let list = api.get(PATH).await;
    let breakers = &list.expect(200)["circuitBreakers"];
    assert_eq!(
        (
            &breakers[0]["name"],
            &breakers[0]["state"],
            &breakers[0]["failureCount"]
        ),
        (&json!("groq"), &json!("OPEN"), &json!(5))
    );
    assert!(breakers[0]["lastFailureTime"].as_i64().unwrap() > 0);
    let closed = json!({ "name": "openai", "state": "CLOSED", "failureCount": 0, "lastFailureTime": null });
    assert_eq!(breakers[1], closed);
}

#[tokio::test]
async fn policies_are_for_those_who_manage() {
    let api = Api::start().await;
    let manage = api.key(&["manage"]).await;
    let inference = api.key(&["inference"]).await;
    let created = api
        .with_key(&manage, Method::POST, PATH, Some(access("by key")))
        .await;
    created.expect(201);
    api.with_key(&inference, Method::GET, PATH, None)
        .await
        .expect_error(403, "AUTH_004");
    let mut bare = api.request(Method::POST, PATH, Some(access("nobody")));
    bare.headers_mut().remove(header::COOKIE);
    api.send(bare).await.expect_error(401, "AUTH_001");
    assert_eq!(names(&api).await, ["by key"]);
}
