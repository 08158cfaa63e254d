//! Bytes of any kind: refused or survived, and never passed on as what they are not.

use super::call;
use super::upstream::{Script, Step, any_script, rewritten};
use crate::grammar;
use crate::hostile;
use crate::wire::question::{self, Feature};
use crate::wire::{dialects, essence, pairs, pump, read, seed, streamed, target, upstreams};
use bytes::Bytes;
use llm::{Framing, Progress, formats};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

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
            let (out, _) = pump(&call(client, upstream, true), chunks.iter().map(Vec::as_slice));
            // what a client of another dialect gets is a stream, whatever the upstream wrote
            let end = grammar::stream(client, Framing::Native, true, &out);
            let grammatical = match &end {
                Ok(_) => true,
                // counts that contradict each other, and arguments that are no JSON, are the upstream's own
                Err(why) => ["more cached than input", ": arguments ", ": input "]
                    .iter()
                    .any(|own| why.contains(own)),
            };
            prop_assert!(client == upstream || grammatical, "{} <- {}: {:?}\n{:?}", client, upstream, end, String::from_utf8_lossy(&chunks.concat()));
            let (format, body) = (formats::upstream(upstream), Bytes::from(chunks.concat()));
            let shown = format.decode_error(status, &body).public("id");
            let (shown_status, _) = formats::of(client).encode_error(&shown);
            prop_assert!((400..600).contains(&shown_status));
            let unary = call(client, upstream, false);
            drop(unary.reply(body.clone(), &seed(), &mut Progress::default()));
            drop(unary.fold(body.clone(), &seed(), &mut Progress::default()));
            drop(unary.replay(body.clone(), &seed(), &mut Progress::default()));
            drop(formats::of(client).decode_request(&body));
            if let Ok(ask) = read(client, true, Framing::Native, body) {
                drop(ask.call(&target(upstream)));
            }
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
            upstreams().for_each(|upstream| drop(ask.call(&target(upstream))));
        }
    }
    for (client, upstream) in pairs() {
        let mut script = Script::example();
        if let Some(Step::Call { arguments, .. }) = script.steps.last_mut() {
            *arguments = vec!["{\"a\":\"".to_owned()];
            arguments.extend((0..20_000).map(|_| "aé".to_owned()));
            arguments.push("\"}".to_owned());
        }
        let stream = script.stream(upstream);
        let reply = streamed(&call(client, upstream, true), client, &stream).unwrap();
        assert_eq!(essence(&reply), script.essence(client, upstream));
        let stream = Script::example().stream(upstream);
        for (plain, hostile) in [
            ("ndex\":0", "ndex\":4294967295"),
            ("ndex\":1", "ndex\":18446744073709551615"),
            ("\"index\":", "\"index\":-1,\"index\":"),
            ("10", "1e999"),
            ("call_2", "\\ud83e"),
            ("\"get\"", &deep),
        ] {
            let stream = rewritten(upstream, &stream, |text| text.replace(plain, hostile));
            pump(&call(client, upstream, true), [stream.as_slice()]);
        }
    }
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
            let dialects = prop::sample::select(upstreams().collect::<Vec<_>>());
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
