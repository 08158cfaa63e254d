//! The state store of a single process.
//!
//! Expired entries are dropped when they are met and swept whenever a map has doubled, so memory is bounded by
//! what is alive.

mod admission;
mod bans;
mod bounded;
mod cache;
mod claims;
mod clock;
mod health;
mod session;
mod vectors;

pub use self::admission::LocalAdmissions;
use self::bans::Bans;
use self::bounded::Bounded;
use self::cache::Cache;
use self::claims::Claims;
use self::clock::Clock;
use self::health::Health;
use self::session::Sessions;
use self::vectors::Vectors;
use crate::admission::{Admission, BudgetStanding, Renewal, Ruling, Settled, Settlement, Spending};
use crate::ban::BanChanges;
use crate::cache::{CacheReport, CacheStats, CachedAnswer};
use crate::claim::Claim;
use crate::combo::ComboCount;
use crate::entry::EntryKey;
use crate::health::{HealthChanges, Transition};
use crate::load::{self, ConnectionLoad, LOAD_TTL};
use crate::session::{Session, SessionUse};
use crate::vector::{VectorChanges, VectorMark};
use crate::{LoginStanding, StateStore, StoreError};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

const FIRST_SWEEP: usize = 1024;
/// What the turns of all tenants may take together.
const MAX_TURN_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub struct MemoryStore {
    clock: Clock,
    snapshot: Mutex<Option<Snapshot>>,
    revoked: Mutex<Expiring<()>>,
    logins: Mutex<Expiring<Logins>>,
    health: Mutex<Health>,
    /// Who probes a provider.
    probes: Mutex<Expiring<String>>,
    /// By combo and model. Bounded by what was ever configured.
    combos: Mutex<BTreeMap<(String, String), ComboCount>>,
    sessions: Mutex<Sessions>,
    /// By data plane.
    loads: Mutex<Expiring<Vec<ConnectionLoad>>>,
    /// By tenant and call.
    turns: Mutex<Bounded<(String, String)>>,
    claims: Mutex<Claims>,
    cache: Mutex<Cache>,
    vectors: Mutex<Vectors>,
    admissions: LocalAdmissions,
    bans: Mutex<Bans>,
}

#[derive(Debug)]
struct Snapshot {
    epoch: String,
    revision: u64,
    sealed: Bytes,
}

#[derive(Debug, Default)]
struct Logins {
    /// When each failure is forgotten.
    failures: Vec<Instant>,
    locked_until: Option<Instant>,
}

#[derive(Debug)]
struct Expiring<T> {
    entries: HashMap<String, (Instant, T)>,
    sweep_at: usize,
}

// === impl MemoryStore ===

impl Default for MemoryStore {
    fn default() -> Self {
        let clock = Clock::default();
        Self {
            health: Mutex::new(Health::new(&clock)),
            bans: Mutex::new(Bans::new(&clock)),
            clock,
            snapshot: Mutex::default(),
            revoked: Mutex::default(),
            logins: Mutex::default(),
            probes: Mutex::default(),
            combos: Mutex::default(),
            sessions: Mutex::default(),
            loads: Mutex::default(),
            turns: Mutex::new(Bounded::new(MAX_TURN_BYTES, usize::MAX, |(tenant, call)| {
                tenant.len() + call.len()
            })),
            claims: Mutex::default(),
            cache: Mutex::default(),
            vectors: Mutex::default(),
            admissions: LocalAdmissions::default(),
        }
    }
}

impl MemoryStore {
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn load_snapshot(&self) -> Result<Option<Bytes>, StoreError> {
        Ok(self
            .snapshot
            .lock()
            .as_ref()
            .map(|snapshot| snapshot.sealed.clone()))
    }

    async fn store_snapshot(&self, epoch: &str, revision: u64, sealed: Bytes) -> Result<bool, StoreError> {
        let mut held = self.snapshot.lock();
        if held
            .as_ref()
            .is_some_and(|held| held.epoch == epoch && held.revision >= revision)
        {
            return Ok(false);
        }
        *held = Some(Snapshot {
            epoch: epoch.to_owned(),
            revision,
            sealed,
        });
        Ok(true)
    }

    async fn revoke_session(&self, jti: &str, ttl: Duration) -> Result<(), StoreError> {
        self.revoked.lock().insert(jti, Instant::now() + ttl, ());
        Ok(())
    }

    async fn session_revoked(&self, jti: &str) -> Result<bool, StoreError> {
        Ok(self.revoked.lock().get(jti).is_some())
    }

    async fn login_failure(
        &self,
        identity: &str,
        window: Duration,
        max: u32,
    ) -> Result<LoginStanding, StoreError> {
        let now = Instant::now();
        let mut logins = self.logins.lock();
        let mut entry = logins.remove(identity).unwrap_or_default();
        entry.forget_before(now);
        entry.failures.push(now + window);
        if entry.failures.len() >= max as usize {
            entry.failures.clear();
            entry.locked_until = entry.locked_until.max(Some(now + window));
        }
        let standing = entry.standing(now);
        logins.insert(identity, entry.until(now), entry);
        Ok(standing)
    }

