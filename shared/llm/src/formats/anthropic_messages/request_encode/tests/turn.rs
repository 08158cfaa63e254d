use super::*;

#[test]
fn parallel_results_become_one_user_turn_with_results_first() {
    let (out, _) = encoded(
        &request(vec![
            text(Role::User, "go"),
            Message::new(
                Role::Assistant,
                vec![Part::text(""), call("a", "f", "{}"), call("b", "g", "{}")],
            ),
            Message::new(Role::Tool, vec![result("a", "A"), result("b", "B")]),
            text(Role::User, "and now?"),
        ]),
        &target(),
    );
    insta::assert_json_snapshot!(out);
}

#[test]
fn turns_alternate_and_open_with_the_user_whatever_the_client_sent() {
    let blank = |role| Message::new(role, vec![Part::text("  ")]);
    for messages in [
        vec![text(Role::Assistant, "hi")],
        vec![text(Role::User, "a"), text(Role::User, "b")],
        vec![
            text(Role::User, "a"),
            blank(Role::Assistant),
            text(Role::User, "b"),
        ],
        vec![blank(Role::User)],
        vec![Message::new(Role::User, vec![])],
        vec![text(Role::System, "s"), text(Role::User, "a")],
        vec![
            text(Role::User, "a"),
            text(Role::Developer, "d"),
            text(Role::Assistant, "b"),
            text(Role::System, "s"),
        ],
    ] {
        for mid_system in [false, true] {
            let mut target = target();
            target.caps.mid_system = mid_system;
            let (out, _) = encoded(&request(messages.clone()), &target);
            let turns = out["messages"].as_array().unwrap();
            assert_eq!(turns[0]["role"], "user", "{out}");
            for pair in turns.windows(2) {
                assert_ne!(pair[0]["role"], pair[1]["role"], "{out}");
            }
            for block in turns.iter().flat_map(|turn| turn["content"].as_array().unwrap()) {
                assert!(!block["text"].as_str().unwrap().trim().is_empty(), "{out}");
            }
        }
    }
}

