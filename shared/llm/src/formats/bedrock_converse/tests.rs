//! What an upstream sends, message by message.

use super::*;
use crate::error::ErrorKind;
use crate::event::{EventKind, PartStart};
use crate::event_stream::{Message, Value as Header};
use crate::finish::FinishReason;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt::Write as _;

fn message(kind: &str, name: &str, payload: &[u8]) -> Vec<u8> {
    let named = match kind {
        "exception" => ":exception-type",
        _ => ":event-type",
    };
    Message {
        headers: vec![
            (named, Header::Text(name)),
            (":content-type", Header::Text("application/json")),
            (":message-type", Header::Text(kind)),
        ],
        payload,
    }
    .write()
}

fn event(name: &str, payload: &Value) -> Vec<u8> {
    message("event", name, payload.to_string().as_bytes())
}

fn delta(index: u64, delta: &Value) -> Vec<u8> {
    // the padding that the service adds against guesses by length
    event(
        "contentBlockDelta",
        &json!({"contentBlockIndex": index, "delta": delta, "p": "abcdefg"}),
    )
}

fn stop(index: u64) -> Vec<u8> {
    event(
        "contentBlockStop",
        &json!({"contentBlockIndex": index, "p": "abc"}),
    )
}

/// Reasoning, a text, two calls, and the last words.
fn full() -> Vec<Vec<u8>> {
    let call = |index: u64, id: &str, name: &str| {
        event(
            "contentBlockStart",
            &json!({"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": id, "name": name}}, "p": "ab"}),
        )
    };
    vec![
        event("messageStart", &json!({"role": "assistant", "p": "abcd"})),
        delta(0, &json!({"reasoningContent": {"text": "let me "}})),
        delta(0, &json!({"reasoningContent": {"text": "see"}})),
        delta(0, &json!({"reasoningContent": {"signature": "c2lnbmVk"}})),
        stop(0),
        delta(1, &json!({"text": "Hé"})),
        delta(1, &json!({"text": "llo"})),
        stop(1),
        call(2, "tooluse_a", "look"),
        delta(2, &json!({"toolUse": {"input": ""}})),
        delta(2, &json!({"toolUse": {"input": "{\"a\":"}})),
        delta(2, &json!({"toolUse": {"input": " 1.0}"}})),
        stop(2),
        call(3, "tooluse_b", "wait"),
        stop(3),
        event("messageStop", &json!({"stopReason": "tool_use", "p": "ab"})),
        event(
            "metadata",
            &json!({"usage": {"inputTokens": 6, "outputTokens": 7, "totalTokens": 17, "cacheReadInputTokens": 4},
                "metrics": {"latencyMs": 9}, "p": "abc"}),
        ),
    ]
}

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = BedrockConverse.stream_decoder();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, &mut events);
    }
    decoder.finish(&mut events);
    events
}

fn outline(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        match &event.kind {
            EventKind::PartStart { part, kind } => writeln!(text, "{part} {kind:?}"),
            EventKind::Delta { part, text: said } => writeln!(text, "{part} = {said}"),
            EventKind::Opaque { part, opaque } => writeln!(text, "{part} signed {}", opaque.payload),
            EventKind::PartStop { part } => writeln!(text, "{part} stop"),
            EventKind::Finish(finish) => {
                writeln!(text, "finish {:?} {:?}", finish.reason, finish.stop_sequence)
            }
            EventKind::Usage(usage) => writeln!(
                text,
                "usage {:?} {:?} {:?}",
                usage.input_total, usage.cache_read, usage.output_total
            ),
            EventKind::Error(error) => writeln!(text, "error {:?}: {}", error.kind, error.message),
            EventKind::Start { .. } => writeln!(text, "start"),
            EventKind::End => writeln!(text, "end"),
            other => writeln!(text, "{other:?}"),
        }
        .unwrap();
    }
    text
}

#[test]
fn a_stream_with_reasoning_text_and_tools_is_read() {
    insta::assert_snapshot!(outline(&decode([full().concat().as_slice()])));
}

