//! What translation lost, changed or made up, as the translator shows it and the request log keeps it in its column
//! `translation_notes`.

use llm::{Note, Severity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TranslationNote {
    pub severity: NoteSeverity,
    /// The client's name for what is concerned, e.g. `logit_bias` or `messages[3].content[0]`.
    pub field: String,
    pub detail: String,
}

/// `info`: expressed differently, nothing lost · `loss`: dropped or weakened · `synth`: made up because the target
/// demands it
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoteSeverity {
    Info,
    Loss,
    Synth,
}

// === impl TranslationNote ===

impl From<&Note> for TranslationNote {
    fn from(note: &Note) -> Self {
        Self {
            severity: note.severity.into(),
            field: note.field.clone(),
            detail: note.detail.clone(),
        }
    }
}

// === impl NoteSeverity ===

impl From<Severity> for NoteSeverity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Loss => Self::Loss,
            Severity::Synth => Self::Synth,
        }
    }
}
