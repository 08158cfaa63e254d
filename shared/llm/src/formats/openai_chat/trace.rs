//! Events as short lines, so that tests can say what they expect.

use crate::event::{Event, EventKind, PartStart};

pub fn trace(events: &[Event]) -> Vec<String> {
    events.iter().map(line).collect()
}

fn line(event: &Event) -> String {
    let choice = if event.choice == 0 {
        String::new()
    } else {
        format!("choice {}: ", event.choice)
    };
    let what = match &event.kind {
        EventKind::Start { id, model, .. } => format!("start {id} {model}"),
        EventKind::PartStart { part, kind } => format!("{part} starts {}", kind_name(kind)),
        EventKind::Delta { part, text } => format!("{part} {text:?}"),
        EventKind::Opaque { part, opaque } => format!("{part} {} signed {}", opaque.issuer, opaque.payload),
        EventKind::Citation { part, raw } => format!("{part} cites {raw}"),
        EventKind::Logprobs(value) => format!("logprobs {value}"),
        EventKind::Media(media) => format!("{} {}", media.mime, media.data),
        EventKind::PartStop { part } => format!("{part} stops"),
        EventKind::Usage(usage) => format!(
            "usage {}/{} cached {} reasoning {}",
            usage.input_total.unwrap_or(0),
            usage.output_total.unwrap_or(0),
            usage.cache_read.unwrap_or(0),
            usage.reasoning.unwrap_or(0)
        ),
        EventKind::Finish(finish) => format!("finish {} ({:?})", finish.reason.name(), finish.native),
        EventKind::Error(error) => format!("error {}: {}", error.kind.name(), error.message),
        EventKind::KeepAlive => "keep-alive".to_owned(),
        EventKind::End => "end".to_owned(),
    };
    choice + &what
}

fn kind_name(kind: &PartStart) -> String {
    match kind {
        PartStart::Text => "text".to_owned(),
        PartStart::Reasoning => "reasoning".to_owned(),
        PartStart::Refusal => "refusal".to_owned(),
        PartStart::RedactedReasoning(opaque) => format!("redacted {}", opaque.payload),
        PartStart::ToolCall { id, name, freeform } => {
            format!("{} {name} {id}", if *freeform { "custom call" } else { "call" })
        }
    }
}