#[test]
fn a_whole_reply_says_what_its_stream_says() {
    let body = json!({
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "let me see", "signature": "c2lnbmVk"}}},
            {"text": "Héllo"},
            {"toolUse": {"toolUseId": "tooluse_a", "name": "look", "input": {"a": 1.0}}},
            {"toolUse": {"toolUseId": "tooluse_b", "name": "wait", "input": {}}},
        ]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 6, "outputTokens": 7, "totalTokens": 17, "cacheReadInputTokens": 4},
        "metrics": {"latencyMs": 9},
    });
    let whole = outline(&BedrockConverse.decode_reply(body.to_string().as_bytes()).unwrap());
    let streamed = outline(&decode([full().concat().as_slice()]));
    // deltas put together, and white space of arguments aside
    let joined = streamed
        .replace("let me \n0 = see", "let me see")
        .replace("H\u{e9}\n1 = llo", "H\u{e9}llo")
        .replace("{\"a\":\n2 =  1.0}", "{\"a\":1.0}");
    assert_eq!(whole, joined);
}

#[test]
fn however_the_bytes_are_cut_the_events_are_the_same() {
    let bytes = full().concat();
    let whole = outline(&decode([bytes.as_slice()]));
    assert_eq!(outline(&decode(bytes.chunks(1))), whole);
    for at in 0..bytes.len() {
        let (a, b) = bytes.split_at(at);
        assert_eq!(outline(&decode([a, b])), whole, "cut at {at}");
    }
}

#[test]
fn a_stream_cut_before_its_end_never_looks_complete() {
    let messages = full();
    let bytes = messages.concat();
    let complete = messages[..messages.len() - 1].concat().len();
    for at in 0..bytes.len() {
        let events = decode([&bytes[..at]]);
        match &events.last().unwrap().kind {
            // the reason says that all is said, though nobody says what it costs
            EventKind::End => assert!(at >= complete, "cut at {at}"),
            EventKind::Error(error) => {
                let started = at >= messages[0].len();
                let kind = match started {
                    true => ErrorKind::StreamIncomplete,
                    false => ErrorKind::MalformedUpstream,
                };
                assert_eq!(error.kind, kind, "cut at {at}");
            }
            other => panic!("cut at {at}: {other:?}"),
        }
    }
}

#[test]
fn exceptions_end_a_stream_and_nothing_follows() {
    let slow = br#"{"message":"Too many tokens, please wait before trying again."}"#;
    let exception = message("exception", "throttlingException", slow);
    let after: Vec<u8> = [full()[..6].concat(), exception.clone(), full()[6..].concat()].concat();
    let before = exception;
    for (bytes, started) in [(after, true), (before, false)] {
        let events = decode([bytes.as_slice()]);
        let EventKind::Error(error) = &events.last().unwrap().kind else {
            panic!("{events:?}")
        };
        assert_eq!(error.kind, ErrorKind::RateLimit);
        assert_eq!(error.native_type.as_deref(), Some("throttlingException"));
        assert_eq!(error.message, "Too many tokens, please wait before trying again.");
        assert_eq!(events.len() > 1, started);
    }
    let unmodelled = Message {
        headers: vec![
            (":message-type", Header::Text("error")),
            (":error-code", Header::Text("InternalFailure")),
            (":error-message", Header::Text("it broke")),
        ],
        payload: b"",
    };
    let events = decode([unmodelled.write().as_slice()]);
    assert!(
        matches!(&events[..], [Event { kind: EventKind::Error(error), .. }]
        if error.kind == ErrorKind::Upstream5xx && error.message == "it broke")
    );
}

#[test]
fn a_damaged_message_ends_a_stream_with_what_was_right_before_it() {
    let messages = full();
    let mut bytes = messages.concat();
    let at = messages[..6].concat().len() + 20;
    bytes[at] ^= 1;
    let events = decode(bytes.chunks(11));
    let said = outline(&events);
    assert!(said.contains("Hé") && !said.contains("llo"), "{said}");
    assert!(matches!(&events.last().unwrap().kind, EventKind::Error(error)
        if error.kind == ErrorKind::MalformedUpstream));
}

