//! Answers to questions that were asked in other words.
//!
//! Questions that differ in nothing but the words of the last message lie in one partition, which is one tenant's like
//! everything that can be found. Of each that was answered there is a vector in the state store, beside the answer. A
//! data plane reads what was added since it last looked, and compares in its own memory: a partition is small, and an
//! index that answers approximately would have to be corrected all the same.

use super::particulars::Particulars;
use super::vault::Vault;
use super::vector::Vector;
use moka::sync::Cache;
use parking_lot::Mutex;
use state::{AddedVector, EntryKey, MAX_VECTORS, StateStore, StoreError, VectorChanges, VectorMark};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const PURPOSE: &str = "vector";
/// What all partitions may take together in this process.
const MAX_BYTES: u64 = 64 << 20;
/// What an entry takes beside its vector, and a partition beside its entries.
const OVERHEAD: usize = 160;
/// A partition that nobody asks in for so long is read anew.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// So many answers are looked for: one that was alike may be gone by now.
const CANDIDATES: usize = 3;
/// Sums of small numbers are not exact.
const ROUNDING: f64 = 1e-6;

#[derive(Clone)]
pub struct Similar(Arc<Inner>);

struct Inner {
    store: Arc<dyn StateStore>,
    vault: Vault,
    index: Cache<EntryKey, Arc<Mutex<Partition>>>,
}

/// A question in a partition, as far as it can be compared with others.
#[derive(Debug, Clone)]
pub struct Placed {
    pub partition: EntryKey,
    /// Hash of its own answer.
    pub entry: [u8; 32],
    pub particulars: Particulars,
}

/// One that was answered and is alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alike {
    pub entry: [u8; 32],
    pub similarity: f64,
}

/// What is known here of a partition.
#[derive(Default)]
struct Partition {
    mark: VectorMark,
    entries: HashMap<[u8; 32], Entry>,
    /// Of all entries.
    bytes: usize,
    /// How many were ever read.
    number: u64,
}

struct Entry {
    number: u64,
    particulars: Particulars,
    vector: Vector,
}

// === impl Similar ===

impl Similar {
    pub fn new(store: Arc<dyn StateStore>, vault: Vault) -> Self {
        let index = Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|_, partition: &Arc<Mutex<Partition>>| {
                u32::try_from(partition.lock().bytes + OVERHEAD).unwrap_or(u32::MAX)
            })
            .time_to_idle(IDLE)
            .build();
        Self(Arc::new(Inner { store, vault, index }))
    }

    /// Learns what was added to a partition since it was last asked about. One that is new here is read in several
    /// steps, one with each question.
    pub async fn refresh(&self, partition: &EntryKey) -> Result<(), StoreError> {
        let Inner { store, index, .. } = &*self.0;
        let known = index.get_with_by_ref(partition, Arc::default);
        let mark = known.lock().mark;
        let changes = store.vectors_since(partition, mark).await?;
        if changes.added.is_empty() {
            return Ok(());
        }
        let opened = self.opened(partition, &changes);
        known.lock().learn(changes.mark, opened);
        // with what it weighs now
        index.insert(partition.clone(), known);
        Ok(())
    }

    /// The answered questions that are alike enough, the most alike first.
    pub fn alike(&self, placed: &Placed, vector: &Vector, threshold: f64) -> Vec<Alike> {
        let Some(known) = self.0.index.get(&placed.partition) else {
            return Vec::new();
        };
        let mut found: Vec<Alike> = known
            .lock()
            .entries
            .iter()
            .filter_map(|(hash, entry)| {
                let similarity = entry.vector.similarity(vector)?;
                let least = entry.particulars.threshold(&placed.particulars, threshold);
                let is_alike = similarity + ROUNDING >= least && entry.particulars.agree(&placed.particulars);
                is_alike.then_some(Alike {
                    entry: *hash,
                    similarity,
                })
            })
            .collect();
        found.sort_by(|one, other| other.similarity.total_cmp(&one.similarity));
        found.truncate(CANDIDATES);
        found
    }

    /// There is no answer any more.
    pub fn forget(&self, partition: &EntryKey, entry: &[u8; 32]) {
        if let Some(known) = self.0.index.get(partition) {
            known.lock().remove(entry);
        }
    }

    /// Tells all data planes that the question is answered, for as long as its answer is kept.
    pub async fn keep(&self, placed: &Placed, vector: &Vector, ttl: Duration) {
        let Inner { store, vault, .. } = &*self.0;
        let Placed {
            partition,
            entry,
            particulars,
        } = placed;
        let mut plain = entry.to_vec();
        plain.extend(particulars.to_bytes());
        plain.extend(vector.to_bytes());
        let sealed = vault.seal_bytes(PURPOSE, partition, &plain);
        if let Err(error) = store.add_vector(partition, entry, sealed, ttl).await {
            tracing::debug!(%error, "an answer will not be found for a similar question");
        }
    }

    fn opened(&self, partition: &EntryKey, changes: &VectorChanges) -> Vec<([u8; 32], Particulars, Vector)> {
        let open = |AddedVector { entry, sealed }: &AddedVector| {
            let plain = self.0.vault.open_bytes(PURPOSE, partition, sealed)?;
            let (of, rest) = plain.split_first_chunk::<32>()?;
            let (particulars, vector) = Particulars::from_bytes(rest)?;
            (of == entry).then_some((*entry, particulars, Vector::from_bytes(vector)?))
        };
        changes.added.iter().filter_map(open).collect()
    }
}

// === impl Partition ===

impl Partition {
    fn learn(&mut self, mark: VectorMark, added: Vec<([u8; 32], Particulars, Vector)>) {
        // another request may have read the same, and more
        self.mark = self.mark.max(mark);
        for (hash, particulars, vector) in added {
            self.remove(&hash);
            self.number += 1;
            let entry = Entry {
                number: self.number,
                particulars,
                vector,
            };
            self.bytes += entry.cost();
            self.entries.insert(hash, entry);
        }
        while self.entries.len() > MAX_VECTORS {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.number);
            let Some(oldest) = oldest.map(|(hash, _)| *hash) else {
                return;
            };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, hash: &[u8; 32]) {
        if let Some(gone) = self.entries.remove(hash) {
            self.bytes -= gone.cost();
        }
    }
}

// === impl Entry ===

impl Entry {
    fn cost(&self) -> usize {
        self.vector.size() + self.particulars.size() + OVERHEAD
    }
}

#[cfg(test)]
mod tests;
