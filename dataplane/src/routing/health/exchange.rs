//! Shares what data planes find out about accounts and providers, through the state store.
//!
//! What is found here is told at once; what others found is asked for several times a second, which bounds how long
//! one data plane goes on using what another knows to be broken. No request waits for any of it. Without the store
//! nothing is lost: what could not be told is told when it is back.

use super::Health;
use super::outbox::{Note, Waiting};
use proto::v1::Pending;
use state::{ConnectionLoad, HealthChanges, StateStore, StoreError, Subject};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often the others' findings are asked for.
const POLL: Duration = Duration::from_millis(200);

/// How often the load of accounts is told; a third of how long it counts.
const REPORT: Duration = Duration::from_secs(5);

/// The store gives everything anew to whoever has not asked for longer than it remembers, a minute, and when it lost
/// its memory. Who asked this long ago knows which.
const LATELY: Duration = Duration::from_secs(50);

/// Entries of a heartbeat about what providers work on.
const PENDING: usize = 200;
/// Bytes of a model's name in it, which is whatever a client wrote.
const PENDING_MODEL: usize = 512;

/// Transitions in one call, so that a large outage does not make calls slow.
const BATCH: usize = 100;

pub(super) struct Exchange {
    health: Arc<Health>,
    pub(super) store: Arc<dyn StateStore>,
    data_plane: String,
    /// Up to which the others' findings are known here.
    version: u64,
    /// When the store answered last.
    answered_at: Option<Instant>,
}