    async fn login_standing(&self, identity: &str) -> Result<LoginStanding, StoreError> {
        let now = Instant::now();
        let mut logins = self.logins.lock();
        let Some(entry) = logins.get(identity) else {
            return Ok(LoginStanding::Open { failures: 0 });
        };
        entry.forget_before(now);
        Ok(entry.standing(now))
    }

    async fn login_clear(&self, identity: &str) -> Result<(), StoreError> {
        self.logins.lock().remove(identity);
        Ok(())
    }

    async fn note_health(&self, transitions: &[Transition]) -> Result<(), StoreError> {
        self.health.lock().note(transitions, &self.clock);
        Ok(())
    }

    async fn health_since(&self, version: u64) -> Result<HealthChanges, StoreError> {
        Ok(self.health.lock().since(version, &self.clock))
    }

    async fn claim_probe(&self, provider: &str, holder: &str, lease: Duration) -> Result<bool, StoreError> {
        let mut probes = self.probes.lock();
        if probes.get(provider).is_some() {
            return Ok(false);
        }
        probes.insert(provider, Instant::now() + lease, holder.to_owned());
        Ok(true)
    }

    async fn release_probe(&self, provider: &str, holder: &str) -> Result<(), StoreError> {
        let mut probes = self.probes.lock();
        if probes.get(provider).is_some_and(|held| held == holder) {
            probes.remove(provider);
        }
        Ok(())
    }

    async fn add_combo_counts(&self, counts: &[ComboCount]) -> Result<(), StoreError> {
        let mut combos = self.combos.lock();
        for count in counts {
            let key = (count.combo.clone(), count.model.clone());
            let held = combos.entry(key).or_insert_with(|| ComboCount {
                combo: count.combo.clone(),
                model: count.model.clone(),
                ..ComboCount::default()
            });
            held.add(count);
        }
        Ok(())
    }

    async fn combo_counts(&self, combo: Option<&str>) -> Result<Vec<ComboCount>, StoreError> {
        let combos = self.combos.lock();
        let wanted = |count: &&ComboCount| combo.is_none_or(|combo| combo == count.combo);
        Ok(combos.values().filter(wanted).cloned().collect())
    }

    async fn clear_combo_counts(&self, combo: Option<&str>) -> Result<(), StoreError> {
        self.combos
            .lock()
            .retain(|_, count| combo.is_some_and(|combo| combo != count.combo));
        Ok(())
    }

    async fn touch_sessions(&self, uses: &[SessionUse]) -> Result<(), StoreError> {
        self.sessions.lock().touch(uses, self.clock.now_ms());
        Ok(())
    }

