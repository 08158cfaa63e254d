use proto::v1::{Asked, command::Op, command_result::Answer};
use serde_json::{Value, json};

use crate::{
    data_plane::{DataPlane, Reply},
    support::Api,
};

fn hello() -> Value {
    json!({ "model": "m", "max_tokens": 9, "system": "be kind", "messages": [{ "role": "user", "content": "hi" }] })
}

#[tokio::test]
async fn a_request_is_recognised_and_said_in_another_dialect_with_what_was_lost() {
    let api = Api::start().await;
    let detected = api
        .post("/api/translator/detect", json!({ "body": hello() }))
        .await;
    assert_eq!(
        detected.expect(200),
        &json!({ "success": true, "format": "anthropic_messages" })
    );

    let body = json!({ "targetFormat": "openai", "body": hello() });
    let translated = api
        .post("/api/translator/translate", body)
        .await
        .expect(200)
        .clone();
    assert_eq!(translated["sourceFormat"], "anthropic_messages");
    assert_eq!(translated["targetFormat"], "openai_chat");
    let messages = json!([{ "role": "system", "content": "be kind" }, { "role": "user", "content": "hi" }]);
    assert_eq!(translated["result"]["messages"], messages, "{translated}");

    let lossy = json!({
        "sourceFormat": "openai_chat", "provider": "anthropic", "model": "claude-sonnet-4-5",
        "body": { "model": "x", "logit_bias": { "5": 1 }, "messages": [{ "role": "user", "content": "hi" }] },
    });
    let translated = api
        .post("/api/translator/translate", lossy)
        .await
        .expect(200)
        .clone();
    assert_eq!(translated["targetFormat"], "anthropic_messages");
    assert_eq!(translated["result"]["model"], "claude-sonnet-4-5");
    let notes = translated["notes"].as_array().unwrap();
    assert!(
        notes
            .iter()
            .any(|note| note["severity"] == "loss" && note["field"] == "logit_bias"),
        "{translated}"
    );
    let gemini = json!({ "targetFormat": "gemini", "body": hello() });
    let translated = api
        .post("/api/translator/translate", gemini)
        .await
        .expect(200)
        .clone();
    assert_eq!(
        translated["result"]["contents"][0]["parts"][0]["text"], "hi",
        "{translated}"
    );

    let history = api
        .get("/api/translator/history?limit=2")
        .await
        .expect(200)
        .clone();
    assert_eq!(
        (&history["total"], history["events"].as_array().unwrap().len()),
        (&json!(3), 2)
    );
    let newest = &history["events"][0];
    assert_eq!(
        (&newest["kind"], &newest["sourceFormat"], &newest["targetFormat"]),
        (
            &json!("translate"),
            &json!("anthropic_messages"),
            &json!("gemini")
        )
    );
    assert!(!history.to_string().contains("be kind"));
}