#[test]
fn new_events_and_headers_change_nothing() {
    let plain = outline(&decode([full().concat().as_slice()]));
    let novelty = event(
        "somethingNew",
        &json!({"contentBlockIndex": 0, "delta": {"text": "no"}}),
    );
    let odd = event(
        "contentBlockDelta",
        &json!({"contentBlockIndex": "x", "delta": 7}),
    );
    let initial = message("event", "initial-response", b"{}");
    let mut with = vec![initial];
    for one in full() {
        with.extend([one, novelty.clone(), odd.clone()]);
    }
    assert_eq!(outline(&decode([with.concat().as_slice()])), plain);
}

#[test]
fn reasoning_that_is_encrypted_comes_whole_however_it_is_cut() {
    let events = decode([[
        event("messageStart", &json!({"role": "assistant"})),
        delta(0, &json!({"reasoningContent": {"redactedContent": "c2Vj"}})),
        delta(0, &json!({"reasoningContent": {"redactedContent": "cmV0cw=="}})),
        stop(0),
        event("messageStop", &json!({"stopReason": "end_turn"})),
    ]
    .concat()
    .as_slice()]);
    let redacted = events.iter().find_map(|event| match &event.kind {
        EventKind::PartStart {
            kind: PartStart::RedactedReasoning(opaque),
            ..
        } => Some(opaque),
        _ => None,
    });
    let opaque = redacted.expect("there is some");
    assert_eq!(
        (opaque.issuer, opaque.payload.as_str()),
        (Dialect::BedrockConverse, "c2VjcmV0cw==")
    );
}

#[test]
fn tools_that_run_at_the_provider_are_no_calls_of_the_clients() {
    let events = decode([[
        event("messageStart", &json!({"role": "assistant"})),
        event("contentBlockStart", &json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}}})),
        delta(0, &json!({"toolUse": {"input": "{}"}})),
        stop(0),
        event("contentBlockStart", &json!({"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "s", "type": "x"}}})),
        delta(1, &json!({"toolResult": [{"text": "found"}]})),
        stop(1),
        delta(2, &json!({"text": "so"})),
        delta(2, &json!({"citation": {"title": "E", "location": {"web": {"url": "https://e.x"}}}})),
        event("messageStop", &json!({"stopReason": "end_turn"})),
    ]
    .concat()
    .as_slice()]);
    assert_eq!(
        outline(&events),
        "start\n0 Text\n0 = so\nCitation { part: 0, raw: Object {\"type\": String(\"web_search_result_location\"), \
         \"url\": String(\"https://e.x\"), \"title\": String(\"E\"), \"cited_text\": String(\"\")} }\n0 stop\n\
         finish Stop None\nend\n"
    );
}

#[test]
fn a_stop_sequence_is_named_where_the_model_shows_it() {
    let body = json!({"output": {"message": {"role": "assistant", "content": [{"text": "a"}]}},
        "stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"},
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}});
    let events = BedrockConverse.decode_reply(body.to_string().as_bytes()).unwrap();
    let finish = events.iter().find_map(|event| match &event.kind {
        EventKind::Finish(finish) => Some(finish),
        _ => None,
    });
    let finish = finish.expect("it ended");
    assert_eq!(
        (finish.reason, finish.stop_sequence.as_deref()),
        (FinishReason::StopSequence, Some("END"))
    );
}

