//! The gateway between two dialects, without a network: what a client asks, what it gets back, what it sends next.

mod converse;
pub mod question;
pub mod turn;

use crate::grammar::{self, End};
use bytes::Bytes;
use llm::formats;
use llm::reply::{Fold, ReplyPart};
use llm::{
    Address, Ask, Call, Dialect, Event, Framing, ModelCaps, Progress, Reply, ReplySeed, Request, Target,
    UpstreamError,
};
use serde_json::Value;

/// Every pair of client and upstream that is registered.
pub fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let upstreams = |client| upstreams().map(move |upstream| (client, upstream));
    dialects().flat_map(upstreams)
}

/// The dialects of clients, which upstreams speak, too.
pub fn dialects() -> impl Iterator<Item = Dialect> {
    formats::ALL.iter().map(|format| format.dialect())
}

pub fn upstreams() -> impl Iterator<Item = Dialect> {
    formats::UPSTREAMS.iter().map(|format| format.dialect())
}

/// What an upstream understands of the body that it is sent.
pub fn asked(upstream: Dialect, body: &[u8]) -> Result<Request, String> {
    match upstream {
        Dialect::BedrockConverse => converse::read(body),
        _ => formats::of(upstream)
            .decode_request(body)
            .map_err(|error| error.to_string()),
    }
}

/// A request as the gateway reads it; Gemini says in the address what others say in the body.
pub fn ask(client: Dialect, stream: bool, framing: Framing, body: &Value) -> Ask {
    read(client, stream, framing, body.to_string()).expect("the body names a model")
}

/// The same for bytes of any kind.
pub fn read(
    client: Dialect,
    stream: bool,
    framing: Framing,
    body: impl Into<Bytes>,
) -> Result<Ask, llm::DecodeError> {
    if client != Dialect::Gemini {
        return Ask::read(client, body.into());
    }
    let model = "m".to_owned();
    let address = Address {
        model,
        stream,
        framing,
    };
    Ask::read_at(client, address, body.into())
}

pub fn target(dialect: Dialect) -> Target {
    target_for(dialect, "n")
}

pub fn target_for(dialect: Dialect, model: &str) -> Target {
    Target {
        dialect,
        model: model.to_owned(),
        caps: ModelCaps::of(dialect, model),
    }
}

pub fn seed() -> ReplySeed {
    ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "m".to_owned(),
        include_usage: true,
        injected_usage: false,
        framing: Framing::default(),
        request: None,
    }
}

/// The client's bytes for an upstream stream that arrives in these chunks.
pub fn pump<'a>(call: &Call, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Progress) {
    let (mut pump, mut out) = (call.pump(&seed()), Vec::new());
    for chunk in chunks {
        pump.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    pump.finish(&mut out);
    (out.concat(), pump.progress().clone())
}

/// What a client of the dialect understands of a stream.
pub fn understood(dialect: Dialect, stream: &[u8]) -> Result<Reply, UpstreamError> {
    let (mut decoder, mut events) = (formats::of(dialect).stream_decoder(), Vec::new());
    decoder.push(stream, &mut events);
    decoder.finish(&mut events);
    fold(events)
}

/// What a client of the dialect understands of a whole reply.
pub fn understood_whole(dialect: Dialect, body: &[u8]) -> Result<Reply, UpstreamError> {
    fold(formats::of(dialect).decode_reply(body)?)
}

/// What a client that asks for a stream understands, once the stream has been held against the grammar.
pub fn streamed(call: &Call, client: Dialect, upstream: &[u8]) -> Result<Reply, String> {
    let (bytes, _) = pump(call, [upstream]);
    let end = grammar::stream(client, Framing::Native, true, &bytes)?;
    match understood(client, &bytes) {
        Ok(reply) if end == End::Complete => Ok(reply),
        other => Err(format!("{end:?}, understood as {other:?}")),
    }
}

/// The content of a reply, without ids and times.
pub fn essence(reply: &Reply) -> Vec<String> {
    let choice = &reply.choices[0];
    let mut all: Vec<String> = choice.parts.iter().map(part).collect();
    let reason = choice.finish.as_ref().map(|finish| finish.reason);
    let usage = &reply.usage;
    all.push(format!("finish {reason:?}"));
    all.push(format!("usage {:?} {:?}", usage.input_total, usage.output_total));
    all.push(format!("cache {:?}", usage.cache_read.unwrap_or(0)));
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

fn fold(events: Vec<Event>) -> Result<Reply, UpstreamError> {
    let mut fold = Fold::new();
    events.into_iter().for_each(|event| fold.push(event));
    fold.finish()
}
