//! What answers held, by tenant and call, within a bound of bytes.

use bytes::Bytes;
use std::collections::HashMap;
use tokio::time::Instant;

/// What all tenants may take together.
const MAX_BYTES: usize = 64 << 20;
/// What an entry costs beside its bytes.
const OVERHEAD: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Turns {
    entries: HashMap<(String, String), Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    until: Instant,
    sealed: Bytes,
}

// === impl Turns ===

impl Turns {
    pub fn insert(&mut self, tenant: &str, call: &str, sealed: Bytes, until: Instant) {
        let key = (tenant.to_owned(), call.to_owned());
        self.remove(&key);
        let cost = cost(&key, &sealed);
        if cost > MAX_BYTES {
            return;
        }
        if self.bytes + cost > MAX_BYTES {
            self.make_room();
        }
        self.bytes += cost;
        self.entries.insert(key, Entry { until, sealed });
    }

    /// Finds a turn and lets it live longer.
    pub fn touch(&mut self, tenant: &str, call: &str, now: Instant, until: Instant) -> Option<Bytes> {
        let key = (tenant.to_owned(), call.to_owned());
        let entry = self.entries.get_mut(&key)?;
        if entry.until <= now {
            self.remove(&key);
            return None;
        }
        entry.until = until;
        Some(entry.sealed.clone())
    }

    /// Forgets the half that was asked for the longest ago, the expired before all.
    fn make_room(&mut self) {
        let mut keys: Vec<(Instant, (String, String))> = self
            .entries
            .iter()
            .map(|(key, entry)| (entry.until, key.clone()))
            .collect();
        keys.sort_unstable();
        for (_, key) in keys {
            if self.bytes <= MAX_BYTES / 2 {
                return;
            }
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &(String, String)) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= cost(key, &entry.sealed);
        }
    }
}

fn cost((tenant, call): &(String, String), sealed: &Bytes) -> usize {
    tenant.len() + call.len() + sealed.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn turns_are_bounded_and_the_oldest_go_first() {
        let mut turns = Turns::default();
        let now = Instant::now();
        let megabyte = Bytes::from(vec![0; 1 << 20]);
        for n in 0..200 {
            let until = now + Duration::from_secs(n);
            turns.insert("t", &n.to_string(), megabyte.clone(), until);
            assert!(turns.bytes <= MAX_BYTES, "after {n}: {}", turns.bytes);
        }
        let later = now + Duration::from_secs(500);
        assert!(turns.touch("t", "199", now, later).is_some());
        assert!(turns.touch("t", "0", now, later).is_none());
        turns.insert("t", "huge", Bytes::from(vec![0; MAX_BYTES]), later);
        assert!(turns.touch("t", "huge", now, later).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_replaced_or_expired_costs_nothing() {
        let mut turns = Turns::default();
        let now = Instant::now();
        for n in 0..3 {
            turns.insert("t", "c", Bytes::from(vec![0; 10 + n]), now);
        }
        assert!(turns.touch("t", "c", now, now).is_none());
        assert_eq!((turns.bytes, turns.entries.len()), (0, 0));
    }
}