#[test]
fn a_2xx_body_that_is_no_reply_is_an_error() {
    for (body, kind) in [
        (r#"{"message":"no such luck"}"#, ErrorKind::Upstream5xx),
        (
            r#"{"__type":"ThrottlingException","message":"slow"}"#,
            ErrorKind::RateLimit,
        ),
        ("", ErrorKind::MalformedUpstream),
        ("{}", ErrorKind::MalformedUpstream),
        ("<html></html>", ErrorKind::MalformedUpstream),
        (r#"{"choices":[]}"#, ErrorKind::MalformedUpstream),
    ] {
        let error = BedrockConverse.decode_reply(body.as_bytes()).unwrap_err();
        assert_eq!(error.kind, kind, "{body}");
    }
    for body in ["<html>502</html> and more", "{\"message\":\"no\"}", ""] {
        let events = decode([body.as_bytes()]);
        assert!(
            matches!(&events[..], [Event { kind: EventKind::Error(error), .. }]
            if error.kind == ErrorKind::MalformedUpstream),
            "{body}"
        );
    }
}

#[test]
fn the_name_of_an_error_is_read_from_its_header() {
    let header = |name: &'static str| {
        (name == "x-amzn-errortype").then(|| "ServiceQuotaExceededException:".to_owned())
    };
    let body = br#"{"message":"Your request exceeds the service quota"}"#;
    assert_eq!(
        BedrockConverse.decode_refusal(400, &header, body).kind,
        ErrorKind::Quota
    );
    assert_eq!(
        BedrockConverse.decode_error(400, body).kind,
        ErrorKind::InvalidRequest
    );
}

/// Events of every type, in any order and with any of their fields missing.
fn any_event() -> impl Strategy<Value = Vec<u8>> {
    let deltas = prop::sample::select(vec![
        json!({"text": "a"}),
        json!({"text": ""}),
        json!({"reasoningContent": {"text": "b"}}),
        json!({"reasoningContent": {"signature": "s"}}),
        json!({"reasoningContent": {"redactedContent": "!"}}),
        json!({"toolUse": {"input": "{"}}),
        json!({"citation": {"title": "t"}}),
        json!({"image": {"source": {"bytes": "aaaa"}}}),
        json!({}),
    ]);
    let starts = prop::sample::select(vec![
        json!({"toolUse": {"toolUseId": "t", "name": "f"}}),
        json!({"toolUse": {"name": ""}}),
        json!({"toolUse": {"toolUseId": "t", "name": "f", "type": "server_tool_use"}}),
        json!({"image": {"format": "png"}}),
        json!({}),
    ]);
    prop_oneof![
        Just(event("messageStart", &json!({"role": "assistant"}))),
        (0..3u64, deltas).prop_map(|(index, it)| delta(index, &it)),
        (0..3u64, starts).prop_map(|(index, start)| event(
            "contentBlockStart",
            &json!({"contentBlockIndex": index, "start": start})
        )),
        (0..3u64).prop_map(stop),
        Just(event("messageStop", &json!({"stopReason": "tool_use"}))),
        Just(event("messageStop", &json!({}))),
        Just(event("metadata", &json!({"usage": {"inputTokens": 1}}))),
        Just(message("exception", "validationException", b"{}")),
        Just(message("event", "contentBlockDelta", b"{")),
        any::<[u8; 4]>().prop_map(|bytes| bytes.to_vec()),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_the_events_keep_their_promise(messages in prop::collection::vec(any_event(), 0..20), size in 1..50usize) {
        let bytes = messages.concat();
        let events = decode(bytes.chunks(size));
        let (mut open, mut used, mut finishes) = (HashSet::new(), HashSet::new(), 0);
        for (at, Event { kind, .. }) in events.iter().enumerate() {
            let is_last = at + 1 == events.len();
            prop_assert_eq!(matches!(kind, EventKind::End | EventKind::Error(_)), is_last);
            prop_assert_eq!(matches!(kind, EventKind::Start { .. }), at == 0 && !is_last);
            match kind {
                EventKind::PartStart { part, .. } => prop_assert!(open.insert(*part) && used.insert(*part)),
                EventKind::PartStop { part } => prop_assert!(open.remove(part)),
                EventKind::Delta { part, text } => prop_assert!(open.contains(part) && !text.is_empty()),
                EventKind::Opaque { part, .. } | EventKind::Citation { part, .. } => prop_assert!(open.contains(part)),
                EventKind::Finish(_) => finishes += 1,
                EventKind::End => prop_assert!(open.is_empty() && finishes == 1),
                _ => {}
            }
        }
        prop_assert!(finishes <= 1);
    }
}
