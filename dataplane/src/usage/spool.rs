//! The spool: a directory of segments, one of which is written.
//!
//! Sequences number the events of a spool without holes. When a segment is full, the requests that are still open
//! are written again at the head of the next one, and segments are deleted oldest first. So the segments that
//! exist always tell which requests are open, and an acknowledged segment never has to wait for a long stream.
//!
//! Records are gathered and written together: whoever needs his own on disk waits for [`Spool::written`], and what
//! ended is written at the end of the same turn of the event loop, by [`Spool::write_out`].

mod identity;
mod state;

use self::state::State;
use super::bound::bounded;
use super::record::{Kind, Record};
use super::segment::Segment;
use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use proto::v1::{UsageEvent, usage_event};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::Notify;
use uuid::Uuid;

const LOCK_FILE: &str = "lock";

#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// Made if it does not exist. Belongs to one process at a time.
    pub dir: PathBuf,
    /// When the segments hold this much, further events are dropped and counted.
    pub quota_bytes: u64,
    /// How large a segment grows before the next one is begun.
    pub segment_bytes: u64,
}

#[derive(Debug, Error)]
pub enum SpoolError {
    #[error("the spool {0} is in use by another process: give every data plane a DATA_DIR of its own")]
    InUse(PathBuf),
    #[error(
        "{0} does not hold the id of a spool: restore it, or move the whole directory away to start a new spool"
    )]
    Id(PathBuf),
    #[error("cannot use the spool {path}: is it a writable directory?")]
    Io { path: PathBuf, source: io::Error },
}

/// What was found in the directory when it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Events that no control plane is known to have, including those of lost requests.
    pub pending: u64,
    /// Requests that began and never ended; each became an event.
    pub lost: u64,
    /// Bytes of records that were cut short or damaged, and are ignored.
    pub damaged_bytes: u64,
}

/// A request of an API key that ended in an earlier life of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub key_id: String,
    pub request_id: String,
    pub cost_nano: u64,
}

/// How the spool does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Events that no control plane has acknowledged.
    pub pending: u64,
    /// Bytes behind the last acknowledged event.
    pub pending_bytes: u64,
    /// Events that could not be written down since the process started. Always an alarm.
    pub dropped: u64,
}

/// A handle on the spool; clones share it.
#[derive(Clone)]
pub struct Spool(Arc<Shared>);

/// A place between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The first sequence of the segment.
    pub segment: u64,
    pub offset: u64,
}

/// What a reader has to know to go on.
pub(super) struct Outlook {
    pub id: Uuid,
    pub acknowledged: u64,
    /// The sequence that the next event will have.
    pub next: u64,
    pub segments: Vec<Segment>,
}

struct Shared {
    dir: PathBuf,
    state: Mutex<State>,
    ended: Notify,
    /// There is something to write that nobody waits for.
    unwritten: Notify,
    /// Held for the lifetime of the spool.
    _lock: File,
}

// === impl SpoolConfig ===

impl SpoolConfig {
    /// A day and a half of 100 requests a second.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            quota_bytes: 4 << 30,
            segment_bytes: 8 << 20,
        }
    }
}

// === impl Spool ===