#[tokio::test]
async fn a_request_is_sent_through_a_data_plane_as_a_whole() {
    let api = Api::start().await;
    let _data_plane = DataPlane::join(&api, |op| {
        let Op::Ask(ask) = op else {
            return Reply::Refused("unexpected");
        };
        let body: Value = serde_json::from_slice(&ask.body).unwrap();
        assert_eq!(
            (ask.dialect.as_str(), &body["stream"]),
            ("anthropic_messages", &json!(false))
        );
        assert_eq!(body["model"], ask.model.as_str());
        let failed = ask.model == "a/down";
        if ask.model == "nowhere" {
            return Reply::done(Answer::Asked(Asked {
                http_status: 400,
                error: "no such model".to_owned(),
                ..Asked::default()
            }));
        }
        Reply::done(Answer::Asked(Asked {
            ok: !failed,
            http_status: if failed { 401 } else { 200 },
            body: json!({ "type": "message" }).to_string().into(),
            error: if failed {
                "no such account".to_owned()
            } else {
                String::new()
            },
            latency_ms: 12,
            provider: "openai".to_owned(),
            model: "gpt-4o".to_owned(),
        }))
    })
    .await;
    let mut streamed = hello();
    streamed["stream"] = json!(true);
    let sent = json!({ "model": "a/up", "body": streamed });
    let sent = api.post("/api/translator/send", sent).await.expect(200).clone();
    let expected = json!({
        "success": true, "sourceFormat": "anthropic_messages", "provider": "openai", "model": "gpt-4o",
        "latencyMs": 12, "result": { "type": "message" },
    });
    assert_eq!(sent, expected);
    let failed = json!({ "model": "a/down", "body": hello() });
    let failed = api.post("/api/translator/send", failed).await;
    failed.expect_error(502, "UPSTREAM_001");
    assert_eq!(failed.body["upstreamStatus"], 401, "{}", failed.body);

    // what nobody was asked is wrong with the request, not with a provider
    let nowhere = json!({ "model": "nowhere", "body": hello() });
    let nowhere = api.post("/api/translator/send", nowhere).await;
    nowhere.expect_error(400, "VALIDATION_001");

    let history = api
        .get("/api/translator/history?limit=10")
        .await
        .expect(200)
        .clone();
    let history = json!({ "events": history["events"].as_array().unwrap()[1..] });
    assert_eq!(
        (
            &history["events"][0]["status"],
            &history["events"][0]["statusCode"]
        ),
        (&json!("error"), &json!(401))
    );
    assert_eq!(
        (
            &history["events"][1]["status"],
            &history["events"][1]["latencyMs"]
        ),
        (&json!("ok"), &json!(12))
    );
    assert_eq!(api.audited("translator.sent").await, 3);
}

#[tokio::test]
async fn what_cannot_be_translated_is_refused() {
    let api = Api::start().await;
    let path = |name: &str| format!("/api/translator/{name}");
    for (name, body, status, code) in [
        ("detect", json!({}), 400, "VALIDATION_002"),
        ("detect", json!({ "body": [] }), 400, "VALIDATION_001"),
        ("translate", json!({ "body": hello() }), 400, "VALIDATION_001"),
        (
            "translate",
            json!({ "body": hello(), "targetFormat": "soap" }),
            400,
            "VALIDATION_001",
        ),
        (
            "translate",
            json!({ "body": hello(), "provider": "nobody" }),
            400,
            "VALIDATION_001",
        ),
        (
            "translate",
            json!({ "body": { "messages": 5 }, "targetFormat": "gemini" }),
            400,
            "VALIDATION_001",
        ),
        (
            "send",
            json!({ "body": { "messages": [] } }),
            400,
            "VALIDATION_001",
        ),
        ("send", json!({ "body": hello() }), 503, "NO_DATAPLANE"),
    ] {
        api.post(&path(name), body).await.expect_error(status, code);
    }
    api.get(&format!("{}?limit=201", path("history")))
        .await
        .expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn two_hundred_events_are_remembered() {
    let api = Api::start().await;
    sqlx::query(
        "insert into translator_event (at, kind, source_format, model, status)
         select now(), 'send', 'gemini', 'old', 'ok' from generate_series(1, 200)",
    )
    .execute(api.db.pool())
    .await
    .unwrap();
    let body = json!({ "targetFormat": "gemini", "body": hello() });
    api.post("/api/translator/translate", body).await.expect(200);
    let history = api
        .get("/api/translator/history?limit=200")
        .await
        .expect(200)
        .clone();
    assert_eq!(
        (&history["total"], &history["events"][0]["model"]),
        (&json!(200), &json!("m"))
    );
}

#[tokio::test]
async fn a_dialect_of_upstreams_is_something_to_translate_to_and_not_from() {
    let api = Api::start().await;
    let bedrock = json!({ "sourceFormat": "bedrock_converse", "targetFormat": "openai", "body": hello() });
    for path in ["translate", "send"] {
        let mut body = bedrock.clone();
        if path == "send" {
            body.as_object_mut().unwrap().remove("targetFormat");
        }
        let refused = api.post(&format!("/api/translator/{path}"), body).await;
        let text = refused.expect(400).to_string();
        assert!(text.contains("must be one of openai_chat"), "{text}");
        assert!(!text.contains("bedrock_converse"), "{text}");
    }
    let to = json!({ "targetFormat": "bedrock_converse", "body": hello() });
    let translated = api.post("/api/translator/translate", to).await;
    assert_eq!(translated.expect(200)["targetFormat"], "bedrock_converse");
}
