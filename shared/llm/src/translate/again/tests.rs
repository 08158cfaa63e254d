use super::*;
use proptest::prelude::*;
use serde_json::{Map, json};

fn ask(dialect: Dialect, body: &Value) -> Ask {
    Ask::read(dialect, body.to_string().into()).unwrap()
}

fn canonical(body: &Value) -> Vec<u8> {
    ask(Dialect::OpenAiChat, body).canonical().unwrap()
}

fn question() -> Value {
    json!({
        "model": "m", "temperature": 0, "max_tokens": 9, "seed": 7, "stop": ["a", "b"], "top_p": 1,
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": "u"}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}}],
        "response_format": {"type": "json_object"}, "tool_choice": "auto", "logit_bias": {"50256": -100},
        "unknown": {"nested": [1, 2.5, null, true, "t"]},
    })
}

#[test]
fn delivery_changes_nothing() {
    let plain = canonical(&question());
    for (name, value) in [
        ("stream", json!(true)),
        ("stream_options", json!({"include_usage": true})),
        ("user", json!("u1")),
        ("metadata", json!({"user_id": "u1"})),
        ("store", json!(true)),
    ] {
        let mut other = question();
        other[name] = value;
        assert_eq!(canonical(&other), plain, "{name}");
    }
}

#[test]
fn the_dialect_and_the_model_of_the_address_count() {
    let body = json!({"model": "m", "messages": [], "temperature": 0});
    let by_dialect: Vec<_> = Dialect::ALL
        .into_iter()
        .filter(|dialect| dialect.is_for_clients())
        .map(|dialect| ask(dialect, &body).canonical().unwrap())
        .collect();
    for (at, one) in by_dialect.iter().enumerate() {
        assert!(!by_dialect[..at].contains(one), "{at}");
    }
    let at = |model: &str| {
        let address = crate::Address {
            model: model.to_owned(),
            stream: false,
            framing: Framing::Native,
        };
        Ask::read_at(Dialect::Gemini, address, Bytes::from_static(b"{}")).unwrap()
    };
    assert_ne!(at("a").canonical(), at("b").canonical());
}

#[test]
fn a_request_that_sets_something_in_motion_has_no_form() {
    for (name, value, has_form) in [
        ("background", json!(true), false),
        ("background", json!(false), true),
        ("conversation", json!("conv_1"), false),
        ("conversation", json!({"id": "conv_1"}), false),
        ("conversation", json!(null), true),
    ] {
        let mut body = json!({"model": "m", "input": "hi"});
        body[name] = value;
        let form = ask(Dialect::OpenAiResponses, &body).canonical();
        assert_eq!(form.is_some(), has_form, "{body}");
    }
}

