//! State that several processes share and that may be lost: what API keys may still send and spend, the last good
//! snapshot, who logged out or failed to log in, what fails and who tries it again, which request runs already and
//! what was answered before, and what people look at: combos, conversations, loads.
//!
//! The trait is semantic, not key-value: each operation is one atomic step with a meaning, so that the two
//! backends can be held to the same behaviour. Both are real: [`MemoryStore`] serves the single process,
//! [`RedisStore`] several planes, on one Redis or a Redis Cluster. `tests/conformance` runs one list of scenarios
//! against all three.
//!
//! # When the store is gone
//!
//! No caller may depend on the store to be there. Every operation has a deadline and fails with a [`StoreError`]:
//! what a request waits for within 50 ms, what runs in the background or answers people within 1 s, a snapshot
//! within 2 s. No request fails because of it, and only the first ones wait: [`GuardedStore`] does not ask a store
//! that does not answer. A store that comes back may have lost its memory, and nothing it says may then be taken
//! for more than it is.
//!
//! | use | while it is gone | when it comes back empty |
//! |---|---|---|
//! | limits of API keys | each data plane admits its own share, a quarter more than exact, and of a budget a fiftieth of what was left of it | buckets are full again, for one burst more at most; what was spent is raised to what the ledger knows |
//! | last good snapshot | a data plane that starts needs a control plane; those that run do not notice | the next change of the configuration is stored |
//! | revoked sessions | a session that logged out counts as live until it is back, and answers say so; the session epoch in Postgres still ends sessions | those that logged out before live until they expire |
//! | failed logins | each control plane has only its own rate limit and its cap on hashing | locks and counts are forgotten |
//! | bans | those that are known go on to hold until they end; nobody can be banned or let in, and whoever tries is told | they are forgotten within half a second |
//! | health | each data plane goes by its own experience, keeps what it could not note, and notes it later; a reset by an administrator cannot be carried out and must say so | the answer is `complete`, so what others noted before is dropped; at worst each data plane meets a failing account once more |
//! | probe of a provider | [`StateStore::claim_probe`] fails, which is neither yes nor no: one probe for each data plane instead of one in all | a second probe may start beside one that runs |
//! | counts of combos | those that could not be added are lost once their holder drops them; an error may come after they were added, so adding again may count twice; routing does not look at them | they start from zero |
//! | conversations | none are listed; routing does not need them, since the session hash alone decides what a conversation sticks to | they are listed from their next request on |
//! | turns | a conversation goes on without the reasoning its client did not bring back; a request known to come too late does not wait | the same, once for each conversation |
//! | claims | a data plane knows only its own: of duplicates that reach several, each carries one out | the same for those that run then |
//! | cached answers | each data plane has only its own memory; a request known to come too late does not wait | answers are asked for anew |
//! | vectors of cached answers | no answer to a similar question is found; a request known to come too late does not ask for an embedding | the same until questions were answered anew |
//! | counts of the cache | those that could not be added are lost once their holder drops them | they start from zero |
//! | loads | none are shown; limiters work from their own numbers | the next report, a few seconds later, fills it |
//!
//! A data plane notes its own transitions before it asks for those of others, and applies an answer only to what
//! it knew when it asked: else a `complete` answer would drop what is on its way to the store.

mod admission;
mod ban;
mod cache;
mod claim;
mod combo;
mod entry;
mod guarded;
mod health;
mod load;
mod memory;
mod redis;
mod session;
mod vector;

pub use admission::{
    Admission, Budget, BudgetStanding, LAPSED_REMEMBERED, Limit, PERIOD_REMEMBERED, Rate, RateStanding,
    Refund, Renewal, Ruling, Settled, Settlement, Spending, Verdict,
};
pub use ban::{Ban, BanChanges, Banned};
pub use cache::{
    CACHE_REPORT_TTL, CacheCounts, CacheHoldings, CacheReport, CacheStats, CachedAnswer, MAX_CACHED_ANSWERS,
};
pub use claim::Claim;
pub use combo::ComboCount;
pub use entry::EntryKey;
pub use guarded::{Condition, GuardedStore};
pub use health::{HealthChanges, Standing, Subject, Transition};
pub use load::{ConnectionLoad, LOAD_TTL};
pub use memory::{LocalAdmissions, MemoryStore};
pub use redis::RedisStore;
pub use session::{MAX_SESSIONS, SESSION_IDLE, Session, SessionUse};
pub use vector::{AddedVector, MAX_VECTORS, VECTORS_AT_ONCE, VectorChanges, VectorMark};

