//! What texts are searched for: a client's, before they go anywhere, for attempts to turn a model against its
//! instructions and for personal data; a model's, before the client gets them, for personal data.
//!
//! Only names of what was found leave this module, never the text. A body that cannot be searched is let through:
//! whoever reads it next says what is wrong with it.

mod injection;
mod mask;
mod masking;
mod personal;
mod texts;

pub use self::injection::{Pattern, Severity};
pub use self::mask::{Mask, ReplyMode};
pub use self::personal::Personal;

use self::masking::redacted;
use self::personal::Forms;
use crate::dialect::Dialect;
use crate::head::Head;
use crate::rewrite::splice::Splice;
use crate::translate::Ask;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// What is done about what is found in any dialect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Warn,
    /// Refuse what is of high severity.
    Block,
    /// Replace personal data, where it is looked for.
    Redact,
}

/// What is done about injection in Chat Completions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InjectionMode {
    #[default]
    Warn,
    /// As `Warn`, in a lower voice.
    Log,
    /// Refuse what is of high severity.
    Block,
}

/// What is done with requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    pub mode: Mode,
    pub injection: InjectionMode,
    /// Look for personal data too.
    pub personal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    requests: Option<Rules>,
    replies: Option<ReplyMode>,
}

/// What one request holds, and what is to happen with it.
#[derive(Debug)]
pub struct Findings {
    pub patterns: Vec<Pattern>,
    pub personal: Vec<Personal>,
    /// The operator wants to be told, but not to be warned.
    pub quiet: bool,
    pub verdict: Result<Ask, Blocked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Blocked {
    #[error("Request blocked: potential prompt injection detected")]
    Injection { detections: usize },
    #[error("Request rejected: suspicious content detected")]
    Suspicious,
}

// === impl Guard ===

impl Guard {
    /// `None` when there is nothing to look at.
    pub fn new(requests: Option<Rules>, replies: Option<ReplyMode>) -> Option<Self> {
        let idle = requests.is_none() && replies.is_none();
        // built now, so that no request has to wait for it
        if requests.is_some_and(|rules| rules.personal) {
            Forms::in_requests();
        }
        if replies.is_some() {
            Forms::in_replies();
        }
        (!idle).then_some(Self { requests, replies })
    }

    /// Takes personal data out of requests, where it finds any.
    pub fn masks_requests(&self) -> bool {
        self.requests
            .is_some_and(|rules| rules.personal && rules.mode == Mode::Redact)
    }

    /// Looks at a request; its reply will be looked at by the one who reads it.
    pub fn inspect(&self, ask: Ask) -> Findings {
        let ask = ask.masked(self.replies);
        match &self.requests {
            Some(rules) => rules.inspect(ask),
            None => Findings {
                patterns: Vec::new(),
                personal: Vec::new(),
                quiet: false,
                verdict: Ok(ask),
            },
        }
    }
}

// === impl Rules ===

impl Rules {
    fn inspect(&self, ask: Ask) -> Findings {
        let patterns = injection::find(&texts::joined(ask.dialect(), ask.body()));
        let quiet = self.injection == InjectionMode::Log && ask.dialect() == Dialect::OpenAiChat;
        let mut personal = Vec::new();
        let verdict = match self.blocked(ask.dialect(), &patterns) {
            Some(blocked) => Err(blocked),
            None if self.personal => Ok(self.without_personal_data(ask, &mut personal)),
            None => Ok(ask),
        };
        Findings {
            quiet: quiet && personal.is_empty(),
            patterns,
            personal,
            verdict,
        }
    }

    fn without_personal_data(&self, ask: Ask, found: &mut Vec<Personal>) -> Ask {
        let body = ask.body().clone();
        let Ok(head) = Head::read(&body) else { return ask };
        let mut splice = Splice::new(&body);
        let forms = Forms::in_requests();
        for raw in texts::words(ask.dialect(), &head) {
            let text: String = serde_json::from_str(raw.get()).unwrap_or_default();
            if let (Some(redacted), Mode::Redact) = (redacted(forms, &text, found), self.mode) {
                splice.replace(raw, Value::from(redacted).to_string());
            }
        }
        if self.mode != Mode::Redact || found.is_empty() {
            return ask;
        }
        ask.with_body(splice.into_bytes())
    }

    fn blocked(&self, dialect: Dialect, patterns: &[Pattern]) -> Option<Blocked> {
        let severe = patterns.iter().any(|pattern| pattern.severity == Severity::High);
        if !severe {
            return None;
        }
        if self.injection == InjectionMode::Block && dialect == Dialect::OpenAiChat {
            let detections = patterns.len();
            return Some(Blocked::Injection { detections });
        }
        (self.mode == Mode::Block).then_some(Blocked::Suspicious)
    }
}

// === impl Blocked ===

impl Blocked {
    /// A code of its own, beside what the dialect says for such an error.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Injection { .. } => Some("SECURITY_001"),
            Self::Suspicious => None,
        }
    }

    /// How many turns of phrase it was blocked for, where the client is told.
    pub fn detections(self) -> Option<usize> {
        match self {
            Self::Injection { detections } => Some(detections),
            Self::Suspicious => None,
        }
    }
}

#[cfg(test)]
mod tests;
