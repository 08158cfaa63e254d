//! From one account to the next, as long as the client has seen nothing.

use crate::harness::{self, DataPlane, Setup, frames, header};
use serde_json::json;
use std::time::Duration;
use testkit::{Behaviour, Simulator};

/// Two accounts of one provider, the first of which fails as told.
async fn two_accounts(fault: Behaviour) -> (DataPlane, Simulator, Simulator) {
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    first.script(fault);
    let setup = Setup::new()
        .account("first", "openai", &first)
        .account("second", "openai", &second);
    let setup = setup.config(|config| {
        config.upstream.first_event_ms = 300;
        config.upstream.unary_ms = 300;
    });
    (setup.start().await, first, second)
}

fn hang() -> Behaviour {
    Behaviour {
        hang: true,
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn another_account_makes_good_what_was_not_the_requests_fault() {
    let faults = [
        (Behaviour::status(401), 1),
        (Behaviour::status(403), 1),
        (Behaviour::status(404), 1),
        (Behaviour::status(408), 1),
        (Behaviour::status(429), 1),
        (Behaviour::status(500), 1),
        (Behaviour::status(503), 1),
        (Behaviour::status(529), 1),
        (hang(), 1),
        (
            Behaviour {
                html: Some(502),
                ..Behaviour::default()
            },
            1,
        ),
        (
            Behaviour {
                html: Some(200),
                ..Behaviour::default()
            },
            1,
        ),
    ];
    for stream in [false, true] {
        for (fault, asked) in &faults {
            let (data_plane, first, second) = two_accounts(fault.clone()).await;
            let response = data_plane.chat("openai/demo", stream).await;
            assert_eq!(response.status(), 200, "{fault:?} stream={stream}");
            assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"), "{fault:?}");
            response.text().await.unwrap();

            // the one that failed rests
            let next = data_plane.chat("openai/demo", stream).await;
            assert_eq!(header(&next, "x-omniroute-attempts"), Some("1"), "{fault:?}");
            assert_eq!(
                (first.requests().len(), second.requests().len()),
                (*asked, 2),
                "{fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_api_key_that_is_refused_costs_no_wait_and_is_not_tried_again() {
    for status in [401, 403] {
        let (data_plane, first, second) = two_accounts(Behaviour::status(status)).await;
        let started = tokio::time::Instant::now();
        assert_eq!(data_plane.chat("openai/demo", false).await.status(), 200);
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(
            (first.requests().len(), second.requests().len()),
            (1, 1),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_first_output_is_tried_elsewhere() {
    for fault in [
        Behaviour {
            cut_after: Some(0),
            ..Behaviour::default()
        },
        Behaviour {
            end_after: Some(0),
            ..Behaviour::default()
        },
        Behaviour {
            error_after: Some(0),
            ..Behaviour::default()
        },
    ] {
        let (data_plane, _first, second) = two_accounts(fault.clone()).await;
        let response = data_plane.chat("openai/demo", true).await;
        assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"), "{fault:?}");
        assert_eq!(
            frames(&response.text().await.unwrap()).last(),
            Some(&"[DONE]"),
            "{fault:?}"
        );
        assert_eq!(second.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_later_ends_with_one_error_and_is_not_tried_again() {
    // with a gap, so that what comes before the fault is really on its way
    let slow = || Behaviour {
        gap: Duration::from_millis(10),
        ..Behaviour::default()
    };
    for fault in [
        Behaviour {
            cut_after: Some(4),
            ..slow()
        },
        Behaviour {
            end_after: Some(4),
            ..slow()
        },
        Behaviour {
            error_after: Some(4),
            ..slow()
        },
    ] {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let (data_plane, _first, second) = two_accounts(fault.clone()).await;
            let response = match path {
                "/v1/messages" => data_plane.messages("openai/demo", true).await,
                _ => data_plane.chat("openai/demo", true).await,
            };
            assert_eq!(response.status(), 200);
            let text = response.text().await.unwrap();
            let frames = frames(&text);
            assert!(
                frames.last().unwrap().contains("\"error\""),
                "{fault:?} {path}: {text}"
            );
            assert_eq!(
                frames.iter().filter(|frame| frame.contains("\"error\"")).count(),
                1,
                "{text}"
            );
            assert!(
                !text.contains("[DONE]") && !text.contains("message_stop"),
                "{text}"
            );
            assert_eq!(second.requests().len(), 0);
        }
    }
}

#[tokio::test]
async fn an_error_of_the_request_is_final() {
    let (data_plane, _first, second) = two_accounts(Behaviour::status(400)).await;
    let response = data_plane.chat("openai/demo", false).await;
    assert_eq!(response.status(), 400);
    let error = harness::json(response).await;
    assert!(
        error["error"]["message"].as_str().unwrap().starts_with("[400]: "),
        "{error}"
    );
    assert_eq!(second.requests().len(), 0);
    // and nobody rests for it
    assert_eq!(
        header(
            &data_plane.chat("openai/demo", false).await,
            "x-omniroute-attempts"
        ),
        Some("1")
    );
}

#[tokio::test]
async fn a_combo_goes_on_to_another_provider_in_another_dialect() {
    let (openai, anthropic) = (Simulator::openai().await, Simulator::anthropic().await);
    openai.script(Behaviour::status(500));
    let setup = Setup::new()
        .account("o", "openai", &openai)
        .account("a", "anthropic", &anthropic);
    let data_plane = setup
        .combo("smart", &["openai/demo", "anthropic/demo"])
        .start()
        .await;
    let response = data_plane.chat("smart", false).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "x-omniroute-attempts"), Some("2"));
    let event = data_plane.event().await;
    assert_eq!(
        (event.combo.as_str(), event.provider.as_str()),
        ("smart", "anthropic")
    );
    let outcomes: Vec<_> = event
        .attempts
        .iter()
        .map(|attempt| attempt.outcome.as_str())
        .collect();
    assert_eq!(outcomes, ["server_error", "ok"]);
}

#[tokio::test]
async fn when_all_accounts_rest_the_client_learns_when_to_come_back() {
    let simulator = Simulator::openai().await;
    simulator.script(Behaviour {
        fail: Some(429),
        retry_after: Some(40),
        ..Behaviour::default()
    });
    let data_plane = Setup::new().account("only", "openai", &simulator).start().await;

    let first = data_plane.chat("openai/demo", false).await;
    assert_eq!(first.status(), 429);
    // not before the provider said, and not before the account is back
    let after: u64 = header(&first, "retry-after").unwrap().parse().unwrap();
    assert!((40..=44).contains(&after), "{after}");

    let second = data_plane.chat("openai/demo", false).await;
    assert_eq!(second.status(), 429);
    let after: u64 = header(&second, "retry-after").unwrap().parse().unwrap();
    assert!((34..=44).contains(&after), "{after}");
    let error = harness::json(second).await;
    assert_eq!(error["error"]["code"], "all_accounts_unavailable", "{error}");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("(reset after "),
        "{error}"
    );
    assert_eq!(simulator.requests().len(), 1);
}

#[tokio::test]
async fn a_provider_that_never_answers_is_a_504() {
    let simulator = Simulator::openai().await;
    simulator.script(hang());
    let setup = Setup::new().account("only", "openai", &simulator);
    let data_plane = setup
        .config(|config| config.upstream.unary_ms = 100)
        .start()
        .await;
    let response = data_plane.chat("openai/demo", false).await;
    assert_eq!(response.status(), 504);
    assert_eq!(data_plane.event().await.attempts[0].outcome, "timeout");
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_a_502_without_its_address() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let data_plane = Setup::new()
        .account_at("only", "openai", &format!("http://{address}/v1"))
        .start()
        .await;
    let response = data_plane.chat("openai/demo", false).await;
    assert_eq!(response.status(), 502);
    let text = response.text().await.unwrap();
    assert!(
        text.contains("could not connect") && !text.contains(&address.port().to_string()),
        "{text}"
    );
}

#[tokio::test]
async fn the_whole_search_has_a_deadline() {
    let (first, second) = (Simulator::openai().await, Simulator::openai().await);
    first.script(hang());
    let setup = Setup::new()
        .account("first", "openai", &first)
        .account("second", "openai", &second);
    let data_plane = setup
        .config(|config| config.upstream.total_ms = 150)
        .start()
        .await;
    let started = tokio::time::Instant::now();
    assert_eq!(data_plane.chat("openai/demo", false).await.status(), 504);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn reasoning_that_a_provider_cannot_read_any_more_is_left_out_once() {
    let simulator = Simulator::responses().await;
    let unreadable = || Behaviour {
        body: Some(
            json!({"error": {"code": "invalid_encrypted_content", "message": "unreadable"}}).to_string(),
        ),
        ..Behaviour::status(400)
    };
    let setup = Setup::new().node("far", "openai-compatible", "responses", &simulator);
    let data_plane = setup.start().await;
    let question = json!({"model": "far/demo", "input": [
        {"type": "message", "role": "user", "content": "How far is the moon?"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "made for another account"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Far."}]},
        {"type": "message", "role": "user", "content": "How far exactly?"},
    ]});

    simulator.script(unreadable());
    assert_eq!(data_plane.ask("/v1/responses", &question).await.status(), 200);
    let kinds = |at: usize| -> Vec<String> {
        let items = simulator.requests()[at].body["input"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| item["type"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kinds(0), ["message", "reasoning", "message", "message"]);
    assert_eq!(kinds(1), ["message", "message", "message"]);
    let event = data_plane.event().await;
    assert_eq!(
        (event.outcome.as_str(), event.attempts.len()),
        ("ok", 1),
        "{event:?}"
    );

    // a second refusal is the answer
    simulator.script(unreadable());
    simulator.script(unreadable());
    assert_eq!(data_plane.ask("/v1/responses", &question).await.status(), 400);
    assert_eq!(simulator.requests().len(), 4);
}
