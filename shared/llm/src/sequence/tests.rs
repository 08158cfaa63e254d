use super::*;
use crate::finish::FinishReason;
use crate::request::Opaque;
use proptest::prelude::*;

fn event(kind: EventKind) -> Event {
    Event::first(kind)
}

fn start(part: u32, kind: PartStart) -> Event {
    event(EventKind::PartStart { part, kind })
}

fn tool(name: &str) -> PartStart {
    PartStart::ToolCall {
        id: format!("id_{name}"),
        name: name.to_owned(),
        freeform: false,
    }
}

fn delta(part: u32, text: &str) -> Event {
    event(EventKind::Delta {
        part,
        text: text.to_owned(),
    })
}

fn stop(part: u32) -> Event {
    event(EventKind::PartStop { part })
}

fn finish(reason: FinishReason) -> Event {
    event(EventKind::Finish(Finish {
        reason,
        native: String::new(),
        stop_sequence: None,
    }))
}

fn run(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    let (mut sequencer, mut out) = (Sequencer::new(), Vec::new());
    events
        .into_iter()
        .for_each(|event| sequencer.push(event, &mut out));
    out
}

/// One word per event, which is all that order is about.
fn script(events: impl IntoIterator<Item = Event>) -> Vec<String> {
    run(events).iter().map(|event| word(&event.kind)).collect()
}

fn word(kind: &EventKind) -> String {
    match kind {
        EventKind::PartStart {
            part,
            kind: PartStart::ToolCall { name, .. },
        } => format!("+{part}{name}"),
        EventKind::PartStart {
            part,
            kind: PartStart::Text,
        } => format!("+{part}text"),
        EventKind::PartStart {
            part,
            kind: PartStart::Reasoning,
        } => format!("+{part}reasoning"),
        EventKind::PartStart { part, .. } => format!("+{part}"),
        EventKind::Delta { part, text } => format!("{part}{text}"),
        EventKind::Opaque { part, .. } => format!("{part}opaque"),
        EventKind::PartStop { part } => format!("-{part}"),
        EventKind::Finish(finish) => finish.reason.name().to_owned(),
        EventKind::End => "end".to_owned(),
        EventKind::Error(error) => error.message.clone(),
        other => format!("{other:?}"),
    }
}

#[test]
fn interleaved_calls_come_out_one_after_another() {
    let events = [
        start(0, PartStart::Reasoning),
        delta(0, "a"),
        stop(0),
        start(1, PartStart::Text),
        delta(1, "Hi"),
        stop(1),
        start(2, tool("f")),
        start(3, tool("g")),
        delta(2, "{\"x\""),
        delta(3, "{}"),
        delta(2, ":1}"),
        finish(FinishReason::ToolCalls),
        event(EventKind::End),
    ];
    assert_eq!(
        script(events),
        [
            "+0reasoning",
            "0a",
            "-0",
            "+1text",
            "1Hi",
            "-1",
            "+2f",
            "2{\"x\"",
            "2:1}",
            "-2",
            "+3g",
            "3{}",
            "-3",
            "tool_calls",
            "end"
        ]
    );
}

#[test]
fn a_complete_call_yields_to_the_next_at_once() {
    let events = [
        start(0, tool("f")),
        delta(0, "{}"),
        start(1, tool("g")),
        delta(1, "{"),
        delta(0, " "),
        delta(0, "x"),
    ];
    assert_eq!(script(events), ["+0f", "0{}", "-0", "+1g", "1{"]);
}

#[test]
fn text_that_goes_on_after_a_call_is_a_new_part() {
    let events = [
        start(0, PartStart::Text),
        delta(0, "a"),
        start(1, tool("f")),
        delta(0, "b"),
        delta(1, "{}"),
        stop(1),
        delta(0, "c"),
        stop(0),
        finish(FinishReason::Stop),
    ];
    assert_eq!(
        script(events),
        [
            "+0text",
            "0a",
            "-0",
            "+1f",
            "1{}",
            "-1",
            "+2text",
            "2b",
            "2c",
            "-2",
            "tool_calls"
        ]
    );
}

