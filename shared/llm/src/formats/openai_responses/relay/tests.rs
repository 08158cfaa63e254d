use super::*;
use crate::caps::ModelCaps;
use crate::dialect::Dialect;
use crate::envelope::Subject;
use crate::format::Relay;
use crate::relay::FrameRelay;
use crate::request::Opaque;

fn patched(body: &str) -> String {
    let target = Target {
        dialect: Dialect::OpenAiResponses,
        model: "n".to_owned(),
        caps: ModelCaps::of(Dialect::OpenAiResponses, "n"),
    };
    let body = patch(&Bytes::copy_from_slice(body.as_bytes()), &target).unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn only_the_model_is_replaced() {
    let body = r#"{ "model":"m", "input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"}, "a"],"n":1.0}"#;
    assert_eq!(patched(body), body.replace("\"m\"", "\"n\""));
}

#[test]
fn reasoning_that_the_vendor_would_refuse_is_taken_out() {
    let foreign = Opaque {
        issuer: Dialect::AnthropicMessages,
        payload: "sig".to_owned(),
    };
    let item = |opaque: &Opaque| {
        let wrapped = envelope::wrap(opaque, Subject::Reasoning);
        format!(r#"{{"type":"reasoning","id":"rs_9","summary":[],"encrypted_content":"{wrapped}"}}"#)
    };
    let body = |items: &str, store: bool| format!(r#"{{"model":"n","input":[{items}"a"],"store":{store}}}"#);
    let bare = r#"{"type":"reasoning","id":"rs_1","summary":[]}"#;
    let own = item(&reasoning::issued("rs_1", "blob"));
    let restored = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"blob"}"#;
    for (items, store, expected) in [
        (format!("{},", item(&foreign)), true, String::new()),
        (format!("{bare},"), false, String::new()),
        (format!("{bare},"), true, format!("{bare},")),
        (format!("{own},"), false, format!("{restored},")),
    ] {
        assert_eq!(patched(&body(&items, store)), body(&expected, store), "{items}");
    }
}

fn relayed(stream: &str) -> (String, Progress) {
    let mut relay = FrameRelay::new(EventTap::default());
    let (mut out, mut progress) = (Vec::new(), Progress::default());
    for chunk in stream.as_bytes().chunks(11) {
        relay.push(Bytes::copy_from_slice(chunk), &mut out, &mut progress);
    }
    relay.finish(&mut out, &mut progress);
    (String::from_utf8(out.concat()).unwrap(), progress)
}

const CREATED: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"error\":null}}\n\n";
const DELTA: &str = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"He\\\"y\"}\n\n";
const COMPLETED: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"function_call\"}],\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}}\n\n";

#[test]
fn every_byte_is_forwarded_and_what_matters_is_seen() {
    let stream = [CREATED, DELTA, COMPLETED].concat();
    let (out, progress) = relayed(&stream);
    assert_eq!(out, stream);
    assert!(progress.started && progress.ended && progress.error.is_none());
    assert_eq!(progress.output_bytes, 5);
    assert_eq!(
        (progress.usage.input_total, progress.usage.output_total),
        (Some(3), Some(2))
    );
    assert_eq!(progress.finish.unwrap().reason, FinishReason::ToolCalls);
    assert!(!relayed(CREATED).1.started, "nothing was said yet");
}

#[test]
fn a_failure_and_a_cut_are_errors() {
    let failed = "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"m\"}}}\n\n";
    let error = "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"m\"}\n\n";
    for (last, kind) in [
        (failed, ErrorKind::RateLimit),
        (error, ErrorKind::Upstream5xx),
        ("", ErrorKind::StreamIncomplete),
    ] {
        let (_, progress) = relayed(&[CREATED, DELTA, last].concat());
        assert_eq!(progress.error.map(|error| error.kind), Some(kind), "{last}");
        assert!(!progress.ended);
    }
}

#[test]
fn an_error_of_our_own_goes_on_counting() {
    let mut tap = EventTap::default();
    tap.glance(CREATED.as_bytes(), &mut Progress::default());
    let error = UpstreamError::new(ErrorKind::Timeout, "late").public("r");
    let frame = String::from_utf8(tap.error_frame(&error)).unwrap();
    assert_eq!(
        frame,
        "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"late\",\"param\":null,\"sequence_number\":1}\n\n"
    );
}
