//! The same dialect on both sides.

use super::*;

fn relayed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Progress) {
    let mut relay = AnthropicMessages.relay(&seed());
    let (mut out, mut progress) = (Vec::new(), Progress::default());
    for chunk in chunks {
        relay.push(Bytes::copy_from_slice(chunk), &mut out, &mut progress);
    }
    relay.finish(&mut out, &mut progress);
    (out.concat(), progress)
}

/// Bytes of the model's own in a stream, as they are written there.
fn said(stream: &str) -> u64 {
    let events = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    // some servers end with a word that is no event
    let events = events.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    let lengths = events.filter_map(|event| {
        // some begin a block with the first of its text
        let delta = match event["type"].as_str() {
            Some("content_block_start") => &event["content_block"],
            Some("content_block_delta") => &event["delta"],
            _ => return None,
        };
        let members = ["text", "thinking", "partial_json"];
        let text = members.iter().find_map(|member| delta[*member].as_str())?;
        // without its quotes
        Some(serde_json::to_string(text).unwrap().len() as u64 - 2)
    });
    lengths.sum()
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
            assert!(progress.finish.is_some());
            assert_eq!(progress.output_bytes, said(stream), "{stream}");
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
    let body = include_str!("../../../../testdata/anthropic_messages/request_full.json");
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

#[test]
fn a_clients_version_travels_with_its_body_and_ours_with_ours() {
    let client = |name: &'static str| match name {
        "anthropic-version" => Some("2026-10-21".to_owned()),
        "anthropic-beta" => Some("context-1m-2025-08-07".to_owned()),
        _ => None,
    };
    assert_eq!(
        AnthropicMessages.request_headers(&client),
        [
            ("anthropic-version", "2026-10-21".to_owned()),
            ("anthropic-beta", "context-1m-2025-08-07".to_owned())
        ]
    );
    assert_eq!(
        AnthropicMessages.request_headers(&|_| None),
        [("anthropic-version", "2023-06-01".to_owned())]
    );
}

#[test]
fn passthrough_drops_thinking_that_the_vendor_has_not_signed() {
    let body = r#"{"model":"a","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"b","signature":""},{"type":"text","text":"c"}]}],"max_tokens":1}"#;
    let target = Target {
        dialect: Dialect::AnthropicMessages,
        model: "b".to_owned(),
        caps: crate::ModelCaps::of(Dialect::AnthropicMessages, "b"),
    };
    let patched = AnthropicMessages
        .patch_request(&Bytes::from_static(body.as_bytes()), &target)
        .unwrap();
    assert_eq!(
        patched,
        r#"{"model":"b","messages":[{"role":"assistant","content":[{"type":"text","text":"c"}]}],"max_tokens":1}"#
    );
}
