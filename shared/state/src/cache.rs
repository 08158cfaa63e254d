//! Answers that are given again to whoever asks the same, and how often that happens.

use bytes::Bytes;
use std::time::Duration;

/// More answers are not kept by the store; those that end soonest go first.
pub const MAX_CACHED_ANSWERS: usize = 10_000;

/// How long a report of a data plane counts.
pub const CACHE_REPORT_TTL: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedAnswer {
    pub sealed: Bytes,
    /// Until it is forgotten.
    pub left: Duration,
}

/// What one data plane tells: what happened since its last report, and what it holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheReport {
    /// That the counts are of.
    pub generation: u64,
    pub counts: CacheCounts,
    pub holdings: CacheHoldings,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    pub hits: u64,
    /// Of these, answers to a similar question.
    pub similar_hits: u64,
    pub misses: u64,
    /// Answers that a data plane's memory had no room for any more.
    pub evictions: u64,
    /// Of answers that no provider had to give.
    pub tokens_saved: u64,
}

/// What is in the memory of data planes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheHoldings {
    pub entries: u64,
    pub max_entries: u64,
    /// Requests that run, or are answered and not forgotten yet, under a name that their clients gave them.
    pub idempotency_keys: u64,
    /// How long answers to those are remembered; of several data planes the longest.
    pub idempotency_window_ms: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Of the generation that was asked for.
    pub counts: CacheCounts,
    /// Answers in the store, of that generation.
    pub stored: u64,
    /// Summed over the data planes that reported lately.
    pub holdings: CacheHoldings,
}

// === impl CacheCounts ===

impl CacheCounts {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.similar_hits += other.similar_hits;
        self.misses += other.misses;
        self.evictions += other.evictions;
        self.tokens_saved += other.tokens_saved;
    }
}

// === impl CacheHoldings ===

impl CacheHoldings {
    pub(crate) fn add(&mut self, other: &Self) {
        self.entries += other.entries;
        self.max_entries += other.max_entries;
        self.idempotency_keys += other.idempotency_keys;
        self.idempotency_window_ms = self.idempotency_window_ms.max(other.idempotency_window_ms);
    }
}
