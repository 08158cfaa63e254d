//! Backups: bundles in a directory, made when somebody asks, once a day, and before a bundle is taken over.
//!
//! One of these runs at a time in the whole cluster, under an advisory lock of the database. The lock, the reading and
//! the row of a backup are one transaction on one connection, because an embedded database has no second one.
//!
//! Taking a bundle over is one write of configuration: everything or nothing, one revision, one audit row. Before it
//! commits, what data planes would be sent is checked as they check it, and what they would newly refuse ends it.

mod directory;
mod job;
mod take_over;

use std::{
    io,
    sync::{Arc, OnceLock},
};

use chrono::{DateTime, Utc};
use runtime::{crypto::SealKey, secret::Secret};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use thiserror::Error;
use uuid::Uuid;

use self::directory::{Directory, Entry};
pub use self::{
    directory::{BackupId, Reason},
    job::keep_daily,
    take_over::{Mode, TakeOver, Taken},
};
use crate::{
    bundle::{
        self, BundleError, Contents, Counts, FieldKey, Keys, Manifest, Read, SecretMode, Secrets, Usage,
    },
    config::ApiConfig,
    db::{Audit, Db, Origin},
    publish,
    vault::Vault,
};

#[derive(Debug, Error)]
pub enum BackupError {
    #[error("there is nowhere to keep backups: set BACKUP_DIR to a directory that all control planes share")]
    NoDirectory,
    #[error("another backup, restore or import is running: try again when it is done")]
    Busy,
    #[error("there is no backup `{0}`")]
    Missing(BackupId),
    #[error("the directory of backups cannot be used: see the log")]
    Directory(#[source] io::Error),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// What data planes would not run.
    #[error("{0}")]
    Refused(String),
    #[error("the database does not answer")]
    Database(#[from] sqlx::Error),
    #[error("the thread that reads and writes files ended early")]
    Thread(#[from] tokio::task::JoinError),
}

/// A file, and what is known of it.
#[derive(Clone, Debug)]
pub struct Backup {
    pub id: BackupId,
    pub created_at: DateTime<Utc>,
    pub reason: Reason,
    pub size: u64,
    /// Nothing of a file that cannot be read.
    pub counts: Option<Counts>,
}

/// What is handed out beside the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Include {
    pub usage: bool,
    pub logs: bool,
}

/// Makes, lists and takes over. Cheap to clone.
#[derive(Clone)]
pub struct Backups(Arc<Inner>);

struct Inner {
    db: Db,
    vault: Vault,
    directory: Option<Directory>,
    storage_key: Secret<String>,
    pepper: Secret<String>,
    keeps_keys: bool,
    /// Takes its time to make.
    field_key: OnceLock<FieldKey>,
    /// What a data plane would be sent, for checking it.
    rendering: publish::Secrets,
}

// === impl Backups ===

impl Backups {
    pub fn new(db: &Db, config: &ApiConfig, transport: &SealKey) -> Self {
        let vault = || Vault::new(&config.storage_encryption_key);
        Self(Arc::new(Inner {
            db: db.clone(),
            vault: vault(),
            directory: config.backup_dir.clone().map(Directory::new),
            storage_key: config.storage_encryption_key.clone(),
            pepper: config.api_key_secret.clone(),
            keeps_keys: config.api_key_reveal,
            field_key: OnceLock::new(),
            rendering: publish::Secrets {
                vault: vault(),
                transport: transport.clone(),
                pepper: config.api_key_secret.clone(),
            },
        }))
    }

    /// Newest first. A file that nobody knew is looked into.
    pub async fn list(&self) -> Result<Vec<Backup>, BackupError> {
        let directory = self.directory()?;
        let entries = blocking(move || directory.list())
            .await?
            .map_err(BackupError::Directory)?;
        let known =
            sqlx::query!("select id, connection_count, node_count, combo_count, api_key_count from backup")
                .fetch_all(self.0.db.pool())
                .await?;
        let counts = |id: &BackupId| {
            let row = known.iter().find(|row| row.id == id.as_str())?;
            Some(Counts {
                connection_count: row.connection_count,
                node_count: row.node_count,
                combo_count: row.combo_count,
                api_key_count: row.api_key_count,
            })
        };
        let mut backups = Vec::with_capacity(entries.len());
        for entry in entries {
            let counts = match counts(&entry.id) {
                Some(counts) => Some(counts),
                None => self.adopt(&entry).await?,
            };
            backups.push(Backup::of(entry, counts));
        }
        Ok(backups)
    }

    /// Makes one; nothing if none is needed, because the newest says the same.
    pub async fn create(
        &self,
        origin: &Origin,
        reason: Reason,
        force: bool,
    ) -> Result<Option<Backup>, BackupError> {
        let directory = self.directory()?;
        let there = blocking(move || directory.list())
            .await?
            .map_err(BackupError::Directory)?;
        let mut tx = self
            .0
            .db
            .pool()
            .begin_with("begin isolation level repeatable read")
            .await?;
        lock(&mut tx).await?;
        if !force && is_saved(&mut tx, &there).await? {
            return Ok(None);
        }
        let contents = bundle::load(&mut tx, &self.0.vault).await?;
        let backup = self.save(&mut tx, &contents, reason, origin).await?;
        tx.commit().await?;
        let details = json!({ "reason": reason, "size": backup.size });
        let audit = Audit::of("backup.created")
            .target("backup", &backup.id)
            .details(details);
        self.0.db.record(origin, audit).await?;
        self.forget_old().await?;
        Ok(Some(backup))
    }

    /// The bytes of a file, as they were written.
    pub async fn file(&self, id: &BackupId) -> Result<Vec<u8>, BackupError> {
        let (directory, name) = (self.directory()?, id.clone());
        let bytes = blocking(move || directory.read(&name)).await?;
        let bytes = bytes.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BackupError::Missing(id.clone()),
            _ => BackupError::Directory(error),
        })?;
        let sha256 = sqlx::query_scalar!("select sha256 from backup where id = $1", id.as_str())
            .fetch_optional(self.0.db.pool())
            .await?;
        match sha256 {
            Some(sha256) if sha256 != Sha256::digest(&bytes).as_slice() => Err(BundleError::Checksum.into()),
            _ => Ok(bytes),
        }
    }