    async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        Ok(self.sessions.lock().list(self.clock.now_ms()))
    }

    async fn report_loads(&self, data_plane: &str, loads: &[ConnectionLoad]) -> Result<(), StoreError> {
        self.loads
            .lock()
            .insert(data_plane, Instant::now() + LOAD_TTL, loads.to_vec());
        Ok(())
    }

    async fn loads(&self) -> Result<Vec<ConnectionLoad>, StoreError> {
        Ok(load::sum(self.loads.lock().alive().flatten().cloned()))
    }

    async fn keep_turn(
        &self,
        tenant: &str,
        call: &str,
        sealed: Bytes,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let key = (tenant.to_owned(), call.to_owned());
        self.turns.lock().insert(key, sealed, Instant::now() + ttl);
        Ok(())
    }

    async fn recall_turns(
        &self,
        tenant: &str,
        calls: &[String],
        ttl: Duration,
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        let (now, mut turns) = (Instant::now(), self.turns.lock());
        Ok(calls
            .iter()
            .map(|call| turns.touch(&(tenant.to_owned(), call.clone()), now, now + ttl))
            .collect())
    }

    async fn claim_request(
        &self,
        key: &EntryKey,
        holder: &str,
        lease: Duration,
    ) -> Result<Claim, StoreError> {
        Ok(self.claims.lock().claim(key, holder, lease))
    }

    async fn renew_claim(&self, key: &EntryKey, holder: &str, lease: Duration) -> Result<bool, StoreError> {
        Ok(self.claims.lock().renew(key, holder, lease))
    }

    async fn answer_claim(
        &self,
        key: &EntryKey,
        holder: &str,
        answer: Bytes,
        window: Duration,
    ) -> Result<bool, StoreError> {
        Ok(self.claims.lock().answer(key, holder, answer, window))
    }

    async fn release_claim(&self, key: &EntryKey, holder: &str) -> Result<bool, StoreError> {
        Ok(self.claims.lock().release(key, holder))
    }

    async fn cache_answer(&self, key: &EntryKey, sealed: Bytes, ttl: Duration) -> Result<(), StoreError> {
        self.cache.lock().insert(key, sealed, ttl);
        Ok(())
    }

    async fn cached_answer(&self, key: &EntryKey) -> Result<Option<CachedAnswer>, StoreError> {
        Ok(self.cache.lock().find(key))
    }

    async fn add_vector(
        &self,
        partition: &EntryKey,
        entry: &[u8; 32],
        sealed: Bytes,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.vectors.lock().add(partition, *entry, sealed, ttl);
        Ok(())
    }

    async fn vectors_since(
        &self,
        partition: &EntryKey,
        mark: VectorMark,
    ) -> Result<VectorChanges, StoreError> {
        Ok(self.vectors.lock().since(partition, mark))
    }

    async fn report_cache(&self, data_plane: &str, report: &CacheReport) -> Result<(), StoreError> {
        self.cache.lock().report(data_plane, report);
        Ok(())
    }

    async fn cache_stats(&self, generation: u64) -> Result<CacheStats, StoreError> {
        Ok(self.cache.lock().stats(generation))
    }

    async fn admit(&self, asked: &Admission) -> Result<Ruling, StoreError> {
        Ok(self.admissions.admit(asked))
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        Ok(self.admissions.settle(settlements))
    }

    async fn renew(&self, renewals: &[Renewal], lease: Duration) -> Result<(), StoreError> {
        self.admissions.renew(renewals, lease);
        Ok(())
    }

    async fn end_leases(&self, requests: &[Renewal]) -> Result<(), StoreError> {
        self.admissions.end_leases(requests);
        Ok(())
    }

    async fn raise_spending(&self, known: &[Spending]) -> Result<(), StoreError> {
        self.admissions.raise_spending(known);
        Ok(())
    }

    async fn spending(&self, key: &str, periods: &[&str]) -> Result<Vec<BudgetStanding>, StoreError> {
        Ok(self.admissions.spending(key, periods))
    }

    async fn forget_key(&self, key: &str) -> Result<(), StoreError> {
        self.admissions.forget(key);
        Ok(())
    }

    async fn life(&self) -> Result<u64, StoreError> {
        Ok(self.clock.started_us())
    }

    async fn ban(&self, ip: IpAddr, reason: &str, ttl: Duration) -> Result<(), StoreError> {
        self.bans.lock().insert(ip, reason, ttl, &self.clock);
        Ok(())
    }

    async fn unban(&self, ip: IpAddr) -> Result<bool, StoreError> {
        Ok(self.bans.lock().remove(ip, &self.clock))
    }

    async fn bans_since(&self, version: u64) -> Result<BanChanges, StoreError> {
        Ok(self.bans.lock().since(version, &self.clock))
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        Ok(Duration::ZERO)
    }
}

// === impl Logins ===

impl Logins {
    fn forget_before(&mut self, now: Instant) {
        self.failures.retain(|until| *until > now);
    }

    /// How long there is something to remember.
    fn until(&self, now: Instant) -> Instant {
        let last = self.failures.iter().copied().max();
        last.max(self.locked_until).unwrap_or(now)
    }

    fn standing(&self, now: Instant) -> LoginStanding {
        match self.locked_until {
            Some(until) if until > now => LoginStanding::Locked {
                until_in: until - now,
            },
            _ => LoginStanding::Open {
                failures: u32::try_from(self.failures.len()).unwrap_or(u32::MAX),
            },
        }
    }
}

// === impl Expiring ===

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            sweep_at: FIRST_SWEEP,
        }
    }
}

impl<T> Expiring<T> {
    fn insert(&mut self, key: &str, until: Instant, value: T) {
        if self.entries.len() >= self.sweep_at {
            let now = Instant::now();
            self.entries.retain(|_, (until, _)| *until > now);
            self.sweep_at = (self.entries.len() * 2).max(FIRST_SWEEP);
        }
        self.entries.insert(key.to_owned(), (until, value));
    }

    fn get(&mut self, key: &str) -> Option<&mut T> {
        if self.entries.get(key)?.0 <= Instant::now() {
            self.entries.remove(key);
        }
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    fn until(&self, key: &str) -> Option<Instant> {
        self.entries.get(key).map(|(until, _)| *until)
    }

    fn alive(&self) -> impl Iterator<Item = &T> {
        let now = Instant::now();
        let alive = self.entries.values().filter(move |(until, _)| *until > now);
        alive.map(|(_, value)| value)
    }

    fn remove(&mut self, key: &str) -> Option<T> {
        let (until, value) = self.entries.remove(key)?;
        (until > Instant::now()).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_has_expired_does_not_pile_up() {
        let store = MemoryStore::new();
        for n in 0..10 * FIRST_SWEEP {
            store
                .revoke_session(&n.to_string(), Duration::from_millis(1))
                .await
                .unwrap();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(store.revoked.lock().entries.len() <= FIRST_SWEEP);
    }

    #[tokio::test(start_paused = true)]
    async fn the_load_of_a_data_plane_that_stopped_reporting_is_forgotten() {
        let store = MemoryStore::new();
        store
            .report_loads("d1", &[ConnectionLoad::default()])
            .await
            .unwrap();
        tokio::time::advance(LOAD_TTL - Duration::from_millis(1)).await;
        assert_eq!(store.loads().await.unwrap().len(), 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(store.loads().await.unwrap(), []);
    }
}
