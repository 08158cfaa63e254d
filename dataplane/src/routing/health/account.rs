//! What is known about one account while it runs: what rests, what is in flight, how it has done lately.
//!
//! It outlives the configuration that names it. Asking an account where nothing rests costs one atomic load.

use super::limiter::Limiter;
use super::outbox::{Note, Outbox};
use super::punishment::{Cause, Cooling, Punishment};
use crate::routing::penalty::{self, Penalty, Scope};
use llm::{ErrorKind, UpstreamError};
use parking_lot::{Mutex, RwLock};
use state::Subject;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// After which a failure weighs half as much.
const HALF_LIFE: Duration = Duration::from_secs(10);

/// Models of one account that are remembered. Clients choose the names, so there has to be an end.
const MAX_MODELS: usize = 1024;

pub struct Account {
    provider: Arc<str>,
    connection: Arc<str>,
    held: RwLock<Held>,
    /// How much is in `held`, readable without the lock.
    punishments: AtomicUsize,
    in_flight: AtomicU32,
    /// The same, by model.
    running: Mutex<HashMap<Arc<str>, u32>>,
    last_used_ms: AtomicU64,
    recent: Mutex<Recent>,
    limiter: Arc<Limiter>,
    outbox: Arc<Outbox>,
}

/// What strategies choose by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub in_flight: u32,
    /// Unix milliseconds; 0: never.
    pub last_used_ms: u64,
    /// Recent failures, 0 to 1000.
    pub failures: u32,
}

/// Counts as in flight until dropped.
pub struct InFlight {
    account: Arc<Account>,
    model: Arc<str>,
}

/// What is held against an account.
#[derive(Default)]
struct Held {
    whole: Option<Punishment>,
    models: HashMap<String, Punishment>,
}

/// An average of outcomes that forgets.
#[derive(Default)]
struct Recent {
    failures: f64,
    at: Option<Instant>,
}

// === impl Account ===

impl Account {
    pub(super) fn new(
        provider: &str,
        connection: &str,
        data_planes: Arc<AtomicU32>,
        outbox: Arc<Outbox>,
    ) -> Self {
        Self {
            provider: provider.into(),
            connection: connection.into(),
            held: RwLock::default(),
            punishments: AtomicUsize::new(0),
            in_flight: AtomicU32::new(0),
            running: Mutex::default(),
            last_used_ms: AtomicU64::new(0),
            recent: Mutex::default(),
            limiter: Arc::new(Limiter::new(data_planes)),
            outbox,
        }
    }

    pub fn provider(&self) -> &str {
        &self.provider
    }

    pub fn connection(&self) -> &str {
        &self.connection
    }

    /// Why this account may not be used for this model now, if so.
    pub fn cooling(&self, model: &str) -> Option<Cooling> {
        if self.punishments.load(Ordering::Acquire) == 0 {
            return None;
        }
        let now = Instant::now();
        let held = self.held.read();
        let both = [held.whole.as_ref(), held.models.get(model)];
        let resting = both
            .into_iter()
            .flatten()
            .filter(|punishment| punishment.lasts(now));
        resting
            .map(|punishment| punishment.cooling)
            .max_by_key(|cooling| cooling.until)
    }

    /// A provider refused its credential.
    pub fn rests_for_its_credential(&self) -> bool {
        let refused = penalty::reason(ErrorKind::UpstreamAuth);
        self.cooling("").is_some_and(|cooling| cooling.reason == refused)
    }

    pub fn facts(&self) -> Facts {
        Facts {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            last_used_ms: self.last_used_ms.load(Ordering::Relaxed),
            failures: self.recent.lock().thousandths(Instant::now()),
        }
    }

    /// A call begins.
    pub fn begin(self: &Arc<Self>, model: &Arc<str>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.last_used_ms.store(unix_ms(), Ordering::Relaxed);
        *self.running.lock().entry(model.clone()).or_default() += 1;
        InFlight {
            account: self.clone(),
            model: model.clone(),
        }
    }

    /// Models that calls are running for, and how many.
    pub fn running(&self) -> Vec<(Arc<str>, u32)> {
        let running = self.running.lock();
        running
            .iter()
            .map(|(model, calls)| (model.clone(), *calls))
            .collect()
    }

