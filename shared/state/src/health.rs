//! What is known to fail, so that one data plane's bad experience spares the others theirs.
//!
//! A data plane notes transitions, not measurements: between two of them the store has nothing to do. The store's
//! clock decides how long something still rests, so data planes need not agree on theirs.

use std::time::Duration;

/// How long the store remembers that something is fine again, or that a rest has ended. Whoever asks less often
/// gets everything anew.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(60);
/// After which an open breaker is forgotten that nobody probed. The provider may be long gone, and a breaker that
/// waits for a probe lets one request through, as a forgotten one would.
pub(crate) const OPEN_REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// What a longer rest counts as: any clock can add it.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// What fails.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    Connection {
        provider: String,
        connection: String,
    },
    /// One model on one connection; the others of the connection may be well.
    Model {
        provider: String,
        connection: String,
        model: String,
    },
    Provider {
        provider: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Fine,
    /// Of a connection or a model. In the answer to a later question it may have ended meanwhile (`left` is zero);
    /// `level` still counts then, because only a success forgives.
    Resting {
        left: Duration,
        /// By the provider's rate limit or quota, rather than by a failure.
        limited: bool,
        /// How many rests in a row this is, for the next one to be longer.
        level: u32,
        /// A short text without secrets, for people.
        reason: String,
    },
    /// Of a provider, whose breaker is open. Stays so when nothing is `left`: one probe may pass then.
    Open {
        left: Duration,
        failures: u32,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub subject: Subject,
    pub standing: Standing,
    /// Unix time by the store's clock; what a caller puts here is not read.
    pub since_ms: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthChanges {
    /// What to ask with next.
    pub version: u64,
    /// Whether this is everything there is: what is not in it is fine.
    pub complete: bool,
    /// In the order they were noted, each subject once.
    pub transitions: Vec<Transition>,
}

// === impl Transition ===

impl Transition {
    /// For [`StateStore::note_health`](crate::StateStore::note_health), which knows the time itself.
    pub fn new(subject: Subject, standing: Standing) -> Self {
        Self {
            subject,
            standing,
            since_ms: 0,
        }
    }
}

// === impl Standing ===

impl Standing {
    pub(crate) fn left_ms(&self) -> u64 {
        let left = match self {
            Self::Fine => Duration::ZERO,
            Self::Resting { left, .. } | Self::Open { left, .. } => *left,
        };
        u64::try_from(left.min(LONGEST).as_millis()).unwrap_or(u64::MAX)
    }
}
