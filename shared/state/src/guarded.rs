//! A state store that is asked only while it answers.
//!
//! What a request waits for is bounded by the store's own deadline, 50 ms. When calls begin to miss it, that wait
//! would be added to every request; instead the breaker opens, calls fail at once with [`StoreError::Away`], and
//! callers do what they do without a store. One task per process, [`GuardedStore::watch`], probes until the store
//! answers in time again. A cluster counts as one store: while one of its servers is gone, all of it is.
//!
//! What runs in the background is not held back: it has time, nobody waits for it, and it is how the store gets to
//! know what it missed.

mod breaker;

use self::breaker::Breaker;
use crate::admission::{Admission, BudgetStanding, Renewal, Ruling, Settled, Settlement, Spending};
use crate::ban::BanChanges;
use crate::cache::{CacheReport, CacheStats, CachedAnswer};
use crate::claim::Claim;
use crate::combo::ComboCount;
use crate::entry::EntryKey;
use crate::health::{HealthChanges, Transition};
use crate::load::ConnectionLoad;
use crate::session::{Session, SessionUse};
use crate::vector::{VectorChanges, VectorMark};
use crate::{LoginStanding, StateStore, StoreError};
use async_trait::async_trait;
use bytes::Bytes;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

pub use self::breaker::Condition;

/// How often a store is looked at of which nobody wants anything.
const CHECK: Duration = Duration::from_secs(1);
/// A probe tries so long, and so often: connections have to be made anew.
const PROBE: Duration = Duration::from_secs(1);
const PROBE_PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub struct GuardedStore {
    store: Arc<dyn StateStore>,
    breaker: Arc<Breaker>,
}

// === impl GuardedStore ===

impl GuardedStore {
    pub fn new(store: Arc<dyn StateStore>) -> Self {
        Self {
            store,
            breaker: Arc::default(),
        }
    }

    /// Finds out that the store has gone, even when nobody asks it for anything, and that it is back. Never ends:
    /// a guarded store that nobody watches stays away for ever. `tell` learns of every change, whether the store is
    /// away now.
    pub async fn watch(&self, tell: impl Fn(bool)) {
        loop {
            // a failure here is one to look at again, at once
            let _ = timeout(CHECK, self.breaker.failed.notified()).await;
            let _ = self.ping().await;
            if self.breaker.is_away() {
                tell(true);
                self.until_it_answers().await;
                tell(false);
            }
        }
    }

    async fn until_it_answers(&self) {
        loop {
            sleep(self.breaker.rest()).await;
            if self.answers().await {
                return self.breaker.close();
            }
        }
    }

    async fn answers(&self) -> bool {
        let answer = async {
            while self.store.ping().await.is_err() {
                sleep(PROBE_PAUSE).await;
            }
        };
        timeout(PROBE, answer).await.is_ok()
    }

    /// For what a request waits for.
    async fn asked<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        if self.breaker.is_away() {
            return Err(StoreError::Away);
        }
        let answer = call.await;
        match &answer {
            Ok(_) => self.breaker.succeeded(),
            Err(_) => self.breaker.failed(),
        }
        answer
    }

    /// For what nobody waits for and nobody misses: it takes its time, which says nothing about the store.
    async fn spared<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match self.breaker.is_away() {
            true => Err(StoreError::Away),
            false => call.await,
        }
    }
}

#[async_trait]
impl StateStore for GuardedStore {
    async fn load_snapshot(&self) -> Result<Option<Bytes>, StoreError> {
        self.store.load_snapshot().await
    }

    async fn store_snapshot(&self, epoch: &str, revision: u64, sealed: Bytes) -> Result<bool, StoreError> {
        self.store.store_snapshot(epoch, revision, sealed).await
    }

    async fn revoke_session(&self, jti: &str, ttl: Duration) -> Result<(), StoreError> {
        self.asked(self.store.revoke_session(jti, ttl)).await
    }

    async fn session_revoked(&self, jti: &str) -> Result<bool, StoreError> {
        self.asked(self.store.session_revoked(jti)).await
    }

    async fn login_failure(
        &self,
        identity: &str,
        window: Duration,
        max: u32,
    ) -> Result<LoginStanding, StoreError> {
        self.asked(self.store.login_failure(identity, window, max)).await
    }

    async fn login_standing(&self, identity: &str) -> Result<LoginStanding, StoreError> {
        self.asked(self.store.login_standing(identity)).await
    }

    async fn login_clear(&self, identity: &str) -> Result<(), StoreError> {
        self.asked(self.store.login_clear(identity)).await
    }

    async fn note_health(&self, transitions: &[Transition]) -> Result<(), StoreError> {
        self.store.note_health(transitions).await
    }

    async fn health_since(&self, version: u64) -> Result<HealthChanges, StoreError> {
        self.store.health_since(version).await
    }

    async fn claim_probe(&self, provider: &str, holder: &str, lease: Duration) -> Result<bool, StoreError> {
        self.asked(self.store.claim_probe(provider, holder, lease)).await
    }

