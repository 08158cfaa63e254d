//! One stream's place in the fleet; dropping it takes the data plane out again.

use std::sync::atomic::{AtomicU64, Ordering};

use proto::v1::{
    Command, CommandResult, ConfigResult, ConfigVersion, DataPlaneState, Heartbeat, Hello, Pending,
    ResourceError, config_result::Verdict,
};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

use super::{Fleet, Member};

/// Commands that wait for a slow data plane.
const COMMANDS: usize = 64;

static STREAMS: AtomicU64 = AtomicU64::new(1);

pub(in crate::publish) struct Membership {
    fleet: Fleet,
    id: String,
    stream: u64,
}

// === impl Fleet ===

impl Fleet {
    /// A data plane said hello. Its older stream, if it has one here, no longer counts.
    /// The commands for it come out of the receiver.
    pub(in crate::publish) fn join(
        &self,
        hello: &Hello,
        incarnation: Uuid,
    ) -> (Membership, mpsc::Receiver<Command>) {
        let (line, commands) = mpsc::channel(COMMANDS);
        let stream = STREAMS.fetch_add(1, Ordering::Relaxed);
        let member = Member {
            stream,
            incarnation,
            build_version: hello.build_version.clone(),
            address: hello.address.clone(),
            state: DataPlaneState::Starting,
            applied: hello.last_applied.clone(),
            rejected: None,
            errors: Value::Array(Vec::new()),
            inflight: 0,
            pending: Value::Array(Vec::new()),
            spool_bytes: 0,
            spool_dropped: 0,
            store_degraded: false,
            connected: true,
            seen: Instant::now(),
            dirty: true,
            line,
        };
        let replaced = self.0.members.lock().insert(hello.data_plane_id.clone(), member);
        if let Some(old) = replaced.filter(|old| old.connected && old.incarnation != incarnation) {
            tracing::warn!(
                data_plane = hello.data_plane_id,
                address = hello.address,
                other_address = old.address,
                "two data planes may have the same id: give each its own"
            );
        }
        self.announce();
        let membership = Membership {
            fleet: self.clone(),
            id: hello.data_plane_id.clone(),
            stream,
        };
        (membership, commands)
    }

    /// Data planes of this replica that take requests.
    pub(super) fn ready_here(&self) -> usize {
        let ready = |member: &&Member| member.connected && member.state == DataPlaneState::Ready;
        self.0.members.lock().values().filter(ready).count()
    }

    fn announce(&self) {
        self.0.changed.send_replace(());
        self.0.urgent.notify_one();
    }
}

// === impl Membership ===

impl Membership {
    pub(in crate::publish) fn id(&self) -> &str {
        &self.id
    }

    /// It answered an update to `target`.
    pub(in crate::publish) fn answered(&self, result: &ConfigResult, target: &ConfigVersion) {
        self.update(|member| {
            member.applied.clone_from(&result.applied);
            member.rejected = (result.verdict() == Verdict::Nack).then(|| target.clone());
            member.errors = result.errors.iter().map(describe).collect();
        });
        self.fleet.announce();
    }

    pub(in crate::publish) fn beat(&self, heartbeat: &Heartbeat) {
        let moved = self.update(|member| {
            let moved = member.state != heartbeat.state() || member.applied != heartbeat.applied;
            member.state = heartbeat.state();
            member.applied.clone_from(&heartbeat.applied);
            member.inflight = heartbeat.inflight;
            member.pending = heartbeat.pending.iter().map(calls).collect();
            member.spool_bytes = heartbeat.spool_bytes;
            member.spool_dropped = heartbeat.spool_dropped;
            member.store_degraded = heartbeat.store_degraded;
            moved
        });
        if moved == Some(true) {
            self.fleet.announce();
        }
    }

    /// It carried out a command, or would not.
    pub(in crate::publish) fn replied(&self, result: CommandResult) {
        tracing::debug!(
            data_plane = self.id,
            result.command_id,
            result.ok,
            result.message,
            "command carried out"
        );
        self.fleet.answer(result);
    }

    /// It is going away on purpose.
    pub(in crate::publish) fn goodbye(&self) {
        self.update(|member| member.state = DataPlaneState::Unspecified);
    }

    fn update<T>(&self, change: impl FnOnce(&mut Member) -> T) -> Option<T> {
        let mut members = self.fleet.0.members.lock();
        let member = members
            .get_mut(&self.id)
            .filter(|member| member.stream == self.stream)?;
        member.seen = Instant::now();
        member.dirty = true;
        Some(change(member))
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.update(|member| member.connected = false);
        self.fleet.give_up_on(self.stream);
        self.fleet.announce();
    }
}

fn calls(pending: &Pending) -> Value {
    json!({
        "provider": pending.provider,
        "connectionId": pending.connection_id,
        "model": pending.model,
        "calls": pending.calls,
    })
}

fn describe(error: &ResourceError) -> Value {
    let key = error.resource.clone().unwrap_or_default();
    json!({
        "code": error.code().as_str_name(),
        "kind": key.kind().as_str_name(),
        "id": key.id,
        "message": error.message,
        "quarantined": error.quarantined,
    })
}
