use super::*;
use crate::caps::ModelCaps;
use crate::dialect::Dialect;
use crate::finish::FinishReason;
use crate::format::Relay;
use crate::relay::FrameRelay;

const TEXT: &str = include_str!("../../../../testdata/openai_chat/stream_text.sse");
const REASONING_TOOLS: &str = include_str!("../../../../testdata/openai_chat/stream_reasoning_tools.sse");
const COMPATIBLE: &str = include_str!("../../../../testdata/openai_chat/stream_compatible.sse");
const ERROR: &str = include_str!("../../../../testdata/openai_chat/stream_error.sse");

fn relayed(stream: &str, injected_usage: bool, step: usize) -> (String, Progress) {
    let mut relay = FrameRelay::new(ChunkTap::new(injected_usage));
    let (mut out, mut progress) = (Vec::new(), Progress::default());
    for chunk in stream.as_bytes().chunks(step) {
        relay.push(Bytes::copy_from_slice(chunk), &mut out, &mut progress);
    }
    relay.finish(&mut out, &mut progress);
    (String::from_utf8(out.concat()).unwrap(), progress)
}

fn patched(body: &str) -> String {
    let target = Target {
        dialect: Dialect::OpenAiChat,
        model: "up\"stream".to_owned(),
        caps: ModelCaps::of(Dialect::OpenAiChat, "x"),
    };
    String::from_utf8(patch(&Bytes::from(body.to_owned()), &target).unwrap().to_vec()).unwrap()
}

#[test]
fn only_the_model_changes_in_a_request() {
    let body = r#"{ "model" : "m", "max_tokens":1e2, "x":{"model":"m"},"stream":false }"#;
    assert_eq!(patched(body), body.replacen("\"m\"", r#""up\"stream""#, 1));
}

#[test]
fn usage_is_asked_for_in_a_stream() {
    for (body, expected) in [
        (
            r#"{"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"model":"up\"stream","stream":true}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":null}"#,
            r#"{"model":"up\"stream","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{ "include_obfuscation":false }}"#,
            r#"{"model":"up\"stream","stream":true,"stream_options":{"include_usage":true, "include_obfuscation":false }}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":false}}"#,
            r#"{"model":"up\"stream","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{"include_usage" : true}}"#,
            r#"{"model":"up\"stream","stream":true,"stream_options":{"include_usage" : true}}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":7}"#,
            r#"{"model":"up\"stream","stream":true,"stream_options":7}"#,
        ),
    ] {
        assert_eq!(patched(body), expected);
    }
}

#[test]
fn who_reports_usage_anyway_is_not_asked() {
    let target = Target {
        dialect: Dialect::OpenAiChat,
        model: "n".to_owned(),
        caps: ModelCaps::of(Dialect::OpenAiChat, "n").with_stream_usage(StreamUsage::Always),
    };
    for (body, expected) in [
        (
            r#"{"model":"m", "stream":true}"#,
            r#"{"model":"n", "stream":true}"#,
        ),
        (
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
            r#"{"model":"n","stream":true}"#,
        ),
    ] {
        assert_eq!(
            patch(&Bytes::from_static(body.as_bytes()), &target).unwrap(),
            expected
        );
    }
}

#[test]
fn bytes_out_are_bytes_in_when_the_client_asked_for_usage() {
    for stream in [TEXT, REASONING_TOOLS, COMPATIBLE, ERROR] {
        for step in [1, 7, stream.len()] {
            assert_eq!(relayed(stream, false, step).0, stream);
        }
    }
}

#[test]
fn the_chunk_the_gateway_asked_for_is_all_that_is_missing() {
    for stream in [TEXT, REASONING_TOOLS] {
        let frames = stream.split_inclusive("\n\n");
        let expected: String = frames.filter(|frame| !frame.contains("\"choices\":[]")).collect();
        for step in [1, 7, stream.len()] {
            assert_eq!(relayed(stream, true, step).0, expected);
        }
    }
    // usage beside content is not a chunk of its own, and a first chunk without choices is not one of usage
    assert_eq!(relayed(COMPATIBLE, true, 9).0, COMPATIBLE);
}

#[test]
fn what_goes_by_is_tallied() {
    for step in [1, TEXT.len()] {
        let (_, progress) = relayed(TEXT, true, step);
        assert!(progress.started && progress.ended && progress.error.is_none());
        assert_eq!(
            (progress.usage.input_total, progress.usage.cache_read),
            (Some(12), Some(4))
        );
        assert_eq!(progress.usage.output_total, Some(7));
        assert_eq!(progress.finish.as_ref().unwrap().reason, FinishReason::Stop);
        let output = ["Hello", ", 你好🌍", r#"! \"usage\":{\"error\":1}"#].concat();
        assert_eq!(progress.output_bytes, output.len() as u64);
    }
    let (_, progress) = relayed(REASONING_TOOLS, false, 5);
    let output = ["I need ", "both.", "Checking.", r#"{\"x\":"#, "{}", "1}"].concat();
    assert_eq!(progress.output_bytes, output.len() as u64);
    assert_eq!(progress.usage.reasoning, Some(2));
    let (_, progress) = relayed(COMPATIBLE, false, 5);
    assert_eq!(progress.usage.output_total, Some(4));
}

#[test]
fn the_role_alone_does_not_begin_the_answer() {
    let mut relay = FrameRelay::new(ChunkTap::new(false));
    let mut progress = Progress::default();
    let mut frames = TEXT
        .split_inclusive("\n\n")
        .map(|frame| Bytes::from(frame.to_owned()));
    relay.push(frames.next().unwrap(), &mut Vec::new(), &mut progress);
    assert!(!progress.started);
    relay.push(frames.next().unwrap(), &mut Vec::new(), &mut progress);
    assert!(progress.started);
}

#[test]
fn an_error_in_the_stream_is_seen_and_forwarded() {
    let (out, progress) = relayed(ERROR, true, 3);
    assert_eq!(out, ERROR);
    assert_eq!(progress.error.unwrap().message, "provider down");
    let (_, progress) = relayed("event: error\ndata: {\"message\":\"slow down\"}\n\n", false, 3);
    assert!(!progress.started);
    assert_eq!(progress.error.unwrap().message, "slow down");
}

#[test]
fn a_stream_without_its_end_is_an_error() {
    let cut = TEXT.find("\"finish_reason\":\"stop\"").unwrap();
    let (_, progress) = relayed(&TEXT[..cut], false, 11);
    assert_eq!(progress.error.unwrap().kind, ErrorKind::StreamIncomplete);
    let without_done = TEXT.replace("data: [DONE]\n\n", "");
    let (_, progress) = relayed(&without_done, false, 11);
    assert!(progress.ended && progress.error.is_none());
}
