//! Why a model stopped, and the one function that resolves it for unary and streamed replies alike.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    pub reason: FinishReason,
    /// The upstream's own word.
    pub native: String,
    pub stop_sequence: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FinishReason {
    Stop,
    StopSequence,
    Length,
    ContextWindow,
    ToolCalls,
    ContentFilter,
    Refusal,
    PauseTurn,
    Other,
}

// === impl FinishReason ===

impl FinishReason {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopSequence => "stop_sequence",
            Self::Length => "length",
            Self::ContextWindow => "context_window",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::PauseTurn => "pause_turn",
            Self::Other => "other",
        }
    }

    /// Corrects the upstream's word by what the stream really contained.
    ///
    /// A completed tool call makes a plain stop a tool stop; a tool stop without any call is a plain stop. A
    /// truncated or filtered reply keeps its reason, whatever calls it contains: the call may be cut.
    pub fn resolve(self, has_tool_call: bool) -> Self {
        match self {
            Self::Stop | Self::Other if has_tool_call => Self::ToolCalls,
            Self::ToolCalls if !has_tool_call => Self::Stop,
            reason => reason,
        }
    }
}
