//! The data planes, and which revision each of them runs.
//!
//! A replica knows the data planes whose streams it holds from memory, and those of other replicas from the table,
//! into which every replica writes its own. The table lags by moments and survives restarts.

mod ask;
mod elsewhere;
mod membership;
mod table;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use proto::v1::{Command, ConfigVersion, DataPlaneState};
use serde_json::Value;
use sqlx::PgPool;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::ask::Question;
use super::Newest;
use crate::db::Db;

pub use self::ask::AskError;
pub(super) use self::membership::Membership;

/// How soon what changed is in the table; heartbeats alone are not worth a write each.
const FLUSH: Duration = Duration::from_secs(2);
/// Writes of changes are at least this far apart.
const SPACING: Duration = Duration::from_millis(100);
/// How often the table is asked about data planes of other replicas while somebody waits for them.
const REMOTE_POLL: Duration = Duration::from_millis(100);
/// How often data planes that have not been seen for weeks are forgotten.
const PURGE: Duration = Duration::from_secs(3600);

/// How many of the connected data planes run a revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Run it, or a later one.
    pub acked: usize,
    /// Are connected to some control plane.
    pub total: usize,
    /// Refused it, or a later one, and so will not run it.
    pub refused: usize,
}

/// A data plane as an operator sees it.
#[derive(Clone, Debug)]
pub struct DataPlane {
    pub id: String,
    /// Changes with every start of its process.
    pub incarnation: Uuid,
    pub build_version: String,
    pub address: String,
    /// starting, ready, degraded, draining, gone
    pub state: String,
    /// Some control plane holds its stream and has heard from it lately.
    pub connected: bool,
    /// 0 = runs no configuration.
    pub applied_revision: u64,
    pub rejected_revision: Option<u64>,
    /// `[{code, kind, id, message, quarantined}]` of the running or the refused revision.
    pub errors: Value,
    pub inflight: u32,
    pub spool_bytes: u64,
    pub spool_dropped: u64,
    pub store_degraded: bool,
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
}

/// Calls to one model by one account that are not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingCalls {
    pub provider: String,
    pub connection_id: String,
    /// The provider's own id.
    pub model: String,
    pub calls: i64,
}

/// A handle on what is known of the data planes; clones share it.
#[derive(Clone)]
pub struct Fleet(Arc<Shared>);

struct Shared {
    pool: PgPool,
    /// This control plane.
    replica: Uuid,
    newest: Newest,
    members: Mutex<HashMap<String, Member>>,
    /// Somebody joined, left, applied or refused something.
    changed: watch::Sender<()>,
    /// Changes should reach the table now.
    urgent: Notify,
    /// Held while the table is written: who waits for it finds written what another took to write.
    writing: tokio::sync::Mutex<()>,
    /// What data planes were asked and have not answered yet, by command.
    questions: Mutex<HashMap<u64, Question>>,
    /// Another replica put a question, or answered one.
    heard: watch::Sender<()>,
    /// Data planes of other replicas that take requests, as the table last said.
    ready_elsewhere: AtomicUsize,
}

/// A data plane whose stream this replica holds, or held until the table knows that it left.
#[derive(Clone)]
struct Member {
    /// Which of its streams this is; a newer one takes over.
    stream: u64,
    incarnation: Uuid,
    build_version: String,
    address: String,
    state: DataPlaneState,
    applied: Option<ConfigVersion>,
    rejected: Option<ConfigVersion>,
    errors: Value,
    inflight: u32,
    /// `[{provider, connectionId, model, calls}]`
    pending: Value,
    spool_bytes: u64,
    spool_dropped: u64,
    store_degraded: bool,
    connected: bool,
    seen: Instant,
    /// The table does not know the newest of it.
    dirty: bool,
    /// Commands put on it are sent to the data plane.
    line: mpsc::Sender<Command>,
}

// === impl Fleet ===

impl Fleet {
    /// `replica` names this control plane process; `newest` says which epoch counts.
    pub fn new(db: &Db, replica: Uuid, newest: Newest) -> Self {
        Self(Arc::new(Shared {
            pool: db.pool().clone(),
            replica,
            newest,
            members: Mutex::default(),
            changed: watch::Sender::new(()),
            urgent: Notify::new(),
            writing: tokio::sync::Mutex::default(),
            questions: Mutex::default(),
            heard: watch::Sender::new(()),
            ready_elsewhere: AtomicUsize::new(0),
        }))
    }

