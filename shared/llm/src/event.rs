//! The neutral stream: what every upstream decoder emits and every client encoder consumes.
//!
//! Decoders guarantee: exactly one `Start`, first; `PartStart`/`PartStop` bracket a part and a part id is never
//! reopened; a tool call starts only once its name is known; a `Delta` is never empty; at most one `Finish` per
//! choice; exactly one of `End` and `Error`, last; nothing after it. `Usage` may come at any time before.

use crate::error::UpstreamError;
use crate::finish::Finish;
use crate::request::Opaque;
use crate::usage::Usage;
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Event {
    /// Which of `n` choices; 0 unless the client asked for several.
    pub choice: u32,
    pub kind: EventKind,
}

#[derive(Debug, Clone)]
pub enum EventKind {
    /// The provider's own id and model name; encoders may replace them.
    Start {
        id: String,
        model: String,
        created: Option<u64>,
    },
    PartStart {
        part: u32,
        kind: PartStart,
    },
    /// Text, reasoning text, refusal text or a fragment of tool arguments, by the kind of the part.
    Delta {
        part: u32,
        text: String,
    },
    /// A signature that belongs to the part.
    Opaque {
        part: u32,
        opaque: Opaque,
    },
    Citation {
        part: u32,
        raw: Value,
    },
    Logprobs(Value),
    /// An image or a sound, whole and in base64; it belongs to no part.
    Media(Media),
    PartStop {
        part: u32,
    },
    /// A cumulative snapshot; later present fields replace earlier ones, nothing is ever summed.
    Usage(Usage),
    Finish(Finish),
    Error(UpstreamError),
    KeepAlive,
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    pub mime: String,
    pub data: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum PartStart {
    Text,
    Reasoning,
    RedactedReasoning(Opaque),
    Refusal,
    ToolCall {
        id: String,
        name: String,
        freeform: bool,
    },
}

// === impl Event ===

impl Event {
    /// An event of the first choice, which is the only one in most streams.
    pub fn first(kind: EventKind) -> Self {
        Self { choice: 0, kind }
    }

    /// Whether this is output of the model, as opposed to bookkeeping. The first such event commits a stream.
    pub fn is_semantic(&self) -> bool {
        matches!(
            self.kind,
            EventKind::PartStart { .. }
                | EventKind::Delta { .. }
                | EventKind::Finish(_)
                | EventKind::Media(_)
                | EventKind::Opaque { .. }
        )
    }
}
