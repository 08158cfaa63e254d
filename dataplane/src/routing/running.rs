//! What combos remember between requests. It outlives tables: a change of configuration must not start the rotation
//! again, or forget which member was used least.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// By the id of the combo. Locked while a table is compiled, never while a request runs.
#[derive(Debug, Default)]
pub struct Combos(Mutex<HashMap<String, Arc<Running>>>);

/// One combo's.
#[derive(Debug, Default)]
pub(super) struct Running {
    pub(super) turn: AtomicU64,
    members: Mutex<HashMap<String, Place>>,
}

/// One member's, by the model it names.
#[derive(Debug)]
struct Place {
    uses: Arc<AtomicU64>,
    width: usize,
    slots: Arc<Semaphore>,
}

/// Lets so many requests in at a time; the others wait in the order in which they came, and not for ever.
#[derive(Debug, Clone)]
pub struct Gate {
    slots: Arc<Semaphore>,
    patience: Duration,
}

/// A place behind a [`Gate`], until it is dropped.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

// === impl Combos ===

impl Combos {
    pub(super) fn running(&self, combo: &str) -> Arc<Running> {
        self.0.lock().entry(combo.to_owned()).or_default().clone()
    }

    /// Forgets combos that left the configuration.
    pub(super) fn retain(&self, exists: impl Fn(&str) -> bool) {
        self.0.lock().retain(|combo, _| exists(combo));
    }
}

// === impl Running ===

impl Running {
    /// The counter of a member's successes and its gate, `width` requests wide.
    pub(super) fn place(&self, model: &str, width: usize, patience: Duration) -> (Arc<AtomicU64>, Gate) {
        let mut members = self.members.lock();
        let place = members.entry(model.to_owned()).or_insert_with(|| Place {
            uses: Arc::default(),
            width,
            slots: Arc::new(Semaphore::new(width)),
        });
        if place.width != width {
            // whoever is inside leaves by the old gate; until then a little more than `width` may be inside
            place.width = width;
            place.slots = Arc::new(Semaphore::new(width));
        }
        let slots = place.slots.clone();
        (place.uses.clone(), Gate { slots, patience })
    }

    /// Forgets members that left the combo.
    pub(super) fn retain(&self, exists: impl Fn(&str) -> bool) {
        self.members.lock().retain(|model, _| exists(model));
    }
}

// === impl Gate ===

impl Gate {
    /// A slot, if one is free within the gate's patience and before `deadline`.
    pub async fn enter(&self, deadline: Instant) -> Option<Slot> {
        let until = deadline.min(Instant::now() + self.patience);
        let entering = self.slots.clone().acquire_owned();
        let _permit = timeout_at(until, entering).await.ok()?.ok()?;
        Some(Slot { _permit })
    }

    /// A slot, if one is free now and nobody waits for it.
    pub fn try_enter(&self) -> Option<Slot> {
        let _permit = self.slots.clone().try_acquire_owned().ok()?;
        Some(Slot { _permit })
    }
}
