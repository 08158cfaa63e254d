use super::*;
use crate::caps::ModelCaps;
use crate::note::Severity;
use crate::request::{Message, Part, PartKind, Role};
use crate::translate::{Ask, Target};
use bytes::Bytes;
use serde_json::json;

fn target(model: &str) -> Target {
    Target {
        dialect: Dialect::OpenAiResponses,
        model: model.to_owned(),
        caps: ModelCaps::of(Dialect::OpenAiResponses, model),
    }
}

/// What an upstream gets for a client's request, and what was lost.
fn sent(client: Dialect, model: &str, body: Value) -> (Value, Vec<String>) {
    let ask = Ask::read(client, Bytes::from(body.to_string())).unwrap();
    let call = ask.call(&target(model)).unwrap();
    let lost = call.notes().iter().filter(|note| note.severity == Severity::Loss);
    let lost = lost.map(|note| note.field.clone()).collect();
    (serde_json::from_slice(&call.body()).unwrap(), lost)
}

fn chat(body: Value) -> (Value, Vec<String>) {
    sent(Dialect::OpenAiChat, "n", body)
}

#[test]
fn what_the_assistant_said_is_output() {
    let (body, _) = chat(json!({"model": "m", "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "tool_calls": [{"id": "X", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "X", "content": "r"},
    ]}));
    assert_eq!(
        body,
        json!({"model": "n", "instructions": "s", "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b", "annotations": []}]},
            {"type": "function_call", "call_id": "X", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "X", "output": "r"},
        ], "store": false})
    );
}

#[test]
fn blocks_of_instructions_stay_apart_and_late_ones_in_place() {
    let (body, _) = chat(json!({"model": "m", "messages": [
        {"role": "system", "content": "s"}, {"role": "developer", "content": "t"},
        {"role": "user", "content": "a"}, {"role": "system", "content": "u"},
    ]}));
    let roles: Vec<&Value> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["role"])
        .collect();
    assert_eq!(roles, ["developer", "developer", "user", "developer"]);
    assert!(body.get("instructions").is_none());
}

#[test]
fn only_what_this_vendor_encrypted_is_replayed() {
    let own = crate::formats::openai_responses::reasoning::issued("rs_1", "blob");
    let signature = crate::envelope::wrap(&own, crate::envelope::Subject::Reasoning);
    let turn = |thinking: Value| {
        json!({"model": "m", "max_tokens": 100, "thinking": {"type": "enabled", "budget_tokens": 4000}, "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [thinking, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "c"},
        ]})
    };
    let kept = turn(json!({"type": "thinking", "thinking": "why", "signature": signature}));
    let (body, _) = sent(Dialect::AnthropicMessages, "gpt-5", kept);
    assert_eq!(
        body["input"][1],
        json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "why"}], "encrypted_content": "blob"})
    );
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(body["reasoning"], json!({"effort": "medium", "summary": "auto"}));

    for signature in ["", "EqQBForeign"] {
        let foreign = turn(json!({"type": "thinking", "thinking": "why", "signature": signature}));
        let (body, lost) = sent(Dialect::AnthropicMessages, "gpt-5", foreign);
        assert!(!body["input"].to_string().contains("reasoning"), "{body}");
        assert!(lost.iter().any(|field| field.starts_with("input[1]")), "{lost:?}");
    }
}

#[test]
fn reasoning_that_nothing_follows_is_not_sent() {
    let own = crate::formats::openai_responses::reasoning::issued("rs_1", "blob");
    let request = Request {
        model: "m".to_owned(),
        messages: vec![
            Message::new(Role::User, vec![Part::text("a")]),
            Message::new(
                Role::Assistant,
                vec![Part::new(PartKind::Reasoning {
                    text: String::new(),
                    opaque: Some(own),
                })],
            ),
        ],
        ..Request::default()
    };
    let body = encode(&request, &target("n"), &mut Notes::default()).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let roles: Vec<&Value> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["role"])
        .collect();
    assert_eq!(roles, ["user"]);
}

#[test]
fn results_keep_their_media_and_say_that_they_are_errors() {
    let (body, _) = sent(
        Dialect::AnthropicMessages,
        "n",
        json!({"model": "m", "max_tokens": 100, "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}, {"type": "tool_use", "id": "t2", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": "boom"},
                {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "see"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]},
            ]},
        ]}),
    );
    assert_eq!(body["input"][3]["output"], "[tool error] boom");
    assert_eq!(
        body["input"][4]["output"],
        json!([{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}])
    );
}

