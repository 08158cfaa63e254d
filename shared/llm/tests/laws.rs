//! Laws that hold for every pair of dialects, whatever the upstream says and however the network cuts it.

pub mod upstream;

use crate::grammar::{self, End};
use crate::hostile;
use crate::wire::question::{self, Feature};
use crate::wire::turn::{calls, next_turn, parts};
use crate::wire::{
    ask, dialects, essence, pairs, pump, read, seed, streamed, target, understood, understood_whole,
};
use bytes::Bytes;
use llm::request::{PartKind, ToolCall};
use llm::{Call, Dialect, ErrorKind, Framing, Notes, Progress, formats};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use upstream::{Script, any_script};

fn call(client: Dialect, upstream: Dialect, stream: bool) -> Call {
    call_framed(client, upstream, stream, Framing::Native)
}

/// A question that asks for everything a reply may contain.
fn call_framed(client: Dialect, upstream: Dialect, stream: bool, framing: Framing) -> Call {
    let body = question::body(client, Feature::SignedReasoning, stream);
    ask(client, stream, framing, &body)
        .call(&target(upstream))
        .expect("a plain question can be put in every dialect")
}

/// A client's stream without what only says that it is alive, which follows the upstream's own.
fn without_keep_alives(client: Dialect, stream: Vec<u8>) -> String {
    let stream = String::from_utf8(stream).expect("a stream of text is text");
    if client == Dialect::Gemini {
        let frames = stream.split("\r\n").filter(|line| !line.is_empty());
        return frames.flat_map(|frame| [frame, "\r\n\r\n"]).collect();
    }
    let frames = stream.split_inclusive("\n\n");
    frames
        .filter(|frame| !frame.starts_with(':') && !frame.contains("{\"type\":\"ping\"}"))
        .collect()
}

