//! Runs the fixtures in this folder: a list of variants per case.
//!
//! A variant is a request (`body`), an upstream's stream (`frames`) or an upstream's whole reply (`reply`), and what
//! must become of it. Expected JSON is a pattern: an object may have more keys, a list may not have more members.

#![expect(clippy::panic, reason = "a case that does not hold fails by panic")]

mod frames;

use crate::grammar::{self, End};
use crate::wire::question::{self, Feature};
use crate::wire::{ask, essence, pump, seed, target_for, understood, understood_whole};
use llm::{Call, Dialect, Framing, Progress, Reply, UpstreamError, formats};
use serde_json::{Map, Value, json};

/// Every variant of a case.
pub fn hold(fixture: &str) {
    let variants: Vec<Value> = serde_json::from_str(fixture).expect("a fixture is a list");
    for (number, variant) in variants.iter().enumerate() {
        let verdict = match () {
            () if variant.get("frames").is_some() => stream(variant),
            () if variant.get("reply").is_some() => whole_reply(variant),
            () => request(variant),
        };
        verdict.unwrap_or_else(|why| panic!("variant {number}, {}: {why}", way(variant)));
    }
}

pub fn dialect(name: &Value) -> Dialect {
    let named = name.as_str().and_then(Dialect::named);
    named.unwrap_or_else(|| panic!("no dialect {name}"))
}

/// Whether the value has everything the pattern has.
pub fn matches(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::Object(pattern), Value::Object(value)) => {
            let has = |(key, pattern): (&String, &Value)| {
                value.get(key).is_some_and(|value| matches(pattern, value))
            };
            pattern.iter().all(has)
        }
        (Value::Array(pattern), Value::Array(value)) => {
            pattern.len() == value.len()
                && pattern
                    .iter()
                    .zip(value)
                    .all(|(pattern, value)| matches(pattern, value))
        }
        _ => pattern == value,
    }
}

// === requests ===

fn request(variant: &Value) -> Result<(), String> {
    let call = put(variant, &variant["body"], false);
    if let Some(refused) = variant["refused"].as_str() {
        let why = call.err().ok_or("it was not refused")?;
        return ensure(why.contains(refused), || format!("refused with {why:?}"));
    }
    sent(variant, &call?)
}

/// The attempt, with the model and the stream flag where the dialect has them.
fn put(variant: &Value, body: &Value, stream: bool) -> Result<Call, String> {
    let (client, mut body) = (dialect(&variant["client"]), body.clone());
    if client != Dialect::Gemini {
        body["model"] = json!("m");
        body["stream"] = json!(stream);
    }
    let model = variant["model"].as_str().unwrap_or("n");
    let target = target_for(dialect(&variant["upstream"]), model);
    let ask = ask(client, stream, Framing::Native, &body);
    ask.call(&target).map_err(|error| error.to_string())
}

/// What the upstream is sent, against `sent`, `absent`, `contains`, `lacks` and `noted`.
fn sent(variant: &Value, call: &Call) -> Result<(), String> {
    let text = String::from_utf8_lossy(&call.body()).into_owned();
    let sent: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let wanted = variant.get("sent").unwrap_or(&Value::Null);
    ensure(wanted.is_null() || matches(wanted, &sent), || {
        format!("wanted {wanted}\nsent {text}")
    })?;
    for pointer in strings(variant, "absent") {
        ensure(sent.pointer(pointer).is_none(), || {
            format!("{pointer} is in {text}")
        })?;
    }
    if variant.get("frames").is_none() {
        words(variant, &text)?;
    }
    for noted in strings(variant, "noted") {
        let all = format!("{:?}", call.notes()).to_lowercase();
        ensure(all.contains(noted), || format!("no note of {noted} in {all}"))?;
    }
    Ok(())
}

// === streams and replies ===

fn stream(variant: &Value) -> Result<(), String> {
    let (client, upstream) = (dialect(&variant["client"]), dialect(&variant["upstream"]));
    let asked = |stream| put(variant, &question(variant, client, stream), stream);
    let bytes = frames::render(upstream, &variant["frames"]);
    let call = asked(true)?;
    sent(variant, &call)?;

    let (out, progress) = pump(&call, [bytes.as_slice()]);
    let (byte_by_byte, _) = pump(&call, bytes.chunks(1));
    let text = String::from_utf8_lossy(&out).into_owned();
    ensure(out == byte_by_byte, || {
        format!(
            "byte by byte it is\n{}\nat once\n{text}",
            String::from_utf8_lossy(&byte_by_byte)
        )
    })?;
    words(variant, &text)?;
    let folded = asked(false)?.fold(bytes.into(), &seed(), &mut Progress::default());
    let usage = client != Dialect::OpenAiChat || variant.get("ask").is_none();
    let end = grammar::stream(client, Framing::Native, usage, &out)?;
    if let Some(message) = variant["fails"].as_str() {
        ensure(folded.is_err(), || "folded it did not fail".to_owned())?;
        ensure(end == End::Failed && text.contains(message), || {
            format!("the client got {text}")
        })?;
        return failed(variant, client, &progress);
    }
    ensure(end == End::Complete, || format!("the client got {text}"))?;
    let streamed = understood(client, &out).map_err(|error| format!("{error}: {text}"))?;
    let whole = folded.map_err(|error| format!("folded: {error}"))?;
    let same = reply(variant, client, &whole)?;
    if variant["cut"] == true {
        // of arguments that were cut a whole reply has what can be read
        return ensure(content(&streamed).last() == content(&same).last(), || {
            "finish".to_owned()
        });
    }
    let (streamed, same) = (content(&streamed), content(&same));
    ensure(streamed == same, || {
        format!("streamed {streamed:?}, whole {same:?}")
    })
}