#[test]
fn tools_are_flat_and_strict_is_always_said() {
    let (body, _) = chat(
        json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
        {"type": "function", "function": {"name": "g", "strict": true}},
        {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}}},
    ], "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false}),
    );
    assert_eq!(
        body["tools"],
        json!([
            {"type": "function", "name": "f", "parameters": {"properties": {}, "type": "object"}, "strict": false},
            {"type": "function", "name": "g", "parameters": {"type": "object", "properties": {}}, "strict": true},
            {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        ])
    );
    assert_eq!(body["tool_choice"], json!({"type": "function", "name": "f"}));
    assert_eq!(body["parallel_tool_calls"], false);
}

#[test]
fn what_the_api_has_no_field_for_is_noted() {
    let (body, lost) = chat(
        json!({"model": "m", "messages": [{"role": "user", "content": "a"}],
        "seed": 1, "logit_bias": {}, "top_k": 4, "frequency_penalty": 1.0, "presence_penalty": 1.0, "max_tokens": 3,
        "store": true, "metadata": {"a": "b"}, "temperature": 0.2}),
    );
    assert_eq!(
        lost,
        [
            "store",
            "top_k",
            "seed",
            "frequency_penalty",
            "presence_penalty",
            "logit_bias",
            "max_output_tokens"
        ]
    );
    assert_eq!(
        (&body["max_output_tokens"], &body["store"], &body["temperature"]),
        (&json!(16), &json!(false), &json!(0.2))
    );
    let (body, lost) = sent(
        Dialect::OpenAiChat,
        "gpt-5-mini",
        json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "temperature": 0.2, "reasoning_effort": "xhigh"}),
    );
    assert_eq!(body["reasoning"], json!({"effort": "high", "summary": "auto"}));
    assert!(body.get("temperature").is_none());
    assert_eq!(lost, ["temperature", "reasoning_effort"]);
}

#[test]
fn audio_output_and_several_choices_are_refused() {
    for (field, value) in [("n", json!(2)), ("modalities", json!(["text", "audio"]))] {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "a"}]});
        body[field] = value;
        let ask = Ask::read(Dialect::OpenAiChat, Bytes::from(body.to_string())).unwrap();
        assert!(ask.call(&target("n")).is_err(), "{field}");
    }
}

#[test]
fn the_same_history_is_the_same_bytes() {
    let body = json!({"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "a"}]});
    let once = sent(Dialect::AnthropicMessages, "gpt-5", body.clone()).0;
    assert_eq!(once, sent(Dialect::AnthropicMessages, "gpt-5", body).0);
}

#[test]
fn a_conversation_that_says_nothing_is_refused_and_one_of_instructions_alone_is_not() {
    let ask = |messages: Value| {
        let body = json!({"model": "m", "messages": messages});
        let ask = Ask::read(Dialect::OpenAiChat, Bytes::from(body.to_string())).unwrap();
        ask.call(&target("n"))
    };
    for nothing in [
        json!([{"role": "user", "content": ""}]),
        json!([{"role": "user", "content": []}, {"role": "assistant", "content": null}]),
    ] {
        let error = ask(nothing.clone()).unwrap_err().to_string();
        assert_eq!(
            error, "messages must contain at least one item that is not empty",
            "{nothing}"
        );
    }
    let (body, _) = chat(json!({"model": "m", "messages": [{"role": "system", "content": "s"}]}));
    assert_eq!(
        body,
        json!({"model": "n", "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "s"}]},
        ], "store": false})
    );
}

#[test]
fn a_client_that_names_an_effort_wants_to_see_the_thoughts() {
    let reasoning = |client, body: Value| sent(client, "gpt-5", body).0["reasoning"].clone();
    let messages = json!([{"role": "user", "content": "hi"}]);
    for (asked, expected) in [
        (json!({}), Value::Null),
        (
            json!({"reasoning_effort": "low"}),
            json!({"effort": "low", "summary": "auto"}),
        ),
        (
            json!({"reasoning": {"effort": "low"}}),
            json!({"effort": "low", "summary": "auto"}),
        ),
        (
            json!({"reasoning": {"effort": "low", "exclude": true}}),
            json!({"effort": "low"}),
        ),
    ] {
        let mut body = json!({"model": "m", "messages": messages});
        body.as_object_mut()
            .unwrap()
            .extend(asked.as_object().unwrap().clone());
        assert_eq!(reasoning(Dialect::OpenAiChat, body), expected, "{asked}");
    }
    // the others say apart whether they want to see
    let anthropic =
        json!({"model": "m", "max_tokens": 99, "messages": messages, "output_config": {"effort": "low"}});
    assert_eq!(
        reasoning(Dialect::AnthropicMessages, anthropic),
        json!({"effort": "low"})
    );
}
