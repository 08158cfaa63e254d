//! What this data plane has found out and the others do not know yet.
//!
//! One entry per subject, the latest: however fast things change, what waits here is bounded by what is configured.

use crate::routing::penalty;
use parking_lot::Mutex;
use state::{Standing, Subject, Transition};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use tokio::sync::Notify;
use tokio::time::Instant;

#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    news: Notify,
}

/// How a subject stands, by this process's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    Fine,
    Resting {
        until: Instant,
        limited: bool,
        level: u32,
        reason: &'static str,
    },
    Open {
        until: Instant,
        failures: u32,
    },
}

/// What is taken out of the outbox in one go.
#[derive(Default)]
pub(super) struct Waiting {
    pub notes: HashMap<Subject, Note>,
    pub released: Vec<Released>,
}

/// A probe that is over.
pub(super) struct Released {
    pub provider: String,
    pub holder: String,
}

// === impl Outbox ===

impl Outbox {
    pub fn note(&self, subject: Subject, note: Note) {
        self.waiting.lock().notes.insert(subject, note);
        self.news.notify_one();
    }

    pub fn release(&self, released: Released) {
        self.waiting.lock().released.push(released);
        self.news.notify_one();
    }

    /// What waits to be told about a subject.
    pub fn pending(&self, subject: &Subject) -> Option<Note> {
        self.waiting.lock().notes.get(subject).copied()
    }

    pub async fn news(&self) {
        self.news.notified().await;
    }

    pub fn take(&self) -> Waiting {
        std::mem::take(&mut self.waiting.lock())
    }

    /// Puts back what could not be told, except where there is something newer by now.
    pub fn put_back(&self, notes: Vec<(Subject, Note)>) {
        let mut waiting = self.waiting.lock();
        for (subject, note) in notes {
            if let Entry::Vacant(vacant) = waiting.notes.entry(subject) {
                vacant.insert(note);
            }
        }
    }
}

// === impl Note ===

impl Note {
    /// `None` when it has become pointless to tell.
    pub fn transition(self, subject: Subject, now: Instant) -> Option<Transition> {
        let standing = match self {
            Self::Fine => Standing::Fine,
            Self::Resting { until, .. } if until <= now => return None,
            Self::Resting {
                until,
                limited,
                level,
                reason,
            } => Standing::Resting {
                left: until - now,
                limited,
                level,
                reason: reason.to_owned(),
            },
            Self::Open { until, failures } => Standing::Open {
                left: until.saturating_duration_since(now),
                failures,
            },
        };
        Some(Transition::new(subject, standing))
    }

    /// As the store tells it.
    pub fn of(standing: &Standing, now: Instant) -> Self {
        match standing {
            Standing::Fine => Self::Fine,
            Standing::Resting {
                left,
                limited,
                level,
                reason,
            } => Self::Resting {
                until: now + *left,
                limited: *limited,
                level: *level,
                reason: penalty::reason_named(reason),
            },
            Standing::Open { left, failures } => Self::Open {
                until: now + *left,
                failures: *failures,
            },
        }
    }
}
