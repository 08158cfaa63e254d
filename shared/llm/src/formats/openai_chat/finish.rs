//! `finish_reason`, both ways.

use crate::finish::{Finish, FinishReason};

/// The words of the vendor and of servers that kept another's.
pub fn read(native: &str) -> Finish {
    let reason = match native {
        "stop" | "eos" | "end_turn" | "stop_sequence" => FinishReason::Stop,
        "length" | "max_tokens" | "model_length" => FinishReason::Length,
        "tool_calls" | "function_call" | "tool_use" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    };
    Finish {
        reason,
        native: native.to_owned(),
        stop_sequence: None,
    }
}

/// `refused`: the message has a `refusal`, which says why by itself.
pub fn write(reason: FinishReason, refused: bool) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::PauseTurn | FinishReason::Other => {
            "stop"
        }
        FinishReason::Length | FinishReason::ContextWindow => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Refusal if refused => "stop",
        FinishReason::Refusal => "content_filter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_mapped_both_ways() {
        for (native, reason, written) in [
            ("stop", FinishReason::Stop, "stop"),
            ("eos", FinishReason::Stop, "stop"),
            ("length", FinishReason::Length, "length"),
            ("model_length", FinishReason::Length, "length"),
            ("tool_calls", FinishReason::ToolCalls, "tool_calls"),
            ("function_call", FinishReason::ToolCalls, "tool_calls"),
            ("content_filter", FinishReason::ContentFilter, "content_filter"),
            ("abort", FinishReason::Other, "stop"),
        ] {
            assert_eq!(read(native).reason, reason);
            assert_eq!(write(reason, false), written);
        }
        assert_eq!(write(FinishReason::ContextWindow, false), "length");
        assert_eq!(write(FinishReason::PauseTurn, false), "stop");
        assert_eq!(write(FinishReason::Refusal, false), "content_filter");
        assert_eq!(write(FinishReason::Refusal, true), "stop");
    }
}
