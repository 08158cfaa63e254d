use super::*;
use crate::caps::ModelCaps;
use crate::dialect::Dialect;
use crate::translate::{Address, Ask};
use serde_json::{Value, json};
use std::sync::Arc;

const PROMPT: &str = "Say \"please\".";
const ALL: [Dialect; 5] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OllamaChat,
];

fn target(dialect: Dialect, model: &str) -> Target {
    Target {
        dialect,
        model: model.to_owned(),
        caps: ModelCaps::of(dialect, model),
    }
}

fn ask(dialect: Dialect, body: &str) -> Ask {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let ask = match dialect {
        Dialect::Gemini => {
            let address = Address {
                model: "m".to_owned(),
                stream: false,
                framing: crate::Framing::Native,
            };
            Ask::read_at(dialect, address, body)
        }
        _ => Ask::read(dialect, body),
    };
    ask.unwrap()
}

/// The body as it is spliced for a target of its own dialect.
fn spliced(rewrite: &Rewrite, dialect: Dialect, model: &str, body: &str) -> String {
    let ask = ask(dialect, body);
    let bytes = Bytes::copy_from_slice(body.as_bytes());
    let bytes = rewrite
        .splice(&bytes, &target(dialect, model), || ask.request())
        .unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(
        serde_json::from_str::<Value>(&text).is_ok(),
        "{body} became {text}"
    );
    text
}

fn prompted(dialect: Dialect, body: &str) -> String {
    spliced(
        &Rewrite::new(PROMPT, Thinking::Passthrough).unwrap(),
        dialect,
        "m",
        body,
    )
}

fn thought(thinking: Thinking, dialect: Dialect, model: &str, body: &Value) -> Value {
    let text = spliced(
        &Rewrite::new("", thinking).unwrap(),
        dialect,
        model,
        &body.to_string(),
    );
    serde_json::from_str(&text).unwrap()
}

fn user(dialect: Dialect) -> Value {
    match dialect {
        Dialect::OpenAiResponses => json!({"model": "m", "input": "hi"}),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
        Dialect::AnthropicMessages => {
            json!({"model": "m", "max_tokens": 60000, "messages": [{"role": "user", "content": "hi"}]})
        }
        Dialect::OpenAiChat | Dialect::OllamaChat => {
            json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
        }
        Dialect::BedrockConverse => panic!("no client speaks it"),
    }
}

#[test]
fn without_a_setting_there_is_nothing_to_do() {
    assert!(Rewrite::new("", Thinking::Passthrough).is_none());
    assert!(Rewrite::new(" \n", Thinking::Passthrough).is_none());
}

#[test]
fn the_prompt_stands_in_front_and_every_other_byte_stays() {
    use Dialect::{
        AnthropicMessages as A, Gemini as G, OllamaChat as L, OpenAiChat as C, OpenAiResponses as R,
    };
    let p = r#"Say \"please\"."#;
    let table = [
        (
            C,
            r#"{"model":"m", "messages":[ {"role":"user","content":"caf\u00e9"}]}"#,
            "[",
            r#"[{"role":"system","content":"P"},"#,
        ),
        (
            C,
            r#"{"model":"m","messages":[{"role":"system","content":"Be kind"}]}"#,
            r#""Be"#,
            r#""P\n\nBe"#,
        ),
        (
            C,
            r#"{"model":"m","messages":[{"content":"Be kind","role":"developer"}]}"#,
            r#""Be"#,
            r#""P\n\nBe"#,
        ),
        (
            C,
            r#"{"model":"m","messages":[{"role":"system","content":[{"type":"text","text":"a"}]}]}"#,
            r#"t":["#,
            r#"t":[{"type":"text","text":"P"},"#,
        ),
        (
            C,
            r#"{"model":"m","messages":[ ]}"#,
            "[",
            r#"[{"role":"system","content":"P"}"#,
        ),
        (
            L,
            r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#,
            "[",
            r#"[{"role":"system","content":"P"},"#,
        ),
        (
            L,
            r#"{"model":"m","messages":[{"role":"system","content":"a"}]}"#,
            r#""a""#,
            r#""P\n\na""#,
        ),
        (A, r#"{"model":"m","system":"a"}"#, r#""a""#, r#""P\n\na""#),
        (
            A,
            r#"{"model":"m","system":[{"type":"text","text":"a"}]}"#,
            "[",
            r#"[{"type":"text","text":"P"},"#,
        ),
        (A, r#"{"model":"m","messages":[]}"#, "{", r#"{"system":"P","#),
        (A, r#"{"model":"m","system":null}"#, "null", r#""P""#),
        (
            R,
            r#"{"model":"m","instructions":"a","input":"b"}"#,
            r#""a""#,
            r#""P\n\na""#,
        ),
        (R, r#"{"model":"m","input":"b"}"#, "{", r#"{"instructions":"P","#),
        (
            G,
            r#"{"contents":[]}"#,
            "{",
            r#"{"systemInstruction":{"parts":[{"text":"P"}]},"#,
        ),
        (
            G,
            r#"{"systemInstruction":{"parts":[{"text":"a"}]}}"#,
            "[",
            r#"[{"text":"P"},"#,
        ),
        (
            G,
            r#"{"system_instruction":{"parts":{"text":"a"}}}"#,
            r#"{"text":"a"}"#,
            r#"[{"text":"P"},{"text":"a"}]"#,
        ),
        (
            G,
            r#"{"systemInstruction":{"role":"user"}}"#,
            r#"{"role"#,
            r#"{"parts":[{"text":"P"}],"role"#,
        ),
    ];
    for (dialect, body, before, after) in table {
        let expected = body.replacen(before, &after.replace('P', p), 1);
        assert_eq!(prompted(dialect, body), expected, "{dialect}: {body}");
    }
}

#[test]
fn a_later_system_message_is_not_the_place_for_the_prompt() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"system","content":"b"}]}"#;
    let after: Value = serde_json::from_str(&prompted(Dialect::OpenAiChat, body)).unwrap();
    assert_eq!(after["messages"][0], json!({"role": "system", "content": PROMPT}));
    assert_eq!(after["messages"][2]["content"], "b");
}

