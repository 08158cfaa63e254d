//! What is sent to an upstream: the same bytes for the same conversation, with ids and names it accepts.

use crate::wire::question::{self, Feature};
use crate::wire::turn::{self, parts};
use crate::wire::{ask, asked, dialects, target, upstreams};
use llm::request::{PartKind, ToolCall};
use llm::{Dialect, Framing, Notes, formats};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ids_and_names_of_any_kind_fit_every_upstream(
        ids in prop::collection::btree_set("[a-zA-Z0-9_:.\n -]{1,90}", 2..4),
        name in "[a-zA-Z0-9_./ -]{1,140}",
    ) {
        let ids: Vec<String> = ids.into_iter().collect();
        let body = history(&ids, &name);
        for upstream in upstreams() {
            let ask = ask(Dialect::OpenAiChat, false, Framing::Native, &body);
            // a client's own dialect is forwarded as it is
            if upstream == Dialect::OpenAiChat {
                continue;
            }
            let sent = ask.call(&target(upstream)).unwrap().body();
            prop_assert_eq!(&sent, &ask.call(&target(upstream)).unwrap().body());
            let sent = asked(upstream, &sent).unwrap();
            let calls: Vec<&ToolCall> = parts(&sent)
                .into_iter()
                .filter_map(|part| match part {
                    PartKind::ToolCall(call) => Some(call),
                    _ => None,
                })
                .collect();
            prop_assert_eq!(calls.len(), ids.len());
            for call in &calls {
                prop_assert!(fits(upstream, &call.id, &call.name), "{}: {:?}", upstream, call);
            }
            let distinct: BTreeSet<&str> = calls.iter().map(|call| call.id.as_str()).collect();
            prop_assert_eq!(distinct.len(), ids.len(), "{}: two calls became one", upstream);
            let answered = turn::calls(&sent).iter().filter(|call| call.ends_with(" true")).count();
            prop_assert_eq!(answered, ids.len(), "{}: a result lost its call", upstream);
        }
    }
}

#[test]
fn a_long_conversation_is_sent_with_the_same_prefix_every_time() {
    for upstream in upstreams().filter(|upstream| *upstream != Dialect::OpenAiChat) {
        let mut earlier: Option<String> = None;
        for turns in 1..=30 {
            let body = conversation(turns);
            let sent = || {
                let ask = ask(Dialect::OpenAiChat, true, Framing::Native, &body);
                ask.call(&target(upstream)).unwrap().body()
            };
            let bytes = sent();
            assert_eq!(bytes, sent(), "{upstream}: not the same twice");
            let prefix = prefix(upstream, &bytes);
            if let Some(earlier) = earlier {
                assert!(
                    prefix.starts_with(&earlier),
                    "{upstream} turn {turns}:\n{earlier}\n{prefix}"
                );
            }
            earlier = Some(prefix);
        }
    }
}

#[test]
fn a_request_that_is_read_and_written_is_read_the_same() {
    for dialect in dialects() {
        let (format, mut target) = (formats::of(dialect), target(dialect));
        target.caps.json_schema = true;
        for feature in Feature::ALL {
            // read from a request the gateway wrote, so that what it always adds is there before and after
            let written = |bytes: &[u8]| {
                let request = format.decode_request(bytes).unwrap();
                format
                    .encode_request(&request, &target, &mut Notes::default())
                    .unwrap()
            };
            let body = question::body(dialect, feature, false).to_string();
            let once = written(body.as_bytes());
            assert_eq!(
                once,
                written(body.as_bytes()),
                "{dialect} {feature:?}: not the same twice"
            );
            assert_eq!(
                String::from_utf8_lossy(&written(&once)),
                String::from_utf8_lossy(&once),
                "{dialect} {feature:?}"
            );
            let read = |bytes: &[u8]| parts(&format.decode_request(bytes).unwrap()).len();
            assert_eq!(
                read(&once),
                read(body.as_bytes()),
                "{dialect} {feature:?}: a part is lost"
            );
        }
    }
}

/// A conversation of OpenAI's with a tool call of each id.
fn history(ids: &[String], name: &str) -> Value {
    let call =
        |id: &String| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
    let result = |id: &String| json!({"role": "tool", "tool_call_id": id, "content": "ok"});
    let calls: Vec<Value> = ids.iter().map(call).collect();
    let mut messages = vec![
        json!({"role": "user", "content": "go"}),
        json!({"role": "assistant", "content": null, "tool_calls": calls}),
    ];
    messages.extend(ids.iter().map(result));
    json!({
        "model": "m", "max_tokens": 100, "messages": messages,
        "tools": [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}],
    })
}

/// A client's conversation with tools after so many turns.
fn conversation(turns: usize) -> Value {
    let mut messages = vec![
        json!({"role": "system", "content": "be brief"}),
        json!({"role": "user", "content": "begin"}),
    ];
    for turn in 0..turns {
        let id = |n: usize| format!("call:{turn}.{n}");
        let call = |n: usize| json!({"id": id(n), "type": "function", "function": {"name": "read.file", "arguments": format!("{{\"turn\": {turn}, \"n\":{n}.0}}")}});
        messages.push(json!({"role": "assistant", "content": "I look", "tool_calls": [call(1), call(2)]}));
        // clients answer in the order in which the tools finished
        messages.push(json!({"role": "tool", "tool_call_id": id(2), "content": "two"}));
        messages.push(json!({"role": "tool", "tool_call_id": id(1), "content": "one"}));
        if turn % 3 == 0 {
            messages.push(json!({"role": "user", "content": format!("and {turn}?")}));
        }
    }
    json!({
        "model": "m", "max_tokens": 100, "messages": messages, "stream": true,
        "tools": [{"type": "function", "function": {"name": "read.file", "parameters": {"type": "object"}}}],
    })
}

/// Everything a provider's cache sees before the next turn: tools, system and messages, in the bytes sent.
fn prefix(upstream: Dialect, body: &[u8]) -> String {
    let body: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_slice(body).expect("an upstream is sent JSON");
    let turns = match upstream {
        Dialect::OpenAiResponses => "input",
        Dialect::Gemini => "contents",
        _ => "messages",
    };
    let before = [
        "tools",
        "toolConfig",
        "system",
        "instructions",
        "systemInstruction",
    ];
    let before = before
        .iter()
        .filter_map(|key| body.get(*key))
        .map(|raw| raw.get());
    let turns = body[turns].get().trim_end_matches(']');
    before.chain([turns]).collect()
}

/// What the vendors document of ids and names.
fn fits(upstream: Dialect, id: &str, name: &str) -> bool {
    let word = |text: &str, most: usize, more: &[char]| {
        let sound = |c: char| c.is_ascii_alphanumeric() || more.contains(&c);
        (1..=most).contains(&text.len()) && text.chars().all(sound)
    };
    match upstream {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => {
            (1..=64).contains(&id.len()) && word(name, 64, &['_', '-'])
        }
        Dialect::AnthropicMessages => word(id, 64, &['_', '-']) && word(name, 128, &['_', '-']),
        Dialect::Gemini => {
            let first = |c: char| c.is_ascii_alphabetic() || c == '_';
            word(name, 64, &['_', '-', '.', ':']) && name.starts_with(first)
        }
        Dialect::BedrockConverse => word(id, 64, &['_', '-']) && word(name, 64, &['_', '-']),
        Dialect::OllamaChat => !name.is_empty(),
    }
}
