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