    async fn release_probe(&self, provider: &str, holder: &str) -> Result<(), StoreError> {
        self.store.release_probe(provider, holder).await
    }

    async fn add_combo_counts(&self, counts: &[ComboCount]) -> Result<(), StoreError> {
        self.store.add_combo_counts(counts).await
    }

    async fn combo_counts(&self, combo: Option<&str>) -> Result<Vec<ComboCount>, StoreError> {
        self.store.combo_counts(combo).await
    }

    async fn clear_combo_counts(&self, combo: Option<&str>) -> Result<(), StoreError> {
        self.store.clear_combo_counts(combo).await
    }

    async fn touch_sessions(&self, uses: &[SessionUse]) -> Result<(), StoreError> {
        self.store.touch_sessions(uses).await
    }

    async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        self.store.sessions().await
    }

    async fn report_loads(&self, data_plane: &str, loads: &[ConnectionLoad]) -> Result<(), StoreError> {
        self.store.report_loads(data_plane, loads).await
    }

    async fn loads(&self) -> Result<Vec<ConnectionLoad>, StoreError> {
        self.store.loads().await
    }

    async fn keep_turn(
        &self,
        tenant: &str,
        call: &str,
        sealed: Bytes,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.asked(self.store.keep_turn(tenant, call, sealed, ttl)).await
    }

    async fn recall_turns(
        &self,
        tenant: &str,
        calls: &[String],
        ttl: Duration,
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.asked(self.store.recall_turns(tenant, calls, ttl)).await
    }

    async fn claim_request(
        &self,
        key: &EntryKey,
        holder: &str,
        lease: Duration,
    ) -> Result<Claim, StoreError> {
        self.asked(self.store.claim_request(key, holder, lease)).await
    }

    async fn renew_claim(&self, key: &EntryKey, holder: &str, lease: Duration) -> Result<bool, StoreError> {
        self.store.renew_claim(key, holder, lease).await
    }

    async fn answer_claim(
        &self,
        key: &EntryKey,
        holder: &str,
        answer: Bytes,
        window: Duration,
    ) -> Result<bool, StoreError> {
        self.asked(self.store.answer_claim(key, holder, answer, window))
            .await
    }

    async fn release_claim(&self, key: &EntryKey, holder: &str) -> Result<bool, StoreError> {
        self.asked(self.store.release_claim(key, holder)).await
    }

    async fn cache_answer(&self, key: &EntryKey, sealed: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.spared(self.store.cache_answer(key, sealed, ttl)).await
    }

    async fn cached_answer(&self, key: &EntryKey) -> Result<Option<CachedAnswer>, StoreError> {
        self.asked(self.store.cached_answer(key)).await
    }

    async fn add_vector(
        &self,
        partition: &EntryKey,
        entry: &[u8; 32],
        sealed: Bytes,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.spared(self.store.add_vector(partition, entry, sealed, ttl))
            .await
    }

    async fn vectors_since(
        &self,
        partition: &EntryKey,
        mark: VectorMark,
    ) -> Result<VectorChanges, StoreError> {
        self.asked(self.store.vectors_since(partition, mark)).await
    }

    async fn report_cache(&self, data_plane: &str, report: &CacheReport) -> Result<(), StoreError> {
        self.store.report_cache(data_plane, report).await
    }

    async fn cache_stats(&self, generation: u64) -> Result<CacheStats, StoreError> {
        self.store.cache_stats(generation).await
    }

    async fn admit(&self, asked: &Admission) -> Result<Ruling, StoreError> {
        self.asked(self.store.admit(asked)).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        self.store.settle(settlements).await
    }

    async fn renew(&self, renewals: &[Renewal], lease: Duration) -> Result<(), StoreError> {
        self.store.renew(renewals, lease).await
    }

    async fn end_leases(&self, requests: &[Renewal]) -> Result<(), StoreError> {
        self.store.end_leases(requests).await
    }

    async fn raise_spending(&self, known: &[Spending]) -> Result<(), StoreError> {
        self.store.raise_spending(known).await
    }

    async fn spending(&self, key: &str, periods: &[&str]) -> Result<Vec<BudgetStanding>, StoreError> {
        self.store.spending(key, periods).await
    }

    async fn life(&self) -> Result<u64, StoreError> {
        self.store.life().await
    }

    async fn forget_key(&self, key: &str) -> Result<(), StoreError> {
        self.store.forget_key(key).await
    }

    async fn ban(&self, ip: IpAddr, reason: &str, ttl: Duration) -> Result<(), StoreError> {
        self.store.ban(ip, reason, ttl).await
    }

    async fn unban(&self, ip: IpAddr) -> Result<bool, StoreError> {
        self.store.unban(ip).await
    }

    async fn bans_since(&self, version: u64) -> Result<BanChanges, StoreError> {
        self.store.bans_since(version).await
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        self.asked(self.store.ping()).await
    }

    fn condition(&self) -> Condition {
        self.breaker.condition()
    }
}
