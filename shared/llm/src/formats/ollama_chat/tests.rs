mod client;
mod upstream;

use super::*;
use crate::caps::ModelCaps;
use crate::event::EventKind;

fn target(model: &str) -> Target {
    Target {
        dialect: Dialect::OllamaChat,
        model: model.to_owned(),
        caps: ModelCaps::of(Dialect::OllamaChat, model),
    }
}

/// Client and upstream: what reaches the client when the upstream's stream arrives in pieces of this size.
fn streamed(client: Dialect, upstream: Dialect, stream: &str, step: usize) -> (String, crate::Progress) {
    let body = serde_json::json!({
        "model": "m", "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "hi"}],
        "input": "hi",
    });
    let ask = crate::Ask::read(client, body.to_string().into()).unwrap();
    let target = Target {
        dialect: upstream,
        model: "n".to_owned(),
        caps: ModelCaps::of(upstream, "n"),
    };
    let call = ask.call(&target).unwrap();
    let (mut pump, mut out) = (call.pump(&seed()), Vec::new());
    for (i, chunk) in stream.as_bytes().chunks(step).enumerate() {
        pump.tick(std::time::Duration::from_millis(10 * (i as u64 + 1)));
        pump.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    pump.finish(&mut out);
    (String::from_utf8(out.concat()).unwrap(), pump.progress().clone())
}

fn seed() -> ReplySeed {
    ReplySeed {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        created: 1_700_000_000,
        model: "m".to_owned(),
        include_usage: false,
        injected_usage: false,
        framing: Framing::Native,
        request: None,
    }
}

fn error(events: &[Event]) -> Option<String> {
    match &events.last()?.kind {
        EventKind::Error(error) => Some(format!("{}: {}", error.kind.name(), error.message)),
        _ => None,
    }
}