/// Runs until `stop`, and tells the last news before it ends.
pub async fn exchange(
    health: Arc<Health>,
    store: Arc<dyn StateStore>,
    data_plane: String,
    stop: CancellationToken,
) {
    let mut polls = interval(POLL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reports = interval(REPORT);
    reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut exchange = Exchange::new(health, store, data_plane);
    loop {
        tokio::select! {
            () = exchange.health.outbox.news() => exchange.tell().await,
            _ = polls.tick() => {
                // what could not be told before, and before the answer is taken for the newest
                exchange.tell().await;
                exchange.ask().await;
            }
            _ = reports.tick() => exchange.report().await,
            () = stop.cancelled() => {
                exchange.tell().await;
                return;
            }
        }
    }
}

// === impl Exchange ===

impl Exchange {
    pub(super) fn new(health: Arc<Health>, store: Arc<dyn StateStore>, data_plane: String) -> Self {
        Self {
            health,
            store,
            data_plane,
            version: 0,
            answered_at: None,
        }
    }

    pub(super) async fn tell(&self) {
        let Waiting { notes, released } = self.health.outbox.take();
        let mut untold = Vec::from_iter(notes);
        while !untold.is_empty() {
            let batch = untold.split_off(untold.len().saturating_sub(BATCH));
            if let Err(error) = self.note(&batch).await {
                tracing::debug!(%error, "what was found out about accounts waits for the state store");
                untold.extend(batch);
                break;
            }
        }
        self.health.outbox.put_back(untold);
        for probe in released {
            // a probe that cannot be released ends with its lease
            drop(self.store.release_probe(&probe.provider, &probe.holder).await);
        }
    }

    async fn note(&self, batch: &[(Subject, Note)]) -> Result<(), StoreError> {
        let now = Instant::now();
        let transitions: Vec<_> = batch
            .iter()
            .filter_map(|(subject, note)| note.transition(subject.clone(), now))
            .collect();
        if transitions.is_empty() {
            return Ok(());
        }
        self.store.note_health(&transitions).await
    }

    pub(super) async fn ask(&mut self) {
        let changes = match self.store.health_since(self.version).await {
            Ok(changes) => changes,
            Err(error) => {
                tracing::debug!(%error, "going on with what this data plane found out itself");
                return;
            }
        };
        let lately = self.answered_at.is_some_and(|at| at.elapsed() < LATELY);
        if changes.complete && lately {
            tracing::info!("the state store lost its memory: telling it again what rests here");
            self.health.repeat();
        }
        self.health.hear(&changes);
        self.version = changes.version;
        self.answered_at = Some(Instant::now());
    }

    async fn report(&self) {
        let loads = self.health.loads();
        if loads.is_empty() {
            return;
        }
        if let Err(error) = self.store.report_loads(&self.data_plane, &loads).await {
            tracing::debug!(%error, "the load of accounts could not be reported");
        }
    }
}

// === impl Health ===

impl Health {
    fn hear(&self, changes: &HealthChanges) {
        let now = Instant::now();
        let news: Vec<(&Subject, Note)> = changes
            .transitions
            .iter()
            .map(|transition| (&transition.subject, Note::of(&transition.standing, now)))
            .collect();
        self.remember(&news, changes.complete, now);
        for (subject, note) in &news {
            self.hear_one(subject, *note);
        }
        if changes.complete {
            let told: HashSet<&Subject> = news.iter().map(|(subject, _)| *subject).collect();
            let stays = |subject: &Subject| told.contains(subject) || self.outbox.pending(subject).is_some();
            self.accounts.all().iter().for_each(|account| account.keep(stays));
            self.breakers.all().iter().for_each(|breaker| breaker.keep(stays));
        }
    }

    /// For what is configured later.
    fn remember(&self, news: &[(&Subject, Note)], complete: bool, now: Instant) {
        let mut known = self.known.lock();
        if complete {
            known.clear();
        }
        for (subject, note) in news {
            match note {
                Note::Fine => drop(known.remove(*subject)),
                note => drop(known.insert((*subject).clone(), *note)),
            }
        }
        known.retain(|_, note| !matches!(note, Note::Resting { until, .. } if *until <= now));
    }

    /// What was found here and is not told yet happened after whatever the store knows.
    fn hear_one(&self, subject: &Subject, note: Note) {
        match (self.outbox.pending(subject), note) {
            (Some(Note::Fine), _) | (Some(_), Note::Fine) => return,
            _ => {}
        }
        match subject {
            Subject::Connection { provider, connection } => self.hear_of(provider, connection, None, note),
            Subject::Model {
                provider,
                connection,
                model,
            } => self.hear_of(provider, connection, Some(model), note),
            Subject::Provider { provider } => {
                if let Some(breaker) = self.breakers.find(provider) {
                    breaker.hear(note);
                }
            }
        }
    }

    fn hear_of(&self, provider: &str, connection: &str, model: Option<&str>, note: Note) {
        if let Some(account) = self.accounts.find(connection)
            && account.provider() == provider
        {
            account.hear(model, note);
        }
    }

    fn repeat(&self) {
        self.accounts.all().iter().for_each(|account| account.repeat());
        self.breakers.all().iter().for_each(|breaker| breaker.repeat());
    }

    /// What providers work on now: of the most calls, so many as a heartbeat has room for.
    pub fn pending(&self) -> Vec<Pending> {
        let accounts = self.accounts.all();
        let mut pending: Vec<Pending> = accounts
            .iter()
            .flat_map(|account| {
                account.running().into_iter().map(|(model, calls)| Pending {
                    provider: account.provider().to_owned(),
                    connection_id: account.connection().to_owned(),
                    model: model[..model.floor_char_boundary(PENDING_MODEL)].to_owned(),
                    calls,
                })
            })
            .collect();
        pending.sort_by_key(|pending| std::cmp::Reverse(pending.calls));
        pending.truncate(PENDING);
        pending
    }

    /// Of the accounts whose limiter was ever used.
    fn loads(&self) -> Vec<ConnectionLoad> {
        let (now, unix_now) = (Instant::now(), SystemTime::now());
        let unix_ms = |at: Instant| {
            let at = unix_now + at.saturating_duration_since(now);
            let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        };
        let loads = self.accounts.all().into_iter().filter_map(|account| {
            let load = account.limiter().load();
            let used = load.done > 0 || load.running > 0 || load.queued > 0;
            used.then(|| ConnectionLoad {
                connection: account.connection().to_owned(),
                provider: account.provider().to_owned(),
                queued: load.queued,
                running: load.running,
                done: load.done,
                limit: load.limit,
                remaining: load.remaining,
                reset_at_ms: load.reset_at.map(unix_ms),
            })
        });
        loads.collect()
    }
}
