//! Laws that hold for every pair of dialects, whatever the upstream says and however the network cuts it.

mod history;
mod noise;
pub mod upstream;

use crate::grammar::{self, End};
use crate::wire::question::{self, Feature};
use crate::wire::turn::{calls, next_turn};
use crate::wire::{ask, asked, dialects, essence, pairs, pump, seed, target, understood, understood_whole};
use bytes::Bytes;
use llm::{Call, Dialect, ErrorKind, Framing, Progress, formats};
use proptest::prelude::*;
use serde_json::{Value, json};
use upstream::{Script, any_script, bedrock_converse};

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
fn variants(upstream: Dialect, stream: &[u8]) -> Vec<Vec<u8>> {
    match upstream {
        Dialect::BedrockConverse => bedrock_converse::variants(stream),
        _ => {
            let texts = texts(upstream, &String::from_utf8_lossy(stream));
            texts.into_iter().map(String::into_bytes).collect()
        }
    }
}

fn texts(upstream: Dialect, stream: &str) -> Vec<String> {
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
            let plain = script.stream(upstream);
            let expected = without_keep_alives(client, pump(&call, [plain.as_slice()]).0);
            for variant in variants(upstream, &plain) {
                let got = without_keep_alives(client, pump(&call, [variant.as_slice()]).0);
                let shown = String::from_utf8_lossy(&variant);
                prop_assert_eq!(&got, &expected, "{} <- {}:\n{}", client, upstream, shown);
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
            let sent = asked(upstream, &sent.body()).unwrap();
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
}

fn any_cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..8)
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
            let error = formats::upstream(upstream)
                .decode_error(status, b"<html>sk-secret-key at api.vendor.com</html>");
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
        let stream = script.stream(upstream).into();
        let whole: Bytes = match upstream.is_for_clients() {
            true => call(upstream, upstream, false)
                .fold(stream, &seed(), &mut Progress::default())
                .unwrap(),
            false => script.reply(upstream).into(),
        };
        let mut progress = Progress::default();
        let stream = call(client, upstream, true)
            .replay(whole, &seed(), &mut progress)
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
        for variant in texts(dialect, &stream) {
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

fn framings(client: Dialect) -> Vec<Framing> {
    match client {
        Dialect::Gemini => vec![Framing::Native, Framing::JsonArray],
        _ => vec![Framing::Native],
    }
}
