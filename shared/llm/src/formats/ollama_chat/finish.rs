//! `done_reason`, both ways.

use crate::finish::{Finish, FinishReason};

pub fn read(native: &str) -> Finish {
    let reason = match native {
        // a model that was only loaded or unloaded has said all it will
        "" | "stop" | "load" | "unload" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" => FinishReason::ToolCalls,
        _ => FinishReason::Other,
    };
    Finish {
        reason,
        native: native.to_owned(),
        stop_sequence: None,
    }
}

/// The API knows two reasons; calls and refusals are plain stops.
pub fn write(finish: Option<&Finish>) -> &'static str {
    match finish.map(|finish| finish.reason) {
        Some(FinishReason::Length | FinishReason::ContextWindow) => "length",
        _ => "stop",
    }
}
