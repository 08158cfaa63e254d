//! What is held against one account, or one model of it.

use super::outbox::Note;
use crate::routing::penalty::Rest;
use std::time::Duration;
use tokio::time::Instant;

/// Rests end up to this fraction earlier or later, so that a fleet does not come back all at once.
const JITTER: f64 = 0.1;

/// An account, or one model of it, that must not be used yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooling {
    pub until: Instant,
    /// A limit of the provider, as opposed to a failure.
    pub limited: bool,
    /// In one word of the operator's view, such as `rate_limit_exceeded`.
    pub reason: &'static str,
}

/// The last rest, which may be over, and how far the next one is lengthened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Punishment {
    pub cooling: Cooling,
    level: u32,
    punished_at: Instant,
}

/// Why one rests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause {
    pub limited: bool,
    pub reason: &'static str,
    /// For how long the provider asked to be left alone.
    pub hint: Option<Duration>,
}

// === impl Cooling ===

impl Cooling {
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

// === impl Punishment ===

impl Punishment {
    /// The next punishment after `earlier`. `None` while that one still lasts: twenty requests that fail together
    /// are one failure.
    pub fn after(earlier: Option<Self>, now: Instant, rest: Rest, cause: Cause) -> Option<Self> {
        if earlier.is_some_and(|earlier| earlier.lasts(now)) {
            return None;
        }
        let level = earlier.map_or(0, |earlier| earlier.level);
        let jitter = rand::random_range(1.0 - JITTER..=1.0 + JITTER);
        let cooling = Cooling {
            until: now + rest.duration(level, cause.hint).mul_f64(jitter),
            limited: cause.limited,
            reason: cause.reason,
        };
        Some(Self {
            cooling,
            level: rest.raise(level),
            punished_at: now,
        })
    }

    /// What another data plane found, joined with what is known here: the longer rest and the higher level.
    pub fn join(earlier: Option<Self>, now: Instant, cooling: Cooling, level: u32) -> Self {
        let Some(earlier) = earlier else {
            return Self {
                cooling,
                level,
                punished_at: now,
            };
        };
        Self {
            cooling: if cooling.until > earlier.cooling.until {
                cooling
            } else {
                earlier.cooling
            },
            level: earlier.level.max(level),
            // one's own finding comes back as news, and must not count as a later one
            punished_at: if earlier.lasts(now) {
                earlier.punished_at
            } else {
                now
            },
        }
    }

    pub fn lasts(&self, now: Instant) -> bool {
        self.cooling.until > now
    }

    pub fn is_before(&self, instant: Instant) -> bool {
        self.punished_at <= instant
    }

    pub fn note(&self) -> Note {
        Note::Resting {
            until: self.cooling.until,
            limited: self.cooling.limited,
            level: self.level,
            reason: self.cooling.reason,
        }
    }
}