fn whole_reply(variant: &Value) -> Result<(), String> {
    let client = dialect(&variant["client"]);
    let call = put(variant, &question(variant, client, false), false)?;
    let body = variant["reply"].to_string();
    let whole = call.reply(body.into(), &seed(), &mut Progress::default());
    let whole = whole.map_err(|error| error.to_string())?;
    reply(variant, client, &whole).map(drop)
}

/// What the client asks: the variant's question, or one that asks for everything.
fn question(variant: &Value, client: Dialect, stream: bool) -> Value {
    match variant.get("ask") {
        Some(ask) => ask.clone(),
        None => question::body(client, Feature::SignedReasoning, stream),
    }
}

/// The client's whole reply against `whole`, `whole_lacks`, `parts`, `finish` and `usage`.
fn reply(variant: &Value, client: Dialect, body: &[u8]) -> Result<Reply, String> {
    grammar::reply(client, body)?;
    let text = String::from_utf8_lossy(body).into_owned();
    let whole: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let wanted = variant.get("whole").unwrap_or(&Value::Null);
    ensure(wanted.is_null() || matches(wanted, &whole), || {
        format!("wanted {wanted}\ngot {text}")
    })?;
    for pointer in strings(variant, "whole_lacks") {
        let found = whole.pointer(pointer).is_some_and(|value| !value.is_null());
        ensure(!found, || format!("{pointer} is in {text}"))?;
    }
    let reply = understood_whole(client, body).map_err(|error| error.to_string())?;
    let content = content(&reply);
    let [parts @ .., finish] = content.as_slice() else {
        return Err("a reply without choices".to_owned());
    };
    if let Some(wanted) = variant.get("parts") {
        ensure(*wanted == json!(parts), || {
            format!("wanted {wanted}, got {parts:?}")
        })?;
    }
    if let Some(wanted) = variant["finish"].as_str() {
        ensure(*finish == format!("finish Some({wanted})"), || {
            format!("wanted {wanted}, got {finish}")
        })?;
    }
    if let Some(wanted) = variant.get("usage") {
        let usage = &reply.usage;
        let cached = if client == Dialect::OllamaChat {
            wanted[2].as_u64()
        } else {
            usage.cache_read
        };
        let got = json!([usage.input_total, usage.output_total, cached.unwrap_or(0)]);
        ensure(*wanted == got, || format!("wanted usage {wanted}, got {got}"))?;
    }
    Ok(reply)
}

/// A stream that failed: whether another upstream may be tried, and if so the status of the error.
fn failed(variant: &Value, client: Dialect, progress: &Progress) -> Result<(), String> {
    let error: &UpstreamError = progress.error.as_ref().ok_or("no error is recorded")?;
    let started = json!(progress.started);
    ensure(variant["started"] == started, || format!("started: {started}"))?;
    if let Some([least, most]) = variant["status"].as_array().map(Vec::as_slice) {
        let (status, _) = formats::of(client).encode_error(&error.public("id"));
        let within = least.as_u64() <= Some(status.into()) && Some(status.into()) <= most.as_u64();
        ensure(within, || format!("status {status}"))?;
    }
    Ok(())
}

// === functions ===

/// Parts and finish. Arguments without white space, and as an object where there are none.
fn content(reply: &Reply) -> Vec<String> {
    let mut all = essence(reply);
    all.truncate(all.len() - 2);
    let compact = |part: String| match part.find(" {") {
        Some(at) if part.starts_with("call ") => {
            let at = at + 1;
            let arguments = serde_json::from_str::<Value>(&part[at..]);
            arguments.map_or(part.clone(), |arguments| format!("{}{arguments}", &part[..at]))
        }
        None if part.starts_with("call ") => format!("{part}{{}}"),
        _ => part,
    };
    all.into_iter().map(compact).collect()
}

fn words(variant: &Value, text: &str) -> Result<(), String> {
    for word in strings(variant, "contains") {
        ensure(text.contains(word), || format!("{word:?} is not in {text}"))?;
    }
    for word in strings(variant, "lacks") {
        ensure(!text.contains(word), || format!("{word:?} is in {text}"))?;
    }
    Ok(())
}

fn strings<'a>(variant: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    variant[key]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn way(variant: &Value) -> String {
    let nothing = Map::new();
    let variant = variant.as_object().unwrap_or(&nothing);
    let name = |key| variant.get(key).and_then(Value::as_str).unwrap_or("?");
    format!("{} <- {}", name("client"), name("upstream"))
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}
