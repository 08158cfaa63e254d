use super::*;
use crate::event::PartStart;
use crate::finish::FinishReason;
use serde_json::json;

fn frames(events: &[Value]) -> String {
    events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .collect()
}

fn decoded(stream: &str) -> Vec<EventKind> {
    let (mut decoder, mut events) = (EventDecoder::default(), Vec::new());
    decoder.push(stream.as_bytes(), &mut events);
    decoder.finish(&mut events);
    events.into_iter().map(|event| event.kind).collect()
}

/// What a stream says, one line an event.
fn trace(events: &[Value]) -> Vec<String> {
    let line = |kind: EventKind| match kind {
        EventKind::Start { id, model, .. } => format!("start {id} {model}"),
        EventKind::PartStart { part, kind } => match kind {
            PartStart::ToolCall { id, name, freeform } => format!("{part} call {id} {name} {freeform}"),
            other => format!("{part} {other:?}"),
        },
        EventKind::Delta { part, text } => format!("{part} + {text}"),
        EventKind::Opaque { part, opaque } => format!("{part} opaque {}", opaque.payload),
        EventKind::Citation { part, raw } => format!("{part} cites {}", raw["url_citation"]["url"]),
        EventKind::PartStop { part } => format!("{part} stop"),
        EventKind::Usage(usage) => format!("usage {:?} {:?}", usage.input_total, usage.output_total),
        EventKind::Finish(finish) => format!("finish {:?} {}", finish.reason, finish.native),
        EventKind::Error(error) => format!("error {:?} {}", error.kind, error.message),
        EventKind::Media(media) => format!("{} {}", media.mime, media.data),
        EventKind::Logprobs(value) => format!("logprobs {value}"),
        EventKind::KeepAlive => "alive".to_owned(),
        EventKind::End => "end".to_owned(),
    };
    decoded(&frames(events)).into_iter().map(line).collect()
}

fn created() -> Value {
    json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "model": "n", "created_at": 1, "status": "in_progress", "output": []}})
}

