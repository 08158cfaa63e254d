//! What an upstream sends.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashSet;

#[test]
fn a_stream_with_thinking_text_and_tools_is_read() {
    insta::assert_snapshot!(outline(&decode([TOOLS.as_bytes()])));
}

#[test]
fn server_tools_and_unknown_blocks_are_no_output_of_the_client() {
    insta::assert_snapshot!(outline(&decode([SERVER_TOOL.as_bytes()])));
}

#[test]
fn the_habits_of_compatible_servers_are_understood() {
    insta::assert_snapshot!(outline(&decode([COMPATIBLE.as_bytes()])));
}

#[test]
fn the_input_of_the_answer_tool_is_the_text_of_the_answer() {
    insta::assert_snapshot!(outline(&decode([ANSWER_TOOL_CALLED.as_bytes()])));
}

#[test]
fn an_error_inside_a_stream_ends_it_and_nothing_follows() {
    let events = decode([OVERLOADED.as_bytes()]);
    let Some(EventKind::Error(error)) = events.last().map(|event| &event.kind) else {
        panic!("{events:?}")
    };
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Overloaded, "Overloaded")
    );
    assert_eq!(outline(&events).matches("Hel").count(), 1);
}

#[test]
fn a_whole_message_says_what_its_stream_said() {
    let last_usage_only = |events: Vec<Event>| {
        let (usage, rest): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| matches!(event.kind, EventKind::Usage(_)));
        let mut total = Usage::default();
        for event in &usage {
            if let EventKind::Usage(snapshot) = &event.kind {
                total.merge(snapshot);
            }
        }
        (total, outline(&rest))
    };
    let unary = AnthropicMessages.decode_reply(TOOLS_REPLY.as_bytes()).unwrap();
    // the vendor writes tool input with spaces in a stream; as text it may differ, as JSON it may not
    let spaced = |(usage, text): (Usage, String)| (usage, text.replace("\": ", "\":").replace(", \"", ",\""));
    assert_eq!(
        spaced(last_usage_only(unary)),
        spaced(last_usage_only(decode([TOOLS.as_bytes()])))
    );
}

#[test]
fn cutting_the_bytes_anywhere_changes_nothing() {
    for stream in COMPLETE.into_iter().chain([OVERLOADED]) {
        let whole = outline(&decode([stream.as_bytes()]));
        for at in 0..stream.len() {
            let (a, b) = stream.as_bytes().split_at(at);
            assert_eq!(outline(&decode([a, b])), whole, "cut at {at}");
        }
        assert_eq!(
            outline(&decode(stream.as_bytes().chunks(1))),
            whole,
            "byte by byte"
        );
    }
}

#[test]
fn line_ends_comments_and_unknown_events_change_nothing() {
    for stream in COMPLETE {
        let whole = outline(&decode([stream.as_bytes()]));
        for other in [
            stream.replace('\n', "\r\n"),
            stream.replace('\n', "\r"),
            stream.replace("\n\n", "\n\n: keep-alive\n\n"),
            stream.replace(
                "\n\n",
                "\n\nevent: novelty\ndata: {\"type\":\"novelty\",\"delta\":{\"text\":7}}\n\n",
            ),
            stream.replace("data: {\"type\":", "data: {\"x\":{\"y\":[null]},\"type\":"),
            format!("\u{feff}{stream}"),
        ] {
            assert_eq!(outline(&decode([other.as_bytes()])), whole);
        }
    }
}

#[test]
fn a_stream_cut_before_its_end_never_looks_complete() {
    for stream in COMPLETE {
        let event = stream.find("message_delta").unwrap();
        // the closing brace completes the JSON, even without the blank line
        let terminal = event + stream[event..].find("\n\n").unwrap();
        for at in 0..terminal {
            let events = decode([&stream.as_bytes()[..at]]);
            assert!(!ends_well(&events), "cut at {at}");
            assert!(
                matches!(events.last().unwrap().kind, EventKind::Error(_)),
                "cut at {at} ends in nothing"
            );
        }
        assert!(
            ends_well(&decode([&stream.as_bytes()[..terminal + 2]])),
            "the stop reason is the end"
        );
    }
}

#[test]
fn what_is_no_stream_of_this_dialect_is_malformed() {
    for body in [
        "",
        "<html>502</html>",
        "data: {\"choices\":[]}\n\ndata: [DONE]\n\n",
        "data: {\ndata: {\n\n",
    ] {
        let events = decode([body.as_bytes()]);
        assert_eq!(events.len(), 1, "{body}");
        let EventKind::Error(error) = &events[0].kind else {
            panic!("{events:?}")
        };
        assert_eq!(error.kind, ErrorKind::MalformedUpstream, "{body}");
    }
}

