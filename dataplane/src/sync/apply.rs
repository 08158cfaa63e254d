//! Applies a configuration, or says why not. The running one is replaced as a whole or not at all.

use super::Standing;
use crate::routing::{Routing, Table};
use bytes::Bytes;
use prost::Message;
use proto::Resources;
use proto::v1::{ConfigVersion, ResourceError, ResourceKey, ResourceKind, ResourceList};
use proto::v1::{config_result::Verdict, config_update::Mode, resource_error::Code};
use runtime::crypto::SealKey;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::{Mutex, watch};

/// Ten times what a fleet with 100,000 keys has.
const MAX_DECOMPRESSED_BYTES: u64 = 256 << 20;
/// As many errors as a result may carry.
const MAX_ERRORS: usize = 100;

/// A configuration that arrived complete.
#[derive(Debug)]
pub(super) struct Update {
    pub mode: Mode,
    pub base: Option<ConfigVersion>,
    pub target: ConfigVersion,
    /// zstd(ResourceList), in one piece.
    pub payload: Bytes,
    /// Nobody has confirmed that it is still current.
    pub from_store: bool,
}

/// What became of an update.
#[derive(Debug)]
pub(super) struct Applied {
    pub verdict: Verdict,
    pub errors: Vec<ResourceError>,
    pub took: Duration,
}

/// What runs, as it came.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub version: ConfigVersion,
    pub resources: Arc<Resources>,
    pub from_store: bool,
}

/// The only writer of the routing table.
pub(super) struct Applier {
    routing: Routing,
    transport: SealKey,
    /// Locked for the length of one application, so that two never interleave.
    applying: Mutex<()>,
    running: watch::Sender<Option<Running>>,
    standing: watch::Sender<Standing>,
}

