use super::*;
use crate::Dialect;
use crate::error::{ErrorKind, UpstreamError};
use crate::finish::FinishReason;
use serde_json::json;

fn encoder(include_usage: bool) -> ChunkEncoder {
    ChunkEncoder::new(&ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "alias".to_owned(),
        include_usage,
        injected_usage: false,
        framing: crate::format::Framing::default(),
        request: None,
    })
}

fn encode(include_usage: bool, kinds: Vec<EventKind>) -> String {
    let (mut encoder, mut out) = (encoder(include_usage), Vec::new());
    kinds
        .into_iter()
        .for_each(|kind| encoder.push(&Event::first(kind), &mut out));
    String::from_utf8(out).unwrap()
}

/// `choices[0]` of every chunk.
fn choices(stream: &str) -> Vec<Value> {
    let json = stream.lines().filter_map(|line| line.strip_prefix("data: {"));
    json.map(|line| serde_json::from_str::<Value>(&format!("{{{line}")).unwrap()["choices"][0].clone())
        .collect()
}

fn deltas(stream: &str) -> Vec<Value> {
    choices(stream)
        .into_iter()
        .map(|choice| choice["delta"].clone())
        .collect()
}

fn start() -> EventKind {
    EventKind::Start {
        id: "up".to_owned(),
        model: "n".to_owned(),
        created: None,
    }
}

fn part(part: u32, kind: PartStart) -> EventKind {
    EventKind::PartStart { part, kind }
}

fn call(part_id: u32, id: &str) -> EventKind {
    part(
        part_id,
        PartStart::ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            freeform: false,
        },
    )
}

fn delta(part: u32, text: &str) -> EventKind {
    EventKind::Delta {
        part,
        text: text.to_owned(),
    }
}

fn stop(part: u32) -> EventKind {
    EventKind::PartStop { part }
}

fn finish(reason: FinishReason) -> EventKind {
    EventKind::Finish(Finish {
        reason,
        native: "end_turn".to_owned(),
        stop_sequence: None,
    })
}

fn usage() -> EventKind {
    EventKind::Usage(Usage {
        input_total: Some(3),
        output_total: Some(5),
        cache_read: Some(1),
        ..Usage::default()
    })
}

fn answer() -> Vec<EventKind> {
    vec![
        start(),
        part(0, PartStart::Reasoning),
        delta(0, "why"),
        stop(0),
        part(1, PartStart::Text),
        delta(1, "Hi\u{2028}"),
        stop(1),
        call(2, "a"),
        delta(2, "{\"x\":1}"),
        stop(2),
        usage(),
        finish(FinishReason::ToolCalls),
        EventKind::End,
    ]
}

#[test]
fn a_client_that_asks_for_usage_gets_it_in_a_chunk_of_its_own() {
    insta::assert_snapshot!(encode(true, answer()));
}

#[test]
fn a_client_that_does_not_ask_sees_no_usage() {
    let stream = encode(false, answer());
    assert!(!stream.contains("usage"), "{stream}");
    assert!(!stream.contains("\"choices\":[]"));
    assert!(stream.ends_with(
        "\"finish_reason\":\"tool_calls\",\"native_finish_reason\":\"end_turn\"}]}\n\ndata: [DONE]\n\n"
    ));
}

#[test]
fn unknown_usage_is_zero() {
    let stream = encode(true, vec![start(), finish(FinishReason::Stop), EventKind::End]);
    assert!(
        stream
            .contains(r#""choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#),
        "{stream}"
    );
}

#[test]
fn calls_are_numbered_by_themselves_and_named_once() {
    let stream = encode(
        false,
        vec![
            start(),
            part(0, PartStart::Reasoning),
            delta(0, "r"),
            stop(0),
            part(1, PartStart::Text),
            delta(1, "t"),
            stop(1),
            call(2, "a"),
            call(3, "b"),
            delta(3, "{"),
            delta(2, "{}"),
            delta(3, "}"),
            stop(2),
            stop(3),
            finish(FinishReason::ToolCalls),
            EventKind::End,
        ],
    );
    let calls: Vec<Value> = deltas(&stream)
        .iter()
        .filter_map(|delta| delta.get("tool_calls"))
        .map(|calls| calls[0].clone())
        .collect();
    let more = |index: usize, text: &str| json!({"index": index, "function": {"arguments": text}});
    let first = |index: usize, id: &str| json!({"index": index, "id": id, "type": "function", "function": {"name": "f", "arguments": ""}});
    assert_eq!(
        calls,
        [
            first(0, "a"),
            first(1, "b"),
            more(1, "{"),
            more(0, "{}"),
            more(1, "}")
        ]
    );
}

#[test]
fn a_call_without_arguments_gets_an_empty_object() {
    let stream = encode(
        false,
        vec![
            start(),
            call(0, "a"),
            stop(0),
            finish(FinishReason::ToolCalls),
            EventKind::End,
        ],
    );
    let deltas = deltas(&stream);
    assert_eq!(deltas[0], json!({"role": "assistant", "content": null}));
    assert_eq!(
        deltas[2]["tool_calls"][0],
        json!({"index": 0, "function": {"arguments": "{}"}})
    );
}

#[test]
fn a_custom_call_is_free_text() {
    let custom = PartStart::ToolCall {
        id: "a".to_owned(),
        name: "sh".to_owned(),
        freeform: true,
    };
    let stream = encode(false, vec![start(), part(0, custom), delta(0, "ls"), stop(0)]);
    let deltas = deltas(&stream);
    assert_eq!(
        deltas[1]["tool_calls"][0],
        json!({"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh", "input": ""}})
    );
    assert_eq!(
        deltas[2]["tool_calls"][0],
        json!({"index": 0, "custom": {"input": "ls"}})
    );
    assert_eq!(deltas.len(), 3);
}

