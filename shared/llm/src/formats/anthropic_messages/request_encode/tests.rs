use super::*;
use crate::caps::{ModelCaps, ThinkingCaps};
use crate::formats::anthropic_messages::request_decode;
use crate::note::Severity;
use crate::request::{
    CacheMark, Message, Opaque, Output, Part, PartKind, ReasoningMode, Role, Tool, ToolArguments, ToolCall,
    ToolChoice, ToolKind, ToolResult,
};
use serde_json::json;

fn target() -> Target {
    Target {
        dialect: Dialect::AnthropicMessages,
        model: "claude-x".to_owned(),
        caps: ModelCaps::of(Dialect::AnthropicMessages, "some-model"),
    }
}

fn encoded(request: &Request, target: &Target) -> (Value, Notes) {
    let mut notes = Notes::default();
    let bytes = encode(request, target, &mut notes).unwrap();
    (serde_json::from_slice(&bytes).unwrap(), notes)
}

fn request(messages: Vec<Message>) -> Request {
    Request {
        model: "m".to_owned(),
        messages,
        ..Request::default()
    }
}

fn text(role: Role, text: &str) -> Message {
    Message::new(role, vec![Part::text(text)])
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::new(PartKind::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: ToolArguments::Json(arguments.to_owned()),
    }))
}

fn result(id: &str, output: &str) -> Part {
    Part::new(PartKind::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: None,
        parts: vec![Part::text(output)],
        is_error: None,
    }))
}

