//! ConverseStream as Bedrock streams it: binary messages, of which a text announces nothing and a call does.

use super::{Script, Step, id, object};
use llm::event_stream::{Message, Messages, Value as Header};
use serde_json::{Value, json};

pub fn frames(script: &Script) -> Vec<Vec<u8>> {
    let mut frames = vec![event("messageStart", &json!({"role": "assistant", "p": "abc"}))];
    for (index, step) in script.steps.iter().enumerate() {
        let mut deltas: Vec<Value> = match step {
            Step::Reasoning(all) => all
                .iter()
                .map(|text| json!({"reasoningContent": {"text": text}}))
                .collect(),
            Step::Text(all) => all.iter().map(|text| json!({"text": text})).collect(),
            Step::Call { name, arguments } => {
                let start = json!({"toolUse": {"toolUseId": id(index), "name": name}});
                let start = json!({"contentBlockIndex": index, "start": start, "p": "abcdef"});
                frames.push(event("contentBlockStart", &start));
                arguments
                    .iter()
                    .map(|text| json!({"toolUse": {"input": text}}))
                    .collect()
            }
        };
        if script.signed && matches!(step, Step::Reasoning(_)) {
            deltas.push(json!({"reasoningContent": {"signature": "c2lnbmVk"}}));
        }
        frames.extend(deltas.iter().map(|delta| {
            event(
                "contentBlockDelta",
                &json!({"contentBlockIndex": index, "delta": delta, "p": "ab"}),
            )
        }));
        let stop = json!({"contentBlockIndex": index, "p": "abcd"});
        frames.push(event("contentBlockStop", &stop));
    }
    frames.push(event("messageStop", &json!({"stopReason": reason(script)})));
    let metadata = json!({"metrics": {"latencyMs": 7}, "p": "a", "usage": usage(script)});
    frames.push(event("metadata", &metadata));
    frames
}

pub fn reply(script: &Script) -> Value {
    let block = |(index, step): (usize, &Step)| match step {
        Step::Reasoning(all) => {
            let mut said = json!({"text": all.concat()});
            if script.signed {
                said["signature"] = json!("c2lnbmVk");
            }
            json!({"reasoningContent": {"reasoningText": said}})
        }
        Step::Text(all) => json!({"text": all.concat()}),
        Step::Call { name, arguments } => {
            json!({"toolUse": {"toolUseId": id(index), "name": name, "input": object(arguments)}})
        }
    };
    let content: Vec<Value> = script.steps.iter().enumerate().map(block).collect();
    json!({
        "output": {"message": {"role": "assistant", "content": content}}, "stopReason": reason(script),
        "usage": usage(script), "metrics": {"latencyMs": 7},
    })
}

/// One message of the stream.
pub fn event(name: &str, payload: &Value) -> Vec<u8> {
    message("event", name, payload.to_string().as_bytes())
}

/// The exception that ends a stream.
pub fn exception(name: &str, payload: &Value) -> Vec<u8> {
    message("exception", name, payload.to_string().as_bytes())
}

/// The same stream with other payloads, whose checksums are right again.
pub fn rewritten(stream: &[u8], payload: impl Fn(&str) -> String) -> Vec<u8> {
    let mut out = Vec::new();
    each(stream, |message| {
        let text = payload(&String::from_utf8_lossy(message.payload));
        let headers = message.headers.clone();
        let payload = text.as_bytes();
        out.extend(Message { headers, payload }.write());
    });
    out
}

/// The same stream as other versions of the service may write it.
pub fn variants(stream: &[u8]) -> Vec<Vec<u8>> {
    let with_unknown = rewritten(stream, |payload| {
        payload.replacen('{', "{\"unknown\":[{\"deep\":null}],", 1)
    });
    let (mut between, mut tagged) = (message("event", "initial-response", b"{}"), Vec::new());
    each(stream, |message| {
        between.extend(message.write());
        between.extend(event("somethingNew", &json!({"delta": {"text": "no"}})));
        let mut message = message.clone();
        message.headers.push(("x-new", Header::Timestamp(1)));
        message.headers.reverse();
        tagged.extend(message.write());
    });
    vec![with_unknown, between, tagged]
}

fn each(stream: &[u8], act: impl FnMut(Message<'_>)) {
    let mut messages = Messages::default();
    messages.push(stream, act).expect("a script is a sound stream");
    assert!(messages.is_between(), "a script ends with a whole message");
}

fn message(kind: &str, name: &str, payload: &[u8]) -> Vec<u8> {
    let named = match kind {
        "exception" => ":exception-type",
        _ => ":event-type",
    };
    let headers = vec![
        (named, Header::Text(name)),
        (":content-type", Header::Text("application/json")),
        (":message-type", Header::Text(kind)),
    ];
    Message { headers, payload }.write()
}

fn reason(script: &Script) -> &'static str {
    match (script.truncated, script.has_calls()) {
        (true, _) => "max_tokens",
        (false, true) => "tool_use",
        (false, false) => "end_turn",
    }
}

fn usage(script: &Script) -> Value {
    json!({
        "inputTokens": script.input - script.cached, "outputTokens": script.output,
        "totalTokens": script.input + script.output, "cacheReadInputTokens": script.cached,
        "cacheWriteInputTokens": 0,
    })
}
