use super::super::trace::trace;
use super::*;

const TEXT: &str = include_str!("../../../../testdata/openai_chat/stream_text.sse");
const REASONING_TOOLS: &str = include_str!("../../../../testdata/openai_chat/stream_reasoning_tools.sse");
const COMPATIBLE: &str = include_str!("../../../../testdata/openai_chat/stream_compatible.sse");
const ERROR: &str = include_str!("../../../../testdata/openai_chat/stream_error.sse");

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let (mut decoder, mut events) = (ChunkDecoder::default(), Vec::new());
    chunks
        .into_iter()
        .for_each(|chunk| decoder.push(chunk, &mut events));
    decoder.finish(&mut events);
    trace(&events)
}

fn whole(stream: &str) -> Vec<String> {
    decode([stream.as_bytes()])
}

/// A stream of these deltas, each with a finish reason or none, and `[DONE]`.
fn stream(deltas: &[(&str, Option<&str>)]) -> String {
    let mut stream = String::new();
    for (delta, finish) in deltas {
        let finish = serde_json::to_string(finish).unwrap();
        stream.push_str(&format!(
            "data: {{\"id\":\"r\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        ));
    }
    stream + "data: [DONE]\n\n"
}

/// The events between the start and the end.
fn of(deltas: &[(&str, Option<&str>)]) -> Vec<String> {
    let mut trace = whole(&stream(deltas));
    assert_eq!(trace.remove(0), "start r m");
    assert_eq!(trace.pop().as_deref(), Some("end"));
    trace
}

#[test]
fn a_stream_of_the_vendor_is_read() {
    insta::assert_snapshot!(whole(TEXT).join("\n"), @r#"
    start chatcmpl-9 gpt-test-2026
    0 starts text
    0 "Hello"
    0 ", 你好🌍"
    0 "! \"usage\":{\"error\":1}"
    usage 12/7 cached 4 reasoning 0
    0 stops
    finish stop ("stop")
    end
    "#);
}

#[test]
fn reasoning_and_interleaved_calls_are_read() {
    insta::assert_snapshot!(whole(REASONING_TOOLS).join("\n"));
}

#[test]
fn what_compatible_servers_vary_in_changes_nothing() {
    insta::assert_snapshot!(whole(COMPATIBLE).join("\n"));
}

#[test]
fn wherever_the_network_cuts_the_events_are_the_same() {
    for stream in [TEXT, REASONING_TOOLS, COMPATIBLE, ERROR] {
        let expected = whole(stream);
        let bytes = stream.as_bytes();
        assert_eq!(decode(bytes.chunks(1)), expected);
        for at in 0..bytes.len() {
            let (before, after) = bytes.split_at(at);
            assert_eq!(decode([before, after]), expected, "cut at {at}");
        }
    }
}

#[test]
fn a_stream_cut_short_is_never_a_success() {
    for stream in [TEXT, REASONING_TOOLS] {
        let reason = stream.find("\"finish_reason\":\"").unwrap();
        let complete = reason + stream[reason..].find('\n').unwrap();
        for end in 0..complete {
            let trace = decode([&stream.as_bytes()[..end]]);
            let last = trace.last().unwrap();
            assert!(
                last.starts_with("error stream_incomplete"),
                "cut at {end}: {last}"
            );
        }
        // usage is lost, but the answer is whole
        assert_eq!(decode([&stream.as_bytes()[..complete]]).last().unwrap(), "end");
    }
}

#[test]
fn done_without_a_reason_is_a_stop_or_a_tool_stop() {
    assert_eq!(
        of(&[(r#"{"content":"hi"}"#, None)]).last().unwrap(),
        "finish stop (\"stop\")"
    );
    let call = r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#;
    assert_eq!(
        of(&[(call, None)]).last().unwrap(),
        "finish tool_calls (\"stop\")"
    );
    assert_eq!(
        whole("data: [DONE]\n\n"),
        ["error stream_incomplete: upstream closed the stream before it was complete"]
    );
}

#[test]
fn a_cut_call_keeps_its_length_reason() {
    let call = r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"a\": \"Par"}}]}"#;
    assert_eq!(
        of(&[(call, None), ("{}", Some("length"))]).last().unwrap(),
        "finish length (\"length\")"
    );
}

#[test]
fn an_error_in_the_stream_is_the_last_event() {
    assert_eq!(
        whole(ERROR),
        [
            "start e m",
            "0 starts text",
            "0 \"Half\"",
            "error upstream_5xx: provider down"
        ]
    );
    for first in [
        "data: {\"error\":{\"message\":\"slow down\",\"code\":429}}\n\n",
        "event: error\ndata: {\"message\":\"slow down\",\"code\":\"429\"}\n\n",
        "data: {\"choices\":[{\"index\":0,\"error\":{\"message\":\"slow down\",\"code\":429},\"finish_reason\":\"error\"}]}\n\n",
    ] {
        assert_eq!(
            whole(&format!("{first}{TEXT}")),
            ["error rate_limit: slow down"],
            "{first}"
        );
    }
    let broken_off = of_raw(&[(r#"{"content":"a"}"#, Some("error"))]);
    assert_eq!(
        broken_off.last().unwrap(),
        "error upstream_5xx: upstream broke the answer off with an error"
    );
}

fn of_raw(deltas: &[(&str, Option<&str>)]) -> Vec<String> {
    whole(&stream(deltas))
}

#[test]
fn what_is_no_stream_of_this_dialect_is_malformed() {
    let malformed = "error upstream_malformed: upstream sent a stream that cannot be read";
    assert_eq!(whole(&"data: nonsense\n\n".repeat(3)), [malformed]);
    assert_eq!(whole("data: nonsense\n\n"), [malformed]);
    // one unreadable frame among good ones is skipped
    assert_eq!(
        whole(&TEXT.replacen("\n\n", "\n\ndata: nonsense\n\n", 1)),
        whole(TEXT)
    );
}

#[test]
fn one_chunk_may_say_everything() {
    let delta = r#"{"reasoning_content":"r","content":"t","refusal":"no",
        "tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#;
    assert_eq!(
        of(&[(&delta.replace('\n', ""), Some("tool_calls"))]),
        [
            "0 starts reasoning",
            "0 \"r\"",
            "0 stops",
            "1 starts text",
            "1 \"t\"",
            "1 stops",
            "2 starts refusal",
            "2 \"no\"",
            "2 stops",
            "3 starts call f a",
            "3 \"{}\"",
            "3 stops",
            "finish tool_calls (\"tool_calls\")",
        ]
    );
}

#[test]
fn empty_deltas_start_nothing() {
    assert_eq!(
        of(&[
            (
                r#"{"role":"assistant","content":"","reasoning_content":""}"#,
                None
            ),
            (r#"{"content":null,"tool_calls":null}"#, None),
            (
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}"#,
                None
            ),
            (r#"{"content":""}"#, Some("tool_calls")),
        ]),
        [
            "0 starts call f a",
            "0 stops",
            "finish tool_calls (\"tool_calls\")"
        ]
    );
}

#[test]
fn the_same_reasoning_in_two_fields_is_read_once() {
    assert_eq!(
        of(&[
            (
                r#"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}"#,
                None
            ),
            (
                r#"{"reasoning":"b","reasoning_details":[{"type":"reasoning.text","text":"b","index":0}]}"#,
                None
            ),
            (
                r#"{"reasoning_details":[{"type":"reasoning.text","signature":"S","format":"anthropic-claude-v1"}]}"#,
                None
            ),
            (r#"{"content":"t"}"#, Some("stop")),
        ]),
        [
            "0 starts reasoning",
            "0 \"a\"",
            "0 \"b\"",
            "0 anthropic_messages signed S",
            "0 stops",
            "1 starts text",
            "1 \"t\"",
            "1 stops",
            "finish stop (\"stop\")",
        ]
    );
}

#[test]
fn a_refusal_is_why_it_stopped() {
    assert_eq!(
        of(&[
            (r#"{"refusal":"I can"}"#, None),
            (r#"{"refusal":"not."}"#, Some("stop"))
        ]),
        [
            "0 starts refusal",
            "0 \"I can\"",
            "0 \"not.\"",
            "0 stops",
            "finish refusal (\"stop\")"
        ]
    );
}

#[test]
fn calls_are_told_apart_however_they_are_counted() {
    let two = [
        "0 starts call f a",
        "0 \"{}\"",
        "1 starts call g b",
        "1 \"{}\"",
        "0 stops",
        "1 stops",
    ];
    for (case, first, second) in [
        (
            "all indexes zero",
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
            r#"{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}"#,
        ),
        (
            "no index",
            r#"{"id":"a","function":{"name":"f","arguments":"{}"}}"#,
            r#"{"id":"b","function":{"name":"g","arguments":{}}}"#,
        ),
        (
            "index as text",
            r#"{"index":"0","id":"a","function":{"name":"f","arguments":"{}"}}"#,
            r#"{"index":"1","id":"b","function":{"name":"g","arguments":"{}"}}"#,
        ),
    ] {
        let deltas = [first, second].map(|call| format!("{{\"tool_calls\":[{call}]}}"));
        let trace = of(&[(&deltas[0], None), (&deltas[1], Some("tool_calls"))]);
        assert_eq!(trace[..6], two, "{case}");
    }
}

#[test]
fn fragments_of_one_call_stay_together() {
    for (case, first, more) in [
        (
            "id only once",
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#,
            r#"{"index":0,"function":{"arguments":"}"}}"#,
        ),
        (
            "id and name repeated",
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#,
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}"#,
        ),
        (
            "id empty, name null",
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#,
            r#"{"index":0,"id":"","function":{"name":null,"arguments":"}"}}"#,
        ),
        (
            "another id in every fragment",
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#,
            r#"{"index":0,"id":"x","function":{"arguments":"}"}}"#,
        ),
        (
            "no index",
            r#"{"id":"a","function":{"name":"f","arguments":"{"}}"#,
            r#"{"function":{"arguments":"}"}}"#,
        ),
    ] {
        let deltas = [first, more].map(|call| format!("{{\"tool_calls\":[{call}]}}"));
        let trace = of(&[(&deltas[0], None), (&deltas[1], Some("tool_calls"))]);
        assert_eq!(
            trace[..4],
            ["0 starts call f a", "0 \"{\"", "0 \"}\"", "0 stops"],
            "{case}"
        );
    }
}

#[test]
fn a_call_waits_for_its_name() {
    assert_eq!(
        of(&[
            (
                r#"{"tool_calls":[{"index":0,"id":"c1","function":{"arguments":"{\"command\":"}}]}"#,
                None
            ),
            (
                r#"{"tool_calls":[{"index":0,"function":{"name":"bash","arguments":" \"ls\"}"}}]}"#,
                Some("tool_calls")
            ),
        ])[..2],
        ["0 starts call bash c1", "0 \"{\\\"command\\\": \\\"ls\\\"}\""]
    );
    let nameless = r#"{"tool_calls":[{"index":0,"id":"c1","function":{"arguments":"{}"}}]}"#;
    let trace = of_raw(&[(nameless, Some("tool_calls"))]);
    assert_eq!(
        trace.last().unwrap(),
        "error upstream_malformed: upstream sent a tool call without a name"
    );
}

#[test]
fn an_id_is_made_up_or_made_legal() {
    let trace = of(&[
        (
            r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]}"#,
            None,
        ),
        (r#"{"function_call":{"name":"f","arguments":"{}"}}"#, None),
        (
            r#"{"tool_calls":[{"index":1,"id":"functions.Edit:0","function":{"name":"f","arguments":""}}]}"#,
            Some("tool_calls"),
        ),
    ]);
    assert_eq!(trace[0], "0 starts call f call_r_0_0");
    let mapped = trace
        .iter()
        .find(|line| line.contains("functions_Edit_0"))
        .unwrap();
    let id = mapped.rsplit(' ').next().unwrap();
    assert!(
        id.len() <= 64
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
        "{id}"
    );
}

#[test]
fn custom_and_legacy_calls_are_calls() {
    assert_eq!(
        of(&[
            (
                r#"{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"sh","input":"ls"}}]}"#,
                None
            ),
            (
                r#"{"tool_calls":[{"index":0,"custom":{"input":" -l"}}]}"#,
                Some("tool_calls")
            ),
        ])[..3],
        ["0 starts custom call sh a", "0 \"ls\"", "0 \" -l\""]
    );
    assert_eq!(
        of(&[
            (r#"{"function_call":{"name":"f","arguments":""}}"#, None),
            (r#"{"function_call":{"arguments":"{\"a\":"}}"#, None),
            (r#"{"function_call":{"arguments":"1}"}}"#, Some("function_call")),
        ]),
        [
            "0 starts call f call_r_0_0",
            "0 \"{\\\"a\\\":\"",
            "0 \"1}\"",
            "0 stops",
            "finish tool_calls (\"function_call\")",
        ]
    );
}

#[test]
fn choices_are_kept_apart() {
    let stream = "data: {\"id\":\"r\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}},{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n\
         data: {\"id\":\"r\",\"choices\":[{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
         data: {\"id\":\"r\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"c\"},\"finish_reason\":\"length\"}]}\n\n";
    let with_done = whole(&format!("{stream}data: [DONE]\n\n"));
    assert_eq!(
        with_done[1..],
        [
            "0 starts text",
            "0 \"a\"",
            "choice 1: 1 starts text",
            "choice 1: 1 \"b\"",
            "0 \"c\"",
            "0 stops",
            "finish length (\"length\")",
            "choice 1: 1 stops",
            "choice 1: finish stop (\"stop\")",
            "end",
        ]
    );
    assert_eq!(whole(stream), with_done);
}
