//! Why a model stopped, in this API's words.

use crate::finish::{Finish, FinishReason};

/// The neutral reason of a `stop_reason`.
pub fn reason(native: &str) -> FinishReason {
    match native {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" => FinishReason::Length,
        "model_context_window_exceeded" => FinishReason::ContextWindow,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::Refusal,
        "pause_turn" => FinishReason::PauseTurn,
        _ => FinishReason::Other,
    }
}

/// `stop_reason` and `stop_sequence`. The API never says one without the other, so a stop sequence of unknown
/// text is a plain end.
pub fn words(finish: Option<&Finish>) -> (&'static str, Option<&str>) {
    let Some(finish) = finish else {
        return ("end_turn", None);
    };
    let word = match finish.reason {
        FinishReason::StopSequence => match finish.stop_sequence.as_deref() {
            Some(sequence) => return ("stop_sequence", Some(sequence)),
            None => "end_turn",
        },
        FinishReason::Stop | FinishReason::Other => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ContextWindow => "model_context_window_exceeded",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter | FinishReason::Refusal => "refusal",
        FinishReason::PauseTurn => "pause_turn",
    };
    (word, None)
}
