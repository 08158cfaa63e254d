//! Vectors of a single process.

use crate::entry::EntryKey;
use crate::vector::{AddedVector, MAX_VECTORS, VECTORS_AT_ONCE, VectorChanges, VectorMark};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// What all partitions may take together.
const MAX_BYTES: usize = 64 << 20;
/// What a vector costs beside its bytes, and a partition beside its vectors.
const OVERHEAD: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Vectors {
    partitions: HashMap<EntryKey, Partition>,
    bytes: usize,
    /// How many were ever added.
    number: u64,
}

#[derive(Debug)]
struct Partition {
    vectors: VecDeque<Held>,
    until: Instant,
}

#[derive(Debug)]
struct Held {
    mark: VectorMark,
    until: Instant,
    vector: AddedVector,
}

// === impl Vectors ===

impl Vectors {
    pub fn add(&mut self, partition: &EntryKey, entry: [u8; 32], sealed: Bytes, ttl: Duration) {
        let now = Instant::now();
        let cost = sealed.len() + OVERHEAD;
        if cost > MAX_BYTES / 2 {
            return;
        }
        if self.bytes + cost > MAX_BYTES {
            self.make_room(now);
        }
        self.number += 1;
        let until = now + ttl;
        let held = Held {
            mark: VectorMark {
                time: 0,
                number: self.number,
            },
            until,
            vector: AddedVector { entry, sealed },
        };
        self.bytes += cost;
        let Some(known) = self.partitions.get_mut(partition) else {
            self.bytes += OVERHEAD;
            let vectors = VecDeque::from([held]);
            let known = Partition { vectors, until };
            drop(self.partitions.insert(partition.clone(), known));
            return;
        };
        known.until = known.until.max(until);
        known.vectors.push_back(held);
        while known.vectors.len() > MAX_VECTORS || known.vectors.front().is_some_and(|held| held.until <= now)
        {
            self.bytes -= known.vectors.pop_front().map_or(0, |held| held.cost());
        }
    }

    pub fn since(&self, partition: &EntryKey, mark: VectorMark) -> VectorChanges {
        let now = Instant::now();
        let vectors = self.partitions.get(partition).map(|known| &known.vectors);
        let newer = vectors
            .into_iter()
            .flatten()
            .skip_while(|held| held.mark <= mark)
            .filter(|held| held.until > now)
            .take(VECTORS_AT_ONCE);
        let mut changes = VectorChanges {
            mark,
            added: Vec::new(),
        };
        for held in newer {
            changes.mark = held.mark;
            changes.added.push(held.vector.clone());
        }
        changes
    }

    /// Forgets the partitions that end the soonest, until half of the room is free.
    fn make_room(&mut self, now: Instant) {
        let mut ends: Vec<(Instant, EntryKey)> = self
            .partitions
            .iter()
            .map(|(key, known)| (known.until, key.clone()))
            .collect();
        ends.sort_unstable();
        for (until, key) in ends {
            if until > now && self.bytes <= MAX_BYTES / 2 {
                return;
            }
            if let Some(gone) = self.partitions.remove(&key) {
                self.bytes -= OVERHEAD + gone.vectors.iter().map(Held::cost).sum::<usize>();
            }
        }
    }
}

// === impl Held ===

impl Held {
    fn cost(&self) -> usize {
        self.vector.sealed.len() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(n: u64) -> EntryKey {
        EntryKey {
            generation: n,
            tenant: "t".to_owned(),
            hash: [0; 32],
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_bounded_over_all_partitions_and_what_ends_first_goes_first() {
        let mut vectors = Vectors::default();
        let megabyte = Bytes::from(vec![0; 1 << 20]);
        for n in 0..200 {
            let ttl = Duration::from_secs(n + 1);
            vectors.add(&partition(n), [0; 32], megabyte.clone(), ttl);
            assert!(vectors.bytes <= MAX_BYTES, "after {n}: {}", vectors.bytes);
        }
        let left = |n| vectors.since(&partition(n), VectorMark::default()).added.len();
        assert_eq!((left(0), left(199)), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_costs_nothing_once_it_is_met() {
        let mut vectors = Vectors::default();
        for _ in 0..10 {
            vectors.add(
                &partition(1),
                [0; 32],
                Bytes::from_static(b"v"),
                Duration::from_secs(1),
            );
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(vectors.bytes, 2 * OVERHEAD + 1);
    }
}
