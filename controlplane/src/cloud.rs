//! Cloud sync: a copy of the configuration at an endpoint that the operator runs elsewhere, so that a gateway there
//! can serve while none here does.
//!
//! Off by default, and off without `CLOUD_URL`. A run replaces the copy and takes over tokens that were renewed there.
//! It is claimed in its row first, so that of several control planes one runs, and a run that dies is over in
//! [`CLAIM_S`]. Once initialised, one control plane repeats it every quarter of an hour, and soon after each change of
//! the configuration.

mod config;
mod contents;
mod remote;
mod seal;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use runtime::{egress::Egress, secret::Secret};
use serde_json::{Map, Value, json};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use self::{
    contents::{Contents, LoadError},
    remote::{Remote, RemoteError, Reply},
    seal::SyncKey,
};
use crate::{
    config::ApiConfig,
    db::{Audit, Db, Origin, Outcome},
    error::ApiError,
    gateway_key, oauth,
    publish::Wake,
    vault::{Vault, VaultError},
};

pub use self::config::{CloudConfig, IncompleteCloud};

/// How often a control plane looks whether a run is due.
const TICK: Duration = Duration::from_secs(10);
/// A run is over after this, whatever became of it.
const CLAIM_S: f64 = 60.0;
/// From the initialisation to the first run.
const FIRST_S: f64 = 30.0;
const PERIOD_S: f64 = 15.0 * 60.0;
const AFTER_FAILURE_S: f64 = 60.0;
/// How long what is known of the endpoint is told again.
const REMEMBERED: Duration = Duration::from_secs(30);
const VERIFICATIONS: u32 = 2;
const VERIFICATION_PAUSE: Duration = Duration::from_millis(1_500);

/// Why there is no new copy. For operators.
#[derive(Debug, Error)]
pub enum CloudError {
    #[error("no cloud endpoint is configured: set CLOUD_URL and CLOUD_SYNC_KEY")]
    Off,
    #[error("a run is under way: try again when it is over")]
    Busy,
    #[error("cloud sync is not enabled")]
    NotEnabled,
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A handle; clones share it.
#[derive(Clone)]
pub struct Cloud(Arc<Shared>);

struct Shared {
    db: Db,
    vault: Vault,
    egress: Arc<Egress>,
    wake: Wake,
    /// Of gateway keys.
    pepper: Secret<String>,
    remote: Option<Remote>,
    /// Whether the endpoint answered, and when that was found out.
    seen: Mutex<Option<(Instant, bool)>>,
}

/// How it goes.
#[derive(Clone, Debug)]
pub struct Status {
    pub enabled: bool,
    pub initialized: bool,
    /// Whether the endpoint answers; none while nobody wants it to.
    pub connected: Option<bool>,
    pub last_sync_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct Run {
    /// In the endpoint's words, and how many connections got newer tokens.
    pub changes: Map<String, Value>,
}

// === impl Cloud ===

impl Cloud {
    pub fn new(db: &Db, egress: Arc<Egress>, wake: Wake, config: &ApiConfig) -> Self {
        let cloud = &config.cloud;
        let remote = cloud
            .url
            .clone()
            .zip(cloud.sync_key.as_ref())
            .map(|(url, key)| Remote {
                url,
                key: SyncKey::new(key),
                timeout: Duration::from_millis(cloud.timeout_ms),
            });
        Self(Arc::new(Shared {
            db: db.clone(),
            vault: Vault::new(&config.storage_encryption_key),
            egress,
            wake,
            pepper: config.api_key_secret.clone(),
            remote,
            seen: Mutex::default(),
        }))
    }

    pub async fn status(&self) -> Result<Status, CloudError> {
        let row = sqlx::query!(
            "select enabled, initialized_at, last_sync_at, last_error, last_error_at from cloud_sync"
        )
        .fetch_one(self.0.db.pool())
        .await?;
        let connected = match &self.0.remote {
            Some(remote) if row.enabled => Some(self.answers(remote).await),
            _ => None,
        };
        Ok(Status {
            enabled: row.enabled,
            initialized: row.initialized_at.is_some(),
            connected,
            last_sync_at: row.last_sync_at,
            last_error: row.last_error,
        })
    }

    /// Makes the first copy, and keeps it up from now on. Nothing is enabled when that fails.
    /// A gateway key is made where there is none, for the gateway there answers to the same keys; its text is returned.
    pub async fn enable(&self, origin: &Origin) -> Result<(Run, Option<String>), CloudError> {
        let remote = self.remote()?;
        let run = self.claimed(remote).await?;
        let mut tx = self.0.db.config_tx(origin).await?;
        let made = gateway_key::first(tx.conn(), self.0.db.cluster_id(), &self.0.pepper).await?;
        let (made, key) = made.unzip();
        sqlx::query!(
            "update cloud_sync set enabled = true, initialized_at = coalesce(initialized_at, now())"
        )
        .execute(tx.conn())
        .await?;
        let audit = Audit::of("cloud.sync.enabled")
            .details(json!({ "host": remote.url.host_str(), "createdKey": made }));
        tx.commit(audit, ()).await?;
        Ok((run, key))
    }