impl Spool {
    /// Opens the directory, cuts off a torn tail and turns every request that never ended into a lost event.
    /// Reads all segments: not for a thread that serves requests.
    pub fn open(config: SpoolConfig) -> Result<(Self, Recovered), SpoolError> {
        let at = |source| SpoolError::Io {
            path: config.dir.clone(),
            source,
        };
        fs::create_dir_all(&config.dir).map_err(at)?;
        let lock = File::create(config.dir.join(LOCK_FILE)).map_err(at)?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => SpoolError::InUse(config.dir.clone()),
            fs::TryLockError::Error(source) => at(source),
        })?;

        let id = identity::read(&config.dir, &identity::boot())?;
        let (state, damaged_bytes) = State::recover(id, config.clone()).map_err(at)?;
        let spool = Self(Arc::new(Shared {
            dir: config.dir,
            state: Mutex::new(state),
            ended: Notify::new(),
            unwritten: Notify::new(),
            _lock: lock,
        }));
        let lost = spool.end_lost();
        Ok((
            spool.clone(),
            Recovered {
                pending: spool.vitals().pending,
                lost,
                damaged_bytes,
            },
        ))
    }

    /// Writes down that a request is about to reserve what it may cost, or to reach a provider, which must not happen
    /// before [`Spool::written`] has returned. `estimate` is what will be accounted if the process dies before
    /// [`Spool::end`] is called with the same `request_id`; its cost only if it says that a provider is reached.
    pub fn begin(&self, estimate: &UsageEvent) {
        let estimate = bounded(estimate);
        let payload = Bytes::from(estimate.encode_to_vec());
        let record = Record {
            kind: Kind::Begin,
            sequence: 0,
            payload: payload.clone(),
        };
        let mut state = self.0.state.lock();
        state.open.insert(estimate.request_id.clone(), payload);
        // Not a loss yet: it becomes one if the process dies, and the next segment begins with it.
        if let Err(error) = state.append(&record) {
            tracing::debug!(%error, "a request began without a record");
        }
    }

    /// Returns when the kernel has what was written down before, so that it outlives this process; or could not take
    /// it, which stops no request. Requests that begin in the same turn of the event loop share one write.
    pub async fn written(&self) {
        let (appended, written) = {
            let state = self.0.state.lock();
            (state.appended, state.written)
        };
        if written == appended {
            return;
        }
        tokio::task::yield_now().await;
        let mut state = self.0.state.lock();
        if state.written < appended {
            state.flush();
        }
    }

    /// Writes down how a request ended. The spool gives the event its sequence.
    pub fn end(&self, mut event: UsageEvent) {
        event.seq = 0;
        let event = bounded(&event);
        let payload = Bytes::from(event.encode_to_vec());

        let mut state = self.0.state.lock();
        state.open.remove(&event.request_id);
        let record = Record {
            kind: Kind::End,
            sequence: state.next,
            payload,
        };
        match state.append(&record) {
            Ok(()) => {
                state.next += 1;
                self.0.ended.notify_one();
                self.0.unwritten.notify_one();
            }
            Err(error) => {
                state.dropped += 1;
                let dropped = state.dropped;
                drop(state);
                // not once per request: a full disk comes with many requests
                if dropped.is_power_of_two() {
                    tracing::error!(%error, dropped, "usage events are lost: the spool cannot be written");
                }
            }
        }
    }

    /// Writes what ended, as soon as all that is ready to run has run. Returns only when it is cancelled.
    pub async fn write_out(&self) {
        loop {
            self.0.unwritten.notified().await;
            tokio::task::yield_now().await;
            self.0.state.lock().flush();
        }
    }

    /// Requests of API keys that ended before the spool was opened, the lost ones among them; once. It is not known
    /// which of them were settled.
    pub fn take_ended(&self) -> Vec<Ended> {
        std::mem::take(&mut self.0.state.lock().ended).into()
    }

    /// Stays the same as long as the directory does and the machine runs.
    pub fn id(&self) -> Uuid {
        self.0.state.lock().id
    }

    pub fn vitals(&self) -> Vitals {
        let state = self.0.state.lock();
        let pending = state.next - 1 - state.acknowledged;
        let pending_bytes = if pending == 0 {
            0
        } else {
            state.bytes_behind(state.acknowledged_at)
        };
        Vitals {
            pending,
            pending_bytes,
            dropped: state.dropped,
        }
    }

    /// Returns once a request ended since the last call. For one waiter.
    pub(super) async fn ended(&self) {
        self.0.ended.notified().await;
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.0.state.lock().next
    }

    pub(super) fn outlook(&self) -> Outlook {
        let mut state = self.0.state.lock();
        state.flush();
        Outlook {
            id: state.id,
            acknowledged: state.acknowledged,
            next: state.next,
            segments: state.segments.iter().cloned().collect(),
        }
    }

    /// Everything up to `sequence` is in a control plane's database, which is everything before `position`.
    pub(super) fn acknowledge(&self, sequence: u64, position: Position) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.acknowledged = state.acknowledged.max(sequence);
        state.acknowledged_at = position;
        let mut done = Vec::new();
        while state.segments.len() > 1 && state.segments[0].next <= state.acknowledged + 1 {
            done.extend(state.segments.pop_front());
        }
        drop(state);
        done.iter().try_for_each(|segment| fs::remove_file(&segment.path))
    }

    /// Takes a new id and starts over with everything that is in the directory, for when a control plane has
    /// events of the old id that the directory has not: it was restored from a copy, and its sequences would be
    /// taken for events that are already known.
    pub(super) fn renew(&self) -> Result<(), SpoolError> {
        let id = identity::renew(&self.0.dir, &identity::boot())?;
        let mut state = self.0.state.lock();
        state.id = id;
        state.acknowledged = state.segments[0].first - 1;
        state.acknowledged_at = Position::default();
        Ok(())
    }

    fn end_lost(&self) -> u64 {
        let mut lost: Vec<UsageEvent> = {
            let state = self.0.state.lock();
            state
                .open
                .values()
                .filter_map(|payload| UsageEvent::decode(payload.clone()).ok())
                .collect()
        };
        lost.sort_by(|a, b| (a.started_at_ms, &a.request_id).cmp(&(b.started_at_ms, &b.request_id)));
        let count = lost.len() as u64;
        for mut event in lost {
            let evidence = match event.reached_provider {
                true => usage_event::Evidence::Estimated,
                false => usage_event::Evidence::None,
            };
            // what was only reserved is given back
            if !event.reached_provider {
                event.cost_nano = event.cost_nano.map(|_| 0);
            }
            self.0.state.lock().ended.extend(Ended::of(&event));
            self.end(UsageEvent {
                phase: usage_event::Phase::Lost.into(),
                evidence: evidence.into(),
                outcome: "stream_error".to_owned(),
                error_code: "lost".to_owned(),
                ..event
            });
        }
        count
    }
}

// === impl Shared ===

impl Drop for Shared {
    fn drop(&mut self) {
        self.state.get_mut().flush();
    }
}

// === impl Ended ===

impl Ended {
    /// `None` for a request without a key, which nobody limits.
    fn of(event: &UsageEvent) -> Option<Self> {
        (!event.key_id.is_empty()).then(|| Self {
            key_id: event.key_id.clone(),
            request_id: event.request_id.clone(),
            cost_nano: event
                .cost_nano
                .and_then(|cost| u64::try_from(cost).ok())
                .unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests;
