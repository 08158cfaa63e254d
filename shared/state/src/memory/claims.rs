//! Who carries a request out, and what came of it.

use super::Expiring;
use super::bounded::Bounded;
use crate::claim::Claim;
use crate::entry::EntryKey;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;

/// What all answers may take together, and how many they may be.
const MAX_BYTES: usize = 64 << 20;
const MAX_ANSWERS: usize = 10_000;

#[derive(Debug)]
pub(super) struct Claims {
    /// Holders by name.
    running: Expiring<String>,
    answered: Bounded<String>,
}

// === impl Claims ===

impl Default for Claims {
    fn default() -> Self {
        Self {
            running: Expiring::default(),
            answered: Bounded::new(MAX_BYTES, MAX_ANSWERS, String::len),
        }
    }
}

impl Claims {
    pub fn claim(&mut self, key: &EntryKey, holder: &str, lease: Duration) -> Claim {
        let (name, now) = (key.name(), Instant::now());
        if let Some((answer, _)) = self.answered.get(&name, now) {
            return Claim::Answered(answer);
        }
        if let Some(until) = self.running.until(&name)
            && self.running.get(&name).is_some_and(|held| held != holder)
        {
            return Claim::Held {
                lease_left: until.saturating_duration_since(now),
            };
        }
        self.running.insert(&name, now + lease, holder.to_owned());
        Claim::Granted
    }

    pub fn renew(&mut self, key: &EntryKey, holder: &str, lease: Duration) -> bool {
        let name = key.name();
        let is_held = self.is_held(&name, holder);
        if is_held {
            self.running
                .insert(&name, Instant::now() + lease, holder.to_owned());
        }
        is_held
    }

    pub fn answer(&mut self, key: &EntryKey, holder: &str, answer: Bytes, window: Duration) -> bool {
        let name = key.name();
        let is_held = self.is_held(&name, holder);
        if is_held {
            self.running.remove(&name);
            self.answered.insert(name, answer, Instant::now() + window);
        }
        is_held
    }

    pub fn release(&mut self, key: &EntryKey, holder: &str) -> bool {
        let name = key.name();
        let is_held = self.is_held(&name, holder);
        if is_held {
            self.running.remove(&name);
        }
        is_held
    }

    fn is_held(&mut self, name: &str, holder: &str) -> bool {
        self.running.get(name).is_some_and(|held| held == holder)
    }
}