/// The same stream as other servers, proxies and versions write it.
fn variants(upstream: Dialect, stream: &str) -> Vec<String> {
    if upstream == Dialect::OllamaChat {
        return vec![
            stream.replace('\n', "\r\n"),
            stream.replace('\n', "\n\n"),
            stream.replace("{\"model\"", "{\"unknown\":[{\"deep\":null}],\"model\""),
        ];
    }
    let plain = stream.replace("\r\n", "\n");
    vec![
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        plain.replace("data: ", "data:").replace("event: ", "event:"),
        plain.replace("\n\n", "\n\n: note\n\n"),
        plain.replace(
            "\n\n",
            "\nid: 7\nretry: 1\n\nevent: new\ndata: {\"type\":\"new\"}\n\n",
        ),
        plain.replace("data: {", "data: {\"unknown\":[{\"deep\":null}],"),
        format!("\u{feff}{plain}"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_the_bytes_are_cut_changes_nothing(script in any_script(), cuts in any_cuts()) {
        for (client, upstream) in pairs() {
            let call = call(client, upstream, true);
            let bytes = script.stream(upstream);
            let (whole, _) = pump(&call, [bytes.as_slice()]);
            prop_assert_eq!(&pump(&call, bytes.chunks(1)).0, &whole, "{} <- {}, byte by byte", client, upstream);

            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
            prop_assert_eq!(&pump(&call, chunks).0, &whole, "{} <- {}", client, upstream);
        }
    }

    #[test]
    fn how_the_frames_are_written_changes_nothing(script in any_script()) {
        for (client, upstream) in pairs().filter(|(client, upstream)| client != upstream) {
            let call = call(client, upstream, true);
            let plain = String::from_utf8(script.stream(upstream)).unwrap();
            let expected = without_keep_alives(client, pump(&call, [plain.as_bytes()]).0);
            for variant in variants(upstream, &plain) {
                let got = without_keep_alives(client, pump(&call, [variant.as_bytes()]).0);
                prop_assert_eq!(&got, &expected, "{} <- {}:\n{}", client, upstream, variant);
            }
        }
    }

    #[test]
    fn a_stream_and_a_whole_reply_say_the_same(script in any_script()) {
        for (client, upstream) in pairs() {
            let bytes = script.stream(upstream);
            let (streamed, _) = pump(&call(client, upstream, true), [bytes.as_slice()]);
            let streamed = understood(client, &streamed).unwrap();

            let unary = call(client, upstream, false);
            let whole = unary.fold(bytes.into(), &seed(), &mut Progress::default()).unwrap();
            let whole = understood_whole(client, &whole).unwrap();
            prop_assert_eq!(essence(&whole), essence(&streamed), "{} <- {}", client, upstream);
        }
    }

    #[test]
    fn what_a_client_sends_back_is_what_the_upstream_said(script in any_script()) {
        for (client, upstream) in pairs() {
            let unary = call(client, upstream, false);
            let reply = unary.fold(script.stream(upstream).into(), &seed(), &mut Progress::default()).unwrap();
            let next = ask(client, false, Framing::Native, &next_turn(client, &reply));
            let sent = next.call(&target(upstream)).unwrap();
            let sent = formats::of(upstream).decode_request(&sent.body()).unwrap();
            prop_assert_eq!(calls(&sent), script.calls(), "{} <- {}", client, upstream);
        }
    }

    #[test]
    fn nothing_the_model_said_is_lost(script in any_script()) {
        for (client, upstream) in pairs() {
            let (bytes, progress) = pump(&call(client, upstream, true), [script.stream(upstream).as_slice()]);
            let said = essence(&understood(client, &bytes).unwrap());
            prop_assert_eq!(said, script.essence(client, upstream), "{} <- {}", client, upstream);
            prop_assert!(progress.ended && progress.error.is_none());
        }
    }

    #[test]
    fn usage_is_the_same_in_every_dialect(script in any_script()) {
        for (client, upstream) in pairs() {
            let (bytes, progress) = pump(&call(client, upstream, true), [script.stream(upstream).as_slice()]);
            let arrived = understood(client, &bytes).unwrap().usage;
            let of_upstream = script.cached(upstream, upstream);
            for (usage, cached) in [(progress.usage, of_upstream), (arrived, script.cached(client, upstream))] {
                let classes = usage.classes();
                let input = classes.input_uncached + classes.input_cache_read + classes.input_cache_write;
                prop_assert_eq!(usage.input_total, Some(script.input), "{} <- {}", client, upstream);
                prop_assert_eq!(usage.output_total, Some(script.output));
                prop_assert_eq!(classes.input_cache_read, cached);
                prop_assert_eq!(input, script.input);
                prop_assert_eq!(classes.output_visible + classes.output_reasoning, script.output);
            }
        }
    }

    #[test]
    fn a_stream_that_was_cut_never_looks_complete(script in any_script(), cut in any::<prop::sample::Index>()) {
        for (client, upstream) in pairs() {
            let bytes = script.stream(upstream);
            let cut = cut.index(script.terminal(upstream));
            let (out, progress) = pump(&call(client, upstream, true), [&bytes[..cut]]);
            // where nothing was understood at all, it was no stream of the dialect
            let kind = progress.error.map(|error| error.kind);
            let failed = [Some(ErrorKind::StreamIncomplete), Some(ErrorKind::MalformedUpstream)];
            prop_assert!(failed.contains(&kind), "{} <- {} at {}: {:?}", client, upstream, cut, kind);
            prop_assert!(understood(client, &out).is_err(), "{}", String::from_utf8_lossy(&out));
            let end = grammar::stream(client, Framing::Native, true, &out);
            prop_assert_eq!(end, Ok(End::Failed), "{} <- {} at {}", client, upstream, cut);
        }
    }

    #[test]
    fn every_stream_and_every_reply_is_of_its_clients_grammar(script in any_script(), signed in any::<bool>()) {
        let script = Script { signed, ..script };
        for (client, upstream) in pairs() {
            for framing in framings(client) {
                let call = call_framed(client, upstream, true, framing);
                if call.passthrough() && framing == Framing::JsonArray {
                    continue;
                }
                let (out, _) = pump(&call, script.stream(upstream).chunks(5));
                let end = grammar::stream(client, framing, true, &out);
                prop_assert_eq!(end, Ok(End::Complete), "{} <- {}", client, upstream);
            }
            let unary = call(client, upstream, false);
            let bodies = [
                unary.fold(script.stream(upstream).into(), &seed(), &mut Progress::default()),
                unary.reply(script.reply(upstream).into(), &seed(), &mut Progress::default()),
            ];
            for body in bodies {
                let verdict = grammar::reply(client, &body.unwrap());
                prop_assert_eq!(verdict, Ok(()), "{} <- {}", client, upstream);
            }
        }
    }

    #[test]
    fn a_whole_reply_says_what_its_stream_says(script in any_script()) {
        for (client, upstream) in pairs() {
            let unary = call(client, upstream, false);
            let whole = unary.reply(script.reply(upstream).into(), &seed(), &mut Progress::default()).unwrap();
            let whole = understood_whole(client, &whole).unwrap();
            prop_assert_eq!(essence(&whole), script.essence(client, upstream), "{} <- {}", client, upstream);
        }
    }

    #[test]
    fn ids_and_names_of_any_kind_fit_every_upstream(
        ids in prop::collection::btree_set("[a-zA-Z0-9_:.\n -]{1,90}", 2..4),
        name in "[a-zA-Z0-9_./ -]{1,140}",
    ) {
        let ids: Vec<String> = ids.into_iter().collect();
        let body = history(&ids, &name);
        for upstream in dialects() {
            let ask = ask(Dialect::OpenAiChat, false, Framing::Native, &body);
            // a client's own dialect is forwarded as it is
            if upstream == Dialect::OpenAiChat {
                continue;
            }
            let sent = ask.call(&target(upstream)).unwrap().body();
            prop_assert_eq!(&sent, &ask.call(&target(upstream)).unwrap().body());
            let sent = formats::of(upstream).decode_request(&sent).unwrap();
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
            let answered = self::calls(&sent).iter().filter(|call| call.ends_with(" true")).count();
            prop_assert_eq!(answered, ids.len(), "{}: a result lost its call", upstream);
        }
    }

    #[test]
    fn bytes_of_any_kind_never_panic(
        chunks in prop::collection::vec(any_bytes(), 0..4),
        status in 100..600u16,
    ) {
        for bytes in &chunks {
            hostile::frames(bytes);
            hostile::requests(bytes);
            hostile::replies(bytes);
        }
        for (client, upstream) in pairs() {
            pump(&call(client, upstream, true), chunks.iter().map(Vec::as_slice));
            let (format, body) = (formats::of(upstream), Bytes::from(chunks.concat()));
            let shown = format.decode_error(status, &body).public("id");
            let (shown_status, _) = formats::of(client).encode_error(&shown);
            prop_assert!((400..600).contains(&shown_status));
            let unary = call(client, upstream, false);
            drop(unary.reply(body.clone(), &seed(), &mut Progress::default()));
            drop(unary.fold(body.clone(), &seed(), &mut Progress::default()));
            drop(unary.replay(body.clone(), &seed(), &mut Progress::default()));
            drop(format.decode_request(&body));
            if let Ok(ask) = read(client, true, Framing::Native, body) {
                drop(ask.call(&target(upstream)));
            }
        }
    }
}

fn any_cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..8)
}