    /// Where calls wait for their turn, if the connection is protected.
    pub fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }

    /// Applies a penalty for a failed call. One that already rests is left alone. Whether it rests because of this.
    pub fn punish(&self, model: &str, penalty: Penalty, error: &UpstreamError) -> bool {
        let Penalty::Rest { scope, rest } = penalty else {
            return false;
        };
        let now = Instant::now();
        self.recent.lock().fail(now);
        let cause = Cause {
            limited: matches!(error.kind, ErrorKind::RateLimit | ErrorKind::Quota),
            reason: penalty::reason(error.kind),
            hint: error.retry_after,
        };
        let mut held = self.held.write();
        let place = match scope {
            Scope::Account => None,
            Scope::Model => Some(model),
        };
        let Some(punishment) = Punishment::after(held.get(place), now, rest, cause) else {
            return false;
        };
        let rests = held.set(place, punishment, now);
        if rests {
            self.outbox.note(self.subject(place), punishment.note());
        }
        self.count(&held);
        rests
    }

    /// A call that began at `started` went well: what was held against the account before that is forgotten.
    pub fn forgive(&self, model: &str, started: Instant) {
        if self.punishments.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut held = self.held.write();
        for place in [None, Some(model)] {
            if held
                .get(place)
                .is_some_and(|punishment| punishment.is_before(started))
            {
                held.remove(place);
                self.outbox.note(self.subject(place), Note::Fine);
            }
        }
        self.count(&held);
    }

    /// An operator's command: forget everything, here and on the other data planes.
    pub fn clear(&self) {
        let mut held = self.held.write();
        for place in held.places() {
            held.remove(place.as_deref());
            self.outbox.note(self.subject(place.as_deref()), Note::Fine);
        }
        self.count(&held);
    }

    /// What another data plane found.
    pub(super) fn hear(&self, model: Option<&str>, note: Note) {
        let now = Instant::now();
        let mut held = self.held.write();
        match note {
            Note::Resting {
                until,
                limited,
                level,
                reason,
            } => {
                let cooling = Cooling {
                    until,
                    limited,
                    reason,
                };
                let joined = Punishment::join(held.get(model), now, cooling, level);
                held.set(model, joined, now);
            }
            Note::Fine | Note::Open { .. } => held.remove(model),
        }
        self.count(&held);
    }

    /// Keeps what is still held according to the fleet, and what it does not know yet.
    pub(super) fn keep(&self, stays: impl Fn(&Subject) -> bool) {
        if self.punishments.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut held = self.held.write();
        for place in held.places() {
            if !stays(&self.subject(place.as_deref())) {
                held.remove(place.as_deref());
            }
        }
        self.count(&held);
    }

    /// Tells the fleet again what is held here.
    pub(super) fn repeat(&self) {
        let held = self.held.read();
        for place in held.places() {
            if let Some(punishment) = held.get(place.as_deref()) {
                self.outbox
                    .note(self.subject(place.as_deref()), punishment.note());
            }
        }
    }

    fn subject(&self, model: Option<&str>) -> Subject {
        let (provider, connection) = (self.provider.to_string(), self.connection.to_string());
        match model {
            None => Subject::Connection { provider, connection },
            Some(model) => Subject::Model {
                provider,
                connection,
                model: model.to_owned(),
            },
        }
    }

    fn count(&self, held: &Held) {
        let count = held.models.len() + usize::from(held.whole.is_some());
        self.punishments.store(count, Ordering::Release);
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let punishments = self.punishments.load(Ordering::Relaxed);
        f.debug_struct("Account")
            .field("connection", &self.connection)
            .field("punishments", &punishments)
            .finish_non_exhaustive()
    }
}

// === impl InFlight ===

impl Drop for InFlight {
    fn drop(&mut self) {
        self.account.in_flight.fetch_sub(1, Ordering::Relaxed);
        let mut running = self.account.running.lock();
        if let Some(calls) = running.get_mut(&self.model) {
            *calls -= 1;
            if *calls == 0 {
                // names are clients' to choose, so none is kept
                running.remove(&self.model);
            }
        }
    }
}

// === impl Held ===

impl Held {
    fn get(&self, model: Option<&str>) -> Option<Punishment> {
        match model {
            None => self.whole,
            Some(model) => self.models.get(model).copied(),
        }
    }

    /// Whether there was room.
    fn set(&mut self, model: Option<&str>, punishment: Punishment, now: Instant) -> bool {
        let Some(model) = model else {
            self.whole = Some(punishment);
            return true;
        };
        if self.models.len() >= MAX_MODELS && !self.models.contains_key(model) {
            self.models.retain(|_, punishment| punishment.lasts(now));
            if self.models.len() >= MAX_MODELS {
                return false;
            }
        }
        self.models.insert(model.to_owned(), punishment);
        true
    }

    fn remove(&mut self, model: Option<&str>) {
        match model {
            None => self.whole = None,
            Some(model) => drop(self.models.remove(model)),
        }
    }

    fn places(&self) -> Vec<Option<String>> {
        let whole = self.whole.is_some().then_some(None);
        whole
            .into_iter()
            .chain(self.models.keys().cloned().map(Some))
            .collect()
    }
}

// === impl Recent ===

impl Recent {
    fn fail(&mut self, now: Instant) {
        let failures = self.at(now);
        self.failures = failures + (1.0 - failures) / 2.0;
        self.at = Some(now);
    }

    fn at(&self, now: Instant) -> f64 {
        let Some(at) = self.at else { return 0.0 };
        let lives = now.saturating_duration_since(at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.failures * 0.5f64.powf(lives)
    }

    fn thousandths(&self, now: Instant) -> u32 {
        (self.at(now) * 1000.0).round() as u32
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