#[test]
fn a_late_signature_is_not_lost() {
    let opaque = Opaque {
        issuer: crate::Dialect::AnthropicMessages,
        payload: "s".to_owned(),
    };
    let events = [
        start(0, PartStart::Reasoning),
        delta(0, "a"),
        start(1, PartStart::Text),
        event(EventKind::Opaque { part: 0, opaque }),
        finish(FinishReason::Stop),
    ];
    assert_eq!(
        script(events),
        [
            "+0reasoning",
            "0a",
            "-0",
            "+1text",
            "-1",
            "+2reasoning",
            "2opaque",
            "-2",
            "stop"
        ]
    );
}

#[test]
fn a_truncated_call_keeps_its_reason() {
    let events = [
        start(0, tool("f")),
        delta(0, "{\"a"),
        finish(FinishReason::Length),
    ];
    assert_eq!(script(events), ["+0f", "0{\"a", "-0", "length"]);
}

#[test]
fn a_tool_stop_without_a_call_is_a_plain_stop() {
    assert_eq!(
        script([finish(FinishReason::ToolCalls), start(9, PartStart::Text)]),
        ["stop"]
    );
}

#[test]
fn choices_do_not_wait_for_each_other() {
    let other = |kind| Event { choice: 1, kind };
    let events = [
        start(0, tool("f")),
        other(EventKind::PartStart {
            part: 1,
            kind: PartStart::Text,
        }),
        other(EventKind::Delta {
            part: 1,
            text: "x".to_owned(),
        }),
        delta(0, "{}"),
    ];
    assert_eq!(script(events), ["+0f", "+1text", "1x", "0{}"]);
}

#[test]
fn an_endless_queue_is_an_error() {
    let big = "x".repeat(MAX_QUEUED_BYTES);
    let out = run([
        start(0, tool("f")),
        start(1, tool("g")),
        delta(1, &big),
        delta(0, "{}"),
        event(EventKind::End),
    ]);
    assert!(matches!(
        out.last().map(|event| &event.kind),
        Some(EventKind::Error(_))
    ));
    assert_eq!(out.len(), 2);
}

fn any_event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        (0..5u32, 0..3u8).prop_map(|(part, kind)| EventKind::PartStart {
            part,
            kind: match kind {
                0 => PartStart::Text,
                1 => PartStart::Reasoning,
                _ => tool("f"),
            },
        }),
        (0..5u32, prop::sample::select(vec!["{", "}", "\"", "a", " "])).prop_map(|(part, text)| {
            EventKind::Delta {
                part,
                text: text.to_owned(),
            }
        }),
        (0..5u32).prop_map(|part| EventKind::PartStop { part }),
        Just(finish(FinishReason::Stop).kind),
        Just(EventKind::End),
    ];
    (0..2u32, kind).prop_map(|(choice, kind)| Event { choice, kind })
}

proptest! {
    /// Whatever a decoder does, an encoder sees one open part per choice, no reuse, and nothing after the end.
    #[test]
    fn output_is_always_serial(events in prop::collection::vec(any_event(), 0..60)) {
        let mut open: BTreeMap<u32, u32> = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut finished = std::collections::BTreeSet::new();
        let mut ended = false;
        for Event { choice, kind } in run(events) {
            prop_assert!(!ended);
            match kind {
                EventKind::PartStart { part, .. } => {
                    prop_assert!(seen.insert(part));
                    prop_assert!(!finished.contains(&choice));
                    prop_assert_eq!(open.insert(choice, part), None);
                }
                EventKind::Delta { part, .. } => prop_assert_eq!(open.get(&choice), Some(&part)),
                EventKind::PartStop { part } => prop_assert_eq!(open.remove(&choice), Some(part)),
                EventKind::Finish(_) => {
                    prop_assert!(!open.contains_key(&choice));
                    prop_assert!(finished.insert(choice));
                }
                EventKind::End => {
                    prop_assert!(open.is_empty());
                    ended = true;
                }
                _ => {}
            }
        }
    }
}