/// Noise, and JSON that is almost right.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "data: ",
        "event: ",
        "\n\n",
        "\n",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "null",
        "1e999",
        "-1",
        "\\ud800",
        "[DONE]",
        "\"type\":\"message_start\"",
        "\"type\":\"content_block_start\"",
        "\"type\":\"content_block_delta\"",
        "\"index\":4294967295",
        "\"delta\":",
        "\"message\":",
        "\"content_block\":",
        "\"usage\":",
        "\"choices\":[{\"index\":9,\"delta\":",
        "\"tool_calls\":",
        "\"error\":",
        "\"model\":\"m\"",
        "\"messages\":",
        "\"role\":\"user\"",
        "\"content\":",
        "\"id\":",
        "\"text\":\"a\"",
        "\"tool_use\"",
        "\"candidates\":[{\"content\":{\"parts\":[",
        "\"functionCall\":{\"name\":\"f\",\"args\":",
        "\"contents\":[{\"parts\":[",
        "\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":",
        "\"type\":\"function_call_output\",\"call_id\":\"c\"",
        "\"done\":true",
        "\"input\":",
    ]);
    prop_oneof![
        any::<Vec<u8>>(),
        prop::collection::vec(words, 0..24).prop_map(|words| words.concat().into_bytes()),
        any_question(),
        any_script().prop_flat_map(|script| {
            let dialects = prop::sample::select(dialects().collect::<Vec<_>>());
            let bytes = dialects.prop_map(move |dialect| script.stream(dialect));
            (bytes, any::<prop::sample::Index>(), any::<u8>()).prop_map(changed)
        }),
    ]
}

