//! One backup a day, of whatever has changed since the last one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::{Backup, BackupError, Backups, Reason, blocking};
use crate::db::Origin;

const LOOK: Duration = Duration::from_secs(10 * 60);
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);

// === impl Backups ===

impl Backups {
    /// Makes the backup of the day, if `now` it is time. Of several control planes one does it.
    pub async fn create_if_due(&self, now: DateTime<Utc>) -> Result<Option<Backup>, BackupError> {
        let directory = self.directory()?;
        let there = blocking(move || directory.list())
            .await?
            .map_err(BackupError::Directory)?;
        let is_due = there
            .first()
            .is_none_or(|newest| now - newest.created_at >= day());
        if !is_due {
            return Ok(None);
        }
        match self.create(&Origin::system(), Reason::Auto, false).await {
            Err(BackupError::Busy) => Ok(None),
            other => other,
        }
    }
}

/// Runs until `stop`; not at all where there is nowhere to keep backups.
pub async fn keep_daily(backups: Backups, stop: CancellationToken) {
    if backups.directory().is_err() {
        return;
    }
    // what a start changes by itself is in the first one
    let mut ticks = interval_at(Instant::now() + LOOK, LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if let Err(error) = backups.create_if_due(Utc::now()).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the backup of the day is made later");
                }
            }
            () = stop.cancelled() => return,
        }
    }
}

fn day() -> chrono::Duration {
    chrono::Duration::from_std(EVERY).unwrap_or(chrono::Duration::MAX)
}