    /// Makes a new copy now.
    pub async fn sync(&self, origin: &Origin) -> Result<Run, CloudError> {
        let remote = self.remote()?;
        let enabled = sqlx::query_scalar!("select enabled from cloud_sync")
            .fetch_one(self.0.db.pool())
            .await?;
        if !enabled {
            return Err(CloudError::NotEnabled);
        }
        let run = self.claimed(remote).await;
        let (outcome, details) = match &run {
            Ok(run) => (Outcome::Success, json!({ "changes": run.changes })),
            Err(error) => (Outcome::Failed, json!({ "reason": error.to_string() })),
        };
        let audit = Audit::of("cloud.sync.run").outcome(outcome).details(details);
        self.0.db.record(origin, audit).await?;
        run
    }

    /// Removes the copy, and keeps none from now on. With `force` also when the endpoint cannot be told.
    pub async fn disable(&self, origin: &Origin, force: bool) -> Result<(), CloudError> {
        let removed = match self.remote() {
            Ok(remote) => remote
                .remove(&self.0.egress, self.0.db.cluster_id())
                .await
                .map_err(CloudError::from),
            Err(error) => Err(error),
        };
        let failure = match removed {
            Ok(()) => None,
            Err(error) if force => Some(error.to_string()),
            Err(error) => return Err(error),
        };
        let mut tx = self.0.db.config_tx(origin).await?;
        sqlx::query!("update cloud_sync set enabled = false, pushed_revision = 0, last_error = null")
            .execute(tx.conn())
            .await?;
        let audit = Audit::of("cloud.sync.disabled").details(json!({ "copyRemains": failure }));
        tx.commit(audit, ()).await?;
        Ok(())
    }

    /// Whether the endpoint answers, after a second try.
    pub async fn verify(&self) -> Result<(), CloudError> {
        let remote = self.remote()?;
        let mut tries = 1;
        loop {
            let verified = remote.verify(&self.0.egress, self.0.db.cluster_id()).await;
            *self.0.seen.lock() = Some((Instant::now(), verified.is_ok()));
            match verified {
                Err(_) if tries < VERIFICATIONS => sleep(VERIFICATION_PAUSE).await,
                done => return Ok(done?),
            }
            tries += 1;
        }
    }

    /// From now on a copy that is enabled is kept up. False when that was so already.
    pub async fn initialize(&self, origin: &Origin) -> Result<bool, CloudError> {
        let mut tx = self.0.db.config_tx(origin).await?;
        let begun = sqlx::query!(
            "update cloud_sync
             set initialized_at = now(), next_run_at = now() + make_interval(secs => $1)
             where initialized_at is null",
            FIRST_S,
        )
        .execute(tx.conn())
        .await?;
        if begun.rows_affected() == 0 {
            return Ok(false);
        }
        tx.commit(Audit::of("cloud.sync.initialized"), ()).await?;
        Ok(true)
    }

    /// Keeps the copy up until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let Some(remote) = &self.0.remote else {
            return;
        };
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let keeping = async {
            loop {
                tick.tick().await;
                match self.when_due(remote).await {
                    Ok(()) => {}
                    Err(error) => tracing::warn!(%error, "the copy in the cloud is not up to date"),
                }
            }
        };
        stop.run_until_cancelled(keeping).await;
    }

    async fn when_due(&self, remote: &Remote) -> Result<(), CloudError> {
        let due = sqlx::query!(
            "update cloud_sync set claimed_until = now() + make_interval(secs => $1)
             where enabled and initialized_at is not null and (claimed_until is null or claimed_until <= now())
               and (next_run_at <= now()
                    or (last_error is null and pushed_revision < (select revision from config_head)))",
            CLAIM_S,
        )
        .execute(self.0.db.pool())
        .await?;
        if due.rows_affected() == 0 {
            return Ok(());
        }
        self.carry_out(remote).await?;
        Ok(())
    }

    async fn claimed(&self, remote: &Remote) -> Result<Run, CloudError> {
        let claim = sqlx::query!(
            "update cloud_sync set claimed_until = now() + make_interval(secs => $1)
             where claimed_until is null or claimed_until <= now()",
            CLAIM_S,
        )
        .execute(self.0.db.pool())
        .await?;
        if claim.rows_affected() == 0 {
            return Err(CloudError::Busy);
        }
        self.carry_out(remote).await
    }

