use super::*;
use crate::{Address, Framing};
use serde_json::json;

fn ask(dialect: Dialect, body: &Value) -> Ask {
    let body = body.to_string().into();
    if dialect != Dialect::Gemini {
        return Ask::read(dialect, body).unwrap();
    }
    let address = Address {
        model: "m".to_owned(),
        stream: false,
        framing: Framing::Native,
    };
    Ask::read_at(dialect, address, body).unwrap()
}

/// The same request in every dialect, with the last message and what else there is.
fn bodies(last: &str, system: &str) -> Vec<(Dialect, Value)> {
    let earlier = [
        json!({"role": "user", "content": "hello"}),
        json!({"role": "assistant", "content": "good morning"}),
    ];
    let turn = json!({"role": "user", "content": last});
    let with_system = json!([{"role": "system", "content": system}, earlier[0], earlier[1], turn]);
    vec![
        (
            Dialect::OpenAiChat,
            json!({"model": "m", "temperature": 0, "messages": with_system}),
        ),
        (
            Dialect::OllamaChat,
            json!({"model": "m", "options": {"temperature": 0}, "messages": with_system}),
        ),
        (
            Dialect::AnthropicMessages,
            json!({"model": "m", "max_tokens": 9, "system": system, "messages": [earlier[0], earlier[1], turn]}),
        ),
        (
            Dialect::OpenAiResponses,
            json!({"model": "m", "instructions": system, "input": [earlier[0], earlier[1], turn]}),
        ),
        (
            Dialect::Gemini,
            json!({
                "systemInstruction": {"parts": [{"text": system}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "hello"}]},
                    {"role": "model", "parts": [{"text": "good morning"}]},
                    {"role": "user", "parts": [{"text": last}]},
                ],
            }),
        ),
    ]
}

fn rest_of(last: &str, system: &str) -> Vec<Vec<u8>> {
    let asked = bodies(last, system).into_iter().map(|(dialect, body)| {
        let question = ask(dialect, &body).last_question();
        let question = question.unwrap_or_else(|| panic!("{dialect}: {body}"));
        assert_eq!(question.text, last, "{dialect}");
        question.rest
    });
    asked.collect()
}

#[test]
fn only_the_last_words_of_the_user_are_left_out() {
    let first = rest_of("How far is the moon?", "be brief");
    let other_words = rest_of("What is the distance to the moon?", "be brief");
    let other_system = rest_of("How far is the moon?", "be polite");
    assert_eq!(first, other_words);
    for (at, (rest, other)) in first.iter().zip(&other_system).enumerate() {
        assert_ne!(rest, other, "{at}");
        assert!(!first[..at].contains(rest), "dialects are apart: {at}");
    }
}

#[test]
fn whatever_is_said_before_counts() {
    for (dialect, body) in bodies("How far is the moon?", "be brief") {
        let rest = ask(dialect, &body).last_question().unwrap().rest;
        let other = body.to_string().replace("good morning", "good evening");
        let other = ask(dialect, &serde_json::from_str(&other).unwrap());
        assert_ne!(rest, other.last_question().unwrap().rest, "{dialect}");
    }
}

