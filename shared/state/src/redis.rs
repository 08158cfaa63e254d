//! The state store of several planes, on Redis 7.0 or newer without modules: one server or a Redis Cluster.
//!
//! Connects lazily and reconnects by itself: a data plane starts and serves without Redis. Every key is below
//! the deployment's prefix; every multi-step operation is one script over keys of one slot, which a hash tag
//! (`{…}`) holds together.

mod address;
mod admission;
mod ban;
mod cache;
mod claim;
mod combo;
mod connection;
mod health;
mod load;
mod session;
mod vector;

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
use ::redis::{FromRedisValue, RedisError, Script, ScriptInvocation};
use address::Address;
use async_trait::async_trait;
use bytes::Bytes;
use connection::Connection;
use std::future::Future;
use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// For operations a request waits for.
const DEADLINE: Duration = Duration::from_millis(50);
/// For what data planes exchange in the background and people look at.
const UNHURRIED_DEADLINE: Duration = Duration::from_secs(1);
/// For whole snapshots, which no request waits for.
const SNAPSHOT_DEADLINE: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

static STORE_SNAPSHOT: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("redis/store_snapshot.lua")));
static LIFE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/life.lua")));
static LOGIN_FAILURE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("redis/login_failure.lua")));
static LOGIN_STANDING: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("redis/login_standing.lua")));

#[derive(Clone)]
pub struct RedisStore {
    /// For what a request waits for.
    connection: Connection,
    /// For the rest, so that a large snapshot is in nobody's way.
    background: Connection,
    prefix: String,
    deadline: Duration,
}

// === impl RedisStore ===

impl RedisStore {
    /// A store below `prefix`. Fails only for an address that cannot be read: Redis need not be there yet.
    ///
    /// `redis://host:6379` is one server, `redis+cluster://host:6379,host:6379` a cluster, both with `rediss` for
    /// TLS; `?ssl_ca_certs=FILE` names the certificates to trust instead of the system's.
    pub async fn connect(url: &str, prefix: &str) -> Result<Self, StoreError> {
        let address = Address::read(url).map_err(StoreError::Address)?;
        let (connection, background) = (Connection::to(address.clone())?, Connection::to(address)?);
        Ok(Self {
            connection,
            background,
            prefix: prefix.to_owned(),
            deadline: DEADLINE,
        })
    }

    /// How long a request waits for an answer, instead of 50 ms.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    fn unhurried(&self) -> Duration {
        self.deadline.max(UNHURRIED_DEADLINE)
    }

    async fn invoke<T: FromRedisValue>(&self, call: ScriptInvocation<'_>) -> Result<T, StoreError> {
        let mut connection = self.background.clone();
        within(self.unhurried(), call.invoke_async(&mut connection)).await
    }

    /// All turns of one tenant live in one slot. The tenant comes first and is an id of ours: whatever a client
    /// sends for a call, it stays below it.
    fn turn_key(&self, tenant: &str, call: &str) -> String {
        self.key(&format!("{{turns:{tenant}}}:{call}"))
    }

    /// The count and the lock of one identity live in one slot.
    fn login_keys(&self, identity: &str) -> [String; 2] {
        [
            self.key(&format!("{{login:{identity}}}:failures")),
            self.key(&format!("{{login:{identity}}}:lock")),
        ]
    }
}

#[async_trait]
impl StateStore for RedisStore {
    async fn load_snapshot(&self) -> Result<Option<Bytes>, StoreError> {
        let mut connection = self.background.clone();
        let mut command = ::redis::cmd("HGET");
        command.arg(self.key("snapshot")).arg("sealed");
        let found: Option<Vec<u8>> = within(SNAPSHOT_DEADLINE, command.query_async(&mut connection)).await?;
        Ok(found.map(Bytes::from))
    }

    async fn store_snapshot(&self, epoch: &str, revision: u64, sealed: Bytes) -> Result<bool, StoreError> {
        let mut connection = self.background.clone();
        let mut call = STORE_SNAPSHOT.key(self.key("snapshot"));
        call.arg(epoch).arg(revision).arg(sealed.as_ref());
        within(SNAPSHOT_DEADLINE, call.invoke_async(&mut connection)).await
    }

