//! Keeps the routing table equal to what the control plane last committed.
//!
//! ```text
//! update ──▶ decompress ──▶ merge ──▶ digest ──▶ compile ──▶ swap ──▶ ACK ──▶ store
//! ```
//!
//! Everything before the swap happens off the threads that serve requests, and anything that fails there leaves
//! the running configuration as it is. The last good configuration is kept, sealed, in the state store: a data
//! plane that starts while no control plane answers serves from it.

mod apply;
mod stored;
mod stream;

use crate::control::ControlPlanes;
use crate::routing::Routing;
use apply::Applier;
use futures::future::BoxFuture;
use proto::v1::command_result::Answer;
use proto::v1::{ConfigVersion, DataPlaneState, command};
use runtime::crypto::ClusterKeys;
use state::StateStore;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Who this data plane is, in a control plane's list.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Stable across restarts.
    pub id: String,
    /// New at every process start.
    pub incarnation: Uuid,
    /// What clients reach it at, for the operator's eyes.
    pub address: String,
}

/// What the rest of the process tells a control plane with every heartbeat.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vitals {
    pub inflight: u32,
    /// Of requests that ended and are not acknowledged.
    pub spool_bytes: u64,
    pub spool_dropped: u64,
    /// The state store is slow or gone.
    pub store_degraded: bool,
    pub draining: bool,
}

/// How current the configuration is.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// What runs; `None` until the first configuration was applied.
    pub applied: Option<ConfigVersion>,
    /// It came from the state store and no control plane has confirmed it yet.
    pub from_store: bool,
    /// A control plane holds our stream.
    pub connected: bool,
}

/// Carries out what an operator asked of a running data plane; the error is for the operator.
pub type Execute =
    Box<dyn Fn(command::Op) -> BoxFuture<'static, Result<Option<Answer>, String>> + Send + Sync>;

/// What keeping current needs from the rest of the process.
pub struct Subscription {
    pub identity: Identity,
    pub control: ControlPlanes,
    pub routing: Routing,
    pub store: Arc<dyn StateStore>,
    pub keys: ClusterKeys,
    pub vitals: Box<dyn Fn() -> Vitals + Send + Sync>,
    pub execute: Execute,
}

// === impl Identity ===

impl Identity {
    /// Without a name of its own, a data plane is named after its spool, which stays when the process restarts.
    pub fn new(name: &str, spool: Uuid, address: impl Into<String>) -> Self {
        let id = match name {
            "" => format!("dp-{}", spool.simple()),
            name => name.to_owned(),
        };
        Self {
            id,
            incarnation: Uuid::now_v7(),
            address: address.into(),
        }
    }
}

// === impl Vitals ===

impl Vitals {
    fn state(&self, standing: &Standing) -> DataPlaneState {
        match standing {
            _ if self.draining => DataPlaneState::Draining,
            Standing { applied: None, .. } => DataPlaneState::Starting,
            Standing { from_store: true, .. } => DataPlaneState::Degraded,
            _ if self.store_degraded => DataPlaneState::Degraded,
            _ => DataPlaneState::Ready,
        }
    }
}

// === impl Subscription ===

impl Subscription {
    /// Runs until `stop`. `standing` always tells how current the configuration is.
    pub async fn run(self, standing: watch::Sender<Standing>, stop: CancellationToken) {
        let applier = Applier::new(self.routing.clone(), self.keys.transport.clone(), standing);
        let stored = stored::Stored::new(self.store.clone(), self.keys.snapshot.clone());
        // Booting from the store and connecting run side by side: whichever is slow must not delay the other.
        tokio::select! {
            () = stored.keep_current(&applier) => {}
            () = stream::run(&self, &applier, &stop) => {}
        }
    }
}
