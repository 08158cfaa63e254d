//! Laws that hold for every pair of dialects, whatever the upstream says and however the network cuts it.

#[path = "laws/upstream.rs"]
mod upstream;

use bytes::Bytes;
use llm::reply::{Fold, ReplyPart};
use llm::request::{PartKind, Request};
use llm::{Ask, Call, Dialect, ErrorKind, ModelCaps, Progress, Reply, ReplySeed, Target, formats};
use proptest::prelude::*;
use serde_json::{Value, json};
use upstream::{Script, any_script};

const DIALECTS: [Dialect; 2] = [Dialect::OpenAiChat, Dialect::AnthropicMessages];

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    DIALECTS
        .into_iter()
        .flat_map(|client| DIALECTS.into_iter().map(move |upstream| (client, upstream)))
}

fn call(client: Dialect, upstream: Dialect, stream: bool) -> Call {
    let mut body = json!({
        "model": "m", "max_tokens": 100, "stream": stream,
        "messages": [{"role": "user", "content": "hi"}],
    });
    match client {
        Dialect::OpenAiChat => body["stream_options"] = json!({"include_usage": true}),
        Dialect::AnthropicMessages => body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024}),
        _ => {}
    }
    let ask = Ask::read(client, Bytes::from(body.to_string())).expect("the body names a model");
    ask.call(&target(upstream))
        .expect("a plain question can be put in every dialect")
}

fn target(dialect: Dialect) -> Target {
    Target {
        dialect,
        model: "n".to_owned(),
        caps: ModelCaps::of(dialect, "n"),
    }
}

fn seed() -> ReplySeed {
    ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "m".to_owned(),
        include_usage: true,
        injected_usage: false,
        framing: llm::Framing::default(),
    }
}

/// The client's bytes for an upstream stream that arrives in these chunks.
fn pump<'a>(call: &Call, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Progress) {
    let (mut pump, mut out) = (call.pump(&seed()), Vec::new());
    for chunk in chunks {
        pump.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    pump.finish(&mut out);
    (out.concat(), pump.progress().clone())
}

/// A client's stream without what only says that it is alive, which follows the upstream's own.
fn without_keep_alives(stream: Vec<u8>) -> String {
    let stream = String::from_utf8(stream).expect("a stream of text is text");
    let frames = stream.split_inclusive("\n\n");
    frames
        .filter(|frame| !frame.starts_with(':') && !frame.contains("{\"type\":\"ping\"}"))
        .collect()
}

/// What a client of the dialect understands of a stream.
fn understood(dialect: Dialect, stream: &[u8]) -> Result<Reply, llm::UpstreamError> {
    let (mut decoder, mut events) = (formats::of(dialect).stream_decoder(), Vec::new());
    decoder.push(stream, &mut events);
    decoder.finish(&mut events);
    fold(events)
}

fn fold(events: Vec<llm::Event>) -> Result<Reply, llm::UpstreamError> {
    let mut fold = Fold::new();
    events.into_iter().for_each(|event| fold.push(event));
    fold.finish()
}

/// The content of a reply, without ids and times.
fn essence(reply: &Reply) -> Vec<String> {
    let choice = &reply.choices[0];
    let mut all: Vec<String> = choice.parts.iter().map(part).collect();
    all.push(format!(
        "finish {:?}",
        choice.finish.as_ref().map(|finish| finish.reason)
    ));
    all.push(format!(
        "usage {:?} {:?}",
        reply.usage.input_total, reply.usage.output_total
    ));
    all.push(format!("cache {:?}", reply.usage.cache_read.unwrap_or(0)));
    all
}