fn completed(output: Value) -> Value {
    json!({"type": "response.completed", "response": {"id": "resp_1", "model": "n", "status": "completed", "output": output,
        "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}}})
}

fn message(text: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

fn delta(kind: &str, item: &str, index: u64, text: &str) -> Value {
    json!({"type": format!("response.{kind}.delta"), "item_id": item, "output_index": index, "content_index": 0, "delta": text})
}

fn item(kind: &str, index: u64, item: Value) -> Value {
    json!({"type": format!("response.output_item.{kind}"), "output_index": index, "item": item})
}

#[test]
fn a_stream_of_the_vendor_is_read() {
    let thought = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "blob", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]});
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{\"x\":1}", "status": "completed"});
    let segment = |n: u64, text: &str| json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": n, "delta": text});
    let events = [
        created(),
        item(
            "added",
            0,
            json!({"type": "reasoning", "id": "rs_1", "summary": []}),
        ),
        segment(0, "a"),
        segment(1, "b"),
        item("done", 0, thought.clone()),
        item(
            "added",
            1,
            json!({"type": "message", "id": "msg_1", "content": []}),
        ),
        delta("output_text", "msg_1", 1, "He"),
        delta("output_text", "msg_1", 1, "llo"),
        json!({"type": "response.output_text.annotation.added", "item_id": "msg_1", "output_index": 1, "content_index": 0, "annotation": {"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://e.x", "title": "E"}}),
        json!({"type": "response.output_text.done", "item_id": "msg_1", "output_index": 1, "content_index": 0, "text": "Hello"}),
        item("done", 1, message("Hello")),
        item(
            "added",
            2,
            json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": ""}),
        ),
        delta("function_call_arguments", "fc_1", 2, "{\"x\":"),
        delta("function_call_arguments", "fc_1", 2, "1}"),
        json!({"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 2, "arguments": "{\"x\":1}"}),
        item("done", 2, call.clone()),
        completed(json!([thought, message("Hello"), call])),
    ];
    insta::assert_snapshot!(trace(&events).join("\n"));
}

#[test]
fn servers_that_say_things_only_once_are_understood() {
    // only the completed response
    let only_completed = trace(&[created(), completed(json!([message("Hello")]))]);
    assert_eq!(
        only_completed,
        [
            "start resp_1 n",
            "usage Some(5) Some(2)",
            "0 Text",
            "0 + Hello",
            "0 stop",
            "finish Stop completed",
            "end"
        ]
    );
    // nothing but deltas, then done; an empty list at the end
    let only_deltas = trace(&[
        created(),
        delta("output_text", "", 0, "Hello"),
        item(
            "done",
            0,
            json!({"type": "message", "id": "other", "content": []}),
        ),
        completed(json!([])),
    ]);
    assert_eq!(
        only_deltas,
        [
            "start resp_1 n",
            "0 Text",
            "0 + Hello",
            "0 stop",
            "usage Some(5) Some(2)",
            "finish Stop completed",
            "end"
        ]
    );
    // ids that change with every event
    let rewritten = trace(&[
        created(),
        item("added", 0, json!({"type": "message", "id": "a", "content": []})),
        delta("output_text", "b", 0, "Hel"),
        delta("output_text", "c", 0, "lo"),
        item(
            "done",
            0,
            json!({"type": "message", "id": "d", "content": [{"type": "output_text", "text": "Hello"}]}),
        ),
        completed(json!([message("Hello")])),
    ]);
    assert_eq!(
        rewritten,
        [
            "start resp_1 n",
            "0 Text",
            "0 + Hel",
            "0 + lo",
            "0 stop",
            "usage Some(5) Some(2)",
            "finish Stop completed",
            "end"
        ]
    );
}

#[test]
fn calls_may_overlap_and_learn_their_names_late() {
    let call = |id: &str, name: &str, arguments: &str| json!({"type": "function_call", "id": id, "call_id": format!("call_{id}"), "name": name, "arguments": arguments});
    let events = trace(&[
        created(),
        item("added", 0, call("a", "", "")),
        item("added", 1, call("b", "g", "")),
        delta("function_call_arguments", "a", 0, "{\"n\":"),
        delta("function_call_arguments", "b", 1, "{}"),
        item("done", 1, call("b", "g", "{}")),
        item("done", 0, call("a", "f", "{\"n\":1}")),
        completed(json!([call("a", "f", "{\"n\":1}"), call("b", "g", "{}")])),
    ]);
    assert_eq!(
        events,
        [
            "start resp_1 n",
            "0 call call_b g false",
            "0 + {}",
            "0 stop",
            "1 call call_a f false",
            "1 + {\"n\":",
            "1 + 1}",
            "1 stop",
            "usage Some(5) Some(2)",
            "finish ToolCalls completed",
            "end"
        ]
    );
}

#[test]
fn what_the_vendor_runs_and_what_is_unknown_says_nothing() {
    let image = json!({"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBORw0KGgo"});
    let events = trace(&[
        created(),
        json!({"type": "keepalive", "sequence_number": 1}),
        item("added", 0, json!({"type": "image_generation_call", "id": "ig_1"})),
        json!({"type": "response.image_generation_call.partial_image", "item_id": "ig_1", "output_index": 0, "partial_image_b64": "iVBORw0KGgo"}),
        item("done", 0, image.clone()),
        item("added", 1, message("")),
        item("done", 1, message("")),
        completed(json!([image, message("")])),
    ]);
    assert_eq!(
        events,
        [
            "start resp_1 n",
            "usage Some(5) Some(2)",
            "finish Stop completed",
            "end"
        ]
    );
}

#[test]
fn a_failure_is_an_error_and_so_is_a_silent_end() {
    let text = delta("output_text", "msg_1", 0, "Hel");
    let failed = json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}});
    assert_eq!(
        trace(&[created(), failed.clone(), text.clone()]),
        ["start resp_1 n", "error RateLimit slow"]
    );
    for (last, kind) in [
        (
            Some(json!({"type": "error", "code": "server_error", "message": "boom"})),
            ErrorKind::Upstream5xx,
        ),
        (
            Some(
                json!({"type": "error", "error": {"type": "x", "code": "context_length_exceeded", "message": "long"}}),
            ),
            ErrorKind::ContextLength,
        ),
        (
            Some(json!({"type": "response.cancelled", "response": {"status": "cancelled"}})),
            ErrorKind::Cancelled,
        ),
        (None, ErrorKind::StreamIncomplete),
    ] {
        let events: Vec<Value> = [created(), text.clone()].into_iter().chain(last).collect();
        let kinds = decoded(&frames(&events));
        assert!(
            matches!(kinds.last(), Some(EventKind::Error(error)) if error.kind == kind),
            "{kinds:?}"
        );
        assert!(
            !kinds
                .iter()
                .any(|kind| matches!(kind, EventKind::Finish(_) | EventKind::End))
        );
    }
}

#[test]
fn why_it_stopped_is_told_by_the_status() {
    let end = |status: &str, reason: Value| json!({"type": format!("response.{status}"), "response": {"status": status, "output": [message("a")], "incomplete_details": reason}});
    let refusal = json!({"type": "response.completed", "response": {"status": "completed", "output": [
        {"type": "message", "id": "m", "content": [{"type": "refusal", "refusal": "no"}]}]}});
    for (event, expected) in [
        (end("completed", Value::Null), FinishReason::Stop),
        (
            end("incomplete", json!({"reason": "max_output_tokens"})),
            FinishReason::Length,
        ),
        (
            end("incomplete", json!({"reason": "content_filter"})),
            FinishReason::ContentFilter,
        ),
        (
            end("incomplete", json!({"reason": "context_window"})),
            FinishReason::ContextWindow,
        ),
        (end("incomplete", Value::Null), FinishReason::Length),
        (refusal, FinishReason::Refusal),
    ] {
        let kinds = decoded(&frames(&[created(), event.clone()]));
        let reason = kinds.iter().find_map(|kind| match kind {
            EventKind::Finish(finish) => Some(finish.reason),
            _ => None,
        });
        assert_eq!(reason, Some(expected), "{event}");
    }
}

#[test]
fn done_ends_a_stream_only_when_every_item_is_done() {
    let open = frames(&[created(), delta("output_text", "m", 0, "a")]);
    let stopped = frames(&[
        created(),
        delta("output_text", "m", 0, "a"),
        item("done", 0, json!({"type": "message", "id": "m"})),
    ]);
    let ends = |stream: String| matches!(decoded(&stream).last(), Some(EventKind::End));
    assert!(!ends(format!("{open}data: [DONE]\n\n")));
    assert!(ends(format!("{stopped}data: [DONE]\n\n")));
    assert!(!ends(stopped));
}