    /// Waits until every connected data plane runs `revision` or has refused it, at most `timeout`. Data planes
    /// connected to other control planes count as well, as far as the database answers.
    pub async fn wait_applied(&self, revision: u64, timeout: Duration) -> Applied {
        let deadline = Instant::now() + timeout;
        let mut changed = self.0.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let (here, elsewhere) = (
                self.applied_here(revision),
                self.applied_elsewhere(revision).await,
            );
            let applied = here + elsewhere;
            if applied.acked + applied.refused >= applied.total || Instant::now() >= deadline {
                return applied;
            }
            let poll = if elsewhere.total > 0 {
                Instant::now() + REMOTE_POLL
            } else {
                deadline
            };
            tokio::select! {
                _ = changed.changed() => {}
                () = sleep_until(poll.min(deadline)) => {}
            }
        }
    }

    /// What providers work on now, as the data planes said last that are connected to any control plane.
    pub async fn pending(&self) -> Result<Vec<PendingCalls>, sqlx::Error> {
        table::pending(&self.0.pool).await
    }

    /// Every data plane of the last two weeks, by id.
    pub async fn list(&self) -> Result<Vec<DataPlane>, sqlx::Error> {
        self.flush().await?;
        table::list(&self.0.pool).await
    }

    /// Data planes that take requests, wherever they are connected.
    pub fn ready(&self) -> usize {
        self.ready_here() + self.0.ready_elsewhere.load(Ordering::Relaxed)
    }

    /// Writes what this replica knows into the table, and asks data planes what other replicas want to know, until
    /// `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let running = async { tokio::join!(self.keep_table(), self.answer_others()) };
        stop.run_until_cancelled(running).await;
        // streams end with the process: others should not wait for our data planes to time out
        self.0.members.lock().values_mut().for_each(|member| {
            member.connected = false;
            member.dirty = true;
        });
        if let Err(error) = self.flush().await {
            tracing::warn!(%error, "the data planes of this control plane stay listed as connected until they time out");
        }
    }

    async fn keep_table(&self) {
        let mut failing = false;
        let mut purge_at = Instant::now();
        loop {
            let started = Instant::now();
            let mut outcome = self.flush().await;
            if outcome.is_ok() {
                outcome = self.count_elsewhere().await;
            }
            if started >= purge_at && outcome.is_ok() {
                outcome = table::purge(&self.0.pool).await;
                purge_at = started + PURGE;
            }
            // once per outage
            if let Err(error) = &outcome
                && !failing
            {
                tracing::warn!(%error, "the table of data planes cannot be written");
            }
            failing = outcome.is_err();
            sleep_until(started + SPACING).await;
            tokio::select! {
                () = self.0.urgent.notified() => {}
                () = sleep_until(started + FLUSH) => {}
            }
        }
    }

    /// While the database does not answer, the last count stands.
    async fn count_elsewhere(&self) -> Result<(), sqlx::Error> {
        if self.is_alone() {
            return Ok(());
        }
        let ready = table::ready_elsewhere(&self.0.pool, self.0.replica).await?;
        self.0.ready_elsewhere.store(ready, Ordering::Relaxed);
        Ok(())
    }

    async fn flush(&self) -> Result<(), sqlx::Error> {
        let _writing = self.0.writing.lock().await;
        let dirty: Vec<(String, Member)> = {
            let mut members = self.0.members.lock();
            let dirty = members.iter_mut().filter(|(_, member)| member.dirty);
            dirty
                .map(|(id, member)| (id.clone(), member.take_dirty()))
                .collect()
        };
        if dirty.is_empty() {
            return Ok(());
        }
        let written = table::write(&self.0.pool, self.0.replica, &dirty).await;
        let mut members = self.0.members.lock();
        for (id, flushed) in &dirty {
            let Some(member) = members.get_mut(id) else {
                continue;
            };
            match &written {
                Ok(()) if !member.connected && member.stream == flushed.stream && !member.dirty => {
                    members.remove(id);
                }
                Ok(()) => {}
                Err(_) => member.dirty = true,
            }
        }
        written
    }

    fn applied_here(&self, revision: u64) -> Applied {
        let epoch = self.epoch();
        let reached = |version: &Option<ConfigVersion>| {
            let version = version.as_ref();
            version
                .is_some_and(|version| Some(&version.epoch) == epoch.as_ref() && version.revision >= revision)
        };
        let members = self.0.members.lock();
        let mut applied = Applied::default();
        for member in members.values().filter(|member| member.connected) {
            applied.total += 1;
            if reached(&member.applied) {
                applied.acked += 1;
            } else if reached(&member.rejected) {
                applied.refused += 1;
            }
        }
        applied
    }

    async fn applied_elsewhere(&self, revision: u64) -> Applied {
        let epoch = self.epoch().and_then(|epoch| Uuid::try_parse(&epoch).ok());
        let asked = table::applied_elsewhere(&self.0.pool, self.0.replica, epoch, revision).await;
        asked.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot ask for the data planes of other control planes");
            Applied::default()
        })
    }

    fn epoch(&self) -> Option<String> {
        self.0
            .newest
            .borrow()
            .as_ref()
            .map(|published| published.version.epoch.clone())
    }
}

// === impl Member ===

impl Member {
    /// A copy for the table, which then knows the newest of it.
    fn take_dirty(&mut self) -> Self {
        self.dirty = false;
        self.clone()
    }
}

// === impl Applied ===

impl std::ops::Add for Applied {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            acked: self.acked + other.acked,
            total: self.total + other.total,
            refused: self.refused + other.refused,
        }
    }
}
