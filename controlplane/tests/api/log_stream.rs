//! The log as it grows, watched at one control plane while others store what was used.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, StatusCode},
};
use chrono::Utc;
use http_body_util::BodyExt;
use proto::v1::UsageEvent;
use serde_json::{Value, json};
use testkit::wait_until;
use tower::ServiceExt;
use uuid::Uuid;

use crate::{
    support::{Api, Database},
    usage::{event, store},
};

const PATH: &str = "/api/usage/stream";
const SOON: Duration = Duration::from_secs(10);

/// Somebody who reads.
struct Watcher {
    body: Body,
    text: String,
}

#[derive(Debug, PartialEq)]
struct Told {
    event: String,
    id: String,
    data: Value,
}

// === impl Watcher ===

impl Watcher {
    async fn open(api: &Api, query: &str, last: Option<&str>) -> Self {
        let mut request = api.request(Method::GET, &format!("{PATH}?{query}"), None);
        if let Some(last) = last {
            request
                .headers_mut()
                .insert("last-event-id", last.parse().unwrap());
        }
        Self::of(api, request).await
    }

    async fn of(api: &Api, mut request: Request<Body>) -> Self {
        request.extensions_mut().insert(ConnectInfo(api.peer));
        let response = api.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut watcher = Self {
            body: response.into_body(),
            text: String::new(),
        };
        // a browser knows by it that it is connected
        let begin = watcher.block().await.unwrap();
        assert!(begin.contains("retry: 2000"), "{begin}");
        watcher
    }

    /// None at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let frame = tokio::time::timeout(SOON, self.body.frame()).await.unwrap()?;
            let bytes = frame.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    async fn next(&mut self) -> Option<Told> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.map(|value| value.trim_start_matches([':', ' ']).to_owned())
            };
            let Some(event) = field("event") else { continue };
            return Some(Told {
                event,
                id: field("id").unwrap_or_default(),
                data: serde_json::from_str(&field("data").unwrap()).unwrap(),
            });
        }
    }

    /// The id of the request that is told next.
    async fn request(&mut self) -> String {
        let told = self.next().await.unwrap();
        assert_eq!(told.event, "request", "{told:?}");
        assert_eq!(told.data["id"], told.id.as_str());
        told.id
    }
}

/// A control plane that hears what others store.
async fn listening() -> Api {
    let api = Api::start_on(Arc::new(Database::create().await), 6, |_| {}).await;
    wait_until("the control plane to listen", SOON, async || {
        let listening: i64 = sqlx::query_scalar(
            r#"select count(*) from pg_stat_activity
               where datname = current_database() and query = 'LISTEN "usage_stored"'"#,
        )
        .fetch_one(api.db.pool())
        .await
        .unwrap();
        (listening > 0).then_some(())
    })
    .await;
    // whoever watched while it began to listen is told that they may have missed some
    let mut witness = Watcher::open(&api, "", None).await;
    store(&api, vec![of_model("witnessed")]).await;
    while witness.next().await.unwrap().event != "request" {}
    api
}

fn of_model(model: &str) -> UsageEvent {
    UsageEvent {
        model_requested: model.to_owned(),
        model_served: model.to_owned(),
        ..event(Utc::now())
    }
}

fn id(event: &UsageEvent) -> String {
    event.request_id.clone()
}

#[tokio::test]
async fn what_any_control_plane_stores_is_told_in_the_order_in_which_it_ended() {
    let api = listening().await;
    let mut all = Watcher::open(&api, "", None).await;
    let mut one = Watcher::open(&api, "model=brand-new", None).await;
    // what began later may end earlier
    let (first, second) = (
        of_model("a"),
        UsageEvent {
            started_at_ms: 1_700_000_000_000,
            ..of_model("b")
        },
    );
    let third = of_model("brand-new-model");
    let expected = [id(&first), id(&second), id(&third)];
    store(&api, vec![first, second]).await;
    store(&api, vec![third]).await;
    for expected in &expected {
        assert_eq!(&all.request().await, expected);
    }
    // a name that nobody knew when the stream began
    let told = one.next().await.unwrap();
    assert_eq!(
        (&told.id, &told.data["model"]),
        (&expected[2], &json!("brand-new-model"))
    );
    let row = api
        .get(&format!("/api/usage/call-logs/{}?bodies=false", told.id))
        .await;
    for (name, value) in told.data.as_object().unwrap() {
        assert_eq!(&row.expect(200)[name], value, "{name} is as in the log");
    }
}