#[test]
fn a_2xx_body_that_is_no_message_is_an_error() {
    for (body, kind) in [
        (
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#,
            ErrorKind::RateLimit,
        ),
        (
            r#"{"error":{"message":"no","code":"insufficient_quota"}}"#,
            ErrorKind::Quota,
        ),
        ("", ErrorKind::MalformedUpstream),
        ("{}", ErrorKind::MalformedUpstream),
        ("<html></html>", ErrorKind::MalformedUpstream),
        (r#"{"choices":[]}"#, ErrorKind::MalformedUpstream),
    ] {
        assert_eq!(
            AnthropicMessages.decode_reply(body.as_bytes()).unwrap_err().kind,
            kind,
            "{body}"
        );
    }
}

/// Wire events of every type, in any order and with any of their fields missing.
fn any_wire_event() -> impl Strategy<Value = String> {
    let index = 0..3_u64;
    let block = prop_oneof![
        Just(json!({"type": "text", "text": "a"})),
        Just(json!({"type": "thinking", "thinking": "", "signature": "s"})),
        Just(json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}})),
        Just(json!({"type": "tool_use", "name": ""})),
        Just(json!({"type": "redacted_thinking"})),
        Just(json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
        Just(json!(7)),
    ];
    let delta = prop_oneof![
        Just(json!({"type": "text_delta", "text": "b"})),
        Just(json!({"type": "thinking_delta", "thinking": ""})),
        Just(json!({"type": "input_json_delta", "partial_json": "{"})),
        Just(json!({"type": "signature_delta", "signature": "x"})),
        Just(json!({"type": "novel_delta"})),
    ];
    let usage = json!({"input_tokens": 3, "output_tokens": null});
    prop_oneof![
        Just(json!({"type": "message_start", "message": {"id": "m", "content": [{"type": "text", "text": "c"}]}})),
        Just(json!({"type": "ping"})),
        Just(json!({"type": "message_start"})),
        (index.clone(), block).prop_map(
            |(index, block)| json!({"type": "content_block_start", "index": index, "content_block": block})
        ),
        (index.clone(), delta)
            .prop_map(|(index, delta)| json!({"type": "content_block_delta", "index": index, "delta": delta})),
        index.prop_map(|index| json!({"type": "content_block_stop", "index": index})),
        Just(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": usage})),
        Just(json!({"type": "message_delta"})),
        Just(json!({"type": "message_stop"})),
        Just(json!({"type": "error", "error": {"type": "api_error", "message": "no"}})),
        Just(json!("novelty")),
    ]
    .prop_map(|event| format!("data: {event}\n\n"))
}

/// What [`crate::event`] promises of every decoder.
fn assert_contract(events: &[Event]) {
    let mut open = HashSet::new();
    let mut used = HashSet::new();
    let mut finishes = 0;
    for (at, Event { kind, .. }) in events
        .iter()
        .filter(|e| !matches!(e.kind, EventKind::KeepAlive))
        .enumerate()
    {
        assert_eq!(
            matches!(kind, EventKind::Start { .. }),
            at == 0 && !matches!(kind, EventKind::Error(_))
        );
        match kind {
            EventKind::PartStart { part, .. } => assert!(open.insert(*part) && used.insert(*part)),
            EventKind::PartStop { part } => assert!(open.remove(part)),
            EventKind::Delta { part, text } => assert!(open.contains(part) && !text.is_empty()),
            EventKind::Opaque { part, .. } | EventKind::Citation { part, .. } => assert!(open.contains(part)),
            EventKind::Finish(_) => finishes += 1,
            _ => {}
        }
    }
    assert!(finishes <= 1);
    let terminal = |event: &&Event| matches!(event.kind, EventKind::End | EventKind::Error(_));
    assert_eq!(events.iter().filter(terminal).count(), 1);
    assert!(terminal(&events.last().unwrap()));
    if ends_well(events) {
        assert!(open.is_empty() && finishes == 1);
    }
}

proptest! {
    #[test]
    fn every_stream_is_decoded_by_the_contract(events in prop::collection::vec(any_wire_event(), 0..20)) {
        assert_contract(&decode([events.concat().as_bytes()]));
    }

    #[test]
    fn arbitrary_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_contract(&decode([bytes.as_slice()]));
        let _ = AnthropicMessages.decode_reply(&bytes);
        let _ = AnthropicMessages.decode_request(&bytes);
        let _ = AnthropicMessages.decode_error(500, &bytes);
    }

    #[test]
    fn every_decoded_stream_can_be_encoded_again(events in prop::collection::vec(any_wire_event(), 0..20)) {
        super::client::assert_grammar(&super::client::encode(&decode([events.concat().as_bytes()])));
    }
}
