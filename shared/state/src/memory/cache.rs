//! Cached answers, and what data planes say about theirs.

use super::Expiring;
use super::bounded::Bounded;
use crate::cache::{
    CACHE_REPORT_TTL, CacheCounts, CacheHoldings, CacheReport, CacheStats, CachedAnswer, MAX_CACHED_ANSWERS,
};
use crate::entry::EntryKey;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;

/// What all answers may take together.
const MAX_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Cache {
    answers: Bounded<EntryKey>,
    /// The newest that was heard of.
    generation: u64,
    counts: CacheCounts,
    /// By data plane.
    reports: Expiring<CacheHoldings>,
}

// === impl Cache ===

impl Default for Cache {
    fn default() -> Self {
        Self {
            answers: Bounded::new(MAX_BYTES, MAX_CACHED_ANSWERS, |key| {
                key.tenant.len() + key.hash.len()
            }),
            generation: 0,
            counts: CacheCounts::default(),
            reports: Expiring::default(),
        }
    }
}

impl Cache {
    pub fn insert(&mut self, key: &EntryKey, sealed: Bytes, ttl: Duration) {
        self.enter(key.generation);
        self.answers.insert(key.clone(), sealed, Instant::now() + ttl);
    }

    pub fn find(&mut self, key: &EntryKey) -> Option<CachedAnswer> {
        let now = Instant::now();
        let (sealed, until) = self.answers.get(key, now)?;
        Some(CachedAnswer {
            sealed,
            left: until - now,
        })
    }

    pub fn report(&mut self, data_plane: &str, report: &CacheReport) {
        self.reports
            .insert(data_plane, Instant::now() + CACHE_REPORT_TTL, report.holdings);
        if self.enter(report.generation) {
            self.counts.add(&report.counts);
        }
    }

    pub fn stats(&self, generation: u64) -> CacheStats {
        let mut stats = CacheStats::default();
        self.reports
            .alive()
            .for_each(|holdings| stats.holdings.add(holdings));
        if generation == self.generation {
            stats.counts = self.counts;
            let keys = self.answers.keys(Instant::now());
            stats.stored = keys.filter(|key| key.generation == generation).count() as u64;
        }
        stats
    }

    /// The first word of a newer generation ends the one before; an older one says nothing any more.
    fn enter(&mut self, generation: u64) -> bool {
        if generation > self.generation {
            self.generation = generation;
            self.counts = CacheCounts::default();
        }
        generation == self.generation
    }
}
