use bytes::Bytes;
use controlplane::ingest::Ingest;
use decision::{Account, Decision, Entry, Group, LeadsTo, Target, Verdict};
use prost::Message;
use proto::v1::{
    Attempt, Explained, TranslationNote, UsageBatch, UsageEvent, UsageEvents, command::Op,
    command_result::Answer, translation_note::Severity,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    data_plane::{DataPlane, Reply},
    support::Api,
};

/// Two providers of which one has an account that rests.
fn decision() -> Decision {
    let account = |id: &str, verdict: Verdict, until_ms| Account {
        connection_id: id.to_owned(),
        verdict: verdict.into(),
        until_ms,
        ..Account::default()
    };
    let target = |provider: &str, model: &str, accounts| Target {
        provider: provider.to_owned(),
        model: model.to_owned(),
        verdict: Verdict::Eligible.into(),
        accounts,
        ..Target::default()
    };
    let entry = |target| Entry {
        weight: Some(1.0),
        leads_to: Some(LeadsTo::Target(target)),
        ..Entry::default()
    };
    let resting = account("c-1", Verdict::Resting, 1_767_225_600_000);
    let mut decision = Decision {
        root: Some(Group {
            name: "smart".to_owned(),
            strategy: "weighted".to_owned(),
            entries: vec![entry(0), entry(1)],
            ..Group::default()
        }),
        targets: vec![
            target(
                "openai",
                "gpt-4o",
                vec![resting, account("c-2", Verdict::Eligible, 0)],
            ),
            target("claude", "opus", vec![account("c-3", Verdict::Eligible, 0)]),
        ],
        account_strategy: "fill-first".to_owned(),
        seed: Some(u64::MAX),
        ..Decision::default()
    };
    decision::record(&mut decision).unwrap();
    decision
}

/// Stores one finished request, and gives its id.
async fn request(api: &Api, client_request_id: &str, decision: Option<Decision>) -> String {
    let request_id = Uuid::now_v7().to_string();
    let event = UsageEvent {
        seq: 1,
        request_id: request_id.clone(),
        client_request_id: client_request_id.to_owned(),
        model_requested: "smart".to_owned(),
        outcome: "ok".to_owned(),
        http_status: 200,
        config_revision: 7,
        attempts: vec![Attempt {
            provider: "openai".to_owned(),
            http_status: 529,
            hedge: true,
            started_after_ms: 40,
            ..Attempt::default()
        }],
        translation_notes: vec![TranslationNote {
            severity: Severity::Loss.into(),
            field: "logit_bias".to_owned(),
            detail: "no equivalent".to_owned(),
        }],
        decision,
        ..UsageEvent::default()
    };
    let events = UsageEvents { events: vec![event] }.encode_to_vec();
    let zstd_events = Bytes::from(zstd::bulk::compress(&events, 1).unwrap());
    let batch = UsageBatch {
        data_plane_id: "dp-1".to_owned(),
        spool_id: Uuid::now_v7().to_string(),
        first_seq: 1,
        last_seq: 1,
        crc32c: crc32c::crc32c(&zstd_events),
        zstd_events,
        ..UsageBatch::default()
    };
    let ack = Ingest::new(&api.db).store(&batch).await.unwrap();
    assert_eq!(ack.reject, "");
    request_id
}

#[tokio::test]
async fn a_request_is_explained_by_its_id_and_by_the_one_its_client_saw() {
    let api = Api::start().await;
    let id = request(&api, "client-chose-this", Some(decision())).await;
    let explained = api.get(&format!("/api/explain/{id}")).await.expect(200).clone();
    assert_eq!(
        api.get("/api/explain/client-chose-this").await.expect(200),
        &explained
    );

    assert_eq!(
        (
            &explained["requestId"],
            &explained["configRevision"],
            &explained["dataPlaneId"]
        ),
        (&json!(id), &json!(7), &json!("dp-1"))
    );
    let attempt = &explained["attempts"][0];
    assert_eq!(
        (
            &attempt["httpStatus"],
            &attempt["hedge"],
            &attempt["startedAfterMs"]
        ),
        (&json!(529), &json!(true), &json!(40))
    );
    assert_eq!(
        explained["translationNotes"],
        json!([{ "severity": "loss", "field": "logit_bias", "detail": "no equivalent" }])
    );
    let shown = &explained["decision"];
    assert_eq!(
        shown["seed"],
        u64::MAX.to_string(),
        "a browser would round the number"
    );
    assert_eq!(shown["root"]["name"], "smart");
    assert_eq!(shown["root"]["entries"][1]["target"], "claude/opus");
    let candidates: Vec<_> = shown["candidates"].as_array().unwrap().clone();
    let verdicts: Vec<_> = candidates
        .iter()
        .map(|one| (&one["connectionId"], &one["verdict"]))
        .collect();
    assert_eq!(
        verdicts,
        [
            (&json!("c-1"), &json!("resting")),
            (&json!("c-2"), &json!("eligible")),
            (&json!("c-3"), &json!("eligible"))
        ]
    );
    assert_eq!(candidates[0]["until"], "2026-01-01T00:00:00.000Z");
    assert_eq!(candidates[0]["rank"], json!(null));
    assert_eq!(shown["order"], json!(decision().order));
    for (rank, number) in decision().order.into_iter().enumerate() {
        assert_eq!(candidates[number as usize]["rank"], json!(rank));
    }
    assert_eq!(explained["replay"], json!({ "same": true, "reason": null }));
}

