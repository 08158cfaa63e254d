use super::*;
use crate::event::{Event, EventKind, PartStart};
use crate::names;
use crate::request::{ToolArguments, ToolCall};

const ANTHROPIC: Dialect = Dialect::AnthropicMessages;
const RULE: crate::caps::WireName = crate::caps::WireName::UpTo(64);

fn target(dialect: Dialect, model: &str) -> Target {
    Target {
        dialect,
        model: model.to_owned(),
        caps: ModelCaps::of(dialect, model),
    }
}

fn opaque(payload: &str) -> Opaque {
    Opaque {
        issuer: ANTHROPIC,
        payload: payload.to_owned(),
    }
}

fn call(id: &str) -> Part {
    Part::new(PartKind::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: ToolArguments::Json("{}".to_owned()),
        opaque: None,
    }))
}

fn start(part: u32, kind: PartStart) -> EventKind {
    EventKind::PartStart { part, kind }
}

fn calling(part: u32, id: &str) -> EventKind {
    start(
        part,
        PartStart::ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            freeform: false,
        },
    )
}

fn thinking(part: u32, text: &str, signature: Option<&str>) -> Vec<EventKind> {
    let mut events = vec![
        start(part, PartStart::Reasoning),
        EventKind::Delta {
            part,
            text: text.to_owned(),
        },
    ];
    events.extend(signature.map(|payload| EventKind::Opaque {
        part,
        opaque: opaque(payload),
    }));
    events
}

fn kept(target: &Target, events: Vec<EventKind>) -> Vec<Kept> {
    let mut keeper = Keeper::of(target);
    for kind in events {
        keeper.observe(&Event::first(kind), RULE);
    }
    keeper.take()
}

/// The message as a client that keeps nothing sends it, restored.
fn restored(kept: Vec<Kept>, target: &Target, parts: Vec<Part>) -> Vec<String> {
    let mut known = Known::default();
    for Kept { call_id, turn } in kept {
        known.insert(call_id, Turn::from_bytes(&turn.to_bytes()).unwrap());
    }
    let mut request = Request {
        messages: vec![Message::new(Role::Assistant, parts)],
        ..Request::default()
    };
    known.restore(&mut request, target, &mut Notes::default());
    let show = |part: &Part| match &part.kind {
        PartKind::Text { text, .. } => format!("text {text}"),
        PartKind::Reasoning { text, opaque } => {
            format!("reasoning {text} {}", opaque.as_ref().map_or("-", |o| &o.payload))
        }
        PartKind::RedactedReasoning(opaque) => format!("redacted {}", opaque.payload),
        PartKind::ToolCall(call) => {
            let signature = call.opaque.as_ref().map_or("-", |o| &o.payload);
            format!("call {} {signature}", call.id)
        }
        other => format!("{other:?}"),
    };
    request.messages[0].parts.iter().map(show).collect()
}

#[test]
fn what_a_client_drops_is_put_back_where_it_was() {
    let target = target(ANTHROPIC, "claude-sonnet-4-5");
    let mut events = thinking(0, "T", Some("SIG"));
    events.extend([
        start(1, PartStart::Text),
        start(2, PartStart::RedactedReasoning(opaque("RED"))),
        calling(3, "c1"),
    ]);
    events.extend(thinking(4, "U", Some("SIG2")));
    events.extend([calling(5, "c2"), EventKind::End]);
    let kept = kept(&target, events);
    assert_eq!(kept[0].call_id, "c1");
    let bare = vec![Part::text("Hm."), call("c1"), call("c2")];
    let whole = [
        "reasoning T SIG",
        "text Hm.",
        "redacted RED",
        "call c1 -",
        "reasoning U SIG2",
        "call c2 -",
    ];
    assert_eq!(restored(kept.clone(), &target, bare.clone()), whole);
    // what the client brings of its own reasoning, without signature, is the same reasoning
    let unsigned = Part::new(PartKind::Reasoning {
        text: "T".to_owned(),
        opaque: None,
    });
    let brought = [vec![unsigned], bare].concat();
    assert_eq!(restored(kept, &target, brought), whole);
}