#[test]
fn a_translated_request_says_the_prompt_once_and_first() {
    let rewrite = Some(Arc::new(Rewrite::new(PROMPT, Thinking::Passthrough).unwrap()));
    for client in ALL {
        for upstream in ALL {
            let ask = ask(client, &user(client).to_string()).rewritten(rewrite.clone());
            let call = ask.call(&target(upstream, "m")).unwrap();
            let body: Value = serde_json::from_slice(&call.body()).unwrap();
            let text = body.to_string();
            assert_eq!(
                text.matches("please").count(),
                1,
                "{client} to {upstream}: {text}"
            );
        }
    }
}

#[test]
fn a_translated_system_text_follows_the_prompt_after_a_blank_line() {
    let mut request = Request {
        system: vec![crate::request::Part::text("Be kind")],
        ..Request::default()
    };
    let rewrite = Rewrite::new("First", Thinking::Passthrough).unwrap();
    rewrite.apply(&mut request, &target(Dialect::OpenAiChat, "m"));
    assert!(
        matches!(&request.system[0].kind, crate::request::PartKind::Text { text, .. } if text == "First\n\nBe kind")
    );
}

/// A client's own words about thinking, where its dialect has them.
fn asking(dialect: Dialect) -> Value {
    let mut body = user(dialect);
    let (name, value) = match dialect {
        Dialect::OpenAiChat => ("reasoning_effort", json!("high")),
        Dialect::OpenAiResponses => ("reasoning", json!({"effort": "high", "summary": "auto"})),
        Dialect::AnthropicMessages => ("thinking", json!({"type": "enabled", "budget_tokens": 30000})),
        Dialect::Gemini => (
            "generationConfig",
            json!({"thinkingConfig": {"thinkingBudget": 9000}, "topK": 4}),
        ),
        Dialect::OllamaChat => ("think", json!(true)),
        Dialect::BedrockConverse => panic!("no client speaks it"),
    };
    body[name] = value;
    body
}

#[test]
fn auto_takes_out_whatever_the_client_said_and_nothing_else() {
    for dialect in ALL {
        let mut expected = user(dialect);
        if dialect == Dialect::Gemini {
            expected["generationConfig"] = json!({"topK": 4});
        }
        assert_eq!(
            thought(Thinking::Auto, dialect, "m", &asking(dialect)),
            expected,
            "{dialect}"
        );
    }
    let mut body = asking(Dialect::OpenAiChat);
    body["reasoning"] = json!({"effort": "low"});
    body["thinking"] = json!({"type": "enabled"});
    assert_eq!(
        thought(Thinking::Auto, Dialect::OpenAiChat, "m", &body),
        user(Dialect::OpenAiChat)
    );
}

#[test]
fn a_custom_budget_is_said_as_the_model_understands_it() {
    let table = [
        (Dialect::OpenAiChat, "gpt-5", "/reasoning_effort", json!("medium")),
        (
            Dialect::OpenAiResponses,
            "gpt-5",
            "/reasoning/effort",
            json!("medium"),
        ),
        (
            Dialect::AnthropicMessages,
            "claude-3-7-sonnet-latest",
            "/thinking/budget_tokens",
            json!(5000),
        ),
        (
            Dialect::Gemini,
            "gemini-2.5-flash",
            "/generationConfig/thinkingConfig/thinkingBudget",
            json!(5000),
        ),
        (Dialect::OllamaChat, "qwen3", "/think", json!(true)),
    ];
    for (dialect, model, at, expected) in table {
        let body = thought(Thinking::Custom(5_000), dialect, model, &asking(dialect));
        assert_eq!(body.pointer(at), Some(&expected), "{dialect}: {body}");
    }
    let responses = thought(
        Thinking::Custom(5_000),
        Dialect::OpenAiResponses,
        "gpt-5",
        &asking(Dialect::OpenAiResponses),
    );
    assert_eq!(responses["reasoning"]["summary"], "auto");
}

