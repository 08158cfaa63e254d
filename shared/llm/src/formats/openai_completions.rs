//! OpenAI's legacy Completions: a text that is gone on with, no conversation.
//!
//! <https://platform.openai.com/docs/api-reference/completions>
//!
//! No dialect of its own: a provider that offers it for the model gets the client's bytes, and its answer goes back as
//! it is. Everybody else is asked the same as a conversation of one message, and the answer is written as a text. What
//! has no counterpart in a conversation is refused there, by its name. The shorter default of the older API,
//! `max_tokens` 16, is not taken over: a model that thinks first would answer nothing.

mod reply;
mod request;
mod stream;
mod tap;

pub use reply::{encode, observe, replay};
pub use request::{Legacy, capped};
pub use stream::TextEncoder;
pub use tap::TextTap;

use crate::finish::FinishReason;

/// As the API names them.
fn reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length | FinishReason::ContextWindow => "length",
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::ToolCalls
        | FinishReason::PauseTurn
        | FinishReason::Other => "stop",
    }
}