#[tokio::test]
async fn a_record_that_does_not_replay_says_why() {
    let api = Api::start().await;
    type Spoil = fn(&mut Decision);
    let cases: [(Spoil, &str); 3] = [
        (|decision| decision.seed = None, "lacks"),
        (|decision| decision.order.reverse(), "order"),
        (
            |decision| decision.targets[0].accounts[0].until_ms += 1,
            "checksum",
        ),
    ];
    for (spoil, reason) in cases {
        let mut spoilt = decision();
        spoil(&mut spoilt);
        let id = request(&api, "", Some(spoilt)).await;
        let replay = api.get(&format!("/api/explain/{id}")).await.expect(200)["replay"].clone();
        assert_eq!(replay["same"], false, "{reason}");
        assert!(replay["reason"].as_str().unwrap().contains(reason), "{replay}");
    }
}

#[tokio::test]
async fn a_record_that_was_too_long_shows_what_came_first_and_says_what_is_missing() {
    let api = Api::start().await;
    let mut long = decision();
    long.targets[1].accounts = vec![long.targets[1].accounts[0].clone(); 500];
    decision::record(&mut long).unwrap();
    decision::shorten(&mut long, 1_024);
    let id = request(&api, "", Some(long)).await;
    let explained = api.get(&format!("/api/explain/{id}")).await.expect(200).clone();
    let shown = &explained["decision"];
    let (kept, omitted) = (
        shown["candidates"].as_array().unwrap().len(),
        shown["omittedCandidates"].as_u64().unwrap(),
    );
    assert!(kept > 0, "{explained}");
    assert_eq!(kept as u64 + omitted, 502);
    assert!(
        !shown["candidates"][0]["rank"].is_null(),
        "what is tried stays: {explained}"
    );
    assert_eq!(explained["replay"]["same"], false);
    let reason = explained["replay"]["reason"].as_str().unwrap();
    assert!(
        reason.contains(&format!("{omitted} accounts are not in it")),
        "{reason}"
    );
}

#[tokio::test]
async fn a_request_without_a_decision_has_none_and_an_unknown_one_is_missing() {
    let api = Api::start().await;
    let id = request(&api, "", None).await;
    let explained = api.get(&format!("/api/explain/{id}")).await.expect(200).clone();
    assert_eq!(
        (&explained["decision"], &explained["replay"]),
        (&json!(null), &json!(null))
    );
    for unknown in ["nobody", &Uuid::now_v7().to_string()] {
        let answer = api.get(&format!("/api/explain/{unknown}")).await;
        answer.expect_error(404, "RESOURCE_001");
    }
    // no text in the database can hold it
    let answer = api.get("/api/explain/a%00b").await;
    answer.expect_error(400, "VALIDATION_001");
}

#[tokio::test]
async fn a_dry_run_shows_what_a_data_plane_would_decide() {
    let api = Api::start().await;
    let key = api.post("/api/keys", json!({ "name": "k" })).await.expect(201)["id"].clone();
    let expected = key.as_str().unwrap().to_owned();
    let _data_plane = DataPlane::join(&api, move |op| {
        let Op::Explain(question) = op else {
            return Reply::Refused("unexpected");
        };
        assert_eq!(
            (&question.api_key_id, question.session.as_str()),
            (&expected, "s")
        );
        let (decision, refusal) = match question.model.as_str() {
            "smart" => (Some(decision()), String::new()),
            _ => (None, "no such model".to_owned()),
        };
        Reply::done(Answer::Explained(Explained {
            decision,
            refusal,
            config_revision: 3,
            data_plane_id: "dp-1".to_owned(),
        }))
    })
    .await;

    let ask = |model: &str| json!({ "model": model, "apiKeyId": key, "session": "s" });
    let would = api.post("/api/explain", ask("smart")).await.expect(200).clone();
    assert_eq!(
        (&would["dataPlaneId"], &would["configRevision"], &would["refusal"]),
        (&json!("dp-1"), &json!(3), &json!(null))
    );
    assert_eq!(would["decision"]["candidates"].as_array().unwrap().len(), 3);
    assert_eq!(would["replay"]["same"], true);
    let refused = api.post("/api/explain", ask("nothing")).await.expect(200).clone();
    assert_eq!(
        (&refused["refusal"], &refused["decision"]),
        (&json!("no such model"), &json!(null))
    );

    api.post("/api/explain", json!({}))
        .await
        .expect_error(400, "VALIDATION_002");
    let stranger = json!({ "model": "smart", "apiKeyId": Uuid::now_v7() });
    api.post("/api/explain", stranger)
        .await
        .expect_error(404, "RESOURCE_001");
}

#[tokio::test]
async fn without_an_answer_a_dry_run_says_what_is_missing() {
    let api = Api::start().await;
    let question = json!({ "model": "smart" });
    let alone = api.post("/api/explain", question.clone()).await;
    let error = alone.expect_error(503, "NO_DATAPLANE");
    assert!(
        error["message"].as_str().unwrap().contains("CONTROL_PLANE_URL"),
        "{error}"
    );
    assert_eq!(alone.header("retry-after"), "1");

    type Behaviour = fn(Op) -> Reply;
    let cases: [(Behaviour, &str); 3] = [
        (|_| Reply::Cut, "left"),
        (|_| Reply::Refused("too old"), "too old"),
        (
            |_| Reply::done(Answer::Probed(Default::default())),
            "does not know",
        ),
    ];
    for (reply, expected) in cases {
        let data_plane = DataPlane::join(&api, reply).await;
        let answer = api.post("/api/explain", question.clone()).await;
        let error = answer.expect_error(503, "SERVER_002");
        assert!(error["message"].as_str().unwrap().contains(expected), "{error}");
        drop(data_plane);
    }
}