#[test]
fn a_model_that_is_not_known_to_think_is_told_only_what_its_client_spoke_of() {
    for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::OllamaChat] {
        assert_eq!(
            thought(Thinking::Custom(5_000), dialect, "m", &user(dialect)),
            user(dialect),
            "{dialect}"
        );
    }
    let body = thought(
        Thinking::Custom(5_000),
        Dialect::OpenAiChat,
        "m",
        &asking(Dialect::OpenAiChat),
    );
    assert_eq!(body["reasoning_effort"], "medium");
    let mut native = user(Dialect::OpenAiChat);
    native["thinking"] = json!({"type": "disabled"});
    let body = thought(Thinking::Custom(5_000), Dialect::OpenAiChat, "glm-5", &native);
    assert_eq!(
        body["thinking"],
        json!({"type": "enabled", "budget_tokens": 5000})
    );
    assert_eq!(body.get("reasoning_effort"), None);
}

#[test]
fn anthropics_rules_for_thinking_hold_after_it_was_forced() {
    let claude = "claude-3-7-sonnet-latest";
    let mut body = user(Dialect::AnthropicMessages);
    body["temperature"] = json!(0.2);
    body["max_tokens"] = json!(8000);
    let forced = thought(
        Thinking::Custom(50_000),
        Dialect::AnthropicMessages,
        claude,
        &body,
    );
    assert!(
        forced["thinking"]["budget_tokens"].as_u64().unwrap() < 8000,
        "{forced}"
    );
    assert_eq!(forced.get("temperature"), None);
    assert_eq!(forced["max_tokens"], 8000);

    body["tools"] = json!([{"name": "t", "input_schema": {"type": "object"}}]);
    body["tool_choice"] = json!({"type": "any"});
    let choice = thought(
        Thinking::Custom(50_000),
        Dialect::AnthropicMessages,
        claude,
        &body,
    );
    assert_eq!(
        choice.get("thinking"),
        None,
        "a forced choice and thinking exclude each other"
    );
    assert_eq!(choice["temperature"], 0.2);

    let off = thought(
        Thinking::Custom(0),
        Dialect::AnthropicMessages,
        claude,
        &asking(Dialect::AnthropicMessages),
    );
    assert_ne!(off["thinking"]["type"], "enabled", "{off}");
}

#[test]
fn an_adaptive_budget_grows_with_the_request() {
    let thinking = Thinking::named("adaptive", 0, "medium").unwrap();
    let budget = |messages: usize, tools: usize, chars: usize| {
        let mut body = user(Dialect::AnthropicMessages);
        body["max_tokens"] = json!(200_000);
        let turn = |n: usize| json!({"role": if n.is_multiple_of(2) { "user" } else { "assistant" }, "content": "x".repeat(chars)});
        body["messages"] = (0..messages).map(turn).collect();
        if tools > 0 {
            body["tools"] = (0..tools)
                .map(|n| json!({"name": format!("t{n}"), "input_schema": {"type": "object"}}))
                .collect();
        }
        let body = thought(
            thinking,
            Dialect::AnthropicMessages,
            "claude-3-7-sonnet-latest",
            &body,
        );
        body["thinking"]["budget_tokens"].as_u64().unwrap()
    };
    assert_eq!(budget(1, 0, 5), 10_240);
    assert_eq!(budget(11, 0, 5), 15_360);
    assert_eq!(budget(1, 4, 5), 15_360);
    assert_eq!(budget(1, 0, 2_001), 13_312);
    assert_eq!(budget(11, 4, 2_001), 23_552);
    assert_eq!(
        Thinking::named("adaptive", 0, "high"),
        Some(Thinking::Adaptive(131_072))
    );
    assert_eq!(Thinking::named("sometimes", 0, "high"), None);
}

#[test]
fn nothing_stays_nothing_however_hard_a_request_looks() {
    let none = Thinking::named("adaptive", 0, "none").unwrap();
    let mut body = user(Dialect::AnthropicMessages);
    body["max_tokens"] = json!(200_000);
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 2_048});
    body["messages"] = (0..11)
        .map(|n: usize| json!({"role": if n.is_multiple_of(2) { "user" } else { "assistant" }, "content": "x".repeat(2_001)}))
        .collect();
    let body = thought(
        none,
        Dialect::AnthropicMessages,
        "claude-3-7-sonnet-latest",
        &body,
    );
    assert_eq!(body["thinking"], json!({"type": "disabled"}));
}

#[test]
fn a_body_that_only_the_upstream_can_read_loses_what_it_said_about_thinking() {
    let body = r#"{"model":"m","messages":7,"reasoning_effort":"high"}"#;
    let rewrite = Rewrite::new("", Thinking::Custom(9_000)).unwrap();
    assert_eq!(
        spliced(&rewrite, Dialect::OpenAiChat, "gpt-5", body),
        r#"{"model":"m","messages":7}"#
    );
}