    /// What a file says. `theirs` is the `STORAGE_ENCRYPTION_KEY` of the installation that wrote it.
    pub async fn read(
        &self,
        bytes: Vec<u8>,
        theirs: Option<Secret<String>>,
        passphrase: Option<Secret<String>>,
    ) -> Result<Read, BackupError> {
        let this = self.clone();
        let read = blocking(move || {
            let keys = Keys {
                own: this.field_key().clone(),
                theirs,
                passphrase,
                pepper: this.0.pepper.clone(),
                cluster_id: this.0.db.cluster_id().to_owned(),
            };
            bundle::read(bytes, keys)
        });
        Ok(read.await??)
    }

    /// All configuration, as it is now, and its bundle.
    pub async fn export(
        &self,
        mode: SecretMode,
        passphrase: Option<Secret<String>>,
        include: Include,
    ) -> Result<(Contents, Vec<u8>), BackupError> {
        let mut tx = self
            .0
            .db
            .pool()
            .begin_with("begin isolation level repeatable read read only")
            .await?;
        let contents = bundle::load(&mut tx, &self.0.vault).await?;
        let usage = Usage::load(&mut tx, include.usage, include.logs).await?;
        let manifest = self.manifest(&mut tx, Utc::now()).await?;
        tx.commit().await?;
        let this = self.clone();
        let written = blocking(move || {
            let secrets = match (mode, passphrase) {
                (SecretMode::Omit, _) => Secrets::Omit,
                (SecretMode::Passphrase, Some(passphrase)) => {
                    let salt: [u8; 16] = rand::random();
                    Secrets::Passphrase {
                        key: FieldKey::passphrase(&passphrase, &salt),
                        salt: salt.to_vec(),
                    }
                }
                _ => Secrets::Encrypted(this.field_key().clone()),
            };
            let bytes = bundle::write(&contents, &manifest, &secrets, &usage)?;
            Ok::<_, BundleError>((contents, bytes))
        });
        Ok(written.await??)
    }

    /// Removes what is beyond the newest `keep`, or older than `days`; without either, what is not worth keeping.
    pub async fn clean(
        &self,
        origin: &Origin,
        keep: Option<usize>,
        days: Option<u32>,
    ) -> Result<usize, BackupError> {
        let directory = self.directory()?;
        let removed = blocking(move || match (keep, days) {
            (None, None) => directory.forget_old(),
            (keep, days) => directory.forget(keep, days, Utc::now()),
        });
        let deleted = removed.await?.map_err(BackupError::Directory)?;
        self.forget_rows().await?;
        let details = json!({ "keepLatest": keep, "retentionDays": days, "deleted": deleted });
        let audit = Audit::of("backup.cleaned").details(details);
        self.0.db.record(origin, audit).await?;
        Ok(deleted)
    }

    async fn forget_old(&self) -> Result<(), BackupError> {
        let directory = self.directory()?;
        let removed = blocking(move || directory.forget_old()).await?;
        removed.map_err(BackupError::Directory)?;
        self.forget_rows().await
    }

    async fn forget_rows(&self) -> Result<(), BackupError> {
        let directory = self.directory()?;
        let there = blocking(move || directory.list())
            .await?
            .map_err(BackupError::Directory)?;
        let ids: Vec<String> = there.iter().map(|entry| entry.id.to_string()).collect();
        sqlx::query!("delete from backup where id <> all($1)", &ids)
            .execute(self.0.db.pool())
            .await?;
        Ok(())
    }

