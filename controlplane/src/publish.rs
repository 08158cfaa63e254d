//! From committed rows to what every data plane runs.
//!
//! ```text
//! commit ──NOTIFY──▶ listen ─┐
//! commit ──in process───────▶├─▶ Publisher: head ─▶ rows ─▶ resources ─▶ watch ─▶ one session per data plane
//! every 500 ms ──────────────┘
//! ```
//!
//! The publisher reads the newest committed revision and nothing else: it may skip revisions, and it never goes
//! back inside one epoch. Notifications only make it look sooner. What it builds is a pure function of the rows, so
//! replicas publish identical bytes.

mod build;
mod fleet;
mod grpc;
mod listen;
mod published;
mod rows;
mod session;

use std::{sync::Arc, time::Duration};

use proto::{Issue, v1::resource::Body, validate};
use sqlx::{PgConnection, PgPool};
use thiserror::Error;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use self::rows::Rows;
pub use self::{
    build::Secrets,
    fleet::{Applied, AskError, DataPlane, Fleet, PendingCalls},
    grpc::ControlPlane,
    listen::listen,
    published::Published,
    rows::Head,
};
use crate::db::{CONFIG_CHANNEL, Db};

/// How old a published configuration may be when every notification is lost.
const POLL: Duration = Duration::from_millis(500);
/// A burst of commits is published at most this often; the first of it at once, the last of it always.
const SPACING: Duration = Duration::from_millis(100);

/// The newest configuration, for whoever follows it. `None` until it was read for the first time.
pub type Newest = watch::Receiver<Option<Arc<Published>>>;

#[derive(Debug, Error)]
enum PublishError {
    #[error("the configuration cannot be read")]
    Read(#[from] sqlx::Error),
    #[error("the configuration cannot be compressed")]
    Compress(#[from] std::io::Error),
    #[error("the configuration could not be built")]
    Build(#[from] tokio::task::JoinError),
}

/// Shortens the poll of this process's own publisher, for when there is nobody to listen with.
#[derive(Clone, Default)]
pub struct Wake(Arc<Notify>);

/// Publishes the newest committed configuration.
pub struct Publisher {
    pool: PgPool,
    secrets: Arc<Secrets>,
    wake: Wake,
    newest: watch::Sender<Option<Arc<Published>>>,
}

// === impl Wake ===

impl Wake {
    /// Something was committed.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

// === impl Publisher ===

impl Publisher {
    pub fn new(db: &Db, secrets: Secrets) -> Self {
        Self {
            pool: db.pool().clone(),
            secrets: Arc::new(secrets),
            wake: Wake::default(),
            newest: watch::Sender::new(None),
        }
    }

    pub fn newest(&self) -> Newest {
        self.newest.subscribe()
    }

    pub fn wake(&self) -> Wake {
        self.wake.clone()
    }

    /// Runs until `stop`. Survives every failure of the database; data planes keep what they run meanwhile.
    pub async fn run(self, stop: CancellationToken) {
        let Wake(wake) = self.wake.clone();
        let listening = listen(&self.pool, CONFIG_CHANNEL, |_| wake.notify_one());
        let following = async { tokio::join!(listening, self.follow(&wake)) };
        stop.run_until_cancelled(following).await;
    }

    async fn follow(&self, wake: &Notify) {
        let mut failing = false;
        loop {
            let started = Instant::now();
            let outcome = self.publish().await;
            match &outcome {
                Ok(()) if failing => tracing::info!("the configuration can be read again"),
                // once per outage
                Err(error) if !failing => {
                    tracing::error!(
                        error = error as &dyn std::error::Error,
                        "cannot publish the configuration"
                    );
                }
                _ => {}
            }
            failing = outcome.is_err();
            sleep_until(started + SPACING).await;
            // Elapsed is as good as woken.
            let _ = timeout(POLL.saturating_sub(SPACING), wake.notified()).await;
        }
    }

    async fn publish(&self) -> Result<(), PublishError> {
        let current = self.newest.borrow().clone();
        if let Some(current) = &current
            && !is_newer(Head::read(&self.pool).await?, current)
        {
            return Ok(());
        }
        let rows = Rows::read(&self.pool).await?;
        let head = rows.head;
        if current.as_ref().is_some_and(|current| !is_newer(head, current)) {
            return Ok(());
        }
        let secrets = self.secrets.clone();
        let building = tokio::task::spawn_blocking(move || {
            Published::new(head, build::build(rows, &secrets), current.as_deref())
        });
        let published = building.await??;
        tracing::debug!(revision = head.revision, "configuration published");
        self.newest.send_replace(Some(Arc::new(published)));
        Ok(())
    }
}

/// What data planes would refuse of the configuration that `conn` sees.
pub async fn issues(conn: &mut PgConnection, secrets: &Secrets) -> Result<Vec<Issue>, sqlx::Error> {
    let rows = Rows::read_all(conn).await?;
    let (resources, _) = build::build(rows, secrets).decode();
    let mut issues: Vec<Issue> = resources.iter().flat_map(validate::resource).collect();
    let combos = resources.iter().filter_map(|resource| match &resource.body {
        Some(Body::Combo(combo)) => Some((resource.id.as_str(), combo)),
        _ => None,
    });
    let aliases = resources.iter().filter_map(|resource| match &resource.body {
        Some(Body::ModelAlias(alias)) => Some((resource.id.as_str(), alias)),
        _ => None,
    });
    issues.extend(validate::names(combos, aliases));
    Ok(issues)
}

/// Another epoch is always newer: the database was restored.
fn is_newer(head: Head, current: &Published) -> bool {
    head.epoch.to_string() != current.version.epoch || head.revision > current.version.revision
}
