//! Why a model stopped, in this API's words.

use crate::finish::{Finish, FinishReason};

pub fn read(native: &str) -> Finish {
    let reason = match native {
        "STOP" | "FINISH_REASON_UNSPECIFIED" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "RECITATION"
        | "LANGUAGE"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "IMAGE_OTHER"
        | "NO_IMAGE"
        | "MODEL_ARMOR" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    };
    Finish {
        reason,
        native: native.to_owned(),
        stop_sequence: None,
    }
}

/// A prompt that the vendor refuses to answer.
pub fn blocked(native: &str) -> Finish {
    Finish {
        reason: FinishReason::ContentFilter,
        native: native.to_owned(),
        stop_sequence: None,
    }
}

/// The model tried to call a tool and failed: with nothing else said this is no answer at all.
pub fn is_broken_call(native: &str) -> bool {
    matches!(
        native,
        "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
            | "MALFORMED_RESPONSE"
    )
}

pub fn write(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length | FinishReason::ContextWindow => "MAX_TOKENS",
        FinishReason::ContentFilter | FinishReason::Refusal => "SAFETY",
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::ToolCalls
        | FinishReason::PauseTurn
        | FinishReason::Other => "STOP",
    }
}