#[test]
fn a_message_in_parts_is_text_as_long_as_nothing_else_is_in_it() {
    let text = |kind: &str, text: &str| json!({"type": kind, "text": text});
    let image = json!({"type": "image_url", "image_url": {"url": "u"}});
    let marked = json!({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}});
    let table = [
        (
            Dialect::OpenAiChat,
            json!([text("text", "a"), text("text", "b")]),
            Some("a\nb"),
        ),
        (Dialect::OpenAiChat, json!([text("text", "a"), image]), None),
        (Dialect::OpenAiChat, json!([]), Some("")),
        (Dialect::OpenAiChat, json!(null), None),
        (
            Dialect::OpenAiResponses,
            json!([text("input_text", "a")]),
            Some("a"),
        ),
        (
            Dialect::OpenAiResponses,
            json!([text("input_text", "a"), {"type": "input_file", "file_id": "f"}]),
            None,
        ),
        (Dialect::AnthropicMessages, json!([marked]), Some("a")),
        (
            Dialect::AnthropicMessages,
            json!([text("text", "a"), {"type": "document", "source": {"type": "url", "url": "u"}}]),
            None,
        ),
        (
            Dialect::AnthropicMessages,
            json!([{"type": "tool_result", "tool_use_id": "t", "content": "a"}]),
            None,
        ),
    ];
    for (dialect, content, expected) in table {
        let turns = json!([{"role": "user", "content": content}]);
        let body = match dialect {
            Dialect::OpenAiResponses => json!({"model": "m", "input": turns}),
            _ => json!({"model": "m", "max_tokens": 9, "messages": turns}),
        };
        let question = ask(dialect, &body).last_question();
        let text = question.as_ref().map(|question| question.text.as_str());
        assert_eq!(text, expected, "{dialect} {body}");
    }
    for (parts, expected) in [
        (json!([{"text": "a"}, {"text": "b"}]), Some("a\nb")),
        (
            json!([{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": ""}}]),
            None,
        ),
        (json!([{"text": "a", "thought": true}]), None),
    ] {
        let question = ask(Dialect::Gemini, &json!({"contents": [{"parts": parts}]})).last_question();
        let text = question.as_ref().map(|question| question.text.as_str());
        assert_eq!(text, expected, "{parts}");
    }
    let pictured = |images: Value| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "a", "images": images}]});
        ask(Dialect::OllamaChat, &body).last_question().is_some()
    };
    assert!(pictured(json!([])));
    assert!(!pictured(json!(["aGk="])));
}

#[test]
fn the_input_of_responses_may_be_one_text() {
    let question = |input: &str| {
        let body = json!({"model": "m", "input": input});
        ask(Dialect::OpenAiResponses, &body).last_question().unwrap()
    };
    assert_eq!(question("a").text, "a");
    assert_eq!(question("a").rest, question("b").rest);
}

#[test]
fn who_does_not_end_with_the_user_asks_nothing() {
    for (dialect, turns) in [
        (
            Dialect::OpenAiChat,
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]),
        ),
        (
            Dialect::OpenAiChat,
            json!([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]),
        ),
        (Dialect::OpenAiChat, json!([])),
        (
            Dialect::OpenAiResponses,
            json!([{"type": "item_reference", "id": "i"}]),
        ),
    ] {
        let name = match dialect {
            Dialect::OpenAiResponses => "input",
            _ => "messages",
        };
        let body = json!({"model": "m", name: turns});
        assert_eq!(ask(dialect, &body).last_question(), None, "{body}");
    }
}

#[test]
fn a_request_with_tools_has_no_last_question() {
    let user = json!({"role": "user", "content": "a"});
    let function = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]});
    let result = json!({"role": "tool", "tool_call_id": "c", "content": "r"});
    let table = [
        (
            Dialect::OpenAiChat,
            json!({"messages": [user], "tools": function}),
        ),
        (
            Dialect::OpenAiChat,
            json!({"messages": [user], "functions": [{"name": "f"}]}),
        ),
        (
            Dialect::OpenAiChat,
            json!({"messages": [user, call, result, user]}),
        ),
        (
            Dialect::OllamaChat,
            json!({"messages": [user], "tools": function}),
        ),
        (
            Dialect::AnthropicMessages,
            json!({"max_tokens": 9, "messages": [user], "tools": [{"name": "f", "input_schema": {"type": "object"}}]}),
        ),
        (
            Dialect::AnthropicMessages,
            json!({"max_tokens": 9, "messages": [
                user,
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
                {"role": "assistant", "content": "b"},
                user,
            ]}),
        ),
        (
            Dialect::OpenAiResponses,
            json!({"input": [
                user,
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "r"},
                user,
            ]}),
        ),
        (
            Dialect::OpenAiResponses,
            json!({"input": "a", "tools": [{"type": "web_search"}]}),
        ),
        (
            Dialect::Gemini,
            json!({"contents": [{"parts": [{"text": "a"}]}], "tools": [{"googleSearch": {}}]}),
        ),
        (
            Dialect::Gemini,
            json!({"contents": [
                {"role": "user", "parts": [{"text": "a"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
                {"role": "user", "parts": [{"text": "a"}]},
            ]}),
        ),
    ];
    for (dialect, mut body) in table {
        if dialect != Dialect::Gemini {
            body["model"] = json!("m");
        }
        assert_eq!(ask(dialect, &body).last_question(), None, "{dialect} {body}");
    }
}
