use super::*;
use crate::error::{ErrorKind, UpstreamError};
use crate::usage::Usage;
use serde_json::json;

const SSN: &str = "078-05-1120";

fn start(part: u32, kind: PartStart) -> EventKind {
    EventKind::PartStart { part, kind }
}

fn delta(part: u32, text: &str) -> EventKind {
    EventKind::Delta {
        part,
        text: text.to_owned(),
    }
}

fn finish() -> EventKind {
    EventKind::Finish(Finish {
        reason: FinishReason::Stop,
        native: "stop".to_owned(),
        stop_sequence: None,
    })
}

/// What comes out, one line per event.
fn pass(mode: ReplyMode, kinds: Vec<EventKind>) -> (Vec<String>, Vec<Personal>) {
    let (mut mask, mut out) = (Mask::new(Some(mode)), Vec::new());
    kinds
        .into_iter()
        .for_each(|kind| mask.pass(Event::first(kind), &mut out));
    let line = |event: &Event| match &event.kind {
        EventKind::PartStart { part, .. } => format!("start {part}"),
        EventKind::Delta { part, text } => format!("{part} {text}"),
        EventKind::PartStop { part } => format!("stop {part}"),
        EventKind::Citation { raw, .. } => format!("citation {raw}"),
        EventKind::Finish(finish) => format!("finish {}", finish.reason.name()),
        EventKind::Logprobs(_) => "logprobs".to_owned(),
        EventKind::Usage(_) => "usage".to_owned(),
        EventKind::Error(_) => "error".to_owned(),
        EventKind::End => "end".to_owned(),
        _ => "other".to_owned(),
    };
    let mut found = Vec::new();
    mask.report(&mut found);
    mask.report(&mut found);
    (out.iter().map(line).collect(), found)
}

/// Reasoning, then an answer, each with a number in two pieces.
fn answer() -> Vec<EventKind> {
    vec![
        start(0, PartStart::Reasoning),
        delta(0, "It is 078-"),
        delta(0, "05-1120."),
        EventKind::PartStop { part: 0 },
        start(1, PartStart::Text),
        delta(1, "Yours is 078-05"),
        delta(1, "-1120"),
        EventKind::Logprobs(json!({"content": [{"token": SSN}]})),
        EventKind::PartStop { part: 1 },
        finish(),
        EventKind::Usage(Usage::default()),
        EventKind::End,
    ]
}

#[test]
fn everything_that_is_said_is_masked() {
    let (out, found) = pass(ReplyMode::Redact, answer());
    assert_eq!(found, [Personal::Ssn]);
    assert_eq!(
        out,
        [
            "start 0",
            "0 It is ",
            "0 [SSN_REDACTED].",
            "stop 0",
            "start 1",
            "1 Yours is ",
            "1 [SSN_REDACTED]",
            "stop 1",
            "finish stop",
            "usage",
            "end"
        ]
    );
}

#[test]
fn a_warning_changes_nothing() {
    let (out, found) = pass(ReplyMode::Warn, answer());
    assert_eq!(found, [Personal::Ssn]);
    assert_eq!(out.len(), answer().len());
    assert!(out.contains(&"1 -1120".to_owned()) && out.contains(&"logprobs".to_owned()));
}

#[test]
fn a_blocked_reply_ends_in_front_of_the_find() {
    let (out, found) = pass(ReplyMode::Block, answer());
    assert_eq!(found, [Personal::Ssn]);
    assert_eq!(
        out,
        [
            "start 0",
            "0 It is ",
            "stop 0",
            "finish content_filter",
            "usage",
            "end"
        ]
    );
    // an upstream that breaks off cannot spoil what is complete
    let mut broken = answer();
    broken.truncate(7);
    let cut = UpstreamError::new(ErrorKind::StreamIncomplete, "cut");
    broken.push(EventKind::Error(cut));
    assert_eq!(
        pass(ReplyMode::Block, broken).0.last().map(String::as_str),
        Some("end")
    );
}

#[test]
fn what_is_held_comes_out_however_the_reply_ends() {
    let broke = UpstreamError::new(ErrorKind::StreamIncomplete, "cut");
    for last in [
        EventKind::PartStop { part: 0 },
        finish(),
        EventKind::End,
        EventKind::Error(broke),
    ] {
        for mode in [ReplyMode::Redact, ReplyMode::Block] {
            let kinds = vec![start(0, PartStart::Text), delta(0, "call 07"), last.clone()];
            let (out, found) = pass(mode, kinds);
            assert_eq!(found, []);
            assert_eq!(&out[1..3], ["0 call ", "0 07"], "{mode:?} {last:?}");
            assert_eq!(out.len(), 4);
        }
    }
    // what the end completes is found all the same
    let kinds = vec![start(0, PartStart::Text), delta(0, SSN), finish(), EventKind::End];
    let (out, _) = pass(ReplyMode::Block, kinds);
    assert_eq!(out, ["start 0", "stop 0", "finish content_filter", "end"]);
}

#[test]
fn a_program_gets_its_arguments_and_a_reader_no_quoted_number() {
    let call = PartStart::ToolCall {
        id: "c".to_owned(),
        name: "mail".to_owned(),
        freeform: false,
    };
    let kinds = vec![
        start(0, PartStart::Text),
        EventKind::Citation {
            part: 0,
            raw: json!({"quotes": [{"text": format!("is {SSN}"), "at": 7}]}),
        },
        EventKind::PartStop { part: 0 },
        start(1, call),
        delta(1, "{\"to\":\"ana@mail.example\"}"),
        EventKind::PartStop { part: 1 },
    ];
    let (out, found) = pass(ReplyMode::Redact, kinds);
    assert_eq!(found, [Personal::Ssn]);
    assert_eq!(
        out[1],
        r#"citation {"quotes":[{"text":"is [SSN_REDACTED]","at":7}]}"#
    );
    assert_eq!(out[4], "1 {\"to\":\"ana@mail.example\"}");
}
