use super::super::trace::trace;
use super::*;
use crate::Dialect;
use crate::finish::Finish;
use crate::reply::Fold;
use crate::request::Opaque;
use serde_json::json;

const TOOLS: &str = include_str!("../../../../testdata/openai_chat/reply_tools.json");

fn seed() -> ReplySeed {
    ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "alias".to_owned(),
        include_usage: false,
        injected_usage: false,
        framing: crate::format::Framing::default(),
        request: None,
    }
}

fn folded(events: Vec<Event>) -> Reply {
    let mut fold = Fold::new();
    events.into_iter().for_each(|event| fold.push(event));
    fold.finish().unwrap()
}

fn encoded(reply: &Reply) -> Value {
    serde_json::from_slice(&encode(reply, &seed())).unwrap()
}

fn replied(parts: Vec<ReplyPart>, reason: FinishReason) -> Value {
    let finish = Some(Finish {
        reason,
        native: "end_turn".to_owned(),
        stop_sequence: None,
    });
    let choice = Choice {
        parts,
        finish,
        logprobs: None,
        media: Vec::new(),
    };
    encoded(&Reply {
        choices: vec![choice],
        ..Reply::default()
    })["choices"][0]
        .clone()
}

fn text(text: &str) -> ReplyPart {
    ReplyPart::Text {
        text: text.to_owned(),
        citations: Vec::new(),
    }
}

#[test]
fn a_reply_is_read_as_the_events_of_a_stream() {
    insta::assert_snapshot!(trace(&decode(TOOLS.as_bytes()).unwrap()).join("\n"));
}

#[test]
fn what_is_read_is_written_the_same() {
    let reply = folded(decode(TOOLS.as_bytes()).unwrap());
    insta::assert_snapshot!(serde_json::to_string_pretty(&encoded(&reply)).unwrap());
    let again = encoded(&folded(decode(&encode(&reply, &seed())).unwrap()));
    assert_eq!(
        again["choices"][0]["message"],
        encoded(&reply)["choices"][0]["message"]
    );
    assert_eq!(again["usage"], encoded(&reply)["usage"]);
}

#[test]
fn a_2xx_that_is_no_reply_is_an_error() {
    for (body, kind, message) in [
        ("", ErrorKind::MalformedUpstream, "upstream sent an empty reply"),
        (
            "  \n",
            ErrorKind::MalformedUpstream,
            "upstream sent an empty reply",
        ),
        (
            "<html>hi</html>",
            ErrorKind::MalformedUpstream,
            "upstream sent a reply that is not JSON",
        ),
        (
            "{}",
            ErrorKind::MalformedUpstream,
            "upstream sent JSON that is not a chat completion",
        ),
        (
            "[1]",
            ErrorKind::MalformedUpstream,
            "upstream sent JSON that is not a chat completion",
        ),
        (
            r#"{"choices":[]}"#,
            ErrorKind::MalformedUpstream,
            "upstream sent JSON that is not a chat completion",
        ),
        (
            r#"{"error":{"message":"m","code":429}}"#,
            ErrorKind::RateLimit,
            "m",
        ),
        (r#"{"error":"m"}"#, ErrorKind::Upstream5xx, "m"),
        (
            r#"[{"error":{"code":503,"message":"m"}}]"#,
            ErrorKind::Overloaded,
            "m",
        ),
        (
            r#"{"object":"error","message":"m","code":404}"#,
            ErrorKind::ModelNotFound,
            "m",
        ),
        (
            r#"{"choices":[{"error":{"code":502,"message":"m"},"finish_reason":"error","message":{"content":""}}]}"#,
            ErrorKind::Upstream5xx,
            "m",
        ),
    ] {
        let error = decode(body.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, message), "{body}");
    }
}

#[test]
fn a_reply_with_nothing_but_a_reason_is_a_reply() {
    let body = r#"{"id":"x","choices":[{"message":{"role":"assistant","content":null,"tool_calls":null},"finish_reason":"content_filter"}],"usage":{}}"#;
    let events = trace(&decode(body.as_bytes()).unwrap());
    assert_eq!(
        events,
        ["start x ", "finish content_filter (\"content_filter\")", "end"]
    );
}

#[test]
fn calls_without_ids_or_with_one_id_are_still_two() {
    for ids in [r#""id":"","#, r#""id":"same","#, ""] {
        let call = format!(r#"{{{ids}"type":"function","function":{{"name":"f","arguments":{{"a":1}}}}}}"#);
        let body = format!(r#"{{"id":"x","choices":[{{"message":{{"tool_calls":[{call},{call}]}}}}]}}"#);
        let events = trace(&decode(body.as_bytes()).unwrap());
        assert_eq!(
            events
                .iter()
                .filter(|line| line.contains("starts call f"))
                .count(),
            2,
            "{ids}"
        );
        assert_eq!(events[events.len() - 2], "finish tool_calls (\"stop\")");
    }
}

#[test]
fn content_is_null_only_beside_calls_or_a_refusal() {
    let call = ReplyPart::ToolCall(ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: ToolArguments::Json(String::new()),
        opaque: None,
    });
    assert_eq!(
        replied(vec![], FinishReason::Stop)["message"]["content"],
        json!("")
    );
    assert_eq!(
        replied(vec![text("a"), text("b")], FinishReason::Stop)["message"]["content"],
        json!("ab")
    );
    let called = replied(vec![call], FinishReason::ToolCalls);
    assert_eq!(called["message"]["content"], Value::Null);
    assert_eq!(
        called["message"]["tool_calls"][0]["function"]["arguments"],
        json!("{}")
    );
    let refused = replied(vec![ReplyPart::Refusal("no".to_owned())], FinishReason::Refusal);
    assert_eq!(refused["message"]["content"], Value::Null);
    assert_eq!(
        (&refused["message"]["refusal"], &refused["finish_reason"]),
        (&json!("no"), &json!("stop"))
    );
    let filtered = replied(vec![text("no")], FinishReason::Refusal);
    assert_eq!(filtered["finish_reason"], json!("content_filter"));
}

#[test]
fn reasoning_is_one_text_with_its_signatures_beside_it() {
    let signed = |text: &str, payload: &str| ReplyPart::Reasoning {
        text: text.to_owned(),
        opaque: Some(Opaque {
            issuer: Dialect::AnthropicMessages,
            payload: payload.to_owned(),
        }),
    };
    let message = &replied(
        vec![signed("a", "S1"), text("t"), signed("b", "S2")],
        FinishReason::Stop,
    )["message"];
    assert_eq!(message["reasoning_content"], json!("a\n\nb"));
    assert_eq!(
        message["reasoning_details"],
        json!([
            {"type": "reasoning.text", "text": "a", "signature": "S1", "format": "anthropic-claude-v1", "index": 0},
            {"type": "reasoning.text", "text": "b", "signature": "S2", "format": "anthropic-claude-v1", "index": 1},
        ])
    );
}

#[test]
fn citations_count_code_points_of_the_whole_text() {
    let page = json!({"type": "web_search_result_location", "url": "https://e.x", "title": "E"});
    let cited = ReplyPart::Text {
        text: "né".to_owned(),
        citations: vec![page],
    };
    let message = &replied(vec![text("🌍a"), cited], FinishReason::Stop)["message"];
    assert_eq!(message["annotations"][0]["url_citation"]["start_index"], json!(2));
    assert_eq!(message["annotations"][0]["url_citation"]["end_index"], json!(4));
}
