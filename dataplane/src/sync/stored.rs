//! The last good configuration in the state store, sealed.
//!
//! Data planes of one deployment share it, and the store replaces it only by something newer, so it does not
//! matter who writes.

use super::apply::{Applier, Running, Update};
use bytes::Bytes;
use prost::Message;
use proto::v1::{StoredSnapshot, config_update::Mode};
use runtime::backoff::Backoff;
use runtime::crypto::{self, SealKey, Sealed};
use state::{StateStore, StoreError};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::time::sleep;

const AAD: &[u8] = b"stored snapshot";
/// The fast end: it is written after every change.
const ZSTD_LEVEL: i32 = 1;
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

pub(super) struct Stored {
    store: Arc<dyn StateStore>,
    key: SealKey,
}

#[derive(Debug, Error)]
enum StoredError {
    #[error("the state store cannot be used")]
    Store(#[from] StoreError),
    #[error("the stored configuration does not open: another CLUSTER_SECRET wrote it, or it is damaged")]
    Sealed(#[from] crypto::OpenError),
    #[error("the stored configuration cannot be read")]
    Decode(#[from] prost::DecodeError),
    #[error("the configuration cannot be compressed")]
    Compress(#[from] std::io::Error),
}

// === impl Stored ===

impl Stored {
    pub(super) fn new(store: Arc<dyn StateStore>, key: SealKey) -> Self {
        Self { store, key }
    }

    /// Boots from the store if nothing else was faster, then writes down every configuration that came from a
    /// control plane. Only the newest matters: what is passed over while the store is slow is never written.
    pub(super) async fn keep_current(&self, applier: &Applier) {
        self.boot(applier).await;
        let mut running = applier.running();
        let mut backoff = Backoff::full_jitter(BACKOFF_MIN, BACKOFF_MAX);
        running.mark_changed();
        while running.changed().await.is_ok() {
            let newest = running.borrow_and_update().clone();
            let Some(newest) = newest.filter(|newest| !newest.from_store) else {
                continue;
            };
            match self.save(&newest).await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    let revision = newest.version.revision;
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        revision,
                        "cannot store the configuration"
                    );
                    sleep(backoff.next_delay()).await;
                    running.mark_changed();
                }
            }
        }
    }

    async fn boot(&self, applier: &Applier) {
        let update = match self.load().await {
            Ok(Some(update)) => update,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "starting without the stored configuration"
                );
                return;
            }
        };
        let revision = update.target.revision;
        let applied = applier.apply(update).await;
        tracing::info!(revision, verdict = ?applied.verdict, errors = applied.errors.len(), "booted from the state store");
    }

    async fn load(&self) -> Result<Option<Update>, StoredError> {
        let Some(stored) = self.store.load_snapshot().await? else {
            return Ok(None);
        };
        let sealed = Sealed::from_bytes(&stored)?;
        let plain = crypto::open(&self.key, AAD, &sealed.nonce, &sealed.ciphertext)?;
        let snapshot = StoredSnapshot::decode(plain.as_slice())?;
        let target = snapshot.version.unwrap_or_default();
        let payload = snapshot.payload;
        Ok(Some(Update {
            mode: Mode::Full,
            base: None,
            target,
            payload,
            from_store: true,
        }))
    }

    async fn save(&self, running: &Running) -> Result<(), StoredError> {
        let (version, resources, key) = (
            running.version.clone(),
            running.resources.clone(),
            self.key.clone(),
        );
        let sealing = tokio::task::spawn_blocking(move || {
            let list = resources.full().encode_to_vec();
            let payload = Bytes::from(zstd::bulk::compress(&list, ZSTD_LEVEL)?);
            let snapshot = StoredSnapshot {
                version: Some(version),
                payload,
            }
            .encode_to_vec();
            std::io::Result::Ok(Bytes::from(crypto::seal(&key, AAD, &snapshot).to_bytes()))
        });
        let sealed = sealing.await.map_err(std::io::Error::other)??;
        let version = &running.version;
        // false: another data plane was faster
        self.store
            .store_snapshot(&version.epoch, version.revision, sealed)
            .await?;
        Ok(())
    }
}