/// A request with a member of another kind, or with one byte changed.
fn any_question() -> impl Strategy<Value = Vec<u8>> {
    let dialects = prop::sample::select(dialects().collect::<Vec<_>>());
    let features = prop::sample::select(Feature::ALL.to_vec());
    let values = prop::sample::select(vec!["null", "[]", "{}", "7", "\"x\"", "true", "[null]", "1e999"]);
    let question = (dialects, features)
        .prop_map(|(dialect, feature)| question::body(dialect, feature, true).to_string());
    (
        question,
        values,
        any::<prop::sample::Index>(),
        any::<Option<u8>>(),
    )
        .prop_map(|(body, value, at, byte)| {
            if let Some(byte) = byte {
                return changed((body.into_bytes(), at, byte));
            }
            let colons: Vec<usize> = body.match_indices(':').map(|(colon, _)| colon + 1).collect();
            let from = colons[at.index(colons.len())];
            let rest = body[from..].find([',', '}']).unwrap_or(0);
            format!("{}{value}{}", &body[..from], &body[from + rest..]).into_bytes()
        })
}

fn changed((mut bytes, at, byte): (Vec<u8>, prop::sample::Index, u8)) -> Vec<u8> {
    let at = at.index(bytes.len());
    bytes[at] = byte;
    bytes
}

#[test]
fn every_failure_reaches_every_client_in_its_own_envelope() {
    for (client, upstream) in pairs() {
        for (status, expected) in [
            (400, 400),
            (404, 404),
            (429, 429),
            (500, 500),
            (503, 503),
            (401, 502),
        ] {
            let error =
                formats::of(upstream).decode_error(status, b"<html>sk-secret-key at api.vendor.com</html>");
            let (shown, body) = formats::of(client).encode_error(&error.public("req"));
            let body = String::from_utf8(body).unwrap();
            let value: Value = serde_json::from_str(&body).unwrap();
            let error = &value["error"];
            assert!(error.is_string() || error["message"].is_string(), "{body}");
            assert!(
                !body.contains("secret") && !body.contains("vendor") && !body.contains('<'),
                "{body}"
            );
            assert_eq!(
                shown / 100,
                expected / 100,
                "{client} <- {upstream}: {status} became {shown}"
            );
            assert!(!matches!(shown, 401 | 403));
        }
    }
}

#[test]
fn passthrough_of_a_reply_keeps_every_byte() {
    for dialect in dialects() {
        let script = Script::example();
        let stream = script.stream(dialect);
        let (out, _) = pump(&call(dialect, dialect, true), stream.chunks(7));
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&stream));
    }
}

#[test]
fn a_whole_reply_can_be_played_as_a_stream() {
    for (client, upstream) in pairs() {
        let script = Script::example();
        let folded = call(upstream, upstream, false).fold(
            script.stream(upstream).into(),
            &seed(),
            &mut Progress::default(),
        );
        let mut progress = Progress::default();
        let stream = call(client, upstream, true)
            .replay(folded.unwrap(), &seed(), &mut progress)
            .unwrap();
        assert_eq!(
            essence(&understood(client, &stream).unwrap()),
            script.essence(client, upstream),
            "{client} <- {upstream}"
        );
        assert!(progress.ended && progress.started);
    }
}