#[test]
fn segments_of_reasoning_are_one_text_and_keep_their_signatures() {
    let sign = |part, payload: &str| EventKind::Opaque {
        part,
        opaque: Opaque {
            issuer: Dialect::AnthropicMessages,
            payload: payload.to_owned(),
        },
    };
    let stream = encode(
        false,
        vec![
            start(),
            part(0, PartStart::Reasoning),
            delta(0, "a"),
            delta(0, "b"),
            sign(0, "S1"),
            stop(0),
            part(1, PartStart::Reasoning),
            delta(1, "c"),
            sign(1, "S2"),
            stop(1),
        ],
    );
    let deltas = deltas(&stream);
    let text: String = deltas
        .iter()
        .filter_map(|delta| delta["reasoning_content"].as_str())
        .collect();
    assert_eq!(text, "ab\n\nc");
    let details: Vec<&Value> = deltas
        .iter()
        .filter_map(|delta| delta.get("reasoning_details"))
        .map(|details| &details[0])
        .collect();
    let signed = |text: &str, signature: &str, index: usize| json!({"type": "reasoning.text", "text": text, "signature": signature, "format": "anthropic-claude-v1", "index": index});
    assert_eq!(details, [&signed("ab", "S1", 0), &signed("c", "S2", 1)]);
}

#[test]
fn annotations_follow_the_text_they_belong_to() {
    let page = json!({"type": "web_search_result_location", "url": "https://e.x", "title": "E"});
    let stream = encode(
        false,
        vec![
            start(),
            part(0, PartStart::Text),
            delta(0, "🌍"),
            stop(0),
            part(1, PartStart::Text),
            EventKind::Citation { part: 1, raw: page },
            delta(1, "né"),
            stop(1),
        ],
    );
    let annotation = &deltas(&stream)[3]["annotations"][0]["url_citation"];
    assert_eq!(
        (&annotation["start_index"], &annotation["end_index"]),
        (&json!(1), &json!(3))
    );
}

#[test]
fn log_probabilities_go_with_the_text_they_belong_to() {
    let stream = encode(
        false,
        vec![
            start(),
            EventKind::Logprobs(json!({"content": [1]})),
            part(0, PartStart::Text),
            delta(0, "a"),
            delta(0, "b"),
            EventKind::Logprobs(json!({"content": [2]})),
            finish(FinishReason::Stop),
        ],
    );
    let logprobs: Vec<Value> = choices(&stream)
        .into_iter()
        .map(|choice| choice["logprobs"].clone())
        .collect();
    assert_eq!(
        logprobs,
        [
            Value::Null,
            json!({"content": [1]}),
            Value::Null,
            json!({"content": [2]})
        ]
    );
}

#[test]
fn a_refusal_is_a_stop_and_nothing_follows_a_finish() {
    let stream = encode(
        false,
        vec![
            start(),
            part(0, PartStart::Refusal),
            delta(0, "no"),
            stop(0),
            finish(FinishReason::Refusal),
            finish(FinishReason::Stop),
            part(1, PartStart::Text),
            delta(1, "late"),
            EventKind::End,
            delta(1, "later"),
        ],
    );
    let choices = choices(&stream);
    assert_eq!(choices.len(), 3, "{stream}");
    assert_eq!(choices[1]["delta"], json!({"refusal": "no"}));
    assert_eq!(choices[2]["finish_reason"], json!("stop"));
    assert!(stream.ends_with("data: [DONE]\n\n"));
}

#[test]
fn choices_open_and_finish_each_for_itself() {
    let (mut encoder, mut out) = (encoder(false), Vec::new());
    for choice in [1, 0] {
        for kind in [
            part(choice, PartStart::Text),
            delta(choice, "x"),
            stop(choice),
            finish(FinishReason::Stop),
        ] {
            encoder.push(&Event { choice, kind }, &mut out);
        }
    }
    let stream = String::from_utf8(out).unwrap();
    let seen: Vec<(u64, bool, bool)> = choices(&stream)
        .iter()
        .map(|choice| {
            let index = choice["index"].as_u64().unwrap();
            (
                index,
                choice["delta"].get("role").is_some(),
                choice["finish_reason"].is_string(),
            )
        })
        .collect();
    let of = |index| [(index, true, false), (index, false, false), (index, false, true)];
    assert_eq!(seen, [of(1), of(0)].concat());
}

#[test]
fn an_error_ends_the_stream_without_done() {
    let error = UpstreamError::new(ErrorKind::Overloaded, "no capacity");
    let stream = encode(
        true,
        vec![
            start(),
            part(0, PartStart::Text),
            delta(0, "Half"),
            EventKind::Error(error),
            finish(FinishReason::Stop),
            EventKind::End,
        ],
    );
    assert!(stream.ends_with(
        "data: {\"error\":{\"message\":\"no capacity\",\"type\":\"server_error\",\"param\":null,\"code\":\"overloaded\"}}\n\n"
    ));
    assert!(!stream.contains("[DONE]"));
    assert!(
        choices(&stream)
            .iter()
            .all(|choice| choice["finish_reason"].is_null())
    );
}

#[test]
fn a_keep_alive_is_a_comment_and_only_after_the_answer_began() {
    let stream = encode(
        false,
        vec![
            EventKind::KeepAlive,
            start(),
            EventKind::KeepAlive,
            part(0, PartStart::Text),
            EventKind::KeepAlive,
        ],
    );
    assert_eq!(stream.matches(": keep-alive\n\n").count(), 1);
    assert!(stream.ends_with(": keep-alive\n\n"));
}
