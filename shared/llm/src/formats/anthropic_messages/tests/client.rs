//! What a client reads.

use super::*;
use crate::reply::Fold;
use crate::sequence::Sequencer;
use serde_json::Value;

pub fn encode(events: &[Event]) -> String {
    let (mut sequencer, mut sequenced) = (Sequencer::new(), Vec::new());
    events
        .iter()
        .for_each(|event| sequencer.push(event.clone(), &mut sequenced));
    let mut encoder = AnthropicMessages.stream_encoder(&seed());
    let mut out = Vec::new();
    sequenced.iter().for_each(|event| encoder.push(event, &mut out));
    String::from_utf8(out).unwrap()
}

fn first(kinds: Vec<EventKind>) -> Vec<Event> {
    kinds.into_iter().map(Event::first).collect()
}

fn opening() -> EventKind {
    EventKind::Start {
        id: "chatcmpl-1".to_owned(),
        model: "m".to_owned(),
        created: None,
    }
}

fn start(part: u32, kind: PartStart) -> EventKind {
    EventKind::PartStart { part, kind }
}

fn delta(part: u32, text: &str) -> EventKind {
    EventKind::Delta {
        part,
        text: text.to_owned(),
    }
}

fn tool(id: &str, name: &str, freeform: bool) -> PartStart {
    PartStart::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        freeform,
    }
}

fn finish(reason: FinishReason) -> EventKind {
    EventKind::Finish(crate::finish::Finish {
        reason,
        native: String::new(),
        stop_sequence: None,
    })
}

#[test]
fn a_client_stream_announces_fills_and_closes_one_block_at_a_time() {
    let foreign = Opaque {
        issuer: Dialect::OpenAiChat,
        payload: "enc".to_owned(),
    };
    insta::assert_snapshot!(encode(&first(vec![
        opening(),
        start(0, PartStart::Reasoning),
        delta(0, "hm"),
        EventKind::Opaque {
            part: 0,
            opaque: foreign
        },
        EventKind::PartStop { part: 0 },
        start(1, PartStart::Text),
        EventKind::PartStop { part: 1 },
        start(2, PartStart::Text),
        delta(2, "Hi\u{2028}"),
        EventKind::KeepAlive,
        EventKind::PartStop { part: 2 },
        start(3, tool("call_1", "f", false)),
        delta(3, "{\"x\":"),
        delta(3, "1}"),
        EventKind::PartStop { part: 3 },
        start(4, tool("call_2", "g", false)),
        EventKind::PartStop { part: 4 },
        start(5, tool("call_3", "patch", true)),
        delta(5, "a\"\n"),
        delta(5, "b"),
        EventKind::PartStop { part: 5 },
        finish(FinishReason::ToolCalls),
        EventKind::Usage(Usage {
            input_total: Some(1000),
            cache_read: Some(600),
            cache_write: Some(300),
            output_total: Some(10),
            ..Usage::default()
        }),
        EventKind::End,
    ])));
}