#[test]
fn passthrough_keeps_what_the_gateway_does_not_know() {
    for dialect in dialects() {
        let stream = String::from_utf8(Script::example().stream(dialect)).unwrap();
        for variant in variants(dialect, &stream) {
            if variant.contains('\u{feff}') {
                continue;
            }
            let (out, progress) = pump(&call(dialect, dialect, true), [variant.as_bytes()]);
            assert_eq!(String::from_utf8_lossy(&out), variant, "{dialect}");
            assert!(
                progress.ended && progress.error.is_none(),
                "{dialect}: {progress:?}"
            );
        }

        let reply: Bytes = Script::example().reply(dialect).into();
        let reply = String::from_utf8(reply.to_vec())
            .unwrap()
            .replacen('{', "{ \"unknown\" :1.0, ", 1);
        let unary = call(dialect, dialect, false);
        let out = unary
            .reply(reply.clone().into(), &seed(), &mut Progress::default())
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&out), reply, "{dialect}");
    }
}

#[test]
fn passthrough_of_a_request_changes_nothing_but_the_model() {
    for dialect in dialects() {
        for feature in Feature::ALL {
            let mut body = question::body(dialect, feature, false);
            body["unknown"] =
                json!({"id": 12345678901234567890u64, "x": 1.0, "nested": [null, {"b": 1, "a": 2}]});
            let sent = ask(dialect, false, Framing::Native, &body)
                .call(&target(dialect))
                .unwrap();
            if body.get("model").is_some() {
                body["model"] = json!("n");
            }
            assert_eq!(
                String::from_utf8_lossy(&sent.body()),
                body.to_string(),
                "{dialect} {feature:?}"
            );
            assert_eq!(sent.notes().iter().count(), 0);
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

#[test]
fn a_long_conversation_is_sent_with_the_same_prefix_every_time() {
    for upstream in dialects().filter(|upstream| *upstream != Dialect::OpenAiChat) {
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
fn hostile_requests_and_streams_are_refused_or_survived() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for dialect in dialects() {
        let format = formats::of(dialect);
        let body = question::body(dialect, Feature::ParallelTools, false).to_string();
        for hostile in [
            deep.clone(),
            body.replacen("{\"a\":1}", &deep, 1),
            body.replacen("{\\\"a\\\":1}", &deep, 1),
            body.replace("\"hi\"", "\"\\ud800\""),
            body.replace("\"hi\"", "\"\\u0000\""),
            body.replace("\"hi\"", "null"),
            body.replace("4000", "1e999"),
            body.replace("4000", "-1"),
            body.replace("4000", "18446744073709551616"),
            body.replace("\"content\":", "\"content\":7,\"content\":"),
            body.replace("\"role\":\"user\"", "\"role\":\"nobody\""),
        ] {
            drop(format.decode_request(hostile.as_bytes()));
            let Ok(ask) = read(dialect, true, Framing::Native, hostile) else {
                continue;
            };
            dialects().for_each(|upstream| drop(ask.call(&target(upstream))));
        }
    }
    for (client, upstream) in pairs() {
        let mut script = Script::example();
        if let Some(upstream::Step::Call { arguments, .. }) = script.steps.last_mut() {
            *arguments = vec!["{\"a\":\"".to_owned()];
            arguments.extend((0..20_000).map(|_| "aé".to_owned()));
            arguments.push("\"}".to_owned());
        }
        let stream = script.stream(upstream);
        let reply = streamed(&call(client, upstream, true), client, &stream).unwrap();
        assert_eq!(essence(&reply), script.essence(client, upstream));
        let stream = String::from_utf8(Script::example().stream(upstream)).unwrap();
        for hostile in [
            stream.replace("index\":0", "index\":4294967295"),
            stream.replace("index\":1", "index\":18446744073709551615"),
            stream.replace("\"index\":", "\"index\":-1,\"index\":"),
            stream.replace("10", "1e999"),
            stream.replace("call_2", "\\ud83e"),
            stream.replace("\"get\"", &deep),
        ] {
            pump(&call(client, upstream, true), [hostile.as_bytes()]);
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
    let before = ["tools", "system", "instructions", "systemInstruction"];
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
        Dialect::OllamaChat => !name.is_empty(),
    }
}

fn framings(client: Dialect) -> Vec<Framing> {
    match client {
        Dialect::Gemini => vec![Framing::Native, Framing::JsonArray],
        _ => vec![Framing::Native],
    }
}
