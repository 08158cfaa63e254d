//! What a client is sent: the same object for every line of a stream and for a whole reply.

use super::arguments::readable_object_of;
use super::finish;
use crate::calendar::Moment;
use crate::finish::Finish;
use crate::format::ReplySeed;
use crate::request::ToolCall;
use crate::usage::Usage;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::time::Duration;

#[derive(Debug, Serialize)]
pub struct ClientLine<'a> {
    model: &'a str,
    created_at: String,
    pub message: ClientMessage<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Value>,
    done: bool,
    #[serde(flatten)]
    last: Option<Last>,
}

#[derive(Debug, Serialize)]
pub struct ClientMessage<'a> {
    role: &'static str,
    /// Always there, as the vendor writes it.
    pub content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ClientCall<'a>>,
}

#[derive(Debug, Serialize)]
pub struct ClientCall<'a> {
    id: &'a str,
    function: ClientFunction<'a>,
}

#[derive(Debug, Serialize)]
struct ClientFunction<'a> {
    index: usize,
    name: &'a str,
    arguments: Box<RawValue>,
}

/// What only the last line says. Durations are nanoseconds.
#[derive(Debug, Serialize)]
pub struct Last {
    done_reason: &'static str,
    total_duration: u64,
    load_duration: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_eval_count: Option<u64>,
    prompt_eval_duration: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_count: Option<u64>,
    eval_duration: u64,
}

/// How long a reply took, as far as anybody measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timing {
    pub total: Duration,
    /// Until the first output.
    pub first: Duration,
}

// === impl ClientLine ===

impl<'a> ClientLine<'a> {
    /// A line with nothing in it yet.
    pub fn new(seed: &'a ReplySeed) -> Self {
        Self {
            model: &seed.model,
            created_at: rfc3339(seed.created),
            message: ClientMessage {
                role: "assistant",
                content: "",
                thinking: None,
                tool_calls: Vec::new(),
            },
            logprobs: None,
            done: false,
            last: None,
        }
    }

    pub fn last(seed: &'a ReplySeed, finish: Option<&Finish>, usage: &Usage, timing: Timing) -> Self {
        Self {
            done: true,
            last: Some(Last {
                done_reason: finish::write(finish),
                total_duration: nanos(timing.total),
                load_duration: 0,
                prompt_eval_count: usage.input_total,
                prompt_eval_duration: nanos(timing.first),
                eval_count: usage.output_total,
                eval_duration: nanos(timing.total.saturating_sub(timing.first)),
            }),
            ..Self::new(seed)
        }
    }
}

// === impl ClientCall ===

impl<'a> ClientCall<'a> {
    pub fn new(call: &'a ToolCall, index: usize) -> Self {
        Self {
            id: &call.id,
            function: ClientFunction {
                index,
                name: &call.name,
                arguments: readable_object_of(&call.arguments),
            },
        }
    }
}

// === functions ===

/// Log probabilities are a bare list here, and the `content` of an object in the neutral model.
pub fn tokens_of(logprobs: &Value) -> Option<Value> {
    logprobs
        .get("content")
        .filter(|tokens| tokens.is_array())
        .cloned()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// With nine digits of a second, as the vendor writes it.
fn rfc3339(unix_seconds: u64) -> String {
    let Moment {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = Moment::of(unix_seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000000000Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_a_date() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000000Z"),
            (1_700_000_000, "2023-11-14T22:13:20.000000000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000000000Z"),
        ] {
            assert_eq!(rfc3339(unix), text);
        }
    }
}