#[test]
fn instructions_alone_become_the_users_words() {
    let mut request = request(vec![]);
    request.system = vec![Part::text("S0"), Part::text("S1")];
    let (out, notes) = encoded(&request, &target());
    assert_eq!(out["system"], json!([{"type": "text", "text": "S0"}]));
    assert_eq!(
        out["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "S1"}]}])
    );
    assert!(
        notes
            .iter()
            .any(|note| note.severity == Severity::Synth && note.field == "messages")
    );
}

#[test]
fn an_instruction_in_mid_conversation_stays_in_place() {
    let mut request = request(vec![
        text(Role::User, "u1"),
        text(Role::Assistant, "a1"),
        text(Role::User, "u2"),
        text(Role::System, "note"),
        text(Role::Assistant, "a2"),
        text(Role::User, "u3"),
    ]);
    request.system = vec![Part::text("S0")];
    let (out, _) = encoded(&request, &target());
    assert_eq!(out["system"], json!([{"type": "text", "text": "S0"}]));
    assert_eq!(
        out["messages"][2],
        json!({"role": "user", "content": [
            {"type": "text", "text": "u2"},
            {"type": "text", "text": "<system-reminder>\nnote\n</system-reminder>"}
        ]})
    );
    let mut capable = target();
    capable.caps.mid_system = true;
    let (out, _) = encoded(&request, &capable);
    assert_eq!(
        out["messages"][3],
        json!({"role": "system", "content": [{"type": "text", "text": "note"}]})
    );
}

#[test]
fn a_begun_answer_loses_its_trailing_whitespace_and_stops_thinking() {
    let mut request = request(vec![
        text(Role::User, "u"),
        text(Role::Assistant, "The answer is \n"),
    ]);
    request.max_output = Some(8_000);
    request.reasoning.effort = Some("low".to_owned());
    let (out, notes) = encoded(&request, &target());
    assert_eq!(out["messages"][1]["content"][0]["text"], "The answer is");
    assert!(out.get("thinking").is_none());
    assert!(notes.iter().any(|note| note.field == "thinking"));
}

#[test]
fn one_more_turn_leaves_the_earlier_bytes_alone() {
    let messages = [
        text(Role::User, "go"),
        Message::new(Role::Assistant, vec![call("a", "f", r#"{"x": 1.0}"#)]),
        Message::new(Role::Tool, vec![result("a", "A")]),
        text(Role::System, "note"),
        text(Role::Assistant, "done"),
        text(Role::User, "thanks"),
    ];
    let bytes = |count: usize| {
        let mut notes = Notes::default();
        let request = Request {
            max_output: Some(9),
            ..request(messages[..count].to_vec())
        };
        String::from_utf8(encode(&request, &target(), &mut notes).unwrap()).unwrap()
    };
    for count in [1, 3, 4, 6] {
        let shorter = bytes(count);
        let prefix = shorter.strip_suffix("]}]}").unwrap();
        assert!(bytes(messages.len()).starts_with(prefix), "{count}: {prefix}");
        assert_eq!(shorter, bytes(count), "the same request, the same bytes");
    }
}

#[test]
fn arguments_are_always_an_object() {
    for (arguments, input) in [
        ("", json!({})),
        ("null", json!({})),
        (r#"{"path": "/tm"#, json!({"raw_arguments": "{\"path\": \"/tm"})),
        ("[1,2]", json!({"value": [1, 2]})),
        (r#""{\"x\":1}""#, json!({"x": 1})),
        (
            r#"{"n":12345678901234567890,"f":1.0}"#,
            json!({"n": 12_345_678_901_234_567_890_u64, "f": 1.0}),
        ),
    ] {
        let (out, _) = encoded(
            &request(vec![
                text(Role::User, "u"),
                Message::new(Role::Assistant, vec![call("a", "f", arguments)]),
                Message::new(Role::Tool, vec![result("a", "A")]),
            ]),
            &target(),
        );
        assert_eq!(out["messages"][1]["content"][0]["input"], input, "{arguments}");
    }
}

#[test]
fn only_this_vendors_signed_reasoning_is_replayed() {
    let reasoning = |opaque: Option<Opaque>| {
        Part::new(PartKind::Reasoning {
            text: "T".to_owned(),
            opaque,
        })
    };
    let opaque = |issuer| {
        Some(Opaque {
            issuer,
            payload: "SIG".to_owned(),
        })
    };
    let history = |part| {
        request(vec![
            text(Role::User, "u"),
            Message::new(Role::Assistant, vec![part, call("a", "f", "{}")]),
            Message::new(Role::Tool, vec![result("a", "A")]),
        ])
    };
    let mut signed = history(reasoning(opaque(Dialect::AnthropicMessages)));
    signed.reasoning.effort = Some("high".to_owned());
    signed.max_output = Some(30_000);
    let (out, _) = encoded(&signed, &target());
    assert_eq!(
        out["messages"][1]["content"][0],
        json!({"type": "thinking", "thinking": "T", "signature": "SIG"})
    );
    assert_eq!(
        out["thinking"],
        json!({"type": "enabled", "budget_tokens": 16_384})
    );

    for foreign in [None, opaque(Dialect::OpenAiChat)] {
        let mut unsigned = history(reasoning(foreign));
        unsigned.reasoning.effort = Some("high".to_owned());
        unsigned.max_output = Some(30_000);
        let (out, notes) = encoded(&unsigned, &target());
        assert_eq!(out["messages"][1]["content"][0]["type"], "tool_use");
        assert!(
            out.get("thinking").is_none(),
            "the API refuses thinking after a call without it"
        );
        assert_eq!(notes.count(Severity::Loss), 2);
    }
}

#[test]
fn four_cache_marks_are_kept_and_no_more() {
    let marked = |text: &str| Part {
        cache: Some(CacheMark { ttl: None }),
        ..Part::text(text)
    };
    let mut asked = request(vec![Message::new(
        Role::User,
        (0..4).map(|i| marked(&format!("m{i}"))).collect(),
    )]);
    asked.system = vec![marked("s0"), marked("s1"), marked("s2")];
    let (out, notes) = encoded(&asked, &target());
    let kept = |blocks: &Value| -> Vec<String> {
        let marked = blocks
            .as_array()
            .unwrap()
            .iter()
            .filter(|block| block.get("cache_control").is_some());
        marked
            .map(|block| block["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kept(&out["system"]), ["s1", "s2"]);
    assert_eq!(kept(&out["messages"][0]["content"]), ["m2", "m3"]);
    assert!(notes.iter().any(|note| note.field == "cache_control"));
}

#[test]
fn a_wrongly_declared_image_is_corrected() {
    let source = crate::request::MediaSource::Base64("/9j/4AAQSkZJRgABAQ==".to_owned());
    let image = PartKind::Image {
        source,
        mime: Some("image/png".to_owned()),
        detail: None,
    };
    let (out, notes) = encoded(
        &request(vec![Message::new(Role::User, vec![Part::new(image)])]),
        &target(),
    );
    assert_eq!(
        out["messages"][0]["content"][0]["source"]["media_type"],
        "image/jpeg"
    );
    assert!(
        notes
            .iter()
            .any(|note| note.severity == Severity::Info && note.field == "messages[0].content[0]")
    );
}
