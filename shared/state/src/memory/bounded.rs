//! Bytes that expire, within a bound of how much and how many they are.

use bytes::Bytes;
use std::collections::HashMap;
use std::hash::Hash;
use tokio::time::Instant;

/// What an entry costs beside its bytes and its key.
const OVERHEAD: usize = 128;

#[derive(Debug)]
pub(super) struct Bounded<K> {
    entries: HashMap<K, Entry>,
    bytes: usize,
    max_bytes: usize,
    max_entries: usize,
    /// How many bytes a key has.
    size: fn(&K) -> usize,
}

#[derive(Debug)]
struct Entry {
    until: Instant,
    bytes: Bytes,
}

// === impl Bounded ===

impl<K: Hash + Ord + Clone> Bounded<K> {
    pub fn new(max_bytes: usize, max_entries: usize, size: fn(&K) -> usize) -> Self {
        Self {
            entries: HashMap::new(),
            bytes: 0,
            max_bytes,
            max_entries,
            size,
        }
    }

    pub fn insert(&mut self, key: K, bytes: Bytes, until: Instant) {
        self.remove(&key);
        let cost = self.cost(&key, &bytes);
        if cost > self.max_bytes {
            return;
        }
        if self.bytes + cost > self.max_bytes || self.entries.len() >= self.max_entries {
            self.make_room();
        }
        self.bytes += cost;
        self.entries.insert(key, Entry { until, bytes });
    }

    /// What is there, and until when.
    pub fn get(&mut self, key: &K, now: Instant) -> Option<(Bytes, Instant)> {
        let entry = self.entries.get(key)?;
        if entry.until <= now {
            self.remove(key);
            return None;
        }
        Some((entry.bytes.clone(), entry.until))
    }

    /// Finds something and lets it live longer.
    pub fn touch(&mut self, key: &K, now: Instant, until: Instant) -> Option<Bytes> {
        let (bytes, _) = self.get(key, now)?;
        if let Some(entry) = self.entries.get_mut(key) {
            entry.until = until;
        }
        Some(bytes)
    }

    /// The keys of what has not expired.
    pub fn keys(&self, now: Instant) -> impl Iterator<Item = &K> {
        let alive = self.entries.iter().filter(move |(_, entry)| entry.until > now);
        alive.map(|(key, _)| key)
    }

    /// Forgets the half that ends the soonest, the expired before all.
    fn make_room(&mut self) {
        let mut keys: Vec<(Instant, K)> = self
            .entries
            .iter()
            .map(|(key, entry)| (entry.until, key.clone()))
            .collect();
        keys.sort_unstable();
        for (_, key) in keys {
            if self.bytes <= self.max_bytes / 2 && self.entries.len() <= self.max_entries / 2 {
                return;
            }
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= self.cost(key, &entry.bytes);
        }
    }

    fn cost(&self, key: &K, bytes: &Bytes) -> usize {
        (self.size)(key) + bytes.len() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MAX_BYTES: usize = 64 << 20;

    fn bounded(max_entries: usize) -> Bounded<String> {
        Bounded::new(MAX_BYTES, max_entries, String::len)
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_bounded_and_what_ends_first_goes_first() {
        let mut bounded = bounded(usize::MAX);
        let now = Instant::now();
        let megabyte = Bytes::from(vec![0; 1 << 20]);
        for n in 0..200 {
            let until = now + Duration::from_secs(n);
            bounded.insert(n.to_string(), megabyte.clone(), until);
            assert!(bounded.bytes <= MAX_BYTES, "after {n}: {}", bounded.bytes);
        }
        let later = now + Duration::from_secs(500);
        assert!(bounded.touch(&"199".to_owned(), now, later).is_some());
        assert!(bounded.touch(&"0".to_owned(), now, later).is_none());
        bounded.insert("huge".to_owned(), Bytes::from(vec![0; MAX_BYTES]), later);
        assert!(bounded.touch(&"huge".to_owned(), now, later).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn entries_are_bounded_too() {
        let mut bounded = bounded(10);
        let now = Instant::now();
        for n in 0..100 {
            let until = now + Duration::from_secs(n + 1);
            bounded.insert(n.to_string(), Bytes::new(), until);
            assert!(bounded.entries.len() <= 10, "after {n}");
        }
        assert!(bounded.get(&"99".to_owned(), now).is_some());
        assert_eq!(bounded.keys(now + Duration::from_secs(99)).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_replaced_or_expired_costs_nothing() {
        let mut bounded = bounded(10);
        let (now, key) = (Instant::now(), "k".to_owned());
        for n in 0..3 {
            bounded.insert(key.clone(), Bytes::from(vec![0; 10 + n]), now);
        }
        assert!(bounded.touch(&key, now, now).is_none());
        assert_eq!((bounded.bytes, bounded.entries.len()), (0, 0));
    }
}