    /// Writes a file and its row, in the transaction that read what is in it.
    async fn save(
        &self,
        conn: &mut PgConnection,
        contents: &Contents,
        reason: Reason,
        origin: &Origin,
    ) -> Result<Backup, BackupError> {
        let directory = self.directory()?;
        let manifest = self.manifest(conn, Utc::now()).await?;
        let (epoch, revision) = (manifest.epoch, manifest.revision);
        let (this, contents, counts) = (self.clone(), contents.clone(), contents.counts());
        let saved = blocking(move || {
            let secrets = Secrets::Encrypted(this.field_key().clone());
            let bytes = bundle::write(&contents, &manifest, &secrets, &Usage::default())?;
            let sha256 = Sha256::digest(&bytes).to_vec();
            let entry = directory
                .write(manifest.created_at, reason, &bytes)
                .map_err(BackupError::Directory)?;
            Ok::<_, BackupError>((entry, sha256))
        });
        let (entry, sha256) = saved.await??;
        sqlx::query!(
            "insert into backup (id, created_at, reason, size, connection_count, node_count, combo_count,
                                 api_key_count, epoch, config_revision, sha256, secret_mode, created_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'encrypted', $12)",
            entry.id.as_str(),
            entry.created_at,
            reason.as_str(),
            i64::try_from(entry.size).unwrap_or(i64::MAX),
            counts.connection_count,
            counts.node_count,
            counts.combo_count,
            counts.api_key_count,
            epoch,
            revision,
            sha256,
            origin.actor.to_string(),
        )
        .execute(conn)
        .await?;
        Ok(Backup::of(entry, Some(counts)))
    }

    /// A file that somebody else put there. What cannot be read is listed without counts.
    async fn adopt(&self, entry: &Entry) -> Result<Option<Counts>, BackupError> {
        let (directory, id) = (self.directory()?, entry.id.clone());
        let looked = blocking(move || {
            let bytes = directory.read(&id).ok()?;
            let sha256 = Sha256::digest(&bytes).to_vec();
            Some((bundle::manifest_of(bytes).ok()?, sha256))
        });
        let Some((about, sha256)) = looked.await? else {
            return Ok(None);
        };
        let counts = about.counts;
        sqlx::query!(
            "insert into backup (id, created_at, reason, size, connection_count, node_count, combo_count,
                                 api_key_count, sha256, secret_mode, created_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'system')
             on conflict (id) do nothing",
            entry.id.as_str(),
            entry.created_at,
            entry.reason.as_str(),
            i64::try_from(entry.size).unwrap_or(i64::MAX),
            counts.connection_count,
            counts.node_count,
            counts.combo_count,
            counts.api_key_count,
            sha256,
            about.secret_mode.map(SecretMode::as_str),
        )
        .execute(self.0.db.pool())
        .await?;
        Ok(Some(counts))
    }

    async fn manifest(&self, conn: &mut PgConnection, at: DateTime<Utc>) -> Result<Manifest, sqlx::Error> {
        let head = sqlx::query!("select epoch, revision from config_head")
            .fetch_one(conn)
            .await?;
        Ok(Manifest {
            cluster_id: self.0.db.cluster_id().to_owned(),
            epoch: head.epoch,
            revision: head.revision,
            created_at: at,
            pepper: bundle::fingerprint(&self.0.pepper),
        })
    }

    fn directory(&self) -> Result<Directory, BackupError> {
        self.0.directory.clone().ok_or(BackupError::NoDirectory)
    }

    /// Blocking, the first time.
    fn field_key(&self) -> &FieldKey {
        self.0
            .field_key
            .get_or_init(|| FieldKey::shared(&self.0.storage_key))
    }
}

// === impl Backup ===

impl Backup {
    fn of(entry: Entry, counts: Option<Counts>) -> Self {
        Self {
            id: entry.id,
            created_at: entry.created_at,
            reason: entry.reason,
            size: entry.size,
            counts,
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Until the transaction ends.
async fn lock(conn: &mut PgConnection) -> Result<(), BackupError> {
    let is_ours =
        sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(hashtext('backup')) as "is_ours!""#)
            .fetch_one(conn)
            .await?;
    if is_ours { Ok(()) } else { Err(BackupError::Busy) }
}

/// Whether the newest backup, which is still there, has this very revision.
async fn is_saved(conn: &mut PgConnection, there: &[Entry]) -> Result<bool, sqlx::Error> {
    let newest: Option<(Option<Uuid>, Option<i64>, String)> =
        sqlx::query!("select epoch, config_revision, id from backup order by created_at desc limit 1")
            .fetch_optional(&mut *conn)
            .await?
            .map(|row| (row.epoch, row.config_revision, row.id));
    let head = sqlx::query!("select epoch, revision from config_head")
        .fetch_one(conn)
        .await?;
    Ok(newest.is_some_and(|(epoch, revision, id)| {
        (epoch, revision) == (Some(head.epoch), Some(head.revision))
            && there.iter().any(|entry| entry.id.as_str() == id)
    }))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    tokio::task::spawn_blocking(work).await
}