#[tokio::test]
async fn whoever_lost_the_connection_goes_on_behind_what_they_saw() {
    let api = listening().await;
    let mut watcher = Watcher::open(&api, "", None).await;
    let (first, second, third) = (of_model("a"), of_model("b"), of_model("c"));
    let (seen, missed) = (id(&first), [id(&second), id(&third)]);
    store(&api, vec![first, second]).await;
    assert_eq!(watcher.request().await, seen);
    drop(watcher);
    store(&api, vec![third]).await;

    let mut again = Watcher::open(&api, "", Some(&seen)).await;
    for expected in &missed {
        assert_eq!(&again.request().await, expected);
    }
    let unknown = Uuid::now_v7().to_string();
    for forgotten in [unknown.as_str(), "not an id"] {
        let mut lost = Watcher::open(&api, "", Some(forgotten)).await;
        assert_eq!(lost.next().await.unwrap().event, "missed");
    }
}

#[tokio::test]
async fn whoever_reads_too_slowly_is_told_that_they_missed_some() {
    let api = listening().await;
    let mut slow = Watcher::open(&api, "", None).await;
    let mut witness = Watcher::open(&api, "", None).await;
    for n in 0..80 {
        let event = of_model(&format!("m-{n}"));
        let expected = id(&event);
        store(&api, vec![event]).await;
        assert_eq!(witness.request().await, expected);
    }
    assert_eq!(slow.next().await.unwrap().event, "missed");
    let event = of_model("last");
    let expected = id(&event);
    store(&api, vec![event]).await;
    while slow.request().await != expected {}
}

#[tokio::test]
async fn who_signs_out_is_told_nothing_any_more() {
    let api = listening().await;
    let mut watcher = Watcher::open(&api, "", None).await;
    let client = api.for_client_at("127.0.0.1:50001");
    *client.cookie.lock() = api.cookie.lock().clone();
    api.post("/api/auth/logout", json!({})).await.expect(200);
    store(&api, vec![of_model("a")]).await;
    assert_eq!(watcher.next().await, None);
    client.get(PATH).await.expect(401);
}

#[tokio::test]
async fn a_key_reads_the_stream_until_it_is_switched_off() {
    let api = listening().await;
    let made = api
        .post("/api/keys", json!({ "name": "reader", "scopes": ["read"] }))
        .await;
    let made = made.expect(201).clone();
    let mut request = api.request(Method::GET, PATH, None);
    request.headers_mut().remove("cookie");
    let bearer = format!("Bearer {}", made["key"].as_str().unwrap());
    request
        .headers_mut()
        .insert("authorization", bearer.parse().unwrap());
    let mut watcher = Watcher::of(&api, request).await;
    let event = of_model("a");
    let expected = id(&event);
    store(&api, vec![event]).await;
    assert_eq!(watcher.request().await, expected);
    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
    api.patch(&path, json!({ "isActive": false })).await.expect(200);
    store(&api, vec![of_model("b")]).await;
    assert_eq!(watcher.next().await, None);
}

#[tokio::test]
async fn requests_of_a_key_that_is_not_to_be_logged_are_told_to_nobody() {
    let api = listening().await;
    let key = api.post("/api/keys", json!({ "name": "k", "noLog": true })).await;
    let quiet = UsageEvent {
        key_id: key.expect(201)["id"].as_str().unwrap().to_owned(),
        ..of_model("a")
    };
    let mut watcher = Watcher::open(&api, "", None).await;
    let loud = of_model("b");
    let expected = id(&loud);
    store(&api, vec![quiet, loud]).await;
    assert_eq!(watcher.request().await, expected);
}