    async fn revoke_session(&self, jti: &str, ttl: Duration) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        let mut command = ::redis::cmd("SET");
        command
            .arg(self.key(&format!("session:revoked:{jti}")))
            .arg(1)
            .arg("PX")
            .arg(milliseconds(ttl));
        within(self.deadline, command.query_async(&mut connection)).await
    }

    async fn session_revoked(&self, jti: &str) -> Result<bool, StoreError> {
        let mut connection = self.connection.clone();
        let mut command = ::redis::cmd("EXISTS");
        command.arg(self.key(&format!("session:revoked:{jti}")));
        within(self.deadline, command.query_async(&mut connection)).await
    }

    async fn login_failure(
        &self,
        identity: &str,
        window: Duration,
        max: u32,
    ) -> Result<LoginStanding, StoreError> {
        let mut connection = self.connection.clone();
        let [failures, lock] = self.login_keys(identity);
        let mut call = LOGIN_FAILURE.key(failures);
        call.key(lock).arg(milliseconds(window)).arg(max);
        within(self.deadline, call.invoke_async(&mut connection))
            .await
            .map(standing)
    }

    async fn login_standing(&self, identity: &str) -> Result<LoginStanding, StoreError> {
        let mut connection = self.connection.clone();
        let [failures, lock] = self.login_keys(identity);
        let mut call = LOGIN_STANDING.key(failures);
        call.key(lock);
        within(self.deadline, call.invoke_async(&mut connection))
            .await
            .map(standing)
    }

    async fn login_clear(&self, identity: &str) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        let mut command = ::redis::cmd("DEL");
        command.arg(&self.login_keys(identity));
        within(self.deadline, command.query_async(&mut connection)).await
    }

    async fn note_health(&self, transitions: &[Transition]) -> Result<(), StoreError> {
        health::note(self, transitions).await
    }

    async fn health_since(&self, version: u64) -> Result<HealthChanges, StoreError> {
        health::since(self, version).await
    }

    async fn claim_probe(&self, provider: &str, holder: &str, lease: Duration) -> Result<bool, StoreError> {
        health::claim_probe(self, provider, holder, lease).await
    }

    async fn release_probe(&self, provider: &str, holder: &str) -> Result<(), StoreError> {
        health::release_probe(self, provider, holder).await
    }

    async fn add_combo_counts(&self, counts: &[ComboCount]) -> Result<(), StoreError> {
        combo::add(self, counts).await
    }

    async fn combo_counts(&self, combo: Option<&str>) -> Result<Vec<ComboCount>, StoreError> {
        combo::list(self, combo).await
    }

    async fn clear_combo_counts(&self, combo: Option<&str>) -> Result<(), StoreError> {
        combo::clear(self, combo).await
    }

    async fn touch_sessions(&self, uses: &[SessionUse]) -> Result<(), StoreError> {
        session::touch(self, uses).await
    }

    async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        session::list(self).await
    }

    async fn report_loads(&self, data_plane: &str, loads: &[ConnectionLoad]) -> Result<(), StoreError> {
        load::report(self, data_plane, loads).await
    }

    async fn loads(&self) -> Result<Vec<ConnectionLoad>, StoreError> {
        load::list(self).await
    }

    async fn keep_turn(
        &self,
        tenant: &str,
        call: &str,
        sealed: Bytes,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let mut connection = self.connection.clone();
        let mut command = ::redis::cmd("SET");
        command
            .arg(self.turn_key(tenant, call))
            .arg(sealed.as_ref())
            .arg("PX")
            .arg(milliseconds(ttl));
        within(self.deadline, command.query_async(&mut connection)).await
    }

    async fn recall_turns(
        &self,
        tenant: &str,
        calls: &[String],
        ttl: Duration,
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.connection.clone();
        let mut commands = ::redis::pipe();
        for call in calls {
            commands
                .cmd("GETEX")
                .arg(self.turn_key(tenant, call))
                .arg("PX")
                .arg(milliseconds(ttl));
        }
        let found: Vec<Option<Vec<u8>>> =
            within(self.deadline, commands.query_async(&mut connection)).await?;
        Ok(found.into_iter().map(|turn| turn.map(Bytes::from)).collect())
    }

    async fn claim_request(
        &self,
        key: &EntryKey,
        holder: &str,
        lease: Duration,
    ) -> Result<Claim, StoreError> {
        claim::claim(self, key, holder, lease).await
    }

    async fn renew_claim(&self, key: &EntryKey, holder: &str, lease: Duration) -> Result<bool, StoreError> {
        claim::renew(self, key, holder, lease).await
    }

    async fn answer_claim(
        &self,
        key: &EntryKey,
        holder: &str,
        answer: Bytes,
        window: Duration,
    ) -> Result<bool, StoreError> {
        claim::answer(self, key, holder, &answer, window).await
    }

    async fn release_claim(&self, key: &EntryKey, holder: &str) -> Result<bool, StoreError> {
        claim::release(self, key, holder).await
    }

    async fn cache_answer(&self, key: &EntryKey, sealed: Bytes, ttl: Duration) -> Result<(), StoreError> {
        cache::insert(self, key, sealed, ttl).await
    }

    async fn cached_answer(&self, key: &EntryKey) -> Result<Option<CachedAnswer>, StoreError> {
        cache::find(self, key).await
    }

    async fn add_vector(
        &self,
        partition: &EntryKey,
        entry: &[u8; 32],
        sealed: Bytes,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        vector::add(self, partition, entry, &sealed, ttl).await
    }

    async fn vectors_since(
        &self,
        partition: &EntryKey,
        mark: VectorMark,
    ) -> Result<VectorChanges, StoreError> {
        vector::since(self, partition, mark).await
    }

    async fn report_cache(&self, data_plane: &str, report: &CacheReport) -> Result<(), StoreError> {
        cache::report(self, data_plane, report).await
    }

    async fn cache_stats(&self, generation: u64) -> Result<CacheStats, StoreError> {
        cache::stats(self, generation).await
    }

    async fn admit(&self, asked: &Admission) -> Result<Ruling, StoreError> {
        admission::admit(self, asked).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
        admission::settle(self, settlements).await
    }

    async fn renew(&self, renewals: &[Renewal], lease: Duration) -> Result<(), StoreError> {
        admission::renew(self, renewals, lease).await
    }

    async fn end_leases(&self, requests: &[Renewal]) -> Result<(), StoreError> {
        admission::end_leases(self, requests).await
    }

    async fn raise_spending(&self, known: &[Spending]) -> Result<(), StoreError> {
        admission::raise_spending(self, known).await
    }

    async fn spending(&self, key: &str, periods: &[&str]) -> Result<Vec<BudgetStanding>, StoreError> {
        admission::spending(self, key, periods).await
    }

    async fn forget_key(&self, key: &str) -> Result<(), StoreError> {
        admission::forget_key(self, key).await
    }

    async fn life(&self) -> Result<u64, StoreError> {
        self.invoke(LIFE.key(self.key("life"))).await
    }

    async fn ban(&self, ip: IpAddr, reason: &str, ttl: Duration) -> Result<(), StoreError> {
        ban::insert(self, ip, reason, ttl).await
    }

    async fn unban(&self, ip: IpAddr) -> Result<bool, StoreError> {
        ban::remove(self, ip).await
    }

    async fn bans_since(&self, version: u64) -> Result<BanChanges, StoreError> {
        ban::since(self, version).await
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        let mut connection = self.connection.clone();
        let asked = Instant::now();
        let _: String = within(self.deadline, ::redis::cmd("PING").query_async(&mut connection)).await?;
        Ok(asked.elapsed())
    }
}

/// Scripts answer `{failures, milliseconds of the lock that are left}`.
fn standing((failures, locked_ms): (u32, u64)) -> LoginStanding {
    match locked_ms {
        0 => LoginStanding::Open { failures },
        ms => LoginStanding::Locked {
            until_in: Duration::from_millis(ms),
        },
    }
}

/// Redis refuses an expiry of zero.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

async fn within<T: FromRedisValue>(
    deadline: Duration,
    call: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(answer) => answer.map_err(failed),
        Err(_) => Err(StoreError::Slow(deadline)),
    }
}

/// One member name for several texts, whatever is in them.
fn joined(parts: &[&str]) -> String {
    parts
        .iter()
        .map(|part| format!("{}:{part}", part.len()))
        .collect()
}

fn failed(error: RedisError) -> StoreError {
    StoreError::Failed(error.to_string())
}