#[test]
fn an_answer_without_content_has_no_blocks() {
    let text = encode(&first(vec![
        opening(),
        finish(FinishReason::ContentFilter),
        EventKind::End,
    ]));
    assert!(!text.contains("content_block"), "{text}");
    assert!(text.contains(r#""stop_reason":"refusal""#), "{text}");
}

#[test]
fn an_error_after_the_first_byte_closes_nothing_and_is_the_last_word() {
    let mut encoder = AnthropicMessages.stream_encoder(&seed());
    let mut out = Vec::new();
    for event in first(vec![opening(), start(0, PartStart::Text), delta(0, "Hel")]) {
        encoder.push(&event, &mut out);
    }
    let before = out.len();
    let error = PublicError {
        upstream_status: None,
        kind: ErrorKind::StreamIncomplete,
        message: "cut".to_owned(),
        code: None,
        param: None,
        detections: None,
        details: Vec::new(),
        request_id: "req-1".to_owned(),
    };
    encoder.fail(&error, &mut out);
    encoder.fail(&error, &mut out);
    for event in first(vec![
        EventKind::PartStop { part: 0 },
        finish(FinishReason::Stop),
        EventKind::End,
    ]) {
        encoder.push(&event, &mut out);
    }
    assert_eq!(
        String::from_utf8(out[before..].to_vec()).unwrap(),
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"cut\"},\
         \"request_id\":\"req-1\"}\n\n"
    );
}

#[test]
fn stop_reasons_survive_both_ways() {
    for word in [
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
    ] {
        let finish = crate::finish::Finish {
            reason: stop::reason(word),
            native: word.to_owned(),
            stop_sequence: (word == "stop_sequence").then(|| "END".to_owned()),
        };
        assert_eq!(stop::words(Some(&finish)).0, word);
    }
    let unknown = crate::finish::Finish {
        reason: FinishReason::StopSequence,
        native: "stop".to_owned(),
        stop_sequence: None,
    };
    assert_eq!(stop::words(Some(&unknown)), ("end_turn", None));
}

#[test]
fn errors_have_this_dialects_envelope_and_status() {
    let error = |kind, message: &str| PublicError {
        upstream_status: None,
        kind,
        message: message.to_owned(),
        code: None,
        param: None,
        detections: None,
        details: Vec::new(),
        request_id: "req-1".to_owned(),
    };
    for (kind, message, status, body) in [
        (
            ErrorKind::Overloaded,
            "busy",
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"req-1"}"#,
        ),
        (
            ErrorKind::ContextLength,
            "too many tokens",
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: too many tokens"},"request_id":"req-1"}"#,
        ),
        (
            ErrorKind::UpstreamAuth,
            "the provider refused our key",
            502,
            r#"{"type":"error","error":{"type":"api_error","message":"the provider refused our key"},"request_id":"req-1"}"#,
        ),
    ] {
        let (shown, bytes) = AnthropicMessages.encode_error(&error(kind, message));
        assert_eq!(
            (shown, String::from_utf8(bytes).unwrap().as_str()),
            (status, body)
        );
    }
}

/// The order of events that the vendor's SDKs rely on.
pub fn assert_grammar(stream: &str) {
    let events: Vec<Value> = stream
        .split_terminator("\n\n")
        .map(|frame| {
            let (name, data) = frame.split_once("\ndata: ").unwrap();
            let event: Value = serde_json::from_str(data).unwrap();
            assert_eq!(name, format!("event: {}", event["type"].as_str().unwrap()));
            event
        })
        .filter(|event| event["type"] != "ping")
        .collect();
    let mut expected_index = 0;
    let mut open: Option<(String, String)> = None;
    let mut state = "message_start";
    for event in &events {
        let kind = event["type"].as_str().unwrap();
        assert_ne!(state, "over", "{kind} after the end: {stream}");
        match kind {
            "error" => state = "over",
            "message_start" => {
                assert_eq!(state, "message_start", "{stream}");
                state = "blocks";
            }
            "content_block_start" => {
                assert!(
                    state == "blocks" && open.is_none() && event["index"] == expected_index,
                    "{stream}"
                );
                open = Some((
                    event["content_block"]["type"].as_str().unwrap().to_owned(),
                    String::new(),
                ));
            }
            "content_block_delta" => {
                let (block, input) = open.as_mut().unwrap();
                assert_eq!(event["index"], expected_index, "{stream}");
                let fits = match event["delta"]["type"].as_str().unwrap() {
                    "text_delta" => "text",
                    "thinking_delta" | "signature_delta" => "thinking",
                    "input_json_delta" => "tool_use",
                    other => panic!("{other}"),
                };
                assert_eq!(block, fits, "{stream}");
                input.push_str(event["delta"]["partial_json"].as_str().unwrap_or_default());
            }
            "content_block_stop" => {
                let (block, input) = open.take().unwrap();
                assert!(block != "tool_use" || !input.is_empty(), "{stream}");
                assert_eq!(event["index"], expected_index, "{stream}");
                expected_index += 1;
            }
            "message_delta" => {
                assert!(state == "blocks" && open.is_none(), "{stream}");
                assert!(
                    event["usage"]["output_tokens"].is_u64() && event["delta"]["stop_reason"].is_string()
                );
                state = "stopped";
            }
            "message_stop" => {
                assert_eq!(state, "stopped", "{stream}");
                state = "over";
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(state, "over", "{stream}");
}

#[test]
fn a_whole_message_holds_what_the_stream_would_have_said() {
    for stream in COMPLETE {
        let events = decode([stream.as_bytes()]);
        let text = encode(&events);
        assert_grammar(&text);
        let mut fold = Fold::new();
        events.into_iter().for_each(|event| fold.push(event));
        let unary = AnthropicMessages.encode_reply(&fold.finish().unwrap(), &seed());
        let again = AnthropicMessages.decode_reply(&unary).unwrap();
        let spaces = |text: String| text.replace("\": ", "\":").replace(", \"", ",\"");
        let said = |events: &[Event]| {
            let kept = events
                .iter()
                .filter(|event| !matches!(event.kind, EventKind::Usage(_) | EventKind::Start { .. }));
            spaces(outline(&kept.cloned().collect::<Vec<_>>())).replace("  3 = {}\n", "")
        };
        assert_eq!(said(&again), said(&decode([text.as_bytes()])));
    }
}

#[test]
fn a_call_that_was_cut_off_is_an_object_and_keeps_its_reason() {
    let mut fold = Fold::new();
    for event in first(vec![
        opening(),
        start(0, tool("call_1", "f", false)),
        delta(0, r#"{"location": "Par"#),
        finish(FinishReason::Length),
        EventKind::End,
    ]) {
        fold.push(event);
    }
    let body = AnthropicMessages.encode_reply(&fold.finish().unwrap(), &seed());
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body["content"][0]["input"],
        serde_json::json!({"location": "Par"})
    );
    assert_eq!(body["stop_reason"], "max_tokens");
}

#[test]
fn interleaved_calls_become_one_block_after_another() {
    let text = encode(&first(vec![
        opening(),
        start(0, PartStart::Reasoning),
        delta(0, "a"),
        start(1, PartStart::Text),
        delta(1, "Hi"),
        start(2, tool("id1", "f", false)),
        start(3, tool("id2", "g", false)),
        delta(2, "{\"x\""),
        delta(3, "{}"),
        delta(2, ":1}"),
        finish(FinishReason::ToolCalls),
        EventKind::Usage(Usage {
            input_total: Some(10),
            cache_read: Some(4),
            output_total: Some(7),
            ..Usage::default()
        }),
        EventKind::End,
    ]));
    assert_grammar(&text);
    insta::assert_snapshot!(outline(&decode([text.as_bytes()])));
}
