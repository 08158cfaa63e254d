//! Answers to the same question, for as long as an administrator says.
//!
//! What this data plane answered lately is in its own memory, within a bound of entries and one of bytes; the state
//! store has what all data planes answered. An answer that comes from there lasts here as long as it lasts there.

use super::flight::{Flights, Seat};
use super::vault::Vault;
use super::{Lead, MAX_CACHED_BYTES};
use moka::Expiry;
use moka::notification::RemovalCause;
use parking_lot::Mutex;
use proto::v1::StoredAnswer;
use state::{CacheCounts, CacheHoldings, CacheReport, EntryKey, StateStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PURPOSE: &str = "cache";

/// The answer when there is one to share; else each goes on by itself.
type Landing = Option<Arc<StoredAnswer>>;

#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    store: Arc<dyn StateStore>,
    vault: Vault,
    max_entries: u64,
    memory: moka::sync::Cache<EntryKey, Entry>,
    /// Questions that are being asked.
    asked: Flights<Landing>,
    /// Since the last report.
    counts: Mutex<Counts>,
    evictions: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Entry {
    answer: Arc<StoredAnswer>,
    lasts: Duration,
}

#[derive(Debug, Default)]
struct Counts {
    generation: u64,
    counts: CacheCounts,
}

struct Lasting;

/// What came of looking.
pub enum Lookup {
    Hit(Arc<StoredAnswer>),
    Miss(Kept),
}

/// Where an answer is to be kept. Dropped without one, whoever waits for it goes on by itself.
pub struct Kept {
    cache: Cache,
    key: EntryKey,
    lasts: Duration,
    lead: Option<Lead<Landing>>,
}

// === impl Cache ===

impl Cache {
    pub fn new(store: Arc<dyn StateStore>, vault: Vault, max_entries: u64, max_bytes: u64) -> Self {
        let evictions = Arc::new(AtomicU64::new(0));
        let evicted = evictions.clone();
        let least = max_bytes / max_entries.max(1);
        let memory = moka::sync::Cache::builder()
            .max_capacity(if max_entries == 0 { 0 } else { max_bytes })
            // an entry weighs enough for either bound to hold
            .weigher(move |_, entry: &Entry| {
                u32::try_from(least.max(entry.answer.body.len() as u64)).unwrap_or(u32::MAX)
            })
            .expire_after(Lasting)
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    evicted.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        Self(Arc::new(Inner {
            store,
            vault,
            max_entries,
            memory,
            asked: Flights::default(),
            counts: Mutex::default(),
            evictions,
        }))
    }

    /// Looks in memory, then in the store.
    pub async fn find(&self, key: &EntryKey) -> Option<Arc<StoredAnswer>> {
        if let Some(entry) = self.0.memory.get(key) {
            return Some(entry.answer);
        }
        let found = match self.0.store.cached_answer(key).await {
            Ok(found) => found?,
            Err(error) => {
                tracing::debug!(%error, "the state store is not asked for an answer");
                return None;
            }
        };
        let answer = Arc::new(self.0.vault.open(PURPOSE, key, &found.sealed)?);
        let entry = Entry {
            answer: answer.clone(),
            lasts: found.left,
        };
        self.0.memory.insert(key.clone(), entry);
        Some(answer)
    }

    /// After nothing was found: waits for whoever asks the same already, or is the one that others wait for.
    pub async fn join(&self, key: EntryKey, lasts: Duration, may_wait: bool) -> Lookup {
        let kept = |key, lead| {
            Lookup::Miss(Kept {
                cache: self.clone(),
                key,
                lasts,
                lead,
            })
        };
        if !may_wait {
            return kept(key, None);
        }
        match self.0.asked.enter(&key) {
            Seat::Lead(lead) => match self.0.memory.get(&key) {
                // it was answered between the look and now
                Some(entry) => Lookup::Hit(entry.answer),
                None => kept(key, Some(lead)),
            },
            Seat::Follow(follow) => match follow.landing().await.flatten() {
                Some(answer) => Lookup::Hit(answer),
                None => kept(key, None),
            },
        }
    }

    /// `is_similar`: the question was another.
    pub fn hit(&self, generation: u64, answer: &StoredAnswer, is_similar: bool) {
        self.count(generation, |counts| {
            counts.hits += 1;
            counts.similar_hits += u64::from(is_similar);
            counts.tokens_saved += answer.tokens;
        });
    }

    pub fn missed(&self, generation: u64) {
        self.count(generation, |counts| counts.misses += 1);
    }

    /// What happened since the last report, and what is here now.
    pub(super) fn take_report(&self, generation: u64) -> CacheReport {
        self.0.memory.run_pending_tasks();
        let Counts {
            generation: counted,
            mut counts,
        } = std::mem::take(&mut *self.0.counts.lock());
        counts.evictions += self.0.evictions.swap(0, Ordering::Relaxed);
        CacheReport {
            generation: generation.max(counted),
            counts: if counted >= generation {
                counts
            } else {
                CacheCounts::default()
            },
            holdings: CacheHoldings {
                entries: self.0.memory.entry_count(),
                max_entries: self.0.max_entries,
                ..CacheHoldings::default()
            },
        }
    }

    /// The report did not arrive.
    pub(super) fn put_back(&self, report: &CacheReport) {
        self.count(report.generation, |counts| counts.add(&report.counts));
    }

    /// Nothing that is here will be asked for again.
    pub(super) fn forget(&self) {
        self.0.memory.invalidate_all();
    }

    fn count(&self, generation: u64, change: impl FnOnce(&mut CacheCounts)) {
        let mut counts = self.0.counts.lock();
        if counts.generation < generation {
            *counts = Counts {
                generation,
                counts: CacheCounts::default(),
            };
        }
        if counts.generation == generation {
            change(&mut counts.counts);
        }
    }
}

// === impl Kept ===

impl Kept {
    /// How long what is kept lasts.
    pub fn lasts(&self) -> Duration {
        self.lasts
    }

    pub fn fits(bytes: usize) -> bool {
        bytes <= MAX_CACHED_BYTES
    }

    /// The store is told beside the request, which does not wait for it; and after that, if that went well, `then`.
    pub fn keep(mut self, answer: StoredAnswer, then: impl Future<Output = ()> + Send + 'static) {
        let Inner {
            store, vault, memory, ..
        } = &*self.cache.0;
        let sealed = vault.seal(PURPOSE, &self.key, &answer);
        let answer = Arc::new(answer);
        let entry = Entry {
            answer: answer.clone(),
            lasts: self.lasts,
        };
        memory.insert(self.key.clone(), entry);
        if let Some(lead) = self.lead.take() {
            lead.land(Some(answer));
        }
        let (store, key, lasts) = (store.clone(), self.key.clone(), self.lasts);
        tokio::spawn(async move {
            match store.cache_answer(&key, sealed, lasts).await {
                Ok(()) => then.await,
                Err(error) => tracing::debug!(%error, "an answer is cached by this data plane alone"),
            }
        });
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(lead) = self.lead.take() {
            lead.land(None);
        }
    }
}

// === impl Lasting ===

impl Expiry<EntryKey, Entry> for Lasting {
    fn expire_after_create(&self, _: &EntryKey, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.lasts)
    }

    fn expire_after_update(
        &self,
        _: &EntryKey,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.lasts)
    }
}

#[cfg(test)]
mod tests;