fn part(part: &ReplyPart) -> String {
    match part {
        ReplyPart::Text { text, .. } => format!("text {text}"),
        ReplyPart::Reasoning { text, .. } => format!("reasoning {text}"),
        ReplyPart::RedactedReasoning(_) => "redacted".to_owned(),
        ReplyPart::Refusal(text) => format!("refusal {text}"),
        ReplyPart::ToolCall(call) => format!("call {} {} {}", call.id, call.name, call.arguments.as_str()),
    }
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
            let expected = without_keep_alives(pump(&call, [plain.as_bytes()]).0);
            for variant in [
                plain.replace('\n', "\r\n"),
                plain.replace('\n', "\r"),
                plain.replace("data: ", "data:").replace("event: ", "event:"),
                plain.replace("\n\n", "\n\n: note\n\n"),
                plain.replace("\n\n", "\nid: 7\nretry: 1\n\nevent: new\ndata: {\"type\":\"new\"}\n\n"),
                plain.replace("data: {", "data: {\"unknown\":[{\"deep\":null}],"),
                format!("\u{feff}{plain}"),
            ] {
                let got = without_keep_alives(pump(&call, [variant.as_bytes()]).0);
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
            let whole = fold(formats::of(client).decode_reply(&whole).unwrap()).unwrap();
            prop_assert_eq!(essence(&whole), essence(&streamed), "{} <- {}", client, upstream);
        }
    }

    #[test]
    fn what_a_client_sends_back_is_what_the_upstream_said(script in any_script()) {
        for (client, upstream) in pairs() {
            let unary = call(client, upstream, false);
            let reply = unary.fold(script.stream(upstream).into(), &seed(), &mut Progress::default()).unwrap();
            let next = Ask::read(client, next_turn(client, &reply).into()).unwrap();
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
            prop_assert_eq!(said, script.essence(), "{} <- {}", client, upstream);
            prop_assert!(progress.ended && progress.error.is_none());
        }
    }

    #[test]
    fn usage_is_the_same_in_every_dialect(script in any_script()) {
        for (client, upstream) in pairs() {
            let (bytes, progress) = pump(&call(client, upstream, true), [script.stream(upstream).as_slice()]);
            for usage in [progress.usage, understood(client, &bytes).unwrap().usage] {
                let classes = usage.classes();
                let input = classes.input_uncached + classes.input_cache_read + classes.input_cache_write;
                prop_assert_eq!(usage.input_total, Some(script.input), "{} <- {}", client, upstream);
                prop_assert_eq!(usage.output_total, Some(script.output));
                prop_assert_eq!(classes.input_cache_read, script.cached);
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
            let out = String::from_utf8(out).unwrap();
            prop_assert!(!out.contains("[DONE]") && !out.contains("message_stop"), "{}", out);
        }
    }

    #[test]
    fn bytes_of_any_kind_never_panic(
        chunks in prop::collection::vec(any_bytes(), 0..4),
        status in 100..600u16,
    ) {
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
            if let Ok(ask) = Ask::read(client, body) {
                drop(ask.call(&target(upstream)));
            }
        }
    }
}

/// The client's next request: the reply verbatim as history, every call answered.
fn next_turn(client: Dialect, reply: &[u8]) -> String {
    let reply: Value = serde_json::from_slice(reply).expect("a reply is JSON");
    let question = json!({"role": "user", "content": "hi"});
    let (said, results): (Value, Vec<Value>) = match client {
        Dialect::OpenAiChat => {
            let said = reply["choices"][0]["message"].clone();
            let calls = said["tool_calls"].as_array().cloned().unwrap_or_default();
            let result = |call: &Value| json!({"role": "tool", "tool_call_id": call["id"], "content": "ok"});
            let results = calls.iter().map(result).collect();
            (said, results)
        }
        Dialect::AnthropicMessages => {
            let blocks = reply["content"].as_array().cloned().unwrap_or_default();
            let calls = blocks.iter().filter(|block| block["type"] == "tool_use");
            let result =
                |call: &Value| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "ok"});
            let results: Vec<Value> = calls.map(result).collect();
            let turn = json!({"role": "user", "content": results});
            (
                json!({"role": "assistant", "content": blocks}),
                if results.is_empty() { vec![] } else { vec![turn] },
            )
        }
    };
    let mut messages = vec![question.clone(), said];
    messages.extend(results);
    messages.push(question);
    json!({"model": "m", "max_tokens": 100, "messages": messages}).to_string()
}

/// The tool calls of a history: name and arguments, and whether a result of the same id follows.
fn calls(request: &Request) -> Vec<String> {
    let parts: Vec<&PartKind> = request
        .messages
        .iter()
        .flat_map(|message| &message.parts)
        .map(|part| &part.kind)
        .collect();
    let answered = |id: &str| {
        parts
            .iter()
            .any(|part| matches!(part, PartKind::ToolResult(result) if result.call_id == id))
    };
    let call = |part: &&PartKind| match part {
        PartKind::ToolCall(call) => Some(format!(
            "{} {} {}",
            call.name,
            call.arguments.as_str(),
            answered(&call.id)
        )),
        _ => None,
    };
    parts.iter().filter_map(call).collect()
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
        "\"input\":",
    ]);
    prop_oneof![
        any::<Vec<u8>>(),
        prop::collection::vec(words, 0..24).prop_map(|words| words.concat().into_bytes()),
        any_script().prop_flat_map(|script| {
            let bytes = [
                script.stream(Dialect::OpenAiChat),
                script.stream(Dialect::AnthropicMessages),
            ]
            .concat();
            (Just(bytes), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes
            })
        }),
    ]
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
            assert!(value["error"]["message"].is_string(), "{body}");
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
    for dialect in DIALECTS {
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
            script.essence(),
            "{client} <- {upstream}"
        );
        assert!(progress.ended && progress.started);
    }
}
