//! What data planes count for operators: how combos do, and who talks. Counted in memory, put into the state store once
//! a second; a request never waits for it.
//!
//! Without the store, counts of combos and sessions wait for it to come back, within bounds; they are for looking at,
//! not for money.

use crate::routing::{Combo, Seat};
use parking_lot::Mutex;
use state::{ComboCount, SessionUse, StateStore};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);
/// What is kept while the store is gone.
const MAX_ENTRIES: usize = 10_000;

#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// By combo and member; the member is empty for the combo as a whole.
    combos: HashMap<(Arc<str>, Arc<str>), ComboCount>,
    /// By tenant and session.
    sessions: HashMap<(String, String), SessionUse>,
}

// === impl Tally ===

impl Tally {
    /// A request to a combo was answered, or not. `fallbacks` are the attempts that failed before.
    pub fn answered(&self, combo: &Combo, ok: bool, fallbacks: u64, took: Duration) {
        if !combo.track_metrics {
            return;
        }
        let whole = Arc::from("");
        self.0.lock().count(&combo.name, &whole, |count| {
            count.fallbacks += u64::from(ok && fallbacks > 0);
            outcome(count, ok, took);
        });
    }

    pub fn succeeded(&self, seats: &[Arc<Seat>], took: Duration) {
        self.attempted(seats, true, took);
    }

    pub fn failed(&self, seats: &[Arc<Seat>]) {
        self.attempted(seats, false, Duration::ZERO);
    }

    /// One more request of a conversation.
    pub fn talked(&self, mut seen: SessionUse) {
        let mut counts = self.0.lock();
        let key = (seen.tenant.clone(), seen.session.clone());
        if let Some(known) = counts.sessions.get(&key) {
            seen.requests += known.requests;
        } else if counts.sessions.len() >= MAX_ENTRIES {
            return;
        }
        counts.sessions.insert(key, seen);
    }

    fn attempted(&self, seats: &[Arc<Seat>], ok: bool, took: Duration) {
        let tracked = seats.iter().filter(|seat| seat.track_metrics);
        for seat in tracked {
            self.0
                .lock()
                .count(&seat.combo, &seat.model, |count| outcome(count, ok, took));
        }
    }

    /// Runs until `stop`, and puts in what is left then.
    pub async fn publish(&self, store: &dyn StateStore, stop: CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let last = tokio::select! {
                _ = ticks.tick() => false,
                () = stop.cancelled() => true,
            };
            self.put_in(store).await;
            if last {
                return;
            }
        }
    }

    async fn put_in(&self, store: &dyn StateStore) {
        let Counts { combos, sessions } = std::mem::take(&mut *self.0.lock());
        let combos: Vec<ComboCount> = combos.into_values().collect();
        if !combos.is_empty()
            && let Err(error) = store.add_combo_counts(&combos).await
        {
            tracing::debug!(%error, "counts of combos wait for the state store");
            self.0.lock().put_back(combos);
        }
        let sessions: Vec<SessionUse> = sessions.into_values().collect();
        if !sessions.is_empty()
            && let Err(error) = store.touch_sessions(&sessions).await
        {
            tracing::debug!(%error, "sessions wait for the state store");
            for session in sessions {
                self.talked(session);
            }
        }
    }
}

// === impl Counts ===

impl Counts {
    fn count(&mut self, combo: &Arc<str>, model: &Arc<str>, change: impl FnOnce(&mut ComboCount)) {
        let key = (combo.clone(), model.clone());
        if self.combos.len() >= MAX_ENTRIES && !self.combos.contains_key(&key) {
            return;
        }
        let count = self.combos.entry(key).or_insert_with(|| ComboCount {
            combo: combo.to_string(),
            model: model.to_string(),
            ..ComboCount::default()
        });
        change(count);
    }

    fn put_back(&mut self, combos: Vec<ComboCount>) {
        for old in combos {
            self.count(&Arc::from(&*old.combo), &Arc::from(&*old.model), |count| {
                count.requests += old.requests;
                count.successes += old.successes;
                count.failures += old.failures;
                count.fallbacks += old.fallbacks;
                count.latency_ms += old.latency_ms;
                if old.last_used_ms > count.last_used_ms {
                    count.last_used_ms = old.last_used_ms;
                    count.last_ok = old.last_ok;
                }
            });
        }
    }
}

fn outcome(count: &mut ComboCount, ok: bool, took: Duration) {
    count.requests += 1;
    count.successes += u64::from(ok);
    count.failures += u64::from(!ok);
    count.latency_ms += u64::try_from(took.as_millis()).unwrap_or(0);
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    count.last_used_ms = i64::try_from(since.as_millis()).unwrap_or(0);
    count.last_ok = ok;
}