fn function(name: &str) -> Tool {
    Tool {
        kind: ToolKind::Function,
        name: name.to_owned(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    }
}

#[test]
fn a_full_request_comes_out_as_it_went_in() {
    let body = include_bytes!("../../../../testdata/anthropic_messages/request_full.json");
    let request = request_decode::decode(body).unwrap();
    let (mut out, notes) = encoded(&request, &target());
    let mut expected: Value = serde_json::from_slice(body).unwrap();
    expected["model"] = json!("claude-x");
    // shorthands are written out
    expected["messages"][0]["content"] = json!([{"type": "text", "text": "What is in these?"}]);
    expected["messages"][2]["content"][1]["content"] = json!([{"type": "text", "text": "no such thing"}]);
    assert_eq!(notes, Notes::default());
    out.sort_all_objects();
    expected.sort_all_objects();
    assert_eq!(out, expected);
}

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
    let messages = vec![
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
fn thinking_is_said_in_the_words_of_the_model() {
    let say = |caps: ThinkingCaps, mode, effort: Option<&str>, budget, max: u64| {
        let mut request = request(vec![text(Role::User, "u")]);
        request.max_output = Some(max);
        request.reasoning.mode = mode;
        request.reasoning.effort = effort.map(str::to_owned);
        request.reasoning.budget = budget;
        let mut target = target();
        target.caps.thinking = caps;
        let (out, _) = encoded(&request, &target);
        (out["thinking"].clone(), out["output_config"].clone())
    };
    use ReasoningMode::{Adaptive, Off, On, Unset};
    use ThinkingCaps::{AdaptiveOnly, Budget, BudgetOrAdaptive};
    let enabled = |n: u64| json!({"type": "enabled", "budget_tokens": n});
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let null = Value::Null;
    for (caps, mode, effort, budget, max, thinking, config) in [
        (Budget, Unset, None, None, 9_000, null.clone(), null.clone()),
        (
            Budget,
            Unset,
            Some("high"),
            None,
            4_096,
            enabled(3_072),
            null.clone(),
        ),
        (
            Budget,
            Unset,
            Some("high"),
            None,
            1_500,
            null.clone(),
            null.clone(),
        ),
        (Budget, On, None, Some(2_000), 9_000, enabled(2_000), null.clone()),
        (
            Budget,
            Unset,
            Some("none"),
            None,
            9_000,
            null.clone(),
            null.clone(),
        ),
        (
            Budget,
            Off,
            None,
            None,
            9_000,
            json!({"type": "disabled"}),
            null.clone(),
        ),
        (
            ThinkingCaps::None,
            Off,
            None,
            None,
            9_000,
            null.clone(),
            null.clone(),
        ),
        (
            ThinkingCaps::None,
            On,
            None,
            Some(2_000),
            9_000,
            null.clone(),
            null.clone(),
        ),
        (
            BudgetOrAdaptive,
            On,
            None,
            Some(2_000),
            9_000,
            enabled(2_000),
            null.clone(),
        ),
        (
            BudgetOrAdaptive,
            Unset,
            Some("max"),
            None,
            9_000,
            adaptive.clone(),
            json!({"effort": "max"}),
        ),
        (
            AdaptiveOnly,
            On,
            None,
            Some(31_999),
            9_000,
            adaptive.clone(),
            json!({"effort": "xhigh"}),
        ),
        (
            AdaptiveOnly,
            On,
            Some("minimal"),
            Some(31_999),
            9_000,
            adaptive.clone(),
            json!({"effort": "low"}),
        ),
        (
            AdaptiveOnly,
            Adaptive,
            None,
            None,
            9_000,
            adaptive.clone(),
            null.clone(),
        ),
    ] {
        let case = format!("{caps:?} {mode:?} {effort:?} {budget:?} {max}");
        assert_eq!(say(caps, mode, effort, budget, max), (thinking, config), "{case}");
    }
}

#[test]
fn sampling_follows_the_model_and_every_drop_is_noted() {
    let mut asked = request(vec![text(Role::User, "u")]);
    asked.max_output = Some(9_000);
    asked.sampling.temperature = Some(1.5);
    asked.sampling.top_p = Some(0.9);
    asked.sampling.top_k = Some(40);
    asked.sampling.seed = Some(7);
    let (out, notes) = encoded(&asked, &target());
    assert_eq!(
        (&out["temperature"], &out["top_p"], &out["top_k"]),
        (&json!(1.0), &json!(0.9), &json!(40))
    );
    assert_eq!(notes.count(Severity::Loss), 2);

    let mut without = target();
    without.caps.sampling_ok = false;
    let (out, notes) = encoded(&asked, &without);
    assert!(
        ["temperature", "top_p", "top_k"]
            .iter()
            .all(|field| out.get(field).is_none())
    );
    assert_eq!(notes.count(Severity::Loss), 4);

    asked.reasoning.effort = Some("low".to_owned());
    let (out, _) = encoded(&asked, &target());
    assert_eq!(out["thinking"]["type"], "enabled");
    assert!(
        ["temperature", "top_p", "top_k"]
            .iter()
            .all(|field| out.get(field).is_none())
    );
}

#[test]
fn max_tokens_is_clamped_or_made_up() {
    for (asked, limit, sent, severity) in [
        (Some(10), None, 10, None),
        (Some(99_999), Some(64_000), 64_000, Some(Severity::Loss)),
        (None, Some(64_000), 64_000, Some(Severity::Synth)),
        (None, None, DEFAULT_MAX_TOKENS, Some(Severity::Synth)),
    ] {
        let mut target = target();
        target.caps.max_output = limit;
        let request = Request {
            max_output: asked,
            ..request(vec![text(Role::User, "u")])
        };
        let (out, notes) = encoded(&request, &target);
        assert_eq!(out["max_tokens"], sent);
        assert_eq!(notes.iter().map(|note| note.severity).next(), severity);
    }
}

#[test]
fn tool_choices_are_said_in_the_apis_words() {
    for (choice, parallel, wire) in [
        (ToolChoice::Unset, None, Value::Null),
        (ToolChoice::Unset, Some(true), Value::Null),
        (
            ToolChoice::Unset,
            Some(false),
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (ToolChoice::Auto, None, json!({"type": "auto"})),
        (ToolChoice::None, Some(false), json!({"type": "none"})),
        (
            ToolChoice::Required,
            Some(false),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
        (
            ToolChoice::Named("g".to_owned()),
            None,
            json!({"type": "tool", "name": "g"}),
        ),
        (
            ToolChoice::Allowed {
                required: true,
                names: vec!["g".to_owned()],
            },
            None,
            json!({"type": "any"}),
        ),
    ] {
        let mut asked = request(vec![text(Role::User, "u")]);
        asked.tools = vec![function("f"), function("g")];
        asked.tool_choice = choice.clone();
        asked.parallel_tools = parallel;
        let (out, _) = encoded(&asked, &target());
        assert_eq!(out["tool_choice"], wire, "{choice:?}");
        let offered = if matches!(choice, ToolChoice::Allowed { .. }) {
            1
        } else {
            2
        };
        assert_eq!(out["tools"].as_array().unwrap().len(), offered);
        asked.tools.clear();
        assert!(
            encoded(&asked, &target()).0.get("tool_choice").is_none(),
            "no tools, no choice"
        );
    }
}

#[test]
fn a_forced_choice_outweighs_thinking() {
    let mut asked = request(vec![text(Role::User, "u")]);
    asked.max_output = Some(9_000);
    asked.tools = vec![function("f")];
    asked.tool_choice = ToolChoice::Required;
    asked.reasoning.effort = Some("high".to_owned());
    let (out, _) = encoded(&asked, &target());
    assert!(out.get("thinking").is_none());
    assert_eq!(out["tool_choice"], json!({"type": "any"}));
}

#[test]
fn tools_of_other_vendors_are_translated_dropped_or_refused() {
    let hosted = |kind: &str| Tool {
        kind: ToolKind::Hosted {
            dialect: Dialect::OpenAiChat,
            raw: json!({"type": kind}),
        },
        ..function(kind)
    };
    let custom = Tool {
        kind: ToolKind::Custom {
            format: Some(json!({"type": "grammar", "definition": "start: /.+/s"})),
        },
        description: Some("Patches.".to_owned()),
        ..function("apply_patch")
    };
    let mut asked = request(vec![text(Role::User, "u")]);
    asked.tools = vec![custom, hosted("image_generation"), hosted("web_search")];
    let (out, notes) = encoded(&asked, &target());
    assert_eq!(out["tools"][0]["description"], "Patches.\n\nstart: /.+/s");
    assert_eq!(out["tools"][0]["input_schema"]["required"], json!(["input"]));
    assert_eq!(
        out["tools"][1],
        json!({"type": "web_search_20250305", "name": "web_search"})
    );
    assert!(
        notes
            .iter()
            .any(|note| note.severity == Severity::Loss && note.field == "tools")
    );

    asked.tools = vec![hosted("file_search")];
    let error = encode(&asked, &target(), &mut Notes::default()).unwrap_err();
    assert_eq!(
        error.message,
        "tool type 'file_search' is not supported by the selected model"
    );
}

#[test]
fn structured_output_is_native_a_forced_tool_or_an_instruction() {
    let schema = serde_json::from_str(r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#).unwrap();
    let spec = crate::request::JsonSchema {
        name: None,
        description: None,
        schema,
        strict: Some(true),
    };
    let mut asked = request(vec![text(Role::User, "u")]);
    asked.output = Output::JsonSchema(spec);

    let mut native = target();
    native.caps.json_schema = true;
    let (out, _) = encoded(&asked, &native);
    assert_eq!(out["output_config"]["format"]["type"], "json_schema");
    assert_eq!(
        out["output_config"]["format"]["schema"]["additionalProperties"],
        false
    );

    let mut emulated = target();
    emulated.caps.json_schema = false;
    let (out, _) = encoded(&asked, &emulated);
    assert_eq!(
        out["tool_choice"],
        json!({"type": "tool", "name": "gateway_structured_output"})
    );
    assert_eq!(
        out["tools"][0]["input_schema"]["properties"]["a"]["type"],
        "integer"
    );

    asked.tools = vec![function("f")];
    let (out, notes) = encoded(&asked, &emulated);
    assert!(out.get("tool_choice").is_none());
    assert!(
        out["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains(r#""a":{"type":"integer"}"#)
    );
    assert!(notes.iter().any(|note| note.field == "response_format"));
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
fn what_would_change_the_answer_is_refused() {
    let mut several = request(vec![text(Role::User, "u")]);
    several.sampling.n = Some(2);
    let mut spoken = request(vec![text(Role::User, "u")]);
    spoken.modalities = vec!["text".to_owned(), "audio".to_owned()];
    let audio = PartKind::Audio {
        data: String::new(),
        format: "wav".to_owned(),
    };
    let heard = request(vec![Message::new(Role::User, vec![Part::new(audio)])]);
    let file = crate::request::MediaSource::FileId {
        id: "file-1".to_owned(),
        issuer: Dialect::OpenAiChat,
    };
    let image = PartKind::Image {
        source: file,
        mime: None,
        detail: None,
    };
    let foreign = request(vec![Message::new(Role::User, vec![Part::new(image)])]);
    for (request, param, message) in [
        (several, "n", "n>1 is not supported by model 'claude-x'"),
        (
            spoken,
            "modalities",
            "audio output is not supported by model 'claude-x'",
        ),
        (
            heard,
            "messages[0].content[0]",
            "model 'claude-x' does not accept audio input",
        ),
        (
            foreign,
            "messages[0].content[0]",
            "file references are provider-scoped; send file_data instead",
        ),
        (
            request(vec![]),
            "messages",
            "messages must contain at least one item",
        ),
    ] {
        let error = encode(&request, &target(), &mut Notes::default()).unwrap_err();
        assert_eq!(
            (error.param.as_deref(), error.message.as_str()),
            (Some(param), message)
        );
    }
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
