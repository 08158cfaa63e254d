//! What a client's texts are searched for before they go anywhere: attempts to turn a model against its
//! instructions, and personal data.
//!
//! Only names of what was found leave this module, never the text. A body that cannot be searched is let through:
//! whoever reads it next says what is wrong with it.

mod injection;
mod personal;
mod texts;

pub use self::injection::{Pattern, Severity};
pub use self::personal::Personal;

use crate::dialect::Dialect;
use crate::head::Head;
use crate::rewrite::splice::Splice;
use crate::translate::Ask;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// What is done about what is found in any dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Warn,
    /// Refuse what is of high severity.
    Block,
    /// Replace personal data, where it is looked for.
    Redact,
}

/// What is done about injection in Chat Completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InjectionMode {
    Warn,
    Log,
    /// Refuse what is of high severity.
    Block,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    mode: Mode,
    injection: InjectionMode,
    personal: bool,
}

/// What one request holds, and what is to happen with it.
#[derive(Debug)]
pub struct Findings {
    pub patterns: Vec<Pattern>,
    pub personal: Vec<Personal>,
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
    /// `None` when nobody asked for anything: then no request is searched.
    pub fn new(mode: Option<Mode>, injection: Option<InjectionMode>, personal: bool) -> Option<Self> {
        let idle = mode.is_none() && injection.is_none() && !personal;
        (!idle).then_some(Self {
            mode: mode.unwrap_or(Mode::Warn),
            injection: injection.unwrap_or(InjectionMode::Warn),
            personal,
        })
    }

    pub fn inspect(&self, ask: Ask) -> Findings {
        let body = ask.body().clone();
        let found = Head::read(&body).map(|head| texts::of(ask.dialect(), &head));
        let raws = found.unwrap_or_default();
        let texts: Vec<String> = raws
            .iter()
            .map(|raw| serde_json::from_str(raw.get()).unwrap_or_default())
            .collect();
        let patterns = injection::find(&texts.join("\n"));
        if let Some(blocked) = self.blocked(ask.dialect(), &patterns) {
            return Findings {
                patterns,
                personal: Vec::new(),
                verdict: Err(blocked),
            };
        }
        let mut personal = Vec::new();
        if !self.personal {
            return Findings {
                patterns,
                personal,
                verdict: Ok(ask),
            };
        }
        let mut splice = Splice::new(&body);
        for (raw, text) in raws.into_iter().zip(&texts) {
            let redacted = personal::redact(text, &mut personal);
            if let (Some(redacted), Mode::Redact) = (redacted, self.mode) {
                splice.replace(raw, Value::from(redacted).to_string());
            }
        }
        let changed = self.mode == Mode::Redact && !personal.is_empty();
        let verdict = Ok(if changed {
            ask.with_body(splice.into_bytes())
        } else {
            ask
        });
        Findings {
            patterns,
            personal,
            verdict,
        }
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
}

#[cfg(test)]
mod tests;