    /// One run of whoever has claimed it; its outcome is in the row afterwards.
    async fn carry_out(&self, remote: &Remote) -> Result<Run, CloudError> {
        let copied = self.copy(remote).await;
        let (pause, revision, failure) = match &copied {
            Ok((revision, _)) => (PERIOD_S, Some(*revision), None),
            Err(error) => (AFTER_FAILURE_S, None, Some(error.to_string())),
        };
        sqlx::query!(
            "update cloud_sync
             set claimed_until = null, next_run_at = now() + make_interval(secs => $1),
                 pushed_revision = coalesce($2, pushed_revision),
                 last_sync_at = case when $3::text is null then now() else last_sync_at end,
                 last_error = $3, last_error_at = case when $3::text is null then last_error_at else now() end",
            pause,
            revision,
            failure,
        )
        .execute(self.0.db.pool())
        .await?;
        *self.0.seen.lock() = Some((Instant::now(), copied.is_ok()));
        Ok(copied?.1)
    }

    async fn copy(&self, remote: &Remote) -> Result<(i64, Run), CloudError> {
        let Shared {
            db, vault, egress, ..
        } = &*self.0;
        let mut tx = db.pool().begin().await?;
        sqlx::query!("set transaction isolation level repeatable read, read only")
            .execute(&mut *tx)
            .await?;
        let contents = Contents::load(&mut tx, db.cluster_id(), vault, &remote.key).await?;
        tx.commit().await?;
        let reply = remote.push(egress, db.cluster_id(), &contents).await?;
        let mut changes = reply.changes.clone();
        let renewed = self.take_over(remote, reply).await?;
        if renewed > 0 {
            changes.insert("tokensTakenOver".to_owned(), renewed.into());
        }
        Ok((contents.revision, Run { changes }))
    }

    /// Tokens that were renewed at the other end and last longer than ours. Returns of how many connections.
    async fn take_over(&self, remote: &Remote, reply: Reply) -> Result<usize, CloudError> {
        let mut taken = Vec::new();
        for (id, tokens) in reply.data.providers {
            let opened = |field, sealed: &Option<String>| remote.key.open(&id, field, sealed.as_deref()?);
            let renewed = oauth::Renewed {
                access_token: opened("access_token", &tokens.access_token),
                refresh_token: opened("refresh_token", &tokens.refresh_token),
                expires_at: tokens.expires_at,
            };
            let Ok(connection) = id.parse() else { continue };
            if renewed.access_token.is_none() || renewed.expires_at.is_none() {
                continue;
            }
            taken.push((connection, renewed));
        }
        if taken.is_empty() {
            return Ok(0);
        }
        let mut tx = self.0.db.config_tx(&Origin::system()).await?;
        let mut renewed = Vec::new();
        for (connection, tokens) in &taken {
            if oauth::replace_older(tx.conn(), &self.0.vault, *connection, tokens).await? {
                renewed.push(connection.to_string());
            }
        }
        if renewed.is_empty() {
            return Ok(0);
        }
        let audit = Audit::of("cloud.credentials.updated").details(json!({ "connections": renewed }));
        tx.commit(audit, ()).await?;
        self.0.wake.wake();
        Ok(renewed.len())
    }

    async fn answers(&self, remote: &Remote) -> bool {
        let seen = *self.0.seen.lock();
        if let Some((_, answered)) = seen.filter(|(at, _)| at.elapsed() < REMEMBERED) {
            return answered;
        }
        let answered = remote
            .verify(&self.0.egress, self.0.db.cluster_id())
            .await
            .is_ok();
        *self.0.seen.lock() = Some((Instant::now(), answered));
        answered
    }

    fn remote(&self) -> Result<&Remote, CloudError> {
        self.0.remote.as_ref().ok_or(CloudError::Off)
    }
}

// === impl CloudError ===

impl From<LoadError> for CloudError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Database(error) => Self::Database(error),
            LoadError::Vault(error) => Self::Vault(error),
        }
    }
}

impl From<CloudError> for ApiError {
    fn from(error: CloudError) -> Self {
        let message = error.to_string();
        match error {
            CloudError::Off => Self::NotConfigured(message),
            CloudError::Busy => Self::OperationInProgress(message),
            CloudError::NotEnabled => Self::conflict(message),
            CloudError::Remote(RemoteError::Late) => Self::UpstreamTimeout,
            CloudError::Remote(RemoteError::Blocked(why)) => Self::UrlBlocked(why),
            CloudError::Remote(RemoteError::Refused(status)) => Self::Upstream {
                status: Some(status),
                message,
            },
            CloudError::Remote(RemoteError::Unreachable(_) | RemoteError::Odd) => Self::Upstream {
                status: None,
                message,
            },
            CloudError::Database(error) => error.into(),
            CloudError::Vault(error) => error.into(),
        }
    }
}