use async_trait::async_trait;
use bytes::Bytes;
use std::net::IpAddr;
use std::time::Duration;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error(
        "REDIS_URL is not a Redis address such as redis://host:6379, or redis+cluster://host:6379,host:6379: {0}"
    )]
    Address(String),
    #[error("the state store did not answer within {} ms; is the Redis of REDIS_URL reachable?", .0.as_millis())]
    Slow(Duration),
    #[error("the state store failed: {0}")]
    Failed(String),
    #[error("the state store does not answer, and is not asked until it does again")]
    Away,
}

/// Whether an identity may try to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginStanding {
    /// `failures` inside the window so far.
    Open {
        failures: u32,
    },
    Locked {
        until_in: Duration,
    },
}

#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// The newest snapshot any data plane stored, still sealed.
    async fn load_snapshot(&self) -> Result<Option<Bytes>, StoreError>;

    /// Stores a sealed snapshot if it is newer than the one there, and says whether it did.
    ///
    /// Inside an epoch only a higher revision replaces; a snapshot of another epoch always does, because epochs
    /// have no order and the caller got it from a control plane just now.
    async fn store_snapshot(&self, epoch: &str, revision: u64, sealed: Bytes) -> Result<bool, StoreError>;

    /// Refuses a session from now on; `ttl` is what is left of its life.
    async fn revoke_session(&self, jti: &str, ttl: Duration) -> Result<(), StoreError>;

    async fn session_revoked(&self, jti: &str) -> Result<bool, StoreError>;

    /// Counts a failed login, to be forgotten after `window`. The `max`-th that is remembered locks the identity
    /// for `window` and starts the count anew; a longer lock that is there stays.
    async fn login_failure(
        &self,
        identity: &str,
        window: Duration,
        max: u32,
    ) -> Result<LoginStanding, StoreError>;

    async fn login_standing(&self, identity: &str) -> Result<LoginStanding, StoreError>;

    /// Forgets failures and lock, after a success or by an administrator.
    async fn login_clear(&self, identity: &str) -> Result<(), StoreError>;

    /// Notes what has begun or ceased to fail, each transition in one step.
    ///
    /// A rest or an open breaker that would end before the one already there is ignored, so that of two data planes
    /// the one that was told to wait longer is believed. [`Standing::Fine`] always counts.
    async fn note_health(&self, transitions: &[Transition]) -> Result<(), StoreError>;

    /// What was noted after `version`, or everything that is not fine now: for a version of zero, for one that is
    /// not this store's because it lost its memory, and for one so old that something since is forgotten. Only then
    /// the answer is `complete`.
    async fn health_since(&self, version: u64) -> Result<HealthChanges, StoreError>;

    /// Whether the caller may probe a provider whose breaker is open. One may, in the whole cluster, until it
    /// releases the probe or its lease ends; asking again as the same holder is refused too.
    async fn claim_probe(&self, provider: &str, holder: &str, lease: Duration) -> Result<bool, StoreError>;

    /// Ends the holder's own lease; another's stays.
    async fn release_probe(&self, provider: &str, holder: &str) -> Result<(), StoreError>;

    async fn add_combo_counts(&self, counts: &[ComboCount]) -> Result<(), StoreError>;

    /// Of one combo or of all, ordered by combo and model.
    async fn combo_counts(&self, combo: Option<&str>) -> Result<Vec<ComboCount>, StoreError>;

    /// Forgets the counts of one combo, or all.
    async fn clear_combo_counts(&self, combo: Option<&str>) -> Result<(), StoreError>;

    /// Counts requests of conversations, which are forgotten after [`SESSION_IDLE`].
    async fn touch_sessions(&self, uses: &[SessionUse]) -> Result<(), StoreError>;

    /// The last active first, [`MAX_SESSIONS`] at most.
    async fn sessions(&self) -> Result<Vec<Session>, StoreError>;

    /// Replaces what this data plane reported before. Counts for [`LOAD_TTL`].
    async fn report_loads(&self, data_plane: &str, loads: &[ConnectionLoad]) -> Result<(), StoreError>;

    /// Summed over the data planes, ordered by provider and connection.
    async fn loads(&self) -> Result<Vec<ConnectionLoad>, StoreError>;

    /// Remembers what an answer held, for one tenant, under the id of a tool call in it, until `ttl` after it was
    /// last recalled. What is there under the same id is replaced.
    async fn keep_turn(
        &self,
        tenant: &str,
        call: &str,
        sealed: Bytes,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// What is remembered for these calls of this tenant's, in their order. What is found stays for another `ttl`.
    /// A turn may be gone before its time: memory is bounded.
    async fn recall_turns(
        &self,
        tenant: &str,
        calls: &[String],
        ttl: Duration,
    ) -> Result<Vec<Option<Bytes>>, StoreError>;

    /// Claims a request for `holder`, unless another has it or it is answered. Asking again as the same holder is
    /// granted again, so that a holder may repeat a question whose answer was lost.
    async fn claim_request(&self, key: &EntryKey, holder: &str, lease: Duration)
    -> Result<Claim, StoreError>;

    /// Keeps a claim for another `lease`; `false` when it is not the holder's any more.
    async fn renew_claim(&self, key: &EntryKey, holder: &str, lease: Duration) -> Result<bool, StoreError>;

    /// Ends a claim with an answer, to be remembered for `window`; `false` when it is not the holder's any more, and
    /// then nothing is stored.
    async fn answer_claim(
        &self,
        key: &EntryKey,
        holder: &str,
        answer: Bytes,
        window: Duration,
    ) -> Result<bool, StoreError>;

    /// Ends a claim without an answer: the next one that asks is granted it.
    async fn release_claim(&self, key: &EntryKey, holder: &str) -> Result<bool, StoreError>;

    /// Keeps an answer until `ttl` is over, or until there are too many.
    async fn cache_answer(&self, key: &EntryKey, sealed: Bytes, ttl: Duration) -> Result<(), StoreError>;

    async fn cached_answer(&self, key: &EntryKey) -> Result<Option<CachedAnswer>, StoreError>;

    /// Adds the vector of a question beside its answer, to be kept until `ttl` is over, or until there are too many.
    /// `entry` is the hash of the answer; its generation and tenant are those of the partition.
    async fn add_vector(
        &self,
        partition: &EntryKey,
        entry: &[u8; 32],
        sealed: Bytes,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// What was added to a partition after `mark`, the oldest first, [`VECTORS_AT_ONCE`] at most.
    async fn vectors_since(
        &self,
        partition: &EntryKey,
        mark: VectorMark,
    ) -> Result<VectorChanges, StoreError>;

    /// Adds the counts, unless they are of a generation that is over, and replaces what this data plane said it
    /// holds. Counts of a newer generation start from zero.
    async fn report_cache(&self, data_plane: &str, report: &CacheReport) -> Result<(), StoreError>;

    async fn cache_stats(&self, generation: u64) -> Result<CacheStats, StoreError>;

    /// Whether a request of an API key fits into all of its limits; if so, it takes its part of each, in one step.
    ///
    /// Concurrency is looked at first, then budgets, then rates; the first that it does not fit into is named.
    async fn admit(&self, asked: &Admission) -> Result<Ruling, StoreError>;

    /// Ends requests, each once however often it is called: releases what they reserved, spends what they cost, and
    /// gives back what they did not use. The answers are in the order of the settlements. After an error any part of
    /// them may have been settled, so all are to be settled again.
    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError>;

    /// Lets requests run for another `lease` from now. What is not known as running stays so.
    async fn renew(&self, renewals: &[Renewal], lease: Duration) -> Result<(), StoreError>;

    /// Ends the leases of requests whose clients are gone before the provider is done: their places are free, and
    /// what they reserved stays theirs until they are settled. What is not known as running stays so.
    async fn end_leases(&self, requests: &[Renewal]) -> Result<(), StoreError>;

    /// Raises what is counted as spent to what is known to be; never lowers it. What running requests have reserved
    /// counts as known already, because a source may hear of the end of a request before this store does.
    async fn raise_spending(&self, known: &[Spending]) -> Result<(), StoreError>;

    /// What is spent and reserved in these periods of a key, in their order.
    async fn spending(&self, key: &str, periods: &[&str]) -> Result<Vec<BudgetStanding>, StoreError>;

    /// Forgets what is known of an API key that exists no longer.
    async fn forget_key(&self, key: &str) -> Result<(), StoreError>;

    /// The same for as long as the store remembers what it was told; another one when it has lost its memory.
    async fn life(&self) -> Result<u64, StoreError>;

    /// Keeps an address out, instead of what there was about it.
    async fn ban(&self, ip: IpAddr, reason: &str, ttl: Duration) -> Result<(), StoreError>;

    /// Lets an address in again, and says whether it was banned.
    async fn unban(&self, ip: IpAddr) -> Result<bool, StoreError>;

    /// Who is banned, unless that has not changed since `version`; zero asks in any case.
    async fn bans_since(&self, version: u64) -> Result<BanChanges, StoreError>;

    /// How long one round trip takes.
    async fn ping(&self) -> Result<Duration, StoreError>;

    /// How the store is doing, without asking it. Only a [`GuardedStore`] knows; what cannot fail is always well.
    fn condition(&self) -> Condition {
        Condition::Well
    }
}