#[test]
fn what_is_nested_beyond_measure_has_no_form() {
    let deep = format!(
        r#"{{"model":"m","x":{}{}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let ask = Ask::read(Dialect::OpenAiChat, deep.into()).unwrap();
    assert_eq!(ask.canonical(), None);
}

#[test]
fn chance_is_where_each_dialect_says_it() {
    let table = [
        (
            Dialect::OpenAiChat,
            json!({"temperature": 0, "n": 2}),
            Some(0.0),
            Some(2.0),
        ),
        (
            Dialect::OpenAiResponses,
            json!({"temperature": 0.0}),
            Some(0.0),
            None,
        ),
        (
            Dialect::AnthropicMessages,
            json!({"temperature": 0.7}),
            Some(0.7),
            None,
        ),
        (
            Dialect::OllamaChat,
            json!({"options": {"temperature": 0}}),
            Some(0.0),
            None,
        ),
        (Dialect::OllamaChat, json!({"temperature": 0}), None, None),
        (
            Dialect::Gemini,
            json!({"generationConfig": {"temperature": 0, "candidateCount": 3}}),
            Some(0.0),
            Some(3.0),
        ),
        (
            Dialect::Gemini,
            json!({"generation_config": {"temperature": 1e-3, "candidate_count": 1}}),
            Some(0.001),
            Some(1.0),
        ),
        (Dialect::OpenAiChat, json!({"temperature": "0"}), None, None),
        (Dialect::OpenAiChat, json!({"temperature": null}), None, None),
        (Dialect::OpenAiChat, json!({}), None, None),
    ];
    for (dialect, mut body, temperature, choices) in table {
        body["model"] = json!("m");
        let expected = Chance { temperature, choices };
        assert_eq!(ask(dialect, &body).chance(), expected, "{dialect} {body}");
    }
}

#[test]
fn tools_that_the_provider_runs_are_told_from_the_clients_own() {
    let with = |dialect, tools: Value| {
        let body = json!({
            "model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}], "input": "hi", "tools": tools,
        });
        ask(dialect, &body).hosts_tools()
    };
    let own = json!([{"type": "function", "function": {"name": "f"}}]);
    assert!(!with(Dialect::OpenAiChat, own));
    let search = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    assert!(with(Dialect::AnthropicMessages, search));
    assert!(with(Dialect::OpenAiResponses, json!([{"type": "web_search"}])));
}

#[test]
fn a_whole_answer_becomes_a_stream_and_whole_again() {
    let answer = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "Let me see.",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}],
        }}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    });
    let ask = ask(
        Dialect::OpenAiChat,
        &json!({
            "model": "m", "messages": [], "stream": true, "stream_options": {"include_usage": true},
        }),
    );
    let rendering = ask.rendering(&ReplySeed {
        id: "0".repeat(32),
        model: "m".to_owned(),
        ..ReplySeed::default()
    });
    let stream = rendering.stream(answer.to_string().as_bytes()).unwrap();
    let text = std::str::from_utf8(&stream).unwrap();
    assert!(
        text.starts_with("data: {") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
    let whole: Value = serde_json::from_slice(&rendering.whole(&stream).unwrap()).unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "Let me see.");
    assert_eq!(
        whole["choices"][0]["message"]["tool_calls"],
        answer["choices"][0]["message"]["tool_calls"]
    );
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(whole["usage"]["total_tokens"], 5);
}

#[test]
fn a_stream_that_broke_off_is_no_whole_answer() {
    let ask = ask(
        Dialect::OpenAiChat,
        &json!({"model": "m", "messages": [], "stream": true}),
    );
    let rendering = ask.rendering(&ReplySeed::default());
    let cut = br#"data: {"id":"x","choices":[{"index":0,"delta":{"content":"half"}}]}"#;
    rendering.whole(cut).unwrap_err();
    rendering.whole(b"").unwrap_err();
    rendering.stream(b"{}").unwrap_err();
}

/// Any JSON without duplicate names.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The same with the members of every object in another order.
fn shuffled(value: &Value, seed: &mut u64) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|value| shuffled(value, seed)).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            for at in (1..members.len()).rev() {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                members.swap(at, (*seed >> 33) as usize % (at + 1));
            }
            let copied = members
                .into_iter()
                .map(|(name, value)| (name.clone(), shuffled(value, seed)));
            Value::Object(copied.collect())
        }
        value => value.clone(),
    }
}

/// Every place in a value.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                places(value, &format!("{at}/{index}"), out);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{name}"), out);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn the_order_of_members_does_not_matter(extra in any_json(), mut seed: u64) {
        let mut body = question();
        body["extra"] = extra;
        prop_assert_eq!(canonical(&body), canonical(&shuffled(&body, &mut seed)));
    }

    #[test]
    fn any_other_change_matters(extra in any_json(), put in any_json(), choice: prop::sample::Index) {
        let mut body = question();
        body["extra"] = extra;
        let mut all = Vec::new();
        places(&body, "", &mut all);
        // the whole is not one place, and the model has to stay a name
        all.retain(|place| !place.is_empty() && place != "/model");
        let place = choice.get(&all);
        let mut other = body.clone();
        let target = other.pointer_mut(place).unwrap();
        prop_assume!(*target != put);
        *target = put;
        prop_assert_ne!(canonical(&body), canonical(&other), "at {}", place);
    }

    #[test]
    fn whether_a_member_is_there_matters(choice: prop::sample::Index) {
        let body = question();
        let names: Vec<_> = body.as_object().unwrap().keys().filter(|name| *name != "model").cloned().collect();
        let name = choice.get(&names);
        let mut other = body.clone();
        other.as_object_mut().unwrap().remove(name);
        prop_assert_ne!(canonical(&body), canonical(&other), "{}", name);
    }
}
