//! Transitions of a single process.

use super::clock::Clock;
use crate::health::{HealthChanges, OPEN_REMEMBERED, REMEMBERED, Standing, Subject, Transition};
use std::collections::HashMap;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Health {
    version: u64,
    /// Something noted up to this version is forgotten.
    floor: u64,
    noted: HashMap<Subject, Noted>,
}

#[derive(Debug)]
struct Noted {
    /// With what was left when it was noted.
    standing: Standing,
    version: u64,
    since_ms: i64,
    ends_ms: i64,
}

// === impl Health ===

impl Health {
    /// Versions start at the time, so that one from before a restart is older than all of this life's.
    pub(super) fn new(clock: &Clock) -> Self {
        let version = clock.now_us();
        Self {
            version,
            floor: version,
            noted: HashMap::new(),
        }
    }

    pub(super) fn note(&mut self, transitions: &[Transition], clock: &Clock) {
        let now = clock.now_ms();
        self.forget(now);
        for Transition {
            subject, standing, ..
        } in transitions
        {
            let ends_ms = after(now, Duration::from_millis(standing.left_ms()));
            if self
                .noted
                .get(subject)
                .is_some_and(|held| held.outlasts(standing, ends_ms))
            {
                continue;
            }
            self.version += 1;
            let noted = Noted {
                standing: standing.clone(),
                version: self.version,
                since_ms: now,
                ends_ms,
            };
            self.noted.insert(subject.clone(), noted);
        }
    }

    pub(super) fn since(&mut self, version: u64, clock: &Clock) -> HealthChanges {
        let now = clock.now_ms();
        self.forget(now);
        let complete = version < self.floor || version > self.version;
        let mut found: Vec<_> = self
            .noted
            .iter()
            .filter(|(_, noted)| {
                if complete {
                    noted.lasts(now)
                } else {
                    noted.version > version
                }
            })
            .collect();
        found.sort_by_key(|(_, noted)| noted.version);
        HealthChanges {
            version: self.version,
            complete,
            transitions: found
                .into_iter()
                .map(|(subject, noted)| Transition {
                    subject: subject.clone(),
                    standing: noted.standing_at(now),
                    since_ms: noted.since_ms,
                })
                .collect(),
        }
    }

    fn forget(&mut self, now: i64) {
        let floor = &mut self.floor;
        self.noted.retain(|_, noted| {
            let keep = noted.forgotten_at() > now;
            if !keep {
                *floor = noted.version.max(*floor);
            }
            keep
        });
    }
}

// === impl Noted ===

impl Noted {
    fn outlasts(&self, standing: &Standing, ends_ms: i64) -> bool {
        let same = matches!(
            (&self.standing, standing),
            (Standing::Resting { .. }, Standing::Resting { .. })
                | (Standing::Open { .. }, Standing::Open { .. })
        );
        same && self.ends_ms > ends_ms
    }

    fn lasts(&self, now: i64) -> bool {
        match self.standing {
            Standing::Fine => false,
            Standing::Resting { .. } => self.ends_ms > now,
            Standing::Open { .. } => true,
        }
    }

    fn forgotten_at(&self) -> i64 {
        let remembered = match self.standing {
            Standing::Open { .. } => OPEN_REMEMBERED,
            Standing::Fine | Standing::Resting { .. } => REMEMBERED,
        };
        after(self.ends_ms, remembered)
    }

    fn standing_at(&self, now: i64) -> Standing {
        let mut standing = self.standing.clone();
        if let Standing::Resting { left, .. } | Standing::Open { left, .. } = &mut standing {
            *left = Duration::from_millis(u64::try_from(self.ends_ms - now).unwrap_or(0));
        }
        standing
    }
}

fn after(ms: i64, time: Duration) -> i64 {
    ms.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine(provider: &str) -> Transition {
        let provider = provider.to_owned();
        Transition::new(Subject::Provider { provider }, Standing::Fine)
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_away_while_something_was_forgotten_gets_everything() {
        let clock = Clock::default();
        let mut health = Health::new(&clock);
        health.note(&[fine("a")], &clock);
        let before = health.since(0, &clock).version;
        health.note(&[fine("b")], &clock);
        let after = health.since(before, &clock);
        assert!(!after.complete);
        assert_eq!(after.transitions.len(), 1);

        tokio::time::advance(REMEMBERED).await;
        assert!(health.since(before, &clock).complete);
        assert!(!health.since(after.version, &clock).complete);
        assert!(health.noted.is_empty());
    }
}