/// Why nothing of an update was applied.
#[derive(Debug, Error)]
enum Refusal {
    #[error("revision {target} is older than {running}, which runs")]
    Regression { target: u64, running: u64 },
    #[error("a control plane was faster than the state store")]
    Late,
    #[error("the update builds on revision {base}, which does not run here")]
    Base { base: u64 },
    #[error("the update cannot be decompressed: {0}")]
    Compression(#[from] std::io::Error),
    #[error("the update is larger than {} MiB", MAX_DECOMPRESSED_BYTES >> 20)]
    TooLarge,
    #[error("the update is not a list of resources: {0}")]
    Decode(#[from] prost::DecodeError),
    #[error("the resources do not have the digest they were announced with")]
    Digest,
    #[error("the settings cannot be used")]
    Settings(Vec<ResourceError>),
    #[error("the update could not be compiled")]
    Compile,
}

// === impl Applier ===

impl Applier {
    pub(super) fn new(routing: Routing, transport: SealKey, standing: watch::Sender<Standing>) -> Self {
        Self {
            routing,
            transport,
            applying: Mutex::new(()),
            running: watch::Sender::new(None),
            standing,
        }
    }

    pub(super) fn running(&self) -> watch::Receiver<Option<Running>> {
        self.running.subscribe()
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    pub(super) fn set_connected(&self, connected: bool) {
        self.standing
            .send_if_modified(|standing| std::mem::replace(&mut standing.connected, connected) != connected);
    }

    /// A control plane has what runs here as its newest: it is current, wherever it came from.
    pub(super) fn confirm(&self, head: &ConfigVersion) {
        self.running.send_if_modified(|running| match running {
            Some(running) if running.from_store && running.version == *head => {
                running.from_store = false;
                true
            }
            _ => false,
        });
        self.standing.send_if_modified(|standing| {
            let confirms = standing.from_store && standing.applied.as_ref() == Some(head);
            standing.from_store &= !confirms;
            confirms
        });
    }

    pub(super) async fn apply(&self, update: Update) -> Applied {
        let _applying = self.applying.lock().await;
        let started = Instant::now();
        let (current, target, from_store) = (
            self.running.borrow().clone(),
            update.target.clone(),
            update.from_store,
        );
        let (routing, transport) = (self.routing.clone(), self.transport.clone());
        let compiling = tokio::task::spawn_blocking(move || {
            let resources = read(current.as_ref(), &update)?;
            let (table, errors) = compile(&update.target, &resources, &transport, &routing)?;
            // the table it replaces may be dropped here, and dropping a large one takes a while
            routing.store(table);
            Ok((resources, errors))
        });
        let outcome = compiling.await.unwrap_or(Err(Refusal::Compile));
        let took = started.elapsed();
        match outcome {
            Ok((resources, mut errors)) => {
                let verdict = if errors.is_empty() {
                    Verdict::Ack
                } else {
                    Verdict::AckPartial
                };
                errors.truncate(MAX_ERRORS);
                let resources = Arc::new(resources);
                self.running.send_replace(Some(Running {
                    version: target.clone(),
                    resources,
                    from_store,
                }));
                self.standing.send_modify(|standing| {
                    standing.applied = Some(target);
                    standing.from_store = from_store;
                });
                Applied {
                    verdict,
                    errors,
                    took,
                }
            }
            Err(refusal) => Applied {
                verdict: Verdict::Nack,
                errors: refusal.into_errors(),
                took,
            },
        }
    }
}

// === impl Refusal ===

impl Refusal {
    fn into_errors(self) -> Vec<ResourceError> {
        let code = match &self {
            Self::Regression { .. } | Self::Late => Code::RevisionRegression,
            Self::Base { .. } | Self::Digest => Code::DigestMismatch,
            Self::Compression(_) | Self::Decode(_) | Self::Compile => Code::Decode,
            Self::TooLarge => Code::TooLarge,
            Self::Settings(_) => Code::Invalid,
        };
        let message = self.to_string();
        let mut errors = match self {
            Self::Settings(errors) => errors,
            _ => vec![ResourceError {
                code: code.into(),
                resource: None,
                message,
                quarantined: false,
            }],
        };
        errors.truncate(MAX_ERRORS);
        errors
    }
}

/// The resources that an update makes of the current ones.
fn read(current: Option<&Running>, update: &Update) -> Result<Resources, Refusal> {
    let target = &update.target;
    if update.from_store && current.is_some() {
        return Err(Refusal::Late);
    }
    if let Some(Running { version, .. }) = current
        && version.epoch == target.epoch
        && version.revision > target.revision
    {
        return Err(Refusal::Regression {
            target: target.revision,
            running: version.revision,
        });
    }
    let list = ResourceList::decode(decompress(&update.payload)?)?;
    let resources = match update.mode {
        Mode::Full | Mode::Unspecified => Resources::from(list),
        Mode::Delta => {
            let running = current.filter(|running| Some(&running.version) == update.base.as_ref());
            let base = update.base.as_ref().map_or(0, |base| base.revision);
            let mut resources = Resources::clone(&running.ok_or(Refusal::Base { base })?.resources);
            resources.merge(list);
            resources
        }
    };
    if resources.digest() != target.digest[..] {
        return Err(Refusal::Digest);
    }
    Ok(resources)
}

fn compile(
    version: &ConfigVersion,
    resources: &Resources,
    transport: &SealKey,
    routing: &Routing,
) -> Result<(Table, Vec<ResourceError>), Refusal> {
    let (decoded, mut errors) = resources.decode();
    let (table, quarantined) = Table::compile(version.clone(), &decoded, transport, routing);
    errors.extend(quarantined);
    // Without usable settings no key would be accepted: worse than serving yesterday's configuration.
    let fatal = |error: &ResourceError| is_settings(error.resource.as_ref());
    if errors.iter().any(fatal) {
        errors.retain(fatal);
        return Err(Refusal::Settings(errors));
    }
    Ok((table, errors))
}

fn is_settings(key: Option<&ResourceKey>) -> bool {
    key.is_some_and(|key| key.kind == i32::from(ResourceKind::Settings))
}

/// Stops at the limit however small the input is, so that a few bytes cannot take all memory.
fn decompress(payload: &[u8]) -> Result<Bytes, Refusal> {
    let mut bytes = Vec::new();
    zstd::Decoder::new(payload)?
        .take(MAX_DECOMPRESSED_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_DECOMPRESSED_BYTES {
        return Err(Refusal::TooLarge);
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests;
