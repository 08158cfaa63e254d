//! State that several processes share and that may be lost: the last good snapshot, revoked sessions, failed
//! logins.
//!
//! The trait is semantic, not key-value: each operation is one atomic step with a meaning, so that the two
//! backends can be held to the same behaviour. Both are real: [`MemoryStore`] serves the single process,
//! [`RedisStore`] a cluster. `tests/conformance.rs` runs one list of scenarios against both.
//!
//! No caller may depend on the store to be there. Every operation has a deadline and fails with a
//! [`StoreError`], and each use says what happens then.

mod memory;
mod redis;

pub use memory::MemoryStore;
pub use redis::RedisStore;

use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("REDIS_URL is not a Redis address such as redis://host:6379: {0}")]
    Address(String),
    #[error("the state store did not answer within {} ms; is the Redis of REDIS_URL reachable?", .0.as_millis())]
    Slow(Duration),
    #[error("the state store failed: {0}")]
    Failed(String),
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

    /// How long one round trip takes.
    async fn ping(&self) -> Result<Duration, StoreError>;
}