#[test]
fn a_message_with_state_of_its_own_and_one_for_another_provider_stay() {
    let claude = target(ANTHROPIC, "claude-sonnet-4-5");
    let mut events = thinking(0, "T", Some("SIG"));
    events.extend([calling(1, "c1"), EventKind::End]);
    let kept = kept(&claude, events);
    let own = Part::new(PartKind::Reasoning {
        text: "mine".to_owned(),
        opaque: Some(opaque("OWN")),
    });
    assert_eq!(
        restored(kept.clone(), &claude, vec![own, call("c1")]),
        ["reasoning mine OWN", "call c1 -"]
    );
    let gemini = target(Dialect::Gemini, "gemini-3-pro");
    assert_eq!(restored(kept.clone(), &gemini, vec![call("c1")]), ["call c1 -"]);
    assert_eq!(restored(kept, &claude, vec![call("c2")]), ["call c2 -"]);
}

#[test]
fn only_a_complete_answer_with_calls_and_something_to_bring_back_is_kept() {
    let claude = target(ANTHROPIC, "claude-sonnet-4-5");
    let kimi = target(Dialect::OpenAiChat, "kimi-k2.5");
    let with = |signature, call: bool, end: bool| {
        let mut events = thinking(0, "T", signature);
        events.extend(call.then(|| calling(1, "c1")));
        events.extend(end.then_some(EventKind::End));
        events
    };
    let table = [
        (&claude, with(Some("SIG"), true, true), 1),
        (&claude, with(Some("SIG"), true, false), 0),
        (&claude, with(Some("SIG"), false, true), 0),
        (&claude, with(None, true, true), 0),
        (&kimi, with(None, true, true), 1),
    ];
    for (target, events, expected) in table {
        assert_eq!(kept(target, events.clone()).len(), expected, "{events:?}");
    }
    let huge = "x".repeat(300 << 10);
    assert_eq!(kept(&claude, with(Some(&huge), true, true)), []);
}

#[test]
fn unsigned_reasoning_goes_back_only_to_who_wants_it_echoed() {
    let kimi = target(Dialect::OpenAiChat, "kimi-k2.5");
    let mut events = thinking(0, "T", None);
    events.extend([calling(1, "c1"), EventKind::End]);
    let kept = kept(&kimi, events);
    assert_eq!(
        restored(kept.clone(), &kimi, vec![call("c1")]),
        ["reasoning T -", "call c1 -"]
    );
    let plain = target(Dialect::OpenAiChat, "gpt-4o");
    assert_eq!(restored(kept, &plain, vec![call("c1")]), ["call c1 -"]);
}

#[test]
fn a_turn_is_found_by_the_id_that_the_client_got() {
    let claude = target(ANTHROPIC, "claude-sonnet-4-5");
    let mut events = thinking(0, "T", Some("SIG"));
    events.extend([calling(1, "functions.f:0"), EventKind::End]);
    let id = names::fit_id("functions.f:0", RULE).into_owned();
    assert_eq!(kept(&claude, events)[0].call_id, id);
}

#[test]
fn only_bare_messages_for_who_takes_state_back_are_asked_for() {
    let signed = Part::new(PartKind::RedactedReasoning(opaque("R")));
    let long = "x".repeat(65);
    let request = Request {
        messages: vec![
            Message::new(Role::Assistant, vec![call("old")]),
            Message::new(Role::Assistant, vec![signed, call("signed")]),
            Message::new(Role::Assistant, vec![Part::text("no call")]),
            Message::new(Role::Assistant, vec![call(&long)]),
            Message::new(
                Role::Assistant,
                vec![Part::text("t"), call("new"), call("beside")],
            ),
        ],
        ..Request::default()
    };
    for (dialect, model, expected) in [
        (ANTHROPIC, "claude-sonnet-4-5", &["new", "old"][..]),
        (ANTHROPIC, "claude-3-5-sonnet", &[]),
        (Dialect::OpenAiResponses, "gpt-5", &["new", "old"]),
        (Dialect::Gemini, "gemini-3-pro", &["new", "old"]),
        (Dialect::OpenAiChat, "gpt-4o", &[]),
        (Dialect::OpenAiChat, "kimi-k2.5", &["new", "old"]),
        (Dialect::OllamaChat, "qwen3", &[]),
    ] {
        let caps = ModelCaps::of(dialect, model);
        assert_eq!(wanted(&request, dialect, &caps), expected, "{model}");
    }
}

#[test]
fn bytes_that_are_no_turn_are_none() {
    for bytes in [&b""[..], b"{}", b"[]", br#"{"u":"x","p":[{"new":{}}]}"#] {
        assert_eq!(Turn::from_bytes(bytes), None);
    }
}
