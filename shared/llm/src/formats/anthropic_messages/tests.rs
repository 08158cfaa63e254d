//! Laws of the dialect's replies and streams, held by every recording in `testdata/anthropic_messages`.

use super::*;
use crate::error::ErrorKind;
use crate::event::{EventKind, PartStart};
use crate::finish::FinishReason;
use crate::request::Opaque;
use crate::translate::Progress;
use crate::usage::Usage;
use std::fmt::Write as _;

const TOOLS: &str = include_str!("../../../testdata/anthropic_messages/stream_tools.sse");
const TOOLS_REPLY: &str = include_str!("../../../testdata/anthropic_messages/reply_tools.json");
const SERVER_TOOL: &str = include_str!("../../../testdata/anthropic_messages/stream_server_tool.sse");
const COMPATIBLE: &str = include_str!("../../../testdata/anthropic_messages/stream_compatible.sse");
const OVERLOADED: &str = include_str!("../../../testdata/anthropic_messages/stream_overloaded.sse");
const ANSWER_TOOL_CALLED: &str = include_str!("../../../testdata/anthropic_messages/stream_answer_tool.sse");

const COMPLETE: [&str; 4] = [TOOLS, SERVER_TOOL, COMPATIBLE, ANSWER_TOOL_CALLED];

fn seed() -> ReplySeed {
    ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "claude".to_owned(),
        include_usage: false,
        injected_usage: false,
    }
}

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = AnthropicMessages.stream_decoder();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, &mut events);
    }
    decoder.finish(&mut events);
    events
}

/// The events one a line, with adjacent deltas of a part joined and keep-alives left out.
fn outline(events: &[Event]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut growing: Option<u32> = None;
    for event in events
        .iter()
        .filter(|event| !matches!(event.kind, EventKind::KeepAlive))
    {
        if let (EventKind::Delta { part, text }, Some(last)) = (&event.kind, lines.last_mut())
            && growing == Some(*part)
        {
            last.push_str(text);
            continue;
        }
        growing = None;
        lines.push(match &event.kind {
            EventKind::Delta { part, text } => {
                growing = Some(*part);
                format!("  {part} = {text}")
            }
            EventKind::PartStart { part, kind } => format!("  {part} {kind:?}"),
            EventKind::PartStop { part } => format!("  {part} stop"),
            EventKind::Opaque { part, opaque } => format!("  {part} signed {}", opaque.payload),
            EventKind::Citation { part, raw } => format!("  {part} cites {raw}"),
            EventKind::Usage(usage) => format!("usage {}", counts(usage)),
            EventKind::Error(error) => format!("error {:?}: {}", error.kind, error.message),
            other => format!("{other:?}"),
        });
    }
    lines.join("\n")
}

fn counts(usage: &Usage) -> String {
    let mut text = String::new();
    for (name, count) in [
        ("input", usage.input_total),
        ("read", usage.cache_read),
        ("written", usage.cache_write),
        ("output", usage.output_total),
        ("reasoning", usage.reasoning),
    ] {
        if let Some(count) = count {
            write!(text, "{name}={count} ").unwrap();
        }
    }
    text.trim_end().to_owned()
}

fn ends_well(events: &[Event]) -> bool {
    matches!(
        events.last(),
        Some(Event {
            kind: EventKind::End,
            ..
        })
    )
}

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

// === client side ===

fn encode(events: &[Event]) -> String {
    let mut encoder = AnthropicMessages.stream_encoder(&seed());
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
    }
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
        kind: ErrorKind::StreamIncomplete,
        message: "cut".to_owned(),
        code: None,
        param: None,
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
        kind,
        message: message.to_owned(),
        code: None,
        param: None,
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

// === passthrough ===

fn relayed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Progress) {
    let mut relay = AnthropicMessages.relay(&seed());
    let (mut out, mut progress) = (Vec::new(), Progress::default());
    for chunk in chunks {
        relay.push(Bytes::copy_from_slice(chunk), &mut out, &mut progress);
    }
    relay.finish(&mut out, &mut progress);
    (out.concat(), progress)
}

#[test]
fn passthrough_keeps_every_byte_and_sees_usage_and_end() {
    for (stream, usage) in [
        (TOOLS, "input=728 read=256 written=0 output=89 reasoning=11"),
        (SERVER_TOOL, "input=10 output=30"),
        (COMPATIBLE, "input=34347 read=30464 output=49"),
        (ANSWER_TOOL_CALLED, "input=12 output=9"),
    ] {
        for size in [1, 7, 100, stream.len()] {
            let (out, progress) = relayed(stream.as_bytes().chunks(size));
            assert_eq!(out, stream.as_bytes());
            assert_eq!(counts(&progress.usage), usage);
            assert!(progress.started && progress.ended && progress.error.is_none());
            assert!(progress.finish.is_some() && progress.output_bytes > 0);
        }
    }
}

#[test]
fn passthrough_keeps_the_usage_of_a_stream_that_was_cut() {
    let cut = &TOOLS.as_bytes()[..TOOLS.find("toolu_01A").unwrap()];
    let (_, progress) = relayed([cut]);
    assert_eq!(progress.usage.input_total, Some(728));
    assert_eq!(progress.error.unwrap().kind, ErrorKind::StreamIncomplete);
    assert!(progress.started && !progress.ended);
}

#[test]
fn passthrough_reports_an_error_event_and_still_forwards_it() {
    let (out, progress) = relayed([OVERLOADED.as_bytes()]);
    assert_eq!(out, OVERLOADED.as_bytes());
    assert_eq!(progress.error.unwrap().kind, ErrorKind::Overloaded);
}

#[test]
fn passthrough_of_a_request_changes_only_the_model() {
    let body = include_str!("../../../testdata/anthropic_messages/request_full.json");
    let target = Target {
        dialect: Dialect::AnthropicMessages,
        model: "claude-\"x\"".to_owned(),
        caps: crate::ModelCaps::of(Dialect::AnthropicMessages, "claude-x"),
    };
    let patched = AnthropicMessages
        .patch_request(&Bytes::from_static(body.as_bytes()), &target)
        .unwrap();
    assert_eq!(
        patched,
        body.replace("\"claude-sonnet-4-5\"", r#""claude-\"x\"""#)
    );
}
