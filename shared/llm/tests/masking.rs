//! Personal data in replies, between every two dialects: what is said about it does not depend on who speaks to whom
//! and on how the network cuts it.

use crate::grammar::{self, End};
use crate::laws::upstream::{Script, Step};
use crate::wire::question::{self, Feature};
use crate::wire::{ask, essence, pairs, pump, seed, target, understood, understood_whole};
use llm::guard::{Guard, Personal, ReplyMode};
use llm::{Call, Dialect, Framing, Progress};
use proptest::prelude::*;

fn call(client: Dialect, upstream: Dialect, stream: bool, mode: ReplyMode) -> Call {
    let body = question::body(client, Feature::SignedReasoning, stream);
    let ask = ask(client, stream, Framing::Native, &body);
    let guard = Guard::new(None, Some(mode)).expect("replies are to be searched");
    let ask = guard.inspect(ask).verdict.expect("requests are not searched");
    ask.call(&target(upstream))
        .expect("a plain question can be put in every dialect")
}

/// Pieces of text of which some together are personal data.
fn saying(text: Vec<String>) -> Script {
    Script {
        steps: vec![
            Step::Text(text),
            Step::Call {
                name: "mail".to_owned(),
                arguments: vec![r#"{"to":"ana@mail"#.to_owned(), r#".example"}"#.to_owned()],
            },
        ],
        ..Script::example()
    }
}

fn pieces() -> impl Strategy<Value = Vec<String>> {
    let texts = [
        "Write to ana@mail.example, é!",
        "4111 1111 1111 1111 and 078-05-1120",
        "at 10.0.0.1",
    ];
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..5);
    (prop::sample::select(texts.to_vec()), cuts).prop_map(|(text, cuts)| {
        let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| borders[cut.index(borders.len())]).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        at.dedup();
        at.windows(2)
            .map(|pair| text[pair[0]..pair[1]].to_owned())
            .collect()
    })
}

/// Written by hand: what a reader may see of the texts above.
fn masked(text: &str) -> &'static str {
    match &text[..1] {
        "W" => "text Write to [EMAIL_REDACTED], é!",
        "4" => "text [CC_REDACTED] and [SSN_REDACTED]",
        _ => "text at [IP_REDACTED]",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reader_sees_labels_and_a_program_its_arguments(pieces in pieces(), step in 1..7usize) {
        let (text, script) = (pieces.concat(), saying(pieces));
        for (client, upstream) in pairs() {
            let streaming = call(client, upstream, true, ReplyMode::Redact);
            let bytes = script.stream(upstream);
            let (out, progress) = pump(&streaming, bytes.chunks(step));
            prop_assert_eq!(grammar::stream(client, Framing::Native, true, &out), Ok(End::Complete));
            prop_assert!(!progress.personal.is_empty(), "{} <- {}", client, upstream);
            let streamed = essence(&understood(client, &out).unwrap());
            prop_assert_eq!(&streamed[0], masked(&text), "{} <- {}", client, upstream);
            prop_assert!(streamed[1].contains("ana@mail.example"), "{} <- {}: {}", client, upstream, streamed[1]);

            let unary = call(client, upstream, false, ReplyMode::Redact);
            let mut progress = Progress::default();
            let whole = unary.reply(script.reply(upstream).into(), &seed(), &mut progress).unwrap();
            let whole = essence(&understood_whole(client, &whole).unwrap());
            prop_assert_eq!(&whole[0], masked(&text), "{} <- {}", client, upstream);
            prop_assert!(!progress.personal.is_empty(), "{} <- {}", client, upstream);
        }
    }

    #[test]
    fn a_warning_leaves_every_byte(pieces in pieces()) {
        let script = saying(pieces);
        for (client, upstream) in pairs() {
            let guarded = call(client, upstream, true, ReplyMode::Warn);
            let body = question::body(client, Feature::SignedReasoning, true);
            let plain = ask(client, true, Framing::Native, &body).call(&target(upstream)).unwrap();
            let bytes = script.stream(upstream);
            let (out, progress) = pump(&guarded, [bytes.as_slice()]);
            prop_assert_eq!(out, pump(&plain, [bytes.as_slice()]).0, "{} <- {}", client, upstream);
            prop_assert!(!progress.personal.is_empty());

            let unary = call(client, upstream, false, ReplyMode::Warn);
            let mut progress = Progress::default();
            let reply = script.reply(upstream);
            let out = unary.reply(reply.clone().into(), &seed(), &mut progress).unwrap();
            prop_assert!(client != upstream || out == reply);
            prop_assert!(!progress.personal.is_empty());
        }
    }
}

#[test]
fn a_blocked_reply_ends_as_one_that_was_filtered() {
    let script = saying(vec!["Write to ana@".to_owned(), "mail.example now".to_owned()]);
    for (client, upstream) in pairs() {
        let streaming = call(client, upstream, true, ReplyMode::Block);
        let (out, progress) = pump(&streaming, [script.stream(upstream).as_slice()]);
        assert_eq!(
            grammar::stream(client, Framing::Native, true, &out),
            Ok(End::Complete),
            "{client} <- {upstream}"
        );
        let streamed = essence(&understood(client, &out).expect("the stream is complete"));
        let unary = call(client, upstream, false, ReplyMode::Block);
        let reply = script.reply(upstream).into();
        let whole = unary.reply(reply, &seed(), &mut Progress::default());
        let whole = understood_whole(client, &whole.expect("there is a reply")).expect("it can be read");
        for said in [streamed, essence(&whole)] {
            assert_eq!(said[0], "text Write to ", "{client} <- {upstream}");
            assert!(said[1].starts_with("finish"), "{client} <- {upstream}: {said:?}");
        }
        assert_eq!(progress.personal, [Personal::Email]);
    }
}
