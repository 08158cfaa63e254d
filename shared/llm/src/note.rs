//! What translation lost, changed or made up. Every drop is a note; none is silent.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub severity: Severity,
    /// The client's name for what is concerned, e.g. `logit_bias` or `messages[3].content[0]`.
    pub field: String,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Expressed differently, nothing lost.
    Info,
    /// Dropped or weakened.
    Loss,
    /// Made up because the target demands it.
    Synth,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes(Vec<Note>);

// === impl Notes ===

impl Notes {
    pub fn info(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.push(Severity::Info, field, detail);
    }

    pub fn loss(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.push(Severity::Loss, field, detail);
    }

    pub fn synth(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.push(Severity::Synth, field, detail);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Note> {
        self.0.iter()
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|note| note.severity == severity).count()
    }

    /// `loss=2,synth=1`, or `None` when there is nothing a client should know.
    pub fn summary(&self) -> Option<String> {
        let (loss, synth) = (self.count(Severity::Loss), self.count(Severity::Synth));
        match (loss, synth) {
            (0, 0) => None,
            (loss, 0) => Some(format!("loss={loss}")),
            (0, synth) => Some(format!("synth={synth}")),
            (loss, synth) => Some(format!("loss={loss},synth={synth}")),
        }
    }

    fn push(&mut self, severity: Severity, field: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Note {
            severity,
            field: field.into(),
            detail: detail.into(),
        });
    }
}
