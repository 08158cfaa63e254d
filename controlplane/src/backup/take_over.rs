//! A bundle takes the place of the configuration, or comes on top of it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Backup, BackupError, Backups, Reason, blocking, lock};
use crate::{
    bundle::{self, Contents, Counts, Read, Sealed},
    db::{Audit, Committed, Origin},
    publish,
};

/// How many findings a refusal tells.
const TOLD: usize = 5;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ImportMode)]
pub enum Mode {
    /// What the file does not name goes.
    #[default]
    Replace,
    /// What is there stays, and what is the same in both becomes as in the file.
    Merge,
}

/// What is to be done.
#[derive(Debug)]
pub struct TakeOver {
    pub read: Read,
    pub mode: Mode,
    pub reason: Reason,
    pub action: &'static str,
    /// Of the audit row.
    pub source: String,
    /// Find out whether it could be done, and leave everything as it is.
    pub dry_run: bool,
}

/// What was done.
#[derive(Debug)]
pub struct Taken {
    /// Of all there is now.
    pub counts: Counts,
    pub undecryptable: u32,
    pub warnings: Vec<String>,
    /// API keys that are no more.
    pub gone: Vec<Uuid>,
}

// === impl Backups ===

impl Backups {
    /// Nothing is committed after a dry run, and the revision is the one that was there.
    pub async fn take_over(&self, origin: &Origin, what: TakeOver) -> Result<Committed<Taken>, BackupError> {
        self.directory()?;
        self.is_idle().await?;
        let mut tx = self.0.db.config_tx(origin).await?;
        lock(tx.conn()).await?;
        let current = bundle::load(tx.conn(), &self.0.vault).await?;
        let saved = match what.dry_run {
            true => None,
            false => Some(self.save(tx.conn(), &current, what.reason, origin).await?),
        };
        let taken = match self.apply(tx.conn(), current, &what).await {
            Ok(taken) => taken,
            Err(error) => {
                drop(tx);
                self.discard(saved).await;
                return Err(error);
            }
        };
        if what.dry_run {
            let revision = sqlx::query_scalar!("select revision from config_head")
                .fetch_one(tx.conn())
                .await?;
            return Ok(Committed {
                revision: revision.cast_unsigned(),
                value: taken,
            });
        }
        let audit = Audit::of(what.action)
            .target("backup", &what.source)
            .details(details(&what, &taken, saved.as_ref()));
        let committed = tx.commit(audit, taken).await?;
        if let Err(error) = self.forget_old().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "old backups stay for now"
            );
        }
        Ok(committed)
    }

    async fn apply(
        &self,
        conn: &mut PgConnection,
        current: Contents,
        what: &TakeOver,
    ) -> Result<Taken, BackupError> {
        let before = publish::issues(conn, &self.0.rendering).await?;
        let keys: Vec<Uuid> = current.keys.iter().map(|key| key.id).collect();
        let incoming = what.read.contents.clone();
        let contents = match what.mode {
            Mode::Replace => current.replaced_by(incoming),
            Mode::Merge => current.merged_with(incoming),
        };
        let sealed = Sealed::of(&contents, &self.0.vault, self.0.keeps_keys);
        bundle::store(conn, &contents, sealed).await.map_err(refused)?;
        let known: HashSet<String> = before.iter().map(ToString::to_string).collect();
        let found = publish::issues(conn, &self.0.rendering).await?;
        let new: Vec<String> = found
            .iter()
            .filter(|issue| !known.contains(&issue.to_string()))
            .map(|issue| format!("{} `{}`: {issue}", kind(issue.resource.kind), issue.resource.id))
            .collect();
        if !new.is_empty() {
            let more = new.len().saturating_sub(TOLD);
            let mut text = new.into_iter().take(TOLD).collect::<Vec<_>>().join("; ");
            if more > 0 {
                text.push_str(&format!("; and {more} more"));
            }
            return Err(BackupError::Refused(text));
        }
        // another lineage: every data plane gets all of it anew
        sqlx::query!("update config_head set epoch = $1", Uuid::now_v7())
            .execute(conn)
            .await?;
        let left: HashSet<Uuid> = contents.keys.iter().map(|key| key.id).collect();
        Ok(Taken {
            counts: contents.counts(),
            undecryptable: what.read.undecryptable,
            warnings: what.read.warnings.clone(),
            gone: keys.into_iter().filter(|id| !left.contains(id)).collect(),
        })
    }

    /// A write of configuration waits for the one before it, and whoever asks is not to wait for a restore.
    async fn is_idle(&self) -> Result<(), BackupError> {
        let mut tx = self.0.db.pool().begin().await?;
        lock(&mut tx).await?;
        tx.rollback().await?;
        Ok(())
    }

    /// The file that was made for nothing.
    async fn discard(&self, saved: Option<Backup>) {
        let (Some(saved), Ok(directory)) = (saved, self.directory()) else {
            return;
        };
        let removed = blocking(move || directory.remove(&saved.id)).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::debug!("a backup that was made for nothing stays");
        }
    }
}

/// What the database itself does not take: a name or a value that breaks one of its rules.
fn refused(error: sqlx::Error) -> BackupError {
    let constraint = error
        .as_database_error()
        .and_then(|error| error.constraint())
        .map(str::to_owned);
    match constraint {
        Some(constraint) => BackupError::Refused(format!("a value breaks the rule `{constraint}`")),
        None => error.into(),
    }
}

fn kind(kind: i32) -> String {
    let kind = proto::v1::ResourceKind::try_from(kind).unwrap_or_default();
    kind.as_str_name()
        .trim_start_matches("RESOURCE_KIND_")
        .to_lowercase()
        .replace('_', " ")
}

fn details(what: &TakeOver, taken: &Taken, saved: Option<&Backup>) -> Value {
    json!({
        "mode": what.mode, "connections": taken.counts.connection_count, "nodes": taken.counts.node_count,
        "combos": taken.counts.combo_count, "apiKeys": taken.counts.api_key_count,
        "undecryptable": taken.undecryptable, "backup": saved.map(|saved| saved.id.to_string()),
    })
}
